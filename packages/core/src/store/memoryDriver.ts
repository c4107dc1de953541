/** The store's driver over tables in memory: the reference for what a driver does, and the store of tests and trials. */

import { addressIn } from "../records/Customer.ts"
import { settledStates } from "../records/DeliveryState.ts"
import { kindNamed } from "../records/kinds.ts"
import type { NotificationState } from "../records/Notification.ts"
import { recordKey } from "../records/RecordReport.ts"
import type {
  ActionRow,
  CheckoutRow,
  ClaimedNotificationRow,
  DeliveryRow,
  JobRow,
  LinkChangeRow,
  LinkRow,
  NotificationRow,
  ProjectionRow,
  RecordRow,
  UserRow
} from "../records/rows.ts"
import { isWeak } from "../rules/identity.ts"
import { isListed } from "../steps/listedOrigin.ts"
import type { Changes, ErasedUser, Facts, Keys, RecordId } from "../steps/Step.ts"
import { recordSubject, sequencedSubjects } from "../steps/subjects.ts"
import { outdatedAmong, supersededAmong } from "../steps/supersede.ts"
import * as MemoryTable from "./memoryTable.ts"
import type { DeadRowQuery, DeliveryRowQuery, DueRecord, StoreDriver } from "./StoreDriver.ts"

interface StoredNotification extends NotificationRow {
  readonly traceparent: string | null
  readonly state: NotificationState
  readonly attempts: number
  readonly availableAt: number
  readonly leaseOwner: string | null
  readonly leaseUntil: number | null
  readonly lastError: string | null
}

