/** Locks by name, which others on the same database respect and which end with the transaction. */
import { createHash } from "node:crypto"
import { byIndexes } from "./PostgresSettings.ts"
import { once, type Statement, sql } from "./PostgresStatement.ts"

/**
 * Waits for all of the names, in the one order that everybody asks in, so that nobody waits in a circle. Waits for locks,
 * here and later in the transaction, end after `patience`, unless the app has set a `lock_timeout` of its own.
 *
 * Without parameters, so that it can go to the server together with the beginning of the transaction.
 */
export const lock = (names: ReadonlyArray<string>, patience: "2s" | "5s"): Statement =>
  once(`WITH patience AS MATERIALIZED (
      SELECT set_config('lock_timeout', coalesce(nullif(current_setting('lock_timeout'), '0'), '${patience}'), true) AS set,
        ${byIndexes}
    )
    SELECT count(pg_advisory_xact_lock(wanted.key))::text
    FROM patience, unnest('${keysOf(names)}'::bigint[]) AS wanted (key) WHERE patience.set IS NOT NULL`)

/** The same later in the transaction. */
export const lockFurther = (names: ReadonlyArray<string>): Statement =>
  sql`SELECT count(pg_advisory_xact_lock(wanted.key))::text FROM unnest(${keysOf(names)}::text::bigint[]) AS wanted (key)`

/** In PostgreSQL's notation, in order. */
const keysOf = (names: ReadonlyArray<string>): string => {
  const keys = [...new Set(names.map(keyOf))].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${keys.join()}}`
}

/** The name's place in the one space of numbers that all locks of a database share. */
const keyOf = (name: string): bigint => createHash("sha256").update(`kavach_polar ${name}`).digest().readBigInt64BE(0)
