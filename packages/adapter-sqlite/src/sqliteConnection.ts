/** The store's connection to SQLite. Every transaction is synchronous, so within a process one runs at a time. */

import type { SqlConnection } from "@kavach-polar/core/adapter"
import { type Batch, type Rows, runSync, type Script, sqliteDialect } from "@kavach-polar/core/adapter"
import type { SqliteDatabase } from "./SqliteDatabase.ts"
import * as SqlitePatience from "./SqlitePatience.ts"
import { explain } from "./SqliteProblem.ts"

export const sqliteConnection = (database: SqliteDatabase): SqlConnection => {
  const patiently = SqlitePatience.make()
  const runBatch = ({ statements }: Batch): ReadonlyArray<Rows> => statements.map(database.run)

  const runWhole = <A>(script: () => Script<A>): A => runSync(script(), runBatch)

  return {
    dialect: sqliteDialect,
    parallelSteps: 1,
    read: runWhole,
    // Power that fails may undo a relaxed one: then a call is made once more, which apps are ready for.
    transaction: (script, { relaxed = false } = {}) => {
      const transact = relaxed ? database.transactionInPassing : database.transaction
      return patiently(() => transact(() => runWhole(script)))
    },
    migration: (script) =>
      patiently(() => database.transaction(() => runWhole(script)), SqlitePatience.migrationPatience),
    explain
  }
}
