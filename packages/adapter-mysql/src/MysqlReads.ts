/**
 * What is read for one user, which is what the store is asked most often. Each text is the same for everybody, so that a
 * server which has prepared it need not read it again.
 */
import type { StoredSubscription } from "@kavach-polar/core/adapter/rows"
import { type Rows, text } from "./MysqlRows.ts"
import { type Statement, statement } from "./MysqlStatement.ts"

/** All that is known of a subscription is in `data`; the other columns are there to find it, and for people. */
const allOfUser = "SELECT id, data FROM kavach_polar_subscriptions WHERE user_id = ?"
const liveOfUser = `${allOfUser} AND live = 1`

export const selectSubscriptionsOf = (userId: string, which: "all" | "live"): Statement =>
  statement(which === "live" ? liveOfUser : allOfUser, userId)

export const subscriptionsIn = (rows: Rows): ReadonlyArray<StoredSubscription> =>
  rows.map(([id, data]) => ({ id: text(id), data: text(data) }))

export const selectLatestCustomerOf = (userId: string): Statement =>
  statement(
    `SELECT customer_id FROM kavach_polar_customers WHERE user_id = ? AND deleted_at IS NULL
      ORDER BY linked_at DESC, customer_id LIMIT 1`,
    userId
  )

export const customerIn = ([row]: Rows): string | undefined => (row === undefined ? undefined : text(row[0]))
