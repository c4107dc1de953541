/**
 * Makes the app's webhook endpoint at Polar what it has to be: there, enabled, of the format raw, with exactly the events that
 * are handled. First a plan, which only looks, so that somebody can be asked; then the change. Endpoints at other addresses are
 * left alone.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { PolarClient, type WebhookEndpoint, type WebhookEndpointChange } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { handledEventTypes, isNewEventType } from "../records/handledEventTypes.ts"
import { hrefOf } from "./endpointAddress.ts"

export interface EndpointPlan {
  readonly url: string
  /** The endpoint at this address; `null` when there is none. */
  readonly endpoint: WebhookEndpoint | null
  /** Others at the same address: each of them gets every event once more. */
  readonly twinIds: ReadonlyArray<string>
  readonly missingTypes: ReadonlyArray<string>
  /** What it gets, and nothing here handles. */
  readonly surplusTypes: ReadonlyArray<string>
  /** Whether there is anything to do. */
  readonly differs: boolean
}

export interface EndpointSetUp {
  readonly endpoint: WebhookEndpoint
  /** The secret of an endpoint that was made; `null` for one that was there. */
  readonly secret: Redacted.Redacted | null
}

/** What is to be done about the endpoint at `url`. Needs the scope `webhooks:read`. */
export const planEndpoint = Effect.fn("planEndpoint")(function* (
  url: string
): Effect.fn.Return<EndpointPlan, PolarError, PolarClient> {
  const { webhookEndpoints } = yield* PolarClient
  const here = (yield* webhookEndpoints).filter((endpoint) => hrefOf(endpoint.url) === hrefOf(url))
  const endpoint = here.find(({ enabled }) => enabled) ?? here[0] ?? null
  const events = endpoint?.events ?? []
  const missing = handledEventTypes.filter((type) => !events.includes(type))
  const missingTypes = endpoint === null ? missing : missing.filter((type) => !isNewEventType(type))
  const surplusTypes = events.filter((type) => !handledEventTypes.includes(type))
  return {
    url,
    endpoint,
    twinIds: here.filter(({ id }) => id !== endpoint?.id).map(({ id }) => id),
    missingTypes,
    surplusTypes,
    differs:
      endpoint === null ||
      !endpoint.enabled ||
      endpoint.format !== "raw" ||
      missingTypes.length > 0 ||
      surplusTypes.length > 0
  }
})

/** Does what was planned. Needs the scope `webhooks:write`. */
export const setUpEndpoint = Effect.fn("setUpEndpoint")(function* (
  plan: EndpointPlan
): Effect.fn.Return<EndpointSetUp, PolarError, PolarClient> {
  const client = yield* PolarClient
  const { endpoint, missingTypes, surplusTypes, url } = plan
  if (endpoint === null) return yield* unlessTooNew((events) => client.createWebhookEndpoint({ events, url }))
  const change = (events?: ReadonlyArray<string>): WebhookEndpointChange => ({ enabled: true, format: "raw", events })
  const isOtherwise = missingTypes.length + surplusTypes.length > 0
  const changed = yield* isOtherwise
    ? unlessTooNew((events) => client.updateWebhookEndpoint(endpoint.id, change(events)))
    : client.updateWebhookEndpoint(endpoint.id, change())
  return { endpoint: changed, secret: null }
})

/** Polar may not know the newest types yet: then without them. */
const unlessTooNew = <A>(
  ask: (events: ReadonlyArray<string>) => Effect.Effect<A, PolarError>
): Effect.Effect<A, PolarError> =>
  Effect.catchIf(
    ask(handledEventTypes),
    (error) => error._tag === "PolarRejected" && error.issues.some(({ path }) => path.includes("events")),
    () => ask(handledEventTypes.filter((type) => !isNewEventType(type)))
  )
