/**
 * The users' table on SQLite: a time goes into an INTEGER column as whole seconds since 1970, which is what KavachOS
 * stores, and into a TEXT column as ISO 8601.
 */
import { isoOf } from "./isoTime.ts"
import type { Statement } from "./Script.ts"
import { refusal, type UserColumn, type UserColumns, type UsersDialect } from "./usersTable.ts"

/** How SQLite itself reads a declared type (sqlite.org/datatype3.html, section 3.1), as far as it matters here. */
const affinityOf = ({ declared }: UserColumn): "integer" | "text" | "other" =>
  /INT/i.test(declared) ? "integer" : /CHAR|CLOB|TEXT/i.test(declared) ? "text" : "other"

const typeOf = ({ declared }: UserColumn): string => (declared === "" ? "a column without a type" : declared)

/** As KavachOS declares them, but for UNIQUE. */
const projectionColumns: ReadonlyArray<readonly [name: string, declaration: string]> = [
  ["polar_customer_id", "TEXT"],
  ["polar_subscription_id", "TEXT"],
  ["polar_subscription_status", "TEXT"],
  ["polar_product_id", "TEXT"],
  ["polar_current_period_end", "INTEGER"],
  ["polar_cancel_at_period_end", "INTEGER NOT NULL DEFAULT 0"]
]

/** One value, as mostly, or a list in one parameter: so there are two statements, however many values there are. */
export const sqliteAmong = (column: string, values: ReadonlyArray<string>): Statement => {
  const [value] = values
  return values.length === 1 && value !== undefined
    ? { text: `${column} = ?`, values: [value] }
    : { text: `${column} IN (SELECT value FROM json_each(?))`, values: [JSON.stringify(values)] }
}

export const sqliteUsers: UsersDialect = {
  table: "kavach_users",
  columns: {
    text: `SELECT columns.name, columns.type, EXISTS (
      SELECT 1 FROM pragma_index_list('kavach_users') AS list, pragma_index_info(list.name) AS info
      WHERE info.seqno = 0 AND info.name = columns.name AND list.partial = 0
    ) OR columns.pk = 1 FROM pragma_table_info('kavach_users') AS columns`,
    values: []
  },
  columnOf: ([name, declared, isIndexed]) => ({
    name: String(name),
    declared: String(declared),
    isIndexed: Number(isIndexed) === 1
  }),
  ids: (column) => {
    if (affinityOf(column) !== "text") throw refusal(`keeps id as ${typeOf(column)}, and user ids are TEXT`)
    return {
      read: "kavach_users.id",
      is: (userId) => ({ text: "kavach_users.id = ?", values: [userId] }),
      among: (userIds) => sqliteAmong("kavach_users.id", userIds)
    }
  },
  wholeIds: (column) =>
    affinityOf(column) === "integer"
      ? {
          read: "CAST(kavach_users.id AS TEXT)",
          // Text is compared with the column as the number that it is.
          is: (userId) => ({ text: "kavach_users.id = ?", values: [userId] }),
          among: (userIds) => sqliteAmong("kavach_users.id", userIds)
        }
      : undefined,
  customerAmong: (_column, customerIds) => sqliteAmong("kavach_users.polar_customer_id", customerIds),
  isAddress: (column, email) => ({ text: `lower(kavach_users.${column}) = ?`, values: [email] }),
  readText: (column) => `kavach_users.${column}`,
  text: (column) => {
    if (affinityOf(column) !== "text") {
      throw refusal(`keeps ${column.name} as ${typeOf(column)}, and it takes TEXT`)
    }
    return { place: "?", of: (value) => value }
  },
  time: (column) => {
    switch (affinityOf(column)) {
      case "integer":
        return { place: "?", of: (millis) => (millis === null ? null : Math.floor(millis / 1000)) }
      case "text":
        return { place: "?", of: (millis) => (millis === null ? null : isoOf(millis)) }
      case "other":
        throw refusal(
          `keeps ${column.name} as ${typeOf(column)}, and a time goes into INTEGER (seconds) or TEXT (ISO 8601)`
        )
    }
  },
  flag: (column) => {
    if (affinityOf(column) !== "integer" && !/^BOOL/i.test(column.declared)) {
      throw refusal(`keeps ${column.name} as ${typeOf(column)}, and it takes INTEGER, 0 or 1`)
    }
    return { place: "?", of: (value) => (value ? 1 : 0) }
  },
  update: (assignments, condition) => ({
    text: `UPDATE kavach_users SET ${assignments.text} WHERE ${condition.text}`,
    values: [...assignments.values, ...condition.values]
  }),
  create: [
    `CREATE TABLE kavach_users (
  id TEXT NOT NULL PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  username TEXT UNIQUE,
  name TEXT,
  external_id TEXT,
  external_provider TEXT,
  metadata TEXT,
  banned INTEGER NOT NULL DEFAULT 0,
  ban_reason TEXT,
  ban_expires_at INTEGER,
  force_password_reset INTEGER NOT NULL DEFAULT 0,
  email_verified INTEGER NOT NULL DEFAULT 0,
  stripe_customer_id TEXT UNIQUE,
  stripe_subscription_id TEXT,
  stripe_subscription_status TEXT,
  stripe_price_id TEXT,
  stripe_current_period_end INTEGER,
  stripe_cancel_at_period_end INTEGER NOT NULL DEFAULT 0,
  polar_customer_id TEXT UNIQUE,
  polar_subscription_id TEXT,
  polar_subscription_status TEXT,
  polar_product_id TEXT,
  polar_current_period_end INTEGER,
  polar_cancel_at_period_end INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
)`
  ],
  additions: (columns: UserColumns) => {
    const customer = columns.get("polar_customer_id")
    return [
      ...projectionColumns
        .filter(([name]) => !columns.has(name))
        .map(([name, type]) => `ALTER TABLE kavach_users ADD COLUMN ${name} ${type}`),
      ...(customer === undefined
        ? // As KavachOS declares it; a column that is added later cannot be declared so.
          ["CREATE UNIQUE INDEX kavach_users_polar_customer_id ON kavach_users (polar_customer_id)"]
        : customer.isIndexed
          ? []
          : ["CREATE INDEX kavach_users_polar_customer_id ON kavach_users (polar_customer_id)"])
    ]
  }
}
