/** The statements on the outbox: claiming, and what becomes of what was claimed. */

import type { ClaimedNotificationRow } from "@kavach-polar/core/adapter/rows"
import type { ClaimRequest, Completion, Setback } from "@kavach-polar/core/adapter/StoreDriver"
import { type Row, type Rows, text } from "./MysqlRows.ts"
import { limitOf, places, type Statement, statement } from "./MysqlStatement.ts"
import { datetimeOf, millisOf } from "./MysqlTime.ts"

/**
 * Callbacks are made in the order of events: nothing older of its subscription is unfinished. Left to itself, MySQL looks
 * for that among all that are queued, for each of them, once a subscription has many.
 */
const isOldestOfItsSubscription = `kavach_polar_notifications.id = (
  SELECT oldest.id FROM kavach_polar_notifications AS oldest FORCE INDEX (kavach_polar_notifications_subscription)
  WHERE oldest.subscription_id = kavach_polar_notifications.subscription_id AND oldest.state = 'pending'
  ORDER BY oldest.event_at, oldest.precedence LIMIT 1)`

const claimedColumns = "id, subscription_id, user_id, event_at, precedence, payload, created_at, attempts"

/**
 * Rows that another claimer is about to take are passed over, and not waited for. What says that nothing older of the
 * subscription is unfinished is read without a lock: until the other's commit it still sees the older one as
 * unfinished, so a younger one never goes first. The index is prescribed because the rows come in its order: sorted
 * otherwise, all that are due would be locked before the first few are taken.
 */
export const selectDue = ({ limit, now }: ClaimRequest): Statement =>
  statement(
    `SELECT ${claimedColumns}
      FROM kavach_polar_notifications FORCE INDEX (kavach_polar_notifications_due)
      WHERE state = 'pending' AND available_at <= ? AND ${isOldestOfItsSubscription}
      ORDER BY available_at, id LIMIT ? FOR UPDATE SKIP LOCKED`,
    datetimeOf(now),
    limitOf(limit)
  )

/** The same among those of these ids. */
export const selectDueAmong = (ids: ReadonlyArray<string>, now: number): Statement =>
  statement(
    `SELECT ${claimedColumns}
      FROM kavach_polar_notifications FORCE INDEX (PRIMARY)
      WHERE id IN (${places(ids)}) AND state = 'pending' AND available_at <= ? AND ${isOldestOfItsSubscription}
      FOR UPDATE SKIP LOCKED`,
    ...ids,
    datetimeOf(now)
  )

/** One attempt more than was found. */
export const claimedOf = (rows: Rows): ReadonlyArray<ClaimedNotificationRow> =>
  rows.map(([id, subscriptionId, userId, eventAt, precedence, payload, createdAt, attempts]: Row) => ({
    id: text(id),
    subscriptionId: text(subscriptionId),
    userId: text(userId),
    eventAt: Number(eventAt),
    precedence: Number(precedence),
    payload: text(payload),
    createdAt: millisOf(text(createdAt)),
    attempts: Number(attempts) + 1
  }))

export const take = ({ leaseUntil, now, owner }: Omit<ClaimRequest, "limit">, ids: ReadonlyArray<string>): Statement =>
  statement(
    `UPDATE kavach_polar_notifications
      SET attempts = attempts + 1, available_at = ?, lease_owner = ?, updated_at = ? WHERE id IN (${places(ids)})`,
    datetimeOf(leaseUntil),
    owner,
    datetimeOf(now),
    ...ids
  )

/** When the first one that is not among those just claimed can be claimed. */
export const selectNextDue = (claimed: ReadonlyArray<string>): Statement =>
  statement(
    `SELECT available_at FROM kavach_polar_notifications FORCE INDEX (kavach_polar_notifications_due)
      WHERE state = 'pending' AND ${isOldestOfItsSubscription}${
        claimed.length === 0 ? "" : ` AND id NOT IN (${places(claimed)})`
      } ORDER BY available_at, id LIMIT 1`,
    ...claimed
  )

/** In epoch milliseconds. */
export const nextDueOf = ([row]: Rows): number | undefined => (row === undefined ? undefined : millisOf(text(row[0])))

/** Those of the notifications on which `owner` holds the lease; they are locked, in the order of their ids. */
export const selectHeld = (owner: string, ids: ReadonlyArray<string>): Statement =>
  statement(
    `SELECT id FROM kavach_polar_notifications
      WHERE id IN (${places(ids)}) AND state = 'pending' AND lease_owner = ? ORDER BY id FOR UPDATE`,
    ...ids,
    owner
  )

export const idsOf = (rows: Rows): ReadonlyArray<string> => rows.map(([id]) => text(id))

/** On the same condition as `selectHeld`, whose locks make sure that these are the ones that it found. */
export const complete = ({ ids, now, owner }: Completion): Statement =>
  statement(
    `UPDATE kavach_polar_notifications SET state = 'done', available_at = ?, lease_owner = NULL, updated_at = ?
      WHERE id IN (${places(ids)}) AND state = 'pending' AND lease_owner = ?`,
    datetimeOf(now),
    datetimeOf(now),
    ...ids,
    owner
  )

/** What is the turn of their subscriptions to tell now; NULL where nothing is. */
export const selectFollowing = (ids: ReadonlyArray<string>): Statement =>
  statement(
    `SELECT (
        SELECT oldest.id FROM kavach_polar_notifications AS oldest FORCE INDEX (kavach_polar_notifications_subscription)
        WHERE oldest.subscription_id = completed.subscription_id AND oldest.state = 'pending'
        ORDER BY oldest.event_at, oldest.precedence LIMIT 1
      ) FROM kavach_polar_notifications AS completed WHERE completed.id IN (${places(ids)})`,
    ...ids
  )

export const followingOf = (rows: Rows): ReadonlyArray<string> => [
  ...new Set(rows.flatMap(([id]) => (id === null ? [] : [text(id)])))
]

export const setBack = ({ availableAt, error, id, now, owner, state }: Setback): Statement =>
  statement(
    `UPDATE kavach_polar_notifications
      SET state = ?, available_at = ?, lease_owner = NULL, last_error = ?, updated_at = ?
      WHERE id = ? AND state = 'pending' AND lease_owner = ?`,
    state,
    datetimeOf(availableAt ?? now),
    error,
    datetimeOf(now),
    id,
    owner
  )
