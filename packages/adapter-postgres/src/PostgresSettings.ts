/** Settings of the server's that hold until the end of a transaction, and stand first in it. */
import { raw, type Statement, sql } from "./PostgresStatement.ts"

/**
 * What comes after it goes by indexes, and is planned once and not each time: a list of unknown length counts as ten ids, so
 * that a plan for all looks dearer to the server than one for a single id, although it plans for longer than it then reads.
 * And a plan that was made while a table was empty would go through all of it for long.
 */
export const byIndexes: Statement = raw(
  ["enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"]
    .map((name) => `set_config('${name}', 'off', true)`)
    .concat("set_config('plan_cache_mode', 'force_generic_plan', true)")
    .join(", ")
)

/**
 * For what says what becomes of a call: the commit does not wait for the disk, and a server that fails may have forgotten it.
 * Then a call is made once more, which apps are ready for.
 */
export const unhurried: Statement = sql`SELECT set_config('synchronous_commit', 'off', true), ${byIndexes}`
