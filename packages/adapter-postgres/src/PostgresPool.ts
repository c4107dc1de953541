/** Pools of this process's own, until a scope ends. Their drivers are loaded by the call and not by importing the module. */
import { callMillis, deadlineIn, driverNotInstalled, withinDeadline } from "@kavach-polar/core/adapter"
import type { StoreError } from "@kavach-polar/core/StoreError"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Pool, PoolConfig } from "pg"
import type { Options as PostgresJsClientOptions, PostgresType } from "postgres"
import { type Connections, onHeld } from "./Connections.ts"
import { destroySocket, onPool } from "./nodePostgres.ts"
import { postgresJsPool } from "./postgresJs.ts"

export interface PoolOptions {
  /** `postgres://user:password@host:5432/database`, with `?sslmode=verify-full` where the server wants it. */
  readonly url: Redacted.Redacted | string
  /** At most so many connections at once; 10 unless given. */
  readonly maxConnections?: number | undefined
  /**
   * Whether statements are prepared once for each connection, which takes half of the server's work away. Default true;
   * say false behind a pooler that hands connections out for one transaction at a time and keeps no prepared statements,
   * such as PgBouncer before 1.21.
   */
  readonly prepare?: boolean | undefined
}

export interface NodePostgresOptions extends PoolOptions {
  readonly driver?: "pg" | undefined
  /** What else node-postgres takes, such as `ssl` (its documentation, "Pool" and "Client"). */
  readonly client?: Omit<PoolConfig, "connectionString" | "max"> | undefined
}

export interface PostgresJsOptions extends PoolOptions {
  readonly driver: "postgres"
  /** What else postgres.js takes, such as `ssl` (its documentation, "Connection"). */
  readonly client?: Omit<PostgresJsClientOptions<Record<string, PostgresType>>, "max" | "prepare"> | undefined
}

export type PostgresStoreOptions = NodePostgresOptions | PostgresJsOptions

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
    const { default: pg } = yield* Effect.tryPromise({
      try: () => import("pg"),
      catch: driverNotInstalled("pg", "pg drizzle-orm")
    })
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
    const { default: postgres } = yield* Effect.tryPromise({
      try: () => import("postgres"),
      catch: driverNotInstalled("postgres", "postgres drizzle-orm")
    })
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
