import { expect, it } from "@effect/vitest"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import Database from "better-sqlite3"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { Effect, Option, TestClock } from "effect"
import { queryBetterSqlite3 } from "../../../test/store/SqliteHarness.ts"
import { handMadeUsers, kavachUsers } from "./kavachTables.ts"

const userId = UserId.make("user-1")

const database = (usersTable: string) => {
  const client = new Database(":memory:")
  const query = queryBetterSqlite3(client)
  query(usersTable)
  return { query, store: SqliteStore.make(drizzle(client)) }
}

it.effect("KavachOS's own: whole seconds, 0 and 1, and updated_at", () =>
  Effect.gen(function* () {
    const { query, store } = database(kavachUsers)
    yield* store.migrate
    query(
      "INSERT INTO kavach_users (id, email, name, created_at, updated_at) VALUES (?, 'a@x.test', 'Ada', 1, 1)",
      userId
    )
    const scene = newScene()
    yield* TestClock.setTime(Date.parse("2026-12-01T10:00:00.999Z"))
    const patch = { current_period_end: "2027-01-01T00:00:00.999Z", cancel_at_period_end: true }
    yield* store.applyDeliveries([subscriptionDelivery(scene, "created", { externalId: userId, patch })], defaultPolicy)
    const columns =
      "polar_customer_id, polar_subscription_id, polar_subscription_status, polar_product_id, polar_current_period_end, typeof(polar_current_period_end) AS type, polar_cancel_at_period_end, created_at, updated_at"
    expect(query(`SELECT ${columns} FROM kavach_users`)).toEqual([
      {
        polar_customer_id: scene.customerId,
        polar_subscription_id: scene.subscriptionId,
        polar_subscription_status: "active",
        polar_product_id: scene.productId,
        polar_current_period_end: Date.parse("2027-01-01T00:00:00Z") / 1000,
        type: "integer",
        polar_cancel_at_period_end: 1,
        created_at: 1,
        updated_at: Date.parse("2026-12-01T10:00:00Z") / 1000
      }
    ])
  })
)

it.effect("made by hand: ISO 8601 in TEXT, no updated_at, no name", () =>
  Effect.gen(function* () {
    const { query, store } = database(handMadeUsers)
    yield* store.migrate
    query("INSERT INTO kavach_users (id, email) VALUES (?, 'a@x.test')", userId)
    const patch = { current_period_end: "2027-01-01T00:00:00.999Z" }
    yield* store.applyDeliveries(
      [subscriptionDelivery(newScene(), "created", { externalId: userId, patch })],
      defaultPolicy
    )
    expect(query("SELECT polar_current_period_end, polar_cancel_at_period_end FROM kavach_users")).toEqual([
      { polar_current_period_end: "2027-01-01T00:00:00.999Z", polar_cancel_at_period_end: 0 }
    ])
    expect(yield* store.findUser(userId)).toEqual(
      Option.some({ id: userId, email: Option.some("a@x.test"), name: Option.none(), emailVerified: false })
    )
    // There was no index on it, and every delivery looks it up.
    const plan = query("EXPLAIN QUERY PLAN SELECT id FROM kavach_users WHERE polar_customer_id = 'c'")
    expect(plan.map(({ detail }) => detail)).toEqual([expect.stringContaining("INDEX")])
  })
)

it.effect("only a table with an id: the columns are added, and findUser finds", () =>
  Effect.gen(function* () {
    const { query, store } = database("CREATE TABLE kavach_users (ID text primary key)")
    yield* store.migrate
    query("INSERT INTO kavach_users (id) VALUES (?)", userId)
    yield* store.applyDeliveries([subscriptionDelivery(newScene(), "created", { externalId: userId })], defaultPolicy)
    expect(query("SELECT polar_subscription_status FROM kavach_users")).toEqual([
      { polar_subscription_status: "active" }
    ])
    expect(yield* store.findUser(userId)).toEqual(
      Option.some({ id: userId, email: Option.none(), name: Option.none(), emailVerified: false })
    )
  })
)

