/** Polar's objects as its API and its webhooks write them, with the fields that the server sends and documents nowhere. */
import { createHash } from "node:crypto"
import * as HashMap from "effect/HashMap"
import { iso, isoOrNull, periodEnd } from "./Calendar.ts"
import type {
  Address,
  Checkout,
  Customer,
  CustomerSession,
  Interval,
  Order,
  OrderItem,
  Product,
  Stamped,
  Subscription,
  TableName,
  Tables,
  WebhookDelivery,
  WebhookEndpoint,
  WebhookEvent,
  World
} from "./Records.ts"

const get = <Name extends TableName>(world: World, table: Name, id: string): Tables[Name] =>
  HashMap.unsafeGet(world.tables[table], id)

const stamped = ({ created_at, id, modified_at }: Stamped) => ({
  id,
  created_at: iso(created_at),
  modified_at: isoOrNull(modified_at)
})

const price = (product: Product) => ({
  id: product.price_id,
  created_at: iso(product.created_at),
  modified_at: null,
  source: "catalog",
  amount_type: "fixed",
  price_currency: product.price_currency,
  tax_behavior: null,
  is_archived: false,
  product_id: product.id,
  type: "recurring",
  recurring_interval: product.recurring_interval,
  price_amount: product.price_amount
})

const productFields = (world: World, product: Product) => ({
  ...stamped(product),
  trial_interval: product.trial_interval,
  trial_interval_count: product.trial_interval_count,
  name: product.name,
  description: product.description,
  visibility: "public",
  recurring_interval: product.recurring_interval,
  recurring_interval_count: product.recurring_interval_count,
  meter_interval: null,
  meter_interval_count: null,
  is_recurring: true,
  is_archived: product.is_archived,
  organization_id: world.organization.id
})

export const product = (world: World, product: Product) => ({
  ...productFields(world, product),
  metadata: product.metadata,
  is_deletable: false,
  prices: [price(product)],
  benefits: [],
  medias: [],
  attached_custom_fields: []
})

const checkoutProduct = (world: World, product: Product) => ({
  ...productFields(world, product),
  prices: [price(product)],
  benefits: [],
  medias: []
})

const address = (address: Address | null) =>
  address === null
    ? null
    : {
        line1: address.line1 ?? null,
        line2: address.line2 ?? null,
        postal_code: address.postal_code ?? null,
        city: address.city ?? null,
        state: address.state ?? null,
        country: address.country
      }

const avatar = (email: string): string =>
  `https://www.gravatar.com/avatar/${createHash("sha256").update(email.toLowerCase()).digest("hex")}?d=404`

/** Where a deleted customer's external id is kept, so that another customer can have it. */
export const keptExternalId = "__external_id"

export const customer = (world: World, customer: Customer) => {
  const kept = customer.metadata[keptExternalId]
  return {
    ...stamped(customer),
    metadata: customer.metadata,
    external_id: customer.external_id ?? (typeof kept === "string" ? kept : null),
    email: customer.email,
    email_verified: false,
    type: "individual",
    name: customer.name,
    billing_name: customer.name,
    billing_address: address(customer.billing_address),
    tax_id: null,
    locale: customer.locale,
    organization_id: world.organization.id,
    default_payment_method_id: customer.default_payment_method_id,
    deleted_at: isoOrNull(customer.deleted_at),
    first_user_event_at: null,
    avatar_url: avatar(customer.email)
  }
}

const legacyUser = (customer: Customer) => ({
  id: customer.id,
  email: customer.email,
  public_name: customer.email.charAt(0).toUpperCase(),
  avatar_url: avatar(customer.email),
  github_username: null
})

