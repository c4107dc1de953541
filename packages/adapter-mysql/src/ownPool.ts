/** A pool of connections of this process's own. */
import { callMillis, loadedBy } from "@kavach-polar/core/adapter"
import * as Options from "@kavach-polar/core/Options"
import { StoreError } from "@kavach-polar/core/StoreError"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Pool, PoolConnection, PoolOptions } from "mysql2"
import { mysql2 } from "./drivers.ts"
import { explain } from "./mysqlProblem.ts"

/** Where the database is. */
export interface MysqlUrl {
  /** `mysql://user:password@host:3306/database`; options of mysql2 may follow as a query, as in `?connectionLimit=20`. */
  readonly url: Redacted.Redacted | string
  /** At most so many connections at once; 10 unless given. */
  readonly maxConnections?: number | undefined
  /** What else mysql2 takes, such as `ssl` (its documentation, "Connection options"). */
  readonly client?: Omit<PoolOptions, "uri" | "connectionLimit"> | undefined
}

const urlOptions: Schema.Schema<Options.Given<MysqlUrl>> = Schema.Struct({
  url: Options.optional(Options.secretText),
  maxConnections: Options.optional(Options.positiveWhole("a number of connections, 1 or more")),
  client: Options.optional(
    Options.foreign<NonNullable<MysqlUrl["client"]>>("it must be an object with mysql2's options")
  )
})

const checkUrlOptions = Options.optionsCheck("MysqlStore.layer()", urlOptions)

/** Throws an `InvalidOption` for options that there are not. Those of mysql2 itself are mysql2's to refuse. */
export const checkOptions = (options: MysqlStoreOptions): void => {
  if ("url" in options) checkUrlOptions(options)
}

/** An address, or everything that mysql2 knows about a pool. */
export type MysqlStoreOptions = MysqlUrl | PoolOptions

export interface OwnPool {
  readonly pool: Pool
  /** Whether its connections take several statements in one message. */
  readonly takesSeveral: boolean
}

/** A pool until the scope ends. It connects when it is first used. The driver is loaded by this call. */
export const ownPool = (
  options: MysqlStoreOptions,
  defaults: PoolOptions = {}
): Effect.Effect<OwnPool, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { createPool } = yield* loadedBy(mysql2)
    const { pool } = yield* Effect.acquireRelease(
      Effect.try({
        try: () => tracked(createPool(poolOptions(options, defaults))),
        catch: (error) => new StoreError({ operation: "open", ...explain(error) })
      }),
      close
    )
    return { pool, takesSeveral: takesSeveral(pool) }
  })

/** What is set here gives way to what is given, in the URL too: mysql2 alone would have it the other way round. */
const poolOptions = (options: MysqlStoreOptions, defaults: PoolOptions): PoolOptions => {
  const given = "url" in options ? optionsAt(options) : options
  const inUrl = given.uri === undefined ? new Set() : new Set(new URL(given.uri).searchParams.keys())
  const own = Object.entries({
    // Where a statement was sent from is not told by the errors of the store.
    trace: false,
    connectTimeout: callMillis,
    ...defaults
  }).filter(([name]) => !inUrl.has(name))
  return { ...Object.fromEntries(own), ...given }
}

const optionsAt = ({ client, maxConnections, url }: MysqlUrl): PoolOptions => ({
  ...client,
  ...(maxConnections === undefined ? {} : { connectionLimit: maxConnections }),
  uri: typeof url === "string" ? url : Redacted.value(url)
})

/** mysql2 does not declare what it has made of a pool's options, a URL's among them. */
const takesSeveral = (pool: Pool): boolean => {
  const flags = ["config", "connectionConfig", "clientFlags"].reduce<unknown>(
    (from, name) => (typeof from === "object" && from !== null ? Reflect.get(from, name) : undefined),
    pool
  )
  return (Number(flags) & multiStatements) !== 0
}

/** CLIENT_MULTI_STATEMENTS of the protocol. */
const multiStatements = 1 << 16

interface TrackedPool {
  readonly pool: Pool
  readonly connections: Set<PoolConnection>
}

const tracked = (pool: Pool): TrackedPool => {
  const connections = new Set<PoolConnection>()
  pool.on("connection", (connection) => {
    connections.add(connection)
    connection.on("end", () => void connections.delete(connection))
    // What breaks is said to whoever uses it.
    connection.on("error", () => void connections.delete(connection))
  })
  return { pool, connections }
}

/** Politely, and where the server does not answer, by force: by then no call is under way any more. */
const close = ({ connections, pool }: TrackedPool): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const done = () => {
      clearTimeout(timer)
      for (const connection of connections) connection.destroy()
      resume(Effect.void)
    }
    const timer = setTimeout(done, callMillis)
    pool.end(done)
  })
