/**
 * Names are locked by proxy, because a row that does not exist yet cannot be locked: each falls to one row of
 * `kavach_polar_locks`. Locks are let go by the commit: so what was read under them is true until the step's own commit, and
 * every read after them, in READ COMMITTED, sees all that earlier holders have written.
 *
 * Steps cannot deadlock over these rows: who waits for one holds only rows with smaller ids. Each statement takes its rows in
 * the order of their ids, along the primary key, and what comes later is only taken if it is free.
 */
import { DriverError, type Locks } from "@kavach-polar/core/adapter"

/** As many rows for users, and as many for all else: two names that share one wait for each other, and no more. */
const rowsOfEach = 1024
export const lockRows = 2 * rowsOfEach

/** `user 1`, `delivery 2`: the id follows the first word, and users have the rows after all others. */
const rowOf = (name: string): number => {
  const id = name.slice(name.indexOf(" ") + 1)
  return (hash(id) % rowsOfEach) + (name.startsWith("user ") ? rowsOfEach : 0)
}

/** FNV-1a over UTF-16: every process, of whatever version, must come to the same row. */
const hash = (id: string): number => {
  let value = 0x811c9dc5
  for (let index = 0; index < id.length; index++) value = Math.imul(value ^ id.charCodeAt(index), 0x01000193)
  return value >>> 0
}

const rowsOf = (names: ReadonlyArray<string>): ReadonlyArray<number> => [...new Set(names.map(rowOf))]

const take = (names: ReadonlyArray<string>, lock: string) => ({
  text: `SELECT id FROM kavach_polar_locks FORCE INDEX (PRIMARY) WHERE id IN (${rowsOf(names).join(", ")}) ORDER BY id ${lock}`,
  values: []
})

export const mysqlLocks: Locks = {
  wait: (names) => take(names, "FOR UPDATE"),
  attempt: (names) => ({
    statement: take(names, "FOR UPDATE SKIP LOCKED"),
    isTaken: (rows) => rows.length === rowsOf(names).length
  }),
  check: (names, rows) => {
    if (rows.length === rowsOf(names).length) return
    throw new DriverError(
      "schema",
      `the table kavach_polar_locks has lost rows; insert the numbers from 0 to ${lockRows - 1} again`
    )
  }
}
