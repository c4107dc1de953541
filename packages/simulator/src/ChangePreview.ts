/** What a change, the next period or an end would cost, as Polar's previews say it; nothing is changed. */
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import { taxOf, total } from "./Money.ts"
import { pendingPlan } from "./PlanChange.ts"
import { type PlanInput, plan } from "./PlannedChange.ts"
import type { OrderItem, Subscription } from "./Records.ts"
import { notFound, type Refusal } from "./Refusal.ts"
import type { Step } from "./Step.ts"
import { find, isActive, termsFrom } from "./Subscriptions.ts"

export interface ChargePreview {
  readonly base_amount: number
  readonly metered_amount: number
  readonly proration_amount: number
  readonly prorations: ReadonlyArray<{ readonly label: string; readonly amount: number }>
  readonly subtotal_amount: number
  readonly discount_amount: number
  readonly net_amount: number
  readonly tax_amount: number
  readonly total_amount: number
  readonly applied_balance_amount: number
  readonly due_amount: number
}

interface Charge {
  readonly prorations: ReadonlyArray<OrderItem>
  /** A whole period, and what its discount takes off. */
  readonly period?: Pick<Subscription, "amount" | "price_amount"> | undefined
  /** What is said of the period beside the subtotal: Polar does not when a change ends a trial. */
  readonly base?: number | undefined
}

const previewOf = (step: Step, { base = 0, period, prorations }: Charge): ChargePreview => {
  const proration_amount = total(prorations)
  const price = period?.price_amount ?? 0
  const discount_amount = price - (period?.amount ?? 0)
  const net_amount = price - discount_amount + proration_amount
  const tax_amount =
    taxOf(step.world, price - discount_amount) + prorations.reduce((sum, { tax_amount }) => sum + tax_amount, 0)
  return {
    base_amount: base,
    metered_amount: 0,
    proration_amount,
    prorations: prorations.map(({ amount, label }) => ({ label, amount })),
    subtotal_amount: price + proration_amount,
    discount_amount,
    net_amount,
    tax_amount,
    total_amount: net_amount + tax_amount,
    applied_balance_amount: 0,
    due_amount: Math.max(0, net_amount + tax_amount)
  }
}

export const ofChange =
  (id: string, input: PlanInput) =>
  (step: Step): Either.Either<ChargePreview, Refusal> =>
    Either.gen(function* () {
      const subscription = yield* find(step, id)
      const planned = yield* plan(step, subscription, input)
      const { pending_items } = subscription
      if (planned.when !== "now") return previewOf(step, { prorations: pending_items })
      if (subscription.status !== "trialing") {
        return previewOf(step, { prorations: [...pending_items, ...planned.items] })
      }
      const period = planned.billed === "new period" ? planned.after : undefined
      return previewOf(step, { prorations: [], period })
    })

/** What the next period will cost, if there is one. */
export const ofNextPeriod =
  (id: string) =>
  (step: Step): Either.Either<ChargePreview, Refusal> =>
    Either.flatMap(find(step, id), (subscription) => {
      const { cancel_at_period_end, current_period_end, pending_items, resumes_at, status } = subscription
      if (!isActive(subscription) && (status !== "paused" || resumes_at === null)) return Either.left(notFound)
      const next = pendingPlan(step, subscription)
      const period = cancel_at_period_end ? undefined : { ...next, ...termsFrom(step.world, next, current_period_end) }
      return Either.right(previewOf(step, { prorations: pending_items, period, base: period?.price_amount }))
    })

/** Whether an end at once would also end what is tried to collect. */
export const ofCancellation =
  (id: string) =>
  (
    step: Step
  ): Either.Either<{ readonly stops_collection: boolean; readonly outstanding_amount: number | null }, Refusal> =>
    Either.map(find(step, id), ({ status }) => {
      const stops_collection = status === "past_due" && step.world.organization.benefitGraceDays === 0
      const open = Array.from(HashMap.values(step.world.tables.orders)).filter(
        (order) => order.subscription_id === id && order.status === "pending"
      )
      const outstanding = open.reduce((sum, { amount, tax_amount }) => sum + amount + tax_amount, 0)
      return { stops_collection, outstanding_amount: stops_collection && open.length > 0 ? outstanding : null }
    })
