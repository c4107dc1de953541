/** How a refund comes to nothing, and what Polar's refusals are called here; each says what to do. */
import * as Schema from "effect/Schema"
import { type PolarError, type PolarRejected, sentence } from "../polar/PolarError.ts"
import { refusalOf } from "../polar/refusedFields.ts"
import type { OrderId } from "../values/ids.ts"

const what = {
  "already refunded": "all of it was given back already, or is on its way.",
  "nothing paid":
    "no card was charged for it: it cost nothing, was paid with the customer's credit, or is not paid yet. There is nothing to give back.",
  "amount too high": "that is more than is left of it. Leave `amount` out to give back all that is left.",
  "benefits of a subscription":
    "the benefits of a subscription go when it ends, and not with a refund. Leave `revokeBenefits` out, and end the subscription.",
  disputed: "the buyer disputes the payment with their bank, which decides about the money.",
  blocked: "Polar has blocked refunds of it. Ask Polar's support why.",
  "under way": "Polar is at another refund of it. Try again in a minute."
} as const

/** Polar refuses the refund, and would again as things stand; nothing was given back by this call. */
export class RefundRefused extends Schema.TaggedError<RefundRefused>()("RefundRefused", {
  orderId: Schema.String,
  reason: Schema.Literal(
    "already refunded",
    "nothing paid",
    "amount too high",
    "benefits of a subscription",
    "disputed",
    "blocked",
    "under way"
  ),
  /** Polar's words, if it was asked. */
  detail: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    const said = this.detail === null ? "" : ` Polar says: ${sentence(this.detail)}`
    return `The order ${this.orderId} cannot be refunded: ${what[this.reason]}${said}`
  }
}

/**
 * Another process is refunding this order, or was when it died or lost Polar's answer. Whether that refund was made shows
 * later.
 */
export class RefundUnderWay extends Schema.TaggedError<RefundUnderWay>()("RefundUnderWay", {
  orderId: Schema.String,
  retryAfterSeconds: Schema.Number
}) {
  override get message(): string {
    return `A refund of the order ${this.orderId} is under way, and perhaps with Polar already. Ask again with the same key in ${this.retryAfterSeconds} s: then it is answered with, or made.`
  }
}

/** A refund was made with this key before, and another one is asked for now. */
export class IdempotencyKeyReused extends Schema.TaggedError<IdempotencyKeyReused>()("IdempotencyKeyReused", {
  orderId: Schema.String,
  refundId: Schema.String,
  idempotencyKey: Schema.String
}) {
  override get message(): string {
    return `The refund ${this.refundId} of the order ${this.orderId} was made with the key ${this.idempotencyKey}, and its amount, reason or \`revokeBenefits\` is another than what is asked for now. Use a new key for another refund.`
  }
}

/** What Polar's refusal is called here; what is none stays what it is. */
export const refundRefusal = (orderId: OrderId, error: PolarError): PolarError | RefundRefused => {
  const as = (reason: RefundRefused["reason"], detail: string | null) => new RefundRefused({ orderId, reason, detail })
  switch (error._tag) {
    // The order is there; it is its payment that is not.
    case "PolarNotFound":
      return as("nothing paid", null)
    case "PolarConflict":
      return as("under way", error.detail)
    case "PolarRejected":
      return rejection(error, as)
    default:
      return error
  }
}

const reasons: Readonly<Record<string, RefundRefused["reason"]>> = {
  RefundedAlready: "already refunded",
  RefundsBlocked: "blocked",
  RefundDisputedPayment: "disputed",
  RevokeSubscriptionBenefitsProhibited: "benefits of a subscription"
}

const rejection = (
  error: PolarRejected,
  as: (reason: RefundRefused["reason"], detail: string | null) => RefundRefused
): PolarRejected | RefundRefused => {
  const reason = error.code === null ? undefined : reasons[error.code]
  if (reason !== undefined) return as(reason, error.detail)
  const amount = refusalOf(error, "amount")
  return amount === undefined ? error : as("amount too high", amount)
}
