import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { checksumOf, migrations, sqliteDialect } from "@kavach-polar/core/adapter"
import { CustomerId, UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import Database from "better-sqlite3"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { Duration, Effect, Option, TestClock } from "effect"
import { runChildren } from "../../../test/runChild.ts"
import { type Query, queryBetterSqlite3, temporaryFolder } from "../../../test/store/SqliteHarness.ts"
import { kavachUsers, kavachUsersBeforePolar } from "./kavachTables.ts"
import { migratePreviously, previousMigrations } from "./previousTables.ts"
import { expectations, fillPrevious, structureOf } from "./upgrade.ts"

const migrating = new URL("children/migrate.ts", import.meta.url)

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
  "kavach_polar_actions",
  "kavach_polar_checkouts",
  "kavach_polar_customers",
  "kavach_polar_deliveries",
  "kavach_polar_jobs",
  "kavach_polar_link_changes",
  "kavach_polar_migrations",
  "kavach_polar_notifications",
  "kavach_polar_records",
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
      migrations.map(({ name, requires, version }) => ({
        version,
        requires,
        name,
        checksum: expect.stringMatching(/^[0-9a-f]{64}$/),
        applied_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      }))
    )
    const strict = query(
      "SELECT name FROM pragma_table_list WHERE name LIKE 'kavach_polar_%' AND type = 'table' AND strict = 0"
    )
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

it.effect.each([1, 2])("version %i is brought to this one, with what it holds", (version) =>
  Effect.gen(function* () {
    const { query, store } = memory()
    fillPrevious(query, version)
    yield* store.migrate
    for (const [sql, rows] of expectations) expect(query(sql), sql).toEqual(rows)
    expect(query("SELECT version, requires FROM kavach_polar_migrations ORDER BY version")).toEqual([
      ...previousMigrations
        .filter((one) => one.version <= version)
        .map((one) => ({ version: one.version, requires: 4 })),
      ...migrations.map((one) => ({ version: one.version, requires: one.requires }))
    ])
    const fresh = memory()
    yield* fresh.store.migrate
    expect(structureOf(query)).toEqual(structureOf(fresh.query))
  })
)

it.effect("what an earlier version kept is found by this one, goes on in order, and is told", () =>
  Effect.gen(function* () {
    const { query, store } = memory()
    fillPrevious(query, 2)
    yield* store.migrate
    yield* TestClock.setTime(Date.parse("2026-12-01T00:00:00Z"))
    const userId = UserId.make("user")
    const [subscription] = yield* store.subscriptionsOf(userId, "live")
    expect(subscription).toMatchObject({ id: "s1", status: "active", cancelAtPeriodEnd: true })
    expect(yield* store.customerOf(userId)).toEqual(Option.some("customer"))
    const { claimed } = yield* store.claimNotifications({ owner: "a", limit: 9, lease: Duration.minutes(1) })
    expect(claimed).toMatchObject([{ id: "s1:1", userId: "user" }])
    // The delivery that brought the stored state is known, and one from before it is stale.
    const scene = newScene({ subscriptionId: "s1", customerId: "customer" })
    const known = subscriptionDelivery(scene, "created", { id: "d1" })
    const older = subscriptionDelivery(scene, "updated", { timestamp: "2020-01-01T00:00:00.000000Z" })
    expect(yield* store.applyDeliveries([known, older], defaultPolicy)).toMatchObject([
      { duplicate: true, state: "applied" },
      { duplicate: false, state: "stale" }
    ])
    // What waited for its user is released by a link.
    const other = UserId.make("another")
    yield* store.linkCustomer({ customerId: CustomerId.make("other"), userId: other, linkedBy: "host" }, defaultPolicy)
    expect(yield* store.subscriptionsOf(other, "all")).toMatchObject([{ id: "s2" }])
  })
)

it("the released migrations are known by the checksums that databases have of them", () => {
  const { query } = memory()
  migratePreviously(query, 2)
  expect(query("SELECT version, name, checksum FROM kavach_polar_migrations")).toEqual(sqliteDialect.ddl.released)
})

