/** The store's driver over tables in memory: the reference for what a driver does, and the store of tests and trials. */

import { recordKey } from "../records/RecordReport.ts"
import type {
  CheckoutRow,
  ClaimedNotificationRow,
  DeliveryRow,
  JobRow,
  LinkRow,
  NotificationRow,
  ProjectionRow,
  RecordRow,
  UserRow
} from "../records/rows.ts"
import type { Changes, Facts, Keys } from "../steps/Step.ts"
import * as MemoryTable from "./memoryTable.ts"
import type { StoreDriver } from "./StoreDriver.ts"

interface StoredNotification extends NotificationRow {
  readonly state: "pending" | "done" | "dead"
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
  const unlinkedByCustomer = records.indexedBy((row) => (row.userId === null ? row.customerId : null))
  const recordsByUser = records.indexedBy((row) => (row.userId === null ? null : ofUser(row.kind, row.userId)))
  const checkouts = MemoryTable.make<CheckoutRow>((row) => row.id)
  const checkoutsByUser = checkouts.indexedBy((row) => row.userId)
  const notifications = MemoryTable.make<StoredNotification>((row) => row.id)
  const untold = notifications.indexedBy((row) => (row.state === "pending" ? row.subject : null))
  const users = new Map(appUsers.map((user) => [user.id, user]))
  const projections = MemoryTable.make<ProjectionRow>((row) => row.userId)
  const projectionsByCustomer = projections.indexedBy((row) => row.polarCustomerId ?? null)
  const jobs = new Map<string, JobRow>()

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

  const load = (keys: Keys): Facts => {
    const named = keys.customerIds.flatMap((id) => links.get(id) ?? [])
    const made = keys.checkoutIds.flatMap((id) => checkouts.get(id) ?? [])
    const found = new Map<string, RecordRow>()
    const find = (row: RecordRow) => found.set(recordKey(row), row)
    for (const name of keys.records) {
      const row = records.get(recordKey(name))
      if (row !== undefined) find(row)
    }
    for (const id of keys.customerIds) for (const row of unlinkedByCustomer.of(id)) find(row)
    const concerned = new Set(keys.userIds)
    for (const { userId } of [...named, ...made]) concerned.add(userId)
    for (const { userId } of found.values()) if (userId !== null) concerned.add(userId)
    for (const id of concerned) for (const row of recordsByUser.of(ofUser("subscription", id))) find(row)
    const asked = new Set(concerned)
    for (const id of keys.customerIds) for (const { userId } of projectionsByCustomer.of(id)) asked.add(userId)
    return {
      deliveries: keys.deliveryIds.flatMap((id) => deliveries.get(id) ?? []),
      links: named,
      checkouts: made,
      records: [...found.values()],
      users: [...asked]
        .filter((id) => users.has(id))
        .map((id) => ({ id, polarCustomerId: projections.get(id)?.polarCustomerId ?? null })),
      knownUserIds: keys.userIds.filter((id) => linksByUser.has(id) || checkoutsByUser.has(id)),
      untoldSubjects: keys.records.flatMap(({ id }) => (untold.has(id) ? [id] : []))
    }
  }

