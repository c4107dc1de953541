import { expect, it } from "@effect/vitest"
import { schema } from "@kavach-polar/adapter-postgres"
import { checksumOf, migrations } from "@kavach-polar/core/adapter"
import { UserId } from "@kavach-polar/core/Subscription"
import { is } from "drizzle-orm"
import { getTableConfig, getViewConfig, PgColumn, PgTable } from "drizzle-orm/pg-core"
import { Duration, Effect, Option } from "effect"
import { runChild } from "../../../test/runChild.ts"
import type { Query } from "../../../test/store/PostgresHarness.ts"
import { postgresDialect } from "../src/postgresDialect.ts"
import { kavachUsers, kavachUsersBeforePolar } from "./kavachTables.ts"
import { schemasOnPGlite } from "./pgliteSchema.ts"
import { expectations, fillPrevious, previousChecksums, releasedChecksums, structureOf } from "./upgrade.ts"

const newSchema = schemasOnPGlite()

const run = (query: Query, ...parameters: Parameters<Query>) => Effect.promise(() => query(...parameters))

const tables = (query: Query) =>
  run(query, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace").pipe(
    Effect.map((rows) => rows.map(({ relname }) => relname).sort())
  )

const structure = (query: Query) =>
  Effect.map(
    Effect.promise(() => structureOf(query)),
    ({ columns }) => columns
  )

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
    const { query, store } = yield* newSchema()
    const error = yield* Effect.flip(store.claimNotifications({ owner: "a", limit: 1, lease: Duration.minutes(1) }))
    expect(error).toMatchObject({ reason: "schema", detail: expect.stringContaining("does not exist") })
    expect(error.message).toContain("Run the migrations")
    expect(yield* tables(query)).toEqual([])
  })
)

it.effect("a new database gets every table, and its history says so", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema()
    yield* store.migrate
    expect(yield* tables(query)).toEqual(allTables)
    expect(yield* run(query, "SELECT * FROM kavach_polar_migrations")).toEqual(
      migrations.map(({ name, requires, version }) => ({
        version,
        name,
        checksum: expect.stringMatching(/^[0-9a-f]{64}$/),
        applied_at: expect.any(Date),
        requires
      }))
    )
  })
)

it("the earlier migrations are told by the checksums that every database of theirs remembers", () => {
  expect(previousChecksums).toEqual(releasedChecksums)
})

// A database remembers the checksum, and refuses a program that has another. So before a release a changed line here says
// that this was meant; after it, a change belongs in a further migration.
it("the migrations are in the form that databases remember", () => {
  expect(migrations.map((migration) => [migration.name, checksumOf(migration, postgresDialect.ddl)])).toEqual([
    ["0004_records", "415647fdb3492abdd633eb3bae8d905b67588ebc1a8d342ba850a3713076b030"],
    ["0005_benefits", "028a49910ee91eab3ac5d20aa00c0742138f9fa21c29fecbe2b779ec5b6ddae4"],
    ["0006_clock", "c6b1c292d3513bf88d442566b1cac21873ce9b502a67859153866b1d8f6b66ab"],
    ["0007_checkout_index", "88a6d5be03c92bcd8d6bd7a1fe363402ad13b64fc02cc522a4a3c33fd641fdb3"],
    ["0008_link_changes", "c4552f5467fdfc67ba09625498caf837099d6e501b07bdf929dd8dc6bea52cb3"],
    ["0009_all_kinds", "4bc136a72d922f32edcd4c89751c2b2c4f477faa9b09434de8f2828433d45f25"],
    ["0010_handlers", "9d03608f5aa84f76b06765b9e0155b8a0b6fa79e6b6d38b906007b9e4b32afd0"],
    ["0011_license_keys", "a49f2baea5f8f11b883de19334bb3af4ce5f1ddbd7351a4ae11ab43507440978"],
    ["0012_actions", "569bec04ec20ac22aac67b92e5edacaadca8af3901c65e0f6965203968da03cb"],
    ["0013_traceparent", "c124e461ba33fe1f52095dab43c83ed0a2ffd91fe091bb357d84da3bf499ab89"]
  ])
})

