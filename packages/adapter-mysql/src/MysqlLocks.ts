/**
 * What a step locks before it reads.
 *
 * A row that does not exist yet cannot be locked, so ids are locked by proxy: each falls to one row of
 * `kavach_polar_locks`. A step first locks the rows of its deliveries, customers and subscriptions, then reads whose they
 * are, then locks the rows of those users. Whoever changes a subscription, a link or a user's projection holds the rows
 * of what it changes, and locks are let go by the commit: so what was read under them is true until the step's own
 * commit, and every read after them, in READ COMMITTED, sees all that earlier holders have written.
 *
 * Steps cannot deadlock over these rows: each statement takes them in the order of their ids, along the primary key, and
 * the rows of users all come after the others. So every step takes its rows in one and the same order.
 */

import { StoreProblem } from "@kavach-polar/core/StoreProblem"
import { asc, inArray } from "drizzle-orm"
import { int, mysqlTable } from "drizzle-orm/mysql-core"
import { type Queries, uncached } from "./MysqlDatabase.ts"

const locks = mysqlTable("kavach_polar_locks", { id: int("id").primaryKey() })

/** As many rows of each kind: two ids that share one wait for each other, and no more. */
const rows = 1024

/** Of deliveries, customers and subscriptions. */
export const lockObjects = (tx: Queries, ids: Iterable<string>): Promise<void> => lock(tx, ids, 0)

export const lockUsers = (tx: Queries, userIds: Iterable<string>): Promise<void> => lock(tx, userIds, rows)

const lock = async (tx: Queries, ids: Iterable<string>, first: number): Promise<void> => {
  const wanted = new Set<number>()
  for (const id of ids) wanted.add(first + (hash(id) % rows))
  if (wanted.size === 0) return
  const found = await uncached(
    tx
      .select({ id: locks.id })
      .from(locks, { forceIndex: "PRIMARY" })
      .where(inArray(locks.id, [...wanted]))
      .orderBy(asc(locks.id))
      .for("update")
  )
  if (found.length !== wanted.size) {
    throw new StoreProblem(
      "schema",
      `the table kavach_polar_locks has lost rows; insert the numbers from 0 to ${2 * rows - 1} again`
    )
  }
}

/** FNV-1a over UTF-16: every process, of whatever version, must come to the same row. */
const hash = (id: string): number => {
  let value = 0x811c9dc5
  for (let index = 0; index < id.length; index++) value = Math.imul(value ^ id.charCodeAt(index), 0x01000193)
  return value >>> 0
}
