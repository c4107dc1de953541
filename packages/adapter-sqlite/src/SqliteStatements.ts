/**
 * The statements on the store's own tables, each prepared once. (drizzle's session for sql.js prepares anew for every
 * call, which it must: there, prepared statements do not outlive the host's saving.)
 *
 * Lists of ids go in as one JSON parameter, so that a statement stays the same however long they are.
 */

import type {
  CheckoutRow,
  ClaimedNotificationRow,
  DeliveryRow,
  LinkRow,
  QueuedNotificationRow,
  StoredSubscription,
  SubscriptionFact,
  SubscriptionRow
} from "@kavach-polar/core/adapter/rows"
import type { Changes } from "@kavach-polar/core/adapter/Step"
import type {
  ClaimRequest,
  Completed,
  Completion,
  DeliveryRowQuery,
  Setback,
  SubscriptionRowQuery
} from "@kavach-polar/core/adapter/StoreDriver"
import { and, asc, desc, eq, getTableColumns, gt, gte, lt, or, type Placeholder, type SQL, sql } from "drizzle-orm"
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core"
import { type Columns, type Preparing, selecting, writing } from "./SqliteStatement.ts"
import { isoOf, isoOrNull, millisOf, millisOrNull } from "./SqliteTime.ts"
import { checkouts, customers, deliveries, notifications, subscriptions } from "./schema.ts"

export type SqliteStatements = ReturnType<typeof prepare>

