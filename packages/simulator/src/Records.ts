/**
 * What the simulator remembers: one record for each of Polar's objects, under Polar's own names for the fields. Points in
 * time are counts of microseconds; what is derived from other records is not kept but written by `Wire`.
 */
import type { Metadata } from "@kavach-polar/core/Subscription"
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import type * as HashMap from "effect/HashMap"

export type Interval = "day" | "week" | "month" | "year"

export interface Stamped {
  readonly id: string
  readonly created_at: EpochMicros
  readonly modified_at: EpochMicros | null
}

/** What each unit costs up to and with a number of them; the last tier may have no bound. Amounts are in minor units. */
export interface PriceTier {
  readonly bound: number | null
  readonly unit_amount: number
}

/** `volume`: all units cost what the tier of their number says; `graduated`: each unit costs what its own tier says. */
export interface PriceTiers {
  readonly type: "volume" | "graduated"
  readonly tiers: ReadonlyArray<PriceTier>
  /** The smallest number that is sold. */
  readonly minimum: number
}

/** Amounts are in minor units, for each period. */
export type Price =
  | { readonly amount_type: "fixed"; readonly price_amount: number }
  | {
      readonly amount_type: "custom"
      readonly minimum_amount: number
      readonly maximum_amount: number | null
      readonly preset_amount: number | null
    }
  | { readonly amount_type: "seat_based"; readonly tiers: PriceTiers }
  | { readonly amount_type: "unit_based"; readonly tiers: PriceTiers }

/** How much is bought of a product that is sold by seats or by units; `null` where it is not sold so. */
export interface Quantity {
  readonly seats: number | null
  readonly units: number | null
}

/** A product has one price. Without an interval it is bought once, and kept. */
export interface Product extends Stamped {
  readonly name: string
  readonly description: string | null
  readonly metadata: Metadata
  readonly recurring_interval: Interval | null
  readonly recurring_interval_count: number | null
  readonly trial_interval: Interval | null
  readonly trial_interval_count: number | null
  readonly is_archived: boolean
  readonly price_id: string
  readonly price: Price
  readonly price_currency: string
  /** What it gives, in order. */
  readonly benefit_ids: ReadonlyArray<string>
}

interface BenefitOf<Type extends string, Properties> extends Stamped {
  readonly type: Type
  /** For people. */
  readonly description: string
  readonly visibility: "public" | "private" | "draft"
  readonly metadata: Metadata
  readonly properties: Properties
  readonly is_deleted: boolean
}

/** What products give. The values of a feature flag are in its metadata. */
export type Benefit =
  | BenefitOf<"feature_flag", Readonly<Record<string, never>>>
  | BenefitOf<"custom", { readonly note: string | null }>
  | BenefitOf<"license_keys", LicenseKeysProperties>
  | BenefitOf<"discord", DiscordProperties>

export interface LicenseKeysProperties {
  readonly prefix: string | null
  readonly expires: { readonly ttl: number; readonly timeframe: "year" | "month" | "day" } | null
  readonly activations: { readonly limit: number; readonly enable_customer_admin: boolean } | null
  readonly limit_usage: number | null
}

export interface DiscordProperties {
  readonly guild_id: string
  readonly role_id: string
  readonly kick_member: boolean
  readonly guild_token: string
}

/**
 * That a customer has a benefit, or had it, or waits for it, by one subscription or one order. There is one for each of
 * these, and it comes back under its id.
 */
export interface Grant extends Stamped {
  readonly customer_id: string
  readonly benefit_id: string
  readonly subscription_id: string | null
  readonly order_id: string | null
  readonly granted_at: EpochMicros | null
  readonly revoked_at: EpochMicros | null
  /** Why it is neither granted nor revoked. */
  readonly error: { readonly type: string; readonly message: string; readonly at: EpochMicros } | null
  readonly properties: GrantProperties
  readonly previous_properties: GrantProperties
}

/** Accounts, or a license key, by their ids. */
export type GrantProperties = Readonly<Record<string, string>>

