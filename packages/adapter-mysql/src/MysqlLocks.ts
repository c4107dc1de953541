/**
 * What a step locks before it reads.
 *
 * A row that does not exist yet cannot be locked, so ids are locked by proxy: each falls to one row of
 * `kavach_polar_locks`. A step locks the rows of its deliveries, customers, subscriptions and users, then reads whose the
 * first three are, and locks the rows of those users too where it had not named them. Whoever changes a subscription, a
 * link or a user's projection holds the rows of what it changes, and locks are let go by the commit: so what was read under
 * them is true until the step's own commit, and every read after them, in READ COMMITTED, sees all that earlier holders
 * have written.
 *
 * Steps cannot deadlock over these rows: who waits for one holds only rows with smaller ids. Each statement takes its rows
 * in the order of their ids, along the primary key, the rows of users come after all others, and what would have to be
 * taken out of that order is only taken if it is free.
 */

import { StoreProblem } from "@kavach-polar/core/StoreProblem"
import { asc, inArray } from "drizzle-orm"
import { int, mysqlTable } from "drizzle-orm/mysql-core"
import { type Queries, uncached } from "./MysqlDatabase.ts"

const locks = mysqlTable("kavach_polar_locks", { id: int("id").primaryKey() })

/** As many rows of each kind: two ids that share one wait for each other, and no more. */
const rows = 1024

/** Takes the rows of deliveries, customers and subscriptions, and those of users. The first that a step does. */
export const lock = async (tx: Queries, objectIds: Iterable<string>, userIds: Iterable<string>): Promise<void> => {
  const wanted = new Set<number>()
  for (const id of objectIds) wanted.add(hash(id) % rows)
  for (const id of userIds) wanted.add(userRow(id))
  if ((await take(tx, wanted, false)) !== wanted.size) {
    throw new StoreProblem(
      "schema",
      `the table kavach_polar_locks has lost rows; insert the numbers from 0 to ${2 * rows - 1} again`
    )
  }
}

/**
 * Takes the rows of further users, when those of `held` are taken already. `false` when this cannot be done in order and
 * somebody else has one of them: then the step must begin anew, and take all at once.
 */
export const lockMoreUsers = async (
  tx: Queries,
  userIds: Iterable<string>,
  held: Iterable<string>
): Promise<boolean> => {
  const taken = new Set([...held].map(userRow))
  const wanted = new Set([...userIds].map(userRow).filter((row) => !taken.has(row)))
  const inOrder = Math.min(...wanted) > Math.max(...taken)
  return (await take(tx, wanted, !inOrder)) === wanted.size
}

const take = async (tx: Queries, wanted: ReadonlySet<number>, onlyFree: boolean): Promise<number> => {
  if (wanted.size === 0) return 0
  const found = await uncached(
    tx
      .select({ id: locks.id })
      .from(locks, { forceIndex: "PRIMARY" })
      .where(inArray(locks.id, [...wanted]))
      .orderBy(asc(locks.id))
      .for("update", onlyFree ? { skipLocked: true } : {})
  )
  return found.length
}

const userRow = (id: string): number => rows + (hash(id) % rows)

/** FNV-1a over UTF-16: every process, of whatever version, must come to the same row. */
const hash = (id: string): number => {
  let value = 0x811c9dc5
  for (let index = 0; index < id.length; index++) value = Math.imul(value ^ id.charCodeAt(index), 0x01000193)
  return value >>> 0
}
