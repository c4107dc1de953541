/**
 * The billing store on libSQL: Turso, another libSQL server, or a local file.
 *
 * `layer` has a client of its own with @libsql/client, which it loads only then. `fromDrizzle` takes a database that the
 * app owns, and never closes it. Neither touches a table when it is built: `BillingStore.migrate` creates and upgrades
 * them. Any number of processes may share a database; it has one writer at a time.
 *
 * An app that lends a local file does well to give its client a short `timeout`: while SQLite waits, so does the process.
 */

import { sqlDriver } from "@kavach-polar/core/adapter"
import * as Port from "@kavach-polar/core/BillingStore"
import { StoreError } from "@kavach-polar/core/StoreError"
import type { Client } from "@libsql/client"
import type { LibSQLDatabase } from "drizzle-orm/libsql"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type LibsqlStoreOptions, openClient } from "./LibsqlClient.ts"
import { type LogStatement, libsqlConnection } from "./libsqlConnection.ts"

export type { LibsqlStoreOptions } from "./LibsqlClient.ts"

/** drizzle's database on @libsql/client, made with or without a schema. */
export type LibsqlDrizzle<TSchema extends Record<string, unknown>> = LibSQLDatabase<TSchema> & {
  readonly $client: Client
}

/** A database opened as `layer` opens it, until the scope ends: for an app that uses it with drizzle as well. */
export const open = (
  options: LibsqlStoreOptions
): Effect.Effect<LibsqlDrizzle<Record<string, never>>, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* openClient(options)
    const { drizzle } = yield* Effect.tryPromise({
      try: () => import("drizzle-orm/libsql"),
      catch: () => new StoreError({ operation: "open", reason: "unavailable", detail: "drizzle-orm cannot be loaded" })
    })
    return drizzle(client)
  })

const storeOn = (client: Client, log: LogStatement): Port.BillingStoreService =>
  Port.make(sqlDriver(libsqlConnection(client, log), "@kavach-polar/adapter-libsql"))

/** The store on a database that somebody else opens, migrates at will, and closes. */
export const make = <TSchema extends Record<string, unknown>>(db: LibsqlDrizzle<TSchema>): Port.BillingStoreService =>
  storeOn(db.$client, logOf(db))

/** The store on an app's own drizzle database. */
export const fromDrizzle = <TSchema extends Record<string, unknown>>(
  db: LibsqlDrizzle<TSchema>
): Layer.Layer<Port.BillingStore> => Layer.sync(Port.BillingStore, () => make(db))

/** The store on a client that is open as long as the layer's scope. */
export const layer = (options: LibsqlStoreOptions): Layer.Layer<Port.BillingStore, StoreError> =>
  Layer.scoped(
    Port.BillingStore,
    Effect.map(openClient(options), (client) => storeOn(client, () => {}))
  )

/** As `layer`, with options from the configuration. */
export const layerConfig = (
  options: Config.Config.Wrap<LibsqlStoreOptions>
): Layer.Layer<Port.BillingStore, StoreError | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

/** drizzle declares its session internal. */
const logOf = (db: object): LogStatement => {
  const session: unknown = Reflect.get(db, "session")
  const logger: unknown = typeof session === "object" && session !== null ? Reflect.get(session, "logger") : undefined
  return isLogger(logger) ? (text, values) => logger.logQuery(text, values) : () => {}
}

const isLogger = (value: unknown): value is { readonly logQuery: LogStatement } =>
  typeof value === "object" && value !== null && typeof Reflect.get(value, "logQuery") === "function"
