/**
 * The part of Polar's API that is used here: what is asked, what is answered, and how both look on the wire.
 *
 * Sources: Polar docs, api-reference: checkouts/create-session, customers/create, customers/state,
 * customer-sessions/create, subscriptions/list, webhooks/endpoints, webhooks/deliveries.
 */
import type * as Arr from "effect/Array"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { Kind } from "../records/Kind.ts"
import { PolarCustomer, PolarSubscription } from "../records/PolarObjects.ts"
import type { RecordReport } from "../records/RecordReport.ts"
import {
  CheckoutId,
  CustomerId,
  type Metadata,
  ProductId,
  SubscriptionId,
  SubscriptionStatus
} from "../records/Subscription.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import { DateFromTimestamp } from "../values/Timestamp.ts"
import { informative, nullable, renamed } from "../values/wire.ts"
import type { PolarUnexpectedAnswer } from "./PolarError.ts"
import { formName } from "./withoutRefused.ts"

/**
 * A checkout to create. The buyer chooses among `products`, of which the first is preselected.
 *
 * Metadata: at most 50 keys of 1 to 40 characters; text values have 1 to 500. `metadata` is copied to the subscription
 * and its orders, `customerMetadata` to the customer.
 */
export interface CreateCheckout {
  readonly products: Arr.NonEmptyReadonlyArray<string>
  /** A customer that exists. The buyer cannot change the e-mail address then. */
  readonly customerId?: string | undefined
  /**
   * The app's user. If no customer has this external id yet and the buyer gives the e-mail address of a customer that
   * exists, Polar drops it without a word: create the customer first, and give `customerId`.
   */
  readonly externalCustomerId?: string | undefined
  readonly customerEmail?: string | undefined
  readonly customerName?: string | undefined
  /** Where the buyer goes after paying. Polar puts the checkout's id in place of `{CHECKOUT_ID}`. */
  readonly successUrl?: string | undefined
  /** Where the back button leads. */
  readonly returnUrl?: string | undefined
  /** The origin of the page that embeds the checkout. */
  readonly embedOrigin?: string | undefined
  readonly metadata?: Metadata | undefined
  readonly customerMetadata?: Metadata | undefined
  readonly discountId?: string | undefined
  /** True unless given. */
  readonly allowDiscountCodes?: boolean | undefined
  /** BCP 47, such as `fr`. */
  readonly locale?: string | undefined
  /** Only for a product that is sold by the seat. */
  readonly seats?: number | undefined
  readonly minSeats?: number | undefined
  readonly maxSeats?: number | undefined
  /** Only for a product that is sold by the unit. */
  readonly units?: number | undefined
  readonly minUnits?: number | undefined
  readonly maxUnits?: number | undefined
  /** In minor units. Only for a product whose price the buyer chooses. */
  readonly amount?: number | undefined
  /** In lower case, such as `eur`; every price of the products must have it. */
  readonly currency?: string | undefined
  /** A free subscription, which the purchase upgrades. Its customer is the buyer. */
  readonly subscriptionId?: string | undefined
  /** True unless given. */
  readonly allowTrial?: boolean | undefined
  /** In the place of the product's own trial. */
  readonly trial?: TrialPeriod | undefined
  readonly customFieldData?: CustomFieldData | undefined
  /** Where the buyer is, for the currency and the tax. */
  readonly customerIpAddress?: string | undefined
  readonly customerBillingAddress?: BillingAddress | undefined
  readonly customerBillingName?: string | undefined
  readonly customerTaxId?: string | undefined
  readonly isBusinessCustomer?: boolean | undefined
  readonly requireBillingAddress?: boolean | undefined
}

/** How long a trial is. */
export interface TrialPeriod {
  readonly interval: "day" | "week" | "month" | "year"
  /** 1 to 1000. */
  readonly count: number
}

