/** Databases of the version before the records are brought to this one, with what they hold, on MySQL and MariaDB. */
import { createHash } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { migrations } from "@kavach-polar/core/adapter"
import type { BillingStoreService } from "@kavach-polar/core/BillingStore"
import { CheckoutId, CustomerId, ProductId, UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import { Column, getTableColumns, getTableName, getViewName, is } from "drizzle-orm"
import { getViewConfig, MySqlTable, MySqlView } from "drizzle-orm/mysql-core"
import { drizzle } from "drizzle-orm/mysql2"
import { Duration, Effect, Either } from "effect"
import mysql from "mysql2/promise"
import { schema } from "../../packages/adapter-mysql/src/index.ts"
import { previousMigrations, statementsOf } from "../../packages/adapter-mysql/test/previousTables.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import { type Query, type TestDatabase, temporaryDatabase } from "../store/MysqlHarness.ts"

const storeOn = (url: string) => Effect.map(MysqlStore.open({ url }), (db) => MysqlStore.make(db))

/** What this version writes: live, scheduled to end, over, unlinked, told and untold. */
const filled = (database: TestDatabase) =>
  Effect.gen(function* () {
    const store = yield* storeOn(database.url)
    yield* store.migrate
    const apply = (...args: Parameters<typeof subscriptionDelivery>) =>
      store.applyDeliveries([subscriptionDelivery(...args)], defaultPolicy)
    const ending = {
      cancel_at_period_end: true,
      current_period_end: "2097-01-02T03:04:05.678Z",
      ends_at: "2097-01-01T00:00:00Z"
    }
    yield* apply(newScene(), "created", { externalId: "user it's", patch: { checkout_id: "checkout-1" } })
    yield* apply(newScene(), "updated", { externalId: "user-2", patch: ending })
    yield* apply(newScene(), "updated", { externalId: "user-2", patch: { ...ending, ends_at: null } })
    yield* apply(newScene(), "created", { externalId: "user-3", patch: { current_period_end: null } })
    const scene = newScene({ subscriptionId: "over", customerId: "customer-over" })
    yield* apply(scene, "created", { externalId: "user-😀", at: 1 })
    yield* apply(scene, "revoked", { externalId: "user-😀", at: 2 })
    yield* apply(newScene({ subscriptionId: "waits", customerId: "customer-waits" }), "past_due")
    yield* store.recordCheckout(
      {
        id: CheckoutId.make("checkout-2"),
        userId: UserId.make("user-2"),
        productId: ProductId.make("product")
      },
      defaultPolicy
    )
    const { claimed } = yield* store.claimNotifications({ owner: "a", limit: 2, lease: Duration.minutes(1) })
    for (const { id } of claimed) yield* store.giveUpNotification(id, "a", "no \\ way")
    yield* store.claimJob({ name: "job", owner: "a", lease: Duration.minutes(1) })
    return { ...database, store }
  })

/** The same rows as the version before wrote them. */
const copyBack = async (query: Query, from: string, version: number): Promise<void> => {
  const copy = (table: string, columns: string, selected = columns, source = table) =>
    query(`INSERT INTO kavach_polar_${table} (${columns}) SELECT ${selected} FROM ${from}.kavach_polar_${source}`)
  await query(
    `CREATE TABLE kavach_polar_migrations (version INT NOT NULL, name VARCHAR(255) NOT NULL, checksum VARCHAR(64) NOT NULL,
      applied_at DATETIME(6) NOT NULL, PRIMARY KEY (version)
    ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */`
  )
  for (const one of previousMigrations.filter((each) => each.version <= version)) {
    for (const statement of statementsOf(one.sql)) await query(statement)
    const checksum = createHash("sha256").update(one.sql).digest("hex")
    await query(
      `INSERT INTO kavach_polar_migrations VALUES (${one.version}, '${one.name}', '${checksum}', UTC_TIMESTAMP())`
    )
  }
  const delivery =
    "id, type, state, event_at, received_at, updated_at, customer_id, user_id, attempts, last_error, body"
  await copy("deliveries", `${delivery}, subscription_id`, `${delivery}, record_id`)
  await copy("customers", "customer_id, user_id, linked_by, linked_at, deleted_at")
  await copy("checkouts", "id, user_id, product_id, created_at")
  const notification =
    "id, user_id, event_at, precedence, payload, created_at, state, attempts, available_at, lease_owner, last_error, updated_at"
  await copy("notifications", `${notification}, subscription_id`, `${notification}, subject`)
  await copy(
    "subscriptions",
    "id, user_id, customer_id, organization_id, product_id, status, live, current_period_end, cancel_at_period_end, event_at, precedence, delivery_id, updated_at, data"
  )
  if (version < 2) return
  await copy("jobs", "name, owner, lease_until, position, started_at, updated_at, finished_at, report")
}

const tables = [
  "deliveries",
  "records",
  "customers",
  "checkouts",
  "notifications",
  "subscriptions",
  "orders",
  "refunds"
]

/** Everything that the tables and views hold, but for what the clock has to do with it. */
const contentOf = async (query: Query) => {
  const content: Record<string, ReadonlyArray<unknown>> = {}
  for (const table of tables) {
    const rows = await query(
      `SELECT * FROM kavach_polar_${table} ORDER BY ${table === "customers" ? "customer_id" : "id"}`
    )
    // The servers' own way to write JSON differs, and the versions before did not keep what had said whose a record is.
    content[table] = rows.map(({ clock_at: _clock, lapsed_at: _lapsed, ...row }) => ({
      ...row,
      // What decides nothing comes with the next event.
      ...("summary" in row ? { summary: { ...JSON.parse(String(row["summary"])), details: null } } : {}),
      ...("owned_by" in row ? { owned_by: null } : {}),
      // Nor whom it was told: there was one handler.
      ...("handler" in row ? { handler: row["handler"] ?? "onSubscriptionChange" } : {})
    }))
  }
  return content
}

/** What the clock has to do with the records, once it has looked at those that are due. */
const clocksOf = ({ query, store }: { readonly query: Query; readonly store: BillingStoreService }) =>
  Effect.gen(function* () {
    yield* store.lookAtClock(yield* store.recordsDue({ limit: 100 }), defaultPolicy)
    return yield* Effect.promise(() =>
      query("SELECT id, clock_at, lapsed_at IS NOT NULL AS lapsed FROM kavach_polar_records ORDER BY id")
    )
  })

/** How all of it is made, as the server describes it. */
const structureOf = async ({ name, query }: TestDatabase) => {
  const inDatabase = "table_schema = DATABASE() AND table_name LIKE 'kavach%'"
  const found = {
    tables: await query(
      `SELECT table_name, table_type, engine, table_collation FROM information_schema.tables WHERE ${inDatabase} ORDER BY 1`
    ),
    columns: await query(
      `SELECT table_name, column_name, ordinal_position, column_default, is_nullable, column_type, character_set_name,
        collation_name, extra, generation_expression FROM information_schema.columns WHERE ${inDatabase} ORDER BY 1, 3`
    ),
    indexes: await query(
      `SELECT table_name, index_name, seq_in_index, column_name, collation, sub_part, non_unique
        FROM information_schema.statistics WHERE ${inDatabase} ORDER BY 1, 2, 3`
    ),
    views: await query(
      `SELECT table_name, view_definition, security_type FROM information_schema.views WHERE ${inDatabase} ORDER BY 1`
    )
  }
  return JSON.parse(JSON.stringify(found).replaceAll(name, "database"))
}

/** A connection on which nothing comes back any more after so many changes. It says how many there were. */
const dyingAfter = async (url: string, most: number) => {
  const connection = await mysql.createConnection(url)
  let changes = 0
  const query = async (...args: Parameters<typeof connection.query>) => {
    if (changes > most) throw new Error("died")
    const options: unknown = args[0]
    const text = typeof options === "object" && options !== null ? String(Reflect.get(options, "sql")) : String(options)
    const changing = /^(?:CREATE|ALTER|RENAME|DROP|INSERT|UPDATE)/.test(text)
    if (changing && ++changes > most) throw new Error("died")
    return connection.query(...args)
  }
  const dying: mysql.Connection = Object.assign(Object.create(connection), { query })
  return { store: MysqlStore.make(drizzle(dying)), changes: () => changes, close: () => connection.destroy() }
}

for (const [server, serverName] of [
  ["mysql", "MySQL"],
  ["mariadb", "MariaDB"]
] as const) {
  const adminUrl = serverUrl(server)

  describe.skipIf(adminUrl === undefined)(serverName, () => {
    if (adminUrl === undefined) return

    const versionBefore = (from: TestDatabase, version: number) =>
      Effect.tap(temporaryDatabase(adminUrl), ({ query }) => Effect.promise(() => copyBack(query, from.name, version)))

    it.scopedLive.each([1, 2])("version %i becomes what a new database is, with what it holds", (version) =>
      Effect.gen(function* () {
        const now = yield* Effect.flatMap(temporaryDatabase(adminUrl), filled)
        const before = yield* versionBefore(now, version)
        const store = yield* storeOn(before.url)
        yield* store.migrate
        yield* store.migrate
        yield* Effect.promise(async () => {
          expect(await structureOf(before)).toEqual(await structureOf(now))
          expect(await contentOf(before.query)).toEqual(await contentOf(now.query))
          expect(await before.query("SELECT version FROM kavach_polar_migrations ORDER BY version")).toEqual([
            ...previousMigrations.filter((one) => one.version <= version).map((one) => ({ version: one.version })),
            ...migrations.map((one) => ({ version: one.version }))
          ])
        })
        const clocks = yield* clocksOf(now)
        expect(clocks.filter((row) => row["clock_at"] !== null).length).toBeGreaterThan(0)
        expect(yield* clocksOf({ ...before, store })).toEqual(clocks)
        // And goes on from there.
        for (const userId of ["user it's", "user-2", "user-3", "user-😀"].map((id) => UserId.make(id))) {
          const expected = yield* now.store.subscriptionsOf(userId, "all")
          expect(expected.length).toBeGreaterThan(0)
          expect(yield* store.subscriptionsOf(userId, "all")).toEqual(expected)
          expect(yield* store.liveSubscriptionsOf(userId)).toEqual(yield* now.store.liveSubscriptionsOf(userId))
        }
        expect((yield* store.job("job"))._tag).toBe(version < 2 ? "None" : "Some")
        const scene = newScene({ subscriptionId: "over", customerId: "customer-over" })
        const stale = subscriptionDelivery(scene, "updated", { externalId: "user-😀", at: 1 })
        expect(yield* store.applyDeliveries([stale], defaultPolicy)).toMatchObject([{ state: "stale" }])
        const link = { customerId: CustomerId.make("customer-waits"), userId: UserId.make("user-4"), linkedBy: "host" }
        expect(yield* store.linkCustomer({ ...link, linkedBy: "host" }, defaultPolicy)).toBe(1)
        expect(yield* store.deliveries({ states: ["unlinked"] })).toEqual([])
      })
    )

    it.scopedLive(
      "a process that dies after any of its statements leaves what the next one finishes",
      () =>
        Effect.gen(function* () {
          const now = yield* Effect.flatMap(temporaryDatabase(adminUrl), filled)
          const structure = yield* Effect.promise(() => structureOf(now))
          const content = yield* Effect.promise(() => contentOf(now.query))
          const clocks = yield* clocksOf(now)
          for (let most = 0; ; most++) {
            const before = yield* versionBefore(now, 2)
            const died = yield* Effect.promise(async () => {
              const { changes, close, store } = await dyingAfter(before.url, most)
              const result = await Effect.runPromise(Effect.either(store.migrate))
              close()
              expect(Either.isLeft(result)).toBe(changes() > most)
              return Either.isLeft(result)
            })
            if (!died) {
              expect(most).toBeGreaterThan(10)
              break
            }
            const store = yield* storeOn(before.url)
            yield* store.migrate
            yield* Effect.promise(async () => {
              expect(await structureOf(before), `after ${most} changes`).toEqual(structure)
              expect(await contentOf(before.query), `after ${most} changes`).toEqual(content)
            })
            expect(yield* clocksOf({ ...before, store }), `after ${most} changes`).toEqual(clocks)
          }
        }),
      120_000
    )

    it.scopedLive("drizzle's definitions have the columns that are there", () =>
      Effect.gen(function* () {
        const database = yield* temporaryDatabase(adminUrl)
        const store = yield* storeOn(database.url)
        yield* store.migrate
        const rows = yield* Effect.promise(() =>
          database.query(
            "SELECT table_name AS name, column_name AS col FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name LIKE 'kavach_polar_%' ORDER BY table_name, ordinal_position"
          )
        )
        const found: Record<string, Array<unknown>> = {}
        for (const row of rows) found[String(row["name"])] = [...(found[String(row["name"])] ?? []), row["col"]]
        const defined: Record<string, Array<unknown>> = {}
        for (const each of Object.values(schema)) {
          if (is(each, MySqlTable))
            defined[getTableName(each)] = Object.values(getTableColumns(each)).map((one) => one.name)
          if (is(each, MySqlView)) {
            defined[getViewName(each)] = Object.values(getViewConfig(each).selectedFields).map((one) =>
              is(one, Column) ? one.name : undefined
            )
          }
        }
        expect(defined).toEqual(found)
      })
    )
  })
}