const subscriptionFields = (world: World, subscription: Subscription) => ({
  ...stamped(subscription),
  amount: subscription.amount,
  currency: subscription.currency,
  recurring_interval: subscription.recurring_interval,
  recurring_interval_count: subscription.recurring_interval_count,
  status: subscription.status,
  current_period_start: iso(subscription.current_period_start),
  current_period_end: iso(subscription.current_period_end),
  current_meter_period_start: null,
  current_meter_period_end: null,
  trial_start: isoOrNull(subscription.trial_start),
  trial_end: isoOrNull(subscription.trial_end),
  cancel_at_period_end: subscription.cancel_at_period_end,
  canceled_at: isoOrNull(subscription.canceled_at),
  started_at: iso(subscription.started_at),
  ends_at: isoOrNull(subscription.ends_at),
  ended_at: isoOrNull(subscription.ended_at),
  past_due_at: isoOrNull(subscription.past_due_at),
  pause_at_period_end: subscription.pause_at_period_end,
  paused_at: isoOrNull(subscription.paused_at),
  resumes_at: isoOrNull(subscription.resumes_at),
  customer_id: subscription.customer_id,
  product_id: subscription.product_id,
  discount_id: null,
  checkout_id: subscription.checkout_id,
  seats: null,
  units: null,
  customer_cancellation_reason: subscription.customer_cancellation_reason,
  customer_cancellation_comment: subscription.customer_cancellation_comment,
  price_id: get(world, "products", subscription.product_id).price_id,
  metadata: subscription.metadata,
  user_id: subscription.customer_id
})

export const subscription = (world: World, subscription: Subscription) => {
  const owner = get(world, "customers", subscription.customer_id)
  const sold = get(world, "products", subscription.product_id)
  const pending = subscription.pending_update
  return {
    ...subscriptionFields(world, subscription),
    custom_field_data: subscription.custom_field_data,
    customer: customer(world, owner),
    user: legacyUser(owner),
    product: product(world, sold),
    discount: null,
    price: price(sold),
    prices: [price(sold)],
    meters: [],
    pending_update:
      pending === null
        ? null
        : {
            ...stamped(pending),
            applies_at: iso(pending.applies_at),
            product_id: pending.product_id,
            seats: null,
            units: null
          }
  }
}

const activeStatuses: ReadonlySet<string> = new Set(["active", "trialing"])

export const customerState = (world: World, owner: Customer) => ({
  ...customer(world, owner),
  active_subscriptions: Array.from(HashMap.values(world.tables.subscriptions))
    .filter(({ customer_id, status }) => customer_id === owner.id && activeStatuses.has(status))
    .sort((one, other) => one.created_at - other.created_at)
    .map((subscription) => ({
      ...stamped(subscription),
      custom_field_data: subscription.custom_field_data,
      metadata: subscription.metadata,
      status: subscription.status,
      amount: subscription.amount,
      currency: subscription.currency,
      recurring_interval: subscription.recurring_interval,
      current_period_start: iso(subscription.current_period_start),
      current_period_end: iso(subscription.current_period_end),
      trial_start: isoOrNull(subscription.trial_start),
      trial_end: isoOrNull(subscription.trial_end),
      cancel_at_period_end: subscription.cancel_at_period_end,
      canceled_at: isoOrNull(subscription.canceled_at),
      started_at: iso(subscription.started_at),
      ends_at: isoOrNull(subscription.ends_at),
      product_id: subscription.product_id,
      discount_id: null,
      price_id: get(world, "products", subscription.product_id).price_id,
      seats: null,
      units: null,
      meters: []
    })),
  granted_benefits: [],
  active_meters: []
})

const orderItem = (item: OrderItem) => ({
  ...stamped(item),
  label: item.label,
  amount: item.amount,
  tax_amount: 0,
  proration: item.proration,
  product_price_id: item.product_price_id,
  start_timestamp: iso(item.start_timestamp),
  end_timestamp: iso(item.end_timestamp)
})

