/**
 * A new secret for the webhook endpoint. Polar can only replace it, and signs with the new one alone from that moment on, also
 * when it tries older events again (Polar docs: webhooks/endpoints). Until the app runs with it deliveries are refused, and Polar
 * tries each again for a quarter of an hour at least: nothing is lost where the app has it by then.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { PolarClient, type WebhookDelivery } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"

export interface RotatedSecret {
  readonly secret: Redacted.Redacted
  readonly previous: Redacted.Redacted
  /** By Polar's clock: what is accepted later was signed with the new secret. */
  readonly since: Date
}

/** As long as an attempt of Polar's may be under way (Polar docs: webhooks/delivery). */
const attemptMillis = 10_000

/** Has Polar make a new secret. Needs the scope `webhooks:write`. */
export const rotateSecret = Effect.fn("rotateSecret")(function* (
  endpointId: string
): Effect.fn.Return<RotatedSecret, PolarError, PolarClient> {
  const client = yield* PolarClient
  const previous = yield* client.webhookSecret(endpointId)
  const secret = yield* client.renewWebhookSecret(endpointId)
  return { secret, previous, since: new Date((yield* polarsTime) + attemptMillis) }
})

const polarsTime = Effect.gen(function* () {
  const { clockAhead } = yield* PolarClient
  const ahead = Option.getOrElse(yield* clockAhead, () => 0)
  return (yield* Clock.currentTimeMillis) - ahead
})

/** The newest attempt of the last day; `None` when there was none. Needs the scope `webhooks:read`. */
export const newestDelivery = Effect.fn("newestDelivery")(function* (
  endpointId: string
): Effect.fn.Return<Option.Option<WebhookDelivery>, PolarError, PolarClient> {
  const { webhookDeliveries } = yield* PolarClient
  const found = yield* webhookDeliveries(endpointId, new Date((yield* polarsTime) - Duration.toMillis("1 day")))
  return Option.fromNullable(found[0])
})

/**
 * Waits until the app has accepted a delivery of after `since`, and succeeds with whether it has. So that there is one, Polar is
 * asked to deliver the newest event again, which the app knows by its id and does nothing for.
 */
export const untilAccepted = Effect.fn("untilAccepted")(function* (
  endpointId: string,
  since: Date,
  { lookEvery = Duration.seconds(3), askEvery = Duration.seconds(30), longest = Duration.minutes(30) } = {}
): Effect.fn.Return<boolean, PolarError, PolarClient> {
  const { redeliver, webhookDeliveries } = yield* PolarClient
  const start = yield* Clock.currentTimeMillis
  let askedAt = Number.NEGATIVE_INFINITY
  while (true) {
    const found = yield* webhookDeliveries(endpointId, since)
    if (found.some(({ createdAt, succeeded }) => succeeded && createdAt >= since)) return true
    const now = yield* Clock.currentTimeMillis
    if (now - start >= Duration.toMillis(longest)) return false
    if ((yield* polarsTime) >= since.getTime() && now - askedAt >= Duration.toMillis(askEvery)) {
      const newest = yield* newestDelivery(endpointId)
      if (Option.isSome(newest)) yield* redeliver(newest.value.event.id)
      askedAt = now
    }
    yield* Effect.sleep(lookEvery)
  }
})
