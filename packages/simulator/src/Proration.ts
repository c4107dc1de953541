/** What a change costs for the rest of a period: money back for the plan that was, and the price of the one that is. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import { discountOf, takenOff } from "./Discounts.ts"
import * as Orders from "./Orders.ts"
import { labelOf, tieredAmount } from "./Prices.ts"
import type { OrderItem, PriceTiers, Subscription } from "./Records.ts"
import type { Step } from "./Step.ts"

const dateFormat = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeZone: "UTC" })

const span = (from: EpochMicros, to: EpochMicros): string =>
  `From ${dateFormat.format(from / 1000)} to ${dateFormat.format(to / 1000)}`

/** The share of the period that is left. */
const left = ({ current_period_end: end, current_period_start: start }: Subscription, now: EpochMicros): number =>
  Math.max(0, end - now) / (end - start)

// The discount is already off these lines: it is that of this period, and not of the next invoice.
const line = (step: Step, plan: Subscription, amount: number, now: EpochMicros, what: string): OrderItem => {
  const product = step.get("products", plan.product_id)
  const label = `${what} — ${span(now, plan.current_period_end)}`
  return Orders.item(step, product, amount, [now, plan.current_period_end], label, true)
}

/** For another product. There is no line for what is free. */
export const ofProduct = (
  step: Step,
  before: Subscription,
  after: Subscription,
  now: EpochMicros
): ReadonlyArray<OrderItem> => {
  const label = labelOf(step.get("products", before.product_id), before)
  const credit = -Math.round(before.amount * left(before, now))
  return [
    ...(before.price_amount === 0 ? [] : [line(step, before, credit, now, `Remaining time on ${label}`)]),
    ...charge(step, after, now)
  ]
}

/** The price of what is left of the period, which is all of it when it begins now. */
export const charge = (step: Step, plan: Subscription, now: EpochMicros): ReadonlyArray<OrderItem> => {
  const label = labelOf(step.get("products", plan.product_id), plan)
  return plan.price_amount === 0 ? [] : [line(step, plan, Math.round(plan.amount * left(plan, now)), now, label)]
}

/** For another number of seats or units: the difference. */
export const ofQuantity = (
  step: Step,
  after: Subscription,
  tiers: PriceTiers,
  { from, noun, to }: { readonly from: number; readonly to: number; readonly noun: "seats" | "units" },
  { now, whole }: { readonly now: EpochMicros; readonly whole: boolean }
): ReadonlyArray<OrderItem> => {
  const discount = discountOf(step.world, after.discount_id)
  const price = (count: number): number => {
    const amount = tieredAmount(tiers, count)
    return amount - takenOff(discount, amount, after.currency)
  }
  // Towards zero, as Polar does here, and not to the nearest.
  const amount = whole ? price(to) : Math.trunc((price(to) - price(from)) * left(after, now))
  if (amount === 0) return []
  const { name } = step.get("products", after.product_id)
  const label = `${name} (${from} → ${to} ${noun})`
  return [line(step, after, amount, now, amount < 0 ? `Remaining time on ${label}` : label)]
}
