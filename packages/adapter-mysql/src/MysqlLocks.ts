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

import { DriverError } from "@kavach-polar/core/adapter/DriverError"
import type { Rows } from "./MysqlRows.ts"
import { places, type Statement, statement as statementOf } from "./MysqlStatement.ts"

/** As many rows of each kind: two ids that share one wait for each other, and no more. */
const lockRows = 1024

/** A statement that takes rows, and whether it got all of them. */
export interface Taking {
  readonly statement: Statement | undefined
  readonly isComplete: (rows: Rows) => boolean
}

/** Takes the rows of deliveries, customers and subscriptions, and those of users. The first that a step does. */
export const taking = (objectIds: Iterable<string>, userIds: Iterable<string>): Taking => {
  const wanted = new Set<number>()
  for (const id of objectIds) wanted.add(hash(id) % lockRows)
  for (const id of userIds) wanted.add(userRow(id))
  const { isComplete, statement } = take(wanted, false)
  return {
    statement,
    isComplete: (rows) => {
      if (isComplete(rows)) return true
      throw new DriverError(
        "schema",
        `the table kavach_polar_locks has lost rows; insert the numbers from 0 to ${2 * lockRows - 1} again`
      )
    }
  }
}

/**
 * Takes the rows of further users, when those of `held` are taken already. Not complete when this cannot be done in order
 * and somebody else has one of them: then the step must begin anew, and take all at once.
 */
export const takingMoreUsers = (userIds: Iterable<string>, held: Iterable<string>): Taking => {
  const taken = new Set([...held].map(userRow))
  const wanted = new Set([...userIds].map(userRow).filter((row) => !taken.has(row)))
  const inOrder = Math.min(...wanted) > Math.max(...taken)
  return take(wanted, !inOrder)
}

const take = (wanted: ReadonlySet<number>, onlyFree: boolean): Taking => ({
  statement:
    wanted.size === 0
      ? undefined
      : statementOf(
          `SELECT id FROM kavach_polar_locks FORCE INDEX (PRIMARY) WHERE id IN (${places([...wanted])}) ORDER BY id FOR UPDATE${onlyFree ? " SKIP LOCKED" : ""}`,
          ...wanted
        ),
  isComplete: (rows) => rows.length === wanted.size
})

const userRow = (id: string): number => lockRows + (hash(id) % lockRows)

/** FNV-1a over UTF-16: every process, of whatever version, must come to the same row. */
const hash = (id: string): number => {
  let value = 0x811c9dc5
  for (let index = 0; index < id.length; index++) value = Math.imul(value ^ id.charCodeAt(index), 0x01000193)
  return value >>> 0
}
