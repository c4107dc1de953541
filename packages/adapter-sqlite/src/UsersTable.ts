/**
 * `kavach_users`, the app's table. It may be KavachOS's own or one made by hand, so its real columns are looked at, and
 * what is written is what they take: a time goes into an INTEGER column as whole seconds since 1970, which is what
 * KavachOS stores, and into a TEXT column as ISO 8601. Only rows that exist are ever written.
 */

import { DriverError } from "@kavach-polar/core/adapter/DriverError"
import { statementsOf } from "@kavach-polar/core/adapter/migrations"
import type { ProjectionRow, UserFact, UserRow } from "@kavach-polar/core/adapter/rows"
import { eq, or, sql } from "drizzle-orm"
import { text as column, sqliteTable } from "drizzle-orm/sqlite-core"
import { usersTableSql } from "./migrations.ts"
import type { Drizzle } from "./SqliteDatabase.ts"
import { type Preparing, selecting, writing } from "./SqliteStatement.ts"
import { among } from "./SqliteStatements.ts"
import { isoOf } from "./SqliteTime.ts"

export interface UsersTable {
  readonly find: (userId: string) => UserRow | undefined
  /** Rows of these users, and rows that show one of these customers. */
  readonly facts: (userIds: ReadonlyArray<string>, customerIds: ReadonlyArray<string>) => ReadonlyArray<UserFact>
  readonly project: (row: ProjectionRow) => void
}

/** A value of SQLite's, as written. */
type Write<A> = (value: A) => string | number | null

/** Creates the table or the columns that are missing. Part of a transaction. */
export const migrate = (database: Preparing): void => {
  const { drizzle } = database
  const found = columnsOf(drizzle)
  if (found === undefined) {
    for (const statement of statementsOf(usersTableSql)) drizzle.run(sql.raw(statement))
    return
  }
  requireId(found)
  for (const [name, type] of projectionColumns) {
    if (!found.has(name)) drizzle.run(sql.raw(`ALTER TABLE kavach_users ADD COLUMN ${name} ${type}`))
  }
  if (!found.has("polar_customer_id")) {
    // As KavachOS declares it; a column that is added later cannot be declared so.
    drizzle.run(sql.raw("CREATE UNIQUE INDEX kavach_users_polar_customer_id ON kavach_users (polar_customer_id)"))
  } else if (!isIndexed(drizzle, "polar_customer_id")) {
    drizzle.run(sql.raw("CREATE INDEX kavach_users_polar_customer_id ON kavach_users (polar_customer_id)"))
  }
  open(database)
}

/** `undefined` when the database has no such table. Throws when a column is missing or takes nothing that fits. */
export const open = (database: Preparing): UsersTable | undefined => {
  const { drizzle } = database
  const columns = columnsOf(drizzle)
  if (columns === undefined) return undefined
  requireId(columns)
  const text = requireText(columns)
  const periodEnd = timeOf(columns, "polar_current_period_end")
  const cancelAtPeriodEnd = flagOf(columns, "polar_cancel_at_period_end")
  const updatedAt = columns.has("updated_at") ? timeOf(columns, "updated_at") : undefined
  const email = columns.has("email") ? sql`kavach_users.email` : sql`NULL`
  const name = columns.has("name") ? sql`kavach_users.name` : sql`NULL`
  const selectFacts = selecting(database, { id: users.id, polarCustomerId: users.polarCustomerId }, (facts) =>
    drizzle
      .select(facts)
      .from(users)
      .where(
        or(among(users.id, sql.placeholder("userIds")), among(users.polarCustomerId, sql.placeholder("customerIds")))
      )
  )
  const projected = [
    "polarSubscriptionId",
    "polarSubscriptionStatus",
    "polarProductId",
    "polarCurrentPeriodEnd",
    "polarCancelAtPeriodEnd",
    ...(updatedAt === undefined ? [] : (["updatedAt"] as const))
  ] as const
  const project = prepareProjection(database, projected)
  const projectWithCustomer = prepareProjection(database, [...projected, "polarCustomerId"])
  return {
    find: (userId) => {
      const [row] = drizzle.all<{ readonly id: string; readonly email: unknown; readonly name: unknown }>(
        sql`SELECT kavach_users.id AS id, ${email} AS email, ${name} AS name FROM kavach_users WHERE kavach_users.id = ${userId}`
      )
      return row === undefined ? undefined : { id: row.id, email: textOrNull(row.email), name: textOrNull(row.name) }
    },
    facts: (userIds, customerIds) =>
      selectFacts({ userIds: JSON.stringify(userIds), customerIds: JSON.stringify(customerIds) }),
    project: (row) => {
      const values = {
        userId: row.userId,
        polarSubscriptionId: text(row.polarSubscriptionId),
        polarSubscriptionStatus: text(row.polarSubscriptionStatus),
        polarProductId: text(row.polarProductId),
        polarCurrentPeriodEnd: periodEnd(row.polarCurrentPeriodEnd),
        polarCancelAtPeriodEnd: cancelAtPeriodEnd(row.polarCancelAtPeriodEnd),
        updatedAt: updatedAt?.(row.updatedAt)
      }
      if (row.polarCustomerId === undefined) project(values)
      else projectWithCustomer({ ...values, polarCustomerId: text(row.polarCustomerId) })
    }
  }
}

