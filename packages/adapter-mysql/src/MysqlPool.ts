/** A pool of connections of this process's own. */
import { StoreError } from "@kavach-polar/core/StoreError"
import type { MySql2Database } from "drizzle-orm/mysql2"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Pool, PoolOptions } from "mysql2"
import { markAsTakingSeveral } from "./MysqlDatabase.ts"
import { explain } from "./MysqlProblem.ts"

/** Where the database is. */
export interface MysqlUrl {
  /** `mysql://user:password@host:3306/database`; options of mysql2 follow as a query, as in `?connectionLimit=20`. */
  readonly url: Redacted.Redacted | string
}

/** An address, or everything that mysql2 knows about a pool. */
export type MysqlStoreOptions = MysqlUrl | PoolOptions

/**
 * A pool until the scope ends, for an app that uses it with drizzle as well. It connects when it is first used. The driver
 * is loaded by this call and not by importing the module.
 */
export const open = (options: MysqlStoreOptions): Effect.Effect<MySql2Database, StoreError, Scope.Scope> =>
  openWith(options, {})

/**
 * The same for the store alone. Its connections take several statements in one message, which halves the work of a step.
 * That is not for a pool on which others run statements of theirs: whoever put somebody's text into one would let them add
 * another. The option `multipleStatements: false` takes it away here too.
 */
export const openOwn = (options: MysqlStoreOptions): Effect.Effect<MySql2Database, StoreError, Scope.Scope> =>
  openWith(options, { multipleStatements: true })

const openWith = (
  options: MysqlStoreOptions,
  defaults: PoolOptions
): Effect.Effect<MySql2Database, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { createPool } = yield* Effect.tryPromise({ try: () => import("mysql2"), catch: notInstalled })
    const { drizzle } = yield* Effect.tryPromise({ try: () => import("drizzle-orm/mysql2"), catch: notInstalled })
    const pool = yield* Effect.acquireRelease(
      Effect.try({
        try: () => createPool({ ...defaults, ...poolOptionsOf(options) }),
        catch: (error) => new StoreError({ operation: "open", ...explainOptions(error) })
      }),
      close
    )
    pool.on("connection", (connection) => {
      // A step that runs again after ten seconds is of no use to the request that waits for it. Where this is refused,
      // the server's own limit holds.
      connection.query(`SET SESSION innodb_lock_wait_timeout = ${lockWaitSeconds}`, () => {})
    })
    const db = drizzle(pool)
    if (takesSeveral(pool)) markAsTakingSeveral(db)
    return db
  })

const lockWaitSeconds = 5

/** What is given goes before what is set here. */
const poolOptionsOf = (options: MysqlStoreOptions): PoolOptions => ({
  // Where a statement was sent from is not told by the errors of the store.
  trace: false,
  ...("url" in options ? { uri: typeof options.url === "string" ? options.url : Redacted.value(options.url) } : options)
})

/** Unless the options say otherwise, or have a say in what text is sent and what becomes of what comes. */
const takesSeveral = (pool: Pool): boolean => {
  const { clientFlags, queryFormat, typeCast } = connectionOptionsOf(pool)
  return (Number(clientFlags) & multiStatements) !== 0 && queryFormat === undefined && typeof typeCast !== "function"
}

/** CLIENT_MULTI_STATEMENTS of the protocol. */
const multiStatements = 1 << 16

interface ConnectionOptions {
  readonly clientFlags?: unknown
  readonly queryFormat?: unknown
  readonly typeCast?: unknown
}

/** mysql2 does not declare what it has made of a pool's options, a URL's among them. */
const connectionOptionsOf = (pool: object): ConnectionOptions => {
  const config: unknown = Reflect.get(pool, "config")
  const options: unknown = typeof config === "object" && config !== null ? Reflect.get(config, "connectionConfig") : {}
  return typeof options === "object" && options !== null ? options : {}
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
