/**
 * The billing store on SQLite.
 *
 * `layer` opens a file of its own with better-sqlite3, which it loads only then. `fromDrizzle` takes a database that the
 * app owns, on better-sqlite3 or sql.js, and never closes it. Neither touches a table when it is built:
 * `BillingStore.migrate` creates and upgrades them.
 */

import {
  DriverError,
  lentKind,
  loadedBy,
  onLent,
  refuseLent,
  sqlDriver,
  type UsersOptions
} from "@kavach-polar/core/adapter"
import * as Port from "@kavach-polar/core/BillingStore"
import * as Options from "@kavach-polar/core/Options"
import type { StoreError } from "@kavach-polar/core/StoreError"
import type { BetterSQLite3Database } from "drizzle-orm/better-sqlite3"
import type { TablesRelationalConfig } from "drizzle-orm/relations"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { drizzleOnBetterSqlite3 } from "./drivers.ts"
import * as SqliteDatabase from "./SqliteDatabase.ts"
import * as SqliteFile from "./SqliteFile.ts"
import { sqliteConnection } from "./sqliteConnection.ts"

/**
 * @example
 * SqliteStore.layer({ filename: "billing.sqlite", keepsJournalMode: true })
 */
export interface SqliteStoreOptions {
  /** A path, created if there is no such file, or `:memory:`. Its folder must exist. */
  readonly filename: string
  /** Leaves the file in the journal mode that it has, for whoever only looks. Default: false, and it is WAL from then on. */
  readonly keepsJournalMode?: boolean | undefined
}

/**
 * A file opened as `layer` opens it, until the scope ends: for an app that uses it with drizzle as well.
 *
 * @example
 * Effect.flatMap(SqliteStore.open("billing.sqlite"), (db) => SqliteStore.make(db).migrate)
 */
export const open = (filename: string): Effect.Effect<BetterSQLite3Database, StoreError, Scope.Scope> =>
  Effect.flatMap(SqliteFile.open(filename), (client) =>
    Effect.map(loadedBy(drizzleOnBetterSqlite3), (drizzle) => drizzle(client))
  )

const storeOn = (database: SqliteDatabase.SqliteDatabase, options: UsersOptions = {}): Port.BillingStoreService =>
  Port.make(sqlDriver(sqliteConnection(database), "@kavach-polar/adapter-sqlite", options))

/**
 * The store on what an app has: a `Database` of better-sqlite3, or a synchronous drizzle database. Anything else is refused
 * at start, with a sentence.
 *
 * @example
 * SqliteStore.fromClient(client, { users: false })
 */
export const fromClient = (client: unknown, options: UsersOptions = {}): Layer.Layer<Port.BillingStore, StoreError> =>
  onLent(() => storeOn(lent(client), options))

const lent = (client: unknown): SqliteDatabase.SqliteDatabase => {
  if (SqliteDatabase.isBetterSqlite3(client)) return SqliteDatabase.makeLent(client)
  const kind = lentKind(client)
  refuseLent(kind, "sqlite")
  if (kind.drizzle === undefined) {
    throw new DriverError("schema", "the database is neither better-sqlite3's nor a drizzle database on SQLite")
  }
  if (!kind.isSync) {
    throw new DriverError(
      "schema",
      "the drizzle database is an asynchronous one, and the provider sqlite takes better-sqlite3 or sql.js; for @libsql/client say the provider libsql"
    )
  }
  return SqliteDatabase.make(client as Parameters<typeof SqliteDatabase.make>[0])
}

/**
 * The store on a database that somebody else opens, migrates at will, and closes.
 *
 * @example
 * Effect.flatMap(SqliteStore.open("billing.sqlite"), (db) => SqliteStore.make(db).migrate)
 */
export const make = <TRunResult, TFullSchema extends Record<string, unknown>, TSchema extends TablesRelationalConfig>(
  db: SqliteDatabase.SyncDrizzle<TRunResult, TFullSchema, TSchema>
): Port.BillingStoreService => storeOn(SqliteDatabase.make(db))

/**
 * The store on an app's own drizzle database: synchronous, on better-sqlite3 or sql.js, with or without a schema.
 *
 * @example
 * Layer.unwrapScoped(Effect.map(SqliteStore.open("billing.sqlite"), SqliteStore.fromDrizzle))
 */
export const fromDrizzle = <
  TRunResult,
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
>(
  db: SqliteDatabase.SyncDrizzle<TRunResult, TFullSchema, TSchema>
): Layer.Layer<Port.BillingStore> => Layer.sync(Port.BillingStore, () => make(db))

const storeOptions: Schema.Schema<Options.Given<SqliteStoreOptions>> = Schema.Struct({
  filename: Options.optional(Options.anyText),
  keepsJournalMode: Options.optional(Options.boolean)
})

const checkOptions = Options.optionsCheck("SqliteStore.layer()", storeOptions)

/**
 * The store on a file that is open as long as the layer's scope. Throws an `InvalidOption` for options that there are not.
 *
 * @example
 * SqliteStore.layer({ filename: "billing.sqlite" })
 */
export const layer = (
  options: SqliteStoreOptions,
  users?: UsersOptions
): Layer.Layer<Port.BillingStore, StoreError> => {
  checkOptions(options)
  return Layer.scoped(
    Port.BillingStore,
    Effect.map(SqliteFile.open(options.filename, options), (client) =>
      storeOn(SqliteDatabase.makeOwn(client, options), users)
    )
  )
}

/**
 * As `layer`, with options from the configuration.
 *
 * @example
 * SqliteStore.layerConfig({ filename: Config.string("BILLING_FILE") })
 */
export const layerConfig = (
  options: Config.Config.Wrap<SqliteStoreOptions>
): Layer.Layer<Port.BillingStore, StoreError | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), (given) => layer(given)))
