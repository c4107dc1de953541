import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { migrations, usersTableSql } from "@kavach-polar/adapter-sqlite/migrations"
import * as SqliteStore from "@kavach-polar/adapter-sqlite/SqliteStore"
import { checksumOf, statementsOf } from "@kavach-polar/core/adapter"
import { UserId } from "@kavach-polar/core/Subscription"
import Database from "better-sqlite3"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { Duration, Effect, Option } from "effect"
import { type Query, queryBetterSqlite3, temporaryFolder } from "../../../test/store/SqliteHarness.ts"
import { kavachUsers, kavachUsersBeforePolar } from "./kavachTables.ts"
import { runChild } from "./runChild.ts"

const memory = () => {
  const client = new Database(":memory:")
  return { client, query: queryBetterSqlite3(client), store: SqliteStore.make(drizzle(client)) }
}

const tables = (query: Query) =>
  query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'kavach_%' ORDER BY name").map(
    ({ name }) => name
  )

const schema = (query: Query) => query("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name")

const allTables = [
  "kavach_polar_checkouts",
  "kavach_polar_customers",
  "kavach_polar_deliveries",
  "kavach_polar_jobs",
  "kavach_polar_migrations",
  "kavach_polar_notifications",
  "kavach_polar_subscriptions",
  "kavach_users"
]

it.effect("a store that nobody migrated says what to do", () =>
  Effect.gen(function* () {
    const { query, store } = memory()
    const error = yield* Effect.flip(store.claimNotifications({ owner: "a", limit: 1, lease: Duration.minutes(1) }))
    expect(error).toMatchObject({ reason: "schema", detail: expect.stringContaining("no such table") })
    expect(error.message).toContain("Run the migrations")
    expect(tables(query)).toEqual([])
  })
)

it.effect("a new database gets every table, and its history says so", () =>
  Effect.gen(function* () {
    const { query, store } = memory()
    yield* store.migrate
    expect(tables(query)).toEqual(allTables)
    expect(query("SELECT * FROM kavach_polar_migrations")).toEqual(
      migrations.map(({ name, version }) => ({
        version,
        name,
        checksum: expect.stringMatching(/^[0-9a-f]{64}$/),
        applied_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      }))
    )
    const strict = query("SELECT name FROM pragma_table_list WHERE name LIKE 'kavach_polar_%' AND strict = 0")
    expect(strict).toEqual([])
  })
)

it.effect("migrating again changes nothing", () =>
  Effect.gen(function* () {
    const { query, store } = memory()
    yield* store.migrate
    const before = [schema(query), query("SELECT * FROM kavach_polar_migrations")]
    yield* store.migrate
    expect([schema(query), query("SELECT * FROM kavach_polar_migrations")]).toEqual(before)
  })
)

it.effect.each(migrations.map(({ version }) => version))(
  "version %i is brought to this one, with what it holds",
  (version) =>
    Effect.gen(function* () {
      const { query, store } = memory()
      query(
        "CREATE TABLE kavach_polar_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT"
      )
      for (const migration of migrations.filter((one) => one.version <= version)) {
        for (const statement of statementsOf(migration.sql)) query(statement)
        query(
          "INSERT INTO kavach_polar_migrations VALUES (?, ?, ?, '2026-11-24T00:00:00.000Z')",
          migration.version,
          migration.name,
          checksumOf(migration)
        )
      }
      query("INSERT INTO kavach_polar_customers VALUES ('customer', 'user', 'host', '2026-11-24T00:00:00.000Z', NULL)")
      yield* store.migrate
      expect(tables(query)).toEqual(allTables)
      expect(query("SELECT version FROM kavach_polar_migrations")).toEqual(
        migrations.map((one) => ({ version: one.version }))
      )
      expect(yield* store.customerOf(UserId.make("user"))).toEqual(Option.some("customer"))
      const fresh = memory()
      yield* fresh.store.migrate
      const structure = (of: Query) => schema(of).filter(({ name }) => name !== "kavach_polar_migrations")
      expect(structure(query)).toEqual(structure(fresh.query))
    })
)

it.effect("a users' table of KavachOS stays as it is", () =>
  Effect.gen(function* () {
    const { query, store } = memory()
    query(kavachUsers)
    const before = query("SELECT sql FROM sqlite_schema WHERE tbl_name = 'kavach_users'")
    yield* store.migrate
    expect(query("SELECT sql FROM sqlite_schema WHERE tbl_name = 'kavach_users'")).toEqual(before)
    expect(tables(query)).toEqual(allTables)
  })
)

