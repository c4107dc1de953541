/** The store's driver on PostgreSQL. */

import { DriverError } from "@kavach-polar/core/adapter/DriverError"
import type { DeliveryRow, JobRow, StoredSubscription } from "@kavach-polar/core/adapter/rows"
import type { Changes, Facts, Keys } from "@kavach-polar/core/adapter/Step"
import type { Completed, StoreDriver } from "@kavach-polar/core/adapter/StoreDriver"
import * as Migrator from "./Migrator.ts"
import { type PostgresDatabase, type Transaction, valueIn } from "./PostgresDatabase.ts"
import * as PostgresJobs from "./PostgresJobs.ts"
import { lock, lockUsers } from "./PostgresLocks.ts"
import { explain } from "./PostgresProblem.ts"
import { unhurried } from "./PostgresSettings.ts"
import type { Statement } from "./PostgresStatement.ts"
import * as Statements from "./PostgresStatements.ts"
import * as UsersTable from "./UsersTable.ts"

export const make = (database: PostgresDatabase): StoreDriver => {
  // Looked at when it is first needed: a migration may yet have to make it.
  let opened: Promise<UsersTable.UsersTable | undefined> | undefined
  const users = async () => {
    opened ??= UsersTable.open(database)
    const opening = opened
    const table = await opening.catch((error: unknown) => {
      if (opened === opening) opened = undefined
      throw error
    })
    if (table === undefined && opened === opening) opened = undefined
    return table
  }

  const unhurriedly = <A>(statement: Statement): Promise<A> =>
    database.transaction(async ({ commit }) => {
      const [, answer = []] = await commit([unhurried, statement])
      return valueIn(answer)
    })

  return {
    name: "postgresql",
    // While one waits for the server, another is made ready and a third written to the disk.
    parallelSteps: 3,
    migrate: async () => {
      await Migrator.migrate(database)
      opened = undefined
    },
    atomically: async (keys, decide) => {
      const table = await users()
      await database.transaction(async ({ ask, commit }) => {
        const changes = decide(await load(ask, keys, table))
        await commit(written(changes, table))
      })
    },
    subscriptionsOf: async (userId, which) => {
      const rows = await database.rows<readonly [id: string, data: string]>(
        Statements.selectSubscriptionsOf(userId, which)
      )
      return rows.map(([id, data]) => ({ id, data }))
    },
    customerOf: async (userId) => {
      const [row] = await database.rows<readonly [id: string]>(Statements.selectLatestCustomerOf(userId))
      return row?.[0]
    },
    findUser: async (userId) => {
      const table = await users()
      if (table === undefined) return undefined
      const [row] = await database.rows<readonly [id: string, email: string | null, name: string | null]>(
        table.find(userId)
      )
      return row === undefined ? undefined : { id: row[0], email: row[1], name: row[2] }
    },
    claimNotifications: async (request) => {
      const { next, rows } = await unhurriedly<Statements.Claimed>(Statements.claim(request))
      const nextDueAt = next !== null ? Math.max(next, request.now) : rows.length > 0 ? request.leaseUntil : null
      return { rows, nextDueAt }
    },
    completeNotifications: (completion) => unhurriedly<Completed>(Statements.complete(completion)),
    setBackNotification: async (setback) => (await database.answer<number>(Statements.setBack(setback))) > 0,
    deliveries: (query) => database.answer<ReadonlyArray<DeliveryRow>>(Statements.selectInbox(query)),
    pruneDeliveryBodies: (before, limit) => database.answer<number>(Statements.pruneBodies(before, limit)),
    subscriptions: (query) =>
      database.answer<ReadonlyArray<StoredSubscription>>(Statements.selectSubscriptionsAfter(query)),
    job: async (name) => (await database.answer<ReadonlyArray<JobRow>>(PostgresJobs.select(name)))[0],
    claimJob: (claim) =>
      database.transaction(async (session) => {
        await session.run(PostgresJobs.take(claim))
        // Another statement, which sees what the first one wrote, or had to wait for.
        const [job] = await session.answer<ReadonlyArray<JobRow>>(PostgresJobs.select(claim.name))
        if (job === undefined) throw new DriverError("unknown", `the job ${claim.name} was not written`)
        return { claimed: job.owner === claim.owner, job }
      }),
    saveJob: async (save) => (await database.answer<number>(PostgresJobs.save(save))) > 0,
    explain: (error) => {
      const explanation = explain(error)
      // The users' table may have been changed or made anew by its owner; look again next time.
      if (explanation.reason === "schema") opened = undefined
      return explanation
    }
  }
}

/**
 * Locks, then reads, in three rounds, because a statement sees what was committed before it began: one that locks and
 * reads at once would read what was true before it had to wait. All of them go to the server together: whom the third round
 * is about, it finds out itself.
 *
 * 1. The names of the deliveries, customers and subscriptions.
 * 2. The rows of the subscriptions that these lead to, which also says who owns them.
 * 3. The names of the users: those that the keys name, those of the links, and the owners.
 *
 * Nobody waits in a circle: everybody takes them in this order, and within a round in one order (of hashes, of ids, of
 * hashes), and waits for nothing of an earlier round when holding something of a later one.
 *
 * What is read stays true until the commit. A delivery, a link or a new subscription is only written under the lock of
 * its name; a stored subscription under that of its row, whichever customer it belongs to by then. So nobody changes an
 * owner, and the users of round 3 cannot become more. Whatever is of a user (live subscriptions, the projection) is only
 * written by who holds the user's lock: a subscription's owner is among the owners, and a new one among the keys or links.
 * A user's row and checkouts may appear meanwhile, which is as if the step had come just before.
 */
const load = async (ask: Transaction["ask"], keys: Keys, table: UsersTable.UsersTable | undefined): Promise<Facts> => {
  const names = [
    ...keys.deliveryIds.map((id) => `delivery ${id}`),
    ...keys.customerIds.map((id) => `customer ${id}`),
    ...keys.subscriptionIds.map((id) => `subscription ${id}`)
  ]
  if (names.length === 0 && keys.userIds.length === 0) return noFacts
  const [, found = [], , further = []] = await ask([
    lock(names, "2s"),
    Statements.selectNamed(keys),
    lockUsers(Statements.concernedUsers(keys)),
    Statements.selectConcerned(keys, table)
  ])
  const { deliveries, links, subscriptions, untoldSubscriptionIds } = valueIn<Statements.Named>(found)
  const concerned = valueIn<Statements.Concerned>(further)
  return {
    deliveries,
    links,
    subscriptions: [...new Map([...subscriptions, ...concerned.subscriptions].map((row) => [row.id, row])).values()],
    users: concerned.users,
    knownUserIds: concerned.knownUserIds,
    untoldSubscriptionIds
  }
}

const noFacts: Facts = {
  deliveries: [],
  links: [],
  subscriptions: [],
  users: [],
  knownUserIds: [],
  untoldSubscriptionIds: []
}

const written = (changes: Changes, table: UsersTable.UsersTable | undefined): ReadonlyArray<Statement> => {
  const statements = [...Statements.writes(changes)]
  if (table !== undefined && changes.projections.length > 0) statements.push(table.project(changes.projections))
  return statements.length === 0 ? [] : [Statements.together(statements)]
}
