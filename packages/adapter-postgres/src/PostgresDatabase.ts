/**
 * A drizzle database as this adapter uses it, whatever its driver: statements that answer with JSON, transactions that
 * are READ COMMITTED, and patience with conflicts.
 */

import { StoreProblem } from "@kavach-polar/core/StoreProblem"
import { type SQL, sql } from "drizzle-orm"
import type { PgDatabase, PgQueryResultHKT, PgTransactionConfig } from "drizzle-orm/pg-core"
import type { TablesRelationalConfig } from "drizzle-orm/relations"
import { isConflict } from "./PostgresProblem.ts"
import { once, type Statement, type Value } from "./PostgresStatement.ts"

/** A drizzle database on PostgreSQL, made with or without a schema: node-postgres's, postgres.js's, PGlite's and the like. */
export type PgDrizzle<
  TQueryResult extends PgQueryResultHKT,
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
> = PgDatabase<TQueryResult, TFullSchema, TSchema>

/**
 * Drivers and their settings differ in what they make of numbers, times and column names; of a text they all make a
 * string. So statements answer with texts, and what type they are to have is theirs to say.
 */
export interface Session {
  readonly run: (statement: Statement) => Promise<void>
  /** Of a statement that yields one row with one column, JSON as text: the value. */
  readonly answer: <A>(statement: Statement) => Promise<A>
  /** Of a statement whose columns are all texts, in their order. */
  readonly rows: <Row extends ReadonlyArray<Value>>(statement: Statement) => Promise<ReadonlyArray<Row>>
}

export interface PostgresDatabase extends Session {
  /** Commits what `body` did, or nothing of it if it rejects. Conflicts with others run it again, a few times. */
  readonly transaction: <A>(body: (session: Session) => Promise<A>) => Promise<A>
}

export interface DatabaseOptions {
  /**
   * Whether the server keeps statements prepared, which takes half of its work away. Not where a pooler hands a connection
   * to another client after each transaction. Only with node-postgres. Default: false.
   */
  readonly prepare?: boolean | undefined
}

export const make = <
  TQueryResult extends PgQueryResultHKT,
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
>(
  db: PgDrizzle<TQueryResult, TFullSchema, TSchema>,
  { prepare = false }: DatabaseOptions = {}
): PostgresDatabase => {
  const drizzle: Drizzle = db
  const client = clientOf(db)
  if (isPool(client)) {
    return patient(sessionOn(executionOn(client, prepare)), async (body) =>
      transactOn(await client.connect(), body, prepare)
    )
  }
  if (isClient(client)) {
    // Two transactions on one connection would become one.
    const inTurn = oneAtATime()
    const execute = executionOn(client, prepare)
    return patient(
      sessionOn((statement) => inTurn(() => execute(statement))),
      (body) => inTurn(() => transactOn(client, body, prepare))
    )
  }
  return patient(sessionOn(executionBy(drizzle)), (body) => transactByDrizzle(drizzle, body))
}

/** Runs a statement and answers with its rows, whose values are in the order of the columns. */
type Execute = (statement: Statement) => Promise<ReadonlyArray<ReadonlyArray<unknown>>>

const sessionOn = (execute: Execute): Session => ({
  run: async (statement) => {
    await execute(statement)
  },
  answer: async (statement) => {
    const [row] = await execute(statement)
    const text = row?.[0]
    if (typeof text !== "string") throw noText()
    return JSON.parse(text)
  },
  rows: async <Row extends ReadonlyArray<Value>>(statement: Statement) => {
    const rows = await execute(statement)
    if (!rows.every(isOfTexts<Row>)) throw noText()
    return rows
  }
})

const isOfTexts = <Row extends ReadonlyArray<Value>>(row: ReadonlyArray<unknown>): row is Row =>
  row.every((value) => typeof value === "string" || value === null)

const noText = () => new StoreProblem("unknown", "a statement answered with something else")

/** What is used of it; the same whatever its driver and schema. */
interface Drizzle extends Executes {
  readonly transaction: <A>(body: (tx: Executes) => Promise<A>, config: PgTransactionConfig) => Promise<A>
}

interface Executes {
  readonly execute: (statement: SQL) => PromiseLike<unknown>
}

const executionBy =
  (drizzle: Executes): Execute =>
  async ({ values, wording: { pieces } }) => {
    const result = await drizzle.execute(sql(Object.assign([...pieces], { raw: pieces }), ...values))
    return rowsOf(result).map((row) => Object.values(row))
  }

/** postgres.js answers with rows, the other drivers with an object that has them. */
const rowsOf = (result: unknown): ReadonlyArray<object> => {
  const rows = typeof result === "object" && result !== null && "rows" in result ? result.rows : result
  return Array.isArray(rows) ? rows : []
}

const executionOn =
  (client: Pick<NodePostgresClient, "query">, prepare: boolean): Execute =>
  async (statement) => {
    const result = await client.query(queryOf(statement, prepare))
    return "rows" in result ? result.rows : (result.at(-1)?.rows ?? [])
  }

// Whatever the server's default is: each statement has to see what was committed before it began.
const isolationLevel = "read committed"

