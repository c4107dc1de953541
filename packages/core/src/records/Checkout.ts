/**
 * Checkouts: that somebody looks at a price, or pays it. What came of one is in the order and the subscription that name it.
 *
 * Of whoever is not yet a customer neither address nor answers are kept: nobody could find them again to forget them.
 *
 * Sources: Polar's API reference, object `Checkout`; Polar docs: features/checkout/session, webhooks/events.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { CheckoutId, CustomerId, isUserId, ProductId, SubscriptionId, text } from "../values/ids.ts"
import { DateFromTimestamp, EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { anyRecord, informative, nullable, shownText } from "../values/wire.ts"
import { type ListedKind, packPrecedence } from "./Kind.ts"
import { isRecordedIn, userIdIn } from "./PolarObjects.ts"
import { unattached } from "./RecordReport.ts"

/**
 * The statuses that Polar documents, of which at one time the later stands. When a payment fails, one that was confirmed is
 * open again. Polar may add others; they are kept as their text.
 */
export const checkoutStatuses = ["open", "confirmed", "failed", "expired", "succeeded"] as const
export type CheckoutStatus = (typeof checkoutStatuses)[number] | (string & {})

const CheckoutStatus: Schema.Schema<CheckoutStatus, string> = text(64)

/** What is read of Polar's checkout, and, encoded, what is stored of it. Amounts are in minor units of `currency`. */
export const PolarCheckout = Schema.Struct({
  id: CheckoutId,
  status: CheckoutStatus,
  /** `null` until it is confirmed, unless it was made for a customer that Polar knew. */
  customerId: nullable("customer_id", CustomerId),
  productId: nullable("product_id", ProductId),
  /** What it upgrades; of what it makes, the subscription names it. */
  subscriptionId: nullable("subscription_id", SubscriptionId),
  discountId: informative("discount_id", shownText),
  /** What whoever made the checkout said; Polar may give it to another customer all the same. */
  externalCustomerId: informative("external_customer_id", shownText),
  customerEmail: informative("customer_email", shownText),
  customerName: informative("customer_name", shownText),
  currency: informative("currency", shownText),
  amount: informative("amount", Schema.Int),
  discountAmount: informative("discount_amount", Schema.Int),
  /** `null` until Polar knows where the buyer is. */
  taxAmount: informative("tax_amount", Schema.Int),
  totalAmount: informative("total_amount", Schema.Int),
  seats: informative("seats", Schema.Finite),
  units: informative("units", Schema.Finite),
  isPaymentRequired: informative("is_payment_required", Schema.Boolean),
  trialEnd: informative("trial_end", DateFromTimestamp),
  expiresAt: informative("expires_at", DateFromTimestamp),
  createdAt: informative("created_at", EpochMicrosFromString),
  modifiedAt: informative("modified_at", EpochMicrosFromString),
  metadata: anyRecord("metadata"),
  customFieldData: anyRecord("custom_field_data")
})

export interface Checkout extends Schema.Schema.Type<typeof PolarCheckout> {}

const Context = Schema.Struct({ organization_id: informative("organization_id", text(64)) })

const decodeCheckout = decoderOf(PolarCheckout)
const decodeContext = decoderOf(Context)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarCheckout))

const rank = (status: string): number => {
  const place = (checkoutStatuses as ReadonlyArray<string>).indexOf(status)
  return place < 0 ? checkoutStatuses.length : place
}

const withoutVisitor = (checkout: Checkout): Checkout =>
  checkout.customerId === null
    ? { ...checkout, customerEmail: null, customerName: null, customFieldData: {} }
    : checkout

export const checkoutKind: ListedKind<Checkout> = {
  name: "checkout",
  isOwned: false,
  eventTypes: ["checkout.created", "checkout.updated", "checkout.expired"],
  read: (data) =>
    Either.zipWith(decodeCheckout(data), decodeContext(data), (checkout, { organization_id: organizationId }) => {
      const changedAt = checkout.modifiedAt ?? checkout.createdAt
      const { externalCustomerId } = checkout
      return {
        ...unattached,
        kind: "checkout",
        id: checkout.id,
        // The external id was said when the checkout was made, and the customer came by the address that the buyer typed: so
        // it says who bought, as metadata does, and not whose the customer is.
        customer: { id: checkout.customerId, externalId: null, email: null },
        metadataUserId: userIdIn(checkout.metadata) ?? (isUserId(externalCustomerId) ? externalCustomerId : null),
        isRecorded: isRecordedIn(checkout.metadata),
        organizationId,
        productId: checkout.productId,
        subscriptionId: checkout.subscriptionId,
        checkoutId: checkout.id,
        status: checkout.status,
        live: checkout.status === "open" || checkout.status === "confirmed",
        endsAt: checkout.expiresAt?.getTime() ?? null,
        precedence: packPrecedence(false, changedAt === null ? null : toMillis(changedAt), rank(checkout.status)),
        changedAt,
        summary: JSON.stringify({ total_amount: checkout.totalAmount }),
        data: encodeStored(withoutVisitor(checkout))
      }
    }),
  fromStored: jsonDecoderOf(PolarCheckout),
  personal: ["customer_email", "customer_name", "custom_field_data"],
  userIds: ["external_customer_id"],
  // The newest first, and no more than these: most are of visitors who never came back.
  list: { path: "/v1/checkouts/", sorting: "-created_at", byMetadata: false, mostPages: 10 },
  viewName: "kavach_polar_checkout_records",
  view: [
    { name: "discount_id", key: "discount_id", type: "text" },
    { name: "external_customer_id", key: "external_customer_id", type: "text" },
    { name: "customer_email", key: "customer_email", type: "text" },
    { name: "currency", key: "currency", type: "text" },
    { name: "amount", key: "amount", type: "integer" },
    { name: "discount_amount", key: "discount_amount", type: "integer" },
    { name: "tax_amount", key: "tax_amount", type: "integer" },
    { name: "total_amount", key: "total_amount", type: "integer" },
    { name: "seats", key: "seats", type: "integer" },
    { name: "expires_at", key: "expires_at", type: "time" },
    { name: "created_at", key: "created_at", type: "time" }
  ]
}
