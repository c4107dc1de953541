/** A SQLite file of this process's own. */
import { existsSync } from "node:fs"
import { dirname } from "node:path"
import { codeOf, DriverError, driverNotInstalled } from "@kavach-polar/core/adapter"
import { StoreError } from "@kavach-polar/core/StoreError"
import type { BetterSQLite3Database } from "drizzle-orm/better-sqlite3"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { BetterSqlite3Client } from "./SqliteDatabase.ts"
import { blockMillis } from "./SqlitePatience.ts"
import { explain } from "./SqliteProblem.ts"

export interface SqliteFile {
  readonly drizzle: BetterSQLite3Database
  readonly client: BetterSqlite3Client
}

/**
 * Opens a file with better-sqlite3 until the scope ends: in WAL mode, with every commit on disk before it returns, and
 * hardly waiting for other writers by itself: that is the store's to do. The driver is loaded by this call and not by importing the module.
 */
export const open = (filename: string): Effect.Effect<SqliteFile, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { drizzle } = yield* Effect.tryPromise({
      try: () => import("drizzle-orm/better-sqlite3"),
      catch: notInstalled
    })
    const { default: Database } = yield* Effect.tryPromise({ try: () => import("better-sqlite3"), catch: notInstalled })
    const client = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          if (!isInMemory(filename) && !existsSync(dirname(filename))) {
            throw new DriverError("unavailable", `the folder ${dirname(filename)} does not exist`)
          }
          return new Database(filename, { timeout: blockMillis })
        },
        catch: failed
      }),
      (opened) => Effect.sync(() => opened.close())
    )
    // Another process may be writing the new file, or turning it to WAL as well, and then SQLite does not wait by itself.
    yield* Effect.retry(
      Effect.try({
        try: () => {
          if (client.pragma("journal_mode", { simple: true }) !== "wal") client.pragma("journal_mode = WAL")
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
    return { drizzle: drizzle(client), client }
  })

/**
 * How many pages the log takes before they go into the file, 16 MB of 4 KB each. SQLite's default of 1000 is full after some
 * fifty deliveries, whose ids are spread over all pages of the indexes: fewer times means that each page goes less often.
 */
const checkpointPages = 4000

/** `:memory:`, or a temporary database for the empty name. */
const isInMemory = (filename: string): boolean => filename === ":memory:" || filename === ""

const failed = (error: unknown) =>
  isNotBuilt(error) ? notInstalled(error) : new StoreError({ operation: "open", ...explain(error) })

/** The driver's compiled part is missing, or was compiled for another version of Node; it is loaded with the first file. */
const isNotBuilt = (error: unknown): boolean =>
  codeOf(error) === "ERR_DLOPEN_FAILED" ||
  (error instanceof Error && error.message.startsWith("Could not locate the bindings file"))

const notInstalled = driverNotInstalled("better-sqlite3", "better-sqlite3 drizzle-orm, or npm rebuild better-sqlite3")
