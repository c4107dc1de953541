/** Pools of this process's own, until a scope ends. Their drivers are loaded by the call and not by importing the module. */
import { callMillis, deadlineIn, loadedBy, withinDeadline } from "@kavach-polar/core/adapter"
import * as Options from "@kavach-polar/core/Options"
import type { StoreError } from "@kavach-polar/core/StoreError"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Pool, PoolConfig } from "pg"
import type { Options as PostgresJsClientOptions, PostgresType } from "postgres"
import { type Connections, onHeld } from "./Connections.ts"
import { nodePostgres, postgresJs } from "./drivers.ts"
import { destroySocket, onPool } from "./nodePostgres.ts"
import { postgresJsPool } from "./postgresJs.ts"

export interface PoolOptions {
  /** `postgres://user:password@host:5432/database`, with `?sslmode=verify-full` where the server wants it. */
  readonly url: Redacted.Redacted | string
  /** At most so many connections at once; 10 unless given. */
  readonly maxConnections?: number | undefined
  /**
   * Whether statements are prepared once for each connection, which takes half of the server's work away. Default true.
   * Behind a pooler that hands connections out for one transaction at a time and keeps no prepared statements, such as
   * PgBouncer before 1.21, that is found out, and done without; `false` saves the first try.
   */
  readonly prepare?: boolean | undefined
}

/**
 * @example
 * PostgresStore.layer({ url, driver: "pg", maxConnections: 4, prepare: false, client: { statement_timeout: 10_000 } })
 */
export interface NodePostgresOptions extends PoolOptions {
  readonly driver?: "pg" | undefined
  /** What else node-postgres takes, such as `ssl` (its documentation, "Pool" and "Client"). */
  readonly client?: Omit<PoolConfig, "connectionString" | "max"> | undefined
}

/**
 * @example
 * PostgresStore.layer({ url, driver: "postgres", maxConnections: 4, prepare: false, client: { idle_timeout: 60 } })
 */
export interface PostgresJsOptions extends PoolOptions {
  readonly driver: "postgres"
  /** What else postgres.js takes, such as `ssl` (its documentation, "Connection"). */
  readonly client?: Omit<PostgresJsClientOptions<Record<string, PostgresType>>, "max" | "prepare"> | undefined
}

export type PostgresStoreOptions = NodePostgresOptions | PostgresJsOptions

const storeOptions: Schema.Schema<
  Options.Given<PoolOptions> & { readonly driver?: "pg" | "postgres" | undefined; readonly client?: object | undefined }
> = Schema.Struct({
  url: Options.optional(Options.secretText),
  maxConnections: Options.optional(Options.positiveWhole("a number of connections, 1 or more")),
  prepare: Options.optional(Options.boolean),
  driver: Options.optional(Options.oneOf("pg", "postgres")),
  client: Options.optional(Options.foreign<object>("it must be an object with the driver's options"))
})

/** Throws an `InvalidOption` for options that there are not. Those of the driver are the driver's to refuse. */
export const checkOptions = Options.optionsCheck("PostgresStore.layer()", storeOptions)

export const openConnections = (options: PostgresStoreOptions): Effect.Effect<Connections, StoreError, Scope.Scope> => {
  const { prepare = true } = options
  return options.driver === "postgres"
    ? Effect.map(openPostgresJs(options, prepare), ({ acquire }) => onHeld(acquire))
    : Effect.map(openNodePostgres(options, true), (pool) => onPool(pool, prepare))
}

/** It connects at the first query. */
export const openNodePostgres = (
  { client: options, maxConnections, url }: NodePostgresOptions,
  pipeline: boolean
): Effect.Effect<Pool, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const pg = yield* loadedBy(nodePostgres)
    const clients = new Set<object>()
    return yield* untilClosed(
      () => {
        const settings = {
          application_name: "kavach-polar",
          connectionTimeoutMillis: callMillis,
          keepAlive: true,
          // Of the versions that have it, a transaction's statements go to the server without waiting for each other.
          pipeline,
          ...options,
          connectionString: Redacted.isRedacted(url) ? Redacted.value(url) : url,
          max: maxConnections ?? 10
        }
        const pool = new pg.Pool(settings)
        // A connection that breaks while idle, or just when it is handed out. The pool drops it, and whoever uses it hears
        // of it by that; without a listener the process would end.
        pool.on("error", () => {})
        pool.on("connect", (client) => {
          clients.add(client)
          client.on("error", () => {})
        })
        pool.on("remove", (client) => clients.delete(client))
        return pool
      },
      (pool) => withinDeadline(pool.end(), deadlineIn(callMillis), () => clients.forEach(destroySocket))
    )
  })

const openPostgresJs = ({ client, maxConnections = 10, url }: PostgresJsOptions, prepare: boolean) =>
  Effect.gen(function* () {
    const postgres = yield* loadedBy(postgresJs)
    const address = Redacted.isRedacted(url) ? Redacted.value(url) : url
    const settings = {
      connection: { application_name: "kavach-polar" },
      connect_timeout: callMillis / 1000,
      // It would print them.
      onnotice: () => {},
      ...client
    }
    return yield* untilClosed(
      () => postgresJsPool((own) => postgres(address, { ...settings, ...own }), maxConnections, prepare),
      (pool) => pool.end()
    )
  })

/** What is under way gets as long to end as a call may take, and is cut off then. */
const untilClosed = <A>(open: () => A, end: (opened: A) => Promise<unknown>): Effect.Effect<A, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(open), (opened) => Effect.promise(() => end(opened).catch(() => {})))
