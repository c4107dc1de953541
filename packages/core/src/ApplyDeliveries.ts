/**
 * The step that deliveries go through: what each of them changes, given what the store holds.
 *
 * Many deliveries can share one step; they are gone through in the given order, each seeing what those before it did.
 */
import type * as Arr from "effect/Array"
import * as Schema from "effect/Schema"
import type { AccessPolicy } from "./AccessPolicy.ts"
import type { Delivery, DeliveryOutcome, DeliveryState } from "./Delivery.ts"
import type { CustomerEvent, SubscriptionEvent } from "./PolarEvent.ts"
import { make as makeLedger, type StoreLedger } from "./StoreLedger.ts"
import type { DeliveryRow, SubscriptionFact, SubscriptionRow } from "./StoreRows.ts"
import type { Keys, Step } from "./StoreStep.ts"
import { Subscription, UserId } from "./Subscription.ts"
import { supersedes, versionOf } from "./SubscriptionVersion.ts"
import type { EpochMicros } from "./Timestamp.ts"

export interface ApplyOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
}

/** The answer holds one outcome for each delivery, in the same order. */
export const applyDeliveries = (
  deliveries: Arr.NonEmptyReadonlyArray<Delivery>,
  { now, policy }: ApplyOptions
): Step<Arr.NonEmptyReadonlyArray<DeliveryOutcome>> => ({
  keys: keysOf(deliveries),
  decide: (facts) => {
    const ledger = makeLedger(facts, policy, now)
    const [first, ...rest] = deliveries
    const answer: Arr.NonEmptyReadonlyArray<DeliveryOutcome> = [
      applyOne(ledger, first, now),
      ...rest.map((delivery) => applyOne(ledger, delivery, now))
    ]
    return { changes: ledger.changes(), answer }
  }
})

/** States that a further delivery of the same event may still change. */
const unsettled: ReadonlySet<DeliveryState> = new Set<DeliveryState>(["failed", "unlinked"])

const applyOne = (ledger: StoreLedger, delivery: Delivery, now: number): DeliveryOutcome => {
  const prior = ledger.delivery(delivery.id)
  if (prior !== undefined && !unsettled.has(prior.state)) {
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
  ledger.record({
    id: delivery.id,
    type: result.type,
    state: result.state,
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
    state: result.state,
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
  if (deleted) {
    // Polar hands a deleted customer's external id on to the next one, so this event proves nothing about identity.
    ledger.markCustomerDeleted(customer.id, customer.deleted_at?.getTime() ?? now)
  } else if (externalId !== null) {
    ledger.linkCustomer(customer.id, externalId, "external_id")
  }
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
  ledger.write({
    id: subscription.id,
    userId,
    customerId: subscription.customer.id,
    organizationId: subscription.organizationId,
    productId: subscription.productId,
    status: subscription.status,
    live: subscription.isLive,
    currentPeriodEnd: subscription.periodEnd,
    cancelAtPeriodEnd: subscription.cancelAtPeriodEnd,
    eventAt: version.at,
    precedence: version.precedence,
    deliveryId,
    updatedAt: now,
    data: encode(subscription)
  } satisfies SubscriptionRow)
  return { ...place, state: userId === null ? "unlinked" : "applied", userId }
}

/**
 * Whose subscription it is. In this order: the user it already belongs to; the user its customer is linked to; the
 * customer's external id, which also links the customer; the user that the checkout's metadata names, if the app has
 * that user. The last gives the user this subscription and not the customer: at a checkout Polar goes by the e-mail
 * that the buyer types, so the customer may be somebody else's (Polar docs: customers, external id).
 */
const identify = (ledger: StoreLedger, { metadataUserId, subscription }: SubscriptionEvent): UserId | null => {
  const { customer, id } = subscription
  const stored = ledger.subscription(id)
  if (stored !== undefined && stored.userId !== null) return stored.userId as UserId
  const externalId = asUserId(customer.externalId)
  if (externalId !== null) ledger.linkCustomer(customer.id, externalId, "external_id")
  const link = ledger.link(customer.id)
  const userId =
    link !== undefined
      ? (link.userId as UserId)
      : metadataUserId !== null && ledger.userExists(metadataUserId)
        ? metadataUserId
        : null
  if (userId !== null) ledger.adopt(id, userId)
  return userId
}

const versionOfFact = (fact: SubscriptionFact) => ({ at: fact.eventAt as EpochMicros, precedence: fact.precedence })

const isUserId = Schema.is(UserId)
const asUserId = (externalId: string | null): UserId | null => (isUserId(externalId) ? externalId : null)

const encodeSubscription = Schema.encodeSync(Subscription)
const encode = (subscription: Subscription): string => JSON.stringify(encodeSubscription(subscription))

const keysOf = (deliveries: Iterable<Delivery>): Keys => {
  const keys = {
    deliveryIds: new Set<string>(),
    customerIds: new Set<string>(),
    subscriptionIds: new Set<string>(),
    userIds: new Set<string>()
  }
  const addUser = (id: string | null) => {
    const userId = asUserId(id)
    if (userId !== null) keys.userIds.add(userId)
  }
  for (const { content, id } of deliveries) {
    keys.deliveryIds.add(id)
    if (content._tag === "CustomerEvent") {
      keys.customerIds.add(content.customer.id)
      addUser(content.customer.external_id)
    }
    if (content._tag === "SubscriptionEvent") {
      const { customer, id: subscriptionId } = content.subscription
      keys.subscriptionIds.add(subscriptionId)
      keys.customerIds.add(customer.id)
      addUser(customer.externalId)
      addUser(content.metadataUserId)
    }
  }
  return {
    deliveryIds: [...keys.deliveryIds],
    customerIds: [...keys.customerIds],
    subscriptionIds: [...keys.subscriptionIds],
    userIds: [...keys.userIds]
  }
}