it.effect("a store that did not migrate itself finds the columns out when it needs them", () =>
  Effect.gen(function* () {
    const client = new Database(":memory:")
    const query = queryBetterSqlite3(client)
    yield* SqliteStore.make(drizzle(client)).migrate
    query("INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES (?, 'a@x.test', 1, 1)", userId)
    const store = SqliteStore.make(drizzle(client))
    yield* store.applyDeliveries([subscriptionDelivery(newScene(), "created", { externalId: userId })], defaultPolicy)
    expect(query("SELECT polar_subscription_status FROM kavach_users")).toEqual([
      { polar_subscription_status: "active" }
    ])
  })
)

it.effect("users whose ids differ only by case are different", () =>
  Effect.gen(function* () {
    const { query, store } = database(kavachUsers)
    yield* store.migrate
    for (const id of ["user-a", "USER-A"]) {
      query("INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES (?, ?, 1, 1)", id, `${id}@x.test`)
    }
    const externalId = UserId.make("USER-A")
    yield* store.applyDeliveries([subscriptionDelivery(newScene(), "created", { externalId })], defaultPolicy)
    expect(query("SELECT id, polar_subscription_status AS status FROM kavach_users ORDER BY id")).toEqual([
      { id: "USER-A", status: "active" },
      { id: "user-a", status: null }
    ])
  })
)

it.effect("a table that the app makes anew, in another form, is looked at again", () =>
  Effect.gen(function* () {
    const { query, store } = database(kavachUsers)
    yield* store.migrate
    query("INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES (?, 'a@x.test', 1, 1)", userId)
    yield* store.applyDeliveries([subscriptionDelivery(newScene(), "created", { externalId: userId })], defaultPolicy)
    query("DROP TABLE kavach_users")
    query(handMadeUsers)
    query("INSERT INTO kavach_users (id, email) VALUES (?, 'a@x.test')", userId)
    const next = subscriptionDelivery(newScene(), "canceled", { externalId: userId, at: 1 })
    expect((yield* Effect.flip(store.applyDeliveries([next], defaultPolicy))).reason).toBe("schema")
    const [outcome] = yield* store.applyDeliveries([next], defaultPolicy)
    expect(outcome.state).toBe("applied")
    expect(query("SELECT typeof(polar_current_period_end) AS type FROM kavach_users")).toEqual([{ type: "text" }])
  })
)

const refused: ReadonlyArray<readonly [name: string, table: string, detail: ReadonlyArray<string>]> = [
  ["no id", "CREATE TABLE kavach_users (uid TEXT PRIMARY KEY)", ["no column id"]],
  ["numbers for ids", "CREATE TABLE kavach_users (id INTEGER PRIMARY KEY)", ["id", "INTEGER"]],
  ["ids without a type", "CREATE TABLE kavach_users (id PRIMARY KEY)", ["id", "a column without a type"]],
  [
    "a period's end of an unknown kind",
    "CREATE TABLE kavach_users (id TEXT PRIMARY KEY, polar_current_period_end TIMESTAMPTZ)",
    ["polar_current_period_end", "TIMESTAMPTZ"]
  ],
  [
    "a flag as text",
    "CREATE TABLE kavach_users (id TEXT PRIMARY KEY, polar_cancel_at_period_end TEXT)",
    ["polar_cancel_at_period_end", "TEXT"]
  ],
  [
    "a status as a number",
    "CREATE TABLE kavach_users (id TEXT PRIMARY KEY, polar_subscription_status INTEGER)",
    ["polar_subscription_status", "INTEGER"]
  ]
]
for (const [name, table, details] of refused) {
  it.effect(`refused when migrating, and nothing is left: ${name}`, () =>
    Effect.gen(function* () {
      const { query, store } = database(table)
      const before = query("SELECT name, sql FROM sqlite_schema")
      const error = yield* Effect.flip(store.migrate)
      expect(error).toMatchObject({ operation: "migrate", reason: "schema" })
      for (const detail of details) expect(error.detail).toContain(detail)
      expect(query("SELECT name, sql FROM sqlite_schema")).toEqual(before)
    })
  )
}
