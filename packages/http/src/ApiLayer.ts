/** The routes as an implementation of `PolarApi`, to mount in an Effect server. */
import type * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { PolarApi } from "./Api.ts"
import { Endpoints } from "./Endpoints.ts"

/** Implements `PolarGroup` in `PolarApi`. */
export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"kavach-polar", "polar">,
  never,
  Endpoints
> = HttpApiBuilder.group(PolarApi, "polar", (handlers) =>
  Effect.map(Endpoints, (endpoints) =>
    handlers
      .handleRaw("checkout", ({ request }) => endpoints.checkout(request))
      .handleRaw("subscription", ({ request }) => endpoints.subscription(request))
      .handleRaw("webhook", ({ request }) => endpoints.webhook(request))
  )
)

/** `PolarApi` whole: what `HttpApiBuilder.serve` and `HttpApiBuilder.toWebHandler` take. */
export const layerApi: Layer.Layer<HttpApi.Api, never, Endpoints> = Layer.provide(HttpApiBuilder.api(PolarApi), layer)
