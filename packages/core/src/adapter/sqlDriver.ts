/** The store's driver on an SQL database: everything but the connection and the dialect. */
import { recordKey } from "../records/RecordReport.ts"
import type { LiveSubscriptionRow, RecordRow, StoredRecord } from "../records/rows.ts"
import type { Changes, Facts, Keys } from "../steps/Step.ts"
import type { Awaitable, RecordPageQuery, StoreDriver, UserRecordQuery } from "../store/StoreDriver.ts"
import type { StoreErrorReason } from "../store/StoreError.ts"
import type { Dialect } from "./Dialect.ts"
import { DriverError } from "./DriverError.ts"
import type { TransactionOptions } from "./deadline.ts"
import { makeInbox } from "./inbox.ts"
import { makeJobRows } from "./jobRows.ts"
import { migrate } from "./migrations.ts"
import { limitOf, makeOutbox } from "./outbox.ts"
import { accessTo, valueIn } from "./rowsOf.ts"
import { askOne, commit, type Script, sql } from "./Script.ts"
import { makeStepChanges } from "./stepChanges.ts"
import { factFields, makeStepFacts, namesOf } from "./stepFacts.ts"
import { records } from "./tables.ts"
import { openUsers, type UsersTable } from "./usersTable.ts"

/** What an adapter supplies: a database, and in what it differs from others. */
export interface SqlConnection {
  readonly dialect: Dialect
  /** See `StoreDriver.parallelSteps`. */
  readonly parallelSteps: number
  /** Runs a script whose statements each stand alone. */
  readonly read: <A>(script: () => Script<A>) => Awaitable<A>
  /**
   * Runs a script in one transaction that sees what others have committed before each of its statements (READ COMMITTED
   * at least). It ends with the batch that commits; without one, or when it throws, nothing stays. A conflict with another
   * transaction runs it again from its beginning, until the deadline that the adapter keeps.
   */
  readonly transaction: <A>(script: () => Script<A>, options?: TransactionOptions) => Awaitable<A>
  /** Runs a script on one connection, perhaps for a long time, as a transaction where the dialect can do that. */
  readonly migration: (script: () => Script<void>) => Awaitable<void>
  /** What an error of the database means. `detail` holds no SQL and no values. */
  readonly explain: (error: unknown) => { readonly reason: StoreErrorReason; readonly detail: string }
}

const noFacts: Facts = {
  deliveries: [],
  links: [],
  checkouts: [],
  records: [],
  users: [],
  knownUserIds: [],
  untoldSubjects: []
}

const hasNone = (keys: Keys): boolean => Object.values(keys).every((list) => list.length === 0)