it.effect.each([1, 2, 3])("version %i is brought to this one, with what it holds", (version) =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema()
    yield* Effect.promise(() => fillPrevious(query, version))
    yield* store.migrate
    expect(yield* tables(query)).toEqual(allTables)
    for (const [sql, rows] of expectations) expect(yield* run(query, sql)).toEqual(rows)
    expect(yield* store.customerOf(UserId.make("user"))).toEqual(Option.some("customer"))
    const upgraded = yield* Effect.promise(() => structureOf(query))
    const fresh = yield* newSchema()
    yield* fresh.store.migrate
    expect(upgraded).toEqual(yield* Effect.promise(() => structureOf(fresh.query)))
  })
)

const readFromJson: ReadonlySet<unknown> = new Set([
  "member_id",
  "discount_id",
  "external_id",
  "external_customer_id",
  "license_key_id",
  "kavach_polar_license_keys.benefit_id",
  "kavach_polar_license_answers.benefit_id"
])

it.effect("ids are collated C, and times are timestamptz(3)", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema()
    yield* store.migrate
    const columns = (yield* structure(query)).filter(({ relname }) => /^kavach_polar_.*s$/.test(String(relname)))
    const ids = columns.filter(
      // What a view reads from JSON has the database's collation.
      ({ attname, relname, type }) =>
        type === "text" &&
        /(^|_)(id|owner)$/.test(String(attname)) &&
        !readFromJson.has(attname) &&
        !readFromJson.has(`${relname}.${attname}`)
    )
    expect(ids.length).toBeGreaterThan(15)
    expect(ids.filter(({ collname }) => collname !== "C")).toEqual([])
    const times = columns.filter(({ attname }) => /_(at|end)$/.test(String(attname)) && attname !== "event_at")
    const types = new Set(times.map(({ type }) => type))
    types.delete("boolean")
    expect(types).toEqual(new Set(["timestamp(3) with time zone"]))
  })
)

it.effect("the exported tables and views are those of the database, with their indexes", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema()
    yield* store.migrate
    const found = yield* structure(query)
    const indexes = yield* run(query, "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()")
    for (const one of Object.values(schema)) {
      const isTable = is(one, PgTable)
      const name = isTable ? getTableConfig(one).name : getViewConfig(one).name
      const fields = isTable ? getTableConfig(one).columns : Object.values(getViewConfig(one).selectedFields)
      const declared = fields.map((column) => {
        if (!is(column, PgColumn)) throw new Error(`not a column: ${String(column)}`)
        return [column.name, column.getSQLType().replace("timestamp (3)", "timestamp(3)"), isTable && column.notNull]
      })
      const real = found
        .filter(({ relname }) => relname === name)
        .map(({ attname, attnotnull, type }) => [attname, type, attnotnull])
      const sorted = (rows: ReadonlyArray<ReadonlyArray<unknown>>) => [...rows].map(String).sort()
      expect([name, sorted(declared)]).toEqual([name, sorted(real)])
      const named = isTable ? getTableConfig(one).indexes.map(({ config }) => config.name) : []
      expect(indexes.map(({ indexname }) => indexname)).toEqual(expect.arrayContaining(named))
    }
    const ours = indexes
      .map(({ indexname }) => String(indexname))
      .filter((name) => /^kavach_polar.*(?<!_pkey)$/.test(name))
    const all = Object.values(schema).flatMap((one) => (is(one, PgTable) ? getTableConfig(one).indexes : []))
    expect(ours.sort()).toEqual(all.map(({ config }) => config.name).sort())
  })
)

it.effect("migrating again changes nothing", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema()
    yield* store.migrate
    const before = [yield* structure(query), yield* run(query, "SELECT * FROM kavach_polar_migrations")]
    yield* store.migrate
    expect([yield* structure(query), yield* run(query, "SELECT * FROM kavach_polar_migrations")]).toEqual(before)
  })
)

it.effect("the users' table that is made here is the one of KavachOS, and KavachOS's own stays as it is", () =>
  Effect.gen(function* () {
    const theirs = yield* newSchema([kavachUsers])
    const before = (yield* structure(theirs.query)).filter(({ relname }) => /^kavach_users/.test(String(relname)))
    expect(before.length).toBeGreaterThan(26)
    yield* theirs.store.migrate
    const after = (yield* structure(theirs.query)).filter(({ relname }) => /^kavach_users/.test(String(relname)))
    expect(after).toEqual(before)
    const ours = yield* newSchema()
    yield* ours.store.migrate
    const made = (yield* structure(ours.query)).filter(({ relname }) => /^kavach_users/.test(String(relname)))
    expect(made).toEqual(before)
  })
)

