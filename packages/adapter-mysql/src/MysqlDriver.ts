/** The store's driver on MySQL and MariaDB. */
import type { StoreDriver } from "@kavach-polar/core/StoreDriver"
import type { SubscriptionFact } from "@kavach-polar/core/StoreRows"
import type { Changes, Facts, Keys } from "@kavach-polar/core/StoreStep"
import * as Migrator from "./Migrator.ts"
import type { MysqlDatabase, Queries } from "./MysqlDatabase.ts"
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
    migrate: async () => {
      await Migrator.migrate(database)
      opened = undefined
    },
    atomically: async (keys, decide) => {
      const table = await users()
      const guarded = new Set(keys.customerIds)
      for (;;) {
        const moved = await transaction(async (tx) => {
          const named = await loadNamed(tx, keys, guarded)
          if (named.moved.length > 0) return named.moved
          await write(tx, table, decide(await loadRest(tx, table, keys, named)))
          return []
        })
        if (moved.length === 0) return
        for (const customerId of moved) guarded.add(customerId)
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

type Named = Pick<Facts, "links" | "subscriptions">

/**
 * Locks what the keys name, and reads whose it is. A subscription is guarded by its own lock and by that of the customer
 * that it is stored with. An event may name another customer than that: then `moved` says whose lock is missing, and the
 * step begins anew with it, because locks are only ever taken in their order.
 */
const loadNamed = async (
  tx: Queries,
  keys: Keys,
  guarded: ReadonlySet<string>
): Promise<Named & { readonly moved: ReadonlyArray<string> }> => {
  await MysqlLocks.lockObjects(tx, [...keys.deliveryIds, ...keys.subscriptionIds, ...guarded])
  const own = MysqlStatements.on(tx)
  const links = await own.links(keys.customerIds)
  const subscriptions = await own.namedSubscriptions(keys.subscriptionIds, keys.customerIds)
  const moved = subscriptions.map((row) => row.customerId).filter((customerId) => !guarded.has(customerId))
  return { links, subscriptions, moved }
}

/** Locks the users concerned, and reads everything else. */
const loadRest = async (
  tx: Queries,
  table: UsersTable.UsersTable | undefined,
  keys: Keys,
  named: Named
): Promise<Facts> => {
  const concerned = new Set([...keys.userIds, ...named.links.map((link) => link.userId)])
  const subscriptions = new Map<string, SubscriptionFact>()
  for (const row of named.subscriptions) {
    subscriptions.set(row.id, row)
    if (row.userId !== null) concerned.add(row.userId)
  }
  const userIds = [...concerned]
  await MysqlLocks.lockUsers(tx, userIds)
  const own = MysqlStatements.on(tx)
  for (const row of await own.liveSubscriptionsOf(userIds)) subscriptions.set(row.id, row)
  return {
    deliveries: await own.deliveries(keys.deliveryIds),
    links: named.links,
    subscriptions: [...subscriptions.values()],
    users: (await table?.facts(tx, userIds, keys.customerIds)) ?? [],
    knownUserIds: await own.known(keys.userIds)
  }
}

const write = async (tx: Queries, table: UsersTable.UsersTable | undefined, changes: Changes): Promise<void> => {
  const own = MysqlStatements.on(tx)
  await own.writeDeliveries(changes.deliveries)
  await own.writeLinks(changes.links)
  await own.writeSubscriptions(changes.subscriptions)
  for (const row of changes.adoptions) await own.adopt(row)
  for (const row of changes.releases) await own.release(row)
  for (const row of changes.projections) await table?.project(tx, row)
  await own.insertNotifications(changes.notifications)
  await own.insertCheckouts(changes.checkouts)
}
