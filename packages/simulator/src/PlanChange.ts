/** Changes of a subscription's plan, trial, period and metadata, and what they cost. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as Either from "effect/Either"
import { anchorDayOf } from "./Calendar.ts"
import { total } from "./Money.ts"
import * as Orders from "./Orders.ts"
import { isRecurring, type RecurringProduct } from "./Products.ts"
import type { OrderItem, Subscription } from "./Records.ts"
import { invalid, type Refusal, refused } from "./Refusal.ts"
import type { Step } from "./Step.ts"
import { type Answer, alreadyCanceled, carryCredit, change, find, invoicePeriod, periodFrom } from "./Subscriptions.ts"

export type ProrationBehavior = "invoice" | "prorate" | "next_period" | "reset"

export interface PlanInput {
  readonly product_id?: string | null | undefined
  readonly proration_behavior?: ProrationBehavior | null | undefined
  readonly discount_id?: string | null | undefined
  readonly trial_end?: EpochMicros | "now" | null | undefined
  readonly metadata?: Metadata | undefined
}

/** An empty change changes nothing, and is told all the same. */
export const updatePlan =
  (id: string, input: PlanInput) =>
  (step: Step): Answer =>
    Either.gen(function* () {
      let subscription = yield* find(step, id)
      if (input.discount_id != null) {
        return yield* Either.left(invalid("discount_id", "Discount does not exist.", input.discount_id))
      }
      let told = false
      if (input.metadata !== undefined) {
        subscription = step.update("subscriptions", id, { metadata: input.metadata })
      }
      if (input.trial_end != null) {
        subscription = yield* changeTrial(step, subscription, input.trial_end)
        told = true
      }
      if (input.product_id != null && input.product_id !== subscription.product_id) {
        const behavior = input.proration_behavior ?? step.world.organization.prorationBehavior
        subscription = yield* changeProduct(step, subscription, input.product_id, behavior)
        told = true
      }
      return told ? subscription : change(step, id, {}, ["updated"])
    })

const changeTrial = (step: Step, subscription: Subscription, trialEnd: EpochMicros | "now"): Answer => {
  if (subscription.ended_at !== null || subscription.status === "paused") {
    return Either.left(refused(403, "InactiveSubscription", "This subscription is not active."))
  }
  if (trialEnd === "now") {
    return subscription.status === "trialing"
      ? Either.right(endTrial(step, subscription))
      : Either.left(invalid("trial_end", "This subscription is not in a trial.", "now"))
  }
  if (trialEnd <= step.now()) return Either.left(invalid("trial_end", "Must be in the future.", trialEnd))
  const trial = {
    status: "trialing",
    trial_start: subscription.trial_start ?? step.now(),
    trial_end: trialEnd,
    current_period_end: trialEnd,
    anchor_day: anchorDayOf(trialEnd),
    ...(subscription.cancel_at_period_end ? { ends_at: trialEnd } : {})
  } as const
  return Either.right(change(step, subscription.id, trial, ["updated"]))
}

const endTrial = (step: Step, subscription: Subscription): Subscription => {
  const now = step.now()
  const started = change(
    step,
    subscription.id,
    {
      status: "active",
      trial_end: now,
      ...periodFrom(now, subscription.recurring_interval, subscription.recurring_interval_count)
    },
    ["cycled", "updated"]
  )
  return invoicePeriod(step, started)
}

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
  if (product.price_currency !== subscription.currency) return wrong("Product has no price in this currency.")
  return Either.right(product)
}

const changeProduct = (
  step: Step,
  subscription: Subscription,
  productId: string,
  behavior: ProrationBehavior
): Answer =>
  Either.gen(function* () {
    if (subscription.ended_at !== null || subscription.cancel_at_period_end) {
      return yield* Either.left(alreadyCanceled)
    }
    const product = yield* target(step, subscription, productId)
    if (behavior === "next_period") return scheduleChange(step, subscription, product)
    if (behavior === "reset" && !step.world.organization.allowReset) {
      return yield* Either.left(invalid("proration_behavior", "Reset is not enabled for this organization.", behavior))
    }
    const plan = planOf(product)
    if (subscription.status === "trialing") {
      return change(step, subscription.id, { ...plan, pending_update: null }, ["updated"])
    }
    const now = step.now()
    const newInterval =
      plan.recurring_interval !== subscription.recurring_interval ||
      plan.recurring_interval_count !== subscription.recurring_interval_count
    const restarts = newInterval || behavior === "reset"
    const period = restarts ? periodFrom(now, plan.recurring_interval, plan.recurring_interval_count) : {}
    const changed = step.update("subscriptions", subscription.id, { ...plan, ...period, pending_update: null })
    const items =
      behavior === "reset" ? [fullCharge(step, changed, product)] : prorations(step, subscription, changed, now)
    if (behavior === "prorate" && !newInterval) {
      return change(step, subscription.id, { pending_items: [...subscription.pending_items, ...items] }, ["updated"])
    }
    return yield* invoiceNow(step, changed, [...items, ...subscription.pending_items])
  })

