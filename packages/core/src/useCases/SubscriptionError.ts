/** How a change of a subscription comes to nothing, and what Polar's refusals are called here; each says what to do. */
import * as Schema from "effect/Schema"
import { type PolarError, sentence } from "../polar/PolarError.ts"
import { refusalOf } from "../polar/refusedFields.ts"
import type { SubscriptionId, UserId } from "../records/Subscription.ts"

/** The user has no subscription that is live. */
export class NoSubscription extends Schema.TaggedError<NoSubscription>()("NoSubscription", {
  userId: Schema.String
}) {
  override get message(): string {
    return `User ${this.userId} has no live subscription, so there is nothing to change: offer a checkout. If they have just paid, \`checkouts.complete\` or \`reconcile\` asks Polar for it.`
  }
}

/** The user has several live subscriptions, and it was not said which one is meant. */
export class SeveralSubscriptions extends Schema.TaggedError<SeveralSubscriptions>()("SeveralSubscriptions", {
  userId: Schema.String,
  /** Those that are live, the newest first. */
  subscriptions: Schema.Array(Schema.Struct({ id: Schema.String, status: Schema.String, productId: Schema.String }))
}) {
  override get message(): string {
    const all = this.subscriptions.map(({ id, productId, status }) => `${id} (${status}, product ${productId})`)
    return `User ${this.userId} has ${all.length} live subscriptions: ${all.join(", ")}. Say which one is meant with \`subscriptionId\`.`
  }
}

/** The user has no subscription with this id: there is none, or it is another user's. */
export class SubscriptionNotFound extends Schema.TaggedError<SubscriptionNotFound>()("SubscriptionNotFound", {
  userId: Schema.String,
  subscriptionId: Schema.String
}) {
  override get message(): string {
    return `User ${this.userId} has no subscription ${this.subscriptionId}. \`listSubscriptions\` has theirs; if it should be there, \`reconcile\` asks Polar for it.`
  }
}

const what = {
  ended: "it has ended. Offer a checkout.",
  "scheduled to end": "it is scheduled to end. Undo that first, with `uncancel`.",
  "cannot be paused": "only one that is active and not scheduled to end can be paused.",
  "not active": "it is not active.",
  "payment method missing":
    "the customer has no payment method. Send them to the portal, with `portal.url`, to add one.",
  "seats assigned": "more seats are assigned than would be left. Take them back first.",
  "quantity out of range": "the product is not sold in that quantity.",
  "not sold by seats": "its product is not sold by seats.",
  "not sold by units": "its product is not sold by units.",
  "product not possible":
    "it cannot be changed to that product: to one that is archived, has no price in its currency, is not a subscription, or lets the buyer choose the price.",
  "proration not allowed": "the organization does not allow that `prorationBehavior`.",
  "discount not applicable":
    "there is no such discount, or it is not for this product, used up, over, or the one that it has already.",
  "time not possible": "the time must be in the future, and after the current period."
} as const

/** Polar refuses the change, and would again as things stand; nothing was changed. */
export class SubscriptionChangeRefused extends Schema.TaggedError<SubscriptionChangeRefused>()(
  "SubscriptionChangeRefused",
  {
    subscriptionId: Schema.String,
    /** Such as `cancel subscription`. */
    operation: Schema.String,
    reason: Schema.Literal(...(Object.keys(what) as ReadonlyArray<keyof typeof what>)),
    /** Polar's words. */
    detail: Schema.NullOr(Schema.String)
  }
) {
  override get message(): string {
    const said = this.detail === null ? "" : ` Polar says: ${sentence(this.detail)}`
    return `Polar refused "${this.operation}" for the subscription ${this.subscriptionId}: ${what[this.reason]}${said}`
  }
}

/** The change costs something now, and the payment failed or needs the buyer. Nothing was changed. */
export class SubscriptionPaymentFailed extends Schema.TaggedError<SubscriptionPaymentFailed>()(
  "SubscriptionPaymentFailed",
  {
    userId: Schema.String,
    subscriptionId: Schema.String,
    /** Where the buyer puts it right: `billing.portal.url`, or the portal's route. */
    sendBuyerTo: Schema.Literal("portal"),
    /** Polar's words. */
    detail: Schema.NullOr(Schema.String)
  }
) {
  override get message(): string {
    const said = this.detail === null ? "" : ` Polar says: ${sentence(this.detail)}`
    return `The payment for the change of the subscription ${this.subscriptionId} failed, and nothing was changed. Send user ${this.userId} to the portal, with \`portal.url\`, to look after their payment method; or choose a \`prorationBehavior\` that charges later.${said}`
  }
}

