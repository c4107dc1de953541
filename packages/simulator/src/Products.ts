/** Products: what can be subscribed to, what is bought once, and the trial that a buyer gets. */
import type { Checkout, Interval, Product } from "./Records.ts"

/** A product that can be subscribed to. */
export interface RecurringProduct extends Product {
  readonly recurring_interval: Interval
  readonly recurring_interval_count: number
}

export const isRecurring = (product: Product): product is RecurringProduct =>
  product.recurring_interval !== null && product.recurring_interval_count !== null

export interface Trial {
  readonly interval: Interval
  readonly count: number
}

/** The trial that the buyer would get: the checkout's own, or else the product's. What is bought once has none. */
export const trialOf = (product: Product, checkout: Checkout): Trial | null => {
  if (!checkout.allow_trial || !isRecurring(product)) return null
  const { trial_interval, trial_interval_count } = checkout.trial_interval === null ? product : checkout
  return trial_interval === null || trial_interval_count === null
    ? null
    : { interval: trial_interval, count: trial_interval_count }
}
