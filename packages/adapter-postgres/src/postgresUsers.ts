/**
 * The users' table on PostgreSQL: a time goes into a timestamptz, into a bigint or integer as whole seconds since 1970, which
 * is what KavachOS's drizzle tables read, and into a text as ISO 8601; a timestamp without time zone gets it in UTC, as
 * drizzle and Prisma write it.
 */
import {
  refusal,
  type UserColumn,
  type UserColumns,
  type UserIds,
  type UsersDialect,
  type Writes
} from "@kavach-polar/core/adapter"
import { ownSchemaText } from "./ownSchema.ts"
import { arrayOf, isoOf, storable } from "./postgresValues.ts"

const isText = ({ declared }: UserColumn): boolean => declared === "text" || declared === "character varying"

/**
 * Ids as the column holds them. It is they that are converted and not the column, whose index would be of no use. They have
 * the default collation, which gives way to the column's.
 */
const idsOf = (column: UserColumn): UserIds => {
  const read = "kavach_users.id::text"
  if (isText(column)) {
    return {
      read,
      is: (userId) => ({ text: "kavach_users.id = ?::text", values: [storable(userId)] }),
      among: (userIds) => ({ text: "kavach_users.id = ANY (?::text::text[])", values: [arrayOf(userIds)] })
    }
  }
  if (column.declared !== "uuid") throw refusal(`keeps id as ${column.declared}, and user ids are text or uuid`)
  return {
    read,
    is: (userId) => ({ text: "kavach_users.id = ?::text::uuid", values: [isUuid(userId) ? userId : null] }),
    among: (userIds) => ({
      text: "kavach_users.id = ANY (?::text::uuid[])",
      values: [arrayOf(userIds.filter(isUuid))]
    })
  }
}

