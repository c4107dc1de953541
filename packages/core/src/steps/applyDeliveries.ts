/**
 * The step that deliveries go through: what each of them changes, given what the store holds.
 *
 * Many deliveries can share one step; they are gone through in the given order, each seeing what those before it did.
 */
import type * as Arr from "effect/Array"
import type { Delivery, DeliveryOutcome, DeliveryState } from "../records/Delivery.ts"
import type { CustomerEvent, SubscriptionEvent } from "../records/PolarEvent.ts"
import type { DeliveryRow, QueuedNotificationRow } from "../records/rows.ts"
import type { UserId } from "../records/Subscription.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { asUserId, identify, rowOf, versionOfFact } from "../rules/identity.ts"
import { supersedes, versionOf } from "../rules/order.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import * as StepKeys from "./keys.ts"
import type { Keys, Step } from "./Step.ts"
import { make as makeLedger, type StepClaim, type StoreLedger } from "./workingCopy.ts"

export interface ApplyOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
  /** Whether deliveries that were dealt with before run again all the same. Default: false. */
  readonly replay?: boolean | undefined
  /** What the step may claim of the notifications that it queues. Default: nothing. */
  readonly claim?: StepClaim | undefined
}

export interface AppliedDeliveries {
  /** One for each delivery, in the same order. */
  readonly outcomes: Arr.NonEmptyReadonlyArray<DeliveryOutcome>
  readonly queued: ReadonlyArray<QueuedNotificationRow>
}

export const applyDeliveries = (
  deliveries: Arr.NonEmptyReadonlyArray<Delivery>,
  { claim, now, policy, replay = false }: ApplyOptions
): Step<AppliedDeliveries> => ({
  keys: keysOf(deliveries),
  decide: (facts) => {
    const ledger = makeLedger(facts, { policy, now, claim })
    const [first, ...rest] = deliveries
    const outcomes: Arr.NonEmptyReadonlyArray<DeliveryOutcome> = [
      applyOne(ledger, first, now, replay),
      ...rest.map((delivery) => applyOne(ledger, delivery, now, replay))
    ]
    const changes = ledger.changes()
    return { changes, answer: { outcomes, queued: changes.notifications } }
  }
})

/** States that a further delivery of the same event may still change. */
const unsettled: ReadonlySet<DeliveryState> = new Set<DeliveryState>(["failed", "unlinked"])

const applyOne = (ledger: StoreLedger, delivery: Delivery, now: number, replay: boolean): DeliveryOutcome => {
  const prior = ledger.delivery(delivery.id)
  if (prior !== undefined && !replay && !unsettled.has(prior.state)) {
    return {
      id: delivery.id,
      state: prior.state,
      duplicate: true,
      userId: prior.userId as UserId | null,
      notified: false
    }
  }
  const queuedBefore = ledger.queued()
  const result = applyContent(ledger, delivery, now)
  // What was applied once stays so, although a replay may find that something newer has come since.
  const state = prior?.state === "applied" ? "applied" : result.state
  ledger.record({
    id: delivery.id,
    type: result.type,
    state,
    eventAt: result.at,
    receivedAt: delivery.receivedAt,
    updatedAt: now,
    customerId: result.customerId ?? null,
    subscriptionId: result.subscriptionId ?? null,
    userId: result.userId ?? null,
    attempts: (prior?.attempts ?? 0) + 1,
    lastError: result.problem ?? null,
    body: delivery.body
  } satisfies DeliveryRow)
  return {
    id: delivery.id,
    state,
    duplicate: false,
    userId: result.userId ?? null,
    notified: ledger.queued() > queuedBefore
  }
}

interface Applied {
  readonly state: DeliveryState
  readonly type: string
  readonly at: EpochMicros | null
  readonly customerId?: string
  readonly subscriptionId?: string
  readonly userId?: UserId | null
  readonly problem?: string
}

const applyContent = (ledger: StoreLedger, { content, id }: Delivery, now: number): Applied => {
  switch (content._tag) {
    case "UnreadableEvent":
      return { state: "failed", type: content.type ?? "unreadable", at: content.at, problem: content.problem }
    case "ForeignEvent":
      return {
        state: "ignored",
        type: content.type,
        at: content.at,
        problem: "the event belongs to another organization"
      }
    case "OtherEvent":
      return { state: "ignored", type: content.type, at: content.at }
    case "CustomerEvent":
      return applyCustomer(ledger, content, now)
    case "SubscriptionEvent":
      return applySubscription(ledger, content, id, now)
  }
}

const applyCustomer = (ledger: StoreLedger, { at, customer, type }: CustomerEvent, now: number): Applied => {
  const deleted = type === "customer.deleted" || customer.deleted_at !== null
  const externalId = asUserId(customer.external_id)
  // Also of one that is deleted: its external id was never another user's, and what it bought may yet be delivered.
  if (externalId !== null) ledger.linkCustomer(customer.id, externalId, "external_id")
  if (deleted) ledger.markCustomerDeleted(customer.id, customer.deleted_at?.getTime() ?? now)
  const userId = (ledger.link(customer.id)?.userId ?? null) as UserId | null
  const state = userId !== null ? "applied" : deleted ? "ignored" : "unlinked"
  return { state, type, at, customerId: customer.id, userId }
}

const applySubscription = (ledger: StoreLedger, event: SubscriptionEvent, deliveryId: string, now: number): Applied => {
  const { at, subscription, type } = event
  const place = { type, at, customerId: subscription.customer.id, subscriptionId: subscription.id }
  const userId = identify(ledger, event)
  const stored = ledger.subscription(subscription.id)
  const version = versionOf(subscription, at)
  if (stored !== undefined && !supersedes(version, versionOfFact(stored))) {
    if (stored.deliveryId !== deliveryId) return { ...place, state: "stale", userId }
    return { ...place, state: userId === null ? "unlinked" : "applied", userId }
  }
  ledger.write(rowOf(subscription, { userId, version, deliveryId, now }))
  return { ...place, state: userId === null ? "unlinked" : "applied", userId }
}

const keysOf = (deliveries: Iterable<Delivery>): Keys => {
  const wanted = StepKeys.make()
  for (const { content, id } of deliveries) {
    wanted.delivery(id)
    if (content._tag === "CustomerEvent") wanted.customer(content.customer.id, content.customer.external_id)
    if (content._tag === "SubscriptionEvent") wanted.subscription(content)
  }
  return wanted.keys()
}
