/** Subscriptions as a kind of record. What Polar sends is read in `PolarObjects.ts`, what is stored in `storedJson.ts`. */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { toMillis } from "../values/Timestamp.ts"
import { type ListedKind, packPrecedence } from "./Kind.ts"
import { changedAt, isRecordedIn, readSubscription, toSubscription, userIdIn } from "./PolarObjects.ts"
import type { RecordColumns, RecordReport } from "./RecordReport.ts"
import type { RecordFact } from "./rows.ts"
import { isKnownStatus, type KnownStatus, Subscription } from "./Subscription.ts"
import { statusAfterwards } from "./scheduledChange.ts"
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
  metadataUserId: RecordReport["metadataUserId"] = userIdIn(subscription.metadata),
  isRecorded: boolean = isRecordedIn(subscription.metadata)
): RecordReport => ({
  kind: "subscription",
  id: subscription.id,
  customer: {
    id: subscription.customer.id,
    externalId: subscription.customer.externalId,
    email: subscription.customer.email
  },
  metadataUserId,
  isRecorded,
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

/**
 * One as a customer's state lists it: it runs, so nothing is said of an end, a pause or a failed payment of before. What was
 * scheduled for the end of the period stays until another period is listed.
 */
const withDetails = (listed: RecordColumns, details: RecordColumns): RecordColumns =>
  Option.match(Option.all([StoredJson.decodeSubscription(listed.data), StoredJson.decodeSubscription(details.data)]), {
    // What no version has written says nothing more.
    onNone: () => listed,
    onSome: ([now, known]) => {
      const goesOn = known.isLive && known.status !== "paused" && now.periodEnd === known.periodEnd
      const scheduled = goesOn ? known : now
      const cancellation = now.canceledAt === null ? now : known
      const merged = Subscription.ofDecoded({
        ...now,
        productName: now.productId === known.productId ? known.productName : null,
        organizationId: now.organizationId ?? known.organizationId,
        recurringIntervalCount: known.recurringIntervalCount,
        // Only later versions of Polar's API list these.
        seats: now.seats ?? known.seats,
        units: now.units ?? known.units,
        checkoutId: known.checkoutId,
        cancellationReason: cancellation.cancellationReason,
        cancellationComment: cancellation.cancellationComment,
        pauseAtPeriodEnd: scheduled.pauseAtPeriodEnd,
        resumesAt: scheduled.pauseAtPeriodEnd ? scheduled.resumesAt : null,
        pendingUpdate: scheduled.pendingUpdate,
        customFieldData: Object.keys(now.customFieldData).length === 0 ? known.customFieldData : now.customFieldData
      })
      return reportOf(merged, null)
    }
  })

export const subscriptionKind: ListedKind<Subscription> = {
  name: "subscription",
  isOwned: true,
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
        userIdIn(polar.metadata),
        isRecordedIn(polar.metadata)
      )
    ),
  fromStored: StoredJson.decodeSubscription,
  withDetails,
  personal: ["customer.email", "customer.name", "cancellationComment", "customFieldData"],
  userIds: ["customer.externalId"],
  list: { path: "/v1/subscriptions/", sorting: "started_at", byMetadata: true },
  shown: (fact) => StoredJson.encodePayload(fact, shownStatus(fact)),
  // No status of Polar's says that somebody else has it. This one, without a period, says all that there is to say to them.
  shownWhenLost: (fact) => StoredJson.encodePayload({ ...fact, summary: "{}" }, "canceled"),
  view: [
    { name: "current_period_end", key: "currentPeriodEnd", type: "time" },
    { name: "cancel_at_period_end", key: "cancelAtPeriodEnd", type: "flag" }
  ]
}

/** What the app is told of one whose time has passed is what Polar will say of it, as far as is known. */
const shownStatus = (fact: RecordFact): string =>
  fact.lapsedAt === null
    ? fact.status
    : statusAfterwards({ ...StoredJson.decodeSummary(fact.summary), status: fact.status })

/** A stored subscription as access and the projection look at it. */
export interface SubscriptionFact
  extends Pick<RecordFact, "id" | "userId" | "status" | "live" | "productId" | "customerId" | "eventAt" | "clockAt">,
    StoredJson.SubscriptionSummary {
  /** What is live has not ended. */
  readonly endedAt: null
  readonly isLive: boolean
}

export const subscriptionFact = (fact: RecordFact): SubscriptionFact => ({
  ...fact,
  ...StoredJson.decodeSummary(fact.summary),
  endedAt: null,
  isLive: fact.live
})