it.effect("a users' table from before there was Polar gets the columns, and keeps its rows", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema([
      kavachUsersBeforePolar,
      "INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES ('u1', 'a@x.test', now(), now())",
      "INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES ('u2', 'b@x.test', now(), now())"
    ])
    yield* store.migrate
    yield* store.migrate
    expect(yield* run(query, "SELECT * FROM kavach_users WHERE id = 'u1'")).toEqual([
      {
        id: "u1",
        email: "a@x.test",
        username: null,
        name: null,
        metadata: null,
        created_at: expect.any(Date),
        updated_at: expect.any(Date),
        polar_customer_id: null,
        polar_subscription_id: null,
        polar_subscription_status: null,
        polar_product_id: null,
        polar_current_period_end: null,
        polar_cancel_at_period_end: false
      }
    ])
    yield* run(query, "UPDATE kavach_users SET polar_customer_id = 'c' WHERE id = 'u1'")
    yield* Effect.promise(() =>
      expect(query("UPDATE kavach_users SET polar_customer_id = 'c' WHERE id = 'u2'")).rejects.toThrow(/unique/)
    )
  })
)

it.effect("a users' table of another schema is used where the search path leads to it, and only there", () =>
  Effect.gen(function* () {
    const other = yield* newSchema([kavachUsersBeforePolar])
    const apart = yield* newSchema()
    yield* apart.store.migrate
    expect(yield* tables(apart.query)).toEqual(allTables)
    const beside = yield* newSchema()
    yield* run(beside.query, `SET search_path TO ${beside.schema}, ${other.schema}`)
    yield* beside.store.migrate
    expect(yield* tables(beside.query)).toEqual(allTables.slice(0, -1))
    const added = yield* run(
      beside.query,
      "SELECT FROM information_schema.columns WHERE table_schema = $1 AND column_name LIKE 'polar_%'",
      other.schema
    )
    expect(added).toHaveLength(6)
  })
)

it.effect("a migration that was applied in another form is refused and named", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema()
    yield* store.migrate
    yield* run(query, "UPDATE kavach_polar_migrations SET checksum = 'another'")
    const error = yield* Effect.flip(store.migrate)
    expect(error).toMatchObject({ reason: "schema", operation: "migrate" })
    expect(error.detail).toContain("0004_records")
  })
)

it.effect("a database of a newer version is refused where that says so, with the way out", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema()
    yield* store.migrate
    yield* run(query, "INSERT INTO kavach_polar_migrations VALUES (998, '0998_compatible', 'x', now(), 4)")
    yield* store.migrate
    yield* run(query, "INSERT INTO kavach_polar_migrations VALUES (999, '0999_from_the_future', 'x', now(), 999)")
    const error = yield* Effect.flip(store.migrate)
    expect(error.reason).toBe("schema")
    expect(error.detail).toContain("0999_from_the_future")
    expect(error.detail).toContain("upgrade @kavach-polar/adapter-postgres")
  })
)

it.effect("a migration that fails half way leaves nothing", () =>
  Effect.gen(function* () {
    const { query, store } = yield* newSchema(["CREATE TABLE kavach_polar_jobs (name TEXT)"])
    const error = yield* Effect.flip(store.migrate)
    expect(error).toMatchObject({ reason: "schema", detail: expect.stringContaining("kavach_polar_jobs") })
    expect(yield* tables(query)).toEqual(["kavach_polar_jobs"])
  })
)

it.live.each(["pg", "postgres"])(
  "importing the package loads no database driver; opening a pool loads %s alone",
  (driver) =>
    Effect.gen(function* () {
      const printed: unknown = JSON.parse(
        yield* Effect.promise(() => runChild(new URL("children/imports.ts", import.meta.url), driver))
      )
      expect(printed).toEqual({ before: [], after: [driver] })
    })
)
