/**
 * `kavach_users`, the app's table. It may be KavachOS's own or one made by hand, so its real columns are looked at, and
 * what is written is what they take: a time goes into a timestamptz, into a bigint or integer as whole seconds since
 * 1970, which is what KavachOS's drizzle tables read, and into a text as ISO 8601; a timestamp without time zone gets it
 * in UTC, as drizzle and Prisma write it. Only rows that exist are ever written.
 */

import { DriverError } from "@kavach-polar/core/adapter/DriverError"
import { statementsOf } from "@kavach-polar/core/adapter/migrations"
import type { ProjectionRow } from "@kavach-polar/core/adapter/rows"
import { usersTableSql } from "./migrations.ts"
import type { Session } from "./PostgresDatabase.ts"
import { once, raw, type Statement, sql } from "./PostgresStatement.ts"
import { isoOrNull } from "./PostgresTime.ts"
import { listOf, recordsOf, text, texts, uuid, uuids } from "./PostgresValues.ts"

export interface UsersTable {
  /** A row of the id, the address and the name, or none. */
  readonly find: (userId: string) => Statement
  /**
   * A list of `UserFact`s: rows of the users whose ids a query yields as `user_id`, and rows that show one of the customers,
   * which are an array of texts.
   */
  readonly facts: (users: Statement, customerIds: Statement) => Statement
  readonly project: (rows: ReadonlyArray<ProjectionRow>) => Statement
}

/** Creates the table or the columns that are missing. Part of a transaction. */
export const migrate = async (session: Session): Promise<void> => {
  const found = await columnsOf(session)
  if (found.size === 0) {
    for (const statement of statementsOf(usersTableSql)) await session.run(once(statement))
    return
  }
  idOf(found)
  for (const [name, type] of projectionColumns) {
    if (!found.has(name)) await session.run(once(`ALTER TABLE kavach_users ADD COLUMN ${name} ${type}`))
  }
  const customer = found.get("polar_customer_id")
  if (customer === undefined) {
    // As KavachOS declares it.
    await session.run(sql`CREATE UNIQUE INDEX kavach_users_polar_customer_id ON kavach_users (polar_customer_id)`)
  } else if (!customer.indexed) {
    await session.run(sql`CREATE INDEX kavach_users_polar_customer_id ON kavach_users (polar_customer_id)`)
  }
  await open(session)
}

/** `undefined` when the database has no such table. Rejects when a column is missing or takes nothing that fits. */
export const open = async (session: Session): Promise<UsersTable | undefined> => {
  const columns = await columnsOf(session)
  if (columns.size === 0) return undefined
  const ids = idOf(columns)
  for (const name of ["polar_customer_id", "polar_subscription_id", "polar_subscription_status", "polar_product_id"]) {
    const type = typeOf(columns, name)
    if (!isText(type)) throw problem(`keeps ${name} as ${type}, and it takes text`)
  }
  const periodEnd = timeOf(columns, "polar_current_period_end")
  const cancelAtPeriodEnd = flagOf(columns, "polar_cancel_at_period_end")
  const updatedAt = columns.has("updated_at") ? timeOf(columns, "updated_at") : undefined
  const plainly = {
    polar_subscription_id: "text",
    polar_subscription_status: "text",
    polar_product_id: "text",
    polar_current_period_end: periodEnd.type,
    polar_cancel_at_period_end: cancelAtPeriodEnd.type,
    ...(updatedAt === undefined ? {} : { updated_at: updatedAt.type })
  } as const
  const givenProjections = recordsOf("projected", { user_id: ids.type, polar_customer_id: "text", ...plainly })
  const assignments = raw(
    Object.keys(plainly)
      .map((name) => `${name} = projected.${name}`)
      .join(", ")
  )
  const readable = (name: "email" | "name") => (columns.has(name) ? raw(`"${name}"::text`) : sql`NULL::text`)
  const [email, name] = [readable("email"), readable("name")]
  return {
    find: (userId) =>
      sql`SELECT id::text AS id, ${email} AS email, ${name} AS name
        FROM kavach_users WHERE id = ${ids.one(userId)}`,
    facts: (users, customerIds) =>
      listOf(sql`SELECT id::text AS id, polar_customer_id AS "polarCustomerId" FROM kavach_users
        WHERE id = ANY (${ids.among(users)}) OR polar_customer_id = ANY (${customerIds})`),
    project: (all) => {
      // Only what is an id in this table: elsewhere there is no row to be written.
      const rows = all.filter(({ userId }) => ids.takes(userId))
      const given = rows.map((row) => ({
        user_id: row.userId,
        polar_customer_id: row.polarCustomerId ?? null,
        polar_subscription_id: row.polarSubscriptionId,
        polar_subscription_status: row.polarSubscriptionStatus,
        polar_product_id: row.polarProductId,
        polar_current_period_end: periodEnd.of(row.polarCurrentPeriodEnd),
        polar_cancel_at_period_end: cancelAtPeriodEnd.of(row.polarCancelAtPeriodEnd),
        ...(updatedAt === undefined ? {} : { updated_at: updatedAt.of(row.updatedAt) })
      }))
      // An app that writes several of these rows in the order of their ids never waits in a circle with this.
      return sql`UPDATE kavach_users SET ${assignments},
          polar_customer_id = coalesce(projected.polar_customer_id, kavach_users.polar_customer_id)
        FROM (
          SELECT id FROM kavach_users WHERE id = ANY (${ids.of(rows.map((row) => row.userId))})
          ORDER BY id FOR NO KEY UPDATE
        ) AS locked
        JOIN ${givenProjections(given)} ON projected.user_id = locked.id
        WHERE kavach_users.id = locked.id`
    }
  }
}

