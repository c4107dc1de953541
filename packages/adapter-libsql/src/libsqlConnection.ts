/** The store's connection to libSQL: a file of this machine's, or a server's database. */

import {
  type Batch,
  callMillis,
  deadlineIn,
  type Rows,
  retryConflicts,
  runAsync,
  type Script,
  type SqlConnection,
  type Statement,
  sqliteDialect,
  withinDeadline
} from "@kavach-polar/core/adapter"
import type { Client, InStatement, ResultSet, Transaction } from "@libsql/client"
import { explain, isConflict } from "./libsqlProblem.ts"
import { makeTurns } from "./turns.ts"

/** Of drizzle's logger. An app that looks at its database's statements sees the store's too. */
export type LogStatement = (text: string, values: Array<unknown>) => void

/** Migrations of many processes that start at once take turns. */
const migrationMillis = 60_000

export const libsqlConnection = (client: Client, log: LogStatement): SqlConnection => {
  const { inTurn } = makeTurns(isConflict)

  const prepared = ({ text, values }: Statement): InStatement => {
    log(text, [...values])
    // What is a whole number goes as one: over the wire, a number of JavaScript's is a floating-point one.
    return { sql: text, args: values.map((value) => (Number.isSafeInteger(value) ? BigInt(Number(value)) : value)) }
  }

  /**
   * A server is told with the first statements. On a file, a BEGIN IMMEDIATE that finds another writer leaves its connection
   * unable to commit ("SQL statements in progress") until the garbage collector comes by, unless it is part of a script.
   */
  const begin = async (): Promise<Transaction> => {
    if (client.protocol !== "file") return client.transaction("write")
    const transaction = await client.transaction("deferred")
    try {
      await transaction.executeMultiple("ROLLBACK; BEGIN IMMEDIATE")
      return transaction
    } catch (error) {
      transaction.close()
      throw error
    }
  }

  const readBatch = async ({ statements }: Batch): Promise<ReadonlyArray<Rows>> => {
    const [first, ...others] = statements.map(prepared)
    if (first === undefined) return []
    if (others.length === 0) return [rowsOf(await client.execute(first))]
    return (await client.batch([first, ...others], "deferred")).map(rowsOf)
  }

  const attempt = <A>(script: () => Script<A>, deadline: number): Promise<A> => {
    let transaction: Transaction | undefined
    let isOver = false
    // The server rolls back, and so does the file's connection. After a commit it only gives the stream back.
    const close = () => {
      isOver = true
      transaction?.close()
    }
    const runBatch = async ({ commits, statements }: Batch): Promise<ReadonlyArray<Rows>> => {
      if (isOver) throw new Error("the transaction was given up")
      const batch = statements.map(prepared)
      if (transaction === undefined && commits && client.protocol !== "file") {
        // All there is, with BEGIN and COMMIT in one message.
        return batch.length === 0 ? [] : (await client.batch(batch, "write")).map(rowsOf)
      }
      transaction ??= await begin()
      if (isOver) transaction.close()
      // A statement of a batch runs only after all those before it have succeeded, the commit too.
      const results = await transaction.batch(commits ? [...batch, "COMMIT"] : batch)
      return results.slice(0, batch.length).map(rowsOf)
    }
    return withinDeadline(runAsync(script(), runBatch).finally(close), deadline, close)
  }

  return {
    dialect: sqliteDialect,
    parallelSteps: 1,
    // Where there is one connection, as to a database in memory, a transaction of the app's may hold it.
    read: (script) =>
      retryConflicts((deadline) => withinDeadline(runAsync(script(), readBatch), deadline, () => {}), { isConflict }),
    transaction: (script) => inTurn((deadline) => attempt(script, deadline)),
    migration: async (script) => {
      // A server that says nothing is not waited for as long as a migration may take.
      await withinDeadline(client.execute("SELECT 1"), deadlineIn(callMillis), () => {})
      return inTurn((deadline) => attempt(script, deadline), migrationMillis)
    },
    explain
  }
}

const rowsOf = ({ rows }: ResultSet): Rows => rows.map((row) => Array.from(row))
