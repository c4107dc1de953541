/** What the contract of all stores does not say: files, other writers, deadlines, databases of an app's. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, it } from "@effect/vitest"
import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { migrations } from "@kavach-polar/core/adapter"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import { createClient } from "@libsql/client"
import { drizzle } from "drizzle-orm/libsql"
import { Config, ConfigProvider, Duration, Effect, Fiber, Layer, Option, Redacted } from "effect"
import { runChildren } from "../../../test/runChild.ts"
import { newClient, newFile } from "../../../test/store/LibsqlHarness.ts"

const userId = UserId.make("user-1")
const applied = () => subscriptionDelivery(newScene(), "created", { externalId: userId })

it.scoped("every connection to a file has commits on disk when they return, and hardly waits by itself", () =>
  Effect.gen(function* () {
    const { $client: client } = yield* LibsqlStore.open(yield* newFile)
    const pragma = async (name: string) =>
      String(Object.values((await client.execute(`PRAGMA ${name}`)).rows[0] ?? {})[0])
    // Those that are under way hold a connection each, so that the next is new.
    for (const _connection of [1, 2, 3]) {
      yield* Effect.promise(() => client.transaction("read"))
      expect(yield* Effect.promise(() => pragma("synchronous"))).toBe("2")
      expect(yield* Effect.promise(() => pragma("foreign_keys"))).toBe("1")
      expect(yield* Effect.promise(() => pragma("busy_timeout"))).toBe("5")
      expect(yield* Effect.promise(() => pragma("journal_mode"))).toBe("wal")
    }
  })
)

it.scopedLive(
  "six processes that migrate one new file at once all succeed",
  () =>
    Effect.gen(function* () {
      const { url } = yield* newFile
      const migrating = new URL("children/migrate.ts", import.meta.url)
      const said = yield* Effect.promise(() => runChildren(6, migrating, url))
      expect(said).toEqual(Array.from({ length: 6 }, () => "migrated"))
    }),
  120_000
)

it.scopedLive("while another process writes, steps wait, and this process goes on and reads", () =>
  Effect.gen(function* () {
    const address = yield* newFile
    const store = yield* Effect.provide(BillingStore, yield* Layer.build(LibsqlStore.layer(address)))
    yield* store.migrate
    const other = yield* newClient(address)
    const writing = yield* Effect.promise(() => other.transaction("write"))
    const deliveries = Array.from({ length: 10 }, applied)
    const steps = yield* Effect.fork(
      Effect.forEach(deliveries, (delivery) => store.applyDeliveries([delivery], defaultPolicy), {
        concurrency: "unbounded"
      })
    )
    yield* Effect.repeatN(Effect.sleep("10 millis"), 20)
    expect(yield* Fiber.poll(steps)).toEqual(Option.none())
    expect(yield* store.subscriptionsOf(userId, "all")).toEqual([])
    writing.close()
    expect((yield* Fiber.join(steps)).map(([{ state }]) => state)).toEqual(deliveries.map(() => "applied"))
  })
)

it.scopedLive(
  "a writer that never ends is said to be busy within five seconds, and nothing of the step comes later",
  () =>
    Effect.gen(function* () {
      const address = yield* newFile
      const store = yield* Effect.provide(BillingStore, yield* Layer.build(LibsqlStore.layer(address)))
      yield* store.migrate
      const other = yield* newClient(address)
      const writing = yield* Effect.promise(() => other.transaction("write"))
      const began = performance.now()
      const error = yield* Effect.flip(store.applyDeliveries([applied()], defaultPolicy))
      expect(error.reason).toBe("busy")
      expect(performance.now() - began).toBeLessThan(5000)
      writing.close()
      yield* Effect.sleep("200 millis")
      expect(yield* store.deliveries({ limit: 5 })).toEqual([])
    })
)

it.scopedLive("a server that is silent is given up in time, and the next call is not kept waiting by it", () =>
  Effect.gen(function* () {
    let asked = 0
    const server = createServer(() => {
      asked++
    })
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
      () =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    )
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const layer = LibsqlStore.layer({ url, authToken: Redacted.make("secret") })
    const store = yield* Effect.provide(BillingStore, yield* Layer.build(layer))
    const claim = store.claimJob({ name: "a", owner: "a", lease: Duration.minutes(1) })
    const began = performance.now()
    const errors = yield* Effect.all([Effect.flip(claim), Effect.flip(store.customerOf(userId))], {
      concurrency: "unbounded"
    })
    expect(performance.now() - began).toBeLessThan(5000)
    for (const error of errors) expect(error.reason).toBe("unavailable")
    expect(asked).toBe(2)
  })
)

it.scopedLive("an app's transaction is never joined: on the one connection to memory the store says busy", () =>
  Effect.gen(function* () {
    const client = yield* newClient({ url: ":memory:" })
    const store = LibsqlStore.make(drizzle(client))
    yield* store.migrate
    const theirs = yield* Effect.promise(() => client.transaction("write"))
    const error = yield* Effect.flip(store.applyDeliveries([applied()], defaultPolicy))
    expect(error).toMatchObject({ reason: "busy", detail: expect.stringContaining("TRANSACTION_ACTIVE") })
    theirs.close()
    expect(yield* store.applyDeliveries([applied()], defaultPolicy)).toMatchObject([{ state: "applied" }])
    expect(client.closed).toBe(false)
  })
)

it.scoped("an app that logs its statements sees the store's too", () =>
  Effect.gen(function* () {
    const logged: Array<string> = []
    const client = yield* newClient({ url: ":memory:" })
    const store = LibsqlStore.make(drizzle(client, { logger: { logQuery: (text) => void logged.push(text) } }))
    yield* store.migrate
    yield* store.applyDeliveries([applied()], defaultPolicy)
    expect(logged).toContainEqual(expect.stringContaining("INSERT INTO kavach_polar_deliveries"))
  })
)

it.scoped("a folder that is not there, and a file that is none, are said clearly", () =>
  Effect.gen(function* () {
    const open = (url: string) => Effect.flip(Effect.scoped(LibsqlStore.open({ url })))
    expect(yield* open("file:/no/such/folder/app.db")).toMatchObject({
      operation: "open",
      reason: "unavailable",
      detail: "the folder /no/such/folder does not exist"
    })
    expect((yield* open("file:/proc")).reason).toBe("denied")
    expect((yield* open("billing")).detail).toBe("URL_INVALID: the url is not one of libSQL's")
  })
)

it.scoped("options from the configuration, the token redacted", () =>
  Effect.gen(function* () {
    const { url } = yield* newFile
    const layer = LibsqlStore.layerConfig({ url: Config.string("URL"), authToken: Config.redacted("TOKEN") })
    const provider = ConfigProvider.fromMap(new Map(Object.entries({ URL: url, TOKEN: "secret" })))
    yield* Effect.gen(function* () {
      yield* (yield* BillingStore).migrate
    }).pipe(Effect.provide(layer), Effect.withConfigProvider(provider))
    const client = createClient({ url })
    const { rows } = yield* Effect.promise(() => client.execute("SELECT count(*) AS n FROM kavach_polar_migrations"))
    expect(rows[0]?.["n"]).toBe(migrations.length)
    client.close()
  })
)
