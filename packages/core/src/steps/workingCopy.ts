/**
 * The working copy of one step: facts as they become while deliveries are gone through one after the other, and the
 * changes that this amounts to. It lives for one call of a step's `decide`, and asks the rules.
 */
import type { DeliveryState } from "../records/Delivery.ts"
import { recordKey } from "../records/RecordReport.ts"
import type {
  DeliveryFact,
  DeliveryRow,
  Lease,
  LinkRow,
  LinkSource,
  QueuedNotificationRow,
  RecordFact,
  RecordRow
} from "../records/rows.ts"
import { type SubscriptionFact, subscriptionFact } from "../records/subscriptionKind.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { asUserId, identify, type OwnedBy } from "../rules/identity.ts"
import { project } from "../rules/projection.ts"
import { notificationOf } from "../rules/whenToNotify.ts"
import type { UserId } from "../values/ids.ts"
import { type OwnershipEvidence, parentsOf } from "./keys.ts"
import type { Changes, Facts, RecordId, Release } from "./Step.ts"

export interface WorkingCopy {
  readonly delivery: (
    id: string
  ) => { readonly state: DeliveryState; readonly attempts: number; readonly userId: string | null } | undefined
  readonly recordDelivery: (row: DeliveryRow) => void
  readonly link: (customerId: string) => LinkRow | undefined
  /** Links a customer that has no link, and gives the user all of its records that are unlinked. */
  readonly linkCustomer: (customerId: string, userId: string, linkedBy: LinkSource) => void
  readonly markCustomerDeleted: (customerId: string, at: number) => void
  readonly record: (name: RecordId) => RecordFact | undefined
  /** Whose record it is, as far as is known by now. What is stored of it, and waited for its user, is given to them. */
  readonly identify: (evidence: OwnershipEvidence) => Owner | null
  /** Writes a newer state, and queues a notification if its user can see a difference. */
  readonly write: (row: RecordRow) => void
  /** How many notifications are queued so far. */
  readonly queued: () => number
  readonly changes: () => Changes
}

export interface Owner {
  readonly userId: UserId
  /** See `RecordRow.ownedBy`. */
  readonly ownedBy: string | null
}

export interface WorkingCopyOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
  /** Who delivers at once what is queued, as much of it as there is room for. */
  readonly claim?: StepClaim | undefined
  /** Whether anybody is to be told. Default: true. */
  readonly notify?: boolean | undefined
}

/** What a step may claim of the notifications that it queues. */
export interface StepClaim {
  readonly owner: string
  readonly limit: number
  /** Epoch milliseconds. */
  readonly leaseUntil: number
}

