/**
 * The users' table on MySQL and MariaDB: a time goes into DATETIME and TIMESTAMP in UTC, into an integer as whole seconds
 * since 1970, which is what KavachOS stores, and into text as ISO 8601.
 */
import {
  isoOf,
  refusal,
  type UserColumn,
  type UserColumns,
  type UsersDialect,
  type Writes
} from "@kavach-polar/core/adapter"
import { bytewise } from "./bytewise.ts"
import { datetimeOf } from "./datetime.ts"

export interface MysqlUserColumn extends UserColumn {
  /** The type without its length, in lower case. `declared` is as in `INT(10) UNSIGNED`. */
  readonly type: string
  /** In characters, of text. */
  readonly length: number
  /** Names of the server's own, of text. */
  readonly charset: string | null
  readonly collation: string | null
  /** Digits of the seconds' fraction, of DATETIME and TIMESTAMP. */
  readonly fraction: number
}

const texts: ReadonlySet<string> = new Set(["char", "varchar", "tinytext", "text", "mediumtext", "longtext"])
const flags: ReadonlySet<string> = new Set(["tinyint", "smallint", "mediumint", "int", "bigint", "bit"])

/** As bytes of UTF-8, whatever the column's character set and the session's. */
const bytesOf = (column: string): string => `CAST(CONVERT(kavach_users.${column} USING utf8mb4) AS BINARY)`

/**
 * The place of a value to be compared with a column, perhaps of another character set. Without this, one that the column cannot
 * hold is an error, where it should only be nobody's id; with it, it turns into question marks, and the rows found are compared
 * once more.
 */
const comparableWith = ({ charset, collation }: MysqlUserColumn): string =>
  charset === null || collation === null || charset === "utf8mb4"
    ? "?"
    : `CONVERT(? USING ${charset}) COLLATE ${collation}`

const among = (column: MysqlUserColumn, values: ReadonlyArray<string>) => ({
  text: `kavach_users.${column.name} IN (${values.map(() => comparableWith(column)).join(", ")})`,
  values
})

/** As the server prints it; a text that is no number would be compared as 0. */
const wholeOf = (userId: string): number | null =>
  /^(0|-?[1-9]\d{0,15})$/.test(userId) && Number.isSafeInteger(Number(userId)) ? Number(userId) : null

const isUnsigned = ({ declared }: MysqlUserColumn): boolean => /\bUNSIGNED\b/.test(declared)

/** The last second of integers, of which some are too short for what comes after the year 2038 or 2106. */
const lastSecondOf = (column: MysqlUserColumn): number | undefined =>
  column.type === "bigint"
    ? Number.MAX_SAFE_INTEGER
    : column.type === "int"
      ? 2 ** (isUnsigned(column) ? 32 : 31) - 1
      : undefined

/** What TIMESTAMP holds: to a second after 1970 begins, and to the end of 32 bits. */
const timestampMillis = { first: 1000, last: (2 ** 31 - 1) * 1000 }

const between = (first: number, value: number, last: number): number => Math.min(Math.max(value, first), last)

/** Cut off and not rounded: the server would round up to the next second. */
const withFraction = (millis: number, digits: number): string =>
  datetimeOf(millis).slice(0, "2026-10-05 14:22:08".length + (digits === 0 ? 0 : 1 + digits))

const isoLength = "2026-10-05T14:22:08.455Z".length

const unlessNull = (of: (millis: number) => string | number): Writes<number | null> => ({
  place: "?",
  of: (millis) => (millis === null ? null : of(millis))
})

/**
 * The session's time zone, for one statement: a TIMESTAMP is written in it. MariaDB runs the first and takes the second for a
 * comment, MySQL the other way round.
 */
const inUtc = {
  before: "/*M! SET STATEMENT time_zone = '+00:00' FOR */ ",
  hint: "/*+ SET_VAR(time_zone = '+00:00') */ "
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

/** The longest that Polar sends: a UUID, or `incomplete_expired`. */
const lengthNeeded = (name: string): number => (name === "polar_subscription_status" ? 18 : 36)

const textOf = ({ declared, length, name, type }: MysqlUserColumn): Writes<string | null> => {
  if (!texts.has(type)) throw refusal(`keeps ${name} as ${declared}, and it takes text, as in VARCHAR(64)`)
  if (length < lengthNeeded(name)) {
    throw refusal(`keeps ${name} as ${declared}, and it takes VARCHAR(${lengthNeeded(name)})`)
  }
  return { place: "?", of: (value) => value }
}

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null)

