/**
 * The subscription store on PostgreSQL 13 and later.
 *
 * `layer` has a pool of its own with node-postgres, which it loads only then. `fromDrizzle` takes a database that the app
 * owns, on node-postgres, postgres.js, PGlite or another driver of drizzle's, and never closes it. Neither connects when
 * it is built: `BillingStore.migrate` creates and upgrades the tables, in the schema that the search path leads to.
 *
 * Any number of processes may share a database. An app that has the choice takes node-postgres: postgres.js, up to 3.4.9
 * at least, throws where nobody can catch it when a connection breaks in a transaction (its issues 1208 and 1216).
 */

import * as Port from "@kavach-polar/core/BillingStore"
import type { StoreError } from "@kavach-polar/core/StoreError"
import type { PgQueryResultHKT } from "drizzle-orm/pg-core"
import type { TablesRelationalConfig } from "drizzle-orm/relations"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PostgresDatabase from "./PostgresDatabase.ts"
import * as PostgresDriver from "./PostgresDriver.ts"
import { open, type PostgresStoreOptions } from "./PostgresPool.ts"

export { open, type PostgresStoreOptions } from "./PostgresPool.ts"

/** The store on a database that somebody else opens, migrates at will, and closes. */
export const make = <
  TQueryResult extends PgQueryResultHKT,
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
>(
  db: PostgresDatabase.PgDrizzle<TQueryResult, TFullSchema, TSchema>
): Port.BillingStoreService => Port.make(PostgresDriver.make(PostgresDatabase.make(db)))

/** The store on an app's own drizzle database, with or without a schema. */
export const fromDrizzle = <
  TQueryResult extends PgQueryResultHKT,
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
>(
  db: PostgresDatabase.PgDrizzle<TQueryResult, TFullSchema, TSchema>
): Layer.Layer<Port.BillingStore> => Layer.sync(Port.BillingStore, () => make(db))

/** The store on a pool that is open as long as the layer's scope. */
export const layer = (options: PostgresStoreOptions): Layer.Layer<Port.BillingStore, StoreError> =>
  Layer.scoped(
    Port.BillingStore,
    Effect.map(open(options), (db) =>
      Port.make(PostgresDriver.make(PostgresDatabase.make(db, { prepare: options.prepare ?? true })))
    )
  )

/** As `layer`, with options from the configuration. */
export const layerConfig = (
  options: Config.Config.Wrap<Omit<PostgresStoreOptions, "client">>
): Layer.Layer<Port.BillingStore, StoreError | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))
