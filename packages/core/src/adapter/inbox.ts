/** The inbox: reading recorded deliveries, and forgetting bodies. */
import { settledStates } from "../records/DeliveryState.ts"
import type { DeliveryRow } from "../records/rows.ts"
import type { DeliveryRowQuery } from "../store/StoreDriver.ts"
import type { Dialect } from "./Dialect.ts"
import { limitOf } from "./outbox.ts"
import { valueIn } from "./rowsOf.ts"
import { ask, askOne, commit, join, type Script, type Statement, sql } from "./Script.ts"
import { deliveries } from "./tables.ts"
import { deliveryRows } from "./wholeRows.ts"

export const makeInbox = (dialect: Dialect) => {
  const put = valueIn(dialect)
  const table = dialect.table(deliveries.name)
  const access = deliveryRows(dialect)

  /** `undefined` asks for nothing in particular; an empty list is met by no row. */
  const among = (column: string, values: ReadonlyArray<string> | undefined, type: "key" | "word") =>
    values === undefined ? [] : [values.length === 0 ? sql`1 = 0` : dialect.among(column, values, type)]

  const conditionsOf = (query: DeliveryRowQuery): ReadonlyArray<Statement> => [
    ...among("id", query.ids, "key"),
    ...among("state", query.states, "word"),
    ...among("type", query.types, "key"),
    ...(query.userId === undefined ? [] : [sql`user_id = ${put(query.userId, "key")}`]),
    ...(query.receivedBefore === undefined ? [] : [sql`received_at < ${put(query.receivedBefore, "time")}`]),
    ...(query.receivedAfter === undefined ? [] : [sql`received_at >= ${put(query.receivedAfter, "time")}`]),
    ...(query.after === undefined
      ? []
      : [
          query.order === "oldest"
            ? sql`received_at >= ${put(query.after.receivedAt, "time")} AND (received_at > ${put(query.after.receivedAt, "time")} OR id > ${put(query.after.id, "key")})`
            : sql`received_at <= ${put(query.after.receivedAt, "time")} AND (received_at < ${put(query.after.receivedAt, "time")} OR id < ${put(query.after.id, "key")})`
        ])
  ]

  const pageOf = (query: DeliveryRowQuery): Statement => {
    const conditions = conditionsOf(query)
    const where = conditions.length === 0 ? sql`` : sql` WHERE ${join(conditions, " AND ")}`
    const order = query.order === "oldest" ? "received_at, id" : "received_at DESC, id DESC"
    return sql`${access.select()}${where} ORDER BY ${order} LIMIT ${limitOf(query.limit)}`
  }

  return {
    /** Each state is asked for by itself: so each goes along the index of states, and ends with the limit. */
    select: function* (query: DeliveryRowQuery): Script<ReadonlyArray<DeliveryRow>> {
      const { ids, limit, order, states = [] } = query
      if (ids !== undefined || states.length < 2) return access.rows(yield* askOne(pageOf(query)))
      const pages = yield* ask(...[...new Set(states)].map((state) => pageOf({ ...query, states: [state] })))
      const sign = order === "oldest" ? 1 : -1
      return pages
        .flatMap(access.rows)
        .sort((a, b) => sign * (a.receivedAt - b.receivedAt || (a.id < b.id ? -1 : 1)))
        .slice(0, limit)
    },

    /** Whatever the limit. */
    count: function* (query: DeliveryRowQuery): Script<number> {
      const conditions = conditionsOf(query)
      const where = conditions.length === 0 ? sql`` : sql` WHERE ${join(conditions, " AND ")}`
      const [row] = yield* askOne(sql`SELECT count(*) FROM ${table}${where}`)
      return Number(row?.[0] ?? 0)
    },

    /** Rows that somebody is writing are left for the next time. */
    deleteSettled: function* (before: number, limit: number): Script<number> {
      const found = yield* ask(
        ...dialect.settings({ relaxed: true }),
        ...settledStates.map(
          (state) =>
            sql`SELECT ${dialect.read("id", "key")} FROM ${table} WHERE ${dialect.among("state", [state], "word")} AND received_at < ${put(before, "time")} ORDER BY received_at, id LIMIT ${limitOf(limit)}${dialect.skipLocked}`
        )
      )
      const ids = found
        .slice(-settledStates.length)
        .flatMap((rows) => rows.map(([id]) => String(id)))
        .slice(0, limit)
      yield* commit(...(ids.length === 0 ? [] : [sql`DELETE FROM ${table} WHERE ${dialect.among("id", ids, "key")}`]))
      return ids.length
    },

    /** Rows that somebody is writing are left for the next time. */
    prune: function* (before: number, limit: number): Script<number> {
      const found = yield* ask(
        ...dialect.settings({}),
        sql`SELECT ${dialect.read("id", "key")} FROM ${table} WHERE ${dialect.hasBody} AND received_at < ${put(before, "time")} ORDER BY received_at, id LIMIT ${limitOf(limit)}${dialect.skipLocked}`
      )
      const ids = (found.at(-1) ?? []).map(([id]) => String(id))
      yield* commit(
        ...(ids.length === 0 ? [] : [sql`UPDATE ${table} SET body = NULL WHERE ${dialect.among("id", ids, "key")}`])
      )
      return ids.length
    }
  }
}
