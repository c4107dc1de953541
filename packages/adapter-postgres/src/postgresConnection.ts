/** The store's connection to PostgreSQL: every call ends by a deadline, and is tried again until then while others are in its way. */
import { callMillis, retryConflicts, type SqlConnection } from "@kavach-polar/core/adapter"
import type { Connections } from "./Connections.ts"
import { findSchema, firstInPath, inSchema } from "./ownSchema.ts"
import { explain, isConflict, isLockWait } from "./PostgresProblem.ts"
import { postgresDialect } from "./postgresDialect.ts"

const conflicts = { isConflict, isLockWait }

/** Migrations of many processes that start at once take turns, and one may have many rows to write. */
const migrationMillis = 60_000

export const postgresConnection = ({ read, transaction }: Connections): SqlConnection => {
  let schema: string | undefined
  const ownSchema = async (deadline: number): Promise<string> => {
    schema ??= await read(findSchema, deadline)
    return schema
  }
  return {
    dialect: postgresDialect,
    // While one waits for the server, another is made ready and a third written to the disk.
    parallelSteps: 3,
    read: (script) =>
      retryConflicts(async (deadline) => {
        const own = await ownSchema(deadline)
        return read(() => inSchema(own, script()), deadline)
      }, conflicts),
    // Its first statements say what `relaxed` means.
    transaction: (script, options) =>
      retryConflicts(
        async (deadline) => {
          const own = await ownSchema(deadline)
          return transaction(() => inSchema(own, script()), deadline)
        },
        conflicts,
        callMillis,
        options
      ),
    migration: (script) =>
      retryConflicts(
        async (deadline) => {
          const own = await ownSchema(deadline)
          return transaction(() => inSchema(own, firstInPath(own, script)), deadline)
        },
        conflicts,
        migrationMillis
      ),
    explain: (error) => {
      const explained = explain(error)
      // The tables may be elsewhere by now, or were made since; look again next time.
      if (explained.reason === "schema") schema = undefined
      return explained
    }
  }
}
