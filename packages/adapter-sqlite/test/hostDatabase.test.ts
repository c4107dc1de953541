import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import Database from "better-sqlite3"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { Effect, Fiber, Option } from "effect"
import { temporaryFolder } from "../../../test/store/SqliteHarness.ts"
import * as schema from "../src/schema.ts"

const userId = UserId.make("user-1")

it.effect("a database made with a schema serves as well as one without, and stays open", () =>
  Effect.gen(function* () {
    const client = new Database(":memory:")
    const db = drizzle(client, { schema })
    const delivery = subscriptionDelivery(newScene(), "created", { externalId: userId })
    yield* Effect.gen(function* () {
      const store = yield* BillingStore
      yield* store.migrate
      yield* store.applyDeliveries([delivery], defaultPolicy)
    }).pipe(Effect.provide(SqliteStore.fromDrizzle(db)))
    expect(client.open).toBe(true)
    const [row] = db.query.deliveries.findMany().sync()
    expect(row).toMatchObject({
      id: delivery.id,
      state: "applied",
      userId,
      receivedAt: new Date(delivery.receivedAt).toISOString(),
      eventAt: delivery.content.at
    })
  })
)

it.effect("building the layer touches no table", () =>
  Effect.gen(function* () {
    const client = new Database(":memory:")
    yield* Effect.provide(BillingStore, SqliteStore.fromDrizzle(drizzle(client)))
    expect(client.prepare("SELECT * FROM sqlite_schema").all()).toEqual([])
  })
)

it.effect("an open transaction of the app's is never joined: its rollback would take back what was acknowledged", () =>
  Effect.gen(function* () {
    const client = new Database(":memory:")
    const store = SqliteStore.make(drizzle(client))
    yield* store.migrate
    const delivery = subscriptionDelivery(newScene(), "created", { externalId: userId })
    client.exec("BEGIN")
    const error = yield* Effect.flip(store.applyDeliveries([delivery], defaultPolicy))
    expect(error).toMatchObject({ reason: "busy", detail: expect.stringContaining("transaction open") })
    client.exec("COMMIT")
    const [outcome] = yield* store.applyDeliveries([delivery], defaultPolicy)
    expect(outcome).toMatchObject({ state: "applied", duplicate: false })
  })
)

it.effect("an app that logs its statements sees the store's too", () =>
  Effect.gen(function* () {
    const logged: Array<string> = []
    const store = SqliteStore.make(
      drizzle(new Database(":memory:"), { logger: { logQuery: (text) => void logged.push(text) } })
    )
    yield* store.migrate
    logged.length = 0
    const delivery = subscriptionDelivery(newScene(), "created", { externalId: userId })
    yield* store.applyDeliveries([delivery], defaultPolicy)
    expect(yield* store.subscriptionsOf(userId, "all")).toHaveLength(1)
    for (const table of ["deliveries", "customers", "records", "notifications"]) {
      expect(logged).toContainEqual(expect.stringContaining(`INSERT INTO kavach_polar_${table} `))
    }
  })
)

it.scoped(
  "the app's choice of synchronous and of waiting stays, and the store's own commits are synced all the same",
  () =>
    Effect.gen(function* () {
      const client = new Database(join(yield* temporaryFolder, "app.db"))
      client.pragma("journal_mode = WAL")
      client.pragma("synchronous = NORMAL")
      const store = SqliteStore.make(drizzle(client))
      yield* store.migrate
      const happened: Array<unknown> = []
      const { exec } = client
      client.exec = (source) => {
        happened.push(source)
        return exec.call(client, source)
      }
      client.function("note_insert", () => {
        happened.push("insert")
        return null
      })
      exec.call(
        client,
        "CREATE TRIGGER look AFTER INSERT ON kavach_polar_deliveries BEGIN SELECT note_insert() FROM (SELECT 1); END"
      )
      yield* store.applyDeliveries([subscriptionDelivery(newScene(), "created")], defaultPolicy)
      expect(happened).toEqual([
        "PRAGMA busy_timeout = 5",
        "PRAGMA synchronous = 2",
        "insert",
        "PRAGMA busy_timeout = 5000",
        "PRAGMA synchronous = 1"
      ])
      expect(client.pragma("synchronous", { simple: true })).toBe(1)
      expect(client.pragma("busy_timeout", { simple: true })).toBe(5000)
      // What the app chooses later counts as well.
      client.pragma("synchronous = EXTRA")
      client.pragma("busy_timeout = 3")
      happened.length = 0
      yield* store.applyDeliveries([subscriptionDelivery(newScene(), "created")], defaultPolicy)
      expect(happened).toEqual(["insert"])
      client.close()
    })
)

it.scopedLive("while another process writes, steps wait and the process goes on", () =>
  Effect.gen(function* () {
    const filename = join(yield* temporaryFolder, "app.db")
    const client = new Database(filename)
    client.pragma("journal_mode = WAL")
    const store = SqliteStore.make(drizzle(client))
    yield* store.migrate
    const other = new Database(filename)
    other.exec("BEGIN IMMEDIATE")
    const deliveries = Array.from({ length: 10 }, () => subscriptionDelivery(newScene(), "created"))
    const steps = yield* Effect.fork(
      Effect.forEach(deliveries, (delivery) => store.applyDeliveries([delivery], defaultPolicy), {
        concurrency: "unbounded"
      })
    )
    // Each of the ten would hold up the process for five seconds, one after the other.
    yield* Effect.repeatN(Effect.sleep("10 millis"), 20)
    expect(yield* Fiber.poll(steps)).toEqual(Option.none())
    expect(yield* store.subscriptionsOf(userId, "all")).toEqual([])
    other.exec("COMMIT")
    const outcomes = yield* Fiber.join(steps)
    expect(outcomes.map(([{ state }]) => state)).toEqual(deliveries.map(() => "unlinked"))
    other.close()
    client.close()
  })
)
