/** Would Polar refuse another subscription because of this one? */
import type { Subscription } from "../records/Subscription.ts"

const billable: ReadonlySet<string> = new Set(["trialing", "active", "past_due"])

/** Whether Polar goes on charging for it at `now`, as far as is known here. */
export const isBillable = (
  { cancelAtPeriodEnd, currentPeriodEnd, endedAt, endsAt, status }: Subscription,
  now: number
): boolean => {
  if (endedAt !== null || !billable.has(status)) return false
  const end = cancelAtPeriodEnd ? (endsAt ?? currentPeriodEnd) : endsAt
  return end === null || end.getTime() > now || status === "past_due"
}
