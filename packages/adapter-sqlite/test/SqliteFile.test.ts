import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery, subscriptionIn } from "@kavach-polar/core/testing/polarDeliveries"
import Database from "better-sqlite3"
import { sql } from "drizzle-orm"
import { Config, ConfigProvider, Effect, Fiber, Layer } from "effect"
import { vi } from "vitest"
import { runChild } from "../../../test/runChild.ts"
import { temporaryFolder } from "../../../test/store/SqliteHarness.ts"
import { betterSqlite3NotInstalled } from "../src/drivers.ts"
import { makeOwn } from "../src/SqliteDatabase.ts"

const newFile = Effect.map(temporaryFolder, (folder) => join(folder, "app.db"))

it.scoped("commits are on disk when they return, readers do not block, and locks are waited for", () =>
  Effect.gen(function* () {
    const filename = yield* newFile
    // The driver's own default differs once a file is in WAL mode, so the second time counts too.
    for (const _time of ["first", "second"]) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const db = yield* SqliteStore.open(filename)
          const pragma = (name: string) => Object.values(db.get<Record<string, unknown>>(sql.raw(`PRAGMA ${name}`)))[0]
          expect(pragma("journal_mode")).toBe("wal")
          expect(pragma("synchronous")).toBe(2)
          expect(pragma("busy_timeout")).toBe(5)
          expect(pragma("foreign_keys")).toBe(1)
          expect(pragma("temp_store")).toBe(2)
        })
      )
    }
  })
)

it.scoped(
  "what need not wait for the disk waits for it without a write-ahead log, where power that fails could do damage",
  () =>
    Effect.gen(function* () {
      const client = new Database(yield* newFile)
      for (const [mode, synchronous] of [
        ["delete", 2],
        ["wal", 1]
      ] as const) {
        client.pragma(`journal_mode = ${mode}`)
        client.pragma("synchronous = FULL")
        const { transactionInPassing } = makeOwn(client, { keepsJournalMode: true })
        expect(transactionInPassing(() => client.pragma("synchronous", { simple: true }))).toBe(synchronous)
        expect(client.pragma("synchronous", { simple: true })).toBe(2)
      }
      client.close()
    })
)

it.scopedLive("a new file that somebody is writing is waited for", () =>
  Effect.gen(function* () {
    const filename = yield* newFile
    const other = new Database(filename)
    other.exec("CREATE TABLE t (x); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
    const opening = yield* Effect.fork(SqliteStore.open(filename))
    yield* Effect.sleep("120 millis")
    other.exec("COMMIT")
    const db = yield* Fiber.join(opening)
    expect(db.get(sql`PRAGMA journal_mode`)).toEqual({ journal_mode: "wal" })
    other.close()
  })
)

it.scoped("the file is closed with the scope, and another store reads what was written", () =>
  Effect.gen(function* () {
    const filename = yield* newFile
    const userId = UserId.make("user-1")
    const delivery = subscriptionDelivery(newScene(), "created", { externalId: userId })
    const store = yield* Effect.gen(function* () {
      const store = yield* BillingStore
      yield* store.migrate
      yield* store.applyDeliveries([delivery], defaultPolicy)
      return store
    }).pipe(Effect.provide(SqliteStore.layer({ filename })))
    const closed = yield* Effect.flip(store.subscriptionsOf(userId, "all"))
    expect(closed.reason).toBe("unavailable")
    yield* Effect.gen(function* () {
      const store = yield* BillingStore
      expect(yield* store.subscriptionsOf(userId, "all")).toEqual([subscriptionIn(delivery)])
    }).pipe(Effect.provide(SqliteStore.layer({ filename })))
  })
)

it.scoped("layerConfig takes the file's name from the configuration", () =>
  Effect.gen(function* () {
    const config = SqliteStore.layerConfig({ filename: Config.string("DATABASE_FILE") })
    const provider = ConfigProvider.fromMap(new Map([["DATABASE_FILE", yield* newFile]]))
    const store = yield* Effect.provide(BillingStore, Layer.provide(config, Layer.setConfigProvider(provider)))
    expect(store.migrate).toBeDefined()
    const missing = yield* Effect.flip(Layer.build(config))
    expect(String(missing)).toContain("DATABASE_FILE")
  })
)

const openError = (filename: string) => Effect.flip(Effect.scoped(SqliteStore.open(filename)))

it.scoped("a folder that does not exist is named", () =>
  Effect.gen(function* () {
    const folder = join(yield* temporaryFolder, "not", "there")
    const error = yield* openError(join(folder, "app.db"))
    expect(error).toMatchObject({
      operation: "open",
      reason: "unavailable",
      detail: `the folder ${folder} does not exist`
    })
  })
)

it.scoped("a folder in place of a file cannot be opened", () =>
  Effect.gen(function* () {
    const folder = join(yield* temporaryFolder, "app.db")
    mkdirSync(folder)
    expect(yield* openError(folder)).toMatchObject({
      reason: "denied",
      detail: expect.stringContaining("SQLITE_CANTOPEN")
    })
  })
)

it.scoped("a file that is no database is left alone", () =>
  Effect.gen(function* () {
    const filename = yield* newFile
    writeFileSync(filename, "this is a letter to my aunt, and it is long enough to be looked at ".repeat(20))
    expect(yield* openError(filename)).toMatchObject({
      reason: "unavailable",
      detail: expect.stringContaining("not a database")
    })
  })
)

it.live("importing the package loads no database driver; opening a file does", () =>
  Effect.gen(function* () {
    const printed: unknown = JSON.parse(
      yield* Effect.promise(() => runChild(new URL("children/imports.ts", import.meta.url)))
    )
    expect(printed).toEqual({ before: [], after: ["better-sqlite3"] })
  })
)

it("a driver that cannot be loaded: what to do, on Node and on Bun", () => {
  // What better-sqlite3 says there, on Bun 1.4.4.
  const error = Object.assign(new Error("'better-sqlite3' is not yet supported in Bun."), { code: "ERR_DLOPEN_FAILED" })
  expect(betterSqlite3NotInstalled(error).detail).toBe(
    "better-sqlite3 cannot be loaded (ERR_DLOPEN_FAILED); run npm install better-sqlite3, or npm rebuild better-sqlite3"
  )
  const { versions } = process
  vi.spyOn(process, "versions", "get").mockReturnValue({ ...versions, bun: "1.4.4" })
  const onBun = betterSqlite3NotInstalled(error)
  vi.restoreAllMocks()
  expect(onBun.detail).toBe(
    "better-sqlite3 does not run on Bun; pass a drizzle database on bun:sqlite as the client instead of a URL"
  )
})
