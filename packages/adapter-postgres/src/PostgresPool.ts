/** A pool of this process's own. */
import { StoreError } from "@kavach-polar/core/StoreError"
import type { NodePgDatabase } from "drizzle-orm/node-postgres"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { PoolConfig } from "pg"

export interface PostgresStoreOptions {
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
  /** What else node-postgres takes, such as `ssl` (its documentation, "Pool" and "Client"). */
  readonly client?: Omit<PoolConfig, "connectionString" | "max"> | undefined
}

/**
 * A pool of node-postgres until the scope ends. It connects at the first query, and then waits five seconds at most for a
 * connection. The driver is loaded by this call and not by importing the module.
 */
export const open = ({
  client: options,
  maxConnections,
  url
}: PostgresStoreOptions): Effect.Effect<NodePgDatabase, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { default: pg } = yield* Effect.tryPromise({ try: () => import("pg"), catch: notInstalled })
    const { drizzle } = yield* Effect.tryPromise({
      try: () => import("drizzle-orm/node-postgres"),
      catch: notInstalled
    })
    const pool = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const created = new pg.Pool({
          application_name: "kavach-polar",
          // Polar waits ten seconds for its answer.
          connectionTimeoutMillis: 5000,
          keepAlive: true,
          ...options,
          connectionString: Redacted.isRedacted(url) ? Redacted.value(url) : url,
          max: maxConnections ?? 10
        })
        // A connection that breaks while idle, or just when it is handed out. The pool drops it, and whoever uses it hears
        // of it by that; without a listener the process would end.
        created.on("error", () => {})
        created.on("connect", (client) => client.on("error", () => {}))
        return created
      }),
      // What is under way gets so long to end.
      (created) =>
        Effect.promise(() => created.end()).pipe(
          Effect.interruptible,
          Effect.disconnect,
          Effect.timeoutOption("5 seconds")
        )
    )
    return drizzle(pool)
  })

const notInstalled = (error: unknown) =>
  new StoreError({
    operation: "open",
    reason: "unavailable",
    detail: `pg cannot be loaded (${codeOf(error)}); run npm install pg drizzle-orm`
  })

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no code"
