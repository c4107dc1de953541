/** The store's driver on SQLite. Every transaction is synchronous, so within a process one runs at a time. */

import type { SubscriptionFact } from "@kavach-polar/core/adapter/rows"
import type { Changes, Facts, Keys } from "@kavach-polar/core/adapter/Step"
import type { StoreDriver } from "@kavach-polar/core/adapter/StoreDriver"
import * as Migrator from "./Migrator.ts"
import type { SqliteDatabase } from "./SqliteDatabase.ts"
import * as SqliteJobs from "./SqliteJobs.ts"
import * as SqlitePatience from "./SqlitePatience.ts"
import { explain } from "./SqliteProblem.ts"
import * as SqliteStatements from "./SqliteStatements.ts"
import * as UsersTable from "./UsersTable.ts"

export const make = (database: SqliteDatabase): StoreDriver => {
  const { drizzle, transaction, transactionInPassing } = database
  const patiently = SqlitePatience.make()

  // Both wait for the tables, which a migration may yet have to make.
  let prepared: SqliteStatements.SqliteStatements | undefined
  const statements = () => {
    prepared ??= SqliteStatements.prepare(database)
    return prepared
  }
  let opened: UsersTable.UsersTable | undefined
  const users = () => {
    opened ??= UsersTable.open(database)
    return opened
  }

  const load = (keys: Keys): Facts => {
    const own = statements()
    const links = own.links(keys.customerIds)
    const subscriptions = new Map<string, SubscriptionFact>()
    const concerned = new Set([...keys.userIds, ...links.map((link) => link.userId)])
    for (const row of own.namedSubscriptions(keys.subscriptionIds, keys.customerIds)) {
      subscriptions.set(row.id, row)
      if (row.userId !== null) concerned.add(row.userId)
    }
    const userIds = [...concerned]
    for (const row of own.liveSubscriptionsOf(userIds)) subscriptions.set(row.id, row)
    return {
      deliveries: own.deliveries(keys.deliveryIds),
      links,
      subscriptions: [...subscriptions.values()],
      users: users()?.facts(userIds, keys.customerIds) ?? [],
      knownUserIds: own.known(keys.userIds),
      untoldSubscriptionIds: own.untold(keys.subscriptionIds)
    }
  }

  const write = (changes: Changes): void => {
    const own = statements()
    for (const row of changes.deliveries) own.writeDelivery(row)
    for (const row of changes.links) own.writeLink(row)
    for (const row of changes.subscriptions) own.writeSubscription(row)
    for (const row of changes.adoptions) own.adopt(row)
    for (const row of changes.releases) own.release(row)
    for (const row of changes.projections) users()?.project(row)
    for (const row of changes.notifications) own.insertNotification(row)
    for (const row of changes.checkouts) own.insertCheckout(row)
  }

  return {
    name: "sqlite",
    parallelSteps: 1,
    migrate: async () => {
      await patiently(() => Migrator.migrate(database), SqlitePatience.migrationPatience)
      opened = undefined
    },
    atomically: async (keys, decide) => {
      await patiently(() =>
        transaction(() => {
          const changes = decide(load(keys))
          write(changes)
          return changes
        }, isAnything)
      )
    },
    subscriptionsOf: (userId, which) => statements().subscriptionsOf(userId, which),
    customerOf: (userId) => statements().latestCustomerOf(userId),
    findUser: (userId) => users()?.find(userId),
    claimNotifications: (request) =>
      patiently(() =>
        // Power that fails may undo it: then a call is made once more, which apps are ready for.
        transactionInPassing(
          () => {
            const rows = statements().claim(request)
            const next = statements().nextDue(rows.map((row) => row.id))
            const nextDueAt =
              next !== undefined ? Math.max(next, request.now) : rows.length > 0 ? request.leaseUntil : null
            return { rows, nextDueAt }
          },
          ({ rows }) => rows.length > 0
        )
      ),
    completeNotifications: (completion) =>
      patiently(() =>
        transactionInPassing(
          () => statements().complete(completion),
          ({ ids }) => ids.length > 0
        )
      ),
    setBackNotification: (setback) => patiently(() => transaction(() => statements().setBack(setback), Boolean)),
    deliveries: (query) => statements().inbox(query),
    pruneDeliveryBodies: (before, limit) =>
      patiently(() =>
        transaction(
          () => statements().pruneBodies(before, limit),
          (count) => count > 0
        )
      ),
    subscriptions: (query) => statements().subscriptionsAfter(query),
    job: (name) => SqliteJobs.find(drizzle, name),
    claimJob: (claim) =>
      patiently(() =>
        transaction(
          () => SqliteJobs.claim(drizzle, claim),
          ({ claimed }) => claimed
        )
      ),
    saveJob: (save) => patiently(() => transaction(() => SqliteJobs.save(drizzle, save), Boolean)),
    explain: (error) => {
      const explanation = explain(error)
      // The users' table may have been changed or made anew by its owner; look again next time.
      if (explanation.reason === "schema") opened = undefined
      return explanation
    }
  }
}

const isAnything = (changes: Changes): boolean => Object.values(changes).some((rows) => rows.length > 0)