/** What the app asks its buyers besides, by the slugs of the custom fields at Polar. */
export type CustomFieldData = Readonly<Record<string, string | number | boolean | Date | null>>

export interface BillingAddress {
  /** ISO 3166, two capitals, such as `FR`. */
  readonly country: string
  readonly line1?: string | undefined
  readonly line2?: string | undefined
  readonly postalCode?: string | undefined
  readonly city?: string | undefined
  readonly state?: string | undefined
}

export const WebUrl = Schema.String.pipe(Schema.pattern(/^https?:\/\//))

/** An open checkout, for 24 hours. Who has `url` can see and pay it. `customerId` is that of a known customer only. */
export const CheckoutSession = Schema.Struct({
  id: CheckoutId,
  url: WebUrl,
  expiresAt: renamed("expires_at", DateFromTimestamp),
  customerId: nullable("customer_id", CustomerId)
})
export type CheckoutSession = typeof CheckoutSession.Type

const page = <A, I>(item: Schema.Schema<A, I>) =>
  Schema.Struct({ items: Schema.Array(item), pagination: Schema.Struct({ max_page: Schema.Number }) })

/** A customer to create. Polar checks that mail can be sent to the address; `example.com` is refused. */
export interface CreateCustomer {
  readonly email: string
  readonly name?: string | undefined
  /** The app's user; unique in the organization, and not to be changed later. */
  readonly externalId: string
  readonly metadata?: Metadata | undefined
}

/** For whom to open the customer portal. A customer that is a team has one for each member. */
export type CustomerReference = ({ readonly customerId: string } | { readonly externalCustomerId: string }) & {
  readonly memberId?: string | undefined
  /** The id that the app gave the member. */
  readonly externalMemberId?: string | undefined
}

/** Somebody of a customer that is a team. */
export const Member = Schema.Struct({
  id: Schema.String,
  email: informative("email", Schema.String),
  externalId: informative("external_id", Schema.String),
  /** `owner`, `billing_manager` or `member`. */
  role: informative("role", Schema.String)
})
export type Member = typeof Member.Type

export const MemberPage = page(Member)

/** Access to Polar's customer portal, for an hour. Who has the URL or the token can manage the customer's purchases. */
export const CustomerSession = Schema.Struct({
  customerPortalUrl: renamed("customer_portal_url", WebUrl),
  token: Schema.Redacted(Schema.String),
  expiresAt: renamed("expires_at", DateFromTimestamp)
})
export type CustomerSession = typeof CustomerSession.Type

/** A subscription in a customer's state: less than Polar says elsewhere, and only if it is `active` or `trialing`. */
export const ActiveSubscription = Schema.Struct({
  id: SubscriptionId,
  status: SubscriptionStatus,
  productId: renamed("product_id", ProductId),
  currentPeriodStart: informative("current_period_start", DateFromTimestamp),
  currentPeriodEnd: nullable("current_period_end", DateFromTimestamp),
  trialEnd: informative("trial_end", DateFromTimestamp),
  cancelAtPeriodEnd: Schema.optionalWith(Schema.Boolean, { default: () => false, nullable: true }).pipe(
    Schema.fromKey("cancel_at_period_end")
  ),
  canceledAt: informative("canceled_at", DateFromTimestamp),
  startedAt: informative("started_at", DateFromTimestamp),
  endsAt: informative("ends_at", DateFromTimestamp),
  /** In minor units of `currency`. */
  amount: informative("amount", Schema.Number),
  currency: informative("currency", Schema.String),
  recurringInterval: informative("recurring_interval", Schema.String),
  seats: informative("seats", Schema.Number),
  units: informative("units", Schema.Number)
})
export type ActiveSubscription = typeof ActiveSubscription.Type

/** A benefit that the customer has. `benefitType` is such as `feature_flag` or `license_keys`. */
export const GrantedBenefit = Schema.Struct({
  id: Schema.String,
  benefitId: renamed("benefit_id", Schema.String),
  benefitType: renamed("benefit_type", Schema.String),
  grantedAt: informative("granted_at", DateFromTimestamp)
})
export type GrantedBenefit = typeof GrantedBenefit.Type

/**
 * What a customer has now. Polar serves it from a cache: just after a change it can be some seconds old. A `past_due`
 * subscription is not in it, although its benefits may be.
 */
export interface CustomerState {
  readonly customer: PolarCustomer
  readonly activeSubscriptions: ReadonlyArray<ActiveSubscription>
  readonly grantedBenefits: ReadonlyArray<GrantedBenefit>
}

/** A customer's state as Polar writes it: the customer, and two lists. */
export const PolarCustomerState = Schema.Struct({
  ...PolarCustomer.fields,
  active_subscriptions: Schema.Array(ActiveSubscription),
  granted_benefits: Schema.optionalWith(Schema.Array(GrantedBenefit), { default: () => [], nullable: true })
})

/** Which subscriptions to list; every condition given must hold. */
export interface SubscriptionFilter {
  readonly customerId?: string | undefined
  readonly externalCustomerId?: string | undefined
  readonly productId?: string | undefined
  /** Whose checkout's metadata names this user: the key `kavach_user_id`. */
  readonly metadataUserId?: string | undefined
  /**
   * True: `active` and `trialing`. False: over, that is `canceled` and `unpaid`. `past_due` and `paused` are neither,
   * and only listed when this is not given.
   */
  readonly active?: boolean | undefined
}

/** The statuses that `SubscriptionFilter.active` stands for, as Polar has them. */
export const statusesOf = (active: boolean): ReadonlyArray<string> =>
  active ? ["active", "trialing"] : ["canceled", "unpaid"]

/** One object of a kind, as the API gives it. */
export const reported = <A>(kind: Kind<A>): Schema.Schema<RecordReport, unknown> =>
  Schema.transformOrFail(Schema.Unknown, Schema.Any as Schema.Schema<RecordReport>, {
    strict: true,
    decode: (object) => Either.mapLeft(kind.read(object), ({ issue }) => issue),
    encode: (report, _options, ast) => Either.left(new ParseResult.Forbidden(ast, report, "reports are only read"))
  })

/** A page whose items are read one by one: one that cannot be read takes none of the others with it. */
export const UnreadPage = page(Schema.Unknown)

/** Which records of one kind to list; every condition given must hold. */
export interface RecordFilter {
  readonly customerId?: string | undefined
  /** Whose metadata names this user: the key `kavach_user_id`. Only of kinds that Polar can list so. */
  readonly metadataUserId?: string | undefined
  /** Only of kinds that hang on an order, such as a refund. */
  readonly orderId?: string | undefined
  /** Only of orders. */
  readonly checkoutId?: string | undefined
  /** Pages begin with what is newest. Default: with what is oldest, which a page that comes later cannot move. */
  readonly newestFirst?: boolean | undefined
}

export const SubscriptionPage = page(PolarSubscription)
export const CustomerPage = page(PolarCustomer)

/** One page of a list of records. Pages count from 1. */
export interface SnapshotPage {
  readonly snapshots: ReadonlyArray<Snapshot>
  /** Records that are not what this version knows. They are on the page, and nothing else is known of them. */
  readonly unreadable: ReadonlyArray<UnreadableRecord>
  readonly isLast: boolean
}

export interface UnreadableRecord {
  /** `null` where not even that can be read. */
  readonly id: string | null
  readonly error: PolarUnexpectedAnswer
}

/** A webhook endpoint, without its secret, which Polar's answer holds in clear. */
export const WebhookEndpoint = Schema.Struct({
  id: Schema.String,
  url: Schema.String,
  /** False once Polar has given up on it: then it gets nothing more, and what was queued is lost to it. */
  enabled: Schema.Boolean,
  /** Only `raw` is what is read here; `slack` and `discord` are messages for people. */
  format: Schema.String,
  /** Types of events. */
  events: Schema.Array(Schema.String)
})
export type WebhookEndpoint = typeof WebhookEndpoint.Type

export const WebhookEndpointPage = page(WebhookEndpoint)

/** An organization, as far as it is looked at. */
export const Organization = Schema.Struct({ id: Schema.String, slug: Schema.String })
export type Organization = typeof Organization.Type

export const OrganizationPage = page(Organization)

/** An attempt of Polar's to deliver an event, and what was answered. */
export const WebhookDelivery = Schema.Struct({
  createdAt: renamed("created_at", DateFromTimestamp),
  succeeded: Schema.Boolean,
  /** `null` when nobody answered. */
  httpCode: nullable("http_code", Schema.Number),
  event: renamed("webhook_event", Schema.Struct({ id: Schema.String, type: Schema.String }))
})
export type WebhookDelivery = typeof WebhookDelivery.Type

export const WebhookDeliveryPage = page(WebhookDelivery)

/** An event that Polar could not deliver, and will not try to by itself any more. `id` is its `webhook-id`. */
export interface UndeliveredEvent {
  readonly id: string
  readonly type: string
}

const FailedDelivery = Schema.Struct({
  id: Schema.String,
  webhook_event: Schema.Struct({
    id: Schema.String,
    type: Schema.String,
    /** `null` while attempts are to come. */
    succeeded: Schema.optionalWith(Schema.NullOr(Schema.Boolean), { default: () => null }),
    skipped: Schema.optionalWith(Schema.Boolean, { default: () => false, nullable: true }),
    is_archived: Schema.optionalWith(Schema.Boolean, { default: () => false, nullable: true })
  })
})
export type FailedDelivery = typeof FailedDelivery.Type

export const FailedDeliveryPage = page(FailedDelivery)

// Fields that are `undefined` are left out of JSON. There is no `organization_id`: with an organization's token Polar
// refuses it.
export const checkoutBody = (input: CreateCheckout): object => ({
  products: input.products,
  customer_id: input.customerId,
  external_customer_id: input.externalCustomerId,
  customer_email: input.customerEmail,
  customer_name: formName(input.customerName),
  success_url: input.successUrl,
  return_url: input.returnUrl,
  embed_origin: input.embedOrigin,
  metadata: input.metadata,
  customer_metadata: input.customerMetadata,
  discount_id: input.discountId,
  allow_discount_codes: input.allowDiscountCodes,
  locale: input.locale,
  seats: input.seats,
  min_seats: input.minSeats,
  max_seats: input.maxSeats,
  units: input.units,
  min_units: input.minUnits,
  max_units: input.maxUnits,
  amount: input.amount,
  currency: input.currency,
  subscription_id: input.subscriptionId,
  allow_trial: input.allowTrial,
  trial_interval: input.trial?.interval,
  trial_interval_count: input.trial?.count,
  custom_field_data: input.customFieldData,
  customer_ip_address: input.customerIpAddress,
  customer_billing_address: input.customerBillingAddress && addressBody(input.customerBillingAddress),
  customer_billing_name: input.customerBillingName,
  customer_tax_id: input.customerTaxId,
  is_business_customer: input.isBusinessCustomer,
  require_billing_address: input.requireBillingAddress
})

const addressBody = ({ postalCode, ...address }: BillingAddress): object => ({ ...address, postal_code: postalCode })

export const customerBody = (input: CreateCustomer): object => ({
  email: input.email,
  name: formName(input.name),
  external_id: input.externalId,
  metadata: input.metadata
})

export const customerSessionBody = (reference: CustomerReference, returnUrl: string | undefined): object => ({
  ...("customerId" in reference
    ? { customer_id: reference.customerId }
    : { external_customer_id: reference.externalCustomerId }),
  member_id: reference.memberId,
  external_member_id: reference.externalMemberId,
  return_url: returnUrl
})