/** As KavachOS declares them, but for UNIQUE. */
const projectionColumns: ReadonlyArray<readonly [name: string, declaration: string]> = [
  ["polar_customer_id", "text"],
  ["polar_subscription_id", "text"],
  ["polar_subscription_status", "text"],
  ["polar_product_id", "text"],
  ["polar_current_period_end", "timestamptz"],
  ["polar_cancel_at_period_end", "boolean NOT NULL DEFAULT false"]
]

interface Column {
  readonly name: string
  /** As PostgreSQL spells it in full, without length or precision; of a domain the type below it. */
  readonly type: string
  /** Whether some index on all rows begins with it. */
  readonly indexed: boolean
}

type Columns = ReadonlyMap<string, Column>

/** Of the table that the search path leads to; none when it leads to none. */
const columnsOf = async (session: Session): Promise<Columns> => {
  const columns = await session.answer<ReadonlyArray<Column>>(
    sql`SELECT ${listOf(sql`SELECT attname AS name,
        format_type(coalesce(nullif(typbasetype, 0), atttypid), NULL) AS type,
        EXISTS (SELECT FROM pg_index WHERE indrelid = attrelid AND indkey[0] = attnum AND indisvalid
          AND indpred IS NULL) AS indexed
      FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
      WHERE attrelid = to_regclass('kavach_users') AND attnum > 0 AND NOT attisdropped`)}::text`
  )
  return new Map(columns.map((column) => [column.name, column]))
}

interface Ids {
  readonly type: "text" | "uuid"
  readonly one: (userId: string) => Statement
  readonly of: (userIds: ReadonlyArray<string>) => Statement
  /** Of the ids that a query yields as `user_id`. */
  readonly among: (users: Statement) => Statement
  /** Whether there can be such an id. */
  readonly takes: (userId: string) => boolean
}

/** Ids as the column holds them. It is they that are converted and not the column, whose index would be of no use. */
const idOf = (columns: Columns): Ids => {
  const column = columns.get("id")
  if (column === undefined) throw problem("has no column id")
  if (isText(column.type)) {
    return {
      type: "text",
      one: text,
      of: texts,
      among: (users) => sql`ARRAY(${users})`,
      takes: () => true
    }
  }
  if (column.type !== "uuid") throw problem(`keeps id as ${column.type}, and user ids are text or uuid`)
  // As PostgreSQL prints it, and so as the app knows it. Other spellings are other ids.
  const printed = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
  const pattern = new RegExp(printed)
  const takes = (userId: string) => pattern.test(userId)
  return {
    type: "uuid",
    one: (userId) => uuid(takes(userId) ? userId : null),
    of: (userIds) => uuids(userIds.filter(takes)),
    // What is chosen is converted, and only that: WHERE comes before what is selected.
    among: (users) => sql`ARRAY(SELECT user_id::uuid FROM (${users}) AS asked WHERE user_id ~ ${raw(`'${printed}'`)})`,
    takes
  }
}

/** How a value is written into a column. */
interface Writes<A> {
  readonly type: "text" | "bigint" | "boolean" | "timestamptz" | "timestamp"
  readonly of: (value: A) => string | number | boolean | null
}

const timeOf = (columns: Columns, name: string): Writes<number | null> => {
  const type = typeOf(columns, name)
  if (type === "timestamp with time zone") return { type: "timestamptz", of: isoOrNull }
  if (type === "timestamp without time zone") return { type: "timestamp", of: isoOrNull }
  if (type === "bigint") return { type: "bigint", of: secondsOf }
  // A time that the column cannot hold must not keep the delivery out for ever.
  if (type === "integer") return { type: "bigint", of: (at) => clamped(secondsOf(at)) }
  if (isText(type)) return { type: "text", of: isoOrNull }
  throw problem(
    `keeps ${name} as ${type}, and a time goes into timestamptz, timestamp, bigint or integer (seconds), or text (ISO 8601)`
  )
}

const secondsOf = (millis: number | null): number | null => (millis === null ? null : Math.floor(millis / 1000))

const clamped = (seconds: number | null): number | null => (seconds === null ? null : Math.min(seconds, 2 ** 31 - 1))

const flagOf = (columns: Columns, name: string): Writes<boolean> => {
  const type = typeOf(columns, name)
  if (type === "boolean") return { type: "boolean", of: (value) => value }
  if (type === "integer" || type === "smallint" || type === "bigint") {
    return { type: "bigint", of: (value) => (value ? 1 : 0) }
  }
  throw problem(`keeps ${name} as ${type}, and it takes boolean or integer, 0 or 1`)
}

const typeOf = (columns: Columns, name: string): string => {
  const column = columns.get(name)
  if (column === undefined) throw problem(`has no column ${name}; run the migrations`)
  return column.type
}

const isText = (type: string): boolean => type === "text" || type === "character varying"

const problem = (what: string) => new DriverError("schema", `the table kavach_users ${what}`)
