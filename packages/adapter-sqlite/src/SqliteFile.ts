/** A SQLite file of this process's own. */
import { existsSync } from "node:fs"
import { dirname } from "node:path"
import { codeOf, DriverError, loadedBy } from "@kavach-polar/core/adapter"
import { StoreError } from "@kavach-polar/core/StoreError"
import type { Database } from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { betterSqlite3, betterSqlite3NotInstalled } from "./drivers.ts"
import { blockMillis } from "./SqlitePatience.ts"
import { explain } from "./SqliteProblem.ts"

/**
 * Opens a file with better-sqlite3 until the scope ends: in WAL mode, with every commit on disk before it returns, and
 * hardly waiting for other writers by itself: that is the store's to do. The driver is loaded by this call and not by importing the module.
 */
export const open = (
  filename: string,
  { keepsJournalMode = false }: { readonly keepsJournalMode?: boolean | undefined } = {}
): Effect.Effect<Database, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const BetterSqlite3 = yield* loadedBy(betterSqlite3)
    const client = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          if (!isInMemory(filename) && !existsSync(dirname(filename))) {
            throw new DriverError("unavailable", `the folder ${dirname(filename)} does not exist`)
          }
          return new BetterSqlite3(filename, { timeout: blockMillis })
        },
        catch: failed
      }),
      (opened) => Effect.sync(() => opened.close())
    )
    // Another process may be writing the new file, or turning it to WAL as well, and then SQLite does not wait by itself.
    yield* Effect.retry(
      Effect.try({
        try: () => {
          // The mode is written into the file, and stays when it is closed.
          if (!keepsJournalMode && client.pragma("journal_mode", { simple: true }) !== "wal") {
            client.pragma("journal_mode = WAL")
          }
          client.pragma("synchronous = FULL")
          client.pragma("foreign_keys = ON")
          client.pragma(`wal_autocheckpoint = ${checkpointPages}`)
          // What a statement sets aside, such as the rows of a RETURNING, would be written to a file of its own.
          client.pragma("temp_store = MEMORY")
        },
        catch: failed
      }),
      { while: (error) => error.reason === "busy", schedule: Schedule.upTo(Schedule.spaced("50 millis"), "5 seconds") }
    )
    return client
  })

/**
 * How many pages the log takes before they go into the file, 16 MB of 4 KB each. SQLite's default of 1000 is full after some
 * fifty deliveries, whose ids are spread over all pages of the indexes: fewer times means that each page goes less often.
 */
const checkpointPages = 4000

/** `:memory:`, or a temporary database for the empty name. */
const isInMemory = (filename: string): boolean => filename === ":memory:" || filename === ""

const failed = (error: unknown) =>
  isNotBuilt(error) ? betterSqlite3NotInstalled(error) : new StoreError({ operation: "open", ...explain(error) })

/** The driver's compiled part is missing, or was compiled for another version of Node; it is loaded with the first file. */
const isNotBuilt = (error: unknown): boolean =>
  codeOf(error) === "ERR_DLOPEN_FAILED" ||
  (error instanceof Error && error.message.startsWith("Could not locate the bindings file"))
