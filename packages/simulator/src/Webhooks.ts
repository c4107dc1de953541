/** Webhook endpoints, and what becomes of the events in their queues. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import { signingKey } from "@kavach-polar/core/WebhookSecret"
import * as Either from "effect/Either"
import { plus, second } from "./Calendar.ts"
import type { WebhookEndpoint, WebhookEvent } from "./Records.ts"
import { invalid, notFound, type Refusal } from "./Refusal.ts"
import type { Step } from "./Step.ts"

/** Polar's event types that something here can cause. */
export const eventTypes = [
  "benefit.created",
  "benefit.updated",
  "benefit_grant.created",
  "benefit_grant.updated",
  "benefit_grant.cycled",
  "benefit_grant.revoked",
  "checkout.created",
  "checkout.updated",
  "checkout.expired",
  "customer.created",
  "customer.updated",
  "customer.deleted",
  "customer.state_changed",
  "order.created",
  "order.updated",
  "order.paid",
  "order.refunded",
  "product.created",
  "product.updated",
  "refund.created",
  "refund.updated",
  "subscription.created",
  "subscription.updated",
  "subscription.active",
  "subscription.canceled",
  "subscription.uncanceled",
  "subscription.cycled",
  "subscription.revoked",
  "subscription.past_due",
  "subscription.paused",
  "subscription.resumed"
] as const

/** Those that an endpoint may ask for besides: nothing here causes them. */
const neverCaused = [
  "customer_seat.assigned",
  "customer_seat.claimed",
  "customer_seat.revoked",
  "discount.created",
  "discount.updated",
  "discount.deleted",
  "member.created",
  "member.updated",
  "member.deleted",
  "organization.updated",
  "subscription.migrated"
] as const

/** All of Polar's (Polar docs: webhooks/events). */
export const allEventTypes = [...eventTypes, ...neverCaused] as const

export interface EndpointInput {
  readonly url: string
  readonly events: ReadonlyArray<string>
  readonly name?: string | null | undefined
  /** Made up unless given. */
  readonly secret?: string | undefined
  readonly api_version?: string | undefined
  /** Which key the deliveries are signed with: that of Standard Webhooks, or the whole secret's bytes. */
  readonly uses_standard_webhook_signature?: boolean | undefined
}

export const latestVersion = "2026-10"

// The last of 43 base64 digits carries four bits: only each fourth digit is canonical there.
const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
const secretOf = (step: Step): string => `whsec_${step.text(42, base64)}${step.text(1, "AEIMQUYcgkosw048")}=`

export const createEndpoint =
  (input: EndpointInput) =>
  (step: Step): Either.Either<WebhookEndpoint, Refusal> => {
    const secret = input.secret ?? secretOf(step)
    const standard = Either.isRight(signingKey(secret, "standard"))
    if (Either.isLeft(signingKey(secret, "utf8")) || (input.uses_standard_webhook_signature === true && !standard)) {
      return Either.left(invalid("secret", "This secret cannot sign with the key that is asked for.", null))
    }
    return Either.right(
      step.put("endpoints", {
        ...step.stamp(),
        url: input.url,
        name: input.name ?? null,
        secret,
        events: input.events,
        enabled: true,
        api_version: input.api_version ?? latestVersion,
        uses_standard_webhook_signature: input.uses_standard_webhook_signature ?? standard
      })
    )
  }

export const findEndpoint = (step: Step, id: string): Either.Either<WebhookEndpoint, Refusal> =>
  Either.fromNullable(step.find("endpoints", id), () => notFound)

export type EndpointChange = Partial<Omit<WebhookEndpoint, "id" | "created_at" | "modified_at">>

export const updateEndpoint = (id: string, change: EndpointChange) => (step: Step) =>
  Either.map(findEndpoint(step, id), () => step.update("endpoints", id, change))

