/** Locks by name, which others on the same database respect and which end with the transaction. */
import { createHash } from "node:crypto"
import { byIndexes } from "./PostgresSettings.ts"
import { type Statement, sql } from "./PostgresStatement.ts"

/**
 * Waits for all of the names, in the one order that everybody asks in, so that nobody waits in a circle. Waits for locks,
 * here and later in the transaction, end after `patience`, unless the app has set a `lock_timeout` of its own.
 */
export const lock = (names: ReadonlyArray<string>, patience: "2s" | "5s"): Statement =>
  sql`WITH patience AS MATERIALIZED (
      SELECT set_config('lock_timeout', coalesce(nullif(current_setting('lock_timeout'), '0'), ${patience}::text), true)
        AS set, ${byIndexes}
    )
    SELECT count(pg_advisory_xact_lock(wanted.key))::text
    FROM patience, unnest(${keysOf(names)}::text::bigint[]) AS wanted (key) WHERE patience.set IS NOT NULL`

/** The same later in the transaction, for users whose ids a query yields as `user_id`. */
export const lockUsers = (users: Statement): Statement =>
  sql`SELECT count(pg_advisory_xact_lock(wanted.key))::text FROM (
      SELECT ${keyOfName(sql`'user ' || user_id`)} AS key FROM (${users}) AS concerned ORDER BY key OFFSET 0
    ) AS wanted`

/** In PostgreSQL's notation, in order. */
const keysOf = (names: ReadonlyArray<string>): string => {
  const keys = [...new Set(names.map(keyOf))].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${keys.join()}}`
}

/** The name's place in the one space of numbers that all locks of a database share. */
export const keyOf = (name: string): bigint =>
  createHash("sha256").update(`kavach_polar ${name}`).digest().readBigInt64BE(0)

/** The same, as the server works it out. */
export const keyOfName = (name: Statement): Statement =>
  sql`('x' || left(encode(sha256(convert_to('kavach_polar ' || ${name}, 'UTF8')), 'hex'), 16))::bit(64)::bigint`
