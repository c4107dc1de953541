/** When is the app told of an order? When it was paid for, and when money was given back. */
import { isPaid } from "../records/Order.ts"
import type { RecordFact } from "../records/rows.ts"

/** Whether it was paid for once, whatever was given back since. */
const wasPaid = (status: string): boolean => isPaid(status) || status === "refunded"

/**
 * Whether it is news to the order's user that it is paid. One that is heard of only when it was wholly refunded was paid before; but
 * one that was wholly refunded before its user was known is no news to them.
 */
export const isNewlyPaid = (before: RecordFact | undefined, after: RecordFact): boolean => {
  if (after.kind !== "order" || after.userId === null) return false
  if (before?.userId === null) return isPaid(after.status)
  return wasPaid(after.status) && (before === undefined || !wasPaid(before.status))
}

/** In minor units of the order's currency, without tax. */
export interface Refunded {
  /** What was given back now. */
  readonly amount: number
  /** What was given back of the order so far, this included. */
  readonly total: number
}

/** What was given back to the order's user since; `undefined` for nothing, or less than before: a refund that was reverted. */
export const newlyRefunded = (before: RecordFact | undefined, after: RecordFact): Refunded | undefined => {
  if (after.kind !== "order" || after.userId === null || before?.userId === null) return undefined
  const total = refundedAmount(after)
  const amount = total - (before === undefined ? 0 : refundedAmount(before))
  return amount > 0 ? { amount, total } : undefined
}

/** As `orderKind` writes it; what no version has written says nothing. */
const refundedAmount = ({ summary }: RecordFact): number => {
  try {
    const fields: unknown = JSON.parse(summary)
    const value = typeof fields === "object" && fields !== null ? Reflect.get(fields, "refunded_amount") : undefined
    return typeof value === "number" ? value : 0
  } catch {
    return 0
  }
}
