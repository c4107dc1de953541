/** One's own pool, users' table or none; and databases that billing cannot use, which are recognised by looking. */
import { PGlite } from "@electric-sql/pglite"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import type { StoreError } from "@kavach-polar/core/StoreError"
import { polar } from "@kavach-polar/http/standalone"
import Database from "better-sqlite3"
import { drizzle as drizzleSqlite } from "drizzle-orm/better-sqlite3"
import { drizzle as pgProxy } from "drizzle-orm/pg-proxy"
import { drizzle as drizzlePglite } from "drizzle-orm/pglite"
import { drizzle as sqliteProxy } from "drizzle-orm/sqlite-proxy"
import { Effect, type Layer, Option } from "effect"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { secret } from "./host.ts"

const config = { accessToken: "polar_oat_lent", webhookSecret: secret, logLevel: "none" } as const

const tablesOf = (client: Database.Database): ReadonlyArray<unknown> =>
  client.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all()

const rejections: Array<unknown> = []
const remember = (error: unknown) => void rejections.push(error)
beforeAll(() => void process.on("unhandledRejection", remember))
afterAll(() => {
  process.off("unhandledRejection", remember)
  expect(rejections).toEqual([])
})

describe("database: { provider, client }", () => {
  test.each([
    ["better-sqlite3", (client: Database.Database): object => client],
    ["a drizzle database on it", (client: Database.Database): object => drizzleSqlite(client)]
  ])("%s is used, and stays open; no table of users is made", async (_name, lend) => {
    const client = new Database(":memory:")
    const billing = polar({ ...config, database: { provider: "sqlite", client: lend(client) } })
    expect((await billing.access("user_1")).entitlement).toBe("denied")
    await billing.dispose()
    expect(tablesOf(client)).toContain("kavach_polar_records")
    expect(tablesOf(client)).not.toContain("kavach_users")
    client.close()
  })

  test("a kavach_users that is there is used, unless users is false", async () => {
    for (const [users, isUsed] of [
      [undefined, true],
      [false, false]
    ] as const) {
      const client = new Database(":memory:")
      client.exec("CREATE TABLE kavach_users (id TEXT PRIMARY KEY)")
      const billing = polar({ ...config, users, database: { provider: "sqlite", client } })
      await billing.access("user_1")
      await billing.dispose()
      const columns = client.prepare("SELECT name FROM pragma_table_info('kavach_users')").pluck().all()
      expect(columns.includes("polar_customer_id")).toBe(isUsed)
      client.close()
    }
  })

  test("beside a client nothing else is taken", () => {
    expect(() =>
      polar({ ...config, database: { provider: "postgres", client: {}, url: "postgres://a@b/c" } })
    ).toThrowError(/database\.url: it is of no use beside client/)
  })

  const asynchronous = sqliteProxy(async () => ({ rows: [] }))
  const withoutTransactions = pgProxy(async () => ({ rows: [] }))
  const synchronous = drizzleSqlite(new Database(":memory:"))
  test.each([
    ["asynchronous SQLite", "sqlite", asynchronous, /SQLiteRemoteSession has no transactions/],
    ["PostgreSQL without transactions", "postgres", withoutTransactions, /PgRemoteSession has no transactions/],
    ["SQLite for PostgreSQL", "postgres", synchronous, /provider is postgres, and the database is .* on sqlite/],
    ["SQLite for MySQL", "mysql", synchronous, /provider is mysql, and the database is .* on sqlite/],
    ["PostgreSQL for SQLite", "sqlite", withoutTransactions, /provider is sqlite, and the database is .* on postgres/],
    [
      "better-sqlite3 for libSQL",
      "libsql",
      new Database(":memory:"),
      /neither a client of @libsql\/client nor drizzle/
    ],
    ["anything", "postgres", {}, /none of node-postgres, postgres\.js or drizzle/],
    ["anything else", "mysql", new Map(), /neither of mysql2 nor drizzle/]
  ] as const)("%s is refused with a sentence", async (_name, provider, client, sentence) => {
    const billing = polar({ ...config, database: { provider, client } })
    await expect(billing.access("user_1")).rejects.toMatchObject({
      _tag: "StoreError",
      reason: "schema",
      message: expect.stringMatching(sentence)
    })
    await billing.dispose()
  })
})

