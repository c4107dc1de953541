/** Whether the app has the secret that Polar signs its endpoint's deliveries with. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { PolarClient } from "../polar/PolarClient.ts"
import { secretsIn } from "../polar/webhookSecret.ts"
import { broken, type Finding, fine, unknown, warning } from "./diagnosis.ts"
import { planEndpoint } from "./endpointSetup.ts"

/**
 * Compares what `webhookSecret` may hold, several with commas between, with the secret of the endpoint at `url`. Needs the scope
 * `webhooks:read`; nothing is found where there is no endpoint.
 */
export const lookAtSecret = Effect.fn("lookAtSecret")(function* (
  url: string,
  configured: Redacted.Redacted
): Effect.fn.Return<ReadonlyArray<Finding>, never, PolarClient> {
  const client = yield* PolarClient
  const look = Effect.gen(function* () {
    const { endpoint } = yield* planEndpoint(url)
    if (endpoint === null) return []
    const current = Redacted.value(yield* client.webhookSecret(endpoint.id))
    const secrets = secretsIn(Redacted.value(configured))
    const index = secrets.indexOf(current)
    if (index < 0) {
      return [
        broken(
          "secret",
          secrets.length === 1
            ? "POLAR_WEBHOOK_SECRET is not the secret that Polar signs with."
            : `None of the ${secrets.length} secrets in POLAR_WEBHOOK_SECRET is the one that Polar signs with.`,
          "Every delivery is refused: who pays gets nothing until the next comparison with Polar.",
          "kavach-polar setup --env-file .env, then restart the app"
        )
      ]
    }
    if (secrets.length === 1) return [fine("secret", "POLAR_WEBHOOK_SECRET is the secret that Polar signs with.")]
    return [
      index === 0
        ? fine("secret", `Polar signs with the first of the ${secrets.length} secrets in POLAR_WEBHOOK_SECRET.`)
        : warning(
            "secret",
            `Polar signs with secret ${index + 1} of the ${secrets.length} in POLAR_WEBHOOK_SECRET, and not with the first.`,
            "The first should be the newest: somebody may have put back an old one at Polar.",
            "kavach-polar rotate-secret --done, once all processes of the app run with it"
          )
    ]
  })
  return yield* Effect.catchAll(look, (error) =>
    Effect.succeed(error._tag === "PolarForbidden" ? [] : [unknown("secret", error.message)])
  )
})
