/**
 * Polar's JSON objects, as far as they are read here, and what they are in the domain.
 *
 * A tolerant reader: only fields that are used are validated, and of these only the ones on which access and identity
 * depend can refuse an object. Polar adds keys, statuses and types without notice (Polar docs: api-reference).
 */
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { decoderOf } from "../values/decoderOf.ts"
import { isMetadataValue, isUserId, storable, text } from "../values/ids.ts"
import { plainEntries } from "../values/plainJson.ts"
import { DateFromTimestamp, type EpochMicros, EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { shownText } from "../values/wire.ts"
import {
  CheckoutId,
  CustomerId,
  type Metadata,
  ProductId,
  Subscription,
  SubscriptionId,
  SubscriptionStatus,
  type UserId
} from "./Subscription.ts"

/** Absent and `null` are the same; anything that is not an `A` refuses the object. */
const nullable = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.NullOr(schema), { default: () => null })

/** For what is only shown to people: anything that is not an `A` reads as `null`. */
const informative = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.NullOr(schema).annotations({ decodingFallback: () => Either.right(null) }), {
    default: () => null
  })

const flag = Schema.optionalWith(Schema.NullOr(Schema.Boolean), { default: () => null })

const record = Schema.Record({ key: Schema.String, value: Schema.Unknown })

// One that no database keeps is no user's of the app, and counts as none.
const externalId = Schema.NullOr(Schema.String).pipe(
  Schema.transform(Schema.NullOr(Schema.String), {
    strict: true,
    decode: (id) => (id === null || storable(id) === id ? id : null),
    encode: (id) => id
  })
)

/** Polar's customer. `external_id` is the app's user id, when somebody set it. */
export const PolarCustomer = Schema.Struct({
  id: CustomerId,
  external_id: nullable(externalId),
  email: informative(shownText),
  name: informative(shownText),
  organization_id: informative(text(64)),
  deleted_at: informative(DateFromTimestamp)
})
export type PolarCustomer = typeof PolarCustomer.Type

const PolarProduct = Schema.Struct({
  name: informative(shownText),
  organization_id: informative(text(64))
})

const PolarPendingUpdate = Schema.Struct({
  applies_at: DateFromTimestamp,
  product_id: nullable(ProductId),
  seats: informative(Schema.Finite),
  units: informative(Schema.Finite),
  created_at: informative(EpochMicrosFromString),
  modified_at: informative(EpochMicrosFromString)
})

/** Polar's subscription, as webhooks and the subscription endpoints send it. */
export const PolarSubscription = Schema.Struct({
  id: SubscriptionId,
  status: SubscriptionStatus,
  customer_id: CustomerId,
  product_id: ProductId,
  current_period_end: nullable(DateFromTimestamp),
  cancel_at_period_end: flag,
  ended_at: nullable(DateFromTimestamp),
  past_due_at: nullable(DateFromTimestamp),

  amount: informative(Schema.Finite),
  currency: informative(shownText),
  recurring_interval: informative(shownText),
  recurring_interval_count: informative(Schema.Finite),
  seats: informative(Schema.Finite),
  units: informative(Schema.Finite),
  discount_id: informative(shownText),
  checkout_id: informative(CheckoutId),
  created_at: informative(EpochMicrosFromString),
  modified_at: informative(EpochMicrosFromString),
  started_at: informative(DateFromTimestamp),
  current_period_start: informative(DateFromTimestamp),
  trial_start: informative(DateFromTimestamp),
  trial_end: informative(DateFromTimestamp),
  canceled_at: informative(DateFromTimestamp),
  customer_cancellation_reason: informative(shownText),
  customer_cancellation_comment: informative(shownText),
  ends_at: informative(DateFromTimestamp),
  pause_at_period_end: informative(Schema.Boolean),
  paused_at: informative(DateFromTimestamp),
  resumes_at: informative(DateFromTimestamp),
  pending_update: informative(PolarPendingUpdate),
  metadata: informative(record),
  custom_field_data: informative(record),
  customer: informative(PolarCustomer),
  product: informative(PolarProduct)
})
export type PolarSubscription = typeof PolarSubscription.Type

export const readSubscription: (data: unknown) => Either.Either<PolarSubscription, ParseResult.ParseError> =
  decoderOf(PolarSubscription)

/** The key under which a checkout's metadata carries the app's user id; Polar copies it to the subscription. */
export const userIdMetadataKey = "kavach_user_id"

/**
 * The key that says that a checkout was made by `createCheckout`, which keeps a record of each. Where there is no record, it was
 * made elsewhere: by another deployment that shares the organization.
 */
export const recordedMetadataKey = "kavach_checkout"
export const recordedMetadataValue = "recorded"

/** The key of an id of the app's own that `createCheckout` was given. */
export const externalReferenceMetadataKey = "kavach_external_reference"

/** What all keys of this program begin with. */
export const ownMetadataPrefix = "kavach_"