type Transact = <A>(body: (session: Session) => Promise<A>) => Promise<A>

const transactByDrizzle = async <A>(drizzle: Drizzle, body: (session: Session) => Promise<A>): Promise<A> => {
  // When the connection is gone, drizzle's own rollback throws another error.
  let thrown: { readonly error: unknown } | undefined
  try {
    return await drizzle.transaction(
      async (tx) => {
        try {
          return await body(sessionOn(executionBy(tx)))
        } catch (error) {
          thrown = { error }
          throw error
        }
      },
      { isolationLevel }
    )
  } catch (error) {
    throw thrown === undefined ? error : thrown.error
  }
}

/**
 * On node-postgres without drizzle's help, which keeps a connection of the pool for ever if it breaks at BEGIN. When a
 * connection breaks later, its client rejects what is under way and emits "error" besides, which ends the process if
 * nobody listens: the pool listens to idle clients only.
 */
const transactOn = async <A>(
  client: NodePostgresClient & Partial<Releasable>,
  body: (session: Session) => Promise<A>,
  prepare: boolean
): Promise<A> => {
  let broken: Error | undefined
  const listener = (error: Error) => {
    broken = error
  }
  client.on("error", listener)
  const begin = `BEGIN ISOLATION LEVEL ${isolationLevel}`
  let begun = false
  const execute = executionOn(client, prepare)
  const first: Execute = async (statement) => {
    begun = true
    // Both in one message; with parameters PostgreSQL takes one statement at a time.
    if (statement.values.length === 0) return execute(once(`${begin}; ${statement.wording.text}`))
    await client.query({ text: begin })
    return execute(statement)
  }
  try {
    const result = await body(sessionOn((statement) => (begun ? execute(statement) : first(statement))))
    if (begun) await client.query({ text: "COMMIT" })
    return result
  } catch (error) {
    if (begun) {
      await client.query({ text: "ROLLBACK" }).catch((failed: Error) => {
        broken ??= failed
      })
    }
    throw error
  } finally {
    client.removeListener("error", listener)
    // With an error the pool closes the connection, and what was not committed is rolled back.
    client.release?.(broken)
  }
}

/** A statement as node-postgres takes it; one that has a name is prepared once for each connection. */
interface Query {
  readonly text: string
  readonly values?: ReadonlyArray<Value>
  readonly name?: string
  /** Of a row its values alone. */
  readonly rowMode?: "array"
}

const queryOf = ({ values, wording }: Statement, prepare: boolean): Query => {
  // Only what has parameters comes again with the same text.
  if (values.length === 0) return { text: wording.text, rowMode: "array" }
  return prepare
    ? { text: wording.text, values, name: wording.name, rowMode: "array" }
    : { text: wording.text, values, rowMode: "array" }
}

const patient = (session: Session, transact: Transact): PostgresDatabase => ({
  run: (statement) => patiently(() => session.run(statement)),
  answer: <A>(statement: Statement) => patiently(() => session.answer<A>(statement)),
  rows: <Row extends ReadonlyArray<Value>>(statement: Statement) => patiently(() => session.rows<Row>(statement)),
  transaction: (body) => patiently(() => transact(body))
})

const tries = 5

/** Runs it again while others are in its way. Nothing of a try stays that ended in a conflict. */
const patiently = async <A>(attempt: () => Promise<A>): Promise<A> => {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      if (failures === tries || !isConflict(error)) throw error
      // At random, so that those who met do not meet again.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * 2 ** failures))
    }
  }
}

const oneAtATime = () => {
  let last: Promise<unknown> = Promise.resolve()
  return <A>(attempt: () => Promise<A>): Promise<A> => {
    const next = last.then(attempt, attempt)
    last = next
    return next
  }
}

/** drizzle declares its session internal, and only some of its databases have `$client`. */
const clientOf = (db: object): unknown => {
  const session: unknown = Reflect.get(db, "session")
  const client: unknown = typeof session === "object" && session !== null ? Reflect.get(session, "client") : undefined
  return client ?? Reflect.get(db, "$client")
}

/** The part of node-postgres's Client that is used. */
interface NodePostgresClient {
  /** Answers with a list to several statements in one message. */
  readonly query: (query: Query) => Promise<Result | ReadonlyArray<Result>>
  readonly on: (event: "error", listener: (error: Error) => void) => unknown
  readonly removeListener: (event: "error", listener: (error: Error) => void) => unknown
}

interface Result {
  readonly rows: ReadonlyArray<ReadonlyArray<unknown>>
}

interface Releasable {
  readonly release: (error?: Error) => void
}

interface NodePostgresPool {
  readonly query: NodePostgresClient["query"]
  readonly connect: () => Promise<NodePostgresClient & Releasable>
}

const isPool = (client: unknown): client is NodePostgresPool =>
  hasFunctions(client, ["connect", "query"]) && "totalCount" in client

const isClient = (client: unknown): client is NodePostgresClient =>
  hasFunctions(client, ["query", "on", "removeListener", "escapeLiteral"])

const hasFunctions = (value: unknown, names: ReadonlyArray<string>): value is object =>
  typeof value === "object" && value !== null && names.every((name) => typeof Reflect.get(value, name) === "function")
