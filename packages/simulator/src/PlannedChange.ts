/**
 * What another product, or another number of seats or units, makes of a subscription, and what it costs: the same for a preview
 * and for the change.
 */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as Either from "effect/Either"
import { periodEnd } from "./Calendar.ts"
import { discountOf, isFor, isRedeemable } from "./Discounts.ts"
import { maximumOf } from "./Prices.ts"
import { isRecurring, type RecurringProduct } from "./Products.ts"
import * as Proration from "./Proration.ts"
import type { DiscountChange, OrderItem, PriceTiers, Product, Quantity, Subscription, World } from "./Records.ts"
import { invalid, type Refusal, refused } from "./Refusal.ts"
import type { Step } from "./Step.ts"
import { alreadyCanceled, periodFrom, priced, termsOf } from "./Subscriptions.ts"

export type ProrationBehavior = "invoice" | "prorate" | "next_period" | "reset"

/** One thing at a time. */
export type PlanInput = (
  | { readonly product_id: string; readonly discount?: DiscountChange | undefined }
  | { readonly seats: number }
  | { readonly units: number }
) & { readonly proration_behavior?: ProrationBehavior | null | undefined }

export type Planned =
  | {
      readonly when: "now"
      /** What the subscription is then. */
      readonly after: Subscription
      /** What that costs for the rest of the period, and gives back. */
      readonly items: ReadonlyArray<OrderItem>
      /** Charged at once, or with the next invoice; a trial that ends begins a period. */
      readonly billed: "now" | "later" | "new period"
    }
  | { readonly when: "next period"; readonly pending: PendingChange }
  /** It is so already. */
  | { readonly when: "never" }

/** What a waiting change says; other things that wait go on waiting. */
export type PendingChange =
  | { readonly product_id: string; readonly discount?: DiscountChange | undefined }
  | { readonly seats: number }
  | { readonly units: number }

export const plan = (step: Step, subscription: Subscription, input: PlanInput): Either.Either<Planned, Refusal> =>
  Either.gen(function* () {
    const { organization } = step.world
    if (input.proration_behavior === "reset" && !organization.allowReset) {
      const why = "The 'reset' proration behavior is not enabled for this organization."
      return yield* Either.left(invalid("proration_behavior", why, "reset"))
    }
    if (subscription.ended_at !== null || subscription.cancel_at_period_end) return yield* Either.left(alreadyCanceled)
    const behavior = input.proration_behavior ?? organization.prorationBehavior
    return "product_id" in input
      ? yield* planProduct(step, subscription, input, behavior)
      : yield* planQuantity(step, subscription, input, behavior)
  })

const isSoldBy = ({ price }: Product, type: "seat_based" | "unit_based"): boolean => price.amount_type === type

/** The product that a subscription can change to. */
const target = (
  step: Step,
  subscription: Subscription,
  productId: string
): Either.Either<RecurringProduct, Refusal> => {
  const product = step.find("products", productId)
  const wrong = (message: string) => Either.left(invalid("product_id", message, productId))
  if (product === undefined) return wrong("Product does not exist.")
  if (product.is_archived) return wrong("Product is archived.")
  if (!isRecurring(product)) return wrong("Product is not recurring.")
  if (product.price_currency !== subscription.currency) {
    return wrong("This product doesn't have a price for the subscription currency.")
  }
  if (product.price.amount_type === "custom") return wrong("Can't update to a product with custom prices.")
  const current = step.get("products", subscription.product_id)
  if (isSoldBy(current, "seat_based") && !isSoldBy(product, "seat_based")) {
    return wrong("Can't switch from a seat-based to a non-seat-based product.")
  }
  if (isSoldBy(current, "unit_based") && !isSoldBy(product, "unit_based")) {
    return wrong("Can't switch from a unit-based to a non-unit-based product.")
  }
  return Either.right(product)
}

