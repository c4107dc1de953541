/** A pool of connections of this process's own. */
import { StoreError } from "@kavach-polar/core/StoreError"
import type { MySql2Database } from "drizzle-orm/mysql2"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Pool, PoolOptions } from "mysql2"
import { explain } from "./MysqlProblem.ts"

/** Where the database is. */
export interface MysqlUrl {
  /** `mysql://user:password@host:3306/database`; options of mysql2 follow as a query, as in `?connectionLimit=20`. */
  readonly url: Redacted.Redacted | string
}

/** An address, or everything that mysql2 knows about a pool. */
export type MysqlStoreOptions = MysqlUrl | PoolOptions

/**
 * A pool until the scope ends. It connects when it is first used. The driver is loaded by this call and not by importing
 * the module.
 */
export const open = (options: MysqlStoreOptions): Effect.Effect<MySql2Database, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { createPool } = yield* Effect.tryPromise({ try: () => import("mysql2"), catch: notInstalled })
    const { drizzle } = yield* Effect.tryPromise({ try: () => import("drizzle-orm/mysql2"), catch: notInstalled })
    const pool = yield* Effect.acquireRelease(
      Effect.try({
        try: () => createPool(poolOptionsOf(options)),
        catch: (error) => new StoreError({ operation: "open", ...explainOptions(error) })
      }),
      close
    )
    pool.on("connection", (connection) => {
      // A step that runs again after ten seconds is of no use to the request that waits for it. Where this is refused,
      // the server's own limit holds.
      connection.query(`SET SESSION innodb_lock_wait_timeout = ${lockWaitSeconds}`, () => {})
    })
    return drizzle(pool)
  })

const lockWaitSeconds = 5

const poolOptionsOf = (options: MysqlStoreOptions): PoolOptions => {
  if (!("url" in options)) return options
  return { uri: typeof options.url === "string" ? options.url : Redacted.value(options.url) }
}

/** What is still in flight has failed or will; a connection that breaks while it is closed is closed. */
const close = (pool: Pool): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    pool.end(() => resume(Effect.void))
  })

const explainOptions = (error: unknown) =>
  error instanceof Error && "code" in error && error.code === "ERR_INVALID_URL"
    ? { reason: "unavailable" as const, detail: "the URL of the database is not a URL" }
    : explain(error)

const notInstalled = (error: unknown) =>
  new StoreError({
    operation: "open",
    reason: "unavailable",
    detail: `mysql2 cannot be loaded (${codeOf(error)}); run npm install mysql2 drizzle-orm`
  })

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no code"
