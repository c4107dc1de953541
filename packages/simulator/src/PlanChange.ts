/** Changes of a subscription's plan, quantity, discount, trial, period and metadata, as Polar's API takes them. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as Either from "effect/Either"
import { anchorDayOf } from "./Calendar.ts"
import { redeem } from "./Discounts.ts"
import * as Orders from "./Orders.ts"
import {
  checkedDiscount,
  type PendingChange,
  type Planned,
  type ProrationBehavior,
  plan,
  productStill,
  withDiscount,
  withPlan
} from "./PlannedChange.ts"
import { isRecurring } from "./Products.ts"
import type { DiscountChange, PendingUpdate, Subscription } from "./Records.ts"
import { invalid, type Refusal, refused } from "./Refusal.ts"
import type { Step } from "./Step.ts"
import {
  type Answer,
  alreadyCanceled,
  carryCredit,
  change,
  find,
  invoicePeriod,
  isActive,
  periodFrom,
  priced,
  termsFrom,
  termsOf
} from "./Subscriptions.ts"

export type { ProrationBehavior }

export interface PlanInput {
  readonly product_id?: string | null | undefined
  readonly proration_behavior?: ProrationBehavior | null | undefined
  /** `null` takes the discount away. */
  readonly discount_id?: string | null | undefined
  readonly trial_end?: EpochMicros | "now" | null | undefined
  readonly metadata?: Metadata | undefined
}

/** A change that is written, and what has to be billed for it before it is told. */
interface Written {
  readonly subscription: Subscription
  readonly billed: Extract<Planned, { readonly when: "now" }>["billed"]
}

/** An empty change changes nothing, and is told all the same. */
export const updatePlan =
  (id: string, input: PlanInput) =>
  (step: Step): Answer =>
    Either.gen(function* () {
      let written: Written = { subscription: yield* find(step, id), billed: "later" }
      const { discount_id, product_id, proration_behavior, trial_end } = input
      const discount = discount_id === undefined ? undefined : { discount_id }
      if (product_id != null) {
        const planned = yield* plan(step, written.subscription, { product_id, discount, proration_behavior })
        written = write(step, written.subscription, planned)
        if (discount?.discount_id != null) redeem(step, discount.discount_id, written.subscription.customer_id)
      } else if (discount !== undefined) {
        written = { ...written, subscription: yield* changeDiscount(step, written.subscription, discount) }
      }
      if (trial_end != null) written = yield* changeTrial(step, written.subscription, trial_end)
      if (input.metadata !== undefined) {
        written = { ...written, subscription: step.update("subscriptions", id, { metadata: input.metadata }) }
      }
      return yield* billAndTell(step, written)
    })

/** Another number of seats or units. The number that there is already drops one that waits, and else is not told. */
export const updateQuantity =
  (
    id: string,
    input: ({ readonly seats: number } | { readonly units: number }) & {
      readonly proration_behavior?: ProrationBehavior | null | undefined
    }
  ) =>
  (step: Step): Answer =>
    Either.gen(function* () {
      const subscription = yield* find(step, id)
      const planned = yield* plan(step, subscription, input)
      if (planned.when !== "never") return yield* billAndTell(step, write(step, subscription, planned))
      const noun = "seats" in input ? "seats" : "units"
      return (subscription.pending_update?.[noun] ?? null) === null
        ? subscription
        : change(step, id, { pending_update: productStill(subscription, noun) }, ["updated"])
    })

const write = (step: Step, subscription: Subscription, planned: Planned): Written => {
  if (planned.when === "now") {
    const pending_items = [...subscription.pending_items, ...planned.items]
    const after = step.update("subscriptions", subscription.id, { ...planned.after, pending_items })
    return { subscription: after, billed: planned.billed }
  }
  if (planned.when === "never") return { subscription, billed: "later" }
  const pending_update = pendingUpdate(step, subscription, planned.pending)
  return { subscription: step.update("subscriptions", subscription.id, { pending_update }), billed: "later" }
}

const pendingUpdate = (step: Step, subscription: Subscription, pending: PendingChange): PendingUpdate => {
  const { current_period_end: applies_at, pending_update } = subscription
  const waiting = pending_update ?? { ...step.stamp(), product_id: null, seats: null, units: null, discount: null }
  return "product_id" in pending
    ? { ...waiting, applies_at, product_id: pending.product_id, discount: pending.discount ?? waiting.discount }
    : { ...waiting, applies_at, ...pending }
}

