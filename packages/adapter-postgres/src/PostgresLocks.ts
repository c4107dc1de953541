/** Locks by name, which others on the same database respect and which end with the transaction. */
import { type SQL, sql } from "drizzle-orm"
import { texts } from "./PostgresValues.ts"

/**
 * Waits for all of the names, in the one order that everybody asks in, so that nobody waits in a circle. Waits for locks,
 * here and later in the transaction, end after `patience`, unless the app has set a `lock_timeout` of its own.
 */
export const lock = (names: ReadonlyArray<string>, patience: "2s" | "5s"): SQL =>
  sql`WITH patience AS MATERIALIZED (
      SELECT set_config('lock_timeout', coalesce(nullif(current_setting('lock_timeout'), '0'), ${patience}::text), true) AS set
    ), wanted AS (
      SELECT DISTINCT hashtextextended('kavach_polar ' || name COLLATE "C", 0) AS key
      FROM unnest(${texts(names)}) AS name ORDER BY key
    )
    SELECT count(pg_advisory_xact_lock(wanted.key))::text FROM patience, wanted WHERE patience.set IS NOT NULL`
