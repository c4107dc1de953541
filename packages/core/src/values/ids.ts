/** Ids, and the other values that Polar and the app name things with. */
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"

// NUL, which PostgreSQL refuses, and halves of surrogate pairs, which no UTF-8 holds.
const unstorable = /\0|\p{Surrogate}/u
// What nearly every id is made of, which is quicker to see.
const plain = /^[\x20-\x7e]*$/

/** Text that every database can keep and compare: not empty, and bounded. */
export const text = (maxLength: number) =>
  Schema.NonEmptyString.pipe(
    Schema.maxLength(maxLength),
    Schema.filter((value) => plain.test(value) || !unstorable.test(value))
  )

/**
 * The id that the app gives its user: text of up to 255 characters that neither starts nor ends with white space, which
 * Polar would trim. Polar knows it as the customer's `external_id`.
 */
export const UserId = text(255).pipe(Schema.trimmed(), Schema.brand("UserId"))
export type UserId = typeof UserId.Type

/** Polar's id of a customer (a UUID; kept as text, because ids are compared and never computed with). */
export const CustomerId = text(64).pipe(Schema.brand("CustomerId"))
export type CustomerId = typeof CustomerId.Type

/** Polar's id of a subscription. */
export const SubscriptionId = text(64).pipe(Schema.brand("SubscriptionId"))
export type SubscriptionId = typeof SubscriptionId.Type

/** Polar's id of a product. */
export const ProductId = text(64).pipe(Schema.brand("ProductId"))
export type ProductId = typeof ProductId.Type

/** Polar's id of a checkout session. */
export const CheckoutId = text(64).pipe(Schema.brand("CheckoutId"))
export type CheckoutId = typeof CheckoutId.Type

/** Polar's id of an order. */
export const OrderId = text(64).pipe(Schema.brand("OrderId"))
export type OrderId = typeof OrderId.Type

/** Polar's id of a refund. */
export const RefundId = text(64).pipe(Schema.brand("RefundId"))
export type RefundId = typeof RefundId.Type

/** Values that Polar allows in metadata. */
export const Metadata = Schema.Record({
  key: Schema.String,
  value: Schema.Union(Schema.String, Schema.Number, Schema.Boolean)
})
export type Metadata = typeof Metadata.Type

/** The app's own user, as far as billing needs to know them. */
export interface User {
  readonly id: UserId
  readonly email: Option.Option<string>
  readonly name: Option.Option<string>
}

const isAnyUserId = Schema.is(UserId)

/** What nearly every user's id is made of: nothing that the schema could refuse. */
const plainUserId = /^[\x21-\x7e]{1,255}$/

/** As the schema says. */
export const isUserId = (value: unknown): value is UserId =>
  typeof value === "string" && (plainUserId.test(value) || isAnyUserId(value))

export const isMetadataValue = (value: unknown): value is Metadata[string] =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean"
