/** The inbox: reading recorded deliveries, and forgetting bodies. */
import type { DeliveryRow } from "../records/rows.ts"
import type { DeliveryRowQuery } from "../store/StoreDriver.ts"
import type { Dialect } from "./Dialect.ts"
import { limitOf } from "./outbox.ts"
import { accessTo, valueIn } from "./rowsOf.ts"
import { ask, askOne, commit, join, type Script, type Statement, sql } from "./Script.ts"
import { deliveries } from "./tables.ts"

export const makeInbox = (dialect: Dialect) => {
  const put = valueIn(dialect)
  const table = dialect.table(deliveries.name)
  const access = accessTo<DeliveryRow>(dialect, deliveries, [
    "id",
    "type",
    "state",
    "eventAt",
    "receivedAt",
    "updatedAt",
    "customerId",
    "recordKind",
    "recordId",
    "userId",
    "attempts",
    "lastError",
    "body"
  ])

  /** `undefined` asks for nothing in particular; an empty list is met by no row. */
  const among = (column: string, values: ReadonlyArray<string> | undefined, type: "key" | "word") =>
    values === undefined ? [] : [values.length === 0 ? sql`1 = 0` : dialect.among(column, values, type)]

  const conditionsOf = (query: DeliveryRowQuery): ReadonlyArray<Statement> => [
    ...among("id", query.ids, "key"),
    ...among("state", query.states, "word"),
    ...among("type", query.types, "key"),
    ...(query.receivedBefore === undefined ? [] : [sql`received_at < ${put(query.receivedBefore, "time")}`]),
    ...(query.receivedAfter === undefined ? [] : [sql`received_at >= ${put(query.receivedAfter, "time")}`]),
    ...(query.after === undefined
      ? []
      : [
          sql`received_at >= ${put(query.after.receivedAt, "time")} AND (received_at > ${put(query.after.receivedAt, "time")} OR id > ${put(query.after.id, "key")})`
        ])
  ]

  return {
    select: function* (query: DeliveryRowQuery): Script<ReadonlyArray<DeliveryRow>> {
      const conditions = conditionsOf(query)
      const where = conditions.length === 0 ? sql`` : sql` WHERE ${join(conditions, " AND ")}`
      const order = query.order === "oldest" ? "received_at, id" : "received_at DESC, id DESC"
      return access.rows(yield* askOne(sql`${access.select()}${where} ORDER BY ${order} LIMIT ${limitOf(query.limit)}`))
    },

    /** Rows that somebody is writing are left for the next time. */
    prune: function* (before: number, limit: number): Script<number> {
      const found = yield* ask(
        ...dialect.settings(false),
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
