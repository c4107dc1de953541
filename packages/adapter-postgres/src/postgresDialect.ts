/**
 * PostgreSQL's SQL. Drivers and their settings differ in what they make of numbers, times and column names; of a text they
 * all make a string. So parameters and answers are texts, and what type they are to have is the statement's to say.
 */
import { createHash } from "node:crypto"
import { type Dialect, type Patience, readableTime, sqlName } from "@kavach-polar/core/adapter"
import { qualified } from "./ownSchema.ts"
import { postgresTables } from "./postgresTables.ts"
import { postgresUsers } from "./postgresUsers.ts"
import { arrayOf, isoOf, storable } from "./postgresValues.ts"

/**
 * What comes after it goes by indexes, and is planned once and not each time: a list of unknown length counts as ten ids, so
 * that a plan for all looks dearer to the server than one for a single id, although it plans for longer than it then reads.
 * And a plan that was made while a table was empty would go through all of it for long.
 */
const byIndexes: ReadonlyArray<readonly [name: string, value: string]> = [
  ["enable_seqscan", "off"],
  ["enable_hashjoin", "off"],
  ["enable_mergejoin", "off"],
  ["jit", "off"],
  ["plan_cache_mode", "force_generic_plan"]
]

/** Where the app has set a time limit of its own, that holds. */
const limit = (name: string, value: string): string =>
  `set_config('${name}', coalesce(nullif(current_setting('${name}'), '0'), '${value}'), true)`

const lockTimeouts: Readonly<Record<Patience, string>> = { brief: "250ms", full: "2s" }

const settings = (further: ReadonlyArray<readonly [name: string, value: string]>, patience: Patience = "full") => ({
  text: `SELECT ${[
    limit("lock_timeout", lockTimeouts[patience]),
    limit("statement_timeout", "4s"),
    ...[...byIndexes, ...further].map(([name, value]) => `set_config('${name}', '${value}', true)`)
  ].join(", ")}`,
  values: []
})

const careful = { brief: [settings([], "brief")], full: [settings([])] }
// A server that fails may have forgotten the last of them.
const passing = [settings([["synchronous_commit", "off"]])]

/** The name's place in the one space of numbers that all advisory locks of a database share. */
export const lockKey = (name: string): bigint =>
  createHash("sha256").update(`kavach_polar ${name}`).digest().readBigInt64BE(0)

/** In PostgreSQL's notation, in the one order that everybody waits in. */
const lockKeys = (names: ReadonlyArray<string>): string => {
  const keys = [...new Set(names.map(lockKey))].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${keys.join()}}`
}

const wantedKeys = "unnest(?::text::bigint[]) AS wanted (key)"

export const postgresDialect: Dialect = {
  name: "postgresql",
  table: qualified,
  read: (column, type) => {
    switch (type) {
      case "time":
        // With a name of its own, because some drivers answer with objects. It is not the column's, by which rows are ordered.
        // As a text of whatever it is: `infinity` is no count, and would make the whole statement fail.
        return `round(extract(epoch FROM ${column}) * 1000)::text AS ${/^[\w.]+$/.test(column) ? column.replace(/^.*\./, "") : "moment"}_millis`
      case "flag":
        return `${column}::int::text`
      case "micros":
      case "count":
        return `${column}::text`
      default:
        return column
    }
  },
  decode: (value, type) => {
    if (value === null || value === undefined) return null
    switch (type) {
      case "flag":
        return value === "1"
      case "time":
        return readableTime(Number(value))
      case "micros":
      case "count":
        return Number(value)
      default:
        return String(value)
    }
  },
  place: (type) => {
    switch (type) {
      case "time":
        return "?::text::timestamptz"
      case "flag":
        return "?::text::boolean"
      case "micros":
        return "?::text::bigint"
      case "count":
        return "?::text::integer"
      default:
        return "?::text"
    }
  },
  encode: (value, type) => {
    if (value === null) return null
    return type === "time" ? isoOf(Number(value)) : storable(String(value))
  },
  among: (column, values) => ({ text: `${column} = ANY (?::text::text[])`, values: [arrayOf(values)] }),
  prefixed: (text, column) => `'${text}' || ${column}`,
  isTrue: (column) => column,
  hasBody: "body IS NOT NULL",
  // Cut to what a column holds, which would round it, perhaps up: what is due now would not be for a moment.
  later: (millis) => ({
    text: "(date_trunc('milliseconds', statement_timestamp()) + ?::text::double precision * interval '1 millisecond')",
    values: [String(millis)]
  }),
  insert: (table, columns, ifThere) => {
    const key = table.key.map(sqlName)
    const names = columns.map(({ name }) => name)
    const others = names.filter((name) => !key.includes(name)).map((name) => `${name} = excluded.${name}`)
    return `INSERT INTO ${qualified(table.name)} (${names.join(", ")}) VALUES (${columns.map(({ place }) => place).join(", ")}) ON CONFLICT (${key.join(", ")}) DO ${ifThere === "replace" ? `UPDATE SET ${others.join(", ")}` : "NOTHING"}`
  },
  // No key is ever written, so rows that refer to it need not wait.
  forUpdate: " FOR NO KEY UPDATE",
  skipLocked: " FOR NO KEY UPDATE SKIP LOCKED",
  byIndex: () => "",
  settings: ({ patience = "full", relaxed = false }) => (relaxed ? passing : careful[patience]),
  locks: {
    // Apart from what is read under them: a statement sees what was committed before it began, and this one may have waited.
    wait: (names) => ({
      text: `SELECT count(pg_advisory_xact_lock(wanted.key))::text FROM ${wantedKeys}`,
      values: [lockKeys(names)]
    }),
    attempt: (names) => ({
      statement: {
        text: `SELECT count(*)::text FROM ${wantedKeys} WHERE NOT pg_try_advisory_xact_lock(wanted.key)`,
        values: [lockKeys(names)]
      },
      isTaken: (rows) => rows[0]?.[0] === "0"
    }),
    check: () => {}
  },
  ddl: postgresTables(lockKey("migrations")),
  users: postgresUsers
}
