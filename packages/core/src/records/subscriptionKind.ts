/** Subscriptions as a kind of record. What Polar sends is read in `PolarObjects.ts`, what is stored in `storedJson.ts`. */
import * as Either from "effect/Either"
import { toMillis } from "../values/Timestamp.ts"
import { type Kind, packPrecedence } from "./Kind.ts"
import { changedAt, readSubscription, toSubscription, userIdIn } from "./PolarObjects.ts"
import type { RecordReport } from "./RecordReport.ts"
import type { RecordFact } from "./rows.ts"
import { isKnownStatus, type KnownStatus, type Subscription } from "./Subscription.ts"
import * as StoredJson from "./storedJson.ts"

/** Least restrictive first. A status that is not known grants nothing, so it stands with those that deny most. */
const restriction: Readonly<Record<KnownStatus, number>> = {
  trialing: 0,
  active: 1,
  past_due: 2,
  paused: 3,
  incomplete: 4,
  unpaid: 5,
  incomplete_expired: 6,
  canceled: 7
}
const restrictionOfUnknown = 8

/**
 * The rule for states with equal timestamps, most significant first:
 *
 * 1. a state that has ended wins over one that has not: in doubt, nothing that ended comes back;
 * 2. the later `modifiedAt` wins (milliseconds; none counts as earliest);
 * 3. the more restrictive status wins: trialing, active, past_due, paused, incomplete, unpaid, incomplete_expired,
 *    canceled, and then any unknown one;
 * 4. a scheduled end wins over none.
 */
export const precedence = (subscription: Subscription): number => {
  const status = isKnownStatus(subscription.status) ? restriction[subscription.status] : restrictionOfUnknown
  const ending = subscription.cancelAtPeriodEnd ? 1 : 0
  return packPrecedence(subscription.endedAt !== null, subscription.modifiedAt?.getTime() ?? null, status * 2 + ending)
}

/** A subscription, and the user whom its metadata names. `at`: when Polar last changed it. */
export const reportOf = (
  subscription: Subscription,
  at: RecordReport["changedAt"],
  metadataUserId: RecordReport["metadataUserId"] = userIdIn(subscription.metadata)
): RecordReport => ({
  kind: "subscription",
  id: subscription.id,
  customer: { id: subscription.customer.id, externalId: subscription.customer.externalId },
  metadataUserId,
  organizationId: subscription.organizationId,
  productId: subscription.productId,
  subscriptionId: null,
  orderId: null,
  benefitId: null,
  checkoutId: subscription.checkoutId,
  status: subscription.status,
  live: subscription.isLive,
  endsAt: subscription.cancelAtPeriodEnd
    ? ((subscription.endsAt ?? subscription.currentPeriodEnd)?.getTime() ?? null)
    : null,
  precedence: precedence(subscription),
  changedAt: at,
  summary: StoredJson.encodeSummary(subscription),
  data: StoredJson.encodeSubscription(subscription)
})

export const subscriptionKind: Kind<Subscription> = {
  name: "subscription",
  // `migrated` since Polar's SDK 1.0.
  eventTypes: [
    "subscription.created",
    "subscription.active",
    "subscription.updated",
    "subscription.canceled",
    "subscription.uncanceled",
    "subscription.cycled",
    "subscription.past_due",
    "subscription.paused",
    "subscription.resumed",
    "subscription.revoked",
    "subscription.migrated"
  ],
  read: (data, event) =>
    Either.map(readSubscription(data), (polar) =>
      reportOf(
        // An event that says by its own name that the subscription is over.
        toSubscription(polar, event?.type === "subscription.revoked" ? new Date(toMillis(event.at)) : null),
        changedAt(polar),
        userIdIn(polar.metadata)
      )
    ),
  fromStored: StoredJson.decodeSubscription,
  list: { path: "/v1/subscriptions/", sorting: "started_at", byMetadata: true },
  shown: (fact) => StoredJson.encodePayload(fact),
  view: [
    { name: "current_period_end", key: "currentPeriodEnd", type: "time" },
    { name: "cancel_at_period_end", key: "cancelAtPeriodEnd", type: "flag" }
  ]
}

/** A stored subscription as access and the projection look at it. */
export interface SubscriptionFact
  extends Pick<RecordFact, "id" | "userId" | "status" | "live" | "productId" | "customerId" | "eventAt"> {
  /** Epoch milliseconds. */
  readonly currentPeriodEnd: number | null
  readonly cancelAtPeriodEnd: boolean
}

export const subscriptionFact = (fact: RecordFact): SubscriptionFact => {
  const { cancelAtPeriodEnd, currentPeriodEnd } = StoredJson.decodeSummary(fact.summary)
  return { ...fact, currentPeriodEnd: currentPeriodEnd?.getTime() ?? null, cancelAtPeriodEnd }
}
