/** The store's driver on an SQL database: everything but the connection and the dialect. */
import { kinds } from "../records/kinds.ts"
import { recordKey } from "../records/RecordReport.ts"
import type {
  LiveSubscriptionRow,
  OrderRow,
  OwnershipRows,
  RecordFact,
  RecordRow,
  StoredRecord
} from "../records/rows.ts"
import type { Changes, Facts, Keys } from "../steps/Step.ts"
import type { MigrationReport } from "../store/Migrations.ts"
import type {
  Awaitable,
  CallTime,
  DueRecord,
  DueRecordQuery,
  Patience,
  RecordPageQuery,
  StoreDriver,
  UserRecordQuery
} from "../store/StoreDriver.ts"
import type { StoreErrorReason } from "../store/StoreError.ts"
import { makeActionRows } from "./actionRows.ts"
import type { Dialect } from "./Dialect.ts"
import { DriverError } from "./DriverError.ts"
import type { TransactionOptions } from "./deadline.ts"
import { makeHistoryRows } from "./historyRows.ts"
import { makeHourRows } from "./hourRows.ts"
import { makeInbox } from "./inbox.ts"
import { inspect } from "./inspection.ts"
import { makeJobRows } from "./jobRows.ts"
import { migrate, migrationStatus } from "./migrations.ts"
import { limitOf, makeOutbox } from "./outbox.ts"
import { type UsersOptions, usersWith } from "./ownUsers.ts"
import { makePersonalRows } from "./personalRows.ts"
import { accessTo, valueIn } from "./rowsOf.ts"
import { ask, askOne, commit, type Rows, type Script, type Statement, sql } from "./Script.ts"
import { makeStepChanges } from "./stepChanges.ts"
import { factFields, makeStepFacts, namesOf, usersKnownAmong } from "./stepFacts.ts"
import { records } from "./tables.ts"
import { openUsers, type UsersTable } from "./usersTable.ts"
import { checkoutRows, linkChangeRows, linkRows, recordRows } from "./wholeRows.ts"

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

interface DueRow {
  readonly recordKey: string
  readonly kind: string
  readonly clockAt: number
}

/** Kinds of which a user has none: what they tell of somebody is no sign of another user. */
const notOwned = kinds.flatMap(({ isOwned, name }) => (isOwned ? [] : [`'${name}'`])).join(", ")

const noFacts: Facts = {
  deliveries: [],
  links: [],
  checkouts: [],
  records: [],
  users: [],
  hasUsers: false,
  knownUserIds: [],
  untold: []
}

const hasNone = ({ handlers: _, ...lists }: Keys): boolean => Object.values(lists).every((list) => list.length === 0)

