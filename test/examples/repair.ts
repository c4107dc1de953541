import type { PolarBilling } from "@kavach-polar/http"

export const repair = async (billing: PolarBilling) => {
  // Before or after: look without changing anything.
  const found = await billing.reconcileAll({ dryRun: true })
  const repaired = found.discrepancyCount > 0 ? await billing.reconcileAll() : found

  // One user, for example when they are back from a checkout and their webhook is not there yet.
  await billing.reconcile("user_1")

  // Deliveries that could not be read, once an upgrade can read them.
  await billing.replay({ states: ["failed", "ignored"] })

  // What the callback did not take in twelve calls, once what kept it from that is repaired.
  const givenUp = await billing.notifications.dead()
  if (givenUp.length > 0) await billing.notifications.retry({})

  return repaired.webhooks.endpoints.filter(({ enabled, isOwn }) => isOwn && !enabled)
}
