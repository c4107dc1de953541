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
import { Endpoints } from "./Endpoints.ts"

type PolarEndpoints = HttpApiGroup.HttpApiGroup.Endpoints<typeof PolarGroup>

/** Implements `PolarGroup` in any API that it was added to: the third argument of `HttpApiBuilder.group`. */
export const handlers = <E, Provides>(handlers: HttpApiBuilder.Handlers<E, Provides, never, PolarEndpoints>) =>
  Effect.map(Endpoints, (endpoints) =>
    handlers
      .handleRaw("checkout", ({ request }) => endpoints.checkout(request))
      .handleRaw("subscription", ({ request }) => endpoints.subscription(request))
      .handleRaw("webhook", ({ request }) => endpoints.webhook(request))
  )

/** Answers 405 to a wrong method on one of the API's `polar` routes, where its router would say that there is none. */
export const wrongMethods = <Id extends string, Groups extends HttpApiGroup.HttpApiGroup.Any, E, R>(
  api: HttpApi.HttpApi<Id, Groups, E, R>
): Layer.Layer<never> => {
  const routes: Array<HttpRouter.Route<never, never>> = []
  HttpApi.reflect(api, {
    predicate: ({ group }) => group.identifier === "polar",
    onGroup: () => {},
    onEndpoint: ({ endpoint: { method, path } }) => {
      const answer = HttpServerResponse.unsafeJson(
        { error: "Method not allowed" },
        { status: 405, headers: { allow: method } }
      )
      for (const other of methods) {
        if (other !== method) routes.push(HttpRouter.makeRoute(other, path, Effect.succeed(answer)))
      }
    }
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
