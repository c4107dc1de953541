/** The outbox: claiming notifications, and what becomes of what was claimed. */
import type { ClaimedNotificationRow, DeadNotificationRow } from "../records/rows.ts"
import { outdatedAmong, supersededAfter, supersededAmong, type UntoldRow } from "../steps/supersede.ts"
import type {
  CallTime,
  ClaimRequest,
  Completion,
  CountRequest,
  DeadRowQuery,
  FailedAttempt,
  FailureOutcome,
  NotificationCounts,
  Renewal,
  RetriedDead
} from "../store/StoreDriver.ts"
import type { Dialect } from "./Dialect.ts"
import { accessTo, valueIn } from "./rowsOf.ts"
import { ask, commit, join, part, type Rows, type Script, type Statement, sql } from "./Script.ts"
import { type ColumnType, notifications } from "./tables.ts"
import { named } from "./wholeRows.ts"

export const makeOutbox = (dialect: Dialect) => {
  const put = valueIn(dialect)
  const table = dialect.table(notifications.name)
  const claimed = accessTo<ClaimedNotificationRow>(dialect, notifications, [
    "id",
    "handler",
    "subject",
    "userId",
    "eventAt",
    "precedence",
    "payload",
    "createdAt",
    "attempts",
    "traceparent"
  ])
  const untold = accessTo<UntoldRow>(dialect, notifications, [
    "id",
    "handler",
    "subject",
    "eventAt",
    "precedence",
    "leaseOwner",
    "lastError"
  ])
  const dead = accessTo<Omit<DeadNotificationRow, "diedAt"> & { readonly availableAt: number }>(
    dialect,
    notifications,
    [
      "id",
      "handler",
      "subject",
      "userId",
      "eventAt",
      "precedence",
      "payload",
      "createdAt",
      "attempts",
      "lastError",
      "availableAt"
    ]
  )
  const due = "kavach_polar_notifications_pending_due"
  const ofSubject = "kavach_polar_notifications_pending_subject"

  /** Of one subject what is to be told first. */
  const oldestOf = (subject: string): string =>
    `(SELECT oldest.id FROM ${table} AS oldest${dialect.byIndex(ofSubject)}
      WHERE oldest.state = 'pending' AND oldest.subject = ${subject}
      ORDER BY oldest.event_at, oldest.precedence LIMIT 1)`

  const isOldest = `candidate.state = 'pending' AND candidate.id = ${oldestOf("candidate.subject")}`

  /** Whom this process can tell. Rows of the time before there were others are for who hears of subscriptions. */
  const isFor = (handlers: ReadonlyArray<string>, column = "handler"): Statement => {
    if (handlers.length === 0) return part("1 = 0")
    const isNamed = dialect.among(column, handlers, "key")
    return handlers.includes("onSubscriptionChange") ? sql`(${column} IS NULL OR ${isNamed})` : isNamed
  }

  /**
   * What says that nothing older of the subject is unfinished is read without a lock: until the commit of who completes it,
   * it is seen as unfinished, so a younger one never goes first.
   */
  const selectDue = ({ handlers, limit, time }: ClaimRequest): Statement =>
    sql`${claimed.select({ as: "candidate", index: due })} WHERE ${isOldest} AND ${isFor(handlers, "candidate.handler")} AND candidate.available_at <= ${dialect.later(time.shift)} ORDER BY candidate.available_at, candidate.id LIMIT ${limitOf(limit)}${dialect.skipLocked}`

  const selectDueAmong = (ids: ReadonlyArray<string>, time: CallTime): Statement =>
    sql`${claimed.select({ as: "candidate" })} WHERE ${dialect.among("candidate.id", ids, "key")} AND ${isOldest} AND candidate.available_at <= ${dialect.later(time.shift)}${dialect.skipLocked}`

  /** When it is due, and what time it is now. Bounded below, so that the index of what is due is seen to answer it. */
  const selectNextDue = (taken: ReadonlyArray<string>, { handlers, time }: ClaimRequest): Statement =>
    sql`SELECT ${dialect.read("candidate.available_at", "time")}, ${readClock(dialect, time)} FROM ${table} AS candidate${dialect.byIndex(due)} WHERE ${isOldest} AND ${isFor(handlers, "candidate.handler")} AND candidate.available_at >= ${put(0, "time")}${taken.length === 0 ? "" : sql` AND NOT (${dialect.among("candidate.id", taken, "key")})`} ORDER BY candidate.available_at, candidate.id LIMIT 1`

  const take = (
    { leaseMillis, owner, time }: Omit<ClaimRequest, "handlers" | "limit">,
    rows: ReadonlyArray<ClaimedNotificationRow>
  ): ReadonlyArray<Statement> =>
    rows.length === 0
      ? []
      : [
          sql`UPDATE ${table} SET attempts = attempts + 1, available_at = ${dialect.later(time.shift + leaseMillis)}, lease_owner = ${put(owner, "key")}, updated_at = ${dialect.later(time.shift)} WHERE ${dialect.among("id", idsOf(rows), "key")}`
        ]

  /** Of these notifications those on which `owner` holds the lease. They are locked, in the order of their ids. */
  const selectHeld = (owner: string, ids: ReadonlyArray<string>): Statement =>
    sql`SELECT ${dialect.read("id", "key")} FROM ${table} WHERE ${dialect.among("id", ids, "key")} AND state = 'pending' AND lease_owner = ${put(owner, "key")} ORDER BY id${dialect.forUpdate}`

  const isHeld = (owner: string, ids: ReadonlyArray<string>): Statement =>
    sql`${dialect.among("id", ids, "key")} AND state = 'pending' AND lease_owner = ${put(owner, "key")}`

  const endLeases = (
    owner: string,
    ids: ReadonlyArray<string>,
    to: {
      readonly state: string
      readonly delayMillis: number
      readonly error: string | null
      readonly time: CallTime
    }
  ): Statement =>
    sql`UPDATE ${table} SET state = ${put(to.state, "word")}, available_at = ${dialect.later(to.time.shift + to.delayMillis)}, lease_owner = NULL${to.error === null ? "" : sql`, last_error = ${put(to.error, "text")}`}, updated_at = ${dialect.later(to.time.shift)} WHERE ${isHeld(owner, ids)}`

  const renew = ({ ids, leaseMillis, owner, time }: Renewal): Statement =>
    sql`UPDATE ${table} SET available_at = ${dialect.later(time.shift + leaseMillis)}, updated_at = ${dialect.later(time.shift)} WHERE ${isHeld(owner, ids)}`

  const selectUntold = (which: Statement): Statement =>
    sql`${untold.select({ index: ofSubject })} WHERE state = 'pending' AND ${which} ORDER BY id`

  const supersede = (ids: ReadonlyArray<string>, { shift }: CallTime): Statement =>
    sql`UPDATE ${table} SET state = 'superseded', updated_at = ${dialect.later(shift)} WHERE ${dialect.among("id", ids, "key")} AND state = 'pending'`

  const amongGiven = (column: string, given: ReadonlyArray<string> | undefined, type: ColumnType) =>
    given === undefined ? [] : given.length === 0 ? [part("1 = 0")] : [dialect.among(column, given, type)]

  const selectDead = ({
    after,
    diedAfter,
    diedBefore,
    handlers,
    ids,
    limit,
    subjects,
    userId
  }: DeadRowQuery): Statement => {
    const conditions = [
      part("state = 'dead'"),
      ...amongGiven("id", ids, "key"),
      ...amongGiven("subject", subjects, "id"),
      ...(handlers === undefined ? [] : [isFor(handlers)]),
      ...(userId === undefined ? [] : [sql`user_id = ${put(userId, "key")}`]),
      ...(diedBefore === undefined ? [] : [sql`available_at < ${put(diedBefore, "time")}`]),
      ...(diedAfter === undefined ? [] : [sql`available_at >= ${put(diedAfter, "time")}`]),
      ...(after === undefined
        ? []
        : [
            sql`(available_at > ${put(after.diedAt, "time")} OR (available_at = ${put(after.diedAt, "time")} AND id > ${put(after.id, "key")}))`
          ])
    ]
    return sql`${dead.select()} WHERE ${join(conditions, " AND ")} ORDER BY available_at, id LIMIT ${limitOf(limit)}`
  }

  /** What is the turn of their subjects to tell now. */
  const selectFollowing = (ids: ReadonlyArray<string>): Statement =>
    sql`SELECT ${dialect.read(oldestOf("completed.subject"), "key")} FROM ${table} AS completed WHERE ${dialect.among("completed.id", ids, "key")}`

  const attempted = (rows: Rows): ReadonlyArray<ClaimedNotificationRow> =>
    claimed.rows(rows).map((row) => ({ ...named(row), attempts: row.attempts + 1 }))

  const unsettledOf = ({ handlers, subjects }: CountRequest, condition: string | Statement): Statement =>
    sql`SELECT ${dialect.read("COUNT(*)", "count")} FROM ${table} AS candidate WHERE ${isOldest} AND ${isFor(handlers, "candidate.handler")} AND ${condition}${subjects === undefined ? "" : sql` AND ${dialect.among("candidate.subject", subjects, "id")}`}`

  return {
    claim: function* (request: ClaimRequest): Script<{
      readonly rows: ReadonlyArray<ClaimedNotificationRow>
      readonly nextDueIn: number | null
    }> {
      const settings = dialect.settings({ relaxed: true })
      const found = yield* ask(...settings, selectDue(request))
      const rows = attempted(found.at(-1) ?? [])
      const answers = yield* commit(...take(request, rows), selectNextDue(idsOf(rows), request))
      const [later] = answers.at(-1) ?? []
      if (later === undefined) return { rows, nextDueIn: rows.length > 0 ? request.leaseMillis : null }
      const [next, now] = later.map((value) => Number(dialect.decode(value, "time")))
      return { rows, nextDueIn: Math.max((next ?? 0) - (now ?? 0), 0) }
    },

    renew: function* (renewal: Renewal): Script<ReadonlyArray<string>> {
      const settings = dialect.settings({ relaxed: true })
      const answers = yield* commit(...settings, selectHeld(renewal.owner, renewal.ids), renew(renewal))
      return (answers[settings.length] ?? []).map(([id]) => String(id))
    },

    /** Answers with the ids that were held, and with those that may be claimed in their place. */
    complete: function* ({ ids, leaseMillis, owner, time }: Completion): Script<{
      readonly ids: ReadonlyArray<string>
      readonly following: ReadonlyArray<string>
    }> {
      const settings = dialect.settings({ relaxed: true })
      const answers = yield* commit(
        ...settings,
        selectHeld(owner, ids),
        endLeases(owner, ids, { state: "done", delayMillis: 0, error: null, time }),
        ...(leaseMillis === null ? [] : [selectFollowing(ids)])
      )
      const held = answers[settings.length] ?? []
      const following = leaseMillis === null ? [] : (answers.at(-1) ?? [])
      return {
        ids: held.map(([id]) => String(id)),
        following: [...new Set(following.flatMap(([id]) => (id === null ? [] : [String(id)])))]
      }
    },

    claimAmong: function* (
      ids: ReadonlyArray<string>,
      request: Omit<ClaimRequest, "handlers" | "limit">
    ): Script<ReadonlyArray<ClaimedNotificationRow>> {
      const rows = attempted(
        (yield* ask(...dialect.settings({ relaxed: true }), selectDueAmong(ids, request.time))).at(-1) ?? []
      )
      yield* commit(...take(request, rows))
      return rows
    },

    /**
     * What was told, had made way for a newer one or was buried; each since its `available_at`. Rows that somebody is writing are left for
     * the next time.
     */
    deleteDone: function* (before: number, limit: number): Script<number> {
      const found = yield* ask(
        ...dialect.settings({ relaxed: true }),
        ...finished.map(
          (state) =>
            sql`SELECT ${dialect.read("id", "key")} FROM ${table} WHERE state = '${state}' AND available_at < ${put(before, "time")} ORDER BY available_at LIMIT ${limitOf(limit)}${dialect.skipLocked}`
        )
      )
      const ids = found.slice(-finished.length).flatMap((rows) => rows.map(([id]) => String(id)))
      const some = ids.slice(0, limit)
      yield* commit(...(some.length === 0 ? [] : [sql`DELETE FROM ${table} WHERE ${dialect.among("id", some, "key")}`]))
      return some.length
    },

    /** Its row is locked before the others of its subject are read: what is queued meanwhile waits for it, and sees it. */
    fail: function* ({ delayMillis, error, id, owner, state, time }: FailedAttempt): Script<FailureOutcome> {
      const ofItsSubject = sql`subject = (SELECT failed.subject FROM ${table} AS failed WHERE failed.id = ${put(id, "key")})`
      const answers = yield* ask(...dialect.settings({}), selectHeld(owner, [id]), selectUntold(ofItsSubject))
      const [held, others] = answers.slice(-2)
      if (held === undefined || held.length === 0) {
        yield* commit()
        return "lost"
      }
      const gone = supersededAfter(untold.rows(others ?? []).map(named), { id, error })
      const outcome = gone.includes(id) ? "superseded" : "kept"
      const to = outcome === "superseded" ? { state: "superseded", delayMillis: 0 } : { state, delayMillis }
      yield* commit(endLeases(owner, [id], { ...to, error, time }), ...(gone.length > 0 ? [supersede(gone, time)] : []))
      return outcome
    },

    /** What of these subjects makes way for what has just been queued. Locks them: see `fail`. */
    superseded: function* (subjects: ReadonlyArray<string>, time: CallTime): Script<ReadonlyArray<Statement>> {
      const [rows = []] = yield* ask(sql`${selectUntold(dialect.among("subject", subjects, "id"))}${dialect.forUpdate}`)
      const gone = supersededAmong(untold.rows(rows).map(named))
      return gone.length > 0 ? [supersede(gone, time)] : []
    },

    dead: function* (query: DeadRowQuery): Script<ReadonlyArray<DeadNotificationRow>> {
      const [rows = []] = yield* ask(selectDead(query))
      return dead.rows(rows).map(({ availableAt, ...row }) => ({ ...named(row), diedAt: availableAt }))
    },

    retryDead: function* (query: DeadRowQuery, { shift }: CallTime): Script<RetriedDead> {
      const found = yield* ask(...dialect.settings({}), sql`${selectDead(query)}${dialect.skipLocked}`)
      const rows = dead.rows(found.at(-1) ?? []).map(named)
      if (rows.length === 0) {
        yield* commit()
        return { retried: 0, superseded: 0 }
      }
      const subjects = [...new Set(rows.map(({ subject }) => subject))]
      const [others = []] = yield* ask(
        sql`${untold.select()} WHERE ${dialect.among("subject", subjects, "id")} AND state <> 'superseded'`
      )
      const outdated = outdatedAmong(rows, untold.rows(others).map(named))
      const retried = rows.filter((row) => !outdated.includes(row))
      const become = (state: "pending" | "superseded", some: ReadonlyArray<{ readonly id: string }>) =>
        some.length === 0
          ? []
          : [
              sql`UPDATE ${table} SET state = '${state}'${state === "pending" ? sql`, attempts = 0, available_at = ${dialect.later(shift)}` : ""}, updated_at = ${dialect.later(shift)} WHERE ${dialect.among("id", idsOf(some), "key")} AND state = 'dead'`
            ]
      yield* commit(...become("pending", retried), ...become("superseded", outdated))
      return { retried: retried.length, superseded: outdated.length }
    },

    /** Locked in the order of their ids; one that somebody has claimed meanwhile is found to be called, and is left. */
    bury: function* (ids: ReadonlyArray<string>, { shift }: CallTime): Script<ReadonlyArray<string>> {
      const now = dialect.later(shift)
      const isCalled = sql`lease_owner IS NOT NULL AND available_at > ${now}`
      const found = yield* ask(
        ...dialect.settings({}),
        sql`SELECT ${dialect.read("id", "key")} FROM ${table} WHERE ${dialect.among("id", ids, "key")} AND (state = 'dead' OR (state = 'pending' AND last_error IS NOT NULL AND NOT (${isCalled}))) ORDER BY id${dialect.forUpdate}`
      )
      const buried = (found.at(-1) ?? []).map(([id]) => String(id))
      yield* commit(
        ...(buried.length === 0
          ? []
          : [
              sql`UPDATE ${table} SET state = 'buried', lease_owner = NULL, available_at = ${now}, updated_at = ${now} WHERE ${dialect.among("id", buried, "key")}`
            ])
      )
      return buried
    },

    count: function* (request: CountRequest): Script<NotificationCounts> {
      const { subjects } = request
      const now = dialect.later(request.time.shift)
      const counts = yield* ask(
        unsettledOf(request, sql`(candidate.lease_owner IS NOT NULL OR candidate.available_at <= ${now})`),
        unsettledOf(request, sql`candidate.lease_owner IS NULL AND candidate.available_at > ${now}`),
        sql`SELECT ${dialect.read("COUNT(*)", "count")} FROM ${table} WHERE state = 'dead'${subjects === undefined ? "" : sql` AND ${dialect.among("subject", subjects, "id")}`}`
      )
      const [unsettled = 0, waiting = 0, given = 0] = counts.map((rows) =>
        Number(dialect.decode(rows[0]?.[0], "count"))
      )
      return { unsettled, waiting, dead: given }
    },

    /** Bounded, so that the index of what is pending answers it. */
    oldestPending: function* (handlers: ReadonlyArray<string>): Script<number | null> {
      const [[row] = []] = yield* ask(
        sql`SELECT ${dialect.read("MIN(created_at)", "time")} FROM ${table}${dialect.byIndex(due)} WHERE state = 'pending' AND available_at >= ${put(0, "time")} AND ${isFor(handlers)}`
      )
      const least = dialect.decode(row?.[0], "time")
      return least === null ? null : Number(least)
    }
  }
}

/** States with which nothing is left to do. */
const finished = ["done", "superseded", "buried"] as const

/** The database's time, to be decoded as one. */
export const readClock = (dialect: Dialect, { shift }: CallTime): Statement => {
  const { text, values } = dialect.later(shift)
  return { text: dialect.read(text, "time"), values }
}

const idsOf = (rows: ReadonlyArray<{ readonly id: string }>): ReadonlyArray<string> => rows.map(({ id }) => id)

/** A whole number that every database takes. It stands in the text: a limit is of this program, and of few values. */
export const limitOf = (limit: number): string => String(Math.min(Math.max(Math.trunc(limit), 0), 2 ** 31 - 1))