interface DiscountOf<Type extends string> extends Stamped {
  readonly type: Type
  readonly name: string
  readonly code: string | null
  readonly metadata: Metadata
  readonly starts_at: EpochMicros | null
  readonly ends_at: EpochMicros | null
  readonly max_redemptions: number | null
  readonly max_redemptions_per_customer: number | null
  /** For how long a subscription has it; what is bought once has it once. */
  readonly duration: "once" | "repeating" | "forever"
  /** Of a repeating one. */
  readonly duration_in_months: number | null
  /** All products when there are none. */
  readonly product_ids: ReadonlyArray<string>
}

/** What is taken off a price: a share of it, or so much of a currency. */
export type Discount =
  | (DiscountOf<"percentage"> & { readonly basis_points: number })
  | (DiscountOf<"fixed"> & { readonly amounts: Readonly<Record<string, number>> })

/** A discount that somebody has used. */
export interface Redemption extends Stamped {
  readonly discount_id: string
  readonly customer_id: string
}

export interface Address {
  readonly country: string
  readonly line1?: string | null | undefined
  readonly line2?: string | null | undefined
  readonly postal_code?: string | null | undefined
  readonly city?: string | null | undefined
  readonly state?: string | null | undefined
}

/** A person of a customer that is a team; each customer of that type has one owner. */
export interface Member extends Stamped {
  readonly customer_id: string
  readonly email: string
  readonly name: string | null
  readonly external_id: string | null
  readonly role: "owner" | "billing_manager" | "member"
}

export interface Customer extends Stamped {
  /** `team` for good, once it is one. */
  readonly type: "individual" | "team"
  readonly external_id: string | null
  readonly email: string
  readonly name: string | null
  readonly billing_address: Address | null
  readonly locale: string | null
  readonly metadata: Metadata
  readonly default_payment_method_id: string | null
  readonly deleted_at: EpochMicros | null
}

export type CheckoutStatus = "open" | "confirmed" | "succeeded" | "expired" | "failed"

export interface Checkout extends Stamped, Quantity {
  readonly status: CheckoutStatus
  readonly client_secret: string
  readonly expires_at: EpochMicros
  /** As asked, with `{CHECKOUT_ID}` still in it. */
  readonly success_url: string | null
  readonly return_url: string | null
  readonly embed_origin: string | null
  readonly product_ids: ReadonlyArray<string>
  readonly product_id: string
  /** What the buyer pays where they choose it. */
  readonly amount: number | null
  readonly min_seats: number | null
  readonly max_seats: number | null
  readonly min_units: number | null
  readonly max_units: number | null
  readonly customer_id: string | null
  readonly external_customer_id: string | null
  readonly customer_email: string | null
  readonly customer_name: string | null
  readonly customer_billing_address: Address | null
  readonly customer_ip_address: string | null
  readonly is_business_customer: boolean
  readonly allow_discount_codes: boolean
  readonly require_billing_address: boolean
  readonly allow_trial: boolean
  readonly trial_interval: Interval | null
  readonly trial_interval_count: number | null
  readonly payment_method_type: string | null
  readonly discount_id: string | null
  /** A free subscription to upgrade; not the one that comes of the checkout. */
  readonly subscription_id: string | null
  readonly metadata: Metadata
  readonly customer_metadata: Metadata
  readonly custom_field_data: Readonly<Record<string, unknown>>
}

export type SubscriptionStatus = "trialing" | "active" | "past_due" | "paused" | "canceled"

/** What is to change with the next period; `null` is what stays as it is. */
export interface PendingUpdate extends Stamped, Quantity {
  readonly applies_at: EpochMicros
  readonly product_id: string | null
  readonly discount: DiscountChange | null
}

/** Another discount, or none any more. */
export interface DiscountChange {
  readonly discount_id: string | null
}