  const write = (changes: Changes): void => {
    for (const row of changes.deliveries) deliveries.put(row)
    for (const row of changes.links) links.put(row)
    for (const row of changes.records) records.put(row)
    for (const { ownedBy, updatedAt, userId, ...name } of changes.adoptions) {
      const row = records.get(recordKey(name))
      if (row !== undefined) records.put({ ...row, userId, ownedBy, updatedAt })
    }
    for (const { by, id, updatedAt, userId } of changes.releases) {
      for (const row of [...unlinkedBy[by].of(id)]) deliveries.put({ ...row, state: "applied", userId, updatedAt })
    }
    for (const row of changes.projections) {
      const polarCustomerId = row.polarCustomerId ?? projections.get(row.userId)?.polarCustomerId
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
        leaseUntil: row.lease?.until ?? null,
        lastError: null
      })
    }
    for (const row of changes.checkouts) {
      if (!checkouts.has(row.id)) checkouts.put(row)
    }
  }

  return {
    name: "memory",
    parallelSteps: 1,
    migrate: () => {},
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
    record: (kind, id) => records.get(recordKey({ kind, id })),
    customerOf: (userId) =>
      [...linksByUser.of(userId)]
        .filter((link) => link.deletedAt === null)
        .sort((a, b) => b.linkedAt - a.linkedAt || compare(a.customerId, b.customerId))[0]?.customerId,
    findUser: (userId) => users.get(userId),
    claimNotifications: ({ leaseUntil, limit, now, owner }) => {
      const due = [...untold.groups()]
        .flatMap(oldestOf)
        .sort((a, b) => claimableAt(a) - claimableAt(b) || compare(a.id, b.id))
      const rows = due.filter((row) => claimableAt(row) <= now).slice(0, limit)
      const rest = due.find((row) => !rows.includes(row))
      const nextDueAt = rest !== undefined ? Math.max(claimableAt(rest), now) : rows.length > 0 ? leaseUntil : null
      return { rows: rows.map((row) => claim(row, owner, leaseUntil)), nextDueAt }
    },
    completeNotifications: ({ ids, leaseUntil, now, owner }) => {
      const completed = ids.filter((id) => endLease(id, owner, { state: "done", availableAt: now }))
      if (leaseUntil === null) return { ids: completed, next: [] }
      const subjects = new Set(completed.flatMap((id) => notifications.get(id)?.subject ?? []))
      const next = [...subjects].flatMap((id) => oldestOf(untold.of(id))).filter((row) => claimableAt(row) <= now)
      return { ids: completed, next: next.map((row) => claim(row, owner, leaseUntil)) }
    },
    failNotification: ({ availableAt, error, id, now, owner, state }) =>
      endLease(id, owner, { state, availableAt: availableAt ?? now, lastError: error }),
    deliveries: (query) =>
      (query.ids === undefined ? deliveries.all() : [...new Set(query.ids)].flatMap((id) => deliveries.get(id) ?? []))
        .filter(
          (row) =>
            (query.states === undefined || query.states.includes(row.state)) &&
            (query.types === undefined || query.types.includes(row.type)) &&
            (query.receivedBefore === undefined || row.receivedAt < query.receivedBefore) &&
            (query.receivedAfter === undefined || row.receivedAt >= query.receivedAfter) &&
            (query.after === undefined ||
              row.receivedAt > query.after.receivedAt ||
              (row.receivedAt === query.after.receivedAt && row.id > query.after.id))
        )
        .sort(query.order === "oldest" ? (a, b) => newestFirst(b, a) : newestFirst)
        .slice(0, query.limit),
    pruneDeliveryBodies: (before, limit) => {
      const old = deliveries
        .all()
        .filter((row) => row.body !== null && row.receivedAt < before)
        .sort((a, b) => a.receivedAt - b.receivedAt || compare(a.id, b.id))
        .slice(0, limit)
      for (const row of old) deliveries.put({ ...row, body: null })
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
    job: (name) => jobs.get(name),
    claimJob: ({ leaseUntil, name, now, owner }) => {
      const before = jobs.get(name)
      if (before !== undefined && before.owner !== null && before.owner !== owner && (before.leaseUntil ?? 0) > now) {
        return { claimed: false, job: before }
      }
      const position = before?.position ?? null
      const job: JobRow = {
        name,
        owner,
        leaseUntil,
        position,
        startedAt: before === undefined || position === null ? now : before.startedAt,
        updatedAt: now,
        finishedAt: before?.finishedAt ?? null,
        report: before?.report ?? null
      }
      jobs.set(name, job)
      return { claimed: true, job }
    },
    saveJob: ({ position, leaseUntil, name, now, owner, report }) => {
      const job = jobs.get(name)
      if (job === undefined || job.owner !== owner) return false
      jobs.set(name, {
        ...job,
        owner: leaseUntil === null ? null : owner,
        leaseUntil,
        position,
        updatedAt: now,
        ...(report === undefined ? {} : { finishedAt: now, report })
      })
      return true
    },
    explain: (error) => ({ reason: "unknown", detail: error instanceof Error ? error.message : "not an error" })
  }
}

const ofUser = (kind: string, userId: string): string => `${kind} ${userId}`

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

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