/** How much there is of the new product: what there was of the old one, or the least that is sold. */
const quantityOf = (
  { seats, units }: Subscription,
  { price }: Product,
  behavior: ProrationBehavior
): Either.Either<Quantity, Refusal> => {
  const none = { seats: null, units: null }
  if (price.amount_type !== "seat_based" && price.amount_type !== "unit_based") return Either.right(none)
  const noun = price.amount_type === "seat_based" ? "seat" : "unit"
  const before = noun === "seat" ? seats : units
  if (before === null && behavior === "next_period") {
    const why = `Switching from a non-${noun} to a ${noun}-based product must apply immediately and can't use the 'next_period' proration behavior.`
    return Either.left(invalid("proration_behavior", why, behavior))
  }
  if (noun === "unit" && before !== null) {
    const problem = outOfRange(price.tiers, before, "units")
    if (problem !== undefined) return Either.left(problem)
  }
  return Either.right({ ...none, [`${noun}s`]: before ?? price.tiers.minimum })
}

const outOfRange = (tiers: PriceTiers, count: number, noun: "seats" | "units"): Refusal | undefined => {
  const name = noun === "seats" ? "Seats" : "Units"
  const maximum = maximumOf(tiers)
  if (count < tiers.minimum) {
    return refused(400, `BelowMinimum${name}`, `Minimum ${tiers.minimum} ${noun} required.`)
  }
  return maximum !== null && count > maximum
    ? refused(400, `AboveMaximum${name}`, `Maximum ${maximum} ${noun} allowed.`)
    : undefined
}

/** The discount that is asked for, if the subscription can have it. */
export const checkedDiscount = (
  step: Step,
  subscription: Subscription,
  product: Product,
  { discount_id }: DiscountChange
): Either.Either<DiscountChange, Refusal> => {
  if (discount_id === null) return Either.right({ discount_id })
  const discount = discountOf(step.world, discount_id)
  const wrong = (message: string) => Either.left(invalid("discount_id", message, discount_id))
  if (discount === null || !isFor(discount, product) || !isRedeemable(step.world, discount, step.now())) {
    return wrong("Discount does not exist, is not applicable to this product or is not redeemable.")
  }
  return discount_id === subscription.discount_id
    ? wrong("This discount is already applied to the subscription.")
    : Either.right({ discount_id })
}

/** With another discount it begins anew to be counted how long it lasts. */
export const withDiscount = (world: World, subscription: Subscription, change: DiscountChange): Subscription => {
  const { discount_id } = change
  const discount_applied_at = discount_id === subscription.discount_id ? subscription.discount_applied_at : null
  return {
    ...subscription,
    ...priced(world, { ...termsOf(world, subscription), discount_id }),
    discount_applied_at
  }
}

const planProduct = (
  step: Step,
  subscription: Subscription,
  { discount, product_id }: { readonly product_id: string; readonly discount?: DiscountChange | undefined },
  behavior: ProrationBehavior
): Either.Either<Planned, Refusal> =>
  Either.gen(function* () {
    const product = yield* target(step, subscription, product_id)
    if (discount !== undefined) yield* checkedDiscount(step, subscription, product, discount)
    const quantity = yield* quantityOf(subscription, product, behavior)
    if (behavior === "next_period") return { when: "next period", pending: { product_id, discount } }
    const now = step.now()
    const changed = withPlan(step.world, { ...subscription, ...quantity, pending_update: null }, product, discount)
    if (subscription.status === "trialing") {
      const end = trialEndOf(subscription, product, now)
      const goesOn = end !== null && end > now
      const trial = goesOn ? { trial_end: end, current_period_end: end } : {}
      return { when: "now", after: { ...changed, ...trial }, items: [], billed: goesOn ? "later" : "new period" }
    }
    const newInterval = hasOtherInterval(subscription, product)
    const restarts = newInterval || behavior === "reset"
    const after = restarts ? { ...changed, ...periodOf(product, now) } : changed
    const items =
      behavior === "reset" ? Proration.charge(step, after, now) : Proration.ofProduct(step, subscription, after, now)
    const billed = items.length > 0 && (newInterval || behavior !== "prorate") ? "now" : "later"
    return { when: "now", after, items, billed }
  })