/** Whether this program writes the key, by which a record finds its user. */
export const isOwnMetadata = (key: string): boolean => key === userIdMetadataKey || key === recordedMetadataKey

export const isRecordedMark = (key: string): boolean => key === recordedMetadataKey

/** Whether the metadata is that of a checkout of which whoever made it has a record. */
export const isRecordedIn = (metadata: Readonly<Record<string, unknown>> | null): boolean =>
  metadata?.[recordedMetadataKey] === recordedMetadataValue

/** The user that metadata names. A claim, not a proof: see `rules/identity.ts`. */
export const userIdIn = (metadata: Readonly<Record<string, unknown>> | null): UserId | null => {
  const value = metadata?.[userIdMetadataKey]
  return isUserId(value) ? value : null
}

/** The metadata in what is stored of any record: every kind keeps Polar's `metadata` under that key. */
export const metadataInStored = (data: string): Readonly<Record<string, unknown>> | null => {
  const metadata = fieldOf(parsedOrNull(data), "metadata")
  return typeof metadata === "object" && metadata !== null ? { ...metadata } : null
}

/**
 * What is stored of a record's customer, where its kind keeps that. Where the address was taken out of it, its external id
 * says nothing any more: it could not be told from that of another deployment's user.
 */
export const customerInStored = (
  data: string
): { readonly externalId: string | null; readonly email: string | null } => {
  const customer = fieldOf(parsedOrNull(data), "customer")
  const [externalId, email] = [fieldOf(customer, "externalId"), fieldOf(customer, "email")]
  return typeof externalId === "string" && typeof email === "string"
    ? { externalId, email }
    : { externalId: null, email: null }
}

const parsedOrNull = (data: string): unknown => {
  try {
    return JSON.parse(data)
  } catch {
    return null
  }
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : null

const metadataOf = (values: Readonly<Record<string, unknown>>): Metadata =>
  // Which also keeps a key such as "__proto__" a key.
  Object.fromEntries(
    Object.entries(plainEntries(values)).filter((entry): entry is [string, Metadata[string]] =>
      isMetadataValue(entry[1])
    )
  )

const dateOf = (micros: EpochMicros | null): Date | null => (micros === null ? null : new Date(toMillis(micros)))

/**
 * When Polar last changed the subscription, by its own clock; `null` where it says nothing. A change that waits for the next
 * period is a row of its own at Polar, with its own times.
 */
export const changedAt = (polar: PolarSubscription): EpochMicros | null => {
  const own = polar.modified_at ?? polar.created_at
  const waiting = polar.pending_update?.modified_at ?? polar.pending_update?.created_at ?? null
  return own !== null && waiting !== null && waiting > own ? waiting : (own ?? waiting)
}

/**
 * The domain's subscription. `endedBy` is the time of an event that says by its own name that the subscription is
 * over; it fills `endedAt` where Polar's object leaves it out, so that nothing that ended looks alive.
 */
export const toSubscription = (polar: PolarSubscription, endedBy: Date | null = null): Subscription =>
  Subscription.ofDecoded({
    id: polar.id,
    status: polar.status,
    productId: polar.product_id,
    productName: polar.product?.name ?? null,
    organizationId: polar.product?.organization_id ?? polar.customer?.organization_id ?? null,
    customer: {
      id: polar.customer_id,
      externalId: polar.customer?.external_id ?? null,
      email: polar.customer?.email ?? null,
      name: polar.customer?.name ?? null
    },
    amount: polar.amount,
    currency: polar.currency,
    recurringInterval: polar.recurring_interval,
    recurringIntervalCount: polar.recurring_interval_count,
    seats: polar.seats,
    units: polar.units,
    discountId: polar.discount_id,
    checkoutId: polar.checkout_id,
    createdAt: dateOf(polar.created_at),
    modifiedAt: dateOf(polar.modified_at),
    startedAt: polar.started_at,
    currentPeriodStart: polar.current_period_start,
    currentPeriodEnd: polar.current_period_end,
    trialStart: polar.trial_start,
    trialEnd: polar.trial_end,
    cancelAtPeriodEnd: polar.cancel_at_period_end ?? false,
    canceledAt: polar.canceled_at,
    cancellationReason: polar.customer_cancellation_reason,
    cancellationComment: polar.customer_cancellation_comment,
    endsAt: polar.ends_at,
    endedAt: polar.ended_at ?? endedBy,
    pastDueAt: polar.past_due_at,
    pauseAtPeriodEnd: polar.pause_at_period_end ?? false,
    pausedAt: polar.paused_at,
    resumesAt: polar.resumes_at,
    pendingUpdate:
      polar.pending_update === null
        ? null
        : {
            appliesAt: polar.pending_update.applies_at,
            productId: polar.pending_update.product_id,
            seats: polar.pending_update.seats,
            units: polar.pending_update.units
          },
    metadata: metadataOf(polar.metadata ?? {}),
    customFieldData: plainEntries(polar.custom_field_data ?? {})
  })
