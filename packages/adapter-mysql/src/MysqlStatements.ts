/**
 * The statements on the store's own tables.
 *
 * Rows go in with as few statements as there are tables, because each is a way to the server and back.
 */
import type {
  ClaimRequest,
  Completion,
  DeliveryRowQuery,
  Setback,
  SubscriptionRowQuery
} from "@kavach-polar/core/StoreDriver"
import { StoreProblem } from "@kavach-polar/core/StoreProblem"
import type {
  CheckoutRow,
  ClaimedNotificationRow,
  DeliveryRow,
  LinkRow,
  NotificationRow,
  SubscriptionFact,
  SubscriptionRow
} from "@kavach-polar/core/StoreRows"
import type { Changes } from "@kavach-polar/core/StoreStep"
import {
  and,
  asc,
  desc,
  eq,
  getTableColumns,
  gt,
  gte,
  inArray,
  isNull,
  lt,
  notInArray,
  or,
  type SQL,
  sql
} from "drizzle-orm"
import { type MySqlColumn, type MySqlTable, unionAll } from "drizzle-orm/mysql-core"
import { type Queries, uncached } from "./MysqlDatabase.ts"
import { choices, groupsOf } from "./MysqlGroups.ts"
import { datetimeOf, datetimeOrNull, millisOf, millisOrNull } from "./MysqlTime.ts"
import { checkouts, customers, deliveries, notifications, subscriptions } from "./schema.ts"

export type MysqlStatements = ReturnType<typeof on>