describe("users: { table, id, … }", () => {
  const find = (layer: Layer.Layer<BillingStore, StoreError>, userId: string) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const store = yield* BillingStore
        yield* store.migrate
        return Option.map(yield* store.findUser(userId as never), ({ email, name }) =>
          [email, name].map(Option.getOrNull)
        )
      }).pipe(Effect.provide(layer))
    )
  const users = { table: "Members", id: "memberNo", email: "mail" }

  test("SQLite: whole numbers for ids, names of any case, and nothing is written", async () => {
    const client = new Database(":memory:")
    client.exec(`CREATE TABLE "Members" ("memberNo" INTEGER PRIMARY KEY, mail TEXT, polar_customer_id REAL)`)
    client.exec(`INSERT INTO "Members" VALUES (7, 'ada@example.com', NULL)`)
    const layer = SqliteStore.fromClient(client, { users })
    expect(await find(layer, "7")).toEqual(Option.some(["ada@example.com", null]))
    for (const nobody of ["8", "07", "7 ", "user_7"]) expect(await find(layer, nobody)).toEqual(Option.none())
    expect(tablesOf(client)).not.toContain("kavach_users")
    expect(client.prepare(`SELECT * FROM pragma_table_info('Members')`).all()).toHaveLength(3)
    client.close()
  })

  test("PostgreSQL: in a schema of its own, by whole numbers, uuids or text", { timeout: 120_000 }, async () => {
    const client = new PGlite()
    await client.exec("CREATE SCHEMA auth")
    for (const [type, id] of [
      ["bigint", "7"],
      ["uuid", "3f1f4a52-1d53-4f0e-9d5a-0f2b6a7c8d9e"],
      ["text", "user 7"]
    ]) {
      await client.exec(
        `DROP TABLE IF EXISTS auth."Members"; CREATE TABLE auth."Members" ("memberNo" ${type} PRIMARY KEY, mail text);
        INSERT INTO auth."Members" VALUES ('${id}', 'ada@example.com')`
      )
      const layer = PostgresStore.fromClient(drizzlePglite(client), { users: { ...users, table: "auth.Members" } })
      expect(await find(layer, String(id))).toEqual(Option.some(["ada@example.com", null]))
      expect(await find(layer, "somebody else")).toEqual(Option.none())
    }
    const { rows } = await client.query("SELECT 1 FROM pg_tables WHERE tablename = 'kavach_users'")
    expect(rows).toEqual([])
    await client.close()
  })

  test("a column of kavach_users that need not be written and takes no time is left alone, with a warning", async () => {
    const client = new Database(":memory:")
    client.exec("CREATE TABLE kavach_users (id TEXT PRIMARY KEY, updated_at REAL)")
    const report = await Effect.runPromise(
      Effect.flatMap(BillingStore, (store) => store.migrate).pipe(Effect.provide(SqliteStore.fromClient(client)))
    )
    expect(report.warnings).toEqual([expect.stringMatching(/updated_at as REAL/)])
    client.close()
  })

  test("a table that is not there is an error that names it", async () => {
    const billing = polar({ ...config, users, database: { provider: "sqlite", client: new Database(":memory:") } })
    await expect(billing.access("7")).rejects.toMatchObject({ message: expect.stringMatching(/Members is not there/) })
    await billing.dispose()
  })

  test("names are names, and nothing that SQL could read", () => {
    expect(() => polar({ ...config, users: { table: "a; DROP TABLE b", id: "id" } })).toThrowError(/users/)
  })
})