// A database remembers the checksum, and refuses a program that has another. So before a release a changed line here says
// that this was meant; after it, a change belongs in a further migration.
it("the migrations are in the form that databases remember", () => {
  expect(migrations.map((migration) => [migration.name, checksumOf(migration, sqliteDialect.ddl)])).toEqual([
    ["0004_records", "6790e39dd4c15cd99e782f4f5f82da9a850bcf5d61b07f27e5a948ca6445249b"],
    ["0005_benefits", "ec95aee3ad894ee504404a7647158e72c36820d7ada315cf9de3d4ce4e90b891"],
    ["0006_clock", "cf04f773365a552905fb5efe3b9cce3205c3c6ff6d3800cedeca5eb36f07017b"],
    ["0007_checkout_index", "935054cfe164f4f3aab305bd09c0950f72a13cd8503f19404ffe58388f26b32e"],
    ["0008_link_changes", "8dad623d0c971a599378254c39a0ed9d5258e6085deacafd31ea8ae6e4d9cab9"],
    ["0009_all_kinds", "0aade27a3d9b081a24ccab7e78212be1e5697f88e545e6fe5616925770e0963b"],
    ["0010_handlers", "101b9004b4574a6f5cc5f815c09be04000a4305e46f9a34f0d22ac8b938ccd09"],
    ["0011_license_keys", "2cc0fdad501a958efe291fb635f2f8516b5ebd998f6df38509546f83b257a19d"],
    ["0012_actions", "4275a760eec183d944845fe3e6bb0c5cf0f2b9f4d72a3159b06532e168a4d252"],
    ["0013_traceparent", "db4facfddbbd4e11245c144642c2065e569a4a5cfdcbb56d3c810d5d13fcde0c"]
  ])
})

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
    expect(error.detail).toContain("0004_records")
  })
)

it.effect("a newer version's database serves as long as it says so, and is refused by name when it does not", () =>
  Effect.gen(function* () {
    const { query, store } = memory()
    yield* store.migrate
    query("ALTER TABLE kavach_polar_records ADD COLUMN from_the_future TEXT")
    query(
      "INSERT INTO kavach_polar_migrations (version, name, checksum, applied_at, requires) VALUES (999, '0999_from_the_future', 'x', '2030-01-01T00:00:00.000Z', ?)",
      Math.max(...migrations.map(({ version }) => version))
    )
    yield* store.migrate
    const delivery = subscriptionDelivery(newScene(), "created", { externalId: "user" })
    expect(yield* store.applyDeliveries([delivery], defaultPolicy)).toMatchObject([{ state: "applied" }])

    query("UPDATE kavach_polar_migrations SET requires = 999 WHERE version = 999")
    const error = yield* Effect.flip(store.migrate)
    expect(error).toMatchObject({
      reason: "schema",
      detail:
        "the database has had migration 0999_from_the_future, which this version does not know and cannot work with; upgrade @kavach-polar/adapter-sqlite"
    })
  })
)

it.effect.each([
  ["a table of the same name", "CREATE TABLE kavach_polar_notifications (id TEXT)", "no such column"],
  ["a view of the same name", "CREATE VIEW kavach_polar_jobs AS SELECT 1 AS name", "it has no column owner"]
] as const)("%s of somebody else's is refused, and nothing of ours stays", ([, theirs, detail]) =>
  Effect.gen(function* () {
    const { query, store } = memory()
    query(theirs)
    const before = schema(query)
    const error = yield* Effect.flip(store.migrate)
    expect(error).toMatchObject({ reason: "schema", detail: expect.stringContaining(detail) })
    expect(schema(query)).toEqual(before)
  })
)

it.scopedLive(
  "ten processes that migrate one new file at once all succeed",
  () =>
    Effect.gen(function* () {
      const filename = join(yield* temporaryFolder, "app.db")
      const said = yield* Effect.promise(() => runChildren(10, migrating, filename))
      expect(said).toEqual(Array.from({ length: 10 }, () => "migrated"))
      const client = new Database(filename)
      expect(tables(queryBetterSqlite3(client))).toEqual(allTables)
      expect(queryBetterSqlite3(client)("SELECT count(*) AS n FROM kavach_polar_migrations")).toEqual([
        { n: migrations.length }
      ])
      client.close()
    }),
  180_000
)
