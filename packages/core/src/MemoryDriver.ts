/** The store's driver over maps: the reference for what a driver does, and the store of tests and trials. */
import type { StoreDriver } from "./StoreDriver.ts"
import type {
  CheckoutRow,
  ClaimedNotificationRow,
  DeliveryRow,
  JobRow,
  LinkRow,
  NotificationRow,
  ProjectionRow,
  SubscriptionRow,
  UserRow
} from "./StoreRows.ts"
import type { Changes, Facts, Keys } from "./StoreStep.ts"

interface StoredNotification extends NotificationRow {
  readonly state: "pending" | "done" | "dead"
  readonly attempts: number
  readonly availableAt: number
  readonly leaseOwner: string | null
  readonly leaseUntil: number | null
  readonly lastError: string | null
}

export const makeMemoryDriver = (appUsers: ReadonlyArray<UserRow> = []): StoreDriver => {
  const deliveries = new Map<string, DeliveryRow>()
  const links = new Map<string, LinkRow>()
  const subscriptions = new Map<string, SubscriptionRow>()
  const checkouts = new Map<string, CheckoutRow>()
  const notifications = new Map<string, StoredNotification>()
  const users = new Map(appUsers.map((user) => [user.id, user]))
  const projections = new Map<string, ProjectionRow>()
  const jobs = new Map<string, JobRow>()

  /** The pending ones, by subscription and id. */
  const untold = new Map<string, Map<string, StoredNotification>>()

  const putNotification = (row: StoredNotification) => {
    notifications.set(row.id, row)
    const others = untold.get(row.subscriptionId) ?? new Map<string, StoredNotification>()
    if (row.state === "pending") others.set(row.id, row)
    else others.delete(row.id)
    if (others.size > 0) untold.set(row.subscriptionId, others)
    else untold.delete(row.subscriptionId)
  }

  /** Unless somebody else has it by now. */
  const endLease = (id: string, owner: string, outcome: Partial<StoredNotification>): boolean => {
    const row = notifications.get(id)
    if (row === undefined || row.state !== "pending" || row.leaseOwner !== owner) return false
    putNotification({ ...row, ...outcome, leaseOwner: null, leaseUntil: null })
    return true
  }

  const claim = (row: StoredNotification, leaseOwner: string, leaseUntil: number): ClaimedNotificationRow => {
    const claimed = { ...row, attempts: row.attempts + 1, leaseOwner, leaseUntil }
    putNotification(claimed)
    return claimed
  }

  const load = (keys: Keys): Facts => {
    const customerIds = new Set(keys.customerIds)
    const subscriptionIds = new Set(keys.subscriptionIds)
    const named = keys.customerIds.flatMap((id) => links.get(id) ?? [])
    const concerned = new Set([...keys.userIds, ...named.map((link) => link.userId)])
    const isNamed = (row: SubscriptionRow) => subscriptionIds.has(row.id) || customerIds.has(row.customerId)
    for (const row of subscriptions.values()) {
      if (row.userId !== null && isNamed(row)) concerned.add(row.userId)
    }
    const owners = new Set([...values(links), ...values(checkouts)].map((row) => row.userId))
    return {
      deliveries: keys.deliveryIds.flatMap((id) => deliveries.get(id) ?? []),
      links: named,
      subscriptions: values(subscriptions).filter(
        (row) => isNamed(row) || (row.live && row.userId !== null && concerned.has(row.userId))
      ),
      users: values(users)
        .map(({ id }) => ({ id, polarCustomerId: projections.get(id)?.polarCustomerId ?? null }))
        .filter(
          ({ id, polarCustomerId }) =>
            concerned.has(id) || (polarCustomerId !== null && customerIds.has(polarCustomerId))
        ),
      knownUserIds: keys.userIds.filter((id) => owners.has(id)),
      untoldSubscriptionIds: keys.subscriptionIds.filter((id) => untold.has(id))
    }
  }

  const write = (changes: Changes): void => {
    for (const row of changes.deliveries) deliveries.set(row.id, row)
    for (const row of changes.links) links.set(row.customerId, row)
    for (const row of changes.subscriptions) subscriptions.set(row.id, row)
    for (const { id, updatedAt, userId } of changes.adoptions) {
      const row = subscriptions.get(id)
      if (row !== undefined) subscriptions.set(id, { ...row, userId, updatedAt })
    }
    for (const { by, id, updatedAt, userId } of changes.releases) {
      for (const row of values(deliveries)) {
        if (row.state === "unlinked" && row[by] === id) {
          deliveries.set(row.id, { ...row, state: "applied", userId, updatedAt })
        }
      }
    }
    for (const row of changes.projections) {
      const polarCustomerId = row.polarCustomerId ?? projections.get(row.userId)?.polarCustomerId
      projections.set(row.userId, { ...row, polarCustomerId })
    }
    for (const row of changes.notifications) {
      if (notifications.has(row.id)) continue
      putNotification({
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
      if (!checkouts.has(row.id)) checkouts.set(row.id, row)
    }
  }

  return {
    name: "memory",
    parallelSteps: 1,
    migrate: () => {},
    // `decide` throws before anything is written, and nothing runs in between: that is all a transaction takes here.
    atomically: (keys, decide) => write(decide(load(keys))),
    subscriptionsOf: (userId, which) =>
      values(subscriptions).filter((row) => row.userId === userId && (which === "all" || row.live)),
    customerOf: (userId) =>
      values(links)
        .filter((link) => link.userId === userId && link.deletedAt === null)
        .sort((a, b) => b.linkedAt - a.linkedAt || compare(a.customerId, b.customerId))[0]?.customerId,
    findUser: (userId) => users.get(userId),
    claimNotifications: ({ leaseUntil, limit, now, owner }) => {
      const due = values(untold)
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
      const subscriptionIds = new Set(completed.flatMap((id) => notifications.get(id)?.subscriptionId ?? []))
      const next = [...subscriptionIds]
        .flatMap((id) => oldestOf(untold.get(id) ?? new Map()))
        .filter((row) => claimableAt(row) <= now)
      return { ids: completed, next: next.map((row) => claim(row, owner, leaseUntil)) }
    },
    setBackNotification: ({ availableAt, error, id, now, owner, state }) =>
      endLease(id, owner, { state, availableAt: availableAt ?? now, lastError: error }),
    deliveries: (query) =>
      values(deliveries)
        .filter(
          (row) =>
            (query.ids === undefined || query.ids.includes(row.id)) &&
            (query.states === undefined || query.states.includes(row.state)) &&
            (query.types === undefined || query.types.includes(row.type)) &&
            (query.receivedBefore === undefined || row.receivedAt < query.receivedBefore) &&
            (query.receivedAfter === undefined || row.receivedAt >= query.receivedAfter) &&
            (query.after === undefined ||
              row.receivedAt > query.after.receivedAt ||
              (row.receivedAt === query.after.receivedAt && row.id < query.after.id))
        )
        .sort(query.order === "oldest" ? (a, b) => newestFirst(b, a) : newestFirst)
        .slice(0, query.limit),
    pruneDeliveryBodies: (before, limit) => {
      const old = values(deliveries)
        .filter((row) => row.body !== null && row.receivedAt < before)
        .sort((a, b) => a.receivedAt - b.receivedAt || compare(a.id, b.id))
        .slice(0, limit)
      for (const row of old) deliveries.set(row.id, { ...row, body: null })
      return old.length
    },
    subscriptions: ({ afterId, limit, which }) =>
      values(subscriptions)
        .filter(
          (row) =>
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

const values = <A>(map: ReadonlyMap<string, A>): Array<A> => [...map.values()]

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const newestFirst = (a: DeliveryRow, b: DeliveryRow): number => b.receivedAt - a.receivedAt || compare(a.id, b.id)

const claimableAt = ({ availableAt, leaseUntil }: StoredNotification): number => Math.max(availableAt, leaseUntil ?? 0)

/** Of one subscription. */
const oldestOf = (rows: ReadonlyMap<string, StoredNotification>): ReadonlyArray<StoredNotification> => {
  let oldest: StoredNotification | undefined
  for (const row of rows.values()) {
    if (oldest === undefined || isOlder(row, oldest)) oldest = row
  }
  return oldest === undefined ? [] : [oldest]
}

const isOlder = (a: NotificationRow, b: NotificationRow): boolean =>
  a.eventAt === b.eventAt ? a.precedence < b.precedence : a.eventAt < b.eventAt
