import { expect, it } from "@effect/vitest"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import { Effect, Option, TestClock } from "effect"
import type { Query } from "../../../test/store/PostgresHarness.ts"
import { kavachUsers, usersInSeconds, usersInText, usersWithUuids } from "./kavachTables.ts"
import { schemasOnPGlite } from "./pgliteSchema.ts"

const newSchema = schemasOnPGlite()

const userId = UserId.make("user-1")
const run = (query: Query, ...parameters: Parameters<Query>) => Effect.promise(() => query(...parameters))
const patch = { current_period_end: "2027-01-01T00:00:00.999Z", cancel_at_period_end: true }
const now = Date.parse("2026-12-01T10:00:00.999Z")

/** A subscription of this user's, on a table of this form with a row for them; and what the row shows then. */
const shown = (usersTable: string, columns: string, id: UserId = userId) =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema([usersTable])
    yield* store.migrate
    yield* run(query, "INSERT INTO kavach_users (id, email) VALUES ($1, 'a@x.test')", id)
    yield* TestClock.setTime(now)
    const scene = newScene()
    yield* store.applyDeliveries([subscriptionDelivery(scene, "created", { externalId: id, patch })], defaultPolicy)
    const [row] = yield* run(query, `SELECT ${columns} FROM kavach_users`)
    return { query, row, scene, store }
  })

it.effect("KavachOS's own: timestamptz, boolean, and updated_at", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema([kavachUsers])
    yield* store.migrate
    yield* run(
      query,
      "INSERT INTO kavach_users (id, email, name, created_at, updated_at) VALUES ($1, 'a@x.test', 'Ada', now(), now())",
      userId
    )
    const scene = newScene()
    yield* TestClock.setTime(now)
    yield* store.applyDeliveries([subscriptionDelivery(scene, "created", { externalId: userId, patch })], defaultPolicy)
    expect(yield* run(query, "SELECT * FROM kavach_users")).toMatchObject([
      {
        polar_customer_id: scene.customerId,
        polar_subscription_id: scene.subscriptionId,
        polar_subscription_status: "active",
        polar_product_id: scene.productId,
        polar_current_period_end: new Date("2027-01-01T00:00:00.999Z"),
        polar_cancel_at_period_end: true,
        updated_at: new Date(now)
      }
    ])
    expect(yield* store.findUser(userId)).toEqual(
      Option.some({ id: userId, email: Option.some("a@x.test"), name: Option.some("Ada"), emailVerified: false })
    )
  })
)

it.effect("made by hand: whole seconds in bigint, 0 and 1, varchar", () =>
  Effect.gen(function* () {
    const { row } = yield* shown(
      usersInSeconds,
      "polar_current_period_end::text, polar_cancel_at_period_end, updated_at::text, created_at"
    )
    expect(row).toEqual({
      polar_current_period_end: String(Date.parse("2027-01-01T00:00:00Z") / 1000),
      polar_cancel_at_period_end: 1,
      updated_at: String(Math.floor(now / 1000)),
      created_at: null
    })
  })
)

it.effect("made by hand: ISO 8601 in text, smallint, no updated_at, no name, and an index is added", () =>
  Effect.gen(function* () {
    const { query, row, store } = yield* shown(usersInText, "polar_current_period_end, polar_cancel_at_period_end")
    expect(row).toEqual({ polar_current_period_end: "2027-01-01T00:00:00.999Z", polar_cancel_at_period_end: 1 })
    expect(yield* store.findUser(userId)).toEqual(
      Option.some({ id: userId, email: Option.some("a@x.test"), name: Option.none(), emailVerified: false })
    )
    const indexes = yield* run(query, "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()")
    expect(indexes.map(({ indexdef }) => indexdef)).toContainEqual(
      expect.stringContaining("kavach_users USING btree (polar_customer_id)")
    )
  })
)

