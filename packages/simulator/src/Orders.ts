/** Orders: what a purchase, or a subscription's start, period or change costs, and whether it was paid. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as Either from "effect/Either"
import { day, plus } from "./Calendar.ts"
import { taxOf, total } from "./Money.ts"
import { labelOf, oneOf } from "./Prices.ts"
import { quoteOf } from "./Quote.ts"
import type { BillingReason, Checkout, Customer, Order, OrderItem, Product, Quantity, Subscription } from "./Records.ts"
import { notFound, type Refusal } from "./Refusal.ts"
import type { Step } from "./Step.ts"
import * as Wire from "./Wire.ts"

/** Days between one attempt at a renewal's charge and the next. */
export const retryDays: ReadonlyArray<number> = [2, 5, 7, 7]

const daysUntilGivenUp = retryDays.reduce((sum, days) => sum + days, 0)

export const find = (step: Step, id: string): Either.Either<Order, Refusal> =>
  Either.fromNullable(step.find("orders", id), () => notFound)

/** One line of an order; `period` is the time that it pays for. */
export const item = (
  step: Step,
  product: Product,
  amount: number,
  period: readonly [EpochMicros, EpochMicros] | null,
  label = product.name,
  proration = false
): OrderItem => ({
  ...step.stamp(),
  label,
  amount,
  tax_amount: taxOf(step.world, amount),
  proration,
  product_price_id: product.price_id,
  start_timestamp: period?.[0] ?? null,
  end_timestamp: period?.[1] ?? null
})

/** What an order is made of. */
export interface Draft extends Quantity {
  readonly billing_reason: BillingReason
  readonly customer: Customer
  readonly product_id: string
  readonly subscription_id: string | null
  readonly checkout_id: string | null
  readonly currency: string
  readonly metadata: Metadata
  readonly custom_field_data: Readonly<Record<string, unknown>>
  readonly discount_id: string | null
  readonly discount_amount: number
  readonly items: ReadonlyArray<OrderItem>
}

/** Of a product that is bought once. */
export const purchase = (step: Step, checkout: Checkout, customer: Customer, product: Product): Draft => {
  const { discount, discounted, subtotal, tax } = quoteOf(step.world, product, checkout)
  return {
    billing_reason: "purchase",
    customer,
    product_id: product.id,
    subscription_id: null,
    checkout_id: checkout.id,
    currency: product.price_currency,
    metadata: checkout.metadata,
    custom_field_data: checkout.custom_field_data,
    discount_id: discount?.id ?? null,
    discount_amount: discounted,
    seats: checkout.seats,
    units: checkout.units,
    items: [{ ...item(step, product, subtotal, null, labelOf(product, checkout)), tax_amount: tax }]
  }
}

/** The period of a subscription, with its discount, on which there is no tax. */
export const periodItem = (
  step: Step,
  product: Product,
  { amount, current_period_end, current_period_start, price_amount, seats, units }: Subscription
): OrderItem => ({
  ...item(step, product, price_amount, [current_period_start, current_period_end], labelOf(product, { seats, units })),
  tax_amount: taxOf(step.world, amount)
})

/** What the items come to. */
export const amountOf = ({ discount_amount, items }: Pick<Draft, "items" | "discount_amount">): number =>
  total(items) - discount_amount

/**
 * Of a subscription. The first order is that of a checkout, and carries its metadata and what was bought there; others carry the
 * subscription's.
 */
export const charge = (
  step: Step,
  subscription: Subscription,
  billing_reason: BillingReason,
  items: ReadonlyArray<OrderItem>,
  { checkout, discount_amount = 0 }: { readonly checkout?: Checkout; readonly discount_amount?: number } = {}
): Draft => ({
  billing_reason,
  customer: step.get("customers", subscription.customer_id),
  product_id: subscription.product_id,
  subscription_id: subscription.id,
  checkout_id: checkout?.id ?? null,
  currency: subscription.currency,
  metadata: checkout?.metadata ?? subscription.metadata,
  custom_field_data: checkout?.custom_field_data ?? subscription.custom_field_data,
  discount_id: subscription.discount_id,
  discount_amount,
  ...(checkout === undefined ? oneOf : { seats: checkout.seats, units: checkout.units }),
  items
})

const put = (step: Step, { customer, items, ...draft }: Draft, status: "pending" | "paid"): Order => {
  const invoices = step.world.invoices + 1
  step.world = { ...step.world, invoices }
  const amount = amountOf({ ...draft, items })
  const tax_amount = items.reduce((sum, { tax_amount }) => sum + tax_amount, 0)
  const number = String(invoices).padStart(4, "0")
  const order: Order = {
    ...step.stamp(),
    ...draft,
    amount,
    tax_amount,
    status,
    refunded_amount: 0,
    refunded_tax_amount: 0,
    invoice_number: `${step.world.organization.slug.toUpperCase()}-${number}`,
    invoice_due_at: null,
    is_invoice_generated: false,
    receipt_number: null,
    receipt_due_at: null,
    customer_id: customer.id,
    billing_name: customer.name,
    billing_address: customer.billing_address,
    items,
    next_payment_attempt_at: null,
    failed_attempts: 0,
    declined_for_good: false
  }
  return step.put("orders", status === "paid" ? { ...order, receipt_number: receiptOf(order) } : order)
}

// There is no receipt for nothing.
const receiptOf = ({ amount, invoice_number, tax_amount }: Order): string | null =>
  amount + tax_amount > 0 ? invoice_number.replace(/^.*-/, "RCPT-") : null

const tell = (step: Step, order: Order, ...types: ReadonlyArray<string>): Order => {
  const body = Wire.order(step.world, order)
  for (const type of types) step.emit(`order.${type}`, body)
  return order
}

/** An order that is not paid yet. */
export const open = (step: Step, draft: Draft): Order => tell(step, put(step, draft, "pending"), "created")

/** An order whose money came before it, or that costs nothing: it is new and paid at once, and three times the same. */
export const sell = (step: Step, draft: Draft): Order =>
  tell(step, put(step, draft, "paid"), "created", "updated", "paid")

/** Writes the change, and tells it. */
export const change = (step: Step, order: Order, changes: Partial<Order>): Order =>
  tell(step, step.update("orders", order.id, changes), "updated")

export const paid = (step: Step, order: Order): Order =>
  tell(
    step,
    step.update("orders", order.id, {
      status: "paid",
      receipt_number: receiptOf(order),
      next_payment_attempt_at: null
    }),
    "updated",
    "paid"
  )

export type Collected = ReturnType<Step["charge"]> | "noCard"

/** Asks the customer's card for the money. */
export const collect = (step: Step, order: Order): Collected =>
  step.get("customers", order.customer_id).default_payment_method_id === null ? "noCard" : step.charge()

/**
 * Notes that there was no money, and when to try again. Polar tells nobody of a card that was declined under the order's
 * name; it does when there is no card.
 */
export const unpaid = (step: Step, order: Order, outcome: Exclude<Collected, "paid">): void => {
  const forGood = outcome === "declinedForGood"
  const wait = forGood ? daysUntilGivenUp : (retryDays[order.failed_attempts] ?? 0)
  const changed = step.update("orders", order.id, {
    failed_attempts: order.failed_attempts + 1,
    declined_for_good: forGood,
    next_payment_attempt_at: plus(step.now(), wait * day)
  })
  if (outcome === "noCard") tell(step, changed, "updated")
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
