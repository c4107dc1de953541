/**
 * The billing store on SQLite.
 *
 * `layer` opens a file of its own with better-sqlite3, which it loads only then. `fromDrizzle` takes a database that the
 * app owns, on better-sqlite3 or sql.js, and never closes it. Neither touches a table when it is built:
 * `BillingStore.migrate` creates and upgrades them.
 */

import { sqlDriver } from "@kavach-polar/core/adapter"
import * as Port from "@kavach-polar/core/BillingStore"
import type { StoreError } from "@kavach-polar/core/StoreError"
import type { BetterSQLite3Database } from "drizzle-orm/better-sqlite3"
import type { TablesRelationalConfig } from "drizzle-orm/relations"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as SqliteDatabase from "./SqliteDatabase.ts"
import * as SqliteFile from "./SqliteFile.ts"
import { sqliteConnection } from "./sqliteConnection.ts"

export interface SqliteStoreOptions {
  /** A path, created if there is no such file, or `:memory:`. Its folder must exist. */
  readonly filename: string
}

/** A file opened as `layer` opens it, until the scope ends: for an app that uses it with drizzle as well. */
export const open = (filename: string): Effect.Effect<BetterSQLite3Database, StoreError, Scope.Scope> =>
  Effect.map(SqliteFile.open(filename), ({ drizzle }) => drizzle)

const storeOn = (database: SqliteDatabase.SqliteDatabase): Port.BillingStoreService =>
  Port.make(sqlDriver(sqliteConnection(database), "@kavach-polar/adapter-sqlite"))

/** The store on a database that somebody else opens, migrates at will, and closes. */
export const make = <TRunResult, TFullSchema extends Record<string, unknown>, TSchema extends TablesRelationalConfig>(
  db: SqliteDatabase.SyncDrizzle<TRunResult, TFullSchema, TSchema>
): Port.BillingStoreService => storeOn(SqliteDatabase.make(db))

/** The store on an app's own drizzle database: synchronous, on better-sqlite3 or sql.js, with or without a schema. */
export const fromDrizzle = <
  TRunResult,
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
>(
  db: SqliteDatabase.SyncDrizzle<TRunResult, TFullSchema, TSchema>
): Layer.Layer<Port.BillingStore> => Layer.sync(Port.BillingStore, () => make(db))

/** The store on a file that is open as long as the layer's scope. */
export const layer = (options: SqliteStoreOptions): Layer.Layer<Port.BillingStore, StoreError> =>
  Layer.scoped(
    Port.BillingStore,
    Effect.map(SqliteFile.open(options.filename), ({ client }) => storeOn(SqliteDatabase.makeOwn(client)))
  )

/** As `layer`, with options from the configuration. */
export const layerConfig = (
  options: Config.Config.Wrap<SqliteStoreOptions>
): Layer.Layer<Port.BillingStore, StoreError | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))
