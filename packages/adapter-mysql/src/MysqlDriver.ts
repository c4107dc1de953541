/** The store's driver on MySQL and MariaDB. */

import type { Changes, Keys } from "@kavach-polar/core/adapter/Step"
import type { ClaimRequest, StoreDriver } from "@kavach-polar/core/adapter/StoreDriver"
import * as Migrator from "./Migrator.ts"
import type { MysqlDatabase } from "./MysqlDatabase.ts"
import type { Exchange } from "./MysqlExchange.ts"
import * as MysqlFacts from "./MysqlFacts.ts"
import * as MysqlJobs from "./MysqlJobs.ts"
import * as MysqlLocks from "./MysqlLocks.ts"
import * as MysqlOutbox from "./MysqlOutbox.ts"
import { explain } from "./MysqlProblem.ts"
import * as MysqlReads from "./MysqlReads.ts"
import type { Statement } from "./MysqlStatement.ts"
import * as MysqlStatements from "./MysqlStatements.ts"
import * as MysqlWrites from "./MysqlWrites.ts"
import * as UsersTable from "./UsersTable.ts"

export const make = (database: MysqlDatabase): StoreDriver => {
  const { answer, exchange, read, transaction } = database

  /** Looked at before a transaction begins: within it, another connection may be one more than the pool has. */
  let opened: UsersTable.UsersTable | undefined
  const users = async () => {
    opened ??= await read(UsersTable.open)
    return opened
  }

  /**
   * Which those are is looked at, because how many rows an UPDATE reports depends on a flag of the connection. Answers with
   * the rows of `look` as well.
   */
  const finish = (owner: string, ids: ReadonlyArray<string>, change: Statement, look: ReadonlyArray<Statement> = []) =>
    exchange(async ({ commit }) => {
      const [held = [], , found = []] = await commit([MysqlOutbox.selectHeld(owner, ids), change, ...look])
      return { held: MysqlOutbox.idsOf(held), found }
    })

  /** Those of the ids that can be claimed now. */
  const claimAmong = (ids: ReadonlyArray<string>, request: Omit<ClaimRequest, "limit">) =>
    exchange(async ({ ask, commit }) => {
      const [due = []] = await ask([MysqlOutbox.selectDueAmong(ids, request.now)])
      const rows = MysqlOutbox.claimedOf(due)
      if (rows.length > 0) {
        await commit([
          MysqlOutbox.take(
            request,
            rows.map(({ id }) => id)
          )
        ])
      }
      return rows
    })

  return {
    name: "mysql",
    // Two of some size nearly always want one row of `kavach_polar_locks`, and the second would only wait for it.
    parallelSteps: 1,
    migrate: async () => {
      await Migrator.migrate(database)
      opened = undefined
    },
    atomically: async (keys, decide) => {
      const table = await users()
      let guard: Guard = { customerIds: new Set(keys.customerIds), userIds: new Set(keys.userIds) }
      for (;;) {
        const { customerIds, userIds } = guard
        const missing = await exchange(async (own) => {
          const loaded = await load(own, table, keys, { customerIds, userIds })
          if (loaded.found === undefined) return loaded.missing
          await write(own, table, keys, loaded.found, decide(loaded.found.facts))
          return undefined
        })
        if (missing === undefined) return
        guard = {
          customerIds: new Set([...customerIds, ...missing.customerIds]),
          userIds: new Set([...userIds, ...missing.userIds])
        }
      }
    },
    subscriptionsOf: async (userId, which) =>
      MysqlReads.subscriptionsIn(await answer(MysqlReads.selectSubscriptionsOf(userId, which))),
    customerOf: async (userId) => MysqlReads.customerIn(await answer(MysqlReads.selectLatestCustomerOf(userId))),
    findUser: async (userId) => {
      const table = await users()
      return table === undefined ? undefined : UsersTable.userIn(await answer(table.select(userId)), userId)
    },
    claimNotifications: (request) =>
      exchange(async ({ ask, commit }) => {
        const [due = []] = await ask([MysqlOutbox.selectDue(request)])
        const rows = MysqlOutbox.claimedOf(due)
        const ids = rows.map(({ id }) => id)
        const [later = []] = (
          await commit([...(ids.length === 0 ? [] : [MysqlOutbox.take(request, ids)]), MysqlOutbox.selectNextDue(ids)])
        ).slice(-1)
        const next = MysqlOutbox.nextDueOf(later)
        const nextDueAt = next !== undefined ? Math.max(next, request.now) : rows.length > 0 ? request.leaseUntil : null
        return { rows, nextDueAt }
      }),
    completeNotifications: async (completion) => {
      const { ids, leaseUntil, now, owner } = completion
      if (ids.length === 0) return { ids: [], next: [] }
      const complete = MysqlOutbox.complete(completion)
      if (leaseUntil === null) return { ids: (await finish(owner, ids, complete)).held, next: [] }
      const { found, held } = await finish(owner, ids, complete, [MysqlOutbox.selectFollowing(ids)])
      const following = MysqlOutbox.followingOf(found)
      // Mostly nothing follows, and the first message was all.
      return { ids: held, next: following.length === 0 ? [] : await claimAmong(following, { owner, now, leaseUntil }) }
    },
    setBackNotification: async (setback) => {
      const { held } = await finish(setback.owner, [setback.id], MysqlOutbox.setBack(setback))
      return held.length > 0
    },
    deliveries: (query) => read((queries) => MysqlStatements.on(queries).inbox(query)),
    pruneDeliveryBodies: (before, limit) => transaction((tx) => MysqlStatements.on(tx).pruneBodies(before, limit)),
    subscriptions: (query) => read((queries) => MysqlStatements.on(queries).subscriptionsAfter(query)),
    job: (name) => read((queries) => MysqlJobs.find(queries, name)),
    claimJob: (claim) => transaction((tx) => MysqlJobs.claim(tx, claim)),
    saveJob: (save) => transaction((tx) => MysqlJobs.save(tx, save)),
    explain: (error) => {
      const explanation = explain(error)
      // The users' table may have been changed or made anew by its owner; look again next time.
      if (explanation.reason === "schema") opened = undefined
      return explanation
    }
  }
}