export const makeMemoryDriver = (appUsers: ReadonlyArray<UserRow> = []): StoreDriver => {
  const deliveries = MemoryTable.make<DeliveryRow>((row) => row.id)
  const unlinkedBy = {
    customerId: deliveries.indexedBy((row) => (row.state === "unlinked" ? row.customerId : null)),
    recordId: deliveries.indexedBy((row) => (row.state === "unlinked" ? row.recordId : null))
  }
  const links = MemoryTable.make<LinkRow>((row) => row.customerId)
  const linksByUser = links.indexedBy((row) => row.userId)
  const records = MemoryTable.make<RecordRow>(recordKey)
  const recordsByCustomer = records.indexedBy((row) => row.customerId)
  const deliveriesByCustomer = deliveries.indexedBy((row) => row.customerId)
  const unlinkedByCustomer = records.indexedBy((row) => (row.userId === null ? row.customerId : null))
  const recordsBySubscription = records.indexedBy((row) => row.subscriptionId)
  const recordsByOrder = records.indexedBy((row) => row.orderId)
  const recordsByCheckout = records.indexedBy((row) => row.checkoutId)
  const recordsByUser = records.indexedBy((row) => (row.userId === null ? null : ofUser(row.kind, row.userId)))
  const checkouts = MemoryTable.make<CheckoutRow>((row) => row.id)
  const checkoutsByUser = checkouts.indexedBy((row) => row.userId)
  const notifications = MemoryTable.make<StoredNotification>((row) => row.id)
  const untold = notifications.indexedBy((row) => (row.state === "pending" ? row.subject : null))
  const dead = notifications.indexedBy((row) => (row.state === "dead" ? "dead" : null))
  const users = new Map(appUsers.map((user) => [user.id, user]))
  const projections = MemoryTable.make<ProjectionRow>((row) => row.userId)
  const projectionsByCustomer = projections.indexedBy((row) => row.polarCustomerId ?? null)
  const jobs = new Map<string, JobRow>()
  const linkChanges: Array<LinkChangeRow> = []
  const actions: Array<ActionRow> = []

  /** Unless somebody else has it by now. */
  const endLease = (id: string, owner: string, outcome: Partial<StoredNotification>): boolean => {
    const row = notifications.get(id)
    if (row === undefined || row.state !== "pending" || row.leaseOwner !== owner) return false
    notifications.put({ ...row, ...outcome, leaseOwner: null, leaseUntil: null })
    return true
  }

  const claim = (row: StoredNotification, leaseOwner: string, leaseUntil: number): ClaimedNotificationRow => {
    const claimed = { ...row, attempts: row.attempts + 1, leaseOwner, leaseUntil }
    notifications.put(claimed)
    return claimed
  }

  const hangingOn = ({ id, kind }: RecordId): Iterable<RecordRow> =>
    kind === "subscription" ? recordsBySubscription.of(id) : kind === "order" ? recordsByOrder.of(id) : []

  const load = (keys: Keys): Facts => {
    const named = keys.customerIds.flatMap((id) => links.get(id) ?? [])
    const made = keys.checkoutIds.flatMap((id) => checkouts.get(id) ?? [])
    const found = new Map<string, RecordRow>()
    const find = (row: RecordRow) => found.set(recordKey(row), row)
    const findWithWhatHangsOn = (row: RecordRow) => {
      find(row)
      for (const child of hangingOn(row)) findWithWhatHangsOn(child)
    }
    /** And on those that are found, what has its user by these. */
    const findWhatHangsWeaklyOn = (name: RecordId, isFound: boolean) => {
      for (const row of hangingOn(name)) {
        if (row.userId !== null && !isWeak(row.ownedBy) && !(isFound && row.ownedBy === "parent")) continue
        find(row)
        findWhatHangsWeaklyOn(row, true)
      }
    }
    for (const name of keys.records) {
      const row = records.get(recordKey(name))
      if (row !== undefined) find(row)
    }
    for (const id of keys.customerIds) {
      for (const row of unlinkedByCustomer.of(id)) {
        find(row)
        findWhatHangsWeaklyOn(row, true)
      }
    }
    for (const name of keys.parents) findWhatHangsWeaklyOn(name, false)
    for (const id of keys.wholeCustomerIds ?? []) for (const row of recordsByCustomer.of(id)) findWithWhatHangsOn(row)
    for (const name of keys.wholeRecords ?? []) {
      const row = records.get(recordKey(name))
      if (row !== undefined) findWithWhatHangsOn(row)
    }
    for (const id of keys.originIds) for (const row of recordsByCheckout.of(id)) findWithWhatHangsOn(row)
    const concerned = new Set(keys.userIds)
    for (const { userId } of [...named, ...made]) concerned.add(userId)
    for (const { userId } of found.values()) if (userId !== null) concerned.add(userId)
    for (const id of keys.customerIds) for (const { userId } of projectionsByCustomer.of(id)) concerned.add(userId)
    const theirs = keys.handlers?.has("onBenefitChange") ? ["subscription", "benefit_grant"] : ["subscription"]
    for (const id of concerned)
      for (const kind of theirs) for (const row of recordsByUser.of(ofUser(kind, id))) find(row)
    const detailed = new Set((keys.detailed ?? []).map(recordKey))
    return {
      deliveries: keys.deliveryIds.flatMap((id) => deliveries.get(id) ?? []),
      links: named,
      checkouts: made,
      records: [...found.values()],
      users: [...concerned]
        .filter((id) => users.has(id))
        .map((id) => ({
          id,
          email: users.get(id)?.email ?? null,
          polarCustomerId: projections.get(id)?.polarCustomerId ?? null
        })),
      hasUsers: users.size > 0,
      knownUserIds: keys.userIds.filter((id) => linksByUser.has(id) || checkoutsByUser.has(id)),
      untold: [
        ...keys.records.map(recordSubject),
        ...(keys.subjects ?? []),
        ...(keys.handlers === undefined ? [] : sequencedSubjects(keys.handlers, concerned, found.values()))
      ].flatMap((subject) => {
        const rows = [...untold.of(subject)]
        return rows.length === 0 ? [] : [{ subject, eventAt: Math.max(...rows.map(({ eventAt }) => eventAt)) }]
      }),
      details: keys.records.flatMap((name) => {
        const row = records.get(recordKey(name))
        return row !== undefined && (detailed.has(recordKey(name)) || isListed(row)) ? [row] : []
      }),
      forgotten: (keys.forgottenCustomerIds ?? []).flatMap((id) => [...recordsByCustomer.of(id)])
    }
  }

  /** What makes way for a newer one of the subject. */
  const supersede = (subject: string): void => {
    for (const id of supersededAmong([...untold.of(subject)])) {
      const row = notifications.get(id)
      if (row !== undefined) notifications.put({ ...row, state: "superseded" })
    }
  }

  const deadAmong = (query: DeadRowQuery): ReadonlyArray<StoredNotification> =>
    [...dead.of("dead")]
      .filter(
        (row) =>
          (query.ids === undefined || query.ids.includes(row.id)) &&
          (query.userId === undefined || row.userId === query.userId) &&
          (query.handlers === undefined || query.handlers.includes(row.handler)) &&
          (query.subjects === undefined || query.subjects.includes(row.subject)) &&
          (query.diedBefore === undefined || row.availableAt < query.diedBefore) &&
          (query.diedAfter === undefined || row.availableAt >= query.diedAfter) &&
          (query.after === undefined ||
            row.availableAt > query.after.diedAt ||
            (row.availableAt === query.after.diedAt && compare(row.id, query.after.id) > 0))
      )
      .sort((a, b) => a.availableAt - b.availableAt || compare(a.id, b.id))
      .slice(0, query.limit)

  const write = (changes: Changes): void => {
    for (const id of changes.bodiless ?? []) {
      for (const row of [...deliveriesByCustomer.of(id)]) deliveries.put({ ...row, body: null })
    }
    for (const { data, ...name } of changes.blanks ?? []) {
      const row = records.get(recordKey(name))
      if (row !== undefined) records.put({ ...row, data })
      for (const told of notifications.all()) {
        if (told.id.startsWith(`${name.id}:`)) notifications.put({ ...told, lastError: null })
      }
    }
    for (const row of changes.deliveries) deliveries.put(row)
    for (const row of changes.links) links.put(row)
    for (const row of changes.records) records.put(row)
    for (const { ownedBy, updatedAt, userId, ...name } of changes.adoptions) {
      const row = records.get(recordKey(name))
      if (row !== undefined) records.put({ ...row, userId, ownedBy, updatedAt })
    }
    for (const { clockAt, lapsedAt, updatedAt, ...name } of changes.clocks) {
      const row = records.get(recordKey(name))
      if (row !== undefined) records.put({ ...row, clockAt, lapsedAt, updatedAt })
    }
    for (const { by, id, updatedAt, userId } of changes.releases) {
      for (const row of [...unlinkedBy[by].of(id)]) deliveries.put({ ...row, state: "applied", userId, updatedAt })
    }
    for (const row of changes.projections) {
      const polarCustomerId =
        row.polarCustomerId === undefined ? projections.get(row.userId)?.polarCustomerId : row.polarCustomerId
      projections.put({ ...row, polarCustomerId })
    }
    for (const row of changes.notifications) {
      if (notifications.has(row.id)) continue
      notifications.put({
        ...row,
        state: "pending",
        attempts: row.lease === null ? 0 : 1,
        availableAt: row.createdAt,
        leaseOwner: row.lease?.owner ?? null,
        leaseUntil: row.lease === null ? null : row.createdAt + row.lease.millis,
        lastError: null
      })
    }
    // When all are queued: which of them is the newest, decides what the others make way for.
    for (const subject of new Set(changes.notifications.map((row) => row.subject))) supersede(subject)
    linkChanges.push(...(changes.linkChanges ?? []))
    for (const row of changes.checkouts) {
      if (!checkouts.has(row.id)) checkouts.put(row)
    }
    if (changes.erased !== undefined) erase(changes.erased)
  }

  const erase = ({ pseudonym, userId }: ErasedUser): void => {
    const isTheirs = (row: { readonly userId: string | null }) => row.userId === userId
    for (const row of records.all().filter(isTheirs)) records.put({ ...row, userId: pseudonym })
    for (const row of deliveries.all().filter(isTheirs)) {
      deliveries.put({ ...row, userId: pseudonym, body: null, lastError: null })
    }
    for (const row of checkouts.all().filter(isTheirs)) checkouts.put({ ...row, userId: pseudonym })
    for (const row of notifications.all().filter(isTheirs)) notifications.delete(row.id)
    const renamed = (id: string | null) => (id === userId ? pseudonym : id)
    for (const [place, row] of linkChanges.entries()) {
      linkChanges[place] = { ...row, fromUserId: renamed(row.fromUserId), toUserId: renamed(row.toUserId) }
    }
    for (const [place, row] of actions.entries()) {
      const replaced = (text: string) => text.replaceAll(JSON.stringify(userId), JSON.stringify(pseudonym))
      const detail = row.detail === null ? null : replaced(row.detail)
      actions[place] = { ...row, subject: renamed(row.subject), detail, result: replaced(row.result) }
    }
  }

  const selected = (query: DeliveryRowQuery): ReadonlyArray<DeliveryRow> =>
    (query.ids === undefined
      ? deliveries.all()
      : [...new Set(query.ids)].flatMap((id) => deliveries.get(id) ?? [])
    ).filter(
      (row) =>
        (query.states === undefined || query.states.includes(row.state)) &&
        (query.types === undefined || query.types.includes(row.type)) &&
        (query.userId === undefined || row.userId === query.userId) &&
        (query.receivedBefore === undefined || row.receivedAt < query.receivedBefore) &&
        (query.receivedAfter === undefined || row.receivedAt >= query.receivedAfter) &&
        (query.after === undefined ||
          (query.order === "oldest"
            ? row.receivedAt > query.after.receivedAt ||
              (row.receivedAt === query.after.receivedAt && row.id > query.after.id)
            : row.receivedAt < query.after.receivedAt ||
              (row.receivedAt === query.after.receivedAt && row.id < query.after.id)))
    )

  return {
    name: "memory",
    parallelSteps: 1,
    migrate: () => ({ applied: [], newer: [] }),
    migrationStatus: () => ({ applied: [], pending: [], newer: [] }),
    inspect: () => ({ missingIndexes: [], denied: [], users: null }),
    // `decide` throws before anything is written, and nothing runs in between: that is all a transaction takes here.
    atomically: (keys, decide) => write(decide(load(keys))),
    recordsOf: ({ kind, live, productId, status, userId }) =>
      [...recordsByUser.of(ofUser(kind, userId))].filter(
        (row) =>
          (live === undefined || row.live === live) &&
          (status === undefined || row.status === status) &&
          (productId === undefined || row.productId === productId)
      ),
    liveSubscriptionsOf: (userId) => [...recordsByUser.of(ofUser("subscription", userId))].filter((row) => row.live),
    liveGrantsOf: (userId) =>
      [...recordsByUser.of(ofUser("benefit_grant", userId))]
        .filter((row) => row.live)
        .map(({ benefitId, data, id }) => ({
          id,
          grant: data,
          benefit: records.get(recordKey({ kind: "benefit", id: benefitId ?? "" }))?.data ?? null
        })),
    liveOrdersOf: (userId, productId) =>
      [...recordsByUser.of(ofUser("order", userId))].filter((row) => row.live && row.productId === productId),
    record: (kind, id) => records.get(recordKey({ kind, id })),
    customerOf: (userId) =>
      [...linksByUser.of(userId)]
        .filter((link) => link.deletedAt === null)
        .sort((a, b) => b.linkedAt - a.linkedAt || compare(a.customerId, b.customerId))[0]?.customerId,
    checkoutsOf: ({ createdAfter, limit, userId }) =>
      [...checkoutsByUser.of(userId)]
        .filter(({ createdAt }) => createdAt >= createdAfter)
        .sort((a, b) => b.createdAt - a.createdAt || compare(a.id, b.id))
        .slice(0, limit),
    ownershipOf: (userId) => ({
      links: [...linksByUser.of(userId)],
      records: records.all().filter((row) => row.userId === userId),
      changes: linkChanges
        .filter(({ fromUserId, toUserId }) => fromUserId === userId || toUserId === userId)
        .sort((a, b) => b.changedAt - a.changedAt || compare(a.id, b.id))
    }),
    personalData: (userId, customerIds) => {
      const customers = new Set<string | null>(customerIds)
      const isTheirs = (row: { readonly userId: string | null; readonly customerId: string | null }) =>
        row.userId === userId || customers.has(row.customerId)
      return {
        records: records
          .all()
          .filter(isTheirs)
          .sort((a, b) => compare(recordKey(a), recordKey(b))),
        deliveries: deliveries
          .all()
          .filter(isTheirs)
          .sort((a, b) => a.receivedAt - b.receivedAt || compare(a.id, b.id)),
        checkouts: [...checkoutsByUser.of(userId)].sort((a, b) => compare(a.id, b.id)),
        notifications: notifications
          .all()
          .filter((row) => row.userId === userId)
          .sort((a, b) => a.createdAt - b.createdAt || compare(a.id, b.id))
      }
    },
    usersOfCustomer: (customerId) => {
      const ids = [...recordsByCustomer.of(customerId)].flatMap(({ kind, userId }) => (isOwned(kind) ? [userId] : []))
      return [links.get(customerId)?.userId ?? null, ...ids].flatMap((id) => (id === null ? [] : [id]))
    },
    knownUsers: (userIds) => userIds.filter((id) => users.has(id) || linksByUser.has(id) || checkoutsByUser.has(id)),
    findUser: (userId) => users.get(userId),
    claimNotifications: ({ handlers, leaseMillis, limit, owner, time: { now } }) => {
      const due = [...untold.groups()]
        .flatMap(oldestOf)
        .filter(({ handler }) => handlers.includes(handler))
        .sort((a, b) => claimableAt(a) - claimableAt(b) || compare(a.id, b.id))
      const rows = due.filter((row) => claimableAt(row) <= now).slice(0, limit)
      const rest = due.find((row) => !rows.includes(row))
      const nextDueIn = rest !== undefined ? Math.max(claimableAt(rest) - now, 0) : rows.length > 0 ? leaseMillis : null
      return { rows: rows.map((row) => claim(row, owner, now + leaseMillis)), nextDueIn }
    },
    renewNotifications: ({ ids, leaseMillis, owner, time: { now } }) =>
      ids.filter((id) => {
        const row = notifications.get(id)
        if (row === undefined || row.state !== "pending" || row.leaseOwner !== owner) return false
        notifications.put({ ...row, leaseUntil: now + leaseMillis })
        return true
      }),
    completeNotifications: ({ ids, leaseMillis, owner, time: { now } }) => {
      const completed = ids.filter((id) => endLease(id, owner, { state: "done", availableAt: now }))
      if (leaseMillis === null) return { ids: completed, next: [] }
      const subjects = new Set(completed.flatMap((id) => notifications.get(id)?.subject ?? []))
      const next = [...subjects].flatMap((id) => oldestOf(untold.of(id))).filter((row) => claimableAt(row) <= now)
      return { ids: completed, next: next.map((row) => claim(row, owner, now + leaseMillis)) }
    },
    failNotification: ({ delayMillis, error, id, owner, state, time: { now } }) => {
      const row = notifications.get(id)
      if (!endLease(id, owner, { availableAt: now + delayMillis, lastError: error }) || row === undefined) return "lost"
      supersede(row.subject)
      const ended = notifications.get(id)
      if (ended?.state === "superseded") return "superseded"
      if (ended !== undefined) notifications.put({ ...ended, state })
      return "kept"
    },
    deadNotifications: (query) => deadAmong(query).map((row) => ({ ...row, diedAt: row.availableAt })),
    retryDead: (query, { now }) => {
      const rows = deadAmong(query)
      const subjects = new Set(rows.map(({ subject }) => subject))
      const queued = notifications.all().filter((row) => subjects.has(row.subject) && row.state !== "superseded")
      const outdated = outdatedAmong(rows, queued)
      for (const row of rows) {
        const state = outdated.includes(row) ? "superseded" : "pending"
        notifications.put(state === "pending" ? { ...row, state, attempts: 0, availableAt: now } : { ...row, state })
      }
      return { retried: rows.length - outdated.length, superseded: outdated.length }
    },
    buryNotifications: (ids, { now }) =>
      [...new Set(ids)].sort(compare).filter((id) => {
        const row = notifications.get(id)
        const isFailing = row?.state === "pending" && row.lastError !== null && !((row.leaseUntil ?? 0) > now)
        if (row === undefined || (row.state !== "dead" && !isFailing)) return false
        notifications.put({ ...row, state: "buried", availableAt: now, leaseOwner: null, leaseUntil: null })
        return true
      }),
    countNotifications: ({ handlers, subjects, time: { now } }) => {
      const isOne = (row: StoredNotification) => subjects === undefined || subjects.includes(row.subject)
      const heads = [...untold.groups()].flatMap(oldestOf).filter((row) => isOne(row) && handlers.includes(row.handler))
      const unsettled = heads.filter((row) => row.leaseOwner !== null || row.availableAt <= now).length
      return { unsettled, waiting: heads.length - unsettled, dead: [...dead.of("dead")].filter(isOne).length }
    },
    oldestPending: (handlers) => {
      const pending = [...untold.groups()].flatMap((rows) => [...rows]).filter((row) => handlers.includes(row.handler))
      return pending.length === 0 ? null : pending.reduce((least, row) => Math.min(least, row.createdAt), Infinity)
    },
    deliveries: (query) =>
      [...selected(query)]
        .sort(query.order === "oldest" ? (a, b) => newestFirst(b, a) : newestFirst)
        .slice(0, query.limit),
    countDeliveries: (query) => selected(query).length,
    pruneDeliveryBodies: (before, limit) => {
      const old = deliveries
        .all()
        .filter((row) => row.body !== null && row.receivedAt < before)
        .sort((a, b) => a.receivedAt - b.receivedAt || compare(a.id, b.id))
        .slice(0, limit)
      for (const row of old) deliveries.put({ ...row, body: null })
      return old.length
    },
    deleteSettledDeliveries: (before, limit) => {
      const old = deliveries
        .all()
        .filter((row) => settledStates.includes(row.state) && row.receivedAt < before)
        .slice(0, limit)
      for (const { id } of old) deliveries.delete(id)
      return old.length
    },
    deleteDoneNotifications: (before, limit) => {
      const old = notifications
        .all()
        .filter((row) => ["done", "superseded", "buried"].includes(row.state) && row.availableAt < before)
        .slice(0, limit)
      for (const { id } of old) notifications.delete(id)
      return old.length
    },
    recordPage: ({ afterId, kind, limit, which }) =>
      records
        .all()
        .filter(
          (row) =>
            row.kind === kind &&
            (which === "live" ? row.live : row.userId === null) &&
            (afterId === undefined || compare(row.id, afterId) > 0)
        )
        .sort((a, b) => compare(a.id, b.id))
        .slice(0, limit),
    recordsDue: ({ after, before, limit }) =>
      records
        .all()
        .flatMap(({ clockAt, id, kind }) => (clockAt !== null && clockAt <= before ? [{ kind, id, clockAt }] : []))
        .filter((one) => after === undefined || compareDue(one, after) > 0)
        .sort(compareDue)
        .slice(0, limit),
    job: (name) => jobs.get(name),
    jobsNamed: (prefix) =>
      [...jobs.values()].filter(({ name }) => name.startsWith(prefix)).sort((a, b) => compare(a.name, b.name)),
    latestJobs: (limit, { now }) => {
      const isOver = ({ owner, position }: JobRow) => (owner === null && position === null ? 1 : 0)
      const latest = [...jobs.values()].sort(
        (a, b) => isOver(a) - isOver(b) || b.updatedAt - a.updatedAt || compare(a.name, b.name)
      )
      return { jobs: latest.slice(0, limit), now }
    },
    claimJob: ({ leaseMillis, name, owner, time: { now } }) => {
      const before = jobs.get(name)
      if (before !== undefined && before.owner !== null && before.owner !== owner && (before.leaseUntil ?? 0) > now) {
        return { claimed: false, job: before }
      }
      const position = before?.position ?? null
      const job: JobRow = {
        name,
        owner,
        leaseUntil: now + leaseMillis,
        position,
        startedAt: before === undefined || position === null ? now : before.startedAt,
        updatedAt: now,
        finishedAt: before?.finishedAt ?? null,
        report: before?.report ?? null
      }
      jobs.set(name, job)
      return { claimed: true, job }
    },
    saveJob: ({ leaseMillis, name, owner, position, report, time: { now } }) => {
      const job = jobs.get(name)
      if (job === undefined || job.owner !== owner) return false
      jobs.set(name, {
        ...job,
        owner: leaseMillis === null ? null : owner,
        leaseUntil: leaseMillis === null ? null : now + leaseMillis,
        position,
        updatedAt: now,
        ...(report === undefined ? {} : { finishedAt: now, report })
      })
      return true
    },
    lookUp: ({ email, limit, text }) => {
      const customers = records
        .all()
        .filter((row) => row.kind === "customer" && email !== null && addressIn(row.data) === email)
      const named = records.all().filter((row) => row.id === text)
      return {
        isUserId:
          users.has(text) ||
          linksByUser.has(text) ||
          checkoutsByUser.has(text) ||
          records.all().some(({ userId }) => userId === text),
        users: [...users.values()]
          .filter((row) => email !== null && row.email?.toLowerCase() === email)
          .slice(0, limit),
        links: [text, ...customers.map(({ id }) => id)].flatMap((id) => links.get(id) ?? []),
        records: [...new Set([...named, ...recordsByCustomer.of(text), ...customers])].slice(0, limit),
        checkouts: [checkouts.get(text)].flatMap((row) => row ?? [])
      }
    },
    historyOf: ({ customerIds, limit, userId }) => {
      const isTheirs = (row: { readonly userId: string | null; readonly customerId: string | null }) =>
        row.userId === null ? row.customerId !== null && customerIds.includes(row.customerId) : row.userId === userId
      return {
        links: links.all().filter((row) => row.userId === userId || customerIds.includes(row.customerId)),
        records: newest(records.all().filter(isTheirs), limit, ({ eventAt }) => eventAt),
        checkouts: newest(
          checkouts.all().filter((row) => row.userId === userId),
          limit,
          ({ createdAt }) => createdAt
        ),
        changes: newest(
          linkChanges.filter(
            ({ customerId, fromUserId, toUserId }) =>
              (userId !== null && (fromUserId === userId || toUserId === userId)) ||
              (customerId !== null && customerIds.includes(customerId))
          ),
          limit,
          ({ changedAt }) => changedAt
        ),
        deliveries: newest(deliveries.all().filter(isTheirs), limit, ({ receivedAt }) => receivedAt).map(
          ({ body: _, ...head }) => head
        ),
        notifications: newest(
          notifications.all().filter((row) => row.userId === userId),
          limit,
          ({ createdAt }) => createdAt
        ),
        actions: newest(
          actions.filter(({ subject }) => subject !== null && (subject === userId || customerIds.includes(subject))),
          limit,
          ({ at }) => at
        )
      }
    },
    notifications: ({ limit, states, userId }) =>
      notifications
        .all()
        .filter((row) => states.includes(row.state) && (userId === undefined || row.userId === userId))
        .sort((a, b) => claimableAt(a) - claimableAt(b) || compare(a.id, b.id))
        .slice(0, limit),
    perHour: ({ count, from }) => {
      const hourOf = (time: number) => Math.floor((time - from) / 3_600_000)
      const counted = <State extends string>(
        rows: ReadonlyArray<{ readonly at: number; readonly state: State }>
      ): ReadonlyArray<{ readonly hour: number; readonly state: State; readonly count: number }> => {
        const found = new Map<string, { hour: number; state: State; count: number }>()
        for (const { at, state } of rows) {
          const hour = hourOf(at)
          if (hour < 0 || hour >= count) continue
          const one = found.get(`${hour} ${state}`) ?? { hour, state, count: 0 }
          one.count++
          found.set(`${hour} ${state}`, one)
        }
        return [...found.values()].sort((a, b) => a.hour - b.hour || compare(a.state, b.state))
      }
      return {
        deliveries: counted(deliveries.all().map(({ receivedAt, state }) => ({ at: receivedAt, state }))),
        notifications: counted(
          notifications
            .all()
            .flatMap(({ availableAt, state }) =>
              state === "done" || state === "dead" ? [{ at: availableAt, state }] : []
            )
        )
      }
    },
    recordAction: (row) => {
      const place = actions.findIndex(({ id }) => id === row.id)
      if (place < 0) actions.push(row)
      else actions[place] = row
    },
    actions: ({ after, limit, subject }) =>
      actions
        .filter(
          (row) =>
            (subject === undefined || row.subject === subject) &&
            (after === undefined || row.at < after.at || (row.at === after.at && row.id < after.id))
        )
        .sort((a, b) => b.at - a.at || compare(b.id, a.id))
        .slice(0, limit),
    explain: (error) => ({ reason: "unknown", detail: error instanceof Error ? error.message : "not an error" })
  }
}

