/** Orders. */
import { isoOrNull } from "../Calendar.ts"
import { discountOf } from "../Discounts.ts"
import { isPaid, refundable, total } from "../Money.ts"
import type { Order, OrderItem, World } from "../Records.ts"
import { customer, legacyUser } from "./CustomerWire.ts"
import { orderDiscount } from "./DiscountWire.ts"
import { address, get, stamped } from "./Fields.ts"
import { price, productFields } from "./ProductWire.ts"
import { subscriptionFields } from "./SubscriptionWire.ts"

const orderItem = (item: OrderItem) => ({
  ...stamped(item),
  label: item.label,
  amount: item.amount,
  tax_amount: item.tax_amount,
  proration: item.proration,
  product_price_id: item.product_price_id,
  start_timestamp: isoOrNull(item.start_timestamp),
  end_timestamp: isoOrNull(item.end_timestamp)
})

export const order = (world: World, order: Order) => {
  const owner = get(world, "customers", order.customer_id)
  const sold = get(world, "products", order.product_id)
  const whole = order.amount + order.tax_amount
  const left = refundable(order)
  return {
    ...stamped(order),
    status: order.status,
    paid: isPaid(order),
    subtotal_amount: total(order.items),
    discount_amount: order.discount_amount,
    net_amount: order.amount,
    tax_amount: order.tax_amount,
    total_amount: whole,
    applied_balance_amount: 0,
    // What was due, and not what is: it is no less after the payment.
    due_amount: Math.max(0, whole),
    refunded_amount: order.refunded_amount,
    refunded_tax_amount: order.refunded_tax_amount,
    currency: order.currency,
    billing_reason: order.billing_reason,
    billing_name: order.billing_name,
    billing_address: address(order.billing_address),
    invoice_number: order.invoice_number,
    is_invoice_generated: order.is_invoice_generated,
    receipt_number: order.receipt_number,
    seats: order.seats,
    units: order.units,
    customer_id: order.customer_id,
    product_id: order.product_id,
    product_price_id: sold.price_id,
    discount_id: order.discount_id,
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
    discount: orderDiscount(world, discountOf(world, order.discount_id)),
    subscription:
      order.subscription_id === null
        ? null
        : subscriptionFields(world, get(world, "subscriptions", order.subscription_id)),
    items: order.items.map(orderItem),
    description: order.items[0]?.label ?? sold.name,
    amount: order.amount,
    from_balance_amount: 0,
    refundable_amount: left.amount,
    refundable_tax_amount: left.tax_amount
  }
}