export const make = (facts: Facts, { claim, now, notify: isHeard = true, policy }: WorkingCopyOptions): WorkingCopy => {
  const deliveries = new Map<string, DeliveryFact>(facts.deliveries.map((row) => [row.id, row]))
  const links = new Map(facts.links.map((row) => [row.customerId, row]))
  const checkouts = new Map(facts.checkouts.map((row) => [row.id, row]))
  const records = new Map<string, RecordFact>(facts.records.map((row) => [recordKey(row), row]))
  const rowsOfUsers = new Set(facts.users.map((user) => user.id))
  const customerHolders = new Map(
    facts.users.flatMap((user) => (user.polarCustomerId === null ? [] : [[user.polarCustomerId, user.id] as const]))
  )
  const known = new Set(facts.knownUserIds)

  const recorded = new Map<string, DeliveryRow>()
  const linked = new Map<string, LinkRow>()
  const written = new Map<string, RecordRow>()
  const adopted = new Map<string, Changes["adoptions"][number]>()
  const releases: Array<Release> = []
  const notifications = new Map<string, QueuedNotificationRow>()
  const concerned = new Set<string>()

  // Of which something is to be told first, in this step's order or an earlier one's.
  const untold = new Set(facts.untoldSubjects)
  let room = claim?.limit ?? 0

  /** Only for a record that the keys name: of others it is not known whether something is untold. */
  const leaseOn = (subject: string): Lease | null => {
    if (claim === undefined || room <= 0 || untold.has(subject)) return null
    room--
    return { owner: claim.owner, until: claim.leaseUntil }
  }

  const notify = (before: RecordFact | undefined, after: RecordFact, mayClaim: boolean) => {
    const payload = isHeard ? notificationOf(before, after) : undefined
    if (payload === undefined || after.userId === null) return
    const id = `${after.id}:${after.eventAt}:${after.precedence}`
    const lease = mayClaim ? leaseOn(after.id) : null
    untold.add(after.id)
    notifications.set(id, {
      id,
      subject: after.id,
      userId: after.userId,
      eventAt: after.eventAt,
      precedence: after.precedence,
      payload,
      createdAt: now,
      lease
    })
  }

  /** What waited for this user is applied: what is stored, and what this step has seen of it. */
  const release = (by: Release["by"], id: string, userId: string) => {
    releases.push({ by, id, userId, updatedAt: now })
    for (const fact of deliveries.values()) {
      if (fact[by] !== id || fact.state !== "unlinked") continue
      deliveries.set(fact.id, { ...fact, state: "applied", userId })
      const row = recorded.get(fact.id)
      if (row !== undefined) recorded.set(fact.id, { ...row, state: "applied", userId })
    }
  }

  /** Gives a stored record that is unlinked to a user, and with it what hangs on it. */
  const adopt = (name: RecordId, userId: string, ownedBy: OwnedBy) => {
    const key = recordKey(name)
    const fact = records.get(key)
    if (fact === undefined || fact.userId !== null) return
    const row = written.get(key)
    if (row === undefined) adopted.set(key, { kind: fact.kind, id: fact.id, userId, ownedBy, updatedAt: now })
    else written.set(key, { ...row, userId, ownedBy })
    const owned = { ...fact, userId, ownedBy }
    records.set(key, owned)
    release("recordId", fact.id, userId)
    if (fact.kind === "subscription") concerned.add(userId)
    notify(fact, owned, false)
    adoptWhatHangsOn(owned, userId)
  }

  const adoptWhatHangsOn = (parent: RecordId, userId: string) => {
    for (const fact of records.values()) {
      if (fact.userId === null && parentsOf(fact).some(({ id, kind }) => id === parent.id && kind === parent.kind)) {
        adopt(fact, userId, "parent")
      }
    }
  }

  const linkCustomer = (customerId: string, userId: string, linkedBy: LinkSource) => {
    if (links.has(customerId)) return
    const row = { customerId, userId, linkedBy, linkedAt: now, deletedAt: null }
    links.set(customerId, row)
    linked.set(customerId, row)
    for (const fact of records.values()) {
      if (fact.customerId === customerId) adopt(fact, userId, "link")
    }
    release("customerId", customerId, userId)
    concerned.add(userId)
  }

  const ownerOf = (name: RecordId): string | null => records.get(recordKey(name))?.userId ?? null

  const subscriptionsOf = (userId: string): ReadonlyArray<SubscriptionFact> => {
    const own: Array<SubscriptionFact> = []
    for (const fact of records.values()) {
      if (fact.kind === "subscription" && fact.userId === userId) own.push(subscriptionFact(fact))
    }
    return own
  }

  return {
    delivery: (id) => deliveries.get(id),
    recordDelivery: (row) => {
      deliveries.set(row.id, row)
      recorded.set(row.id, row)
    },
    link: (customerId) => links.get(customerId),
    linkCustomer,
    markCustomerDeleted: (customerId, at) => {
      const link = links.get(customerId)
      if (link === undefined || link.deletedAt !== null) return
      links.set(customerId, { ...link, deletedAt: at })
      linked.set(customerId, { ...link, deletedAt: at })
    },
    record: (name) => records.get(recordKey(name)),
    identify: (evidence) => {
      const { checkoutId, customer, metadataUserId } = evidence
      const externalUser = asUserId(customer.externalId)
      const identified = identify(
        {
          owner: ownerOf(evidence),
          checkoutUser: checkoutId === null ? null : (checkouts.get(checkoutId)?.userId ?? null),
          parentOwner:
            parentsOf(evidence)
              .map(ownerOf)
              .find((owner) => owner !== null) ?? null,
          linkedUser: customer.id === null ? null : (links.get(customer.id)?.userId ?? null),
          externalUser,
          metadataUser: metadataUserId
        },
        (user) => rowsOfUsers.has(user) || known.has(user)
      )
      if (identified !== null && identified.by !== null) adopt(evidence, identified.userId, identified.by)
      if (externalUser !== null && customer.id !== null) linkCustomer(customer.id, externalUser, "external_id")
      return identified === null
        ? null
        : {
            userId: identified.userId,
            ownedBy: identified.by ?? records.get(recordKey(evidence))?.ownedBy ?? null
          }
    },
    write: (row) => {
      const key = recordKey(row)
      const before = records.get(key)
      records.set(key, row)
      written.set(key, row)
      adopted.delete(key)
      if (row.userId === null) return
      if (row.kind === "subscription") concerned.add(row.userId)
      notify(before, row, true)
      if (before === undefined) adoptWhatHangsOn(row, row.userId)
    },
    queued: () => notifications.size,
    changes: () => ({
      deliveries: [...recorded.values()],
      links: [...linked.values()],
      records: [...written.values()],
      adoptions: [...adopted.values()],
      releases,
      projections: [...concerned].flatMap((userId) =>
        rowsOfUsers.has(userId)
          ? project(policy, {
              userId,
              subscriptions: subscriptionsOf(userId),
              links: links.values(),
              holderOf: (customerId) => customerHolders.get(customerId),
              now
            })
          : []
      ),
      notifications: [...notifications.values()],
      checkouts: []
    })
  }
}
