/**
 * The working copy of one step: facts as they become while deliveries are gone through one after the other, and the
 * changes that this amounts to. It lives for one call of a step's `decide`, and asks the rules.
 */
import type { DeliveryState } from "../records/Delivery.ts"
import { withoutPerson, withoutUser } from "../records/kinds.ts"
import { type RecordReport, recordKey } from "../records/RecordReport.ts"
import type {
  CheckoutRow,
  DeliveryFact,
  DeliveryRow,
  LinkChangeRow,
  LinkRow,
  LinkSource,
  ProjectionRow,
  RecordFact,
  RecordRow
} from "../records/rows.ts"
import { nobody } from "../records/rows.ts"
import { type SubscriptionFact, subscriptionFact } from "../records/subscriptionKind.ts"
import type { AccessCause } from "../rules/accessChange.ts"
import { clockStateOf } from "../rules/clock.ts"
import { isErased } from "../rules/erasure.ts"
import {
  type AppUsers,
  asUserId,
  identify,
  isOfThisApp,
  isSoldElsewhere,
  isWeak,
  type OwnedBy,
  outweighs,
  type WaitsBecause
} from "../rules/identity.ts"
import { project } from "../rules/projection.ts"
import type { UserId } from "../values/ids.ts"
import { type OwnershipEvidence, parentsOf } from "./keys.ts"
import * as NotificationQueue from "./notificationQueue.ts"
import type { Changes, Facts, RecordId, Release } from "./Step.ts"

export interface WorkingCopy {
  /** What is queued from here on is of this trace. */
  readonly tracedAs: NotificationQueue.NotificationQueue["tracedAs"]
  readonly delivery: (
    id: string
  ) => { readonly state: DeliveryState; readonly attempts: number; readonly userId: string | null } | undefined
  readonly recordDelivery: (row: DeliveryRow) => void
  readonly link: (customerId: string) => LinkRow | undefined
  /** The user to whom the customer is linked; `null` where it is nobody's. */
  readonly linkedUser: (customerId: string) => string | null
  /** Links a customer to another user, and gives that one all of it that was the user's before, or nobody's. */
  readonly moveCustomer: (customerId: string, userId: string) => void
  /** Gives a record to another user by an operator's word, and all that hangs on it and was the same user's, or nobody's. */
  readonly moveRecord: (name: RecordId, userId: string) => void
  /** Ends the link. What was the user's by no more than it waits as unlinked, and only a checkout or somebody's word gives it. */
  readonly unlinkCustomer: (customerId: string) => void
  /** Keeps who changed a link, and when. */
  readonly recordLinkChange: (row: LinkChangeRow) => void
  /** Links a customer that has no link, and gives the user all of its records that are unlinked. */
  readonly linkCustomer: (customerId: string, userId: string, linkedBy: LinkSource) => void
  /** The same for the user whom the customer's external id names, if that is one of this app's. */
  readonly linkByExternalId: (customer: OwnershipEvidence["customer"]) => void
  /** Also of a customer that is nobody's: what comes later, and is older, is to find that it was deleted. */
  readonly markCustomerDeleted: (customerId: string, at: number) => void
  /** Nothing personal of the customer stays: neither in what is stored, nor in what this step has yet to write. */
  readonly forgetCustomer: (customerId: string) => void
  readonly isForgotten: (customerId: string) => boolean
  /** The report as it may be stored of this user's. */
  readonly withoutForgotten: (report: RecordReport, userId: string | null) => RecordReport
  readonly record: (name: RecordId) => RecordFact | undefined
  /** The `data` of one of which the step has asked for it, or that it has written. */
  readonly data: (name: RecordId) => string | undefined
  /** Remembers the checkout, and gives its user what came from it. */
  readonly recordCheckout: (checkout: CheckoutRow) => void
  /**
   * Whose record it is, as far as is known by now. What is stored of it, and waited for its user or was given to another by
   * weaker evidence, is given to them.
   */
  readonly identify: (evidence: OwnershipEvidence) => Owner
  /** Writes a newer state, and queues a notification if its user can see a difference. */
  readonly write: (row: RecordRow) => void
  /**
   * Has the clock's word on a stored record: when its time has passed, that is told and shown; else it is noted when it will.
   * Succeeds with whether it has.
   */
  readonly look: (name: RecordId) => boolean
  /** Tells who hears of it that an event was received. */
  readonly tellEvent: (event: NotificationQueue.HappenedEvent) => void
  /** Tells whose access or benefits have become others since this was said before, and what made them so. */
  readonly tellUsers: (cause: AccessCause) => void
  /** How many notifications are queued so far. */
  readonly queued: () => number
  readonly changes: () => Changes
}

