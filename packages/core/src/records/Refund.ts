/**
 * Refunds: money of an order that goes back to the customer.
 *
 * Sources: Polar's API reference, object `Refund`; Polar docs: features/refunds, webhooks/events.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { CustomerId, OrderId, RefundId, SubscriptionId, text } from "../values/ids.ts"
import { DateFromTimestamp, EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { anyRecord, informative, nullable, renamed, shownText } from "../values/wire.ts"
import { type ListedKind, packPrecedence } from "./Kind.ts"
import { userIdIn } from "./PolarObjects.ts"

/** The statuses that Polar documents, those that come later last. Polar may add others; they are kept as their text. */
export const refundStatuses = ["pending", "succeeded", "failed", "canceled"] as const
export type RefundStatus = (typeof refundStatuses)[number] | (string & {})

const RefundStatus: Schema.Schema<RefundStatus, string> = text(64)

/** What is read of Polar's refund, and, encoded, what is stored of it. */
export const PolarRefund = Schema.Struct({
  id: RefundId,
  status: RefundStatus,
  orderId: renamed("order_id", OrderId),
  customerId: renamed("customer_id", CustomerId),
  subscriptionId: nullable("subscription_id", SubscriptionId),
  /** Such as `customer_request` or `dispute_prevention`. */
  reason: informative("reason", shownText),
  /** In minor units (cents) of `currency`, without tax. */
  amount: informative("amount", Schema.Int),
  taxAmount: informative("tax_amount", Schema.Int),
  /** Lower-case ISO 4217. */
  currency: informative("currency", shownText),
  /** Whether the benefits of the order's product are taken back, also while the refund is pending. */
  revokeBenefits: informative("revoke_benefits", Schema.Boolean),
  createdAt: informative("created_at", DateFromTimestamp),
  metadata: anyRecord("metadata")
})

/** A refund as the app sees it. */
export interface Refund extends Schema.Schema.Type<typeof PolarRefund> {}

const Context = Schema.Struct({
  created_at: informative("created_at", EpochMicrosFromString),
  modified_at: informative("modified_at", EpochMicrosFromString),
  organization_id: informative("organization_id", text(64))
})

const decodeRefund = decoderOf(PolarRefund)
const decodeContext = decoderOf(Context)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarRefund))

const rank = (status: string): number => {
  const place = (refundStatuses as ReadonlyArray<string>).indexOf(status)
  return place < 0 ? refundStatuses.length : place
}

export const refundKind: ListedKind<Refund> = {
  name: "refund",
  isOwned: true,
  eventTypes: ["refund.created", "refund.updated"],
  read: (data) =>
    Either.zipWith(decodeRefund(data), decodeContext(data), (refund, context) => {
      const changedAt = context.modified_at ?? context.created_at
      return {
        kind: "refund",
        id: refund.id,
        customer: { id: refund.customerId, externalId: null, email: null },
        metadataUserId: userIdIn(refund.metadata),
        isRecorded: false,
        organizationId: context.organization_id,
        productId: null,
        subscriptionId: refund.subscriptionId,
        orderId: refund.orderId,
        benefitId: null,
        checkoutId: null,
        status: refund.status,
        live: refund.status === "succeeded" || refund.status === "pending",
        endsAt: null,
        precedence: packPrecedence(false, changedAt === null ? null : toMillis(changedAt), rank(refund.status)),
        changedAt,
        summary: JSON.stringify({ amount: refund.amount }),
        data: encodeStored(refund)
      }
    }),
  fromStored: jsonDecoderOf(PolarRefund),
  personal: [],
  list: { path: "/v1/refunds/", sorting: "created_at", byMetadata: false },
  view: [
    { name: "reason", key: "reason", type: "text" },
    { name: "amount", key: "amount", type: "integer" },
    { name: "tax_amount", key: "tax_amount", type: "integer" },
    { name: "currency", key: "currency", type: "text" },
    { name: "revoke_benefits", key: "revoke_benefits", type: "flag" },
    { name: "created_at", key: "created_at", type: "time" }
  ]
}
