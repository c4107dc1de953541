/** Locks by name, which others on the same database respect and which end with the transaction. */
import { createHash } from "node:crypto"
import { once, type Statement } from "./PostgresStatement.ts"

/**
 * Waits for all of the names, in the one order that everybody asks in, so that nobody waits in a circle. Waits for locks,
 * here and later in the transaction, end after `patience`, unless the app has set a `lock_timeout` of its own.
 *
 * What comes after it in the transaction goes by indexes, and is planned once and not at each step: a list of unknown length
 * counts as ten ids, so that a plan for all looks dearer to the server than one for the single id of a step, although it
 * plans for longer than it then reads.
 *
 * Without parameters, so that it can go to the server together with the beginning of the transaction.
 */
export const lock = (names: ReadonlyArray<string>, patience: "2s" | "5s"): Statement => {
  const keys = [...new Set(names.map(keyOf))].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return once(`WITH patience AS MATERIALIZED (
      SELECT set_config('lock_timeout', coalesce(nullif(current_setting('lock_timeout'), '0'), '${patience}'), true) AS set,
        set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
        set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true),
        set_config('plan_cache_mode', 'force_generic_plan', true)
    )
    SELECT count(pg_advisory_xact_lock(wanted.key))::text
    FROM patience, unnest('{${keys.join()}}'::bigint[]) AS wanted (key) WHERE patience.set IS NOT NULL`)
}

/** The name's place in the one space of numbers that all locks of a database share. */
const keyOf = (name: string): bigint => createHash("sha256").update(`kavach_polar ${name}`).digest().readBigInt64BE(0)