export const sqlDriver = (connection: SqlConnection, packageName: string): StoreDriver => {
  const { dialect, explain, read, transaction } = connection
  const put = valueIn(dialect)
  const load = makeStepFacts(dialect)
  const write = makeStepChanges(dialect)
  const outbox = makeOutbox(dialect)
  const inbox = makeInbox(dialect)
  const jobs = makeJobRows(dialect)
  const stored = accessTo<StoredRecord>(dialect, records, ["kind", "id", "data"])
  const live = accessTo<LiveSubscriptionRow>(dialect, records, ["id", "status", "productId", "summary"])
  const whole = accessTo<RecordRow>(dialect, records, [...factFields, "data"])
  const selectLive = `${live.select()} WHERE user_id = ${dialect.place("key")} AND kind = 'subscription' AND ${dialect.isTrue("live")}`

  // Looked at when it is first needed: a migration may yet have to make it.
  let opened: UsersTable | undefined
  const withUsers = <A>(run: (users: UsersTable | undefined) => Awaitable<A>): Awaitable<A> => {
    if (opened !== undefined) return run(opened)
    const opening = read(() => openUsers(dialect.users))
    const remember = (table: UsersTable | undefined) => {
      opened = table
      return run(table)
    }
    return opening instanceof Promise ? opening.then(remember) : remember(opening)
  }

  /** Succeeds with the names that a further attempt has to wait for. */
  function* attempt(
    keys: Keys,
    held: Set<string>,
    users: UsersTable | undefined,
    decide: (facts: Facts) => Changes
  ): Script<ReadonlySet<string> | undefined> {
    const loaded = hasNone(keys) ? { facts: noFacts } : yield* load(keys, held, users)
    if ("missing" in loaded) return loaded.missing
    yield* commit(...write(decide(loaded.facts), users))
    return undefined
  }

  const recordsOf = function* (query: UserRecordQuery): Script<ReadonlyArray<StoredRecord>> {
    const { kind, live: isLive, productId, status, userId } = query
    return stored.rows(
      yield* askOne(
        sql`${stored.select()} WHERE user_id = ${put(userId, "key")} AND kind = ${put(kind, "word")}${isLive === undefined ? "" : isLive ? ` AND ${dialect.isTrue("live")}` : ` AND NOT (${dialect.isTrue("live")})`}${status === undefined ? "" : sql` AND status = ${put(status, "id")}`}${productId === undefined ? "" : sql` AND product_id = ${put(productId, "id")}`}`
      )
    )
  }

  /** All of a kind lie together in the order of their keys; what follows them begins with another kind. */
  const recordPage = function* ({ afterId, kind, limit, which }: RecordPageQuery): Script<ReadonlyArray<RecordRow>> {
    const after = put(recordKey({ kind, id: afterId ?? "" }), "key")
    const end = put(`${kind}!`, "key")
    return whole.rows(
      yield* askOne(
        sql`${whole.select()} WHERE record_key > ${after} AND record_key < ${end} AND ${which === "live" ? dialect.isTrue("live") : "user_id IS NULL"} ORDER BY record_key LIMIT ${limitOf(limit)}`
      )
    )
  }

  return {
    name: dialect.name,
    parallelSteps: connection.parallelSteps,
    migrate: async () => {
      await connection.migration(() => migrate(dialect, packageName))
      opened = undefined
    },
    atomically: (keys, decide) =>
      withUsers(async (users) => {
        let held: ReadonlySet<string> = namesOf(keys)
        for (;;) {
          const names = new Set(held)
          const missing = await transaction(() => attempt(keys, new Set(names), users, decide), {
            isShared: keys.deliveryIds.length > 1
          })
          if (missing === undefined) return
          held = missing
        }
      }),
    recordsOf: (query) => read(() => recordsOf(query)),
    liveSubscriptionsOf: (userId) =>
      read(function* () {
        return live.rows(yield* askOne({ text: selectLive, values: [dialect.encode(userId, "key")] }))
      }),
    record: (kind, id) =>
      read(function* () {
        return whole.rows(
          yield* askOne(sql`${whole.select()} WHERE record_key = ${put(recordKey({ kind, id }), "key")}`)
        )[0]
      }),
    customerOf: (userId) =>
      read(function* () {
        const [row] = yield* askOne(
          sql`SELECT ${dialect.read("customer_id", "id")} FROM ${dialect.table("kavach_polar_customers")} WHERE user_id = ${put(userId, "key")} AND deleted_at IS NULL ORDER BY linked_at DESC, customer_id LIMIT 1`
        )
        return row === undefined ? undefined : String(row[0])
      }),
    findUser: (userId) => withUsers((users) => (users === undefined ? undefined : read(() => users.find(userId)))),
    claimNotifications: (request) => transaction(() => outbox.claim(request), { relaxed: true }),
    completeNotifications: async (completion) => {
      const { leaseUntil, now, owner } = completion
      if (completion.ids.length === 0) return { ids: [], next: [] }
      const { following, ids } = await transaction(() => outbox.complete(completion), { relaxed: true })
      // Mostly nothing follows.
      if (leaseUntil === null || following.length === 0) return { ids, next: [] }
      const next = await transaction(() => outbox.claimAmong(following, { owner, now, leaseUntil }), { relaxed: true })
      return { ids, next }
    },
    failNotification: (failed) => transaction(() => outbox.fail(failed)),
    deliveries: (query) => read(() => inbox.select(query)),
    pruneDeliveryBodies: (before, limit) => transaction(() => inbox.prune(before, limit)),
    recordPage: (query) => read(() => recordPage(query)),
    job: (name) => read(() => jobs.find(name)),
    claimJob: (claim) => transaction(() => jobs.claim(claim)),
    saveJob: (save) => transaction(() => jobs.save(save)),
    explain: (error) => {
      const explained = error instanceof DriverError ? { reason: error.reason, detail: error.message } : explain(error)
      // The users' table may have been changed or made anew by its owner; look again next time.
      if (explained.reason === "schema") opened = undefined
      return explained
    }
  }
}
