/** What do the `polar_*` columns of `kavach_users` show? The user's current subscription, for plain SQL readers. */
import type { LinkRow, ProjectionRow } from "../records/rows.ts"
import type { SubscriptionFact } from "../records/subscriptionKind.ts"
import { type AccessPolicy, counts, current, statusAt } from "./AccessPolicy.ts"

export interface Shown {
  readonly userId: string
  /** The user's subscriptions. */
  readonly subscriptions: ReadonlyArray<SubscriptionFact>
  /** Links that are known, of any user, also of customers that Polar has deleted. */
  readonly links: Iterable<LinkRow>
  /** Whose row shows a customer already. */
  readonly holderOf: (customerId: string) => string | undefined
  /** Epoch milliseconds. */
  readonly now: number
}

export const project = (policy: AccessPolicy, shown: Shown): ProjectionRow => {
  const { now, userId } = shown
  const subscriptions = shown.subscriptions.filter((subscription) => counts(policy, subscription))
  const at = new Date(now)
  const subscription = current(policy, subscriptions, at)
  const links = [...shown.links].filter((link) => link.userId === userId && link.deletedAt === null)
  const customerId = subscription?.customerId ?? latest(links)?.customerId
  // The host's table holds each customer once. A customer that is not linked to this user, or that another row already
  // shows, would break that, and with it every later delivery. One that Polar has deleted is of no use to who reads the row.
  const holder = customerId === undefined ? undefined : shown.holderOf(customerId)
  const mayShow = links.some((link) => link.customerId === customerId) && (holder === undefined || holder === userId)
  return {
    userId,
    polarCustomerId: mayShow ? customerId : undefined,
    polarSubscriptionId: subscription?.id ?? null,
    polarSubscriptionStatus:
      subscription === undefined ? endedStatus(subscriptions) : statusAt(policy, subscription, at),
    polarProductId: subscription?.productId ?? null,
    polarCurrentPeriodEnd: subscription?.currentPeriodEnd?.getTime() ?? null,
    polarCancelAtPeriodEnd: subscription?.cancelAtPeriodEnd ?? false,
    updatedAt: now
  }
}

const latest = (links: ReadonlyArray<LinkRow>): LinkRow | undefined => {
  let last: LinkRow | undefined
  for (const link of links) {
    if (last === undefined || link.linkedAt > last.linkedAt) last = link
  }
  return last
}

/** Of a user whose subscriptions are all over: never a status that sounds like access. */
const endedStatus = (subscriptions: ReadonlyArray<SubscriptionFact>): string | null => {
  let last: SubscriptionFact | undefined
  for (const subscription of subscriptions) {
    if (last === undefined || subscription.eventAt > last.eventAt) last = subscription
  }
  if (last === undefined) return null
  return overStatuses.has(last.status) ? last.status : "canceled"
}

const overStatuses: ReadonlySet<string> = new Set(["canceled", "unpaid", "incomplete", "incomplete_expired"])
