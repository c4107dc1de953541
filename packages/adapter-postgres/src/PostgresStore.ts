/**
 * The billing store on PostgreSQL 13 and later.
 *
 * `layer` has a pool of its own with node-postgres or postgres.js, which it loads only then. `fromDrizzle` takes a database
 * that the app owns, on node-postgres, postgres.js, PGlite or another driver of drizzle's, and never closes it. Neither
 * connects when it is built: `BillingStore.migrate` creates and upgrades the tables, in the schema that the search path
 * leads to.
 *
 * Any number of processes may share a database. An app that has the choice takes node-postgres: postgres.js, up to 3.4.9
 * at least, throws where nobody can catch it when a connection breaks in a transaction (its issues 1208 and 1216). With a
 * pool of the store's own that cannot be met, because none of its transactions is used there; but a silent connection of
 * postgres.js's is only closed once the network gives it up.
 */

import { loadedBy, onLent, sqlDriver, type UsersOptions } from "@kavach-polar/core/adapter"
import * as Port from "@kavach-polar/core/BillingStore"
import type { StoreError } from "@kavach-polar/core/StoreError"
import type { NodePgDatabase } from "drizzle-orm/node-postgres"
import type { PgQueryResultHKT } from "drizzle-orm/pg-core"
import type { TablesRelationalConfig } from "drizzle-orm/relations"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Connections } from "./Connections.ts"
import { drizzleOnNodePostgres } from "./drivers.ts"
import { connectionsOf, lentConnections, type PgDrizzle } from "./drizzleConnections.ts"
import {
  checkOptions,
  type NodePostgresOptions,
  openConnections,
  openNodePostgres,
  type PoolOptions,
  type PostgresStoreOptions
} from "./PostgresPool.ts"
import { postgresConnection } from "./postgresConnection.ts"

export type { NodePostgresOptions, PostgresJsOptions, PostgresStoreOptions } from "./PostgresPool.ts"

const storeOn = (connections: Connections, users?: UsersOptions): Port.BillingStoreService =>
  Port.make(sqlDriver(postgresConnection(connections), "@kavach-polar/adapter-postgres", users))

/**
 * The store on what an app has: a pool or client of node-postgres, postgres.js, or a drizzle database. Anything else, and
 * drizzle without transactions, is refused at start with a sentence.
 *
 * @example
 * PostgresStore.fromClient(pool, { users: { table: "users", id: "id", email: "email" } })
 */
export const fromClient = (client: unknown, users?: UsersOptions): Layer.Layer<Port.BillingStore, StoreError> =>
  onLent(() => storeOn(lentConnections(client), users))

/**
 * A pool of node-postgres as `layer` opens it, until the scope ends: for an app that uses it with drizzle as well.
 *
 * @example
 * Effect.flatMap(PostgresStore.open({ url }), (db) => PostgresStore.make(db).migrate)
 */
export const open = (options: NodePostgresOptions): Effect.Effect<NodePgDatabase, StoreError, Scope.Scope> =>
  // Without pipelining, in which cursors and the like of the app's would not work.
  Effect.flatMap(openNodePostgres(options, false), (pool) =>
    Effect.map(loadedBy(drizzleOnNodePostgres), (drizzle) => drizzle(pool))
  )

/**
 * The store on a database that somebody else opens, migrates at will, and closes.
 *
 * @example
 * Effect.flatMap(PostgresStore.open({ url }), (db) => PostgresStore.make(db).migrate)
 */
export const make = <
  TQueryResult extends PgQueryResultHKT,
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
>(
  db: PgDrizzle<TQueryResult, TFullSchema, TSchema>
): Port.BillingStoreService => storeOn(connectionsOf(db))

/**
 * The store on an app's own drizzle database, with or without a schema.
 *
 * @example
 * Layer.unwrapScoped(Effect.map(PostgresStore.open({ url }), PostgresStore.fromDrizzle))
 */
export const fromDrizzle = <
  TQueryResult extends PgQueryResultHKT,
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
>(
  db: PgDrizzle<TQueryResult, TFullSchema, TSchema>
): Layer.Layer<Port.BillingStore> => Layer.sync(Port.BillingStore, () => make(db))

/**
 * The store on a pool that is open as long as the layer's scope. Throws an `InvalidOption` for options that there are not.
 *
 * @example
 * PostgresStore.layer({ url, maxConnections: 4 })
 */
export const layer = (
  options: PostgresStoreOptions,
  users?: UsersOptions
): Layer.Layer<Port.BillingStore, StoreError> => {
  checkOptions(options)
  return Layer.scoped(
    Port.BillingStore,
    Effect.map(openConnections(options), (connections) => storeOn(connections, users))
  )
}

/**
 * As `layer`, with options from the configuration.
 *
 * @example
 * PostgresStore.layerConfig({ url: Config.redacted("DATABASE_URL") })
 */
export const layerConfig = (
  options: Config.Config.Wrap<PoolOptions & Pick<PostgresStoreOptions, "driver">>
): Layer.Layer<Port.BillingStore, StoreError | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), (given) => layer(given)))
