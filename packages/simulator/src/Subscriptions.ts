/** Subscriptions: how they start, are cancelled, paused, resumed and ended. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as Either from "effect/Either"
import * as BenefitSync from "./BenefitSync.ts"
import { anchorDayOf, periodEnd } from "./Calendar.ts"
import { discountFrom, discountOf, takenOff } from "./Discounts.ts"
import * as Orders from "./Orders.ts"
import { isFree, oneOf, priceAmount } from "./Prices.ts"
import { isRecurring, type RecurringProduct, type Trial } from "./Products.ts"
import type { Checkout, Customer, Interval, OrderItem, Product, Quantity, Subscription, World } from "./Records.ts"
import { invalid, notFound, type Refusal, refused } from "./Refusal.ts"
import type { Step } from "./Step.ts"
import * as Wire from "./Wire.ts"
import { get } from "./wire/Fields.ts"

export type Answer = Either.Either<Subscription, Refusal>

export const isActive = ({ status }: Subscription): boolean => status === "active" || status === "trialing"

export const isBillable = (subscription: Subscription): boolean =>
  isActive(subscription) || subscription.status === "past_due"

export const find = (step: Step, id: string): Answer =>
  Either.fromNullable(step.find("subscriptions", id), () => notFound)

/** Writes the change, and tells it under each of the names. */
export const change = (
  step: Step,
  id: string,
  changes: Partial<Subscription>,
  types: ReadonlyArray<string>
): Subscription => {
  const subscription = step.update("subscriptions", id, changes)
  tell(step, subscription, types)
  return subscription
}

const tell = (step: Step, subscription: Subscription, types: ReadonlyArray<string>): void => {
  const body = Wire.subscription(step.world, subscription)
  for (const type of types) step.emit(`subscription.${type}`, body)
  step.stateChanged(subscription.customer_id)
  BenefitSync.afterSubscription(step, subscription.id)
}

/** What a subscription to the product costs for each period. */
export interface Terms extends Quantity {
  readonly product: Product
  /** What the buyer pays where they choose it. */
  readonly chosen: number | null
  readonly discount_id: string | null
}

export const priced = (
  world: World,
  { chosen, discount_id, product, seats, units }: Terms
): Pick<Subscription, "amount" | "discount_id" | "price_amount" | "seats" | "units"> => {
  const price_amount = priceAmount(product, { seats, units }, chosen)
  const off = takenOff(discountOf(world, discount_id), price_amount, product.price_currency)
  return { seats, units, discount_id, price_amount, amount: price_amount - off }
}

export const termsOf = (world: World, { discount_id, price_amount, product_id, seats, units }: Subscription): Terms => {
  const product = get(world, "products", product_id)
  return { product, seats, units, discount_id, chosen: price_amount }
}

/** What the subscription costs, and which discount it has, from the period on that begins at `start`. */
export const termsFrom = (world: World, subscription: Subscription, start: EpochMicros): Partial<Subscription> => {
  const discount = discountFrom(world, subscription, start)
  return { ...priced(world, { ...termsOf(world, subscription), ...discount }), ...discount }
}

export interface Start {
  readonly customer: Customer
  readonly product: RecurringProduct
  readonly metadata: Metadata
  readonly checkout?: Checkout | undefined
  readonly trial: Trial | null
  /** Of the checkout, if it is for this product. */
  readonly discount_id: string | null
}

/** For a free product, without a checkout. */
export const createFree =
  (productId: string, customer: Customer, metadata: Metadata) =>
  (step: Step): Answer => {
    const product = step.find("products", productId)
    if (product === undefined) return Either.left(invalid("product_id", "Product does not exist.", productId))
    if (!isRecurring(product)) return Either.left(invalid("product_id", "Product is not recurring.", productId))
    return isFree(product)
      ? Either.right(start(step, { customer, product, metadata, trial: null, discount_id: null }))
      : Either.left(invalid("product_id", "Only free products can be subscribed to through the API.", productId))
  }

/** A subscription that was paid for, or whose card was taken for after the trial. */
export const start = (
  step: Step,
  { checkout, customer, discount_id, metadata, product, trial }: Start
): Subscription => {
  const stamp = step.stamp()
  const now = stamp.created_at
  const subscription = step.put("subscriptions", {
    ...stamp,
    ...firstPeriod(step.world, now, { checkout, discount_id, product, trial }),
    assigned_seats: 0,
    currency: product.price_currency,
    cancel_at_period_end: false,
    canceled_at: null,
    started_at: now,
    ends_at: null,
    ended_at: null,
    past_due_at: null,
    pause_at_period_end: false,
    paused_at: null,
    resumes_at: null,
    customer_id: customer.id,
    checkout_id: checkout?.id ?? null,
    customer_cancellation_reason: null,
    customer_cancellation_comment: null,
    metadata,
    custom_field_data: checkout?.custom_field_data ?? {},
    pending_update: null,
    pending_items: []
  })
  tell(step, subscription, ["created", "active", "updated"])
  return subscription
}

