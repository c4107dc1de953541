/**
 * `kavach_users`, the app's table. It may be KavachOS's own or one made by hand, so its real columns are looked at, and
 * what is written is what they take: a time goes into DATETIME and TIMESTAMP in UTC, into an integer as whole seconds
 * since 1970, which is what KavachOS stores, and into text as ISO 8601. Only rows that exist are ever written.
 */

import { DriverError } from "@kavach-polar/core/adapter/DriverError"
import { statementsOf } from "@kavach-polar/core/adapter/migrations"
import type { ProjectionRow, UserFact, UserRow } from "@kavach-polar/core/adapter/rows"
import { sql } from "drizzle-orm"
import { type Queries, uncached } from "./MysqlDatabase.ts"
import { choices, groupsOf, update } from "./MysqlGroups.ts"
import type { Rows } from "./MysqlRows.ts"
import { places, type Statement, statement } from "./MysqlStatement.ts"
import { datetimeOf, isoOf } from "./MysqlTime.ts"
import { usersTableSql } from "./migrations.ts"

export interface UsersTable {
  /** The user's row, and perhaps others' too: see `userIn`. */
  readonly select: (userId: string) => Statement
  /** Where the rows of these users are found, and those that show one of these customers. It may find others too. */
  readonly factSources: (userIds: ReadonlyArray<string>, customerIds: ReadonlyArray<string>) => ReadonlyArray<Statement>
  readonly project: (rows: ReadonlyArray<ProjectionRow>) => ReadonlyArray<Statement>
}

/** A value as written. */
type Write<A> = (value: A) => string | number | null

/** Creates the table or the columns that are missing. */
export const migrate = async (connection: Queries): Promise<void> => {
  const found = await columnsOf(connection)
  if (found === undefined) {
    for (const statement of statementsOf(usersTableSql)) await connection.execute(sql.raw(statement))
    return
  }
  requireId(found)
  requireText(found)
  const additions = projectionColumns
    .filter(([name]) => !found.has(name))
    .map(([name, type]) => `ADD COLUMN ${name} ${type}`)
  if (!found.has("polar_customer_id")) {
    // As KavachOS declares it. It comes with the column, in one statement, so that no process dies in between.
    additions.push("ADD UNIQUE KEY kavach_users_polar_customer_id (polar_customer_id)")
  } else if (!(await isIndexed(connection, "polar_customer_id"))) {
    // Of TEXT an index holds the beginning only.
    const length = lengthOf(found, "polar_customer_id") > idLength ? `(${idLength})` : ""
    additions.push(`ADD KEY kavach_users_polar_customer_id (polar_customer_id${length})`)
  }
  if (additions.length > 0) await connection.execute(sql.raw(`ALTER TABLE kavach_users ${additions.join(", ")}`))
  await open(connection)
}

/** `undefined` when the database has no such table. Throws when a column is missing or takes nothing that fits. */
export const open = async (queries: Queries): Promise<UsersTable | undefined> => {
  const columns = await columnsOf(queries)
  if (columns === undefined) return undefined
  requireId(columns)
  requireText(columns)
  for (const [name] of textColumns) columnOf(columns, name)
  const periodEnd = timeOf(columns, "polar_current_period_end")
  const cancelAtPeriodEnd = flagOf(columns, "polar_cancel_at_period_end")
  const updatedAt = columns.has("updated_at") ? timeOf(columns, "updated_at") : undefined
  const hasTimestamp = ["polar_current_period_end", "updated_at"].some(
    (name) => columns.get(name)?.type === "timestamp"
  )
  const asId = comparableWith(columnOf(columns, "id"))
  const asCustomerId = comparableWith(columnOf(columns, "polar_customer_id"))
  const columnOrNull = (name: string) => (columns.has(name) ? name : "NULL")
  const selectUser = `SELECT id, ${columnOrNull("email")}, ${columnOrNull("name")} FROM kavach_users WHERE id = ${asId}`
  return {
    select: (userId) => statement(selectUser, userId),
    factSources: (userIds, customerIds) => [
      // One column or the other has an index; a condition on both would go through the table.
      ...among("id", userIds, asId),
      ...among("polar_customer_id", customerIds, asCustomerId)
    ],
    project: (rows) => {
      // A row without a customer leaves that column as it is.
      const [shown, others] = [rows.filter(showsCustomer), rows.filter((row) => !showsCustomer(row))]
      return [...groupsOf(shown), ...groupsOf(others)].map((group) => {
        const ids = group.map((row) => row.userId)
        const choose = choices(exactId, ids)
        const assignments = [
          choose(
            "polar_subscription_id",
            group.map((row) => row.polarSubscriptionId)
          ),
          choose(
            "polar_subscription_status",
            group.map((row) => row.polarSubscriptionStatus)
          ),
          choose(
            "polar_product_id",
            group.map((row) => row.polarProductId)
          ),
          choose(
            "polar_current_period_end",
            group.map((row) => periodEnd(row.polarCurrentPeriodEnd))
          ),
          choose(
            "polar_cancel_at_period_end",
            group.map((row) => cancelAtPeriodEnd(row.polarCancelAtPeriodEnd))
          )
        ]
        if (group.every(showsCustomer)) {
          assignments.push(
            choose(
              "polar_customer_id",
              group.map((row) => row.polarCustomerId)
            )
          )
        }
        if (updatedAt !== undefined) {
          assignments.push(
            choose(
              "updated_at",
              group.map((row) => updatedAt(row.updatedAt))
            )
          )
        }
        // The first condition finds the rows by the index, the second makes sure that they are the ones.
        const condition = statement(`id IN (${places(ids, asId)}) AND ${exactId} IN (${places(ids)})`, ...ids, ...ids)
        const { text, values } = update(
          hasTimestamp ? `${inUtc.hint} kavach_users` : "kavach_users",
          assignments,
          condition
        )
        return { text: hasTimestamp ? inUtc.before + text : text, values }
      })
    }
  }
}