const periodOf = ({ recurring_interval, recurring_interval_count }: RecurringProduct, now: EpochMicros) =>
  periodFrom(now, recurring_interval, recurring_interval_count)

const hasOtherInterval = (subscription: Subscription, product: RecurringProduct): boolean =>
  product.recurring_interval !== subscription.recurring_interval ||
  product.recurring_interval_count !== subscription.recurring_interval_count

/** The trial goes on for as long as the new product's would have, counted from its start; without one it is over. */
const trialEndOf = (
  { trial_start }: Subscription,
  { trial_interval, trial_interval_count }: Product,
  now: EpochMicros
): EpochMicros | null =>
  trial_interval === null || trial_interval_count === null
    ? null
    : periodEnd(trial_start ?? now, trial_interval, trial_interval_count)

/** The subscription on another product. */
export const withPlan = (
  world: World,
  subscription: Subscription,
  product: RecurringProduct,
  discount?: DiscountChange | null
): Subscription => {
  const onProduct = {
    ...subscription,
    product_id: product.id,
    recurring_interval: product.recurring_interval,
    recurring_interval_count: product.recurring_interval_count
  }
  return withDiscount(world, onProduct, discount ?? { discount_id: subscription.discount_id })
}

const planQuantity = (
  step: Step,
  subscription: Subscription,
  input: { readonly seats: number } | { readonly units: number },
  behavior: ProrationBehavior
): Either.Either<Planned, Refusal> => {
  const [noun, to] = "seats" in input ? (["seats", input.seats] as const) : (["units", input.units] as const)
  const { price } = step.get("products", subscription.product_id)
  if (price.amount_type !== (noun === "seats" ? "seat_based" : "unit_based")) {
    const [name, kind] = noun === "seats" ? ["ASeat", "seat"] : ["AUnit", "unit"]
    const why = `This subscription does not support ${kind}-based pricing.`
    return Either.left(refused(400, `Not${name}BasedSubscription`, why))
  }
  const { tiers } = price as { readonly tiers: PriceTiers }
  const { assigned_seats } = subscription
  const problem = outOfRange(tiers, to, noun)
  if (problem !== undefined) return Either.left(problem)
  if (noun === "seats" && to < assigned_seats) {
    const why = `Cannot decrease seats to ${to}. Currently ${assigned_seats} seats are assigned. Revoke seats first.`
    return Either.left(refused(400, "SeatsAlreadyAssigned", why))
  }
  const from = subscription[noun] ?? 1
  if (from === to) return Either.right({ when: "never" })
  const count = noun === "seats" ? { seats: to } : { units: to }
  if (behavior === "next_period") return Either.right({ when: "next period", pending: count })
  const now = step.now()
  const trialing = subscription.status === "trialing"
  const restarts = behavior === "reset"
  const { recurring_interval, recurring_interval_count } = subscription
  const counted = { ...subscription, ...count, pending_update: productStill(subscription, noun) }
  const after = {
    ...counted,
    ...priced(step.world, termsOf(step.world, counted)),
    ...(restarts ? periodFrom(now, recurring_interval, recurring_interval_count) : {})
  }
  const items = trialing ? [] : Proration.ofQuantity(step, after, tiers, { from, to, noun }, { now, whole: restarts })
  const billed = items.length > 0 && behavior !== "prorate" ? "now" : "later"
  return Either.right({ when: "now", after, items, billed })
}

/** Another product that waits goes on waiting; the number that waited does not. */
export const productStill = ({ pending_update: pending }: Subscription, noun: "seats" | "units") =>
  pending === null || pending.product_id === null ? null : { ...pending, [noun]: null }
