/** One database and several stores on it, as several nodes of an app have: what proofs run against. */
import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import type { ProjectionRow } from "@kavach-polar/core/adapter/rows"
import type { StoreDriver } from "@kavach-polar/core/adapter/StoreDriver"
import * as Store from "@kavach-polar/core/BillingStore"
import type { User } from "@kavach-polar/core/Subscription"
import { StoreDatabase } from "@kavach-polar/core/testing/StoreDatabase"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { makeMemoryDriver } from "../../packages/core/src/store/memoryDriver.ts"
import { type ObtainedServer, obtainServer } from "../servers/obtainServer.ts"
import * as LibsqlHarness from "../store/LibsqlHarness.ts"
import * as MysqlHarness from "../store/MysqlHarness.ts"
import * as PostgresHarness from "../store/PostgresHarness.ts"
import * as SqliteHarness from "../store/SqliteHarness.ts"
import type { StoreName } from "./Proof.ts"

type Row = Readonly<Record<string, unknown>>

export interface Cluster {
  readonly stores: readonly [Store.BillingStoreService, ...ReadonlyArray<Store.BillingStoreService>]
  readonly projection: StoreDatabase["Type"]["projection"]
  /** Plain SQL without parameters, past the stores. */
  readonly query: (sql: string) => Effect.Effect<ReadonlyArray<Row>>
  /** The address that another process opens the database by: a file or a URL. Empty in memory. */
  readonly address: string
}

export interface ClusterOptions {
  readonly store: StoreName
  /** The administrator's address, where the store is on a server. */
  readonly server: string | undefined
  /** Who has a row in the app's table. */
  readonly users: ReadonlyArray<User>
  readonly nodes: number
}

/** A store on a database that is there, by the address that a cluster names. */
export const storeAt = (store: StoreName, address: string): Layer.Layer<Store.BillingStore, unknown> => {
  switch (store) {
    case "memory":
      throw new Error("nobody else can open a store in memory")
    case "sqlite":
      return SqliteStore.layer({ filename: address })
    case "libsql":
      return LibsqlStore.layer({ url: address })
    case "postgres":
      return PostgresStore.layer({ url: Redacted.make(address) })
    case "mysql":
    case "mariadb":
      return MysqlStore.layer({ url: Redacted.make(address) })
  }
}

/** A new database with migrated tables. It goes away with the scope. */
export const openCluster = (options: ClusterOptions): Effect.Effect<Cluster, unknown, Scope.Scope> => {
  const { nodes, server, store, users } = options
  switch (store) {
    case "memory":
      return memory(users)
    case "sqlite":
      return Effect.gen(function* () {
        const { address, query } = yield* SqliteHarness.newFile
        const layer = () => storeAt(store, address)
        return yield* cluster(SqliteHarness.prepared(layer(), query, users), layer, nodes, address, (sql) =>
          Effect.sync(() => query(sql))
        )
      })
    case "libsql":
      return Effect.gen(function* () {
        const url = LibsqlHarness.wholeUrl(yield* LibsqlHarness.newServer)
        const query = LibsqlHarness.queryOn(yield* LibsqlHarness.newClient({ url }))
        const layer = () => storeAt(store, url)
        return yield* cluster(LibsqlHarness.prepared(layer(), query, users), layer, nodes, url, (sql) =>
          Effect.promise(() => query(sql))
        )
      })
    case "postgres":
      return Effect.gen(function* () {
        const { query, url } = yield* PostgresHarness.newDatabase(needed(server))
        const layer = () => storeAt(store, url)
        return yield* cluster(PostgresHarness.prepared(layer(), query, users), layer, nodes, url, (sql) =>
          Effect.promise(() => query(sql))
        )
      })
    case "mysql":
    case "mariadb":
      return Effect.gen(function* () {
        const { query, url } = yield* MysqlHarness.temporaryDatabase(needed(server))
        const layer = () => storeAt(store, url)
        return yield* cluster(MysqlHarness.prepared(layer(), query, users), layer, nodes, url, (sql) =>
          Effect.promise(() => query(sql))
        )
      })
  }
}

const needed = (server: string | undefined): string => {
  if (server === undefined) throw new Error("this store needs a server")
  return server
}

const cluster = (
  first: Layer.Layer<Store.BillingStore | StoreDatabase, unknown>,
  other: () => Layer.Layer<Store.BillingStore, unknown>,
  nodes: number,
  address: string,
  query: Cluster["query"]
): Effect.Effect<Cluster, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Layer.build(first)
    const others: Array<Store.BillingStoreService> = []
    for (let node = 1; node < nodes; node++) {
      others.push(Context.get(yield* Layer.build(other()), Store.BillingStore))
    }
    return {
      stores: [Context.get(context, Store.BillingStore), ...others],
      projection: Context.get(context, StoreDatabase).projection,
      query,
      address
    }
  })

/** One store, and the projections that its steps wrote: memory has no table to read them from. */
const memory = (users: ReadonlyArray<User>): Effect.Effect<Cluster> =>
  Effect.sync(() => {
    const projections = new Map<string, ProjectionRow>()
    const driver = makeMemoryDriver(
      users.map(({ email, id, name }) => ({
        id,
        email: Option.getOrNull(email),
        name: Option.getOrNull(name),
        emailVerified: false
      }))
    )
    const watched: StoreDriver = {
      ...driver,
      atomically: (keys, decide, time) =>
        driver.atomically(
          keys,
          (facts) => {
            const changes = decide(facts)
            for (const row of changes.projections) {
              projections.set(row.userId, {
                ...row,
                polarCustomerId: row.polarCustomerId ?? projections.get(row.userId)?.polarCustomerId
              })
            }
            return changes
          },
          time
        )
    }
    return {
      stores: [Store.make(watched)],
      projection: (userId) =>
        Effect.sync(() => {
          if (!users.some(({ id }) => id === userId)) return undefined
          const row = projections.get(userId)
          const periodEnd = row?.polarCurrentPeriodEnd ?? null
          return {
            customerId: row?.polarCustomerId ?? null,
            subscriptionId: row?.polarSubscriptionId ?? null,
            status: row?.polarSubscriptionStatus ?? null,
            productId: row?.polarProductId ?? null,
            currentPeriodEnd: periodEnd === null ? null : Math.floor(periodEnd / 1000) * 1000,
            cancelAtPeriodEnd: row?.polarCancelAtPeriodEnd ?? false
          }
        }),
      query: () => Effect.dieMessage("the store in memory has no tables"),
      address: ""
    }
  })

/** The server that the store needs, for as long as `use` runs. libSQL's is started with each database. */
export const withServer = async <A>(store: StoreName, use: (server: string | undefined) => Promise<A>): Promise<A> => {
  if (store === "memory" || store === "sqlite" || store === "libsql") return use(undefined)
  const server: ObtainedServer = await obtainServer(store)
  try {
    return await use(server.url)
  } finally {
    await server.stop()
  }
}

/** What the database calls itself. */
export const versionOf = (store: StoreName, { query }: Cluster): Effect.Effect<string> => {
  if (store === "memory") return Effect.succeed("memory")
  return Effect.map(
    query(
      store === "sqlite" || store === "libsql" ? "SELECT sqlite_version() AS version" : "SELECT version() AS version"
    ),
    ([row]) => String(row?.["version"])
  )
}