/** Of the rows that were found, the one of this user: the column may have a collation for which more is equal than ids are. */
export const userIn = (rows: Rows, userId: string): UserRow | undefined => {
  const row = rows.find(([id]) => id === userId)
  return row === undefined ? undefined : { id: userId, email: textOrNull(row[1]), name: textOrNull(row[2]) }
}

/** Of the rows that were found, those of these users, and those that show one of these customers. */
export const exactly = (
  rows: ReadonlyArray<UserFact>,
  userIds: ReadonlyArray<string>,
  customerIds: ReadonlyArray<string>
): ReadonlyArray<UserFact> => {
  // The columns may have a collation for which more is equal than ids are.
  const [users, customers] = [new Set(userIds), new Set(customerIds)]
  return rows.filter((row) => users.has(row.id) || (row.polarCustomerId !== null && customers.has(row.polarCustomerId)))
}

const showsCustomer = (row: ProjectionRow): row is ProjectionRow & { readonly polarCustomerId: string } =>
  row.polarCustomerId !== undefined

const exactId = "CONVERT(id USING utf8mb4) COLLATE utf8mb4_bin"

/** The columns of a `UserFact`. */
export const factColumns: ReadonlyArray<string> = ["id", "polar_customer_id"]

/**
 * The place of a value to be compared with a column, perhaps of another character set. Without this, one that the column
 * cannot hold is an error, where it should only be nobody's id; with it, it turns into question marks, and the rows found
 * are compared once more. It is converted twice because MySQL takes the parameter of a prepared statement to be of the
 * character set that is named around it, and refuses what that lacks.
 */
const comparableWith = ({ charset, collation }: Column): string =>
  charset === null || collation === null || charset === "utf8mb4"
    ? "?"
    : `CONVERT(CONVERT(? USING utf8mb4) USING ${charset}) COLLATE ${collation}`

const among = (column: string, values: ReadonlyArray<string>, place: string): ReadonlyArray<Statement> =>
  values.length === 0 ? [] : [statement(`kavach_users WHERE ${column} IN (${places(values, place)})`, ...values)]

/**
 * The session's time zone, for one statement: a TIMESTAMP is written in it. MariaDB runs the first and takes the second
 * for a comment, MySQL the other way round.
 */
const inUtc = {
  before: "/*M! SET STATEMENT time_zone = '+00:00' FOR */ ",
  hint: "/*+ SET_VAR(time_zone = '+00:00') */"
}

const idLength = 64
const exactText = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL"

/** As KavachOS declares them, but for UNIQUE, and but for TEXT where it has to be a key. */
const projectionColumns: ReadonlyArray<readonly [name: string, declaration: string]> = [
  ["polar_customer_id", `VARCHAR(${idLength}) ${exactText}`],
  ["polar_subscription_id", `TEXT ${exactText}`],
  ["polar_subscription_status", `TEXT ${exactText}`],
  ["polar_product_id", `TEXT ${exactText}`],
  ["polar_current_period_end", "DATETIME(3) NULL"],
  ["polar_cancel_at_period_end", "BOOLEAN NOT NULL DEFAULT 0"]
]

interface Column {
  /** The type without its length, in lower case. */
  readonly type: string
  /** The type as declared, as in `int(10) unsigned`. */
  readonly declared: string
  /** In characters, of text. */
  readonly length: number | null
  /** Names of the server's own, of text. */
  readonly charset: string | null
  readonly collation: string | null
  /** Digits of the seconds' fraction, of DATETIME and TIMESTAMP. */
  readonly fraction: number | null
}

/** By the columns' names in lower case. */
type Columns = ReadonlyMap<string, Column>

const columnsOf = async (queries: Queries): Promise<Columns | undefined> => {
  const rows = await uncached(
    queries
      .select({
        name: sql<string>`column_name`,
        type: sql<string>`data_type`,
        declared: sql<string>`column_type`,
        length: sql<unknown>`character_maximum_length`,
        charset: sql<string | null>`character_set_name`,
        collation: sql<string | null>`collation_name`,
        fraction: sql<unknown>`datetime_precision`
      })
      .from(sql`information_schema.columns`)
      .where(sql`table_schema = DATABASE() AND table_name = 'kavach_users'`)
  )
  if (rows.length === 0) return undefined
  return new Map(
    rows.map((row) => [
      String(row.name).toLowerCase(),
      {
        type: String(row.type).toLowerCase(),
        declared: String(row.declared).toUpperCase(),
        length: row.length === null ? null : Number(row.length),
        charset: row.charset,
        collation: row.collation,
        fraction: row.fraction === null ? null : Number(row.fraction)
      }
    ])
  )
}