/** As PostgreSQL prints it, and so as the app knows it. Other spellings are other ids. */
const isUuid = (userId: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(userId)

/** As PostgreSQL prints it, and within what a bigint holds. */
const isWhole = (userId: string): boolean => /^(0|-?[1-9]\d{0,17})$/.test(userId)

const timeOf = ({ declared, name }: UserColumn): Writes<number | null> => {
  const iso = (millis: number | null) => (millis === null ? null : isoOf(millis))
  const seconds = (most: number) => (millis: number | null) =>
    millis === null ? null : String(Math.min(Math.floor(millis / 1000), most))
  switch (declared) {
    case "timestamp with time zone":
      return { place: "?::text::timestamptz", of: iso }
    case "timestamp without time zone":
      return { place: "?::text::timestamp", of: iso }
    case "bigint":
      return { place: "?::text::bigint", of: seconds(Number.MAX_SAFE_INTEGER) }
    case "integer":
      // A time that the column cannot hold must not keep the delivery out for ever.
      return { place: "?::text::integer", of: seconds(2 ** 31 - 1) }
    case "text":
    case "character varying":
      return { place: "?::text", of: iso }
    default:
      throw refusal(
        `keeps ${name} as ${declared}, and a time goes into timestamptz, timestamp, bigint or integer (seconds), or text (ISO 8601)`
      )
  }
}

const flagOf = ({ declared, name }: UserColumn): Writes<boolean> => {
  if (declared === "boolean") return { place: "?::text::boolean", of: String }
  if (declared === "integer" || declared === "smallint" || declared === "bigint") {
    return { place: `?::text::${declared}`, of: (value) => (value ? "1" : "0") }
  }
  throw refusal(`keeps ${name} as ${declared}, and it takes boolean or integer, 0 or 1`)
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

/** Text in SQL that says the same whatever `standard_conforming_strings` is, and whatever marks are in it. */
const literal = (text: string): string => `$kavach_polar$${text}$kavach_polar$`

/** The schema of the table that has this name for SQL, once it is looked up. */
const schemaOf = (table: string) => ({
  text: `SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = ${table}`,
  values: []
})

/** KavachOS's is next to the store's own tables, or else where the search path leads to. */
const kavachUsers = `coalesce(to_regclass(${ownSchemaText} || '.kavach_users'), to_regclass('kavach_users'))`

/** The table in a schema, which is given as it stands in SQL; `undefined` while there is none. */
const usersIn = (schema: string | undefined): UsersDialect => {
  const table = schema === undefined ? "kavach_users" : `${schema}.kavach_users`
  return {
    table,
    schemas: {
      find: (own) => schemaOf(own === undefined ? kavachUsers : `to_regclass(${literal(own)})`),
      within: usersIn
    },
    // A type is spelt in full, without length or precision; of a domain it is the
    // type below it.
    columns: {
      text: `SELECT attname::text, format_type(coalesce(nullif(typbasetype, 0), atttypid), NULL) AS declared,
      EXISTS (SELECT FROM pg_index WHERE indrelid = attrelid AND indkey[0] = attnum AND indisvalid
        AND indpred IS NULL)::int::text AS is_indexed
    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    WHERE attrelid = to_regclass(${literal(table)}) AND attnum > 0 AND NOT attisdropped`,
      values: []
    },
    columnOf: ([name, declared, isIndexed]) => ({
      name: String(name),
      declared: String(declared),
      isIndexed: isIndexed === "1"
    }),
    ids: idsOf,
    wholeIds: ({ declared }) =>
      /^(smallint|integer|bigint)$/.test(declared)
        ? {
            read: "kavach_users.id::text",
            is: (userId) => ({ text: "kavach_users.id = ?::text::bigint", values: [isWhole(userId) ? userId : null] }),
            among: (userIds) => ({
              text: "kavach_users.id = ANY (?::text::bigint[])",
              values: [arrayOf(userIds.filter(isWhole))]
            })
          }
        : undefined,
    customerAmong: (_column, customerIds) => ({
      text: "kavach_users.polar_customer_id = ANY (?::text::text[])",
      values: [arrayOf(customerIds)]
    }),
    isAddress: (column, email) => ({
      text: `lower(kavach_users.${column}::text) = ?::text`,
      values: [storable(email)]
    }),
    readText: (column) => `kavach_users.${column}::text`,
    text: (column) => {
      if (!isText(column)) throw refusal(`keeps ${column.name} as ${column.declared}, and it takes text`)
      return { place: "?::text", of: (value) => (value === null ? null : storable(value)) }
    },
    time: timeOf,
    flag: flagOf,
    update: (assignments, condition) => ({
      text: `UPDATE ${table} SET ${assignments.text} WHERE ${condition.text}`,
      values: [...assignments.values, ...condition.values]
    }),
    // So that a KavachOS host that starts later on the same database finds what it expects.
    create: [
      `CREATE TABLE kavach_users (
  id text NOT NULL PRIMARY KEY,
  email text NOT NULL UNIQUE,
  username text UNIQUE,
  name text,
  external_id text,
  external_provider text,
  metadata jsonb,
  banned boolean NOT NULL DEFAULT false,
  ban_reason text,
  ban_expires_at timestamptz,
  force_password_reset boolean NOT NULL DEFAULT false,
  email_verified boolean NOT NULL DEFAULT false,
  stripe_customer_id text UNIQUE,
  stripe_subscription_id text,
  stripe_subscription_status text,
  stripe_price_id text,
  stripe_current_period_end timestamptz,
  stripe_cancel_at_period_end boolean NOT NULL DEFAULT false,
  polar_customer_id text UNIQUE,
  polar_subscription_id text,
  polar_subscription_status text,
  polar_product_id text,
  polar_current_period_end timestamptz,
  polar_cancel_at_period_end boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
)`
    ],
    additions: (columns: UserColumns) => {
      const customer = columns.get("polar_customer_id")
      return [
        ...projectionColumns
          .filter(([name]) => !columns.has(name))
          .map(([name, type]) => `ALTER TABLE ${table} ADD COLUMN ${name} ${type}`),
        ...(customer === undefined
          ? // As KavachOS declares it.
            [`CREATE UNIQUE INDEX kavach_users_polar_customer_id ON ${table} (polar_customer_id)`]
          : customer.isIndexed
            ? []
            : [`CREATE INDEX kavach_users_polar_customer_id ON ${table} (polar_customer_id)`])
      ]
    }
  }
}

export const postgresUsers: UsersDialect = usersIn(undefined)