export const order = (world: World, order: Order) => {
  const owner = get(world, "customers", order.customer_id)
  const sold = get(world, "products", order.product_id)
  const paid = order.status === "paid"
  return {
    ...stamped(order),
    status: order.status,
    paid,
    subtotal_amount: order.amount,
    discount_amount: 0,
    net_amount: order.amount,
    tax_amount: 0,
    total_amount: order.amount,
    applied_balance_amount: 0,
    due_amount: order.amount,
    refunded_amount: 0,
    refunded_tax_amount: 0,
    currency: order.currency,
    billing_reason: order.billing_reason,
    billing_name: owner.name,
    billing_address: address(owner.billing_address),
    invoice_number: order.invoice_number,
    is_invoice_generated: false,
    receipt_number: null,
    seats: null,
    units: null,
    customer_id: order.customer_id,
    product_id: order.product_id,
    product_price_id: sold.price_id,
    discount_id: null,
    subscription_id: order.subscription_id,
    checkout_id: order.checkout_id,
    next_payment_attempt_at: isoOrNull(order.declined_for_good ? null : order.next_payment_attempt_at),
    metadata: order.metadata,
    custom_field_data: order.custom_field_data,
    platform_fee_amount: 0,
    platform_fee_currency: null,
    customer: customer(world, owner),
    user_id: order.customer_id,
    user: legacyUser(owner),
    product: { ...productFields(world, sold), metadata: sold.metadata },
    product_price: price(sold),
    discount: null,
    subscription:
      order.subscription_id === null
        ? null
        : subscriptionFields(world, get(world, "subscriptions", order.subscription_id)),
    items: order.items.map(orderItem),
    description: order.items[0]?.label ?? sold.name,
    amount: order.amount,
    from_balance_amount: 0,
    refundable_amount: paid ? order.amount : 0,
    refundable_tax_amount: 0
  }
}

export interface Trial {
  readonly interval: Interval
  readonly count: number
}

/** The trial that the buyer would get: the checkout's own, or else the product's. */
export const trialOf = (product: Product, checkout: Checkout): Trial | null => {
  if (!checkout.allow_trial) return null
  const { trial_interval, trial_interval_count } = checkout.trial_interval === null ? product : checkout
  return trial_interval === null || trial_interval_count === null
    ? null
    : { interval: trial_interval, count: trial_interval_count }
}

const only = (required: boolean) => (required ? "required" : "disabled")

const checkoutFields = (world: World, checkout: Checkout) => {
  const sold = get(world, "products", checkout.product_id)
  const trial = trialOf(sold, checkout)
  const free = sold.price_amount === 0
  const offered = checkout.product_ids.map((id) => get(world, "products", id))
  const full = checkout.require_billing_address || checkout.is_business_customer
  const confirmed = checkout.status === "confirmed" || checkout.status === "succeeded"
  return {
    ...stamped(checkout),
    custom_field_data: checkout.custom_field_data,
    payment_processor: "stripe",
    status: checkout.status,
    client_secret: checkout.client_secret,
    url: `${world.origin}/checkout/${checkout.client_secret}`,
    expires_at: iso(checkout.expires_at),
    success_url:
      checkout.success_url?.replaceAll(/\{CHECKOUT_ID\}|%7BCHECKOUT_ID%7D/gi, checkout.id) ??
      `${world.origin}/checkout/${checkout.client_secret}/confirmation`,
    return_url: checkout.return_url,
    embed_origin: checkout.embed_origin,
    amount: sold.price_amount,
    seats: null,
    min_seats: null,
    max_seats: null,
    units: null,
    min_units: null,
    max_units: null,
    discount_amount: 0,
    net_amount: sold.price_amount,
    tax_amount: confirmed ? 0 : null,
    tax_behavior: confirmed ? "exclusive" : null,
    subtotal_amount: sold.price_amount,
    total_amount: sold.price_amount,
    currency: sold.price_currency,
    allow_trial: checkout.allow_trial,
    active_trial_interval: trial?.interval ?? null,
    active_trial_interval_count: trial?.count ?? null,
    trial_end: trial === null ? null : iso(periodEnd(checkout.created_at, trial.interval, trial.count)),
    organization_id: world.organization.id,
    product_id: sold.id,
    product_price_id: sold.price_id,
    discount_id: null,
    allow_discount_codes: checkout.allow_discount_codes,
    require_billing_address: checkout.require_billing_address,
    is_discount_applicable: !free,
    is_free_product_price: free,
    is_payment_required: !free && trial === null,
    is_payment_setup_required: !free,
    is_payment_form_required: !free,
    customer_id: checkout.customer_id,
    is_business_customer: checkout.is_business_customer,
    customer_name: checkout.customer_name,
    customer_email: checkout.customer_email,
    customer_ip_address: checkout.customer_ip_address,
    customer_billing_name: null,
    customer_billing_address: address(checkout.customer_billing_address),
    customer_tax_id: null,
    locale: "en",
    payment_method_type: checkout.payment_method_type,
    payment_processor_metadata: { publishable_key: "pk_test_simulator" },
    customer_billing_address_fields: {
      country: true,
      state: full,
      city: full,
      postal_code: full,
      line1: full,
      line2: false
    },
    billing_address_fields: {
      country: "required",
      state: only(full),
      city: only(full),
      postal_code: only(full),
      line1: only(full),
      line2: full ? "optional" : "disabled"
    },
    products: offered.map((product) => checkoutProduct(world, product)),
    product: checkoutProduct(world, sold),
    product_price: price(sold),
    prices: Object.fromEntries(offered.map((product) => [product.id, [price(product)]])),
    discount: null,
    attached_custom_fields: []
  }
}

