/** The store's connection to PostgreSQL: every call ends by a deadline, and is tried again until then while others are in its way. */
import { callMillis, retryConflicts, type SqlConnection } from "@kavach-polar/core/adapter"
import type { Connections } from "./Connections.ts"
import { explain, isConflict } from "./PostgresProblem.ts"
import { postgresDialect } from "./postgresDialect.ts"

/** Migrations of many processes that start at once take turns, and one may have many rows to write. */
const migrationMillis = 60_000

export const postgresConnection = ({ read, transaction }: Connections): SqlConnection => ({
  dialect: postgresDialect,
  // While one waits for the server, another is made ready and a third written to the disk.
  parallelSteps: 3,
  read: (script) => retryConflicts((deadline) => read(script, deadline), isConflict),
  // Its first statements say what `relaxed` means.
  transaction: (script, options) =>
    retryConflicts((deadline) => transaction(script, deadline), isConflict, callMillis, options),
  migration: (script) => retryConflicts((deadline) => transaction(script, deadline), isConflict, migrationMillis),
  explain
})
