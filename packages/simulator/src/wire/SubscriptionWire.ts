/** Subscriptions, whole and as an order shows them. */
import { iso, isoOrNull } from "../Calendar.ts"
import { discountOf } from "../Discounts.ts"
import type { Subscription, World } from "../Records.ts"
import { customer, legacyUser } from "./CustomerWire.ts"
import { orderDiscount } from "./DiscountWire.ts"
import { get, stamped } from "./Fields.ts"
import { price, product } from "./ProductWire.ts"

export const subscriptionFields = (world: World, subscription: Subscription) => ({
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
  discount_id: subscription.discount_id,
  checkout_id: subscription.checkout_id,
  seats: subscription.seats,
  units: subscription.units,
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
    discount: orderDiscount(world, discountOf(world, subscription.discount_id)),
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
            seats: pending.seats,
            units: pending.units
          }
  }
}
