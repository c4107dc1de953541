/**
 * node-postgres without drizzle's help, which keeps a connection of the pool for ever if it breaks at BEGIN, and sends one
 * statement in a message.
 */
import { type Connection, NodePostgresBatch, type TextRows } from "./NodePostgresBatch.ts"
import { begin, commit, rollback, type Statement, type Value } from "./PostgresStatement.ts"

/** The rows that a statement answers with, and of each its values in the order of the columns. */
export type Answer = ReadonlyArray<ReadonlyArray<unknown>>

export interface Execution {
  readonly one: (statement: Statement) => Promise<Answer>
  /** One after the other, in one message where that is possible. */
  readonly inTurn: (statements: ReadonlyArray<Statement>) => Promise<ReadonlyArray<Answer>>
}

/** Where each is a message of its own. */
export const eachByItself =
  (one: Execution["one"]): Execution["inTurn"] =>
  async (statements) => {
    const answers: Array<Answer> = []
    for (const statement of statements) answers.push(await one(statement))
    return answers
  }

/** The part of node-postgres's Client that is used. */
export interface NodePostgresClient {
  readonly query: {
    (query: Query): Promise<Result>
    (batch: NodePostgresBatch): unknown
  }
  readonly on: (event: "error", listener: (error: Error) => void) => unknown
  readonly removeListener: (event: "error", listener: (error: Error) => void) => unknown
}

interface Result {
  readonly rows: Answer
}

interface Releasable {
  readonly release: (error?: Error) => void
}

export interface NodePostgresPool {
  readonly query: (query: Query) => Promise<Result>
  readonly connect: () => Promise<NodePostgresClient & Releasable>
}

/** A statement as node-postgres takes it; one that has a name is prepared once for each connection. */
interface Query {
  readonly text: string
  readonly values?: ReadonlyArray<Value>
  readonly name?: string
  /** Of a row its values alone. */
  readonly rowMode?: "array"
}

const queryOf = ({ values, wording }: Statement, prepare: boolean): Query =>
  prepare && wording.recurs
    ? { text: wording.text, values, name: wording.name, rowMode: "array" }
    : { text: wording.text, values, rowMode: "array" }

export const one =
  (client: NodePostgresPool | NodePostgresClient, prepare: boolean): Execution["one"] =>
  async (statement) => {
    const { rows } = await client.query(queryOf(statement, prepare))
    return rows
  }

const executionOn = (client: NodePostgresClient, prepare: boolean): Execution => {
  if (!takesBatches(client)) {
    const alone = one(client, prepare)
    return { one: alone, inTurn: eachByItself(alone) }
  }
  const inTurn = (statements: ReadonlyArray<Statement>) =>
    new Promise<ReadonlyArray<TextRows>>((resolve, reject) => {
      client.query(
        new NodePostgresBatch(statements, prepare, (error, answers = []) =>
          error === null ? resolve(answers) : reject(error)
        )
      )
    })
  return { one: async (statement) => (await inTurn([statement]))[0] ?? [], inTurn }
}

/** The bindings to libpq have no such connection, and in its pipeline mode node-postgres takes no queries but its own. */
const takesBatches = (client: object): boolean => {
  const connection: unknown = Reflect.get(client, "connection")
  return Reflect.get(client, "pipeline") !== true && isConnection(connection)
}

const isConnection = (connection: unknown): connection is Connection =>
  hasFunctions(connection, ["parse", "bind", "execute", "sync", "on", "removeListener"]) && "stream" in connection

/** What runs in a transaction: it begins with the first statements, and need not be committed by itself. */
export interface TransactionExecution extends Execution {
  /** Runs the last ones, and commits with them. */
  readonly commit: Execution["inTurn"]
}

/**
 * When a connection breaks, its client rejects what is under way and emits "error" besides, which ends the process if nobody
 * listens: the pool listens to idle clients only.
 */
export const transactOn = async <A>(
  client: NodePostgresClient & Partial<Releasable>,
  body: (execution: TransactionExecution) => Promise<A>,
  prepare: boolean
): Promise<A> => {
  let broken: Error | undefined
  const listener = (error: Error) => {
    broken = error
  }
  client.on("error", listener)
  const execution = executionOn(client, prepare)
  let begun = false
  let committed = false
  const inTurn = async (statements: ReadonlyArray<Statement>) => {
    if (begun) return execution.inTurn(statements)
    begun = true
    return (await execution.inTurn([begin, ...statements])).slice(1)
  }
  try {
    const result = await body({
      one: async (statement) => (await inTurn([statement]))[0] ?? [],
      inTurn,
      commit: async (statements) => {
        const answers = await inTurn([...statements, commit])
        committed = true
        return answers
      }
    })
    if (begun && !committed) await execution.one(commit)
    return result
  } catch (error) {
    if (begun && !committed) {
      await execution.one(rollback).catch((failed: Error) => {
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

export const isPool = (client: unknown): client is NodePostgresPool =>
  hasFunctions(client, ["connect", "query"]) && "totalCount" in client

export const isClient = (client: unknown): client is NodePostgresClient =>
  hasFunctions(client, ["query", "on", "removeListener", "escapeLiteral"])

const hasFunctions = (value: unknown, names: ReadonlyArray<string>): value is object =>
  typeof value === "object" && value !== null && names.every((name) => typeof Reflect.get(value, name) === "function")