export const planOf = (product: RecurringProduct) => ({
  product_id: product.id,
  amount: product.price_amount,
  recurring_interval: product.recurring_interval,
  recurring_interval_count: product.recurring_interval_count
})

const scheduleChange = (step: Step, subscription: Subscription, product: RecurringProduct): Subscription => {
  const update = { ...step.stamp(), applies_at: subscription.current_period_end, product_id: product.id }
  return change(step, subscription.id, { pending_update: update }, ["updated"])
}

/** Drops a change that is scheduled. */
export const dropPendingUpdate =
  (id: string) =>
  (step: Step): Answer =>
    Either.map(find(step, id), () => change(step, id, { pending_update: null }, ["updated"]))

/** What a scheduled change makes of the subscription when its period is over. */
export const pendingPlan = (step: Step, { pending_update }: Subscription): Partial<Subscription> => {
  const product = pending_update === null ? undefined : step.find("products", pending_update.product_id)
  return product === undefined || !isRecurring(product) ? {} : { ...planOf(product), pending_update: null }
}

const fullCharge = (step: Step, subscription: Subscription, product: RecurringProduct): OrderItem =>
  Orders.item(step, product, subscription.amount, [subscription.current_period_start, subscription.current_period_end])

/** Money back for the time not used, and the price of the same time on the new plan. */
const prorations = (step: Step, before: Subscription, after: Subscription, now: EpochMicros): Array<OrderItem> => {
  const oldProduct = step.get("products", before.product_id)
  const newProduct = step.get("products", after.product_id)
  const left = (subscription: Subscription): number =>
    (subscription.current_period_end - now) / (subscription.current_period_end - subscription.current_period_start)
  const remaining = [now, before.current_period_end] as const
  const coming = [now, after.current_period_end] as const
  return [
    Orders.item(
      step,
      oldProduct,
      -Math.round(before.amount * left(before)),
      remaining,
      `Remaining time on ${oldProduct.name}`,
      true
    ),
    Orders.item(
      step,
      newProduct,
      Math.round(after.amount * left(after)),
      coming,
      `Remaining time on ${newProduct.name}`,
      true
    )
  ]
}

const invoiceNow = (step: Step, subscription: Subscription, items: ReadonlyArray<OrderItem>): Answer => {
  const carried = carryCredit(step, items)
  const card = step.get("customers", subscription.customer_id).default_payment_method_id
  if (total(carried.items) > 0 && (card === null || step.charge() !== "paid")) {
    return Either.left(refused(402, "PaymentFailed", "The payment for the subscription update failed."))
  }
  const changed = change(step, subscription.id, { pending_items: carried.rest }, ["updated"])
  const draft = Orders.charge(step, changed, "subscription_update", carried.items)
  if (total(carried.items) === 0) Orders.sell(step, draft)
  else Orders.paid(step, Orders.open(step, draft))
  return Either.right(changed)
}

/** Moves the end of the period. */
export const movePeriodEnd =
  (id: string, end: EpochMicros) =>
  (step: Step): Answer =>
    Either.flatMap(find(step, id), (subscription) => {
      if (subscription.ended_at !== null || subscription.cancel_at_period_end) {
        return Either.left(alreadyCanceled)
      }
      if (end <= step.now()) return Either.left(invalid("current_billing_period_end", "Must be in the future.", end))
      const trial = subscription.status === "trialing" ? { trial_end: end } : {}
      return Either.right(
        change(step, id, { ...trial, current_period_end: end, anchor_day: anchorDayOf(end) }, ["updated"])
      )
    })
