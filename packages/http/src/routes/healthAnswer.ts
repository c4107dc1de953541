/**
 * `GET /auth/polar/health`, for a monitor: 200 while billing works, also where something needs a look, and 503 where it does not.
 * Anybody may ask, and is told no id and no secret.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { BillingService } from "@kavach-polar/core/Billing"
import * as Effect from "effect/Effect"

export const healthAnswer = ({
  health
}: Pick<BillingService, "health">): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(health, (found) =>
    HttpServerResponse.unsafeJson(found, {
      status: found.status === "down" ? 503 : 200,
      headers: { "cache-control": "no-store" }
    })
  )
