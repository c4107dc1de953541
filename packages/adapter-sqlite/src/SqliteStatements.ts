/**
 * The statements on the store's own tables, each prepared once. (drizzle's session for sql.js prepares anew for every
 * call, which it must: there, prepared statements do not outlive the host's saving.)
 *
 * Lists of ids go in as one JSON parameter, so that a statement stays the same however long they are.
 */
import type {
  ClaimRequest,
  Completed,
  Completion,
  DeliveryRowQuery,
  Setback,
  SubscriptionRowQuery
} from "@kavach-polar/core/StoreDriver"
import type {
  CheckoutRow,
  ClaimedNotificationRow,
  DeliveryRow,
  LinkRow,
  QueuedNotificationRow,
  StoredSubscription,
  SubscriptionFact,
  SubscriptionRow
} from "@kavach-polar/core/StoreRows"
import type { Changes } from "@kavach-polar/core/StoreStep"
import { and, asc, desc, eq, getTableColumns, gt, gte, lt, or, type Placeholder, type SQL, sql } from "drizzle-orm"
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core"
import type { Drizzle } from "./SqliteDatabase.ts"
import { isoOf, isoOrNull, millisOf, millisOrNull } from "./SqliteTime.ts"
import { checkouts, customers, deliveries, notifications, subscriptions } from "./schema.ts"

export type SqliteStatements = ReturnType<typeof prepare>