it.effect("the users' table that is made here is the one of KavachOS", () =>
  Effect.gen(function* () {
    const ours = memory()
    yield* ours.store.migrate
    ours.query(kavachUsers)
    const theirs = memory()
    theirs.query(kavachUsers)
    const columns = "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('kavach_users')"
    expect(ours.query(columns)).toEqual(theirs.query(columns))
    const unique =
      "SELECT info.name FROM pragma_index_list('kavach_users') list, pragma_index_info(list.name) info WHERE list.\"unique\" ORDER BY 1"
    expect(ours.query(unique)).toEqual(theirs.query(unique))
  })
)

it.effect("a users' table from before there was Polar gets the columns, and keeps its rows", () =>
  Effect.gen(function* () {
    const { query, store } = memory()
    query(kavachUsersBeforePolar)
    query("INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES ('u1', 'a@example.test', 1, 2)")
    query("INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES ('u2', 'b@example.test', 1, 2)")
    yield* store.migrate
    yield* store.migrate
    expect(query("SELECT * FROM kavach_users WHERE id = 'u1'")).toEqual([
      {
        id: "u1",
        email: "a@example.test",
        username: null,
        name: null,
        metadata: null,
        created_at: 1,
        updated_at: 2,
        polar_customer_id: null,
        polar_subscription_id: null,
        polar_subscription_status: null,
        polar_product_id: null,
        polar_current_period_end: null,
        polar_cancel_at_period_end: 0
      }
    ])
    query("UPDATE kavach_users SET polar_customer_id = 'c' WHERE id = 'u1'")
    expect(() => query("UPDATE kavach_users SET polar_customer_id = 'c' WHERE id = 'u2'")).toThrow(/UNIQUE/)
  })
)

it.effect("a migration that was applied in another form is refused and named", () =>
  Effect.gen(function* () {
    const { query, store } = memory()
    yield* store.migrate
    query("UPDATE kavach_polar_migrations SET checksum = 'another'")
    const error = yield* Effect.flip(store.migrate)
    expect(error).toMatchObject({ reason: "schema", operation: "migrate" })
    expect(error.detail).toContain("0001_initial")
  })
)

it.effect("a database of a newer version is refused, with the way out", () =>
  Effect.gen(function* () {
    const { query, store } = memory()
    yield* store.migrate
    query("INSERT INTO kavach_polar_migrations VALUES (999, '0999_from_the_future', 'x', '2030-01-01T00:00:00.000Z')")
    const error = yield* Effect.flip(store.migrate)
    expect(error.reason).toBe("schema")
    expect(error.detail).toContain("0999_from_the_future")
    expect(error.detail).toContain("upgrade @kavach-polar/adapter-sqlite")
  })
)

it.effect("a migration that fails half way leaves nothing", () =>
  Effect.gen(function* () {
    const { query, store } = memory()
    query("CREATE TABLE kavach_polar_notifications (id TEXT)")
    const error = yield* Effect.flip(store.migrate)
    expect(error).toMatchObject({ reason: "schema", detail: expect.stringContaining("already exists") })
    expect(tables(query)).toEqual(["kavach_polar_notifications"])
  })
)

it("the SQL in the folder migrations is the SQL that runs", () => {
  const text = (name: string) =>
    readFileSync(new URL(`../migrations/${name}.sql`, import.meta.url), { encoding: "utf8" })
  for (const { name, sql } of migrations) expect(sql).toBe(text(name))
  expect(usersTableSql).toBe(text("kavach_users"))
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1))
  for (const { name, version } of migrations) expect(name).toMatch(new RegExp(`^${String(version).padStart(4, "0")}_`))
})

it("a script is split into its statements", () => {
  expect(statementsOf("-- a\nCREATE x (\n  y -- b\n);\n\nCREATE z;\n-- the end\n").map((part) => part.trim())).toEqual([
    "-- a\nCREATE x (\n  y -- b\n)",
    "CREATE z"
  ])
})

it.scopedLive(
  "ten processes that migrate one new file at once all succeed",
  () =>
    Effect.gen(function* () {
      const filename = join(yield* temporaryFolder, "app.db")
      const children = Array.from({ length: 10 }, () => Effect.promise(() => runChild("migrate", filename)))
      expect(yield* Effect.all(children, { concurrency: "unbounded" })).toEqual(children.map(() => "migrated"))
      const client = new Database(filename)
      expect(tables(queryBetterSqlite3(client))).toEqual(allTables)
      expect(queryBetterSqlite3(client)("SELECT count(*) AS n FROM kavach_polar_migrations")).toEqual([
        { n: migrations.length }
      ])
      client.close()
    }),
  180_000
)
