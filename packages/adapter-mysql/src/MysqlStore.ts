/**
 * The subscription store on MySQL (8.0.17 or later) and MariaDB (10.6 or later).
 *
 * `layer` has a mysql2 pool of its own, and loads the driver only then. `fromDrizzle` takes a database that the app owns,
 * and never closes it. Neither connects when it is built, and `BillingStore.migrate` creates and upgrades the
 * tables.
 */

import * as Port from "@kavach-polar/core/BillingStore"
import type { StoreError } from "@kavach-polar/core/StoreError"
import type { TablesRelationalConfig } from "drizzle-orm/relations"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MysqlDatabase from "./MysqlDatabase.ts"
import * as MysqlDriver from "./MysqlDriver.ts"
import { type MysqlStoreOptions, type MysqlUrl, openOwn } from "./MysqlPool.ts"

export { type MysqlStoreOptions, type MysqlUrl, open } from "./MysqlPool.ts"

/** The store on a database that somebody else opens, migrates at will, and closes. */
export const make = <TFullSchema extends Record<string, unknown>, TSchema extends TablesRelationalConfig>(
  db: MysqlDatabase.Mysql2Drizzle<TFullSchema, TSchema>
): Port.BillingStoreService => Port.make(MysqlDriver.make(MysqlDatabase.make(db)))

/**
 * The store on an app's own drizzle database on mysql2, with or without a schema, whatever the pool's options on time
 * zones, dates and big numbers. On a pool each step has a connection to itself; a single connection works too, if
 * nobody else has a transaction open on it.
 */
export const fromDrizzle = <TFullSchema extends Record<string, unknown>, TSchema extends TablesRelationalConfig>(
  db: MysqlDatabase.Mysql2Drizzle<TFullSchema, TSchema>
): Layer.Layer<Port.BillingStore> => Layer.sync(Port.BillingStore, () => make(db))

/** The store on a pool that is open as long as the layer's scope. */
export const layer = (options: MysqlStoreOptions): Layer.Layer<Port.BillingStore, StoreError> =>
  Layer.scoped(
    Port.BillingStore,
    Effect.map(openOwn(options), (db) => make(db))
  )

/** As `layer`, with the address from the configuration. */
export const layerConfig = (
  options: Config.Config.Wrap<MysqlUrl>
): Layer.Layer<Port.BillingStore, StoreError | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))