export const checkout = (world: World, checkout: Checkout) => ({
  ...checkoutFields(world, checkout),
  trial_interval: checkout.trial_interval,
  trial_interval_count: checkout.trial_interval_count,
  metadata: checkout.metadata,
  external_customer_id: checkout.external_customer_id,
  customer_external_id: checkout.external_customer_id,
  subscription_id: checkout.subscription_id,
  customer_metadata: checkout.customer_metadata
})

/** What the buyer's browser may see, who has the client secret. */
export const checkoutPublic = (world: World, checkout: Checkout) => ({
  ...checkoutFields(world, checkout),
  organization: {
    ...stamped(world.organization),
    name: world.organization.name,
    slug: world.organization.slug,
    avatar_url: null,
    proration_behavior: world.organization.prorationBehavior,
    allow_customer_updates: true
  }
})

export const customerSession = (world: World, session: CustomerSession) => {
  const owner = get(world, "customers", session.customer_id)
  const query = new URLSearchParams({ customer_session_token: session.token, email: owner.email })
  return {
    ...stamped(session),
    token: session.token,
    expires_at: iso(session.expires_at),
    return_url: session.return_url,
    customer_portal_url: `${world.origin}/${world.organization.slug}/portal?${query}`,
    customer_id: session.customer_id,
    customer: customer(world, owner)
  }
}

export const webhookEndpoint = (world: World, endpoint: WebhookEndpoint) => ({
  ...stamped(endpoint),
  url: endpoint.url,
  name: endpoint.name,
  format: "raw",
  secret: endpoint.secret,
  organization_id: world.organization.id,
  events: endpoint.events,
  enabled: endpoint.enabled,
  api_version: endpoint.api_version,
  uses_standard_webhook_signature: endpoint.uses_standard_webhook_signature
})

export const webhookEvent = (world: World, event: WebhookEvent) => ({
  ...stamped(event),
  last_http_code: event.last_http_code,
  succeeded: event.succeeded,
  skipped: event.skipped,
  payload: event.payload,
  type: event.type,
  is_archived: false,
  api_version: get(world, "endpoints", event.endpoint_id).api_version
})

export const webhookDelivery = (world: World, delivery: WebhookDelivery) => ({
  ...stamped(delivery),
  succeeded: delivery.succeeded,
  http_code: delivery.http_code,
  response: delivery.response,
  webhook_event: webhookEvent(world, get(world, "events", delivery.event_id))
})
