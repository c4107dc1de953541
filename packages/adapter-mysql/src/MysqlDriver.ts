/** The store's driver on MySQL and MariaDB. */
import type { StoreDriver } from "@kavach-polar/core/StoreDriver"
import type { Changes, Facts, Keys } from "@kavach-polar/core/StoreStep"
import * as Migrator from "./Migrator.ts"
import type { MysqlDatabase, Queries } from "./MysqlDatabase.ts"
import * as MysqlFacts from "./MysqlFacts.ts"
import * as MysqlJobs from "./MysqlJobs.ts"
import * as MysqlLocks from "./MysqlLocks.ts"
import { explain } from "./MysqlProblem.ts"
import * as MysqlStatements from "./MysqlStatements.ts"
import * as UsersTable from "./UsersTable.ts"

export const make = (database: MysqlDatabase): StoreDriver => {
  const { read, transaction } = database

  /** Looked at before a transaction begins: within it, another connection may be one more than the pool has. */
  let opened: UsersTable.UsersTable | undefined
  const users = async () => {
    opened ??= await read(UsersTable.open)
    return opened
  }

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
        const missing = await transaction(async (tx) => {
          const loaded = await load(tx, table, keys, { customerIds, userIds })
          if (loaded.facts === undefined) return loaded.missing
          await write(tx, table, decide(loaded.facts))
          return undefined
        })
        if (missing === undefined) return
        guard = {
          customerIds: new Set([...customerIds, ...missing.customerIds]),
          userIds: new Set([...userIds, ...missing.userIds])
        }
      }
    },
    subscriptionsOf: (userId, which) => read((queries) => MysqlStatements.on(queries).subscriptionsOf(userId, which)),
    customerOf: (userId) => read((queries) => MysqlStatements.on(queries).latestCustomerOf(userId)),
    findUser: async (userId) => {
      const table = await users()
      return table === undefined ? undefined : read((queries) => table.find(queries, userId))
    },
    claimNotifications: (request) =>
      transaction(async (tx) => {
        const own = MysqlStatements.on(tx)
        const rows = await own.claim(request)
        const next = await own.nextDue(rows.map((row) => row.id))
        const nextDueAt = next !== undefined ? Math.max(next, request.now) : rows.length > 0 ? request.leaseUntil : null
        return { rows, nextDueAt }
      }),
    completeNotifications: (completion) => transaction((tx) => MysqlStatements.on(tx).complete(completion)),
    setBackNotification: (setback) => transaction((tx) => MysqlStatements.on(tx).setBack(setback)),
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
  | { readonly facts: Facts; readonly missing?: undefined }
  | { readonly facts?: undefined; readonly missing: Guard }

/**
 * Locks what the keys name, and reads what they lead to. Most often that is all, because an event names its user too.
 *
 * A subscription is guarded by its own lock and by that of the customer that it is stored with, which may be another than
 * the event's. And what is stored may be of other users than those named. Whose locks cannot be taken any more, because
 * locks are waited for in their order only, is `missing`: the step begins anew with them.
 */
const load = async (
  tx: Queries,
  table: UsersTable.UsersTable | undefined,
  keys: Keys,
  guard: Guard
): Promise<Loaded> => {
  await MysqlLocks.lock(tx, [...keys.deliveryIds, ...keys.subscriptionIds, ...guard.customerIds], guard.userIds)
  const facts = await MysqlFacts.read(tx, table, keys, [...guard.userIds])
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
  if (others.size === 0) return { facts }
  if (!(await MysqlLocks.lockMoreUsers(tx, others, guard.userIds))) {
    return { missing: { customerIds: moved, userIds: others } }
  }
  return { facts: MysqlFacts.together(facts, await MysqlFacts.read(tx, table, noKeys, [...others])) }
}

const noKeys: Keys = { deliveryIds: [], customerIds: [], subscriptionIds: [], userIds: [] }

const write = async (tx: Queries, table: UsersTable.UsersTable | undefined, changes: Changes): Promise<void> => {
  const own = MysqlStatements.on(tx)
  await own.writeDeliveries(changes.deliveries)
  await own.writeLinks(changes.links)
  await own.writeSubscriptions(changes.subscriptions)
  await own.adopt(changes.adoptions)
  await own.release(changes.releases)
  await table?.project(tx, changes.projections)
  await own.insertNotifications(changes.notifications)
  await own.insertCheckouts(changes.checkouts)
}
