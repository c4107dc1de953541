/** Discounts: for what they can be used, what they take off, how long a subscription keeps them. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { periodEnd } from "./Calendar.ts"
import type { Discount, Product, Subscription, World } from "./Records.ts"
import type { Step } from "./Step.ts"

export const discountOf = ({ tables }: World, id: string | null): Discount | null =>
  id === null ? null : Option.getOrNull(HashMap.get(tables.discounts, id))

export const wholeInBasisPoints = 10_000

/** What it takes off the amount. */
export const takenOff = (discount: Discount | null, amount: number, currency: string): number => {
  if (discount === null) return 0
  return discount.type === "percentage"
    ? Math.round((amount * discount.basis_points) / wholeInBasisPoints)
    : Math.min(discount.amounts[currency] ?? 0, amount)
}

/** Whether it is for this product at all. */
export const isFor = (discount: Discount, { id, price_currency }: Product): boolean =>
  (discount.product_ids.length === 0 || discount.product_ids.includes(id)) &&
  (discount.type === "percentage" || discount.amounts[price_currency] !== undefined)

export const redemptionsOf = ({ tables }: World, { id }: Discount, customerId?: string): number =>
  HashMap.reduce(
    tables.redemptions,
    0,
    (count, redemption) =>
      count +
      (redemption.discount_id === id && (customerId === undefined || redemption.customer_id === customerId) ? 1 : 0)
  )

/** Whether anybody can use it now: it has begun, is not over, and not used up. */
export const isRedeemable = (world: World, discount: Discount, now: EpochMicros): boolean =>
  (discount.starts_at === null || discount.starts_at <= now) &&
  (discount.ends_at === null || discount.ends_at >= now) &&
  (discount.max_redemptions === null || redemptionsOf(world, discount) < discount.max_redemptions)

export const redeem = (step: Step, discountId: string, customerId: string): void => {
  step.put("redemptions", { ...step.stamp(), discount_id: discountId, customer_id: customerId })
}

/**
 * Whether the period that begins at `start` is without it. Polar counts calendar months from the first period that had it, and
 * that period is the first of them.
 */
const isOver = (discount: Discount, appliedAt: EpochMicros, start: EpochMicros): boolean => {
  switch (discount.duration) {
    case "once":
      return start > appliedAt
    case "forever":
      return false
    case "repeating": {
      const more = (discount.duration_in_months ?? 1) - 1
      return start > (more === 0 ? appliedAt : periodEnd(appliedAt, "month", more))
    }
  }
}

/** The discount of the period that begins at `start`, and since when the subscription has it. */
export const discountFrom = (
  world: World,
  { discount_applied_at, discount_id }: Pick<Subscription, "discount_applied_at" | "discount_id">,
  start: EpochMicros
): Pick<Subscription, "discount_applied_at" | "discount_id"> => {
  const discount = discountOf(world, discount_id)
  const appliedAt = discount_applied_at ?? start
  return discount === null || isOver(discount, appliedAt, start)
    ? { discount_id: null, discount_applied_at: null }
    : { discount_id: discount.id, discount_applied_at: appliedAt }
}