/** On a database, or within a transaction of it. */
export const on = (queries: Queries) => ({
  subscriptionsOf: async (userId: string, which: "all" | "live"): Promise<ReadonlyArray<SubscriptionRow>> => {
    const rows = await uncached(
      queries
        .select()
        .from(subscriptions)
        .where(and(eq(subscriptions.userId, userId), which === "live" ? eq(subscriptions.live, true) : undefined))
    )
    return rows.map((row) => ({ ...factOf(row), data: row.data }))
  },

  latestCustomerOf: async (userId: string): Promise<string | undefined> => {
    const [row] = await uncached(
      queries
        .select({ customerId: customers.customerId })
        .from(customers)
        .where(and(eq(customers.userId, userId), isNull(customers.deletedAt)))
        .orderBy(desc(customers.linkedAt), asc(customers.customerId))
        .limit(1)
    )
    return row?.customerId
  },

  writeDeliveries: (rows: ReadonlyArray<DeliveryRow>) =>
    upsert(
      queries,
      deliveries,
      deliveries.id,
      rows.map((row) => ({
        ...row,
        receivedAt: datetimeOf(row.receivedAt),
        updatedAt: datetimeOf(row.updatedAt)
      }))
    ),

  writeLinks: (rows: ReadonlyArray<LinkRow>) =>
    upsert(
      queries,
      customers,
      customers.customerId,
      rows.map((row) => ({
        ...row,
        linkedAt: datetimeOf(row.linkedAt),
        deletedAt: datetimeOrNull(row.deletedAt)
      }))
    ),

  writeSubscriptions: (rows: ReadonlyArray<SubscriptionRow>) =>
    upsert(
      queries,
      subscriptions,
      subscriptions.id,
      rows.map((row) => ({
        ...row,
        currentPeriodEnd: datetimeOrNull(row.currentPeriodEnd),
        updatedAt: datetimeOf(row.updatedAt)
      }))
    ),

  adopt: async (rows: Changes["adoptions"]): Promise<void> => {
    for (const group of groupsOf(rows)) {
      const ids = group.map((row) => row.id)
      const choose = choices(sql`${subscriptions.id}`, ids)
      await queries
        .update(subscriptions)
        .set({
          userId: choose(group.map((row) => row.userId)),
          updatedAt: choose(group.map((row) => datetimeOf(row.updatedAt)))
        })
        .where(inArray(subscriptions.id, ids))
    }
  },

  /**
   * Most often nothing waits, and looking is enough. What this step itself has written is looked at as well. Nobody else
   * adds to it, because that takes the lock of the customer or the subscription.
   */
  release: async (releases: Changes["releases"]): Promise<void> => {
    if (releases.length === 0) return
    const waiting = await unlinkedOf(queries, releases)
    const released = new Map<string, Changes["releases"][number]>()
    // The first that names a delivery is the one that gives it to its user.
    for (const release of releases) {
      for (const row of waiting.get(`${release.by} ${release.id}`) ?? []) {
        if (!released.has(row)) released.set(row, release)
      }
    }
    for (const group of groupsOf([...released])) {
      const ids = group.map(([id]) => id)
      const choose = choices(sql`${deliveries.id}`, ids)
      await queries
        .update(deliveries)
        .set({
          state: "applied",
          userId: choose(group.map(([, release]) => release.userId)),
          updatedAt: choose(group.map(([, release]) => datetimeOf(release.updatedAt)))
        })
        .where(and(inArray(deliveries.id, ids), eq(deliveries.state, "unlinked")))
    }
  },

  insertCheckouts: (rows: ReadonlyArray<CheckoutRow>) =>
    insertUnlessExists(
      queries,
      checkouts,
      checkouts.id,
      rows.map((row) => ({ ...row, createdAt: datetimeOf(row.createdAt) }))
    ),

  insertNotifications: (rows: ReadonlyArray<NotificationRow>) =>
    insertUnlessExists(
      queries,
      notifications,
      notifications.id,
      rows.map((row) => {
        const createdAt = datetimeOf(row.createdAt)
        return {
          ...row,
          createdAt,
          state: "pending" as const,
          attempts: 0,
          availableAt: createdAt,
          leaseOwner: null,
          lastError: null,
          updatedAt: createdAt
        }
      })
    ),

  /**
   * Rows that another claimer is about to take are passed over, and not waited for. What says that nothing older of the
   * subscription is unfinished is read without a lock: until the other's commit it still sees the older one as
   * unfinished, so a younger one never goes first. The index is prescribed because the rows come in its order: sorted
   * otherwise, all that are due would be locked before the first few are taken.
   */
  claim: async ({ leaseUntil, limit, now, owner }: ClaimRequest): Promise<ReadonlyArray<ClaimedNotificationRow>> => {
    const rows = await uncached(
      queries
        .select()
        .from(notifications, { forceIndex: "kavach_polar_notifications_due" })
        .where(
          and(
            eq(notifications.state, "pending"),
            sql`${notifications.availableAt} <= ${datetimeOf(now)}`,
            isOldestOfItsSubscription
          )
        )
        .orderBy(asc(notifications.availableAt), asc(notifications.id))
        .limit(limitOf(limit))
        .for("update", { skipLocked: true })
    )
    if (rows.length === 0) return []
    await queries
      .update(notifications)
      .set({
        attempts: sql`${notifications.attempts} + 1`,
        availableAt: datetimeOf(leaseUntil),
        leaseOwner: owner,
        updatedAt: datetimeOf(now)
      })
      .where(
        inArray(
          notifications.id,
          rows.map((row) => row.id)
        )
      )
    return rows.map((row) => ({ ...row, createdAt: millisOf(row.createdAt), attempts: row.attempts + 1 }))
  },

  /** When the first one that is not among those just claimed can be claimed, in epoch milliseconds. */
  nextDue: async (claimed: ReadonlyArray<string>): Promise<number | undefined> => {
    const [row] = await uncached(
      queries
        .select({ availableAt: notifications.availableAt })
        .from(notifications, { forceIndex: "kavach_polar_notifications_due" })
        .where(
          and(
            eq(notifications.state, "pending"),
            isOldestOfItsSubscription,
            claimed.length === 0 ? undefined : notInArray(notifications.id, [...claimed])
          )
        )
        .orderBy(asc(notifications.availableAt), asc(notifications.id))
        .limit(1)
    )
    return row === undefined ? undefined : millisOf(row.availableAt)
  },

  /** Looks first and writes then: how many rows an UPDATE reports depends on a flag of the connection. */
  complete: async ({ ids, now, owner }: Completion): Promise<ReadonlyArray<string>> => {
    const held = await heldBy(queries, owner, ids)
    if (held.length === 0) return held
    await queries
      .update(notifications)
      .set({ state: "done", availableAt: datetimeOf(now), leaseOwner: null, updatedAt: datetimeOf(now) })
      .where(inArray(notifications.id, [...held]))
    return held
  },

  setBack: async ({ availableAt, error, id, now, owner, state }: Setback): Promise<boolean> => {
    const held = await heldBy(queries, owner, [id])
    if (held.length === 0) return false
    await queries
      .update(notifications)
      .set({
        state,
        availableAt: datetimeOf(availableAt ?? now),
        leaseOwner: null,
        lastError: error,
        updatedAt: datetimeOf(now)
      })
      .where(eq(notifications.id, id))
    return true
  },

  inbox: async (query: DeliveryRowQuery): Promise<ReadonlyArray<DeliveryRow>> => {
    const rows = await uncached(
      queries
        .select()
        .from(deliveries)
        .where(
          and(
            among(deliveries.id, query.ids),
            among(deliveries.state, query.states),
            among(deliveries.type, query.types),
            query.receivedBefore === undefined
              ? undefined
              : lt(deliveries.receivedAt, datetimeOf(query.receivedBefore)),
            query.receivedAfter === undefined ? undefined : gte(deliveries.receivedAt, datetimeOf(query.receivedAfter)),
            query.after && isAfter(query.after)
          )
        )
        .orderBy(
          ...(query.order === "oldest"
            ? [asc(deliveries.receivedAt), desc(deliveries.id)]
            : [desc(deliveries.receivedAt), asc(deliveries.id)])
        )
        .limit(limitOf(query.limit))
    )
    return rows.map((row) => ({
      ...row,
      receivedAt: millisOf(row.receivedAt),
      updatedAt: millisOf(row.updatedAt)
    }))
  },

  pruneBodies: async (before: number, limit: number): Promise<number> => {
    const oldest = await uncached(
      queries
        .select({ id: deliveries.id })
        .from(deliveries)
        // MySQL has no index over some rows only; this column stands for what the index leaves out.
        .where(and(sql`kavach_polar_deliveries.has_body = 1`, lt(deliveries.receivedAt, datetimeOf(before))))
        .orderBy(asc(deliveries.receivedAt), asc(deliveries.id))
        .limit(limitOf(limit))
        .for("update", { skipLocked: true })
    )
    if (oldest.length === 0) return 0
    await queries
      .update(deliveries)
      .set({ body: null })
      .where(
        inArray(
          deliveries.id,
          oldest.map((row) => row.id)
        )
      )
    return oldest.length
  },

  subscriptionsAfter: async ({
    afterId,
    limit,
    which
  }: SubscriptionRowQuery): Promise<ReadonlyArray<SubscriptionRow>> => {
    const page = (condition: SQL | undefined) =>
      uncached(
        queries
          .select()
          .from(subscriptions)
          .where(and(condition, afterId === undefined ? undefined : gt(subscriptions.id, afterId)))
          .orderBy(asc(subscriptions.id))
          .limit(limitOf(limit))
      )
    const rows =
      which === "live"
        ? await page(eq(subscriptions.live, true))
        : // Each in the order of an index, which only holds where `live` is one of the two.
          [
            ...(await page(and(isNull(subscriptions.userId), eq(subscriptions.live, true)))),
            ...(await page(and(isNull(subscriptions.userId), eq(subscriptions.live, false))))
          ]
            .sort((a, b) => (a.id < b.id ? -1 : 1))
            .slice(0, limitOf(limit))
    return rows.map((row) => ({ ...factOf(row), data: row.data }))
  }
})

