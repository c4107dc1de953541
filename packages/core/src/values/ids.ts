/** Ids, and the other values that Polar and the app name things with. */
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"

// NUL, which PostgreSQL refuses, and halves of surrogate pairs, which no UTF-8 holds.
const unstorable = /\0|\p{Surrogate}/u
// What nearly every id is made of, which is quicker to see.
const plain = /^[\x20-\x7e]*$/

/** The same text with a sign in the place of each character that no database keeps. */
export const storable = (text: string): string =>
  plain.test(text) || !unstorable.test(text) ? text : text.replace(/\0|\p{Surrogate}/gu, "\uFFFD")

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

/** Polar's id of a benefit. */
export const BenefitId = text(64).pipe(Schema.brand("BenefitId"))
export type BenefitId = typeof BenefitId.Type

/** Polar's id of a benefit grant. Polar uses it again when the same benefit is granted again in the same scope. */
export const BenefitGrantId = text(64).pipe(Schema.brand("BenefitGrantId"))
export type BenefitGrantId = typeof BenefitGrantId.Type

/** Polar's id of a discount. */
export const DiscountId = text(64).pipe(Schema.brand("DiscountId"))
export type DiscountId = typeof DiscountId.Type

/** Polar's id of an organization. */
export const OrganizationId = text(64).pipe(Schema.brand("OrganizationId"))
export type OrganizationId = typeof OrganizationId.Type

/** Polar's id of a member of a team. */
export const MemberId = text(64).pipe(Schema.brand("MemberId"))
export type MemberId = typeof MemberId.Type

/** Polar's id of a seat. Polar uses it again: a seat that was taken from one person is given to another under it. */
export const SeatId = text(64).pipe(Schema.brand("SeatId"))
export type SeatId = typeof SeatId.Type

/** Values that Polar allows in metadata. */
export const Metadata = Schema.Record({
  key: Schema.String,
  value: Schema.Union(Schema.String, Schema.Finite, Schema.Boolean)
})
export type Metadata = typeof Metadata.Type

/** The app's own user, as far as billing needs to know them. */
export interface User {
  readonly id: UserId
  readonly email: Option.Option<string>
  readonly name: Option.Option<string>
  /** Whether the app knows that the address is theirs. Default: false. */
  readonly emailVerified?: boolean | undefined
}

/** Whether it is an id that Polar made: a UUID. With any other one nothing would ever be found. */
export const isPolarId = (value: unknown): value is string =>
  typeof value === "string" && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)

const isAnyUserId = Schema.is(UserId)

/** What nearly every user's id is made of: nothing that the schema could refuse. */
const plainUserId = /^[\x21-\x7e]{1,255}$/

/** As the schema says. */
export const isUserId = (value: unknown): value is UserId =>
  typeof value === "string" && (plainUserId.test(value) || isAnyUserId(value))

export const isMetadataValue = (value: unknown): value is Metadata[string] =>
  // JSON has numbers beyond all that JavaScript counts to; they would be written as `null`, and not be read again.
  typeof value === "string" || (typeof value === "number" && Number.isFinite(value)) || typeof value === "boolean"