/** Fails where the tables are missing. */
export const prepare = (drizzle: Drizzle) => {
  const selectDeliveries = drizzle
    .select({
      id: deliveries.id,
      state: deliveries.state,
      attempts: deliveries.attempts,
      customerId: deliveries.customerId,
      subscriptionId: deliveries.subscriptionId,
      userId: deliveries.userId
    })
    .from(deliveries)
    .where(among(deliveries.id, sql.placeholder("ids")))
    .prepare()

  const selectLinks = drizzle
    .select()
    .from(customers)
    .where(among(customers.customerId, sql.placeholder("customerIds")))
    .prepare()

  const { data, ...factColumns } = getTableColumns(subscriptions)

  const selectNamed = drizzle
    .select(factColumns)
    .from(subscriptions)
    .where(
      or(
        among(subscriptions.id, sql.placeholder("ids")),
        among(subscriptions.customerId, sql.placeholder("customerIds"))
      )
    )
    .prepare()

  const selectLiveOf = drizzle
    .select(factColumns)
    .from(subscriptions)
    .where(and(among(subscriptions.userId, sql.placeholder("userIds")), sql`${subscriptions.live} = 1`))
    .prepare()

  const stored = { id: subscriptions.id, data: subscriptions.data }
  const ofUser = eq(subscriptions.userId, sql.placeholder("userId"))
  const selectStoredOf = drizzle.select(stored).from(subscriptions).where(ofUser).prepare()
  const selectStoredLiveOf = drizzle
    .select(stored)
    .from(subscriptions)
    .where(and(ofUser, sql`${subscriptions.live} = 1`))
    .prepare()

  const selectLatestLink = drizzle
    .select({ customerId: customers.customerId })
    .from(customers)
    .where(and(eq(customers.userId, sql.placeholder("userId")), sql`${customers.deletedAt} IS NULL`))
    .orderBy(desc(customers.linkedAt), asc(customers.customerId))
    .limit(1)
    .prepare()

  const selectOwners = [customers, checkouts].map((table) =>
    drizzle
      .select({ userId: table.userId })
      .from(table)
      .where(among(table.userId, sql.placeholder("userIds")))
      .groupBy(table.userId)
      .prepare()
  )

  const selectUntold = drizzle
    .select({ subscriptionId: notifications.subscriptionId })
    .from(notifications)
    .where(and(sql`${notifications.state} = 'pending'`, among(notifications.subscriptionId, sql.placeholder("ids"))))
    .groupBy(notifications.subscriptionId)
    .prepare()

  const upsertDelivery = upsert(drizzle, deliveries, deliveries.id)
  const upsertLink = upsert(drizzle, customers, customers.customerId)
  const upsertSubscription = upsert(drizzle, subscriptions, subscriptions.id)

  const insertCheckout = drizzle
    .insert(checkouts)
    .values(placeholdersOf(checkouts))
    .onConflictDoNothing({ target: checkouts.id })
    .prepare()

  const insertNotification = drizzle
    .insert(notifications)
    .values(placeholdersOf(notifications))
    .onConflictDoNothing({ target: notifications.id })
    .prepare()

  const adopt = drizzle
    .update(subscriptions)
    .set({ userId: sql`${sql.placeholder("userId")}`, updatedAt: sql`${sql.placeholder("updatedAt")}` })
    .where(eq(subscriptions.id, sql.placeholder("id")))
    .prepare()

  const releaseBy = (column: SQLiteColumn) =>
    drizzle
      .update(deliveries)
      .set({
        state: "applied",
        userId: sql`${sql.placeholder("userId")}`,
        updatedAt: sql`${sql.placeholder("updatedAt")}`
      })
      // A literal, or SQLite would not use the index that covers only these.
      .where(and(sql`${deliveries.state} = 'unlinked'`, eq(column, sql.placeholder("id"))))
      .prepare()
  const release = {
    customerId: releaseBy(deliveries.customerId),
    subscriptionId: releaseBy(deliveries.subscriptionId)
  }

  const selectClaimable = drizzle
    .select()
    .from(notifications)
    .where(and(isNextOfItsSubscription, sql`${notifications.availableAt} <= ${sql.placeholder("now")}`))
    .orderBy(asc(notifications.availableAt), asc(notifications.id))
    .limit(sql.placeholder("limit"))
    .prepare()

  const selectOldestUntold = drizzle
    .select()
    .from(notifications)
    .where(and(sql`${notifications.state} = 'pending'`, eq(notifications.subscriptionId, sql.placeholder("id"))))
    .orderBy(asc(notifications.eventAt), asc(notifications.precedence))
    .limit(1)
    .prepare()

  const selectNextDue = drizzle
    .select({ availableAt: notifications.availableAt })
    .from(notifications)
    .where(and(isNextOfItsSubscription, sql`NOT ${among(notifications.id, sql.placeholder("claimed"))}`))
    .orderBy(asc(notifications.availableAt), asc(notifications.id))
    .limit(1)
    .prepare()

  const lease = drizzle
    .update(notifications)
    .set({
      attempts: sql`${notifications.attempts} + 1`,
      availableAt: sql`${sql.placeholder("leaseUntil")}`,
      leaseOwner: sql`${sql.placeholder("owner")}`,
      updatedAt: sql`${sql.placeholder("now")}`
    })
    .where(eq(notifications.id, sql.placeholder("id")))
    .prepare()

  const endLease = drizzle
    .update(notifications)
    .set({
      state: sql`${sql.placeholder("state")}`,
      availableAt: sql`${sql.placeholder("availableAt")}`,
      leaseOwner: null,
      lastError: sql`coalesce(${sql.placeholder("error")}, ${notifications.lastError})`,
      updatedAt: sql`${sql.placeholder("now")}`
    })
    .where(
      and(
        eq(notifications.id, sql.placeholder("id")),
        sql`${notifications.state} = 'pending'`,
        eq(notifications.leaseOwner, sql.placeholder("owner"))
      )
    )
    .returning({ subscriptionId: notifications.subscriptionId })
    .prepare()

  const claimed = (
    row: typeof notifications.$inferSelect,
    { leaseUntil, now, owner }: Pick<ClaimRequest, "leaseUntil" | "now" | "owner">
  ): ClaimedNotificationRow => {
    lease.run({ id: row.id, owner, now: isoOf(now), leaseUntil: isoOf(leaseUntil) })
    return { ...row, createdAt: millisOf(row.createdAt), attempts: row.attempts + 1 }
  }

  return {
    deliveries: (ids: ReadonlyArray<string>) => selectDeliveries.all({ ids: JSON.stringify(ids) }),

    links: (customerIds: ReadonlyArray<string>): ReadonlyArray<LinkRow> =>
      selectLinks.all({ customerIds: JSON.stringify(customerIds) }).map((row) => ({
        ...row,
        linkedAt: millisOf(row.linkedAt),
        deletedAt: millisOrNull(row.deletedAt)
      })),

    namedSubscriptions: (ids: ReadonlyArray<string>, customerIds: ReadonlyArray<string>) =>
      selectNamed.all({ ids: JSON.stringify(ids), customerIds: JSON.stringify(customerIds) }).map(factOf),

    liveSubscriptionsOf: (userIds: ReadonlyArray<string>) =>
      selectLiveOf.all({ userIds: JSON.stringify(userIds) }).map(factOf),

    /** Those of the users that have a link or a checkout. */
    known: (userIds: ReadonlyArray<string>): ReadonlyArray<string> => {
      const parameters = { userIds: JSON.stringify(userIds) }
      return [...new Set(selectOwners.flatMap((select) => select.all(parameters).map((row) => row.userId)))]
    },

    /** Those of the subscriptions that have an unfinished notification. */
    untold: (subscriptionIds: ReadonlyArray<string>): ReadonlyArray<string> =>
      selectUntold.all({ ids: JSON.stringify(subscriptionIds) }).map((row) => row.subscriptionId),

    subscriptionsOf: (userId: string, which: "all" | "live"): ReadonlyArray<StoredSubscription> =>
      (which === "all" ? selectStoredOf : selectStoredLiveOf).all({ userId }),

    latestCustomerOf: (userId: string): string | undefined => selectLatestLink.all({ userId })[0]?.customerId,

    writeDelivery: (row: DeliveryRow) => {
      upsertDelivery({ ...row, receivedAt: isoOf(row.receivedAt), updatedAt: isoOf(row.updatedAt) })
    },

    writeLink: (row: LinkRow) => {
      upsertLink({ ...row, linkedAt: isoOf(row.linkedAt), deletedAt: isoOrNull(row.deletedAt) })
    },

    writeSubscription: (row: SubscriptionRow) => {
      upsertSubscription({
        ...row,
        currentPeriodEnd: isoOrNull(row.currentPeriodEnd),
        updatedAt: isoOf(row.updatedAt)
      })
    },

    adopt: ({ id, updatedAt, userId }: Changes["adoptions"][number]) => {
      adopt.run({ id, userId, updatedAt: isoOf(updatedAt) })
    },

    release: ({ by, id, updatedAt, userId }: Changes["releases"][number]) => {
      release[by].run({ id, userId, updatedAt: isoOf(updatedAt) })
    },

    insertCheckout: (row: CheckoutRow) => {
      insertCheckout.run({ ...row, createdAt: isoOf(row.createdAt) })
    },

    insertNotification: ({ lease, ...row }: QueuedNotificationRow) => {
      const createdAt = isoOf(row.createdAt)
      const values: typeof notifications.$inferInsert = {
        ...row,
        createdAt,
        state: "pending",
        attempts: lease === null ? 0 : 1,
        availableAt: lease === null ? createdAt : isoOf(lease.until),
        leaseOwner: lease?.owner ?? null,
        lastError: null,
        updatedAt: createdAt
      }
      insertNotification.run(values)
    },

    claim: (request: ClaimRequest): ReadonlyArray<ClaimedNotificationRow> =>
      selectClaimable
        .all({ now: isoOf(request.now), limit: limitOf(request.limit) })
        .map((row) => claimed(row, request)),

    /** When the first one that is not among those just claimed can be claimed, in epoch milliseconds. */
    nextDue: (claimed: ReadonlyArray<string>): number | undefined => {
      const [row] = selectNextDue.all({ claimed: JSON.stringify(claimed) })
      return row === undefined ? undefined : millisOf(row.availableAt)
    },

    complete: ({ ids, leaseUntil, now, owner }: Completion): Completed => {
      const at = isoOf(now)
      const completed: Array<string> = []
      const subscriptionIds = new Set<string>()
      for (const id of ids) {
        for (const row of endLease.all({ id, owner, state: "done", now: at, availableAt: at, error: null })) {
          completed.push(id)
          subscriptionIds.add(row.subscriptionId)
        }
      }
      if (leaseUntil === null) return { ids: completed, next: [] }
      const next = [...subscriptionIds]
        .flatMap((id) => selectOldestUntold.all({ id }))
        .filter((row) => row.availableAt <= at)
        .map((row) => claimed(row, { owner, now, leaseUntil }))
      return { ids: completed, next }
    },

    setBack: ({ availableAt, error, id, now, owner, state }: Setback): boolean =>
      endLease.all({ id, owner, state, now: isoOf(now), availableAt: isoOf(availableAt ?? now), error }).length > 0,

    inbox: (query: DeliveryRowQuery): ReadonlyArray<DeliveryRow> =>
      drizzle
        .select()
        .from(deliveries)
        .where(
          and(
            query.ids && among(deliveries.id, JSON.stringify(query.ids)),
            query.states && among(deliveries.state, JSON.stringify(query.states)),
            query.types && among(deliveries.type, JSON.stringify(query.types)),
            query.receivedBefore === undefined ? undefined : lt(deliveries.receivedAt, isoOf(query.receivedBefore)),
            query.receivedAfter === undefined ? undefined : gte(deliveries.receivedAt, isoOf(query.receivedAfter)),
            query.after &&
              sql`${deliveries.receivedAt} >= ${isoOf(query.after.receivedAt)}
                AND (${deliveries.receivedAt} > ${isoOf(query.after.receivedAt)} OR ${deliveries.id} < ${query.after.id})`
          )
        )
        .orderBy(
          ...(query.order === "oldest"
            ? [asc(deliveries.receivedAt), desc(deliveries.id)]
            : [desc(deliveries.receivedAt), asc(deliveries.id)])
        )
        .limit(limitOf(query.limit))
        .all()
        .map((row) => ({ ...row, receivedAt: millisOf(row.receivedAt), updatedAt: millisOf(row.updatedAt) })),

    pruneBodies: (before: number, limit: number): number => {
      const oldest = drizzle
        .select({ id: deliveries.id })
        .from(deliveries)
        .where(and(sql`${deliveries.body} IS NOT NULL`, lt(deliveries.receivedAt, isoOf(before))))
        .orderBy(asc(deliveries.receivedAt), asc(deliveries.id))
        .limit(limitOf(limit))
      return drizzle
        .update(deliveries)
        .set({ body: null })
        .where(sql`${deliveries.id} IN ${oldest}`)
        .returning({ id: deliveries.id })
        .all().length
    },

    subscriptionsAfter: ({ afterId, limit, which }: SubscriptionRowQuery): ReadonlyArray<StoredSubscription> =>
      drizzle
        .select(stored)
        .from(subscriptions)
        .where(
          and(
            which === "live" ? sql`${subscriptions.live} = 1` : sql`${subscriptions.userId} IS NULL`,
            afterId === undefined ? undefined : gt(subscriptions.id, afterId)
          )
        )
        .orderBy(asc(subscriptions.id))
        .limit(limitOf(limit))
        .all()
  }
}