const isIndexed = async (queries: Queries, column: string): Promise<boolean> => {
  const rows = await uncached(
    queries
      .select({ name: sql`index_name` })
      .from(sql`information_schema.statistics`)
      .where(
        sql`table_schema = DATABASE() AND table_name = 'kavach_users' AND seq_in_index = 1 AND column_name = ${column}`
      )
  )
  return rows.length > 0
}

const texts: ReadonlySet<string> = new Set(["char", "varchar", "tinytext", "text", "mediumtext", "longtext"])

const requireId = (columns: Columns): void => {
  const column = columns.get("id")
  if (column === undefined) throw problem("has no column id")
  if (!texts.has(column.type))
    throw problem(`keeps id as ${column.declared}, and user ids are text, as in VARCHAR(255)`)
}

/** With the length of the longest that Polar sends: a UUID, and `incomplete_expired`. */
const textColumns: ReadonlyArray<readonly [name: string, length: number]> = [
  ["polar_customer_id", 36],
  ["polar_subscription_id", 36],
  ["polar_subscription_status", 18],
  ["polar_product_id", 36]
]

/** Of those that are there. */
const requireText = (columns: Columns): void => {
  for (const [name, length] of textColumns) {
    const column = columns.get(name)
    if (column === undefined) continue
    const { declared, type } = column
    if (!texts.has(type)) throw problem(`keeps ${name} as ${declared}, and it takes text, as in VARCHAR(64)`)
    if (lengthOf(columns, name) < length) throw problem(`keeps ${name} as ${declared}, and it takes VARCHAR(${length})`)
  }
}

const lengthOf = (columns: Columns, name: string): number => columns.get(name)?.length ?? Number.POSITIVE_INFINITY

/** The last second of integers that are too short for what comes after the year 2038 or 2106. */
const lastSeconds: ReadonlyMap<string, number> = new Map([
  ["int", 2 ** 31 - 1],
  ["int unsigned", 2 ** 32 - 1],
  ["bigint", Number.MAX_SAFE_INTEGER],
  ["bigint unsigned", Number.MAX_SAFE_INTEGER]
])

/** What TIMESTAMP holds: to a second after 1970 begins, and to the end of 32 bits. */
const timestampMillis = { first: 1000, last: (2 ** 31 - 1) * 1000 }

const timeOf = (columns: Columns, name: string): Write<number | null> => {
  const column = columnOf(columns, name)
  const lastSecond = lastSeconds.get(`${column.type}${/\bUNSIGNED\b/.test(column.declared) ? " unsigned" : ""}`)
  if (lastSecond !== undefined) {
    const firstSecond = /\bUNSIGNED\b/.test(column.declared) ? 0 : -lastSecond
    return unlessNull((millis) => Math.min(Math.max(Math.floor(millis / 1000), firstSecond), lastSecond))
  }
  const text = (millis: number) => datetimeOf(millis).slice(0, fractionEnd(column.fraction ?? 0))
  if (column.type === "datetime") return unlessNull(text)
  if (column.type === "timestamp") {
    const { first, last } = timestampMillis
    return unlessNull((millis) => text(Math.min(Math.max(millis, first), last)))
  }
  if (texts.has(column.type) && lengthOf(columns, name) >= isoLength) return unlessNull(isoOf)
  throw problem(
    `keeps ${name} as ${column.declared}, and a time goes into DATETIME or TIMESTAMP, INT or BIGINT (seconds), or VARCHAR(${isoLength}) (ISO 8601)`
  )
}

/** Cut off and not rounded: the server would round up to the next second. */
const fractionEnd = (digits: number): number => "2026-10-05 14:22:08".length + (digits === 0 ? 0 : 1 + digits)
const isoLength = "2026-10-05T14:22:08.455Z".length

const unlessNull =
  (write: (millis: number) => string | number): Write<number | null> =>
  (millis) =>
    millis === null ? null : write(millis)

const flags: ReadonlySet<string> = new Set(["tinyint", "smallint", "mediumint", "int", "bigint", "bit"])

const flagOf = (columns: Columns, name: string): Write<boolean> => {
  const { declared, type } = columnOf(columns, name)
  if (!flags.has(type)) throw problem(`keeps ${name} as ${declared}, and it takes BOOLEAN, 0 or 1`)
  return (value) => (value ? 1 : 0)
}

const columnOf = (columns: Columns, name: string): Column => {
  const column = columns.get(name)
  if (column === undefined) throw problem(`has no column ${name}; run the migrations`)
  return column
}

const problem = (what: string) => new DriverError("schema", `the table kavach_users ${what}`)

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null)
