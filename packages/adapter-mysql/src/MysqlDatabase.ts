/** A drizzle database as this adapter uses it: transactions that run again when they lose against another one. */

import { DriverError } from "@kavach-polar/core/adapter/DriverError"
import { sql } from "drizzle-orm"
import type { MySqlDatabase, MySqlTransactionConfig } from "drizzle-orm/mysql-core"
import type { MySql2PreparedQueryHKT, MySql2QueryResultHKT } from "drizzle-orm/mysql2"
import type { TablesRelationalConfig } from "drizzle-orm/relations"
import { answerTo } from "./MysqlAnswer.ts"
import {
  type Connection,
  type Exchange,
  type Manner,
  type PooledConnection,
  transact,
  transactOnPooled
} from "./MysqlExchange.ts"
import { isConflict } from "./MysqlProblem.ts"
import type { Rows } from "./MysqlRows.ts"
import type { Statement } from "./MysqlStatement.ts"

/** A drizzle database on mysql2, made with or without a schema. */
export type Mysql2Drizzle<
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
> = MySqlDatabase<MySql2QueryResultHKT, MySql2PreparedQueryHKT, TFullSchema, TSchema>

/** What statements are made with: a database or a transaction of it, the same whatever its schema. */
export type Queries = Pick<
  MySqlDatabase<MySql2QueryResultHKT, MySql2PreparedQueryHKT>,
  "select" | "insert" | "update" | "execute"
>

/** What is used of a drizzle database. */
export interface Drizzle extends Queries {
  readonly transaction: <A>(body: (tx: Queries) => Promise<A>, config?: MySqlTransactionConfig) => Promise<A>
}

export interface MysqlDatabase {
  /** Runs statements of which each stands alone. */
  readonly read: <A>(body: (queries: Queries) => Promise<A>) => Promise<A>
  /** The rows of one statement that stands alone and whose text is made here, with less around it. */
  readonly answer: (statement: Statement) => Promise<Rows>
  /**
   * Runs `body` in a transaction in READ COMMITTED, in which every read sees what is committed by then. If it throws,
   * nothing stays. After a deadlock or a lock that did not come, all of it runs again, so `body` may run several times.
   */
  readonly transaction: <A>(body: (tx: Queries) => Promise<A>) => Promise<A>
  /**
   * The same for statements whose text is made here, and with less around them. What `body` does not commit itself does
   * not stay.
   */
  readonly exchange: <A>(body: (exchange: Exchange) => Promise<A>) => Promise<A>
  /** Runs `body` on one connection. It may hold statements that commit by themselves. */
  readonly session: <A>(body: (connection: Queries) => Promise<A>) => Promise<A>
}

export const make = <TFullSchema extends Record<string, unknown>, TSchema extends TablesRelationalConfig>(
  db: Mysql2Drizzle<TFullSchema, TSchema>
): MysqlDatabase => {
  const drizzle: Drizzle = db
  const client = clientOf(db)
  const manner = { together: takesSeveral.has(db), log: logOf(db) }
  // A transaction on a pool has a connection to itself. On a single connection a second one would commit the first.
  const alone = isPool(client) ? <A>(run: () => Promise<A>) => run() : oneAtATime()
  // Before the transaction begins: within it, another connection may be one more than the pool has.
  let checked = false
  const ready = async () => {
    if (checked) return
    await requireUsable(drizzle)
    checked = true
  }
  return {
    read: async (body) => {
      await ready()
      return body(drizzle)
    },
    answer: async (statement) => {
      await ready()
      if (!isConnection(client)) throw notOnMysql2()
      return answerTo(client, manner, statement)
    },
    transaction: async (body) => {
      await ready()
      return alone(() => again(() => withOwnError(drizzle, body, { isolationLevel: "read committed" })))
    },
    exchange: async (body) => {
      await ready()
      return alone(() => again(() => transactOn(client, manner, body)))
    },
    session: async (body) => {
      await ready()
      return alone(() => withOwnError(drizzle, body, undefined))
    }
  }
}

/** Databases on pools that this package made, and whose connections take several statements in one message. */
const takesSeveral = new WeakSet<object>()

export const markAsTakingSeveral = (db: object): void => {
  takesSeveral.add(db)
}

/** A cache that the app gave drizzle is not asked: what is read here decides what is written. drizzle 0.43 has none. */
export const uncached = <Query extends object>(query: Query): Query => {
  if ("$withCache" in query && typeof query.$withCache === "function") query.$withCache(false)
  return query
}

