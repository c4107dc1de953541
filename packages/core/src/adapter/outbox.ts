/** The outbox: claiming notifications, and what becomes of what was claimed. */
import type { ClaimedNotificationRow } from "../records/rows.ts"
import type { ClaimRequest, Completion, FailedAttempt } from "../store/StoreDriver.ts"
import type { Dialect } from "./Dialect.ts"
import { accessTo, valueIn } from "./rowsOf.ts"
import { ask, commit, type Rows, type Script, type Statement, sql } from "./Script.ts"
import { notifications } from "./tables.ts"

export const makeOutbox = (dialect: Dialect) => {
  const put = valueIn(dialect)
  const table = dialect.table(notifications.name)
  const claimed = accessTo<ClaimedNotificationRow>(dialect, notifications, [
    "id",
    "subject",
    "userId",
    "eventAt",
    "precedence",
    "payload",
    "createdAt",
    "attempts"
  ])
  const due = "kavach_polar_notifications_pending_due"
  const ofSubject = "kavach_polar_notifications_pending_subject"

  /** Of one subject what is to be told first. */
  const oldestOf = (subject: string): string =>
    `(SELECT oldest.id FROM ${table} AS oldest${dialect.byIndex(ofSubject)}
      WHERE oldest.state = 'pending' AND oldest.subject = ${subject}
      ORDER BY oldest.event_at, oldest.precedence LIMIT 1)`

  const isOldest = `candidate.state = 'pending' AND candidate.id = ${oldestOf("candidate.subject")}`

  /**
   * What says that nothing older of the subject is unfinished is read without a lock: until the commit of who completes it,
   * it is seen as unfinished, so a younger one never goes first.
   */
  const selectDue = ({ limit, now }: ClaimRequest): Statement =>
    sql`${claimed.select({ as: "candidate", index: due })} WHERE ${isOldest} AND candidate.available_at <= ${put(now, "time")} ORDER BY candidate.available_at, candidate.id LIMIT ${limitOf(limit)}${dialect.skipLocked}`

  const selectDueAmong = (ids: ReadonlyArray<string>, now: number): Statement =>
    sql`${claimed.select({ as: "candidate" })} WHERE ${dialect.among("candidate.id", ids, "key")} AND ${isOldest} AND candidate.available_at <= ${put(now, "time")}${dialect.skipLocked}`

  /** Bounded below, so that the index of what is due is seen to answer it. */
  const selectNextDue = (taken: ReadonlyArray<string>): Statement =>
    sql`SELECT ${dialect.read("candidate.available_at", "time")} FROM ${table} AS candidate${dialect.byIndex(due)} WHERE ${isOldest} AND candidate.available_at >= ${put(0, "time")}${taken.length === 0 ? "" : sql` AND NOT (${dialect.among("candidate.id", taken, "key")})`} ORDER BY candidate.available_at, candidate.id LIMIT 1`

  const take = (
    { leaseUntil, now, owner }: Omit<ClaimRequest, "limit">,
    rows: ReadonlyArray<ClaimedNotificationRow>
  ): ReadonlyArray<Statement> =>
    rows.length === 0
      ? []
      : [
          sql`UPDATE ${table} SET attempts = attempts + 1, available_at = ${put(leaseUntil, "time")}, lease_owner = ${put(owner, "key")}, updated_at = ${put(now, "time")} WHERE ${dialect.among("id", idsOf(rows), "key")}`
        ]

  /** Of these notifications those on which `owner` holds the lease. They are locked, in the order of their ids. */
  const selectHeld = (owner: string, ids: ReadonlyArray<string>): Statement =>
    sql`SELECT ${dialect.read("id", "key")} FROM ${table} WHERE ${dialect.among("id", ids, "key")} AND state = 'pending' AND lease_owner = ${put(owner, "key")} ORDER BY id${dialect.forUpdate}`

  const endLeases = (
    owner: string,
    ids: ReadonlyArray<string>,
    to: { readonly state: string; readonly availableAt: number; readonly error: string | null; readonly now: number }
  ): Statement =>
    sql`UPDATE ${table} SET state = ${put(to.state, "word")}, available_at = ${put(to.availableAt, "time")}, lease_owner = NULL${to.error === null ? "" : sql`, last_error = ${put(to.error, "text")}`}, updated_at = ${put(to.now, "time")} WHERE ${dialect.among("id", ids, "key")} AND state = 'pending' AND lease_owner = ${put(owner, "key")}`

  /** What is the turn of their subjects to tell now. */
  const selectFollowing = (ids: ReadonlyArray<string>): Statement =>
    sql`SELECT ${dialect.read(oldestOf("completed.subject"), "key")} FROM ${table} AS completed WHERE ${dialect.among("completed.id", ids, "key")}`

  const attempted = (rows: Rows): ReadonlyArray<ClaimedNotificationRow> =>
    claimed.rows(rows).map((row) => ({ ...row, attempts: row.attempts + 1 }))

  return {
    claim: function* (request: ClaimRequest): Script<{
      readonly rows: ReadonlyArray<ClaimedNotificationRow>
      readonly nextDueAt: number | null
    }> {
      const settings = dialect.settings(true)
      const found = yield* ask(...settings, selectDue(request))
      const rows = attempted(found.at(-1) ?? [])
      const [later] = (yield* commit(...take(request, rows), selectNextDue(idsOf(rows)))).at(-1) ?? []
      const next = later === undefined ? null : Number(dialect.decode(later[0], "time"))
      const nextDueAt = next !== null ? Math.max(next, request.now) : rows.length > 0 ? request.leaseUntil : null
      return { rows, nextDueAt }
    },

    /** Answers with the ids that were held, and with those that may be claimed in their place. */
    complete: function* ({ ids, leaseUntil, now, owner }: Completion): Script<{
      readonly ids: ReadonlyArray<string>
      readonly following: ReadonlyArray<string>
    }> {
      const settings = dialect.settings(true)
      const answers = yield* commit(
        ...settings,
        selectHeld(owner, ids),
        endLeases(owner, ids, { state: "done", availableAt: now, error: null, now }),
        ...(leaseUntil === null ? [] : [selectFollowing(ids)])
      )
      const held = answers[settings.length] ?? []
      const following = leaseUntil === null ? [] : (answers.at(-1) ?? [])
      return {
        ids: held.map(([id]) => String(id)),
        following: [...new Set(following.flatMap(([id]) => (id === null ? [] : [String(id)])))]
      }
    },

    claimAmong: function* (
      ids: ReadonlyArray<string>,
      request: Omit<ClaimRequest, "limit">
    ): Script<ReadonlyArray<ClaimedNotificationRow>> {
      const rows = attempted((yield* ask(...dialect.settings(true), selectDueAmong(ids, request.now))).at(-1) ?? [])
      yield* commit(...take(request, rows))
      return rows
    },

    fail: function* ({ availableAt, error, id, now, owner, state }: FailedAttempt): Script<boolean> {
      const settings = dialect.settings(false)
      const answers = yield* commit(
        ...settings,
        selectHeld(owner, [id]),
        endLeases(owner, [id], { state, availableAt: availableAt ?? now, error, now })
      )
      return (answers[settings.length] ?? []).length > 0
    }
  }
}

const idsOf = (rows: ReadonlyArray<ClaimedNotificationRow>): ReadonlyArray<string> => rows.map(({ id }) => id)

/** A whole number that every database takes. It stands in the text: a limit is of this program, and of few values. */
export const limitOf = (limit: number): string => String(Math.min(Math.max(Math.trunc(limit), 0), 2 ** 31 - 1))