const { data, ...factColumns } = getTableColumns(subscriptions)

/** The columns of a `SubscriptionFact`. */
export const subscriptionFact = factColumns

/** The ids of deliveries in state `unlinked`, by what the releases name them with. */
const unlinkedOf = async (
  queries: Queries,
  releases: Changes["releases"]
): Promise<ReadonlyMap<string, ReadonlyArray<string>>> => {
  const found = new Map<string, Array<string>>()
  const namedBy = (by: Changes["releases"][number]["by"]) => {
    const ids = new Set(releases.filter((release) => release.by === by).map((release) => release.id))
    if (ids.size === 0) return []
    const named = and(inArray(deliveries[by], [...ids]), eq(deliveries.state, "unlinked"))
    return [
      queries
        .select({ by: sql<string>`${sql.raw(`'${by}'`)}`, name: deliveries[by], id: deliveries.id })
        .from(deliveries)
        .where(named)
    ]
  }
  // Each of the two columns has an index; a condition on both would go through the table.
  const [first, second] = [...namedBy("customerId"), ...namedBy("subscriptionId")]
  if (first === undefined) return found
  for (const { by, id, name } of await uncached(second === undefined ? first : unionAll(first, second))) {
    const key = `${by} ${name}`
    const ids = found.get(key)
    if (ids === undefined) found.set(key, [id])
    else ids.push(id)
  }
  return found
}

/** `undefined` asks for nothing in particular; an empty list is met by no row. */
const among = (column: MySqlColumn, values: ReadonlyArray<string> | undefined): SQL | undefined =>
  values === undefined ? undefined : values.length === 0 ? sql`FALSE` : inArray(column, [...values])

/** Callbacks are made in the order of events: nothing older of its subscription is unfinished. */
const isOldestOfItsSubscription = sql`${notifications.id} = (
  SELECT oldest.id FROM kavach_polar_notifications AS oldest
  WHERE oldest.subscription_id = ${notifications.subscriptionId} AND oldest.state = 'pending'
  ORDER BY oldest.event_at, oldest.precedence LIMIT 1)`

/**
 * Leaves the key as it is where the row that is there already has the same one. Where it is there because of another
 * unique index, which somebody must have added, it has another key: NULL makes the statement fail, and no stranger's row
 * is written over.
 */