const followsParent = ({ ownedBy }: RecordFact): boolean => ownedBy === "parent"

export interface Owner {
  readonly userId: UserId | null
  /** See `RecordRow.ownedBy`. */
  readonly ownedBy: string | null
}

export interface WorkingCopyOptions extends NotificationQueue.QueueOptions {
  /** Whom of those that Polar names the app has. */
  readonly users?: AppUsers | undefined
}

export const make = (facts: Facts, { users = {}, ...options }: WorkingCopyOptions): WorkingCopy => {
  const { now, policy } = options
  const deliveries = new Map<string, DeliveryFact>(facts.deliveries.map((row) => [row.id, row]))
  const links = new Map(facts.links.map((row) => [row.customerId, row]))
  const checkouts = new Map(facts.checkouts.map((row) => [row.id, row]))
  const records = new Map<string, RecordFact>(facts.records.map((row) => [recordKey(row), row]))
  const rowsOfUsers = new Map(facts.users.map((user) => [user.id, user]))
  const customerHolders = new Map(
    facts.users.flatMap((user) => (user.polarCustomerId === null ? [] : [[user.polarCustomerId, user.id] as const]))
  )
  const known = new Set([...facts.knownUserIds, ...(users.existing ?? [])])
  const trusts = users.externalIds === "trust" || (users.externalIds === undefined && !facts.hasUsers)

  const details = new Map((facts.details ?? []).map((row) => [recordKey(row), row.data]))
  const recorded = new Map<string, DeliveryRow>()
  const linked = new Map<string, LinkRow>()
  const written = new Map<string, RecordRow>()
  const adopted = new Map<string, Changes["adoptions"][number]>()
  const releases: Array<Release> = []
  const clocks = new Map<string, Changes["clocks"][number]>()
  const queue = NotificationQueue.make(facts, options)
  const made = new Map<string, CheckoutRow>()
  const concerned = new Set<string>()
  const linkChanges: Array<LinkChangeRow> = []
  /** Users whose row shows a customer that is theirs no longer. */
  const showsLost = new Set<string>()
  const forgotten = new Set<string>()

  // Of whom a record is another, or was, since `tellUsers`.
  const touched = new Set<string>()
  const touch = (...users: ReadonlyArray<string | null>) => {
    for (const user of users) if (user !== null) touched.add(user)
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

  /**
   * Gives a stored record to a user, and with it what hangs on it: one that is unlinked, or that weaker evidence gave to
   * somebody.
   */
  const adopt = (name: RecordId, userId: string, ownedBy: OwnedBy) => {
    const key = recordKey(name)
    const fact = records.get(key)
    if (fact === undefined || (fact.userId !== null && !outweighs(ownedBy, fact.ownedBy))) return
    if (fact.userId === userId && fact.ownedBy === ownedBy) return
    const row = written.get(key)
    if (row === undefined) adopted.set(key, { kind: fact.kind, id: fact.id, userId, ownedBy, updatedAt: now })
    else written.set(key, { ...row, userId, ownedBy })
    const owned = { ...fact, userId, ownedBy }
    records.set(key, owned)
    if (fact.userId === userId) return
    release("recordId", fact.id, userId)
    touch(userId, fact.userId)
    if (fact.kind === "subscription") for (const user of [userId, fact.userId]) if (user !== null) concerned.add(user)
    if (fact.userId === null) queue.recordChanged(fact, owned, false)
    else queue.recordMoved(fact, owned)
    adoptWhatHangsOn(owned, userId)
  }

  const whatHangsOn = (parent: RecordId): ReadonlyArray<RecordFact> =>
    [...records.values()].filter((fact) =>
      parentsOf(fact).some(({ id, kind }) => id === parent.id && kind === parent.kind)
    )

  const adoptWhatHangsOn = (parent: RecordId, userId: string) => {
    for (const fact of whatHangsOn(parent)) adopt(fact, userId, "parent")
  }

  /**
   * What it hangs on waits for its user, because another deployment sold it: so does what is nobody's, what only weak evidence
   * gave to somebody, and what the user has only by what it hangs on, of whom that was until now.
   */
  const waitWithParent = (fact: RecordFact, parentWasOf: string | null) => {
    const isSettled =
      fact.userId === null
        ? followsParent(fact)
        : !(isWeak(fact.ownedBy) || (followsParent(fact) && fact.userId === parentWasOf))
    if (isSettled) return
    disown(fact, "parent")
    for (const one of whatHangsOn(fact)) waitWithParent(one, fact.userId)
  }

  /** Whether a user whom Polar names is one of this app's: see the rule. */
  const counts = (userId: string, customerEmail: string | null): boolean =>
    isOfThisApp({ email: rowsOfUsers.get(userId)?.email, isKnown: known.has(userId), customerEmail }, trusts)

  const setLink = (customerId: string, userId: string, linkedBy: LinkSource) => {
    const deletedAt = links.get(customerId)?.deletedAt ?? null
    const row = { customerId, userId, linkedBy, linkedAt: now, deletedAt }
    links.set(customerId, row)
    linked.set(customerId, row)
    if (userId !== nobody) known.add(userId)
  }

  /** The link, if it is more than a mark that Polar has deleted the customer. */
  const linkOf = (customerId: string): LinkRow | undefined => {
    const row = links.get(customerId)
    return row?.linkedBy === "deleted" ? undefined : row
  }

  const linkedUser = (customerId: string): string | null => {
    const userId = links.get(customerId)?.userId ?? nobody
    return userId === nobody ? null : userId
  }

  /** Whoever's row shows the customer shows it no longer, unless it is this user's. */
  const showNoLonger = (customerId: string, userId: string | null) => {
    const holder = customerHolders.get(customerId)
    if (holder === undefined || holder === userId) return
    customerHolders.delete(customerId)
    showsLost.add(holder)
    concerned.add(holder)
  }

  /** Those of the given ones that were the user's, or nobody's. */
  const give = (facts: ReadonlyArray<RecordFact>, from: string | null, userId: string) => {
    for (const fact of facts) if (fact.userId === null || fact.userId === from) adopt(fact, userId, "operator")
  }

  /** The record, and what hangs on it. */
  const withWhatHangsOn = (fact: RecordFact): ReadonlyArray<RecordFact> => {
    const found = new Set([fact])
    for (const parent of found) for (const one of whatHangsOn(parent)) found.add(one)
    return [...found]
  }

  const moveCustomer = (customerId: string, userId: string) => {
    const from = linkedUser(customerId)
    showNoLonger(customerId, userId)
    setLink(customerId, userId, "operator")
    release("customerId", customerId, userId)
    for (const user of [userId, from]) if (user !== null) concerned.add(user)
    give(
      [...records.values()].filter((fact) => fact.customerId === customerId),
      from,
      userId
    )
  }

  const moveRecord = (name: RecordId, userId: string) => {
    const fact = records.get(recordKey(name))
    if (fact === undefined) return
    known.add(userId)
    give(withWhatHangsOn(fact), fact.userId, userId)
  }

  const unlinkCustomer = (customerId: string) => {
    const from = linkedUser(customerId)
    if (from === null) return
    showNoLonger(customerId, null)
    setLink(customerId, nobody, "operator")
    concerned.add(from)
    const theirs = [...records.values()].filter((fact) => fact.customerId === customerId && fact.userId === from)
    const byLink = theirs.filter(({ ownedBy }) => ownedBy === null || isWeak(ownedBy))
    const lost = new Set(byLink.flatMap((fact) => [fact, ...withWhatHangsOn(fact).filter(followsParent)]))
    for (const fact of lost) if (fact.userId === from) disown(fact)
  }

  const disown = (fact: RecordFact, ownedBy: WaitsBecause | null = null) => {
    const key = recordKey(fact)
    const after = { ...fact, userId: null, ownedBy }
    const row = written.get(key)
    if (row === undefined) adopted.set(key, { kind: fact.kind, id: fact.id, userId: null, ownedBy, updatedAt: now })
    else written.set(key, { ...row, userId: null, ownedBy })
    records.set(key, after)
    if (fact.userId === null) return
    touch(fact.userId)
    queue.recordMoved(fact, after)
  }

  const linkCustomer = (customerId: string, userId: string, linkedBy: LinkSource) => {
    const before = linkOf(customerId)
    // What an operator ended is not begun again by what was known before.
    // Nor does what Polar says bring back somebody who was erased; the app may, when they have come back.
    const isSaidByApp = linkedBy === "host" || linkedBy === "operator"
    const isEnded =
      (before?.userId === nobody && isSaidByApp) ||
      (isErased(before?.userId) && (isSaidByApp || linkedBy === "checkout"))
    if (before !== undefined && !isEnded) return
    setLink(customerId, userId, linkedBy)
    for (const fact of [...records.values()]) {
      // What waits with its parent gets its user with that, and by no link.
      if (fact.customerId !== customerId || fact.userId !== null || followsParent(fact)) continue
      if (linkedBy !== "external_id" || !isSoldElsewhere(fact)) adopt(fact, userId, "link")
    }
    release("customerId", customerId, userId)
    concerned.add(userId)
  }

  /** `agreed`: somebody to whom other evidence points. Two that say the same need no more. */
  const linkByExternalId = ({ email, externalId, id }: OwnershipEvidence["customer"], agreed: string | null = null) => {
    const userId = asUserId(externalId)
    if (userId === null || id === null) return
    if (userId === agreed || counts(userId, email)) linkCustomer(id, userId, "external_id")
  }

  const isForgotten = (customerId: string): boolean =>
    forgotten.has(customerId) || (links.get(customerId)?.deletedAt ?? null) !== null || isOfErased(customerId)

  const isOfErased = (customerId: string): boolean => isErased(links.get(customerId)?.userId)

  const subscriptionsOf = (userId: string): ReadonlyArray<SubscriptionFact> => {
    const own: Array<SubscriptionFact> = []
    for (const fact of records.values()) {
      if (fact.kind === "subscription" && fact.userId === userId) own.push(subscriptionFact(fact))
    }
    return own
  }

  const projectionOf = (userId: string): ProjectionRow => {
    const row = project(policy, {
      userId,
      subscriptions: subscriptionsOf(userId),
      links: links.values(),
      holderOf: (customerId) => customerHolders.get(customerId),
      now
    })
    return row.polarCustomerId === undefined && showsLost.has(userId) ? { ...row, polarCustomerId: null } : row
  }

  return {
    tracedAs: queue.tracedAs,
    delivery: (id) => deliveries.get(id),
    recordDelivery: (row) => {
      deliveries.set(row.id, row)
      recorded.set(row.id, row)
    },
    link: (customerId) => links.get(customerId),
    linkedUser,
    moveCustomer,
    moveRecord,
    unlinkCustomer,
    recordLinkChange: (row) => linkChanges.push(row),
    linkCustomer,
    linkByExternalId: (customer) => linkByExternalId(customer),
    recordCheckout: (checkout) => {
      if (checkouts.has(checkout.id)) return
      checkouts.set(checkout.id, checkout)
      made.set(checkout.id, checkout)
      for (const fact of [...records.values()]) {
        if (fact.checkoutId === checkout.id) adopt(fact, checkout.userId, "checkout")
      }
    },
    markCustomerDeleted: (customerId, at) => {
      const link = links.get(customerId)
      // Of another user's row this step does not know enough to write it.
      if (link !== undefined && customerHolders.get(customerId) === link.userId) showNoLonger(customerId, null)
      if (link !== undefined && link.deletedAt !== null) return
      const row: LinkRow = {
        ...(link ?? { customerId, userId: nobody, linkedBy: "deleted", linkedAt: now }),
        deletedAt: at
      }
      links.set(customerId, row)
      linked.set(customerId, row)
    },
    forgetCustomer: (customerId) => {
      forgotten.add(customerId)
      for (const [id, row] of recorded) if (row.customerId === customerId) recorded.set(id, { ...row, body: null })
      for (const [key, row] of written) if (row.customerId === customerId) written.set(key, withoutPerson(row))
    },
    isForgotten,
    withoutForgotten: (report, userId) => {
      const { id } = report.customer
      if (isErased(userId) || (id !== null && isOfErased(id))) return withoutUser(report)
      return id !== null && isForgotten(id) ? withoutPerson(report) : report
    },
    record: (name) => records.get(recordKey(name)),
    data: (name) => written.get(recordKey(name))?.data ?? details.get(recordKey(name)),
    identify: (evidence) => {
      const { checkoutId, customer, metadataUserId } = evidence
      const stored = records.get(recordKey(evidence))
      // Its checkout is one of those of which a record is kept, and there is none here.
      const isElsewhere = evidence.isRecorded && (checkoutId === null || !checkouts.has(checkoutId))
      const link = customer.id === null ? undefined : linkOf(customer.id)
      const parents = parentsOf(evidence).flatMap((name) => records.get(recordKey(name)) ?? [])
      const parent = parents.find(({ userId }) => userId !== null)
      const isParentElsewhere = parent === undefined && parents.some(isSoldElsewhere)
      // An operator has said that it is not whose it seems to be.
      const isCutOff = link?.userId === nobody
      const identified = identify(
        {
          owner: stored?.userId ?? null,
          ownedBy: stored?.ownedBy ?? null,
          checkoutUser: checkoutId === null ? null : (checkouts.get(checkoutId)?.userId ?? null),
          parentOwner: parent?.userId ?? null,
          movedParentOwner: parent?.ownedBy === "operator" ? parent.userId : null,
          isParentElsewhere,
          linkedUser:
            link === undefined || isCutOff || (isElsewhere && link.linkedBy === "external_id") ? null : link.userId,
          externalUser: asUserId(customer.externalId),
          metadataUser: metadataUserId
        },
        (user, by) => !isElsewhere && !isCutOff && counts(user, by === "external_id" ? customer.email : null)
      )
      if (identified !== null && identified.by !== null) adopt(evidence, identified.userId, identified.by)
      if (identified === null && isParentElsewhere && stored !== undefined) waitWithParent(stored, stored.userId)
      // Also of what hangs on something that was sold elsewhere: the customer's own events say the same of it.
      if (!isElsewhere) linkByExternalId(customer, identified?.userId)
      if (identified === null) {
        const because: WaitsBecause | null = isParentElsewhere ? "parent" : isElsewhere ? "elsewhere" : null
        return { userId: null, ownedBy: because }
      }
      return { userId: identified.userId, ownedBy: identified.by ?? stored?.ownedBy ?? null }
    },
    write: (given) => {
      const key = recordKey(given)
      const before = records.get(key)
      const row = { ...given, ...clockStateOf(policy, given, before?.lapsedAt ?? null, now) }
      records.set(key, row)
      written.set(key, row)
      adopted.delete(key)
      touch(before?.userId ?? null, row.userId)
      if (isSoldElsewhere(row)) for (const fact of whatHangsOn(row)) waitWithParent(fact, null)
      if (row.userId === null) return
      if (row.kind === "subscription") concerned.add(row.userId)
      queue.recordChanged(before, row, true)
      adoptWhatHangsOn(row, row.userId)
    },
    look: (name) => {
      const key = recordKey(name)
      const before = records.get(key)
      if (before === undefined) return false
      const state = clockStateOf(policy, before, before.lapsedAt, now)
      if (state.clockAt === before.clockAt && state.lapsedAt === before.lapsedAt) return false
      const after = { ...before, ...state }
      records.set(key, after)
      clocks.set(key, { kind: before.kind, id: before.id, ...state, updatedAt: now })
      if (after.userId !== null) concerned.add(after.userId)
      touch(after.userId)
      queue.recordChanged(before, after, false)
      return before.lapsedAt === null && after.lapsedAt !== null
    },
    tellEvent: queue.eventHappened,
    tellUsers: (cause) => {
      queue.usersChanged(touched, records.values(), cause)
      touched.clear()
    },
    queued: queue.size,
    changes: () => ({
      deliveries: [...recorded.values()],
      links: [...linked.values()],
      records: [...written.values()],
      adoptions: [...adopted.values()],
      clocks: [...clocks.values()],
      releases,
      projections: [...concerned].flatMap((userId) => (rowsOfUsers.has(userId) ? projectionOf(userId) : [])),
      notifications: queue.rows(),
      checkouts: [...made.values()],
      ...(linkChanges.length === 0 ? {} : { linkChanges }),
      ...(forgotten.size === 0 ? {} : { bodiless: [...forgotten], blanks: (facts.forgotten ?? []).map(withoutPerson) })
    })
  }
}
