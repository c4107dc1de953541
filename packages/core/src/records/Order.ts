/**
 * Orders: money that a customer paid or is to pay, for a one-time product or a period of a subscription.
 *
 * Sources: Polar's API reference, object `Order`; Polar docs: features/orders, webhooks/events.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { CheckoutId, CustomerId, OrderId, ProductId, SubscriptionId, text } from "../values/ids.ts"
import { DateFromTimestamp, EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { anyRecord, informative, nullable, renamed, shownText } from "../values/wire.ts"
import { type ListedKind, packPrecedence } from "./Kind.ts"
import { isRecordedIn, PolarCustomer, userIdIn } from "./PolarObjects.ts"
import type { RecordRow } from "./rows.ts"

/** The statuses that Polar documents. Polar may add others; they are kept as their text. */
export const orderStatuses = ["draft", "pending", "paid", "partially_refunded", "refunded", "void"] as const
export type OrderStatus = (typeof orderStatuses)[number] | (string & {})

/** For what was paid: Polar adds reasons, which are kept as their text. */
export type BillingReason =
  | "purchase"
  | "subscription_create"
  | "subscription_cycle"
  | "subscription_update"
  | "subscription_meter_cycle"
  | (string & {})

const OrderStatus: Schema.Schema<OrderStatus, string> = text(64)
const BillingReason: Schema.Schema<BillingReason, string> = shownText

/** Amounts are in minor units (cents) of `currency`, lower-case ISO 4217. `null` means that Polar does not say. */
const amount = <const K extends string>(key: K) => informative(key, Schema.Int)

/** What is read of Polar's order, and, encoded, what is stored of it. */
export const PolarOrder = Schema.Struct({
  id: OrderId,
  status: OrderStatus,
  customerId: renamed("customer_id", CustomerId),
  productId: nullable("product_id", ProductId),
  subscriptionId: nullable("subscription_id", SubscriptionId),
  /** The checkout it came from; `null` on renewals. */
  checkoutId: informative("checkout_id", CheckoutId),
  billingReason: informative("billing_reason", BillingReason),
  currency: informative("currency", shownText),
  subtotalAmount: amount("subtotal_amount"),
  discountAmount: amount("discount_amount"),
  /** Without tax. */
  netAmount: amount("net_amount"),
  taxAmount: amount("tax_amount"),
  totalAmount: amount("total_amount"),
  /** Negative: so much was paid by the customer's credit. */
  appliedBalanceAmount: amount("applied_balance_amount"),
  dueAmount: amount("due_amount"),
  /** Without tax; all refunds so far. */
  refundedAmount: amount("refunded_amount"),
  refundedTaxAmount: amount("refunded_tax_amount"),
  seats: informative("seats", Schema.Finite),
  units: informative("units", Schema.Finite),
  discountId: informative("discount_id", shownText),
  invoiceNumber: informative("invoice_number", shownText),
  receiptNumber: informative("receipt_number", shownText),
  description: informative("description", shownText),
  createdAt: informative("created_at", DateFromTimestamp),
  nextPaymentAttemptAt: informative("next_payment_attempt_at", DateFromTimestamp),
  metadata: anyRecord("metadata"),
  customFieldData: anyRecord("custom_field_data")
})

/** An order as the app sees it. */
export interface Order extends Schema.Schema.Type<typeof PolarOrder> {}

/** What Polar sends beside, and only identity and order are decided by. */
const Context = Schema.Struct({
  created_at: informative("created_at", EpochMicrosFromString),
  modified_at: informative("modified_at", EpochMicrosFromString),
  customer: informative("customer", PolarCustomer),
  product: informative("product", Schema.Struct({ organization_id: informative("organization_id", text(64)) }))
})

const decodeOrder = decoderOf(PolarOrder)
const decodeContext = decoderOf(Context)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarOrder))

/** Paid, and not wholly given back: what the user owns. */
export const isPaid = (status: string): boolean => status === "paid" || status === "partially_refunded"

/** Whether it was paid once, whatever went back since. */
export const wasPaid = (status: string): boolean => isPaid(status) || status === "refunded"

/** What tells a purchase from other orders. */
export type PurchaseFacts = Pick<Order, "billingReason" | "status" | "subscriptionId">

/** Whether it was bought once, and not for a period of a subscription, and is paid and not wholly given back. */
export const isPurchase = ({ billingReason, status, subscriptionId }: PurchaseFacts): boolean =>
  billingReason === "purchase" && subscriptionId === null && isPaid(status)

const rank = (status: string): number => {
  const place = (orderStatuses as ReadonlyArray<string>).indexOf(status)
  return place < 0 ? orderStatuses.length : place
}

export const orderKind: ListedKind<Order> = {
  name: "order",
  isOwned: true,
  eventTypes: ["order.created", "order.updated", "order.paid", "order.refunded"],
  read: (data) =>
    Either.zipWith(decodeOrder(data), decodeContext(data), (order, context) => {
      const changedAt = context.modified_at ?? context.created_at
      return {
        kind: "order",
        id: order.id,
        customer: {
          id: order.customerId,
          externalId: context.customer?.external_id ?? null,
          email: context.customer?.email ?? null
        },
        metadataUserId: userIdIn(order.metadata),
        isRecorded: isRecordedIn(order.metadata),
        organizationId: context.product?.organization_id ?? context.customer?.organization_id ?? null,
        productId: order.productId,
        subscriptionId: order.subscriptionId,
        orderId: null,
        benefitId: null,
        checkoutId: order.checkoutId,
        status: order.status,
        live: isPaid(order.status),
        endsAt: null,
        precedence: packPrecedence(false, changedAt === null ? null : toMillis(changedAt), rank(order.status)),
        changedAt,
        summary: JSON.stringify({ billing_reason: order.billingReason, refunded_amount: order.refundedAmount }),
        data: encodeStored(order)
      }
    }),
  fromStored: jsonDecoderOf(PolarOrder),
  personal: ["custom_field_data"],
  list: { path: "/v1/orders/", sorting: "created_at", byMetadata: true },
  view: [
    { name: "billing_reason", key: "billing_reason", type: "text" },
    { name: "currency", key: "currency", type: "text" },
    { name: "subtotal_amount", key: "subtotal_amount", type: "integer" },
    { name: "discount_amount", key: "discount_amount", type: "integer" },
    { name: "net_amount", key: "net_amount", type: "integer" },
    { name: "tax_amount", key: "tax_amount", type: "integer" },
    { name: "total_amount", key: "total_amount", type: "integer" },
    { name: "refunded_amount", key: "refunded_amount", type: "integer" },
    { name: "refunded_tax_amount", key: "refunded_tax_amount", type: "integer" },
    { name: "invoice_number", key: "invoice_number", type: "text" },
    { name: "created_at", key: "created_at", type: "time" }
  ]
}

const decodeSummary = jsonDecoderOf(Schema.Struct({ billing_reason: Schema.NullOr(BillingReason) }))

/** The same of a stored order, without reading all that is kept of it: who asks for ownership asks often. */
export const purchaseFacts = ({
  status,
  subscriptionId,
  summary
}: Pick<RecordRow, "status" | "subscriptionId" | "summary">): Option.Option<PurchaseFacts> =>
  Option.map(decodeSummary(summary), ({ billing_reason }) => ({
    status,
    // What is stored of an id was one.
    subscriptionId: subscriptionId as Order["subscriptionId"],
    billingReason: billing_reason
  }))