it.effect("ids that are UUIDs; 32-bit seconds that end in 2038; a time without zone, in UTC", () =>
  Effect.gen(function* () {
    const id = UserId.make("0d6e2b3a-9f7c-4c8e-8a55-1f2e3d4c5b6a")
    const columns = "polar_current_period_end, polar_cancel_at_period_end, updated_at::text"
    const { query, row, store } = yield* shown(usersWithUuids, columns, id)
    expect(row).toEqual({
      polar_current_period_end: Date.parse("2027-01-01T00:00:00Z") / 1000,
      polar_cancel_at_period_end: true,
      updated_at: "2026-12-01 10:00:00.999"
    })
    expect(Option.isSome(yield* store.findUser(id))).toBe(true)
    // Another spelling of the same UUID is another user, and text that is no UUID is nobody's id here.
    expect(Option.isNone(yield* store.findUser(UserId.make(id.toUpperCase())))).toBe(true)
    expect(Option.isNone(yield* store.findUser(UserId.make("no-uuid")))).toBe(true)
    const far = { current_period_end: "2100-01-01T00:00:00Z" }
    const [outcome] = yield* store.applyDeliveries(
      [
        subscriptionDelivery(newScene(), "created", { externalId: id, at: 1, patch: far }),
        subscriptionDelivery(newScene(), "created", { externalId: "no-uuid" })
      ],
      defaultPolicy
    )
    expect(outcome.state).toBe("applied")
    expect(yield* run(query, "SELECT polar_current_period_end AS ends FROM kavach_users")).toEqual([
      { ends: 2 ** 31 - 1 }
    ])
  })
)

it.effect("only a table with an id: the columns are added, and findUser finds", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema(["CREATE TABLE kavach_users (id text primary key)"])
    yield* store.migrate
    yield* run(query, "INSERT INTO kavach_users (id) VALUES ($1)", userId)
    yield* store.applyDeliveries([subscriptionDelivery(newScene(), "created", { externalId: userId })], defaultPolicy)
    expect(yield* run(query, "SELECT polar_subscription_status AS status FROM kavach_users")).toEqual([
      { status: "active" }
    ])
    expect(yield* store.findUser(userId)).toEqual(
      Option.some({ id: userId, email: Option.none(), name: Option.none(), emailVerified: false })
    )
  })
)

it.effect("columns whose types are domains are what the domains are", () =>
  Effect.gen(function* () {
    const domain = "CREATE DOMAIN user_id AS varchar(255)"
    const { query, store } = yield* newSchema([domain, "CREATE TABLE kavach_users (id user_id primary key)"])
    yield* store.migrate
    yield* run(query, "INSERT INTO kavach_users (id) VALUES ($1)", userId)
    expect(Option.isSome(yield* store.findUser(userId))).toBe(true)
  })
)

it.effect("columns with collations of their own", () =>
  Effect.gen(function* () {
    const table = `CREATE TABLE kavach_users (id text COLLATE "C" PRIMARY KEY, polar_customer_id text COLLATE "POSIX")`
    const { query, store } = yield* newSchema([table])
    yield* store.migrate
    yield* run(query, "INSERT INTO kavach_users (id) VALUES ($1)", userId)
    yield* store.applyDeliveries([subscriptionDelivery(newScene(), "created", { externalId: userId })], defaultPolicy)
    expect(yield* run(query, "SELECT polar_subscription_status AS status FROM kavach_users")).toEqual([
      { status: "active" }
    ])
    const users = yield* run(query, "SELECT polar_customer_id IS NOT NULL AS linked FROM kavach_users")
    expect(users).toEqual([{ linked: true }])
  })
)

it.effect("a store that did not migrate itself finds the columns out when it needs them", () =>
  Effect.gen(function* () {
    const { db, query, store } = yield* newSchema([usersInSeconds])
    yield* store.migrate
    yield* run(query, "INSERT INTO kavach_users (id) VALUES ($1)", userId)
    const other = PostgresStore.make(db)
    yield* other.applyDeliveries([subscriptionDelivery(newScene(), "created", { externalId: userId })], defaultPolicy)
    expect(yield* run(query, "SELECT polar_subscription_status AS status FROM kavach_users")).toEqual([
      { status: "active" }
    ])
  })
)

