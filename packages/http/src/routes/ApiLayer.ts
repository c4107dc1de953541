/**
 * The routes as an implementation of `PolarApi`, to mount in an Effect server; or of `PolarGroup` in an API of yours:
 *
 * `HttpApiBuilder.group(YourApi, "polar", ApiLayer.handlers)`, and beside it `ApiLayer.wrongMethods(YourApi)`.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { PolarApi, type PolarGroup } from "./Api.ts"
import { warnOfAnyProduct } from "./anyProduct.ts"
import { Endpoints } from "./Endpoints.ts"

type PolarEndpoints = HttpApiGroup.HttpApiGroup.Endpoints<typeof PolarGroup>

/**
 * Implements `PolarGroup` in any API that it was added to: the third argument of `HttpApiBuilder.group`.
 *
 * @example
 * HttpApiBuilder.group(Api.PolarApi, "polar", ApiLayer.handlers)
 */
export const handlers = <E, Provides>(handlers: HttpApiBuilder.Handlers<E, Provides, never, PolarEndpoints>) =>
  Effect.tap(Endpoints, ({ catalogue }) => warnOfAnyProduct(catalogue)).pipe(
    Effect.map((endpoints) =>
      handlers
        .handleRaw("checkout", ({ request }) => endpoints.checkout(request))
        .handleRaw("subscription", ({ request }) => endpoints.subscription(request))
        .handleRaw("access", ({ request }) => endpoints.access(request))
        .handleRaw("benefits", ({ request }) => endpoints.benefits(request))
        .handleRaw("orders", ({ request }) => endpoints.orders(request))
        .handleRaw("changeSubscription", ({ request }) => endpoints.changeSubscription(request))
        .handleRaw("previewChange", ({ request }) => endpoints.previewChange(request))
        .handleRaw("cancelSubscription", ({ request }) => endpoints.cancelSubscription(request))
        .handleRaw("uncancelSubscription", ({ request }) => endpoints.uncancelSubscription(request))
        .handleRaw("pauseSubscription", ({ request }) => endpoints.pauseSubscription(request))
        .handleRaw("resumeSubscription", ({ request }) => endpoints.resumeSubscription(request))
        .handleRaw("completeCheckout", ({ request }) => endpoints.completeCheckout(request))
        .handleRaw("openPortal", ({ request }) => endpoints.openPortal(request))
        .handleRaw("portalUrl", ({ request }) => endpoints.portalUrl(request))
        .handleRaw("health", ({ request }) => endpoints.health(request))
        .handleRaw("webhook", ({ request }) => endpoints.webhook(request))
    )
  )

/**
 * Answers 405 to a wrong method on one of the API's `polar` routes, where its router would say that there is none.
 *
 * @example
 * ApiLayer.wrongMethods(Api.PolarApi)
 */
export const wrongMethods = <Id extends string, Groups extends HttpApiGroup.HttpApiGroup.Any, E, R>(
  api: HttpApi.HttpApi<Id, Groups, E, R>
): Layer.Layer<never> => {
  const allowed = new Map<HttpRouter.PathInput, Array<string>>()
  HttpApi.reflect(api, {
    predicate: ({ group }) => group.identifier === "polar",
    onGroup: () => {},
    onEndpoint: ({ endpoint: { method, path } }) => {
      allowed.set(path, [...(allowed.get(path) ?? []), method])
    }
  })
  const routes = [...allowed].flatMap(([path, known]) => {
    const answer = HttpServerResponse.unsafeJson(
      { error: "Method not allowed" },
      { status: 405, headers: { allow: known.join(", ") } }
    )
    return methods
      .filter((method) => !known.includes(method))
      .map((method) => HttpRouter.makeRoute(method, path, Effect.succeed(answer)))
  })
  return HttpApiBuilder.Router.use((router) => router.concat(HttpRouter.fromIterable(routes)))
}

// The router itself answers HEAD as GET, and OPTIONS is for an API's CORS middleware.
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const

/** Implements `PolarGroup` in `PolarApi`. */
export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"kavach-polar", "polar">,
  never,
  Endpoints
> = HttpApiBuilder.group(PolarApi, "polar", handlers)

/** `PolarApi` whole: what `HttpApiBuilder.serve` and `HttpApiBuilder.toWebHandler` take. */
export const layerApi: Layer.Layer<HttpApi.Api, never, Endpoints> = Layer.provide(HttpApiBuilder.api(PolarApi), [
  layer,
  wrongMethods(PolarApi)
])
