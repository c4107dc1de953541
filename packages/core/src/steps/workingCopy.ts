/**
 * The working copy of one step: facts as they become while deliveries are gone through one after the other, and the
 * changes that this amounts to. It lives for one call of a step's `decide` and holds the rules on identity, on what is
 * told to the app, and on the projection.
 */

import type { DeliveryState } from "../records/Delivery.ts"
import type {
  DeliveryFact,
  DeliveryRow,
  Lease,
  LinkRow,
  LinkSource,
  ProjectionRow,
  QueuedNotificationRow,
  SubscriptionFact,
  SubscriptionRow
} from "../records/rows.ts"
import { encodePayload } from "../records/storedJson.ts"
import { type AccessPolicy, type CurrentCandidate, current } from "../rules/AccessPolicy.ts"
import type { Changes, Facts } from "./Step.ts"

export interface StoreLedger {
  readonly delivery: (
    id: string
  ) => { readonly state: DeliveryState; readonly attempts: number; readonly userId: string | null } | undefined
  readonly record: (row: DeliveryRow) => void
  readonly link: (customerId: string) => LinkRow | undefined
  /** Whether the app has this user, as far as can be told here: a row, a link or a checkout of theirs. */
  readonly userExists: (userId: string) => boolean
  /** Links a customer that has no link, and gives the user all of its subscriptions that belong to nobody. */
  readonly linkCustomer: (customerId: string, userId: string, linkedBy: LinkSource) => void
  readonly markCustomerDeleted: (customerId: string, at: number) => void
  readonly subscription: (id: string) => SubscriptionFact | undefined
  /** Writes a newer state, and queues a notification if its user can see a difference. */
  readonly write: (row: SubscriptionRow) => void
  /** Gives a stored subscription that belongs to nobody to a user. */
  readonly adopt: (subscriptionId: string, userId: string) => void
  /** How many notifications are queued so far. */
  readonly queued: () => number
  readonly changes: () => Changes
}

export interface LedgerOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
  /** Who delivers at once what is queued, as much of it as there is room for. */
  readonly claim?: StepClaim | undefined
}

/** What a step may claim of the notifications that it queues. */
export interface StepClaim {
  readonly owner: string
  readonly limit: number
  /** Epoch milliseconds. */
  readonly leaseUntil: number
}

