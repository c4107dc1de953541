/** What can still be given back of an order, and was a refund asked for already? */
import type { Order } from "../records/Order.ts"
import type { Refund } from "../records/Refund.ts"

/** The key of a refund's metadata under which the app's own key for it travels. */
export const refundKeyMetadataKey = "kavach_idempotency_key"

export const refundWithKey = (refunds: ReadonlyArray<Refund>, key: string): Refund | undefined =>
  refunds.find(({ metadata }) => metadata[refundKeyMetadataKey] === key)

/**
 * Without tax, in minor units. What customer credit paid cannot go back, and what a pending refund holds is spoken for, though
 * Polar's order counts only refunds that have succeeded (Polar docs: features/refunds).
 */
export const leftToRefund = (order: Order, refunds: ReadonlyArray<Refund>): number => {
  const pending = refunds
    .filter(({ status }) => status === "pending")
    .reduce((sum, { amount }) => sum + (amount ?? 0), 0)
  return Math.max(0, (order.netAmount ?? 0) + (order.appliedBalanceAmount ?? 0) - (order.refundedAmount ?? 0) - pending)
}
