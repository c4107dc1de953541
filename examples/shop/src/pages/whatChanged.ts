/** What became of a subscription, in a few words. */
import type { Change } from "../activity.ts"

const became: Readonly<Record<string, string>> = {
  active: "Began",
  trialing: "The trial started",
  past_due: "The payment was declined",
  paused: "Paused",
  canceled: "Ended",
  unpaid: "Ended, unpaid"
}

const fromTo: Readonly<Record<string, string>> = {
  "trialing active": "The trial is over, and the first payment came",
  "past_due active": "Paid after all",
  "paused active": "Resumed"
}

export const whatChanged = (
  { before, cancelAtPeriodEnd, currentPeriodEnd, productId, status }: Change,
  nameOf: (productId: string) => string
): string => {
  if (before === undefined) return became[status] ?? status
  if (productId !== before.productId) return `Changed from ${nameOf(before.productId)} to ${nameOf(productId)}`
  if (status !== before.status) return fromTo[`${before.status} ${status}`] ?? became[status] ?? status
  if (cancelAtPeriodEnd !== before.cancelAtPeriodEnd) return cancelAtPeriodEnd ? "Canceled" : "Kept after all"
  return (currentPeriodEnd?.getTime() ?? 0) > (before.currentPeriodEnd?.getTime() ?? 0) ? "Renewed" : "Changed"
}