export const make = (facts: Facts, { claim, now, policy }: LedgerOptions): StoreLedger => {
  const deliveries = new Map<string, DeliveryFact>(facts.deliveries.map((row) => [row.id, row]))
  const links = new Map(facts.links.map((row) => [row.customerId, row]))
  const subscriptions = new Map(facts.subscriptions.map((row) => [row.id, row]))
  const users = new Map(facts.users.map((row) => [row.id, row]))
  const customerHolders = new Map(
    facts.users.flatMap((user) => (user.polarCustomerId === null ? [] : [[user.polarCustomerId, user.id] as const]))
  )
  const known = new Set(facts.knownUserIds)

  const recorded = new Map<string, DeliveryRow>()
  const linked = new Map<string, LinkRow>()
  const written = new Map<string, SubscriptionRow>()
  const adopted = new Map<string, Changes["adoptions"][number]>()
  const releases: Array<Changes["releases"][number]> = []
  const notifications = new Map<string, QueuedNotificationRow>()
  const concerned = new Set<string>()

  const putLink = (row: LinkRow) => {
    links.set(row.customerId, row)
    linked.set(row.customerId, row)
  }

  // Of which something is to be told first, in this step's order or an earlier one's.
  const untold = new Set(facts.untoldSubscriptionIds)
  let room = claim?.limit ?? 0

  /** Only for a subscription that the keys name: of others it is not known whether something is untold. */
  const leaseOn = (subscriptionId: string): Lease | null => {
    if (claim === undefined || room <= 0 || untold.has(subscriptionId)) return null
    room--
    return { owner: claim.owner, until: claim.leaseUntil }
  }

  const notify = (userId: string, subscription: SubscriptionFact, lease: Lease | null) => {
    const id = `${subscription.id}:${subscription.eventAt}:${subscription.precedence}`
    untold.add(subscription.id)
    notifications.set(id, {
      id,
      subscriptionId: subscription.id,
      userId,
      eventAt: subscription.eventAt,
      precedence: subscription.precedence,
      payload: encodePayload(subscription),
      createdAt: now,
      lease
    })
  }

  /** What waited for this user is applied: what is stored, and what this step has seen of it. */
  const release = (by: "customerId" | "subscriptionId", id: string, userId: string) => {
    releases.push({ by, id, userId, updatedAt: now })
    for (const fact of deliveries.values()) {
      if (fact[by] !== id || fact.state !== "unlinked") continue
      deliveries.set(fact.id, { ...fact, state: "applied", userId })
      const row = recorded.get(fact.id)
      if (row !== undefined) recorded.set(fact.id, { ...row, state: "applied", userId })
    }
  }

  const adopt = (subscriptionId: string, userId: string) => {
    const fact = subscriptions.get(subscriptionId)
    if (fact === undefined || fact.userId !== null) return
    const row = written.get(subscriptionId)
    if (row === undefined) {
      adopted.set(subscriptionId, { id: subscriptionId, userId, updatedAt: now })
    } else {
      written.set(subscriptionId, { ...row, userId })
    }
    subscriptions.set(subscriptionId, { ...fact, userId })
    release("subscriptionId", subscriptionId, userId)
    concerned.add(userId)
    notify(userId, fact, null)
  }

  const linkCustomer = (customerId: string, userId: string, linkedBy: LinkSource) => {
    if (links.has(customerId)) return
    putLink({ customerId, userId, linkedBy, linkedAt: now, deletedAt: null })
    for (const subscription of subscriptions.values()) {
      if (subscription.customerId === customerId) adopt(subscription.id, userId)
    }
    release("customerId", customerId, userId)
    concerned.add(userId)
  }

  const project = (userId: string): ProjectionRow | undefined => {
    const user = users.get(userId)
    if (user === undefined) return undefined
    const own: Array<SubscriptionFact> = []
    for (const subscription of subscriptions.values()) {
      if (subscription.userId === userId) own.push(subscription)
    }
    const shown = current(policy, own.map(candidateOf))
    const customerId = shown?.subscription.customerId ?? latestLink(links.values(), userId)?.customerId
    const projection = {
      userId,
      polarCustomerId: customerId !== undefined && mayShow(customerId, userId) ? customerId : undefined,
      updatedAt: now
    }
    if (shown === undefined) {
      return {
        ...projection,
        polarSubscriptionId: null,
        polarSubscriptionStatus: endedStatus(own),
        polarProductId: null,
        polarCurrentPeriodEnd: null,
        polarCancelAtPeriodEnd: false
      }
    }
    return {
      ...projection,
      polarSubscriptionId: shown.subscription.id,
      polarSubscriptionStatus: shown.subscription.status,
      polarProductId: shown.subscription.productId,
      polarCurrentPeriodEnd: shown.subscription.currentPeriodEnd,
      polarCancelAtPeriodEnd: shown.subscription.cancelAtPeriodEnd
    }
  }

  // The host's table holds each customer once. A customer that is not linked to this user, or that another row already
  // shows, would break that, and with it every later delivery.
  const mayShow = (customerId: string, userId: string) => {
    const holder = customerHolders.get(customerId)
    return links.get(customerId)?.userId === userId && (holder === undefined || holder === userId)
  }

  return {
    delivery: (id) => deliveries.get(id),
    record: (row) => {
      deliveries.set(row.id, row)
      recorded.set(row.id, row)
    },
    link: (customerId) => links.get(customerId),
    userExists: (userId) => users.has(userId) || known.has(userId),
    linkCustomer,
    markCustomerDeleted: (customerId, at) => {
      const link = links.get(customerId)
      if (link !== undefined && link.deletedAt === null) putLink({ ...link, deletedAt: at })
    },
    subscription: (id) => subscriptions.get(id),
    write: (row) => {
      const before = subscriptions.get(row.id)
      subscriptions.set(row.id, row)
      written.set(row.id, row)
      adopted.delete(row.id)
      if (row.userId === null) return
      concerned.add(row.userId)
      if (before === undefined || before.userId === null || looksDifferent(before, row)) {
        notify(row.userId, row, leaseOn(row.id))
      }
    },
    adopt,
    queued: () => notifications.size,
    changes: () => ({
      deliveries: [...recorded.values()],
      links: [...linked.values()],
      subscriptions: [...written.values()],
      adoptions: [...adopted.values()],
      releases,
      projections: [...concerned].flatMap((userId) => project(userId) ?? []),
      notifications: [...notifications.values()],
      checkouts: []
    })
  }
}

interface Candidate extends CurrentCandidate {
  readonly subscription: SubscriptionFact
}

const candidateOf = (subscription: SubscriptionFact): Candidate => ({
  id: subscription.id,
  status: subscription.status,
  isLive: subscription.live,
  periodEnd: subscription.currentPeriodEnd,
  subscription
})

const latestLink = (links: Iterable<LinkRow>, userId: string): LinkRow | undefined => {
  let latest: LinkRow | undefined
  for (const link of links) {
    if (link.userId !== userId || link.deletedAt !== null) continue
    if (latest === undefined || link.linkedAt > latest.linkedAt) latest = link
  }
  return latest
}

/** What plain SQL readers see of a user whose subscriptions are all over: never a status that sounds like access. */
const endedStatus = (subscriptions: ReadonlyArray<SubscriptionFact>): string | null => {
  let last: SubscriptionFact | undefined
  for (const subscription of subscriptions) {
    if (last === undefined || subscription.eventAt > last.eventAt) last = subscription
  }
  if (last === undefined) return null
  return overStatuses.has(last.status) ? last.status : "canceled"
}

const overStatuses: ReadonlySet<string> = new Set(["canceled", "unpaid", "incomplete", "incomplete_expired"])

/** Whether one of the five documented fields differs; the fifth, the id, is the same by then. */
const looksDifferent = (a: SubscriptionFact, b: SubscriptionFact): boolean =>
  a.status !== b.status ||
  a.productId !== b.productId ||
  a.currentPeriodEnd !== b.currentPeriodEnd ||
  a.cancelAtPeriodEnd !== b.cancelAtPeriodEnd