export interface Subscription extends Stamped, Quantity {
  readonly status: SubscriptionStatus
  /** Of each period, before the discount. */
  readonly price_amount: number
  /** Of each period, without the discount. */
  readonly amount: number
  readonly discount_id: string | null
  /** The start of the first period that had the discount; `null` when none has had it yet. */
  readonly discount_applied_at: EpochMicros | null
  /** How many of the seats somebody has. */
  readonly assigned_seats: number
  readonly currency: string
  readonly recurring_interval: Interval
  readonly recurring_interval_count: number
  readonly current_period_start: EpochMicros
  readonly current_period_end: EpochMicros
  /** The day of the month on which periods begin, where the month has it. */
  readonly anchor_day: number
  readonly trial_start: EpochMicros | null
  readonly trial_end: EpochMicros | null
  readonly cancel_at_period_end: boolean
  readonly canceled_at: EpochMicros | null
  readonly started_at: EpochMicros
  readonly ends_at: EpochMicros | null
  readonly ended_at: EpochMicros | null
  readonly past_due_at: EpochMicros | null
  readonly pause_at_period_end: boolean
  readonly paused_at: EpochMicros | null
  readonly resumes_at: EpochMicros | null
  readonly customer_id: string
  readonly product_id: string
  readonly checkout_id: string | null
  readonly customer_cancellation_reason: string | null
  readonly customer_cancellation_comment: string | null
  readonly metadata: Metadata
  readonly custom_field_data: Readonly<Record<string, unknown>>
  readonly pending_update: PendingUpdate | null
  /** Prorations that wait for the next invoice; credits are negative. */
  readonly pending_items: ReadonlyArray<OrderItem>
}

export type BillingReason = "purchase" | "subscription_create" | "subscription_cycle" | "subscription_update"

export interface OrderItem extends Stamped {
  readonly label: string
  readonly amount: number
  readonly tax_amount: number
  readonly proration: boolean
  readonly product_price_id: string
  /** The time that is paid for; none of a product that is bought once. */
  readonly start_timestamp: EpochMicros | null
  readonly end_timestamp: EpochMicros | null
}

export type OrderStatus = "pending" | "paid" | "partially_refunded" | "refunded" | "void"

export interface Order extends Stamped, Quantity {
  readonly status: OrderStatus
  readonly billing_reason: BillingReason
  /** What was taken off the items. */
  readonly discount_amount: number
  readonly discount_id: string | null
  /** Without the tax. */
  readonly amount: number
  readonly tax_amount: number
  /** What succeeded refunds gave back of the amount, and of the tax. */
  readonly refunded_amount: number
  readonly refunded_tax_amount: number
  readonly currency: string
  readonly invoice_number: string
  /** When the invoice was asked for, and is written a little later; `null` once it is there, and before. */
  readonly invoice_due_at: EpochMicros | null
  readonly is_invoice_generated: boolean
  /** `null` until there is a payment to have a receipt for. */
  readonly receipt_number: string | null
  /** When the receipt is there; `null` until somebody asks for it. */
  readonly receipt_due_at: EpochMicros | null
  readonly customer_id: string
  readonly product_id: string
  readonly subscription_id: string | null
  readonly checkout_id: string | null
  readonly metadata: Metadata
  readonly custom_field_data: Readonly<Record<string, unknown>>
  readonly items: ReadonlyArray<OrderItem>
  /** As they were when it was made, whatever becomes of the customer. */
  readonly billing_name: string | null
  readonly billing_address: Address | null
  /** When the charge is tried again, or, after a decline that is final, when it is given up. */
  readonly next_payment_attempt_at: EpochMicros | null
  readonly failed_attempts: number
  readonly declined_for_good: boolean
}

export type RefundStatus = "pending" | "succeeded" | "failed" | "canceled"

export type RefundReason =
  | "duplicate"
  | "fraudulent"
  | "customer_request"
  | "service_disruption"
  | "satisfaction_guarantee"
  | "other"

/** Money that went back, or is to go back, of one order. */
export interface Refund extends Stamped {
  readonly status: RefundStatus
  readonly reason: RefundReason
  /** Without the tax. */
  readonly amount: number
  readonly tax_amount: number
  readonly currency: string
  readonly order_id: string
  readonly subscription_id: string | null
  readonly customer_id: string
  /** For the merchant; Polar's API never shows it again. */
  readonly comment: string | null
  readonly revoke_benefits: boolean
  readonly metadata: Metadata
}