/** The plan and the period that begin with a checkout. */
export const firstPeriod = (
  world: World,
  now: EpochMicros,
  { checkout, discount_id, product, trial }: Pick<Start, "checkout" | "discount_id" | "product" | "trial">
) => {
  const { recurring_interval, recurring_interval_count } = product
  const end =
    trial === null
      ? periodEnd(now, recurring_interval, recurring_interval_count)
      : periodEnd(now, trial.interval, trial.count)
  const quantity = checkout === undefined ? oneOf : { seats: checkout.seats, units: checkout.units }
  return {
    ...priced(world, { product, ...quantity, chosen: checkout?.amount ?? null, discount_id }),
    // A trial has no discount: the first period that is paid has it.
    discount_applied_at: discount_id === null || trial !== null ? null : now,
    status: trial === null ? "active" : "trialing",
    product_id: product.id,
    recurring_interval,
    recurring_interval_count,
    current_period_start: now,
    current_period_end: end,
    anchor_day: anchorDayOf(trial === null ? now : end),
    trial_start: trial === null ? null : now,
    trial_end: trial === null ? null : end
  } as const
}

export interface Reason {
  readonly customer_cancellation_reason?: string | null | undefined
  readonly customer_cancellation_comment?: string | null | undefined
}

const given = (reason: Reason): Partial<Subscription> => ({
  ...(reason.customer_cancellation_reason == null
    ? {}
    : { customer_cancellation_reason: reason.customer_cancellation_reason }),
  ...(reason.customer_cancellation_comment == null
    ? {}
    : { customer_cancellation_comment: reason.customer_cancellation_comment })
})

export const alreadyCanceled = refused(
  403,
  "AlreadyCanceledSubscription",
  "This subscription is already canceled or will be at the end of the period."
)

/** Schedules the end for when the period is over. */
export const cancel =
  (id: string, reason: Reason) =>
  (step: Step): Answer =>
    Either.flatMap(find(step, id), (subscription) =>
      !isBillable(subscription) || subscription.cancel_at_period_end
        ? Either.left(alreadyCanceled)
        : Either.right(
            change(
              step,
              id,
              {
                ...given(reason),
                cancel_at_period_end: true,
                canceled_at: step.now(),
                ends_at: subscription.current_period_end,
                pause_at_period_end: false,
                resumes_at: null
              },
              ["updated", "canceled"]
            )
          )
    )

export const uncancel =
  (id: string) =>
  (step: Step): Answer =>
    Either.flatMap(find(step, id), (subscription) => {
      if (subscription.ended_at !== null) {
        return Either.left(refused(410, "ResourceUnavailable", "This subscription has ended."))
      }
      if (!subscription.cancel_at_period_end) {
        return Either.left(
          refused(409, "SubscriptionNotScheduledToCancel", "This subscription is not scheduled to be canceled.")
        )
      }
      const undone = {
        cancel_at_period_end: false,
        canceled_at: null,
        ends_at: null,
        customer_cancellation_reason: null,
        customer_cancellation_comment: null
      }
      return Either.right(change(step, id, undone, ["updated", "uncanceled"]))
    })

/** Ends a subscription now: access is over, and what is still owed will not be collected. */
export const end = (step: Step, subscription: Subscription, reason: Reason = {}): Subscription => {
  const now = step.now()
  const ended = change(
    step,
    subscription.id,
    {
      ...given(reason),
      status: "canceled",
      canceled_at: subscription.canceled_at ?? now,
      ends_at: subscription.cancel_at_period_end && (subscription.ends_at ?? now) < now ? subscription.ends_at : now,
      ended_at: now,
      assigned_seats: 0,
      pause_at_period_end: false,
      resumes_at: null,
      pending_update: null
    },
    ["updated", "canceled", "revoked"]
  )
  Orders.voidAll(step, subscription.id)
  return ended
}

export const revoke =
  (id: string, reason: Reason = {}) =>
  (step: Step): Answer =>
    Either.flatMap(find(step, id), (subscription) =>
      subscription.ended_at === null ? Either.right(end(step, subscription, reason)) : Either.left(alreadyCanceled)
    )