export const mysqlUsers: UsersDialect<MysqlUserColumn> = {
  table: "kavach_users",
  columns: {
    text: `SELECT ${["column_name", "data_type", "column_type", "character_set_name", "collation_name"].map((name) => `CAST(${name} AS BINARY)`).join(", ")},
  character_maximum_length, datetime_precision, EXISTS (
    SELECT 1 FROM information_schema.statistics AS indexed
    WHERE indexed.table_schema = DATABASE() AND indexed.table_name = 'kavach_users' AND indexed.seq_in_index = 1
      AND indexed.column_name = described.column_name
  )
FROM information_schema.columns AS described WHERE table_schema = DATABASE() AND table_name = 'kavach_users'`,
    values: []
  },
  columnOf: ([name, type, declared, charset, collation, length, fraction, isIndexed]) => ({
    name: String(name).toLowerCase(),
    type: String(type).toLowerCase(),
    declared: String(declared).toUpperCase(),
    charset: textOrNull(charset),
    collation: textOrNull(collation),
    length: length === null ? Number.POSITIVE_INFINITY : Number(length),
    fraction: Number(fraction ?? 0),
    isIndexed: isIndexed === "1"
  }),
  ids: (column) => {
    if (!texts.has(column.type)) {
      throw refusal(`keeps id as ${column.declared}, and user ids are text, as in VARCHAR(255)`)
    }
    return {
      read: bytesOf("id"),
      // The first condition finds the row by the index, the second makes sure that it is the one.
      is: (userId) => ({
        text: `kavach_users.id = ${comparableWith(column)} AND ${bytesOf("id")} = ?`,
        values: [userId, userId]
      }),
      among: (userIds) => among(column, userIds)
    }
  },
  wholeIds: ({ type }) =>
    /^(tiny|small|medium|big)?int$/.test(type)
      ? {
          read: bytesOf("id"),
          is: (userId) => ({ text: "kavach_users.id = ?", values: [wholeOf(userId)] }),
          among: (userIds) => ({
            text: `kavach_users.id IN (${userIds.map(() => "?").join(", ")})`,
            values: userIds.map(wholeOf)
          })
        }
      : undefined,
  customerAmong: among,
  isAddress: (column, email) => ({
    text: `LOWER(CONVERT(kavach_users.${column} USING utf8mb4)) = ?`,
    values: [email]
  }),
  readText: bytesOf,
  text: textOf,
  time: (column) => {
    const lastSecond = lastSecondOf(column)
    if (lastSecond !== undefined) {
      const firstSecond = isUnsigned(column) ? 0 : -lastSecond
      return unlessNull((millis) => between(firstSecond, Math.floor(millis / 1000), lastSecond))
    }
    const { declared, fraction, length, name, type } = column
    if (type === "datetime") return unlessNull((millis) => withFraction(millis, fraction))
    if (type === "timestamp") {
      return unlessNull((millis) =>
        withFraction(between(timestampMillis.first, millis, timestampMillis.last), fraction)
      )
    }
    if (texts.has(type) && length >= isoLength) return unlessNull(isoOf)
    throw refusal(
      `keeps ${name} as ${declared}, and a time goes into DATETIME or TIMESTAMP, INT or BIGINT (seconds), or VARCHAR(${isoLength}) (ISO 8601)`
    )
  },
  flag: ({ declared, name, type }) => {
    if (!flags.has(type)) throw refusal(`keeps ${name} as ${declared}, and it takes BOOLEAN, 0 or 1`)
    return { place: "?", of: (value) => (value ? 1 : 0) }
  },
  update: (assignments, condition, columns) => {
    const { before, hint } = columns.some(({ type }) => type === "timestamp") ? inUtc : { before: "", hint: "" }
    return {
      text: `${before}UPDATE ${hint}kavach_users SET ${assignments.text} WHERE ${condition.text}`,
      values: [...assignments.values, ...condition.values]
    }
  },
  lockAtOnce: ({ text, values }) => ({ text: `SELECT 1 FROM kavach_users WHERE ${text} FOR UPDATE NOWAIT`, values }),
  // As close to KavachOS's as MySQL allows: its keys are TEXT, which cannot be a key here. Times are in UTC.
  create: [
    `CREATE TABLE IF NOT EXISTS kavach_users (
  id VARCHAR(255) NOT NULL,
  email VARCHAR(255) NOT NULL,
  username VARCHAR(255),
  name TEXT,
  external_id TEXT,
  external_provider TEXT,
  metadata JSON,
  banned BOOLEAN NOT NULL DEFAULT 0,
  ban_reason TEXT,
  ban_expires_at DATETIME(3),
  force_password_reset BOOLEAN NOT NULL DEFAULT 0,
  email_verified BOOLEAN NOT NULL DEFAULT 0,
  stripe_customer_id VARCHAR(255),
  stripe_subscription_id TEXT,
  stripe_subscription_status TEXT,
  stripe_price_id TEXT,
  stripe_current_period_end DATETIME(3),
  stripe_cancel_at_period_end BOOLEAN NOT NULL DEFAULT 0,
  polar_customer_id VARCHAR(64),
  polar_subscription_id TEXT,
  polar_subscription_status TEXT,
  polar_product_id TEXT,
  polar_current_period_end DATETIME(3),
  polar_cancel_at_period_end BOOLEAN NOT NULL DEFAULT 0,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY kavach_users_email (email),
  UNIQUE KEY kavach_users_username (username),
  UNIQUE KEY kavach_users_stripe_customer_id (stripe_customer_id),
  UNIQUE KEY kavach_users_polar_customer_id (polar_customer_id)
) ${bytewise}`
  ],
  additions: (columns: UserColumns<MysqlUserColumn>) => {
    // What is there and does not fit is said before anything is changed.
    for (const column of columns.values())
      if (/^polar_(?:customer|subscription|product)_/.test(column.name)) textOf(column)
    const additions = projectionColumns
      .filter(([name]) => !columns.has(name))
      .map(([name, type]) => `ADD COLUMN ${name} ${type}`)
    const customer = columns.get("polar_customer_id")
    if (customer === undefined) {
      // As KavachOS declares it. It comes with the column, in one statement, so that no process dies in between.
      additions.push("ADD UNIQUE KEY kavach_users_polar_customer_id (polar_customer_id)")
    } else if (!customer.isIndexed) {
      // Of TEXT an index holds the beginning only.
      const length = customer.length > idLength ? `(${idLength})` : ""
      additions.push(`ADD KEY kavach_users_polar_customer_id (polar_customer_id${length})`)
    }
    return additions.length === 0 ? [] : [`ALTER TABLE kavach_users ${additions.join(", ")}`]
  }
}
