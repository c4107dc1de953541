/** A SQLite file of this process's own. */
import { existsSync } from "node:fs"
import { dirname } from "node:path"
import { StoreError } from "@kavach-polar/core/StoreError"
import { StoreProblem } from "@kavach-polar/core/StoreProblem"
import type { BetterSQLite3Database } from "drizzle-orm/better-sqlite3"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { blockMillis } from "./SqlitePatience.ts"
import { explain } from "./SqliteProblem.ts"

/**
 * Opens a file with better-sqlite3 until the scope ends: in WAL mode, with every commit on disk before it returns, and
 * hardly waiting for other writers by itself: that is the store's to do. The driver is loaded by this call and not by importing the module.
 */
export const open = (filename: string): Effect.Effect<BetterSQLite3Database, StoreError, Scope.Scope> =>
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
            throw new StoreProblem("unavailable", `the folder ${dirname(filename)} does not exist`)
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
        },
        catch: failed
      }),
      { while: (error) => error.reason === "busy", schedule: Schedule.upTo(Schedule.spaced("50 millis"), "5 seconds") }
    )
    return drizzle(client)
  })

/** `:memory:`, or a temporary database for the empty name. */
const isInMemory = (filename: string): boolean => filename === ":memory:" || filename === ""

const failed = (error: unknown) =>
  isNotBuilt(error) ? notInstalled(error) : new StoreError({ operation: "open", ...explain(error) })

/** The driver's compiled part is missing, or was compiled for another version of Node; it is loaded with the first file. */
const isNotBuilt = (error: unknown): boolean =>
  codeOf(error) === "ERR_DLOPEN_FAILED" ||
  (error instanceof Error && error.message.startsWith("Could not locate the bindings file"))

const notInstalled = (error: unknown) =>
  new StoreError({
    operation: "open",
    reason: "unavailable",
    detail: `better-sqlite3 cannot be loaded (${codeOf(error)}); run npm install better-sqlite3 drizzle-orm, or npm rebuild better-sqlite3`
  })

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no code"
