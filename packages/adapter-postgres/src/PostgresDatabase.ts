/**
 * A drizzle database as this adapter uses it, whatever its driver: statements that answer with JSON, transactions that
 * are READ COMMITTED, and patience with conflicts.
 */

import { DriverError } from "@kavach-polar/core/adapter/DriverError"
import { type SQL, sql } from "drizzle-orm"
import type { PgDatabase, PgQueryResultHKT, PgTransactionConfig } from "drizzle-orm/pg-core"
import type { TablesRelationalConfig } from "drizzle-orm/relations"
import * as NodePostgres from "./NodePostgres.ts"
import { isConflict } from "./PostgresProblem.ts"
import { isolationLevel, type Statement, type Value } from "./PostgresStatement.ts"

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

export interface Transaction extends Session {
  /** Runs statements one after the other, in one message where the driver can do that. */
  readonly ask: (statements: ReadonlyArray<Statement>) => Promise<ReadonlyArray<NodePostgres.Answer>>
  /** The same with the last ones of the transaction, and commits it. */
  readonly commit: (statements: ReadonlyArray<Statement>) => Promise<ReadonlyArray<NodePostgres.Answer>>
}

export interface PostgresDatabase extends Session {
  /** Commits what `body` did, or nothing of it if it rejects. Conflicts with others run it again, a few times. */
  readonly transaction: <A>(body: (transaction: Transaction) => Promise<A>) => Promise<A>
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
  if (NodePostgres.isPool(client)) {
    return patient(sessionOn(NodePostgres.one(client, prepare)), async (body) =>
      NodePostgres.transactOn(await client.connect(), (execution) => body(transactionOn(execution)), prepare)
    )
  }
  if (NodePostgres.isClient(client)) {
    // Two transactions on one connection would become one.
    const inTurn = oneAtATime()
    const execute = NodePostgres.one(client, prepare)
    return patient(
      sessionOn((statement) => inTurn(() => execute(statement))),
      (body) => inTurn(() => NodePostgres.transactOn(client, (execution) => body(transactionOn(execution)), prepare))
    )
  }
  return patient(sessionOn(executionBy(drizzle)), (body) => transactByDrizzle(drizzle, body))
}

type Execute = NodePostgres.Execution["one"]

const sessionOn = (execute: Execute): Session => ({
  run: async (statement) => {
    await execute(statement)
  },
  answer: async (statement) => valueIn(await execute(statement)),
  rows: async <Row extends ReadonlyArray<Value>>(statement: Statement) => {
    const rows = await execute(statement)
    if (!rows.every(isOfTexts<Row>)) throw noText()
    return rows
  }
})

const transactionOn = ({ commit, inTurn, one }: NodePostgres.TransactionExecution): Transaction => ({
  ...sessionOn(one),
  ask: inTurn,
  commit
})

/** Of one row with one column, JSON as text: the value. */
export const valueIn = <A>([row]: NodePostgres.Answer): A => {
  const text = row?.[0]
  if (typeof text !== "string") throw noText()
  return JSON.parse(text)
}

const isOfTexts = <Row extends ReadonlyArray<Value>>(row: ReadonlyArray<unknown>): row is Row =>
  row.every((value) => typeof value === "string" || value === null)

const noText = () => new DriverError("unknown", "a statement answered with something else")

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

type Transact = <A>(body: (transaction: Transaction) => Promise<A>) => Promise<A>

const transactByDrizzle = async <A>(drizzle: Drizzle, body: (transaction: Transaction) => Promise<A>): Promise<A> => {
  // When the connection is gone, drizzle's own rollback throws another error.
  let thrown: { readonly error: unknown } | undefined
  try {
    return await drizzle.transaction(
      async (tx) => {
        const execute = executionBy(tx)
        const inTurn = NodePostgres.eachByItself(execute)
        try {
          // What is left to be done after the last ones is drizzle's own commit.
          return await body({ ...sessionOn(execute), ask: inTurn, commit: inTurn })
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