const billAndTell = (step: Step, { billed, subscription }: Written): Answer => {
  switch (billed) {
    case "later":
      return Either.right(change(step, subscription.id, {}, ["updated"]))
    case "now":
      return Either.map(invoiceNow(step, subscription), () => change(step, subscription.id, {}, ["updated"]))
    case "new period": {
      const now = step.now()
      const period = periodFrom(now, subscription.recurring_interval, subscription.recurring_interval_count)
      const terms = termsFrom(step.world, subscription, now)
      const begun = { status: "active", trial_end: now, ...period, ...terms } as const
      return Either.right(invoicePeriod(step, change(step, subscription.id, begun, ["cycled", "updated"])))
    }
  }
}

/** Charges all that waits. When that fails, nothing was changed. */
const invoiceNow = (step: Step, subscription: Subscription): Either.Either<void, Refusal> => {
  const { items, rest } = carryCredit(step, subscription.pending_items)
  const draft = Orders.charge(step, subscription, "subscription_update", items)
  const card = step.get("customers", subscription.customer_id).default_payment_method_id
  if (Orders.amountOf(draft) > 0 && (card === null || step.charge() !== "paid")) {
    return Either.left(refused(402, "PaymentFailed", "The payment for the subscription update failed."))
  }
  step.put("subscriptions", { ...subscription, pending_items: rest })
  if (Orders.amountOf(draft) === 0) Orders.sell(step, draft)
  else Orders.paid(step, Orders.open(step, draft))
  return Either.void
}

const changeDiscount = (step: Step, subscription: Subscription, asked: DiscountChange): Answer =>
  Either.map(checkedDiscount(step, subscription, step.get("products", subscription.product_id), asked), (discount) => {
    if (discount.discount_id !== null) redeem(step, discount.discount_id, subscription.customer_id)
    return step.update("subscriptions", subscription.id, withDiscount(step.world, subscription, discount))
  })

const changeTrial = (
  step: Step,
  subscription: Subscription,
  trialEnd: EpochMicros | "now"
): Either.Either<Written, Refusal> => {
  const wrong = (message: string) => Either.left(invalid("trial_end", message, trialEnd))
  if (!isActive(subscription)) {
    return Either.left(refused(403, "InactiveSubscription", `Subscription ${subscription.id} is not active.`))
  }
  const trialing = subscription.status === "trialing"
  if (trialEnd === "now") {
    return trialing
      ? Either.right({ subscription, billed: "new period" })
      : wrong("The subscription is not currently trialing.")
  }
  if (trialEnd <= step.now()) return wrong("Input should be in the future.")
  if (!trialing && trialEnd <= subscription.current_period_end) {
    return wrong("Trial end must be after the current period end.")
  }
  const { cancel_at_period_end, pending_update, trial_start } = subscription
  const extended = step.update("subscriptions", subscription.id, {
    status: "trialing",
    trial_start: trial_start ?? step.now(),
    trial_end: trialEnd,
    current_period_end: trialEnd,
    anchor_day: anchorDayOf(trialEnd),
    pending_update: pending_update === null ? null : { ...pending_update, applies_at: trialEnd },
    ...(cancel_at_period_end ? { ends_at: trialEnd } : {})
  })
  return Either.right({ subscription: extended, billed: "later" })
}

/** Drops a change that waits. */
export const dropPendingUpdate =
  (id: string) =>
  (step: Step): Answer =>
    Either.flatMap(find(step, id), ({ pending_update }) =>
      pending_update === null
        ? Either.left(invalid("pending_update", "This subscription has no pending update to clear.", null))
        : Either.right(change(step, id, { pending_update: null }, ["updated"]))
    )

/** What a waiting change makes of the subscription when its period is over. */
export const pendingPlan = (step: Step, subscription: Subscription): Subscription => {
  const pending = subscription.pending_update
  if (pending === null) return subscription
  const { discount, product_id, seats, units } = pending
  const current = step.get("products", subscription.product_id)
  const product = step.find("products", product_id) ?? current
  if (!isRecurring(product)) return { ...subscription, pending_update: null }
  const counted = {
    ...subscription,
    seats: seats ?? subscription.seats,
    units: units ?? subscription.units,
    pending_update: null
  }
  const changed = withPlan(step.world, counted, product, discount)
  return { ...changed, ...priced(step.world, termsOf(step.world, changed)) }
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

/** Notes that somebody has so many of the seats; a subscription that gives nothing any more has none. */
export const assignSeats =
  (id: string, count: number) =>
  (step: Step): Answer =>
    Either.flatMap(find(step, id), (subscription) =>
      subscription.seats === null
        ? Either.left(
            refused(400, "NotASeatBasedSubscription", "This subscription does not support seat-based pricing.")
          )
        : count > subscription.seats
          ? Either.left(refused(400, "SeatNotAvailable", "No seats available."))
          : // Polar tells that of each seat, and not of the subscription.
            Either.right(step.put("subscriptions", { ...subscription, assigned_seats: count }))
    )
