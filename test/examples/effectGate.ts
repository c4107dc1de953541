import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware } from "@effect/platform"
import * as Gate from "@kavach-polar/http/Gate"
import { Effect, Layer, Schema } from "effect"

/** What the endpoints behind it may fail with is in the API's description. */
export class RequirePro extends HttpApiMiddleware.Tag<RequirePro>()("RequirePro", { failure: Gate.Refused }) {}

export const Api = HttpApi.make("app").add(
  HttpApiGroup.make("reports").add(
    HttpApiEndpoint.get("latest", "/reports/latest").addSuccess(Schema.String).middleware(RequirePro)
  )
)

// Needs `Billing` and `Session`.
export const RequireProLive = Layer.effect(RequirePro, Gate.requireAccess({ product: "pro", buyUrl: "/plans" }))

export const ReportsLive = HttpApiBuilder.group(Api, "reports", (handlers) =>
  handlers.handle("latest", () => Effect.succeed("Q4"))
).pipe(Layer.provide(RequireProLive))
