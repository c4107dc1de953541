/**
 * The statements on the store's own tables that stand alone. What is read for one user is in `MysqlReads`, and what a step
 * writes in `MysqlWrites`.
 */

import type { DeliveryRow, SubscriptionFact, SubscriptionRow } from "@kavach-polar/core/adapter/rows"
import type { DeliveryRowQuery, SubscriptionRowQuery } from "@kavach-polar/core/adapter/StoreDriver"
import { and, asc, desc, eq, gt, gte, inArray, isNull, lt, or, type SQL, sql } from "drizzle-orm"
import type { MySqlColumn, MySqlTable } from "drizzle-orm/mysql-core"
import { type Queries, uncached } from "./MysqlDatabase.ts"
import { limitOf } from "./MysqlStatement.ts"
import { datetimeOf, millisOf, millisOrNull } from "./MysqlTime.ts"
import { deliveries, subscriptions } from "./schema.ts"

export type MysqlStatements = ReturnType<typeof on>

/** On a database, or within a transaction of it. */
export const on = (queries: Queries) => ({
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

/** `undefined` asks for nothing in particular; an empty list is met by no row. */
const among = (column: MySqlColumn, values: ReadonlyArray<string> | undefined): SQL | undefined =>
  values === undefined ? undefined : values.length === 0 ? sql`FALSE` : inArray(column, [...values])

/**
 * Leaves the key as it is where the row that is there already has the same one. Where it is there because of another
 * unique index, which somebody must have added, it has another key: NULL makes the statement fail, and no stranger's row
 * is written over.
 */
export const sameKey = (table: MySqlTable, key: MySqlColumn): SQL => {
  const name = sql.identifier(key.name)
  return sql`IF(${table}.${name} = VALUES(${name}), ${table}.${name}, NULL)`
}

const factOf = (row: Omit<typeof subscriptions.$inferSelect, "data">): SubscriptionFact => ({
  ...row,
  currentPeriodEnd: millisOrNull(row.currentPeriodEnd),
  updatedAt: millisOf(row.updatedAt)
})

const isAfter = ({ id, receivedAt }: NonNullable<DeliveryRowQuery["after"]>): SQL | undefined =>
  and(
    gte(deliveries.receivedAt, datetimeOf(receivedAt)),
    or(gt(deliveries.receivedAt, datetimeOf(receivedAt)), lt(deliveries.id, id))
  )
