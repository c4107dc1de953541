/** What an event of a subscription and one that was read from the API have in common: whose it is, and its row. */

import type { SubscriptionFact, SubscriptionRow } from "../records/rows.ts"
import type { Subscription, UserId } from "../records/Subscription.ts"
import { encodeSubscription } from "../records/storedJson.ts"
import type { StoreLedger } from "../steps/workingCopy.ts"
import { isUserId } from "../values/plainValue.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import type { SubscriptionVersion } from "./order.ts"

/** A subscription as Polar says it is, and the user whom its checkout's metadata names. */
export interface SubscriptionReport {
  readonly subscription: Subscription
  readonly metadataUserId: UserId | null
}

/**
 * Whose subscription it is. In this order: the user it already belongs to; the user its customer is linked to; the
 * customer's external id, which also links the customer; the user that the checkout's metadata names, if the app has
 * that user. The last gives the user this subscription and not the customer: at a checkout Polar goes by the e-mail
 * that the buyer types, so the customer may be somebody else's (Polar docs: customers, external id).
 */
export const identify = (ledger: StoreLedger, { metadataUserId, subscription }: SubscriptionReport): UserId | null => {
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

/** Where the row comes from: `deliveryId` is the delivery's, or names the request that read it. */
export interface RowOrigin {
  readonly userId: UserId | null
  readonly version: SubscriptionVersion
  readonly deliveryId: string
  /** Epoch milliseconds. */
  readonly now: number
}

export const rowOf = (
  subscription: Subscription,
  { deliveryId, now, userId, version }: RowOrigin
): SubscriptionRow => ({
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
  data: encodeSubscription(subscription)
})

export const versionOfFact = (fact: SubscriptionFact): SubscriptionVersion => ({
  at: fact.eventAt as EpochMicros,
  precedence: fact.precedence
})

/** A customer's external id is the app's user id, unless it is something that no user id can be. */
export const asUserId = (externalId: string | null): UserId | null => (isUserId(externalId) ? externalId : null)
