/** Refunds: money that goes back, at once or after a while at the processor, and money that came back from there. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import * as Either from "effect/Either"
import * as BenefitSync from "./BenefitSync.ts"
import { isPaid, type Part, refundable } from "./Money.ts"
import * as Orders from "./Orders.ts"
import type { Order, Refund, RefundReason, RefundStatus, World } from "./Records.ts"
import { invalid, notFound, type Refusal, refused } from "./Refusal.ts"
import { rows, type Step } from "./Step.ts"
import * as Wire from "./Wire.ts"

export interface RefundInput {
  readonly order_id: string
  readonly reason: RefundReason
  /** Without the tax, which Polar adds. */
  readonly amount: number
  readonly comment?: string | null | undefined
  readonly revoke_benefits?: boolean | undefined
  readonly metadata?: Metadata | undefined
  /** Whether it stays pending until it is settled. */
  readonly held?: boolean | undefined
}

export type Answer = Either.Either<Refund, Refusal>

export const find = (step: Step, id: string): Answer => Either.fromNullable(step.find("refunds", id), () => notFound)

/** The refunds of an order, the oldest first. */
export const ofOrder = (world: World, orderId: string): ReadonlyArray<Refund> =>
  rows(world, "refunds").filter(({ order_id }) => order_id === orderId)

/** What can still be asked back: the processor keeps count of refunds that are under way, and Polar's order does not. */
export const left = (world: World, order: Order): Part => {
  const whole = refundable(order)
  const pending = ofOrder(world, order.id).filter(({ status }) => status === "pending")
  return {
    amount: pending.reduce((rest, { amount }) => rest - amount, whole.amount),
    tax_amount: pending.reduce((rest, { tax_amount }) => rest - tax_amount, whole.tax_amount)
  }
}

/** The tax on what goes back: all of it with the last cent, before that its share. */
const taxOn = (order: Order, amount: number, rest: Part): number =>
  amount === rest.amount
    ? rest.tax_amount
    : Math.min(rest.tax_amount, Math.round((amount * order.tax_amount) / order.amount))

/** Sends money back. It arrives at once, unless a refund was held. Asking twice sends it twice, while there is some. */
export const create =
  (input: RefundInput) =>
  (step: Step): Answer =>
    Either.gen(function* () {
      const order = step.find("orders", input.order_id)
      if (order === undefined) return yield* Either.left(invalid("order_id", "Order not found", input.order_id))
      const rest = left(step.world, order)
      const wasPaid = isPaid(order) && order.amount > 0
      if (wasPaid && rest.amount === 0) return yield* Either.left(refundedAlready(order))
      const revokes = input.revoke_benefits ?? false
      if (revokes && order.subscription_id !== null) return yield* Either.left(revokeProhibited)
      if (!wasPaid) return yield* Either.left(unknownPayment(order))
      if (!Number.isInteger(input.amount) || input.amount < 1) {
        return yield* Either.left(invalid("amount", "Input should be greater than 0", input.amount))
      }
      if (input.amount > rest.amount) {
        const problem = `Refund amount exceeds remaining order balance: ${rest.amount}`
        return yield* Either.left(invalid("amount", problem, input.amount))
      }
      const refund = step.put("refunds", {
        ...step.stamp(),
        status: input.held === true || isNextHeld(step) ? "pending" : "succeeded",
        reason: input.reason,
        amount: input.amount,
        tax_amount: taxOn(order, input.amount, rest),
        currency: order.currency,
        order_id: order.id,
        subscription_id: order.subscription_id,
        customer_id: order.customer_id,
        comment: input.comment ?? null,
        revoke_benefits: revokes,
        metadata: input.metadata ?? {}
      })
      step.emit("refund.created", Wire.refund(step.world, refund))
      if (refund.status === "succeeded") giveBack(step, refund)
      // Also for a part of the money, and while the refund is pending; nothing undoes it when the refund fails.
      if (refund.revoke_benefits) BenefitSync.afterRefund(step, order.id)
      return refund
    })

/** All that is left goes back unless an amount is given; the customer asked for it, unless another reason is. */
export interface RefundOptions extends Omit<RefundInput, "order_id" | "reason" | "amount"> {
  readonly reason?: RefundReason | undefined
  readonly amount?: number | undefined
}

/** The same, of an order. */
export const refund =
  (orderId: string, { amount, reason = "customer_request", ...options }: RefundOptions = {}) =>
  (step: Step): Answer =>
    Either.flatMap(Orders.find(step, orderId), (order) =>
      create({ ...options, order_id: orderId, reason, amount: amount ?? left(step.world, order).amount })(step)
    )

const isNextHeld = (step: Step): boolean => {
  const { heldRefunds } = step.world
  if (heldRefunds === 0) return false
  step.world = { ...step.world, heldRefunds: heldRefunds - 1 }
  return true
}

const refundedAlready = ({ id }: Order): Refusal =>
  refused(403, "RefundedAlready", `Order is already fully refunded: ${id}`)

const revokeProhibited = refused(
  400,
  "RevokeSubscriptionBenefitsProhibited",
  "Subscription benefits can only be revoked upon cancellation"
)

const unknownPayment = ({ id }: Order): Refusal =>
  refused(404, "RefundUnknownPayment", `Refund issued for unknown order: ${id}`)

export type Settled = Exclude<RefundStatus, "pending">

/**
 * What the processor says of a refund later. A pending one succeeds, or does not; one that had succeeded can still fail,
 * and then the order is as before, but nobody is told again that it was paid.
 */
export const settle =
  (id: string, status: Settled) =>
  (step: Step): Answer =>
    Either.flatMap(find(step, id), (refund) => {
      const reverts = refund.status === "succeeded" && status === "failed"
      if (refund.status !== "pending" && !reverts) {
        return Either.left(refused(409, "RefundSettled", `The outcome of this refund is known: ${refund.status}.`))
      }
      const settled = step.update("refunds", id, { status })
      step.emit("refund.updated", Wire.refund(step.world, settled))
      if (reverts) takeBack(step, settled)
      else if (status === "succeeded") giveBack(step, settled)
      return Either.right(settled)
    })

const giveBack = (step: Step, refund: Refund): void => {
  const order = step.get("orders", refund.order_id)
  const refunded = order.refunded_amount + refund.amount
  const changed = Orders.change(step, order, {
    status: refunded >= order.amount ? "refunded" : "partially_refunded",
    refunded_amount: refunded,
    refunded_tax_amount: order.refunded_tax_amount + refund.tax_amount
  })
  step.emit("order.refunded", Wire.order(step.world, changed))
}

const takeBack = (step: Step, refund: Refund): void => {
  const order = step.get("orders", refund.order_id)
  const refunded = order.refunded_amount - refund.amount
  Orders.change(step, order, {
    status: refunded > 0 ? "partially_refunded" : "paid",
    refunded_amount: refunded,
    refunded_tax_amount: order.refunded_tax_amount - refund.tax_amount
  })
}
