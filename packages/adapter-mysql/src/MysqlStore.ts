/**
 * The billing store on MySQL (8.0.17 or later) and MariaDB (10.6 or later).
 *
 * `layer` has a mysql2 pool of its own, and loads the driver only then. `fromDrizzle` takes a database that the app owns,
 * and never closes it. Neither connects when it is built, and `BillingStore.migrate` creates and upgrades the tables.
 *
 * Every call ends within a few seconds, whatever the server does. A connection on which it has not ended by then is destroyed,
 * also one of the app's.
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
import type { MySqlDatabase } from "drizzle-orm/mysql-core"
import type { MySql2Database, MySql2PreparedQueryHKT, MySql2QueryResultHKT } from "drizzle-orm/mysql2"
import type { TablesRelationalConfig } from "drizzle-orm/relations"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { drizzleOnMysql2 } from "./drivers.ts"
import { mysqlConnection } from "./mysqlConnection.ts"
import type { SendOptions } from "./mysqlSession.ts"
import { checkOptions, type MysqlStoreOptions, type MysqlUrl, ownPool } from "./ownPool.ts"

export type { MysqlStoreOptions, MysqlUrl } from "./ownPool.ts"

/** A drizzle database on mysql2, made with or without a schema. */
export type Mysql2Drizzle<
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
> = MySqlDatabase<MySql2QueryResultHKT, MySql2PreparedQueryHKT, TFullSchema, TSchema>

/**
 * A pool as `layer` opens it, until the scope ends, for an app that uses it with drizzle as well. It takes one statement at a time.
 *
 * @example
 * Effect.flatMap(MysqlStore.open({ url }), (db) => MysqlStore.make(db).migrate)
 */
export const open = (options: MysqlStoreOptions): Effect.Effect<MySql2Database, StoreError, Scope.Scope> =>
  Effect.flatMap(ownPool(options), ({ pool }) => Effect.map(loadedBy(drizzleOnMysql2), (drizzle) => drizzle(pool)))

/** `client`: of mysql2 with promises, a pool or a connection. */
const storeOn = (client: unknown, options: SendOptions, users?: UsersOptions): Port.BillingStoreService =>
  Port.make(sqlDriver(mysqlConnection(client, options), "@kavach-polar/adapter-mysql", users))

/**
 * The store on what an app has: a pool or a connection of mysql2, with promises or without, or drizzle on one.
 *
 * @example
 * MysqlStore.fromClient(client, { users: { table: "users", id: "id", email: "email" } })
 */
export const fromClient = (client: unknown, users?: UsersOptions): Layer.Layer<Port.BillingStore, StoreError> =>
  onLent(() => {
    const direct = withPromises(client)
    if (direct !== undefined) return storeOn(direct, { together: false }, users)
    const kind = lentKind(client)
    refuseLent(kind, "mysql")
    const inside = typeof client === "object" && client !== null ? withPromises(ofSession(client, "client")) : undefined
    if (kind.drizzle === undefined || inside === undefined) {
      throw new DriverError("schema", "the database is neither of mysql2 nor drizzle on mysql2")
    }
    return storeOn(inside, { together: false, log: logOf(client as object) }, users)
  })

/** mysql2's own have `promise()`, and those with promises do not. */
const withPromises = (client: unknown): object | undefined => {
  if (typeof client !== "object" || client === null) return undefined
  const has = (name: string) => typeof Reflect.get(client, name) === "function"
  if (!has("query") || !(has("getConnection") || has("destroy"))) return undefined
  const promise: unknown = Reflect.get(client, "promise")
  const made: unknown = typeof promise === "function" ? Reflect.apply(promise, client, []) : client
  return typeof made === "object" && made !== null ? made : undefined
}

/**
 * The store on a database that somebody else opens, migrates at will, and closes.
 *
 * @example
 * Effect.flatMap(MysqlStore.open({ url }), (db) => MysqlStore.make(db).migrate)
 */
export const make = <TFullSchema extends Record<string, unknown>, TSchema extends TablesRelationalConfig>(
  db: Mysql2Drizzle<TFullSchema, TSchema>
): Port.BillingStoreService => storeOn(ofSession(db, "client"), { together: false, log: logOf(db) })

/**
 * The store on an app's own drizzle database on mysql2, with or without a schema, whatever the pool's options and the sessions'
 * modes, character sets and time zones; only autocommit has to be on. On a pool each step has a connection to itself; a single
 * connection works too, if nobody else has a transaction open on it.
 *
 * @example
 * Layer.unwrapScoped(Effect.map(MysqlStore.open({ url }), MysqlStore.fromDrizzle))
 */
export const fromDrizzle = <TFullSchema extends Record<string, unknown>, TSchema extends TablesRelationalConfig>(
  db: Mysql2Drizzle<TFullSchema, TSchema>
): Layer.Layer<Port.BillingStore> => Layer.sync(Port.BillingStore, () => make(db))

/**
 * The store on a pool that is open as long as the layer's scope. Its connections take several statements in one message, which
 * halves the work of a step, unless the options say `multipleStatements: false`. Nobody else's statements run there, and the
 * store's own hold nothing that could end one. Throws an `InvalidOption` for options that there are not.
 *
 * @example
 * MysqlStore.layer({ url, maxConnections: 4 })
 */
export const layer = (options: MysqlStoreOptions, users?: UsersOptions): Layer.Layer<Port.BillingStore, StoreError> => {
  checkOptions(options)
  return Layer.scoped(
    Port.BillingStore,
    Effect.map(ownPool(options, { multipleStatements: true }), ({ pool, takesSeveral }) =>
      storeOn(pool.promise(), { together: takesSeveral }, users)
    )
  )
}

/**
 * As `layer`, with the address from the configuration.
 *
 * @example
 * MysqlStore.layerConfig({ url: Config.redacted("DATABASE_URL") })
 */
export const layerConfig = (
  options: Config.Config.Wrap<MysqlUrl>
): Layer.Layer<Port.BillingStore, StoreError | ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), (given) => layer(given)))

/** drizzle declares its session, and what the session has, internal. */
const ofSession = (db: object, name: string): unknown => {
  const session: unknown = Reflect.get(db, "session")
  return typeof session === "object" && session !== null ? Reflect.get(session, name) : undefined
}

/** The app's, which it gave drizzle to see what runs. */
const logOf = (db: object): SendOptions["log"] => {
  const logger = ofSession(db, "logger")
  if (typeof logger !== "object" || logger === null || !("logQuery" in logger)) return undefined
  const { logQuery } = logger
  return typeof logQuery === "function" ? (text, values) => Reflect.apply(logQuery, logger, [text, values]) : undefined
}