/** Whose locks a step takes first, with those of its deliveries and subscriptions. */
interface Guard {
  readonly customerIds: ReadonlySet<string>
  readonly userIds: ReadonlySet<string>
}

type Loaded =
  | { readonly found: MysqlFacts.Found; readonly missing?: undefined }
  | { readonly found?: undefined; readonly missing: Guard }

/**
 * Locks what the keys name, and reads what they lead to. Most often that is all, because an event names its user too.
 *
 * A subscription is guarded by its own lock and by that of the customer that it is stored with, which may be another than
 * the event's. And what is stored may be of other users than those named. Whose locks cannot be taken any more, because
 * locks are waited for in their order only, is `missing`: the step begins anew with them.
 */
const load = async (
  { ask }: Exchange,
  table: UsersTable.UsersTable | undefined,
  keys: Keys,
  guard: Guard
): Promise<Loaded> => {
  /** The locks are held when the reading begins: statements run in turn. */
  const lockAndRead = async (locks: MysqlLocks.Taking, question: MysqlFacts.Question) => {
    const answers = await ask([locks.statement, question.statement].filter((one) => one !== undefined))
    const taken = locks.statement === undefined ? [] : answers[0]
    const read = question.statement === undefined ? [] : answers.at(-1)
    return { isComplete: locks.isComplete(taken ?? []), found: question.answerOf(read ?? []) }
  }
  const { found } = await lockAndRead(
    MysqlLocks.taking([...keys.deliveryIds, ...keys.subscriptionIds, ...guard.customerIds], guard.userIds),
    MysqlFacts.question(table, keys, [...guard.userIds])
  )
  const { facts, waiting } = found
  const moved = new Set<string>()
  const others = new Set(facts.links.map((link) => link.userId))
  const named = new Set(keys.subscriptionIds)
  const customers = new Set(keys.customerIds)
  for (const row of facts.subscriptions) {
    // Those that were only found by their user are that user's own, and guarded by the user's lock.
    if (!named.has(row.id) && !customers.has(row.customerId)) continue
    if (!guard.customerIds.has(row.customerId)) moved.add(row.customerId)
    if (row.userId !== null) others.add(row.userId)
  }
  for (const userId of guard.userIds) others.delete(userId)
  if (moved.size > 0) return { missing: { customerIds: moved, userIds: others } }
  if (others.size === 0) return { found }
  const more = await lockAndRead(
    MysqlLocks.takingMoreUsers(others, guard.userIds),
    MysqlFacts.question(table, noKeys, [...others])
  )
  if (!more.isComplete) return { missing: { customerIds: moved, userIds: others } }
  return { found: { facts: MysqlFacts.together(facts, more.found.facts), waiting } }
}

const noKeys: Keys = { deliveryIds: [], customerIds: [], subscriptionIds: [], userIds: [] }

const write = async (
  { ask, commit }: Exchange,
  table: UsersTable.UsersTable | undefined,
  keys: Keys,
  { waiting }: MysqlFacts.Found,
  changes: Changes
): Promise<void> => {
  const further = MysqlWrites.selectWaiting(changes.releases, keys)
  const alsoWaiting = further.length === 0 ? [] : MysqlFacts.waitingOf((await ask(further)).flat())
  await commit([
    ...MysqlWrites.writeDeliveries(changes.deliveries),
    ...MysqlWrites.writeLinks(changes.links),
    ...MysqlWrites.writeSubscriptions(changes.subscriptions),
    ...MysqlWrites.adopt(changes.adoptions),
    ...MysqlWrites.release(changes.releases, [...waiting, ...alsoWaiting], changes.deliveries),
    ...(table?.project(changes.projections) ?? []),
    ...MysqlWrites.insertNotifications(changes.notifications),
    ...MysqlWrites.insertCheckouts(changes.checkouts)
  ])
}
