/** Orders: what a subscription's period, start or change costs, and whether it was paid. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import { day, plus } from "./Calendar.ts"
import type { BillingReason, Checkout, Order, OrderItem, Product, Subscription } from "./Records.ts"
import type { Step } from "./Step.ts"
import * as Wire from "./Wire.ts"

/** Days between one attempt at a renewal's charge and the next. */
export const retryDays: ReadonlyArray<number> = [2, 5, 7, 7]

const daysUntilGivenUp = retryDays.reduce((sum, days) => sum + days, 0)

export const item = (
  step: Step,
  product: Product,
  amount: number,
  [start, end]: readonly [EpochMicros, EpochMicros],
  label = product.name,
  proration = false
): OrderItem => ({
  ...step.stamp(),
  label,
  amount,
  proration,
  product_price_id: product.price_id,
  start_timestamp: start,
  end_timestamp: end
})

export const total = (items: ReadonlyArray<OrderItem>): number => items.reduce((sum, { amount }) => sum + amount, 0)

export interface Draft {
  readonly reason: BillingReason
  readonly subscription: Subscription
  readonly items: ReadonlyArray<OrderItem>
  /** The checkout of a first order, whose metadata it carries; other orders carry the subscription's. */
  readonly checkout?: Checkout | undefined
}

/** An order that is not paid yet. */
export const open = (step: Step, { checkout, items, reason, subscription }: Draft): Order => {
  const invoices = step.world.invoices + 1
  step.world = { ...step.world, invoices }
  const order = step.put("orders", {
    ...step.stamp(),
    status: "pending",
    billing_reason: reason,
    amount: total(items),
    currency: subscription.currency,
    invoice_number: `${step.world.organization.slug.toUpperCase()}-${String(invoices).padStart(4, "0")}`,
    customer_id: subscription.customer_id,
    product_id: subscription.product_id,
    subscription_id: subscription.id,
    checkout_id: checkout?.id ?? null,
    metadata: checkout?.metadata ?? subscription.metadata,
    custom_field_data: checkout?.custom_field_data ?? subscription.custom_field_data,
    items,
    next_payment_attempt_at: null,
    failed_attempts: 0,
    declined_for_good: false
  })
  step.emit("order.created", Wire.order(step.world, order))
  return order
}

const change = (step: Step, order: Order, changes: Partial<Order>): Order => {
  const changed = step.update("orders", order.id, changes)
  step.emit("order.updated", Wire.order(step.world, changed))
  return changed
}

export const paid = (step: Step, order: Order): void => {
  const settled = change(step, order, { status: "paid", next_payment_attempt_at: null })
  step.emit("order.paid", Wire.order(step.world, settled))
}

/** Notes a declined charge, and when to try again. Polar tells nobody of it under the order's name. */
export const declined = (step: Step, order: Order, forGood: boolean): void => {
  const wait = forGood ? daysUntilGivenUp : (retryDays[order.failed_attempts] ?? 0)
  step.update("orders", order.id, {
    failed_attempts: order.failed_attempts + 1,
    declined_for_good: forGood,
    next_payment_attempt_at: plus(step.now(), wait * day)
  })
}

export const isLastAttempt = (order: Order): boolean =>
  order.declined_for_good || order.failed_attempts >= retryDays.length

/** Nobody will pay what is still open of this subscription. */
export const voidAll = (step: Step, subscriptionId: string): void => {
  for (const order of step.all("orders")) {
    if (order.subscription_id === subscriptionId && order.status === "pending") {
      change(step, order, { status: "void", next_payment_attempt_at: null })
    }
  }
}