/** A place where a license key is used. */
export interface KeyActivation extends Stamped {
  readonly license_key_id: string
  readonly label: string
  readonly conditions: Metadata
  readonly meta: Metadata
}

/** A license key of a customer's, which came with a grant and goes with it. */
export interface LicenseKey extends Stamped {
  readonly customer_id: string
  readonly benefit_id: string
  readonly grant_id: string
  readonly key: string
  readonly status: "granted" | "revoked" | "disabled"
  readonly limit_activations: number | null
  readonly usage: number
  readonly limit_usage: number | null
  readonly validations: number
  readonly last_validated_at: EpochMicros | null
  readonly expires_at: EpochMicros | null
}

export interface CustomerSession extends Stamped {
  readonly customer_id: string
  readonly token: string
  readonly expires_at: EpochMicros
  readonly return_url: string | null
}

export interface WebhookEndpoint extends Stamped {
  readonly url: string
  readonly name: string | null
  readonly secret: string
  readonly events: ReadonlyArray<string>
  readonly enabled: boolean
  readonly api_version: string
  readonly uses_standard_webhook_signature: boolean
}

/** One event for one endpoint; its id is the `webhook-id` of every attempt. */
export interface WebhookEvent extends Stamped {
  readonly endpoint_id: string
  readonly type: string
  readonly payload: string
  readonly attempts: number
  readonly succeeded: boolean | null
  readonly skipped: boolean
  readonly last_http_code: number | null
  /** When the next attempt is due; `null` when there is none. */
  readonly due_at: EpochMicros | null
  /** Place in the endpoint's queue; events of one queue that are due go in this order. */
  readonly position: number
  /** The place that it had before chaos let others pass. */
  readonly firstPosition: number
  /** When the step began that caused it: the same for all that one act has caused. */
  readonly cause: EpochMicros
}

export interface WebhookDelivery extends Stamped {
  readonly event_id: string
  readonly succeeded: boolean
  readonly http_code: number | null
  readonly response: string | null
  /** 2 when chaos sent it twice. */
  readonly copies: number
}

export interface Tables {
  readonly products: Product
  readonly benefits: Benefit
  readonly grants: Grant
  readonly discounts: Discount
  readonly redemptions: Redemption
  readonly customers: Customer
  readonly members: Member
  readonly checkouts: Checkout
  readonly subscriptions: Subscription
  readonly orders: Order
  readonly refunds: Refund
  readonly licenseKeys: LicenseKey
  readonly keyActivations: KeyActivation
  readonly sessions: CustomerSession
  readonly endpoints: WebhookEndpoint
  readonly events: WebhookEvent
  readonly deliveries: WebhookDelivery
}

export type TableName = keyof Tables

export interface Organization extends Stamped {
  readonly name: string
  readonly slug: string
  /** Whether a customer may have several subscriptions at a time; Polar's default is no. */
  readonly allowMultipleSubscriptions: boolean
  readonly prorationBehavior: "invoice" | "prorate" | "next_period" | "reset"
  /** Polar's feature flag for `reset`. */
  readonly allowReset: boolean
  /** Days for which a subscription that is past due keeps its benefits. */
  readonly benefitGraceDays: number
  /** The share of every price that comes on top of it as tax. */
  readonly taxRate: number
}

/** The whole state: a value, so that a transition that is refused leaves nothing behind. */
export interface World {
  /** Where buyers find checkouts and the portal, such as `http://127.0.0.1:4010`. */
  readonly origin: string
  readonly organization: Organization
  readonly tables: { readonly [Name in TableName]: HashMap.HashMap<string, Tables[Name]> }
  /** Charges that will be declined, in order; `true` is a decline for good, such as a stolen card. */
  readonly declines: ReadonlyArray<boolean>
  /** How many of the next changes of a subscription are refused because Polar is at it. */
  readonly locks: Readonly<Record<string, number>>
  /** How many of the next refunds stay pending until somebody settles them. */
  readonly heldRefunds: number
  readonly invoices: number
  readonly positions: number
}