/** Schedules a pause for when the period is over, or takes that back. */
export const schedulePause =
  (id: string, pause: boolean, resumesAt: EpochMicros | null) =>
  (step: Step): Answer =>
    Either.flatMap(find(step, id), (subscription) => {
      if (!pause && !subscription.pause_at_period_end) {
        return Either.left(refused(409, "NoScheduledPause", "This subscription has no scheduled pause."))
      }
      if (pause && !canPause(subscription)) {
        return Either.left(refused(409, "CannotPauseSubscription", "This subscription cannot be paused."))
      }
      if (resumesAt !== null && resumesAt <= subscription.current_period_end) {
        return Either.left(invalid("resumes_at", "Must be after the end of the current period.", resumesAt))
      }
      return Either.right(
        change(step, id, { pause_at_period_end: pause, resumes_at: pause ? resumesAt : null }, ["updated"])
      )
    })

const canPause = (subscription: Subscription): boolean =>
  subscription.status === "active" && !subscription.cancel_at_period_end && !subscription.pause_at_period_end

export const resume =
  (id: string) =>
  (step: Step): Answer =>
    Either.flatMap(find(step, id), (subscription) =>
      subscription.status === "paused"
        ? Either.right(resumeNow(step, subscription))
        : Either.left(refused(409, "NotPausedSubscription", "This subscription is not paused."))
    )

/** A period that begins anew. */
export const periodFrom = (now: EpochMicros, interval: Interval, count: number) => ({
  current_period_start: now,
  current_period_end: periodEnd(now, interval, count),
  anchor_day: anchorDayOf(now)
})

/** A new period from now on, charged at once. */
export const resumeNow = (step: Step, paused: Subscription): Subscription => {
  const now = step.now()
  const subscription = change(
    step,
    paused.id,
    {
      status: "active",
      paused_at: null,
      resumes_at: null,
      ...periodFrom(now, paused.recurring_interval, paused.recurring_interval_count),
      ...termsFrom(step.world, paused, now)
    },
    ["updated", "resumed"]
  )
  return invoicePeriod(step, subscription)
}

/** What the period that the subscription is in costs, with what waited for the invoice, and the credit that is left. */
const invoiceOf = (step: Step, subscription: Subscription) => {
  const product = step.get("products", subscription.product_id)
  const items = [Orders.periodItem(step, product, subscription), ...subscription.pending_items]
  return carryCredit(step, items, subscription.price_amount - subscription.amount)
}

/** Charges the period that the subscription is in, with what waited for the invoice. */
export const invoicePeriod = (step: Step, subscription: Subscription): Subscription => {
  const { discount_amount, items, rest } = invoiceOf(step, subscription)
  if (subscription.pending_items.length > 0 || rest.length > 0) {
    step.put("subscriptions", { ...subscription, pending_items: rest })
  }
  const draft = Orders.charge(step, subscription, "subscription_cycle", items, { discount_amount })
  if (Orders.amountOf(draft) === 0) {
    Orders.sell(step, draft)
    BenefitSync.afterRenewal(step, subscription.id)
    return step.get("subscriptions", subscription.id)
  }
  const order = Orders.open(step, draft)
  const outcome = Orders.collect(step, order)
  if (outcome === "paid") {
    Orders.paid(step, order)
    BenefitSync.afterRenewal(step, subscription.id)
    return step.get("subscriptions", subscription.id)
  }
  Orders.unpaid(step, order, outcome)
  const patient = step.world.organization.benefitGraceDays > 0
  const late = { status: "past_due", past_due_at: step.now(), ...(patient ? {} : { assigned_seats: 0 }) } as const
  return change(step, subscription.id, late, ["updated", "past_due"])
}

/** What is invoiced, and what is left of the credit. */
export interface Invoice {
  readonly items: ReadonlyArray<OrderItem>
  readonly discount_amount: number
  readonly rest: ReadonlyArray<OrderItem>
}

/** An invoice is never negative: credit that is left waits for the next one. */
export const carryCredit = (step: Step, items: ReadonlyArray<OrderItem>, discount_amount = 0): Invoice => {
  const sum = Orders.amountOf({ items, discount_amount })
  const [first] = items
  if (sum >= 0 || first === undefined) return { items, discount_amount, rest: [] }
  const tax = items.reduce((taxes, { tax_amount }) => taxes + tax_amount, 0)
  const credit = { ...first, proration: true }
  const carried = { label: "Credit carried to the next invoice", amount: -sum, tax_amount: -tax }
  const rest = { label: "Credit from an earlier invoice", amount: sum, tax_amount: tax }
  return {
    items: [...items, { ...credit, ...step.stamp(), ...carried }],
    discount_amount,
    rest: [{ ...credit, ...step.stamp(), ...rest }]
  }
}
