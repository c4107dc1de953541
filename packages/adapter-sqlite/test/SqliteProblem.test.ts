import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import type { StoreError } from "@kavach-polar/core/StoreError"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import Database from "better-sqlite3"
import { DrizzleQueryError, sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { drizzle as drizzleSqlJs } from "drizzle-orm/sql-js"
import { Effect } from "effect"
import initSqlJs from "sql.js"
import { type Query, queryBetterSqlite3, querySqlJs, temporaryFolder } from "../../../test/store/SqliteHarness.ts"
import { explain } from "../src/SqliteProblem.ts"

const email = "ada.martin@acme-mail.dev"
const userId = UserId.make("user-1")
const delivery = () => subscriptionDelivery(newScene(), "created", { externalId: userId })

const betterSqlite3 = Effect.sync(() => {
  const client = new Database(":memory:")
  return { query: queryBetterSqlite3(client), store: SqliteStore.make(drizzle(client)) }
})
const sqlJs = Effect.promise(async () => {
  const { Database } = await initSqlJs()
  const client = new Database()
  return { query: querySqlJs(client), store: SqliteStore.make(drizzleSqlJs(client)) }
})

const discreet = (error: StoreError) => {
  const text = JSON.stringify([error.message, error.detail, String(error), error.stack, error])
  for (const secret of [email, "Ada", "insert into", "INSERT INTO", "ECONFIDENTIAL"]) expect(text).not.toContain(secret)
}

for (const [name, database] of [
  ["better-sqlite3", betterSqlite3],
  ["sql.js", sqlJs]
] as const) {
  const failure = (spoil: (query: Query) => void, reason: string, detail: RegExp) =>
    Effect.gen(function* () {
      const { query, store } = yield* database
      yield* store.migrate
      query("INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES (?, ?, 1, 1)", userId, email)
      yield* store.applyDeliveries([delivery()], defaultPolicy)
      spoil(query)
      const error = yield* Effect.flip(store.applyDeliveries([delivery()], defaultPolicy))
      expect(error).toMatchObject({ _tag: "StoreError", operation: "applyDeliveries", reason })
      expect(error.detail).toMatch(detail)
      discreet(error)
    })

  it.effect(`${name}: a table that was dropped`, () =>
    failure((query) => query("DROP TABLE kavach_polar_deliveries"), "schema", /no such table: kavach_polar_deliveries/)
  )

  it.effect(`${name}: the app's own table was dropped`, () =>
    failure((query) => query("DROP TABLE kavach_users"), "schema", /no such table/)
  )

  it.effect(`${name}: a column that was dropped`, () =>
    failure(
      (query) => query("ALTER TABLE kavach_users DROP COLUMN polar_product_id"),
      "schema",
      /no such column: polar_product_id/
    )
  )

  it.effect(`${name}: a database that may not be written`, () =>
    failure((query) => query("PRAGMA query_only = ON"), "readOnly", /readonly database/)
  )

  it.effect(`${name}: a disk that is full, and then is not`, () =>
    Effect.gen(function* () {
      const { query, store } = yield* database
      yield* store.migrate
      const [pages] = query("PRAGMA page_count")
      query(`PRAGMA max_page_count = ${Number(pages?.["page_count"]) + 1}`)
      const big = subscriptionDelivery(newScene(), "created", {
        externalId: userId,
        patch: { custom_field_data: { text: `ECONFIDENTIAL ${"x".repeat(200_000)}` } }
      })
      const error = yield* Effect.flip(store.applyDeliveries([big], defaultPolicy))
      expect(error).toMatchObject({ reason: "full", detail: expect.stringContaining("full") })
      discreet(error)
      query("PRAGMA max_page_count = 100000")
      const [outcome] = yield* store.applyDeliveries([big], defaultPolicy)
      expect(outcome).toMatchObject({ state: "applied", duplicate: false })
    })
  )

  it.effect(`${name}: a constraint of the app's own`, () =>
    failure(
      (query) => query("CREATE UNIQUE INDEX one_only ON kavach_polar_notifications (user_id)"),
      "constraint",
      /UNIQUE constraint failed: kavach_polar_notifications\.user_id/
    )
  )
}

it.scoped("a file that was opened for reading only", () =>
  Effect.gen(function* () {
    const filename = join(yield* temporaryFolder, "app.db")
    const writer = new Database(filename)
    yield* SqliteStore.make(drizzle(writer)).migrate
    writer.close()
    const client = new Database(filename, { readonly: true })
    const error = yield* Effect.flip(SqliteStore.make(drizzle(client)).applyDeliveries([delivery()], defaultPolicy))
    expect(error).toMatchObject({ reason: "readOnly", detail: expect.stringMatching(/^SQLITE_READONLY/) })
    client.close()
  })
)

it.scoped("a file that another writer holds", () =>
  Effect.gen(function* () {
    const filename = join(yield* temporaryFolder, "app.db")
    const client = new Database(filename, { timeout: 50 })
    const store = SqliteStore.make(drizzle(client))
    yield* store.migrate
    const other = new Database(filename)
    other.exec("BEGIN IMMEDIATE")
    const error = yield* Effect.flip(store.applyDeliveries([delivery()], defaultPolicy))
    expect(error).toMatchObject({ reason: "busy", detail: "SQLITE_BUSY: database is locked" })
    other.exec("COMMIT")
    const [outcome] = yield* store.applyDeliveries([delivery()], defaultPolicy)
    expect(outcome.state).toBe("applied")
    other.close()
    client.close()
  })
)

it("drizzle's own messages, which hold SQL and parameters, are never used", () => {
  const cause = Object.assign(new Error("UNIQUE constraint failed: kavach_users.email"), {
    code: "SQLITE_CONSTRAINT_UNIQUE"
  })
  expect(explain(new DrizzleQueryError("insert into kavach_users values (?)", [email], cause))).toEqual({
    reason: "constraint",
    detail: "SQLITE_CONSTRAINT_UNIQUE: UNIQUE constraint failed: kavach_users.email"
  })
  expect(explain(new DrizzleQueryError("insert into kavach_users values (?)", [email])).detail).not.toContain(email)
})

it("of an error that is not the database's only the name is told", () => {
  expect(explain(new TypeError(email))).toEqual({ reason: "unknown", detail: "an unexpected TypeError" })
  expect(explain(email)).toEqual({ reason: "unknown", detail: "something that is not an error was thrown" })
})

it("messages of SQLite's about constraints and types hold no values", () => {
  const client = new Database(":memory:")
  const db = drizzle(client)
  client.exec(`CREATE TABLE t (a TEXT UNIQUE, b INTEGER CHECK (b > 0), c TEXT NOT NULL) STRICT;
    INSERT INTO t VALUES ('${email}', 1, 'x')`)
  const details = [
    sql`INSERT INTO t VALUES (${email}, 1, 'x')`,
    sql`INSERT INTO t VALUES ('y', ${-4711}, 'x')`,
    sql`INSERT INTO t VALUES ('z', 1, ${null})`,
    sql`INSERT INTO t VALUES ('z', ${email}, 'x')`
  ].map((query) => {
    try {
      db.run(query)
      return undefined
    } catch (error) {
      return explain(error)
    }
  })
  expect(details).toEqual([
    { reason: "constraint", detail: "SQLITE_CONSTRAINT_UNIQUE: UNIQUE constraint failed: t.a" },
    { reason: "constraint", detail: "SQLITE_CONSTRAINT_CHECK: CHECK constraint failed: b > 0" },
    { reason: "constraint", detail: "SQLITE_CONSTRAINT_NOTNULL: NOT NULL constraint failed: t.c" },
    { reason: "constraint", detail: "SQLITE_CONSTRAINT_DATATYPE: cannot store TEXT value in INTEGER column t.b" }
  ])
})