/** Fails where the tables are missing. */
export const prepare = (database: Preparing) => {
  const { drizzle } = database
  const select = <Selected extends Columns, Row>(
    columns: Selected,
    build: Parameters<typeof selecting<Selected, Row>>[2]
  ) => selecting(database, columns, build)

  const selectDeliveries = select(
    {
      id: deliveries.id,
      state: deliveries.state,
      attempts: deliveries.attempts,
      customerId: deliveries.customerId,
      subscriptionId: deliveries.subscriptionId,
      userId: deliveries.userId
    },
    (columns) =>
      drizzle
        .select(columns)
        .from(deliveries)
        .where(among(deliveries.id, sql.placeholder("ids")))
  )

  const selectLinks = select(getTableColumns(customers), (columns) =>
    drizzle
      .select(columns)
      .from(customers)
      .where(among(customers.customerId, sql.placeholder("customerIds")))
  )

  const { data, ...factColumns } = getTableColumns(subscriptions)

  const selectNamed = select(factColumns, (columns) =>
    drizzle
      .select(columns)
      .from(subscriptions)
      .where(
        or(
          among(subscriptions.id, sql.placeholder("ids")),
          among(subscriptions.customerId, sql.placeholder("customerIds"))
        )
      )
  )

  const selectLiveOf = select(factColumns, (columns) =>
    drizzle
      .select(columns)
      .from(subscriptions)
      .where(and(among(subscriptions.userId, sql.placeholder("userIds")), sql`${subscriptions.live} = 1`))
  )

  const stored = { id: subscriptions.id, data: subscriptions.data }
  const ofUser = eq(subscriptions.userId, sql.placeholder("userId"))
  const selectStoredOf = select(stored, (columns) => drizzle.select(columns).from(subscriptions).where(ofUser))
  const selectStoredLiveOf = select(stored, (columns) =>
    drizzle
      .select(columns)
      .from(subscriptions)
      .where(and(ofUser, sql`${subscriptions.live} = 1`))
  )

  const selectLatestLink = select({ customerId: customers.customerId }, (columns) =>
    drizzle
      .select(columns)
      .from(customers)
      .where(and(eq(customers.userId, sql.placeholder("userId")), sql`${customers.deletedAt} IS NULL`))
      .orderBy(desc(customers.linkedAt), asc(customers.customerId))
      .limit(1)
  )

  const selectOwners = [customers, checkouts].map((table) =>
    select({ userId: table.userId }, (columns) =>
      drizzle
        .select(columns)
        .from(table)
        .where(among(table.userId, sql.placeholder("userIds")))
        .groupBy(table.userId)
    )
  )

  const selectUntold = select({ subscriptionId: notifications.subscriptionId }, (columns) =>
    drizzle
      .select(columns)
      .from(notifications)
      .where(and(sql`${notifications.state} = 'pending'`, among(notifications.subscriptionId, sql.placeholder("ids"))))
      .groupBy(notifications.subscriptionId)
  )

  const upsertDelivery = upsert(database, deliveries, deliveries.id)
  const upsertLink = upsert(database, customers, customers.customerId)
  const upsertSubscription = upsert(database, subscriptions, subscriptions.id)

  const insertCheckout = writing(
    database,
    drizzle.insert(checkouts).values(placeholdersOf(checkouts)).onConflictDoNothing({ target: checkouts.id })
  )

  const insertNotification = writing(
    database,
    drizzle
      .insert(notifications)
      .values(placeholdersOf(notifications))
      .onConflictDoNothing({ target: notifications.id })
  )

  const adopt = writing(
    database,
    drizzle
      .update(subscriptions)
      .set({ userId: sql`${sql.placeholder("userId")}`, updatedAt: sql`${sql.placeholder("updatedAt")}` })
      .where(eq(subscriptions.id, sql.placeholder("id")))
  )

  const releaseBy = (column: SQLiteColumn) =>
    writing(
      database,
      drizzle
        .update(deliveries)
        .set({
          state: "applied",
          userId: sql`${sql.placeholder("userId")}`,
          updatedAt: sql`${sql.placeholder("updatedAt")}`
        })
        // A literal, or SQLite would not use the index that covers only these.
        .where(and(sql`${deliveries.state} = 'unlinked'`, eq(column, sql.placeholder("id"))))
    )
  const release = {
    customerId: releaseBy(deliveries.customerId),
    subscriptionId: releaseBy(deliveries.subscriptionId)
  }

  const notificationColumns = getTableColumns(notifications)
  const selectClaimable = select(notificationColumns, (columns) =>
    drizzle
      .select(columns)
      .from(notifications)
      .where(and(isNextOfItsSubscription, sql`${notifications.availableAt} <= ${sql.placeholder("now")}`))
      .orderBy(asc(notifications.availableAt), asc(notifications.id))
      .limit(sql.placeholder("limit"))
  )

  const selectNextOf = select(notificationColumns, (columns) =>
    drizzle
      .select(columns)
      .from(notifications)
      .where(
        and(
          isNextOfItsSubscription,
          among(notifications.subscriptionId, sql.placeholder("ids")),
          // The plus keeps SQLite from going through all that are due, by the index of these times.
          sql`+${notifications.availableAt} <= ${sql.placeholder("now")}`
        )
      )
  )

  const selectNextDue = select({ availableAt: notifications.availableAt }, (columns) =>
    drizzle
      .select(columns)
      .from(notifications)
      .where(and(isNextOfItsSubscription, sql`NOT ${among(notifications.id, sql.placeholder("claimed"))}`))
      .orderBy(asc(notifications.availableAt), asc(notifications.id))
      .limit(1)
  )

  const lease = writing(
    database,
    drizzle
      .update(notifications)
      .set({
        attempts: sql`${notifications.attempts} + 1`,
        availableAt: sql`${sql.placeholder("leaseUntil")}`,
        leaseOwner: sql`${sql.placeholder("owner")}`,
        updatedAt: sql`${sql.placeholder("now")}`
      })
      .where(eq(notifications.id, sql.placeholder("id")))
  )

  const endLeases = select({ id: notifications.id, subscriptionId: notifications.subscriptionId }, (columns) =>
    drizzle
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
          among(notifications.id, sql.placeholder("ids")),
          // The plus keeps SQLite from going through all that are pending.
          sql`+${notifications.state} = 'pending'`,
          eq(notifications.leaseOwner, sql.placeholder("owner"))
        )
      )
      .returning(columns)
  )

  const claimed = (
    row: typeof notifications.$inferSelect,
    { leaseUntil, now, owner }: Pick<ClaimRequest, "leaseUntil" | "now" | "owner">
  ): ClaimedNotificationRow => {
    lease({ id: row.id, owner, now: isoOf(now), leaseUntil: isoOf(leaseUntil) })
    return { ...row, createdAt: millisOf(row.createdAt), attempts: row.attempts + 1 }
  }

  return {
    deliveries: (ids: ReadonlyArray<string>) => selectDeliveries({ ids: JSON.stringify(ids) }),

    links: (customerIds: ReadonlyArray<string>): ReadonlyArray<LinkRow> =>
      selectLinks({ customerIds: JSON.stringify(customerIds) }).map((row) => ({
        ...row,
        linkedAt: millisOf(row.linkedAt),
        deletedAt: millisOrNull(row.deletedAt)
      })),

    namedSubscriptions: (ids: ReadonlyArray<string>, customerIds: ReadonlyArray<string>) =>
      selectNamed({ ids: JSON.stringify(ids), customerIds: JSON.stringify(customerIds) }).map(factOf),

    liveSubscriptionsOf: (userIds: ReadonlyArray<string>) =>
      selectLiveOf({ userIds: JSON.stringify(userIds) }).map(factOf),

    /** Those of the users that have a link or a checkout. */
    known: (userIds: ReadonlyArray<string>): ReadonlyArray<string> => {
      const parameters = { userIds: JSON.stringify(userIds) }
      return [...new Set(selectOwners.flatMap((owners) => owners(parameters).map((row) => row.userId)))]
    },

    /** Those of the subscriptions that have an unfinished notification. */
    untold: (subscriptionIds: ReadonlyArray<string>): ReadonlyArray<string> =>
      selectUntold({ ids: JSON.stringify(subscriptionIds) }).map((row) => row.subscriptionId),

    subscriptionsOf: (userId: string, which: "all" | "live"): ReadonlyArray<StoredSubscription> =>
      (which === "all" ? selectStoredOf : selectStoredLiveOf)({ userId }),

    latestCustomerOf: (userId: string): string | undefined => selectLatestLink({ userId })[0]?.customerId,

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
      adopt({ id, userId, updatedAt: isoOf(updatedAt) })
    },

    release: ({ by, id, updatedAt, userId }: Changes["releases"][number]) => {
      release[by]({ id, userId, updatedAt: isoOf(updatedAt) })
    },

    insertCheckout: (row: CheckoutRow) => {
      insertCheckout({ ...row, createdAt: isoOf(row.createdAt) })
    },

    insertNotification: (row: QueuedNotificationRow) => {
      const createdAt = isoOf(row.createdAt)
      // Named one by one: the rest of an object takes 12 µs, which is more than the statement does.
      const values: typeof notifications.$inferInsert = {
        id: row.id,
        subscriptionId: row.subscriptionId,
        userId: row.userId,
        eventAt: row.eventAt,
        precedence: row.precedence,
        payload: row.payload,
        createdAt,
        state: "pending",
        attempts: row.lease === null ? 0 : 1,
        availableAt: row.lease === null ? createdAt : isoOf(row.lease.until),
        leaseOwner: row.lease?.owner ?? null,
        lastError: null,
        updatedAt: createdAt
      }
      insertNotification(values)
    },

    claim: (request: ClaimRequest): ReadonlyArray<ClaimedNotificationRow> =>
      selectClaimable({ now: isoOf(request.now), limit: limitOf(request.limit) }).map((row) => claimed(row, request)),

    /** When the first one that is not among those just claimed can be claimed, in epoch milliseconds. */
    nextDue: (claimed: ReadonlyArray<string>): number | undefined => {
      const [row] = selectNextDue({ claimed: JSON.stringify(claimed) })
      return row === undefined ? undefined : millisOf(row.availableAt)
    },

    complete: ({ ids, leaseUntil, now, owner }: Completion): Completed => {
      const at = isoOf(now)
      const rows = endLeases({ ids: JSON.stringify(ids), owner, state: "done", now: at, availableAt: at, error: null })
      const completed = rows.map((row) => row.id)
      if (leaseUntil === null || rows.length === 0) return { ids: completed, next: [] }
      const subscriptionIds = JSON.stringify(rows.map((row) => row.subscriptionId))
      const next = selectNextOf({ ids: subscriptionIds, now: at })
      return { ids: completed, next: next.map((row) => claimed(row, { owner, now, leaseUntil })) }
    },

    setBack: ({ availableAt, error, id, now, owner, state }: Setback): boolean =>
      endLeases({
        ids: JSON.stringify([id]),
        owner,
        state,
        now: isoOf(now),
        availableAt: isoOf(availableAt ?? now),
        error
      }).length > 0,

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
const upsert = <Table extends SQLiteTable>(
  database: Preparing,
  table: Table,
  key: SQLiteColumn
): ((row: Table["$inferInsert"]) => void) => {
  const set: Record<string, SQL> = {}
  for (const [name, column] of Object.entries(getTableColumns(table))) {
    if (column.name !== key.name) set[name] = sql`excluded.${sql.identifier(column.name)}`
  }
  return writing(
    database,
    database.drizzle.insert(table).values(placeholdersOf(table)).onConflictDoUpdate({ target: key, set })
  )
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