const newest = <Row extends { readonly id: string }>(
  rows: ReadonlyArray<Row>,
  limit: number,
  timeOf: (row: Row) => number
): ReadonlyArray<Row> => [...rows].sort((a, b) => timeOf(b) - timeOf(a) || compare(b.id, a.id)).slice(0, limit)

const isOwned = (kind: string): boolean => kindNamed(kind)?.isOwned ?? true

const ofUser = (kind: string, userId: string): string => `${kind} ${userId}`

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const compareDue = (a: DueRecord, b: DueRecord): number => a.clockAt - b.clockAt || compare(recordKey(a), recordKey(b))

const newestFirst = (a: DeliveryRow, b: DeliveryRow): number => b.receivedAt - a.receivedAt || compare(b.id, a.id)

const claimableAt = ({ availableAt, leaseUntil }: StoredNotification): number => Math.max(availableAt, leaseUntil ?? 0)

/** Of one subject. */
const oldestOf = (rows: Iterable<StoredNotification>): ReadonlyArray<StoredNotification> => {
  let oldest: StoredNotification | undefined
  for (const row of rows) {
    if (oldest === undefined || isOlder(row, oldest)) oldest = row
  }
  return oldest === undefined ? [] : [oldest]
}

const isOlder = (a: NotificationRow, b: NotificationRow): boolean =>
  a.eventAt === b.eventAt ? a.precedence < b.precedence : a.eventAt < b.eventAt
