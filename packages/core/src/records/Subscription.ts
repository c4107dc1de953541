/**
 * A user's subscription as the app knows it: everything that a gate, a billing page or a person in support asks for.
 *
 * Source of the fields and their meaning: Polar's API reference, object `Subscription`.
 */
import * as Schema from "effect/Schema"
import { CheckoutId, CustomerId, Metadata, ProductId, SubscriptionId, text } from "../values/ids.ts"
import { DateFromTimestamp } from "../values/Timestamp.ts"
import type { Access } from "./Access.ts"

export {
  CheckoutId,
  CustomerId,
  Metadata,
  OrderId,
  ProductId,
  RefundId,
  SubscriptionId,
  type User,
  UserId
} from "../values/ids.ts"

/** The statuses that Polar documents. */
export const knownStatuses = [
  "incomplete",
  "incomplete_expired",
  "trialing",
  "active",
  "past_due",
  "canceled",
  "unpaid",
  "paused"
] as const
export type KnownStatus = (typeof knownStatuses)[number]

/**
 * A subscription's status. Polar adds statuses over time; one that this version does not know is kept as its text and
 * grants nothing.
 */
export type SubscriptionStatus = KnownStatus | (string & {})
export const SubscriptionStatus: Schema.Schema<SubscriptionStatus, string> = text(64)

/**
 * @example
 * Subscription.isKnownStatus("active")
 */
export const isKnownStatus = (status: string): status is KnownStatus =>
  (knownStatuses as ReadonlyArray<string>).includes(status)

/** The statuses under which Polar goes on with a subscription: see `Subscription.isLive`. */
export const liveStatuses = ["trialing", "active", "past_due", "paused"] as const
export type LiveStatus = (typeof liveStatuses)[number]

/**
 * @example
 * Subscription.isLiveStatus("past_due")
 */
export const isLiveStatus = (status: string): status is LiveStatus =>
  (liveStatuses as ReadonlyArray<string>).includes(status)

/** A change that Polar applies at the end of the period. */
export const PendingUpdate = Schema.Struct({
  appliesAt: DateFromTimestamp,
  productId: Schema.NullOr(ProductId),
  seats: Schema.NullOr(Schema.Number),
  units: Schema.NullOr(Schema.Number)
})

/** The buyer as Polar knows them. `externalId` is the app's user id when this project created the customer. */
export const SubscriptionCustomer = Schema.Struct({
  id: CustomerId,
  externalId: Schema.NullOr(Schema.String),
  email: Schema.NullOr(Schema.String),
  name: Schema.NullOr(Schema.String)
})

/**
 * A subscription. `amount` is in minor units (cents) of `currency` (lower-case ISO 4217), after discounts, for each
 * `recurringIntervalCount` × `recurringInterval`. `null` means that Polar says there is none.
 */
export class Subscription extends Schema.Class<Subscription>("@kavach-polar/core/Subscription")({
  id: SubscriptionId,
  status: SubscriptionStatus,
  productId: ProductId,
  productName: Schema.NullOr(Schema.String),
  organizationId: Schema.NullOr(Schema.String),
  customer: SubscriptionCustomer,

  amount: Schema.NullOr(Schema.Number),
  currency: Schema.NullOr(Schema.String),
  recurringInterval: Schema.NullOr(Schema.String),
  recurringIntervalCount: Schema.NullOr(Schema.Number),
  seats: Schema.NullOr(Schema.Number),
  units: Schema.NullOr(Schema.Number),
  discountId: Schema.NullOr(Schema.String),
  checkoutId: Schema.NullOr(CheckoutId),

  createdAt: Schema.NullOr(DateFromTimestamp),
  modifiedAt: Schema.NullOr(DateFromTimestamp),
  startedAt: Schema.NullOr(DateFromTimestamp),
  currentPeriodStart: Schema.NullOr(DateFromTimestamp),
  currentPeriodEnd: Schema.NullOr(DateFromTimestamp),
  trialStart: Schema.NullOr(DateFromTimestamp),
  trialEnd: Schema.NullOr(DateFromTimestamp),

  /** Scheduled to end with the period, or ended so. */
  cancelAtPeriodEnd: Schema.Boolean,
  /** When the cancellation was asked for. */
  canceledAt: Schema.NullOr(DateFromTimestamp),
  cancellationReason: Schema.NullOr(Schema.String),
  cancellationComment: Schema.NullOr(Schema.String),
  /** The scheduled or actual end. */
  endsAt: Schema.NullOr(DateFromTimestamp),
  /** The actual end; set if and only if the subscription is over. */
  endedAt: Schema.NullOr(DateFromTimestamp),

  /** Since when a renewal is unpaid; grace is counted from here. */
  pastDueAt: Schema.NullOr(DateFromTimestamp),
  pauseAtPeriodEnd: Schema.Boolean,
  pausedAt: Schema.NullOr(DateFromTimestamp),
  resumesAt: Schema.NullOr(DateFromTimestamp),

  pendingUpdate: Schema.NullOr(PendingUpdate),
  metadata: Metadata,
  customFieldData: Schema.Record({ key: Schema.String, value: Schema.Unknown })
}) {
  /**
   * From fields that have been decoded one by one. The constructor would copy them twice and validate them once more, which
   * takes many times as long as to read them.
   */
  static ofDecoded(fields: ConstructorParameters<typeof Subscription>[0]): Subscription {
    return Object.assign(Object.create(Subscription.prototype), fields)
  }

  /**
   * Whether the subscription is something the user still has: it has not ended, and its status is one under which
   * Polar goes on with it. An unpaid, an incomplete and an unknown one are not.
   */
  get isLive(): boolean {
    return this.endedAt === null && isLiveStatus(this.status)
  }

  /** The end of the paid or trial period, in epoch milliseconds. */
  get periodEnd(): number | null {
    return this.currentPeriodEnd?.getTime() ?? null
  }
}

/** What the app is shown of a subscription: the five documented fields. */
export interface VisibleSubscription {
  readonly id: string
  readonly status: SubscriptionStatus
  readonly productId: string
  readonly currentPeriodEnd: Date | null
  readonly cancelAtPeriodEnd: boolean
}

/** A subscription that changed, as the app is told: the five fields, of which one has changed, and what goes with them. */
export interface ChangedSubscription extends VisibleSubscription {
  /** How many seats were bought; `null` where it has none. */
  readonly seats: number | null
  /** For each period, after discounts, in minor units (cents) of `currency`. */
  readonly amount: number | null
  /** ISO 4217 in lower case, as Polar writes it. */
  readonly currency: string | null
  /** When the trial ends, or ended. */
  readonly trialEndsAt: Date | null
  /** What this subscription gave by the access policy when it changed; `null` of one that an earlier version queued. */
  readonly access: Access | null
}

/**
 * The five documented fields of a subscription. A change in one of them is what the app is notified of.
 *
 * @example
 * Subscription.visible({ id: subscriptionId, status: "active", productId, currentPeriodEnd: null, cancelAtPeriodEnd: false })
 */
export const visible = (subscription: VisibleSubscription): VisibleSubscription => ({
  id: subscription.id,
  status: subscription.status,
  productId: subscription.productId,
  currentPeriodEnd: subscription.currentPeriodEnd,
  cancelAtPeriodEnd: subscription.cancelAtPeriodEnd
})
