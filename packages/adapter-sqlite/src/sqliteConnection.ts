/** The store's connection to SQLite. Every transaction is synchronous, so within a process one runs at a time. */

import type { SqlConnection } from "@kavach-polar/core/adapter"
import { type Batch, type Rows, runSync, type Script, sqliteDialect } from "@kavach-polar/core/adapter"
import { isRead, type SqliteDatabase } from "./SqliteDatabase.ts"
import * as SqlitePatience from "./SqlitePatience.ts"
import { explain } from "./SqliteProblem.ts"

export const sqliteConnection = (database: SqliteDatabase): SqlConnection => {
  const patiently = SqlitePatience.make()
  const runBatch = ({ statements }: Batch): ReadonlyArray<Rows> => statements.map(database.run)

  /** What the script answers with, and whether it wrote anything. */
  const runWhole = <A>(script: () => Script<A>): { readonly answer: A; readonly wrote: boolean } => {
    let wrote = false
    const answer = runSync(script(), (batch) => {
      wrote ||= batch.statements.some(({ text }) => !isRead(text))
      return runBatch(batch)
    })
    return { answer, wrote }
  }

  return {
    dialect: sqliteDialect,
    parallelSteps: 1,
    read: (script) => runSync(script(), runBatch),
    // Power that fails may undo a relaxed one: then a call is made once more, which apps are ready for.
    transaction: (script, { relaxed = false } = {}) => {
      const transact = relaxed ? database.transactionInPassing : database.transaction
      return patiently(
        () =>
          transact(
            () => runWhole(script),
            ({ wrote }) => wrote
          ).answer
      )
    },
    migration: (script) =>
      patiently(() => {
        database.transaction(
          () => runWhole(script),
          () => true
        )
      }, SqlitePatience.migrationPatience),
    explain
  }
}