/** Whether the column's value is in a JSON array. */
export const among = (column: SQLiteColumn, json: string | Placeholder): SQL =>
  sql`${column} IN (SELECT value FROM json_each(${json}))`

/** Unfinished, and nothing older of its subscription is: callbacks are made in the order of events. */
const isNextOfItsSubscription = sql`${notifications.state} = 'pending' AND NOT EXISTS (
  SELECT 1 FROM kavach_polar_notifications AS older
  WHERE older.state = 'pending' AND older.subscription_id = ${notifications.subscriptionId}
  AND (older.event_at, older.precedence) < (${notifications.eventAt}, ${notifications.precedence}))`

/** A row that replaces what has its key. */
const upsert = <Table extends SQLiteTable>(drizzle: Drizzle, table: Table, key: SQLiteColumn) => {
  const set: Record<string, SQL> = {}
  for (const [name, column] of Object.entries(getTableColumns(table))) {
    if (column.name !== key.name) set[name] = sql`excluded.${sql.identifier(column.name)}`
  }
  const statement = drizzle
    .insert(table)
    .values(placeholdersOf(table))
    .onConflictDoUpdate({ target: key, set })
    .prepare()
  return (row: Table["$inferInsert"]) => {
    statement.run(row)
  }
}

type Placeholders<Table extends SQLiteTable> = { [Name in keyof Table["$inferInsert"]]: Placeholder }

/** One placeholder for every column, of the name that the column has in the table's definition. */
const placeholdersOf = <Table extends SQLiteTable>(table: Table) =>
  Object.fromEntries(
    Object.keys(getTableColumns(table)).map((name) => [name, sql.placeholder(name)])
  ) as Placeholders<Table>

const factOf = (row: Omit<typeof subscriptions.$inferSelect, "data">): SubscriptionFact => ({
  ...row,
  currentPeriodEnd: millisOrNull(row.currentPeriodEnd),
  updatedAt: millisOf(row.updatedAt)
})

/** SQLite takes 64-bit integers only. */
const limitOf = (limit: number): number => Math.min(Math.max(Math.trunc(limit), 0), 2 ** 31 - 1)