export const sameKey = (table: MySqlTable, key: MySqlColumn): SQL => {
  const name = sql.identifier(key.name)
  return sql`IF(${table}.${name} = VALUES(${name}), ${table}.${name}, NULL)`
}

/** Rows that replace what has their key. */
const upsert = async <Table extends MySqlTable>(
  queries: Queries,
  table: Table,
  key: MySqlColumn,
  rows: ReadonlyArray<Table["$inferInsert"]>
): Promise<void> => {
  const assignments = Object.entries(getTableColumns(table)).map(([property, column]): readonly [string, SQL] => [
    property,
    column.name === key.name ? sameKey(table, key) : sql`VALUES(${sql.identifier(column.name)})`
  ])
  await insertOver(queries, table, Object.fromEntries(assignments), rows)
}

const insertUnlessExists = <Table extends MySqlTable>(
  queries: Queries,
  table: Table,
  key: MySqlColumn,
  rows: ReadonlyArray<Table["$inferInsert"]>
): Promise<void> => {
  const property = Object.entries(getTableColumns(table)).find(([, column]) => column.name === key.name)?.[0]
  return insertOver(queries, table, property === undefined ? {} : { [property]: sameKey(table, key) }, rows)
}

const insertOver = async <Table extends MySqlTable>(
  queries: Queries,
  table: Table,
  set: Record<string, SQL>,
  rows: ReadonlyArray<Table["$inferInsert"]>
): Promise<void> => {
  for (const portion of portions(rows)) {
    await requireRoom(queries, portion)
    await queries.insert(table).values(portion).onDuplicateKeyUpdate({ set })
  }
}

/** A statement must fit into the server's `max_allowed_packet`, at least 4 MB: two portions of escaped UTF-8 do. */
const portionLength = 500_000

const portions = <Row extends object>(rows: ReadonlyArray<Row>): ReadonlyArray<Array<Row>> => {
  const all: Array<Array<Row>> = []
  let length = Number.POSITIVE_INFINITY
  for (const row of rows) {
    const own = lengthOf(row)
    const portion = all.at(-1)
    if (portion === undefined || length + own > portionLength) {
      all.push([row])
      length = own
    } else {
      portion.push(row)
      length += own
    }
  }
  return all
}

/** Too long a statement is not always answered: MariaDB may just close the connection. So who could be too long asks. */
const requireRoom = async (queries: Queries, rows: ReadonlyArray<object>): Promise<void> => {
  if (rows.reduce((length, row) => length + lengthOf(row), 0) <= portionLength) return
  const [server] = await uncached(
    queries.select({ bytes: sql<unknown>`@@max_allowed_packet` }).from(sql`(SELECT 1 AS one) AS server`)
  )
  let bytes = 0
  for (const value of rows.flatMap((row) => Object.values(row))) {
    if (typeof value === "string") bytes += Buffer.byteLength(value) + (value.match(escaped)?.length ?? 0)
  }
  if (bytes < Number(server?.bytes)) return
  throw new StoreProblem(
    "unknown",
    `a row of ${bytes} bytes is larger than the server's max_allowed_packet; raise that setting`
  )
}

/** Those of the notifications on which `owner` holds the lease; they are locked. */
const heldBy = async (queries: Queries, owner: string, ids: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  if (ids.length === 0) return []
  const held = await uncached(
    queries
      .select({ id: notifications.id })
      .from(notifications)
      .where(
        and(
          inArray(notifications.id, [...ids]),
          eq(notifications.state, "pending"),
          eq(notifications.leaseOwner, owner)
        )
      )
      .orderBy(asc(notifications.id))
      .for("update")
  )
  return held.map(({ id }) => id)
}

/** What mysql2 writes as two characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped.
const escaped = /[\0\b\t\n\r\x1a"'\\]/g

const lengthOf = (row: object): number => {
  let length = 0
  for (const value of Object.values(row)) length += typeof value === "string" ? value.length : 20
  return length
}

export const factOf = (row: Omit<typeof subscriptions.$inferSelect, "data">): SubscriptionFact => ({
  ...row,
  currentPeriodEnd: millisOrNull(row.currentPeriodEnd),
  updatedAt: millisOf(row.updatedAt)
})

const isAfter = ({ id, receivedAt }: NonNullable<DeliveryRowQuery["after"]>): SQL | undefined =>
  and(
    gte(deliveries.receivedAt, datetimeOf(receivedAt)),
    or(gt(deliveries.receivedAt, datetimeOf(receivedAt)), lt(deliveries.id, id))
  )

/** MySQL takes whole numbers only. */
const limitOf = (limit: number): number => Math.min(Math.max(Math.trunc(limit), 0), 2 ** 31 - 1)