/** When the connection breaks, drizzle's rollback fails too, and its error would hide the one that tells why. */
const withOwnError = async <A>(
  drizzle: Drizzle,
  body: (tx: Queries) => Promise<A>,
  config: MySqlTransactionConfig | undefined
): Promise<A> => {
  let thrown: { readonly error: unknown } | undefined
  try {
    return await drizzle.transaction(async (tx) => {
      try {
        return await body(tx)
      } catch (error) {
        thrown = { error }
        throw error
      }
    }, config)
  } catch (error) {
    throw thrown === undefined ? error : thrown.error
  }
}

const tries = 5
/** Whoever waits for the answer, Polar for one, gives up after ten seconds. */
const patienceMillis = 8000

/**
 * The whole transaction again, from the beginning: after a lock that did not come in time (1205) the server keeps the
 * transaction open, but drizzle has rolled it back by now. The pause differs each time, so that rivals do not meet again.
 */
const again = async <A>(run: () => Promise<A>): Promise<A> => {
  const start = performance.now()
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      if (attempt === tries || !isConflict(error) || performance.now() - start > patienceMillis) throw error
      const pause = 10 * 2 ** attempt * (0.5 + Math.random())
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

const oneAtATime = () => {
  let last: Promise<unknown> = Promise.resolve()
  return <A>(run: () => Promise<A>): Promise<A> => {
    const next = last.then(run, run)
    last = next
    return next
  }
}

/**
 * mysql2 escapes text with backslashes, which end the text where the server takes them for ordinary characters. A
 * character set that is not UTF-8 to four bytes turns what it lacks into question marks. And without autocommit a read
 * leaves a transaction open behind it, in which later ones see the past.
 */
const requireUsable = async (queries: Queries): Promise<void> => {
  const [row] = await uncached(
    queries
      .select({
        mode: sql<string>`@@SESSION.sql_mode`,
        client: sql<string>`@@SESSION.character_set_client`,
        results: sql<string | null>`@@SESSION.character_set_results`,
        autocommit: sql<unknown>`@@SESSION.autocommit`
      })
      .from(sql`(SELECT 1 AS one) AS session`)
  )
  if (row?.mode.split(",").includes("NO_BACKSLASH_ESCAPES")) {
    throw new DriverError(
      "schema",
      "the connection's sql_mode has NO_BACKSLASH_ESCAPES, with which mysql2 cannot pass text safely; take it out of the session's sql_mode"
    )
  }
  if (Number(row?.autocommit) === 0) {
    throw new DriverError("schema", "the connection's autocommit is off, and the store needs it on")
  }
  for (const charset of [row?.client, row?.results]) {
    if (charset !== undefined && charset !== null && charset !== "utf8mb4") {
      throw new DriverError(
        "schema",
        `the connection's character set is ${charset}, and the store needs utf8mb4; leave the pool's option charset at its default`
      )
    }
  }
}

interface Pool {
  readonly getConnection: () => Promise<PooledConnection>
}

const isPool = (client: unknown): client is Pool =>
  typeof client === "object" && client !== null && "getConnection" in client

const transactOn = async <A>(client: unknown, manner: Manner, body: (exchange: Exchange) => Promise<A>): Promise<A> => {
  if (isPool(client)) return transactOnPooled(await client.getConnection(), manner, body)
  if (isConnection(client)) return transact(client, manner, body)
  throw notOnMysql2()
}

const notOnMysql2 = () => new DriverError("unknown", "the database is none of drizzle's on mysql2")

/** A pool is one too, for a statement that stands alone. */
const isConnection = (client: unknown): client is Connection =>
  typeof client === "object" && client !== null && "query" in client && "execute" in client

/** drizzle declares its session and what the session has internal. */
const ofSession = (db: object, name: string): unknown => {
  const session: unknown = Reflect.get(db, "session")
  return typeof session === "object" && session !== null ? Reflect.get(session, name) : undefined
}

const clientOf = (db: object): unknown => ofSession(db, "client")

/** The app's, which it gave drizzle to see what runs. */
const logOf = (db: object): Manner["log"] => {
  const logger: unknown = ofSession(db, "logger")
  if (typeof logger !== "object" || logger === null || !("logQuery" in logger)) return undefined
  const { logQuery } = logger
  return typeof logQuery === "function" ? (text, values) => Reflect.apply(logQuery, logger, [text, values]) : undefined
}
