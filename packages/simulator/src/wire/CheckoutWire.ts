/** Checkouts, as the app and as the buyer's browser see them. */
import { iso, periodEnd } from "../Calendar.ts"
import { isFree } from "../Prices.ts"
import { trialOf } from "../Products.ts"
import { cardFor, isDiscountable, quoteOf } from "../Quote.ts"
import type { Checkout, World } from "../Records.ts"
import { checkoutDiscount } from "./DiscountWire.ts"
import { address, get, stamped } from "./Fields.ts"
import { checkoutProduct, price } from "./ProductWire.ts"

const only = (required: boolean) => (required ? "required" : "disabled")

const checkoutFields = (world: World, checkout: Checkout) => {
  const sold = get(world, "products", checkout.product_id)
  const trial = trialOf(sold, checkout)
  const free = isFree(sold)
  const quote = quoteOf(world, sold, checkout)
  const { discount, discounted, net, subtotal, tax } = quote
  const card = cardFor(sold, quote, trial !== null)
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
    amount: subtotal,
    seats: checkout.seats,
    min_seats: checkout.min_seats,
    max_seats: checkout.max_seats,
    units: checkout.units,
    min_units: checkout.min_units,
    max_units: checkout.max_units,
    discount_amount: discounted,
    net_amount: net,
    tax_amount: confirmed ? tax : null,
    tax_behavior: confirmed ? "exclusive" : null,
    subtotal_amount: subtotal,
    total_amount: net + (confirmed ? tax : 0),
    currency: sold.price_currency,
    allow_trial: checkout.allow_trial,
    active_trial_interval: trial?.interval ?? null,
    active_trial_interval_count: trial?.count ?? null,
    trial_end: trial === null ? null : iso(periodEnd(checkout.created_at, trial.interval, trial.count)),
    organization_id: world.organization.id,
    product_id: sold.id,
    product_price_id: sold.price_id,
    discount_id: discount?.id ?? null,
    allow_discount_codes: checkout.allow_discount_codes,
    require_billing_address: checkout.require_billing_address,
    is_discount_applicable: isDiscountable(sold),
    is_free_product_price: free,
    is_payment_required: card.payment,
    is_payment_setup_required: card.setup,
    is_payment_form_required: card.payment || card.setup,
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
    discount: checkoutDiscount(discount),
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