/** Polar is at this subscription, and was for as long as one waits: such as renewing it. */
export class SubscriptionLocked extends Schema.TaggedError<SubscriptionLocked>()("SubscriptionLocked", {
  subscriptionId: Schema.String,
  retryAfterSeconds: Schema.Number
}) {
  override get message(): string {
    return `Polar is busy with the subscription ${this.subscriptionId}, such as with its renewal. Nothing was changed: try again in ${this.retryAfterSeconds} s.`
  }
}

type Reason = SubscriptionChangeRefused["reason"]

const byCode: Readonly<Record<string, Reason>> = {
  ResourceUnavailable: "ended",
  CannotPauseSubscription: "cannot be paused",
  InactiveSubscription: "not active",
  PaymentMethodRequired: "payment method missing",
  SeatsAlreadyAssigned: "seats assigned",
  NotASeatBasedSubscription: "not sold by seats",
  NotAUnitBasedSubscription: "not sold by units",
  BelowMinimumSeats: "quantity out of range",
  AboveMaximumSeats: "quantity out of range",
  BelowMinimumUnits: "quantity out of range",
  AboveMaximumUnits: "quantity out of range"
}

const byField: ReadonlyArray<readonly [field: string, reason: Reason]> = [
  ["product_id", "product not possible"],
  ["proration_behavior", "proration not allowed"],
  ["discount_id", "discount not applicable"],
  ["trial_end", "time not possible"],
  ["resumes_at", "time not possible"],
  ["seats", "quantity out of range"],
  ["units", "quantity out of range"]
]

/** A code of Polar's that this version does not know by its name. */
const byPattern: ReadonlyArray<readonly [pattern: RegExp, reason: Reason]> = [
  [/^(Below|Above)(Minimum|Maximum)/, "quantity out of range"],
  [/^NotASeatBased/, "not sold by seats"],
  [/^NotAUnitBased/, "not sold by units"]
]

interface Refused {
  readonly userId: UserId
  readonly subscriptionId: SubscriptionId
  readonly operation: string
  /** What was sent: a fault that Polar finds with another field is of another kind of change. */
  readonly fields: ReadonlyArray<string>
  readonly hasEnded: boolean
}

/** What Polar's refusal is called here; what is none stays what it is. */
export const subscriptionRefusal = (
  { fields, hasEnded, operation, subscriptionId, userId }: Refused,
  error: PolarError
): PolarError | SubscriptionChangeRefused | SubscriptionPaymentFailed | SubscriptionNotFound | SubscriptionLocked => {
  const as = (reason: Reason, detail: string | null) =>
    new SubscriptionChangeRefused({ subscriptionId, operation, reason, detail })
  switch (error._tag) {
    case "PolarNotFound":
      return new SubscriptionNotFound({ userId, subscriptionId })
    case "PolarConflict":
      return isLocked(error)
        ? new SubscriptionLocked({ subscriptionId, retryAfterSeconds: 5 })
        : error.status === 410
          ? as("ended", error.detail)
          : known(as, error.code, error.detail, hasEnded, error)
    case "PolarRejected": {
      if (error.status === 402) {
        return new SubscriptionPaymentFailed({ userId, subscriptionId, sendBuyerTo: "portal", detail: error.detail })
      }
      const field = byField.find(([name]) => fields.includes(name) && refusalOf(error, name) !== undefined)
      return field === undefined
        ? known(as, error.code, error.detail, hasEnded, error)
        : as(field[1], refusalOf(error, field[0]) ?? null)
    }
    default:
      return error
  }
}

const known = (
  as: (reason: Reason, detail: string | null) => SubscriptionChangeRefused,
  code: string | null,
  detail: string | null,
  hasEnded: boolean,
  error: PolarError
): PolarError | SubscriptionChangeRefused => {
  if (code === null) return error
  if (code === "AlreadyCanceledSubscription") return as(hasEnded ? "ended" : "scheduled to end", detail)
  const reason = byCode[code] ?? byPattern.find(([pattern]) => pattern.test(code))?.[1]
  return reason === undefined ? error : as(reason, detail)
}

/** A renewal or another change is under way, and over in a moment. */
export const isLocked = (error: PolarError): boolean =>
  error._tag === "PolarConflict" && error.code === "SubscriptionLocked"