/** The columns that are read and written. What their types are is for `open` to see. */
const users = sqliteTable("kavach_users", {
  id: column("id").notNull(),
  polarCustomerId: column("polar_customer_id"),
  polarSubscriptionId: column("polar_subscription_id"),
  polarSubscriptionStatus: column("polar_subscription_status"),
  polarProductId: column("polar_product_id"),
  polarCurrentPeriodEnd: column("polar_current_period_end"),
  polarCancelAtPeriodEnd: column("polar_cancel_at_period_end"),
  updatedAt: column("updated_at")
})

const prepareProjection = (
  database: Preparing,
  columns: ReadonlyArray<Exclude<keyof typeof users.$inferSelect, "id">>
) =>
  writing(
    database,
    database.drizzle
      .update(users)
      .set(Object.fromEntries(columns.map((name) => [name, sql`${sql.placeholder(name)}`])))
      .where(eq(users.id, sql.placeholder("userId")))
  )

/** As KavachOS declares them, but for UNIQUE. */
const projectionColumns: ReadonlyArray<readonly [name: string, declaration: string]> = [
  ["polar_customer_id", "TEXT"],
  ["polar_subscription_id", "TEXT"],
  ["polar_subscription_status", "TEXT"],
  ["polar_product_id", "TEXT"],
  ["polar_current_period_end", "INTEGER"],
  ["polar_cancel_at_period_end", "INTEGER NOT NULL DEFAULT 0"]
]

/** Column names in lower case, and their declared types. */
type Columns = ReadonlyMap<string, string>

const columnsOf = (drizzle: Drizzle): Columns | undefined => {
  const rows = drizzle.all<{ readonly name: string; readonly type: string }>(
    sql`SELECT name, type FROM pragma_table_info('kavach_users')`
  )
  return rows.length === 0 ? undefined : new Map(rows.map((row) => [row.name.toLowerCase(), row.type]))
}

const isIndexed = (drizzle: Drizzle, column: string): boolean =>
  drizzle.all(
    sql`SELECT 1 FROM pragma_index_list('kavach_users') AS list, pragma_index_info(list.name) AS info
      WHERE info.seqno = 0 AND lower(info.name) = ${column} AND list.partial = 0`
  ).length > 0

/** How SQLite itself reads a declared type (sqlite.org/datatype3.html, section 3.1), as far as it matters here. */
const affinityOf = (type: string): "integer" | "text" | "other" =>
  /INT/i.test(type) ? "integer" : /CHAR|CLOB|TEXT/i.test(type) ? "text" : "other"

const requireId = (columns: Columns): void => {
  const type = columns.get("id")
  if (type === undefined) throw problem("has no column id")
  if (affinityOf(type) !== "text") throw problem(`keeps id as ${declared(type)}, and user ids are TEXT`)
}

const requireText = (columns: Columns): Write<string | null> => {
  for (const name of ["polar_customer_id", "polar_subscription_id", "polar_subscription_status", "polar_product_id"]) {
    const type = typeOf(columns, name)
    if (affinityOf(type) !== "text") throw problem(`keeps ${name} as ${declared(type)}, and it takes TEXT`)
  }
  return (value) => value
}

const timeOf = (columns: Columns, name: string): Write<number | null> => {
  const type = typeOf(columns, name)
  switch (affinityOf(type)) {
    case "integer":
      return (millis) => (millis === null ? null : Math.floor(millis / 1000))
    case "text":
      return (millis) => (millis === null ? null : isoOf(millis))
    case "other":
      throw problem(`keeps ${name} as ${declared(type)}, and a time goes into INTEGER (seconds) or TEXT (ISO 8601)`)
  }
}

const flagOf = (columns: Columns, name: string): Write<boolean> => {
  const type = typeOf(columns, name)
  if (affinityOf(type) !== "integer" && !/^BOOL/i.test(type)) {
    throw problem(`keeps ${name} as ${declared(type)}, and it takes INTEGER, 0 or 1`)
  }
  return (value) => (value ? 1 : 0)
}

const typeOf = (columns: Columns, name: string): string => {
  const type = columns.get(name)
  if (type === undefined) throw problem(`has no column ${name}; run the migrations`)
  return type
}

const declared = (type: string): string => (type === "" ? "a column without a type" : type)

const problem = (what: string) => new DriverError("schema", `the table kavach_users ${what}`)

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null)