it.effect("a table that the app makes anew, in another form, is looked at again", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema([kavachUsers])
    yield* store.migrate
    yield* store.applyDeliveries([subscriptionDelivery(newScene(), "created", { externalId: userId })], defaultPolicy)
    yield* run(query, "DROP TABLE kavach_users")
    yield* run(query, usersInSeconds)
    yield* run(query, "INSERT INTO kavach_users (id) VALUES ($1)", userId)
    const next = subscriptionDelivery(newScene(), "canceled", { externalId: userId, at: 1 })
    expect((yield* Effect.flip(store.applyDeliveries([next], defaultPolicy))).reason).toBe("schema")
    const [outcome] = yield* store.applyDeliveries([next], defaultPolicy)
    expect(outcome.state).toBe("applied")
    expect(yield* run(query, "SELECT polar_current_period_end > 0 AS seconds FROM kavach_users")).toEqual([
      { seconds: true }
    ])
  })
)

it.effect("a column that is too short for what belongs into it: an error without the value", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema([usersInSeconds])
    yield* store.migrate
    yield* run(query, "ALTER TABLE kavach_users ALTER polar_product_id TYPE varchar(3)")
    yield* run(query, "INSERT INTO kavach_users (id) VALUES ($1)", userId)
    const scene = newScene()
    const delivery = subscriptionDelivery(scene, "created", { externalId: userId })
    const error = yield* Effect.flip(store.applyDeliveries([delivery], defaultPolicy))
    expect(error).toMatchObject({ reason: "schema", detail: expect.stringMatching(/^22001: /) })
    expect(JSON.stringify([error, error.message, error.stack])).not.toContain(scene.productId)
  })
)

const refused: ReadonlyArray<readonly [name: string, table: string, details: ReadonlyArray<string>]> = [
  ["no id", "CREATE TABLE kavach_users (uid TEXT PRIMARY KEY)", ["no column id"]],
  ["numbers for ids", "CREATE TABLE kavach_users (id SERIAL PRIMARY KEY)", ["id", "integer"]],
  [
    "a period's end of an unknown kind",
    "CREATE TABLE kavach_users (id TEXT PRIMARY KEY, polar_current_period_end DATE)",
    ["polar_current_period_end", "date"]
  ],
  [
    "a flag as text",
    "CREATE TABLE kavach_users (id TEXT PRIMARY KEY, polar_cancel_at_period_end TEXT)",
    ["polar_cancel_at_period_end", "text"]
  ],
  [
    "a status as a number",
    "CREATE TABLE kavach_users (id TEXT PRIMARY KEY, polar_subscription_status INTEGER)",
    ["polar_subscription_status", "integer"]
  ]
]
for (const [name, table, details] of refused) {
  it.effect(`refused when migrating, and nothing is left: ${name}`, () =>
    Effect.gen(function* () {
      const { query, store } = yield* newSchema([table])
      const columns =
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
      const before = yield* run(query, columns)
      const error = yield* Effect.flip(store.migrate)
      expect(error).toMatchObject({ operation: "migrate", reason: "schema" })
      for (const detail of details) expect(error.detail).toContain(detail)
      expect(yield* run(query, columns)).toEqual(before)
    })
  )
}

it.effect("an index that the app has made beforehand is the only one", () =>
  Effect.gen(function* () {
    const indexes = (query: Query) =>
      Effect.map(
        run(
          query,
          "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexdef LIKE '%(polar_customer_id)%'"
        ),
        (rows) => rows.map(({ indexname }) => indexname)
      )
    const table = "CREATE TABLE kavach_users (id text PRIMARY KEY, email text)"
    const { query, store } = yield* newSchema([
      table,
      // As docs/databases.md has it, but for CONCURRENTLY.
      "ALTER TABLE kavach_users ADD COLUMN polar_customer_id text",
      "CREATE UNIQUE INDEX made_beforehand ON kavach_users (polar_customer_id)"
    ])
    yield* store.migrate
    expect(yield* indexes(query)).toEqual(["made_beforehand"])
    const without = yield* newSchema([table])
    yield* without.store.migrate
    expect(yield* indexes(without.query)).toEqual(["kavach_users_polar_customer_id"])
  })
)