/** A new secret, from now on; the old one is no longer used. Those that Polar makes today are for Standard Webhooks. */
export const renewSecret = (id: string) => (step: Step) =>
  Either.map(findEndpoint(step, id), () =>
    step.update("endpoints", id, { secret: secretOf(step), uses_standard_webhook_signature: true })
  )

export const removeEndpoint = (id: string) => (step: Step) =>
  Either.map(findEndpoint(step, id), () => {
    const events = step.all("events").filter(({ endpoint_id }) => endpoint_id === id)
    const gone = new Set(events.map((event) => event.id))
    for (const delivery of step.all("deliveries"))
      if (gone.has(delivery.event_id)) step.remove("deliveries", delivery.id)
    for (const event of events) step.remove("events", event.id)
    step.remove("endpoints", id)
  })

/** Sends an event again, whatever became of it; nothing happens while its endpoint is disabled. */
export const redeliver =
  (id: string) =>
  (step: Step): Either.Either<WebhookEvent, Refusal> => {
    const event = step.find("events", id)
    if (event === undefined) return Either.left(notFound)
    return Either.right(
      step.find("endpoints", event.endpoint_id)?.enabled === true
        ? step.put("events", { ...event, due_at: step.now() })
        : event
    )
  }

/** What an endpoint said; `null` when it said nothing, or nobody was there. */
export interface Outcome {
  readonly http_code: number | null
  readonly response: string | null
  /** How many copies were sent; 1 unless given. */
  readonly copies?: number | undefined
}

export const attemptLimit = 10

/**
 * Writes down an attempt. After a failure the next one waits 2 s × 2ⁿ, of which `jitter` (0 to 1) takes up to a half, and
 * never more than 20 minutes. The tenth failure is the last, and ten events in a row that died disable the endpoint.
 */
export const attempted =
  (event: WebhookEvent, { copies = 1, ...outcome }: Outcome, jitter: number) =>
  (step: Step): void => {
    const current = step.find("events", event.id)
    if (current === undefined) return
    const succeeded = outcome.http_code !== null && outcome.http_code >= 200 && outcome.http_code <= 299
    step.put("deliveries", { ...step.stamp(), event_id: event.id, succeeded, copies, ...outcome })
    const attempts = current.attempts + 1
    const dead = !succeeded && attempts >= attemptLimit
    step.update("events", event.id, {
      attempts,
      last_http_code: outcome.http_code,
      succeeded: succeeded ? true : dead ? false : current.succeeded,
      due_at: succeeded || dead || current.skipped ? null : plus(step.now(), backoff(attempts, jitter))
    })
    if (dead) disableAfterTen(step, event.endpoint_id)
  }

const longestBackoff = 20 * 60 * second

export const backoff = (attempts: number, jitter: number): number =>
  Math.round(Math.min(2 * second * 2 ** attempts, longestBackoff) * (1 - jitter / 2))

const disableAfterTen = (step: Step, endpointId: string): void => {
  const events = step.all("events").filter(({ endpoint_id }) => endpoint_id === endpointId)
  const completed = events.filter(({ succeeded }) => succeeded !== null).slice(-10)
  if (completed.length < 10 || completed.some(({ succeeded }) => succeeded)) return
  step.update("endpoints", endpointId, { enabled: false })
  for (const event of events) {
    if (event.succeeded === null) step.update("events", event.id, { skipped: true, due_at: null })
  }
}

/** Lets others of the queue pass an event, or some time. */
export const postpone =
  (id: string, position: number, micros: number) =>
  (step: Step): void => {
    const event = step.find("events", id)
    if (event?.due_at != null) step.put("events", { ...event, position, due_at: plus(event.due_at, micros) })
  }

/** The events that an endpoint is to be sent now, in the order of its queue. */
export const dueEvents = (events: Iterable<WebhookEvent>, now: EpochMicros): ReadonlyArray<WebhookEvent> =>
  Array.from(events)
    .filter(({ due_at }) => due_at !== null && due_at <= now)
    .sort((one, other) => one.position - other.position)
