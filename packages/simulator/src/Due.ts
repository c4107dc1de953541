/** What happens by itself when its time has come: renewals, ends, pauses, retried charges, expired checkouts. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as HashMap from "effect/HashMap"
import * as BenefitSync from "./BenefitSync.ts"
import { minute, periodEnd } from "./Calendar.ts"
import * as Checkouts from "./Checkouts.ts"
import * as Documents from "./Documents.ts"
import * as Orders from "./Orders.ts"
import { pendingPlan } from "./PlanChange.ts"
import type { Order, Subscription, World } from "./Records.ts"
import type { Step } from "./Step.ts"
import * as Subscriptions from "./Subscriptions.ts"

export interface Due {
  readonly at: EpochMicros
  readonly run: (step: Step) => void
}

// Polar looks for expired checkouts every quarter of an hour.
const sweep = 15 * minute
const nextSweep = (at: EpochMicros): EpochMicros => (Math.ceil(at / sweep) * sweep) as EpochMicros

/** What is due first, if anything ever is. */
export const first = (world: World): Due | undefined => {
  let earliest: Due | undefined
  const consider = (at: EpochMicros | null, run: (step: Step) => void) => {
    if (at !== null && (earliest === undefined || at < earliest.at)) earliest = { at, run }
  }
  for (const checkout of HashMap.values(world.tables.checkouts)) {
    if (checkout.status === "open") consider(nextSweep(checkout.expires_at), Checkouts.expire(checkout.id))
  }
  for (const subscription of HashMap.values(world.tables.subscriptions)) {
    if (Subscriptions.isActive(subscription)) {
      consider(subscription.current_period_end, (step) => void endPeriod(step, subscription))
    } else if (subscription.status === "paused") {
      consider(subscription.resumes_at, (step) => void Subscriptions.resumeNow(step, subscription))
    }
  }
  for (const order of HashMap.values(world.tables.orders)) {
    if (order.status === "pending") consider(order.next_payment_attempt_at, (step) => retry(step, order))
    consider(order.invoice_due_at, (step) => Documents.writeInvoice(step, order))
  }
  return earliest
}

const endPeriod = (step: Step, subscription: Subscription): Subscription => {
  if (subscription.cancel_at_period_end) return Subscriptions.end(step, subscription)
  if (subscription.pause_at_period_end) {
    const paused = { status: "paused", paused_at: step.now(), pause_at_period_end: false, assigned_seats: 0 } as const
    return Subscriptions.change(step, subscription.id, paused, ["updated", "paused"])
  }
  const start = subscription.current_period_end
  const changed = { ...subscription, ...pendingPlan(step, subscription) }
  const plan = { ...changed, ...Subscriptions.termsFrom(step.world, changed, start) }
  const renewed = Subscriptions.change(
    step,
    subscription.id,
    {
      ...plan,
      status: "active",
      current_period_start: start,
      current_period_end: periodEnd(
        start,
        plan.recurring_interval,
        plan.recurring_interval_count,
        subscription.anchor_day
      )
    },
    ["cycled", "updated"]
  )
  return Subscriptions.invoicePeriod(step, renewed)
}

const paidAfterAll = (step: Step, subscription: Subscription, order: Order): void => {
  Subscriptions.change(step, subscription.id, { status: "active", past_due_at: null }, ["updated", "active"])
  Orders.paid(step, order)
  BenefitSync.afterRenewal(step, subscription.id)
}

/** The customer pays what is open in the portal, and does not wait for the next attempt. Says whether the card was good. */
export const payNow = (step: Step, order: Order): boolean => {
  const subscription = step.find("subscriptions", order.subscription_id)
  if (subscription === undefined || step.charge() !== "paid") return false
  paidAfterAll(step, subscription, order)
  return true
}

/** Charges again what a renewal costs; the last time, or after a decline for good, it is the end. */
const retry = (step: Step, order: Order): void => {
  const subscription = step.find("subscriptions", order.subscription_id)
  if (subscription === undefined) return
  const outcome = order.declined_for_good ? "declined" : Orders.collect(step, order)
  if (outcome === "paid") {
    paidAfterAll(step, subscription, order)
  } else if (Orders.isLastAttempt(order)) {
    Subscriptions.end(step, subscription)
  } else {
    Orders.unpaid(step, order, outcome)
    // Polar notices here that the days of grace are over, and not before.
    BenefitSync.afterSubscription(step, subscription.id)
  }
}
