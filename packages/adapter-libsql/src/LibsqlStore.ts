/**
 * The billing store on libSQL: Turso, another libSQL server, or a local file.
 *
 * `layer` has a client of its own with @libsql/client, which it loads only then. `fromDrizzle` takes a database that the
 * app owns, and never closes it. Neither touches a table when it is built: `BillingStore.migrate` creates and upgrades
 * them. Any number of processes may share a database; it has one writer at a time.
 *
 * An app that lends a local file does well to give its client a short `timeout`: while SQLite waits, so does the process.
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
import type { StoreError } from "@kavach-polar/core/StoreError"
import type { Client } from "@libsql/client"
import type { LibSQLDatabase } from "drizzle-orm/libsql"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { drizzleOnLibsql } from "./drivers.ts"
import { checkOptions, type LibsqlStoreOptions, openClient } from "./LibsqlClient.ts"
import { type LogStatement, libsqlConnection } from "./libsqlConnection.ts"

export type { LibsqlStoreOptions } from "./LibsqlClient.ts"

/** drizzle's database on @libsql/client, made with or without a schema. */
export type LibsqlDrizzle<TSchema extends Record<string, unknown>> = LibSQLDatabase<TSchema> & {
  readonly $client: Client
}

/**
 * A database opened as `layer` opens it, until the scope ends: for an app that uses it with drizzle as well.
 *
 * @example
 * Effect.flatMap(LibsqlStore.open({ url: "file:billing.db" }), (db) => LibsqlStore.make(db).migrate)
 */
export const open = (
  options: LibsqlStoreOptions
): Effect.Effect<LibsqlDrizzle<Record<string, never>>, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* openClient(options)
    const drizzle = yield* loadedBy(drizzleOnLibsql)
    return drizzle(client)
  })

const storeOn = (client: Client, log: LogStatement, users?: UsersOptions): Port.BillingStoreService =>
  Port.make(sqlDriver(libsqlConnection(client, log), "@kavach-polar/adapter-libsql", users))

/**
 * The store on what an app has: a client of @libsql/client, or drizzle on one. Anything else is refused at start.
 *
 * @example
 * LibsqlStore.fromClient(client, { users: false })
 */
export const fromClient = (client: unknown, users?: UsersOptions): Layer.Layer<Port.BillingStore, StoreError> =>
  onLent(() => {
    if (isClient(client)) return storeOn(client, () => {}, users)
    refuseLent(lentKind(client), "sqlite")
    const inside: unknown = typeof client === "object" && client !== null ? Reflect.get(client, "$client") : undefined
    if (!isClient(inside)) {
      throw new DriverError("schema", "the database is neither a client of @libsql/client nor drizzle on one")
    }
    return storeOn(inside, logOf(client as object), users)
  })

const isClient = (value: unknown): value is Client =>
  typeof value === "object" &&
  value !== null &&
  ["execute", "batch", "transaction", "executeMultiple"].every((name) => typeof Reflect.get(value, name) === "function")

/**
 * The store on a database that somebody else opens, migrates at will, and closes.
 *
 * @example
 * Effect.flatMap(LibsqlStore.open({ url: "file:billing.db" }), (db) => LibsqlStore.make(db).migrate)
 */
export const make = <TSchema extends Record<string, unknown>>(db: LibsqlDrizzle<TSchema>): Port.BillingStoreService =>
  storeOn(db.$client, logOf(db))

/**
 * The store on an app's own drizzle database.
 *
 * @example
 * Layer.unwrapScoped(Effect.map(LibsqlStore.open({ url: "file:billing.db" }), LibsqlStore.fromDrizzle))
 */
export const fromDrizzle = <TSchema extends Record<string, unknown>>(
  db: LibsqlDrizzle<TSchema>
): Layer.Layer<Port.BillingStore> => Layer.sync(Port.BillingStore, () => make(db))

/**
 * The store on a client that is open as long as the layer's scope. Throws an `InvalidOption` for options that there are not.
 *
 * @example
 * LibsqlStore.layer({ url: "libsql://app-acme.turso.io", authToken: Redacted.make("eyJ…") })
 */
export const layer = (
  options: LibsqlStoreOptions,
  users?: UsersOptions
): Layer.Layer<Port.BillingStore, StoreError> => {
  checkOptions(options)
  return Layer.scoped(
    Port.BillingStore,
    Effect.map(openClient(options), (client) => storeOn(client, () => {}, users))
  )
}

/**
 * As `layer`, with options from the configuration.
 *
 * @example
 * LibsqlStore.layerConfig({ url: Config.string("TURSO_URL"), authToken: Config.redacted("TURSO_AUTH_TOKEN") })
 */
export const layerConfig = (
  options: Config.Config.Wrap<LibsqlStoreOptions>
): Layer.Layer<Port.BillingStore, StoreError | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), (given) => layer(given)))

/** drizzle declares its session internal. */
const logOf = (db: object): LogStatement => {
  const session: unknown = Reflect.get(db, "session")
  const logger: unknown = typeof session === "object" && session !== null ? Reflect.get(session, "logger") : undefined
  return isLogger(logger) ? (text, values) => logger.logQuery(text, values) : () => {}
}

const isLogger = (value: unknown): value is { readonly logQuery: LogStatement } =>
  typeof value === "object" && value !== null && typeof Reflect.get(value, "logQuery") === "function"