export const sqlDriver = (connection: SqlConnection, packageName: string, options: UsersOptions = {}): StoreDriver => {
  const { dialect, explain, read, transaction } = connection
  const usersDialect = usersWith(dialect.users, options.users, dialect.name)
  const put = valueIn(dialect)
  const load = makeStepFacts(dialect)
  const write = makeStepChanges(dialect)
  const outbox = makeOutbox(dialect)
  const inbox = makeInbox(dialect)
  const jobs = makeJobRows(dialect)
  const actions = makeActionRows(dialect)
  const history = makeHistoryRows(dialect)
  const perHour = makeHourRows(dialect)
  const stored = accessTo<StoredRecord>(dialect, records, ["kind", "id", "data"])
  const live = accessTo<LiveSubscriptionRow>(dialect, records, ["id", "status", "productId", "summary"])
  const whole = recordRows(dialect)
  const keyed = accessTo<RecordRow & { readonly recordKey: string }>(dialect, records, [
    "recordKey",
    ...factFields,
    "data"
  ])
  const orders = accessTo<OrderRow>(dialect, records, ["id", "status", "subscriptionId", "summary"])
  // Not by a range of keys, which would be quicker: on a column that sorts otherwise it would find too little.
  const ofUser = (kind: string, as = "") => `${as}user_id = ${dialect.place("key")} AND ${as}kind = '${kind}'`
  const selectLive = `${live.select()} WHERE ${ofUser("subscription")} AND ${dialect.isTrue("live")}`
  const selectOrders = `${orders.select()} WHERE ${ofUser("order")} AND ${dialect.isTrue("live")} AND product_id = ${dialect.place("id")}`

  const table = dialect.table(records.name)
  const selectGrants = `SELECT ${dialect.read("granted.id", "id")}, ${dialect.read("granted.data", "long")} AS grant_data, ${dialect.read("benefit.data", "long")} AS benefit_data FROM ${table} AS granted LEFT JOIN ${table} AS benefit ON benefit.record_key = ${dialect.prefixed("benefit ", "granted.benefit_id")} WHERE ${ofUser("benefit_grant", "granted.")} AND ${dialect.isTrue("granted.live")}`

  /** What is asked often, as one statement that is made once: a generator within another takes a microsecond. */
  const readOne = <A>(statement: Statement, of: (rows: Rows) => A): Awaitable<A> =>
    read(function* (): Script<A> {
      const answers = yield { statements: [statement], commits: false }
      return of(answers[0] ?? [])
    })

  // Looked at when it is first needed: a migration may yet have to make it.
  let opened: UsersTable | undefined
  const withUsers = <A>(run: (users: UsersTable | undefined) => Awaitable<A>): Awaitable<A> => {
    if (opened !== undefined || usersDialect === undefined) return run(opened)
    const opening = read(() => openUsers(usersDialect))
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
    decide: (facts: Facts) => Changes,
    time: CallTime,
    patience: Patience
  ): Script<ReadonlySet<string> | undefined> {
    const loaded = hasNone(keys) ? { facts: noFacts } : yield* load(keys, held, users, patience)
    if ("missing" in loaded) return loaded.missing
    const changes = decide(loaded.facts)
    const statements = write(changes, users, time, patience)
    const untold = new Set(loaded.facts.untold.map(({ subject }) => subject))
    const followed = new Set(changes.notifications.flatMap(({ subject }) => (untold.has(subject) ? [subject] : [])))
    if (followed.size === 0) {
      yield* commit(...statements)
    } else {
      yield* ask(...statements)
      yield* commit(...(yield* outbox.superseded([...followed], time)))
    }
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
    // By the key, by which the next page goes on, whatever else the row says.
    return keyed
      .rows(
        yield* askOne(
          sql`${keyed.select()} WHERE record_key > ${after} AND record_key < ${end} AND ${which === "live" ? dialect.isTrue("live") : "user_id IS NULL"} ORDER BY record_key LIMIT ${limitOf(limit)}`
        )
      )
      .map(({ recordKey: key, ...row }) => ({ ...row, kind, id: key.slice(kind.length + 1) }))
  }

  const links = linkRows(dialect)
  const made = checkoutRows(dialect)
  const facts = accessTo<RecordFact>(dialect, records, factFields)
  const changes = linkChangeRows(dialect)
  const ownershipOf = function* (userId: string): Script<OwnershipRows> {
    const [ofLinks, ofRecords, ofChanges] = yield* ask(
      sql`${links.select()} WHERE user_id = ${put(userId, "key")}`,
      sql`${facts.select()} WHERE user_id = ${put(userId, "key")}`,
      sql`${changes.select()} WHERE from_user_id = ${put(userId, "key")} OR to_user_id = ${put(userId, "key")} ORDER BY changed_at DESC, id`
    )
    return {
      links: links.rows(ofLinks ?? []),
      records: facts.rows(ofRecords ?? []),
      changes: changes.rows(ofChanges ?? [])
    }
  }

  const personalRows = makePersonalRows(dialect)

  const due = accessTo<DueRow>(dialect, records, ["recordKey", "kind", "clockAt"])
  const recordsDue = function* ({ after, before, limit }: DueRecordQuery): Script<ReadonlyArray<DueRecord>> {
    const further =
      after === undefined
        ? ""
        : sql` AND clock_at >= ${put(after.clockAt, "time")} AND (clock_at > ${put(after.clockAt, "time")} OR record_key > ${put(recordKey(after), "key")})`
    const rows = due.rows(
      yield* askOne(
        sql`${due.select()} WHERE clock_at <= ${put(before, "time")}${further} ORDER BY clock_at, record_key LIMIT ${limitOf(limit)}`
      )
    )
    return rows.map((row) => ({ kind: row.kind, id: row.recordKey.slice(row.kind.length + 1), clockAt: row.clockAt }))
  }

  return {
    name: dialect.name,
    parallelSteps: connection.parallelSteps,
    migrate: async () => {
      let report: MigrationReport = { applied: [], newer: [] }
      await connection.migration(function* () {
        report = yield* migrate(dialect, packageName, usersDialect)
      })
      opened = undefined
      return report
    },
    migrationStatus: () => read(() => migrationStatus(dialect, packageName)),
    inspect: () => inspect({ dialect, users: usersDialect, read, transaction, explain }),
    atomically: (keys, decide, time, patience = "full") =>
      withUsers(async (users) => {
        let held: ReadonlySet<string> = namesOf(keys)
        for (;;) {
          const names = new Set(held)
          const missing = await transaction(() => attempt(keys, new Set(names), users, decide, time, patience), {
            patience
          })
          if (missing === undefined) return
          held = missing
        }
      }),
    recordsOf: (query) => read(() => recordsOf(query)),
    liveSubscriptionsOf: (userId) => readOne({ text: selectLive, values: [dialect.encode(userId, "key")] }, live.rows),
    liveGrantsOf: (userId) =>
      readOne({ text: selectGrants, values: [dialect.encode(userId, "key")] }, (rows) =>
        rows.map(([id, grant, benefit]) => ({
          id: String(id),
          grant: String(grant),
          benefit: benefit === null || benefit === undefined ? null : String(benefit)
        }))
      ),
    liveOrdersOf: (userId, productId) =>
      readOne(
        { text: selectOrders, values: [dialect.encode(userId, "key"), dialect.encode(productId, "id")] },
        orders.rows
      ),
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
    checkoutsOf: ({ createdAfter, limit, userId }) =>
      read(function* () {
        return made.rows(
          yield* askOne(
            sql`${made.select()} WHERE user_id = ${put(userId, "key")} AND created_at >= ${put(createdAfter, "time")} ORDER BY created_at DESC, id LIMIT ${limitOf(limit)}`
          )
        )
      }),
    ownershipOf: (userId) => read(() => ownershipOf(userId)),
    personalData: (userId, customerIds) => read(() => personalRows(userId, customerIds)),
    usersOfCustomer: (customerId) =>
      read(function* () {
        const id = dialect.read("user_id", "key")
        const isOne = sql`customer_id = ${put(customerId, "id")}`
        const rows = yield* askOne(
          sql`SELECT ${id} FROM ${dialect.table("kavach_polar_customers")} WHERE ${isOne} UNION SELECT ${id} FROM ${table} WHERE ${isOne} AND user_id IS NOT NULL AND kind NOT IN (${notOwned})`
        )
        return rows.map(([userId]) => String(userId))
      }),
    knownUsers: (userIds) =>
      withUsers((users) =>
        userIds.length === 0
          ? []
          : read(function* () {
              const known = yield* askOne(usersKnownAmong(dialect, userIds))
              const rows = users?.facts(userIds, [])
              const facts = rows?.statement === undefined ? [] : rows.of(yield* askOne(rows.statement))
              return [...known.map(([id]) => String(id)), ...facts.map(({ id }) => id)]
            })
      ),
    findUser: (userId) => withUsers((users) => (users === undefined ? undefined : read(() => users.find(userId)))),
    claimNotifications: (request) => transaction(() => outbox.claim(request), { relaxed: true }),
    renewNotifications: async (renewal) =>
      renewal.ids.length === 0 ? [] : transaction(() => outbox.renew(renewal), { relaxed: true }),
    completeNotifications: async (completion) => {
      const { leaseMillis, owner, time } = completion
      if (completion.ids.length === 0) return { ids: [], next: [] }
      const { following, ids } = await transaction(() => outbox.complete(completion), { relaxed: true })
      // Mostly nothing follows.
      if (leaseMillis === null || following.length === 0) return { ids, next: [] }
      const next = await transaction(() => outbox.claimAmong(following, { owner, time, leaseMillis }), {
        relaxed: true
      })
      return { ids, next }
    },
    failNotification: (failed) => transaction(() => outbox.fail(failed)),
    deadNotifications: (query) => read(() => outbox.dead(query)),
    retryDead: (query, time) => transaction(() => outbox.retryDead(query, time)),
    buryNotifications: (ids, time) => transaction(() => outbox.bury(ids, time)),
    countNotifications: (request) => read(() => outbox.count(request)),
    oldestPending: (handlers) => read(() => outbox.oldestPending(handlers)),
    deliveries: (query) => read(() => inbox.select(query)),
    countDeliveries: (query) => read(() => inbox.count(query)),
    pruneDeliveryBodies: (before, limit) => transaction(() => inbox.prune(before, limit)),
    deleteSettledDeliveries: (before, limit) =>
      transaction(() => inbox.deleteSettled(before, limit), { relaxed: true }),
    deleteDoneNotifications: (before, limit) => transaction(() => outbox.deleteDone(before, limit), { relaxed: true }),
    recordPage: (query) => read(() => recordPage(query)),
    recordsDue: (query) => read(() => recordsDue(query)),
    job: (name) => read(() => jobs.find(name)),
    jobsNamed: (prefix) => read(() => jobs.named(prefix)),
    latestJobs: (limit, time) => read(() => jobs.latest(limit, time)),
    claimJob: (claim) => transaction(() => jobs.claim(claim)),
    saveJob: (save) => transaction(() => jobs.save(save)),
    lookUp: (query) => withUsers((users) => read(() => history.lookUp(query, users))),
    historyOf: (query) => read(() => history.historyOf(query)),
    notifications: (query) => read(() => history.notifications(query)),
    perHour: (hours) => read(() => perHour(hours)),
    recordAction: (row) => transaction(() => actions.record(row)),
    actions: (query) => read(() => actions.select(query)),
    explain: (error) => {
      const explained = error instanceof DriverError ? { reason: error.reason, detail: error.message } : explain(error)
      // The users' table may have been changed or made anew by its owner; look again next time.
      if (explained.reason === "schema") opened = undefined
      return explained
    }
  }
}
