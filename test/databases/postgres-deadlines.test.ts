/** Whatever PostgreSQL does, or does not: each call is answered within five seconds, and others go on. */
import { randomUUID } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { BillingStore, type BillingStoreService } from "@kavach-polar/core/BillingStore"
import type { StoreError } from "@kavach-polar/core/StoreError"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import { drizzle } from "drizzle-orm/node-postgres"
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js"
import { Context, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import pg from "pg"
import postgres from "postgres"
import { serverUrl } from "../servers/serverUrl.ts"
import { insertUser, newDatabase, newPool, type Query } from "../store/PostgresHarness.ts"
import { silentProxy } from "./silentProxy.ts"

const admin = serverUrl("postgres")

describe.skipIf(admin === undefined).concurrent("PostgreSQL in time", () => {
  if (admin === undefined) return

  const run = (query: Query, ...parameters: Parameters<Query>) => Effect.promise(() => query(...parameters))

  const ownPool = (driver: "pg" | "postgres", maxConnections?: number) => (url: string) =>
    Effect.map(Layer.build(PostgresStore.layer({ url, driver, maxConnections })), (context) =>
      Context.get(context, BillingStore)
    )

  const onPool = (url: string, max = 10) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => {
          const pool = new pg.Pool({ connectionString: url, max })
          pool.on("error", () => {})
          return pool
        }),
        // On a silent connection it would never end.
        (pool) => Effect.sync(() => void pool.end())
      ),
      (pool) => ({ pool, store: PostgresStore.make(drizzle(pool)) })
    )

  const onClient = (url: string) =>
    Effect.map(
      Effect.promise(async () => {
        const client = new pg.Client({ connectionString: url })
        client.on("error", () => {})
        await client.connect()
        return client
      }),
      (client) => PostgresStore.make(drizzle(client))
    )

  const onPostgresJs = (url: string) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => postgres(url)),
        (client) => Effect.sync(() => void client.end({ timeout: 0 }))
      ),
      (client) => PostgresStore.make(drizzlePostgresJs(client))
    )

  const onLentPostgresJs = (url: string) =>
    Effect.gen(function* () {
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => postgres(url)),
        (made) => Effect.sync(() => void made.end({ timeout: 0 }))
      )
      return Context.get(yield* Layer.build(PostgresStore.fromClient(client)), BillingStore)
    })

  const newUser = () => UserId.make(`user-${randomUUID()}`)

  const receive = (store: BillingStoreService, externalId = newUser()) =>
    Effect.map(
      store.applyDeliveries(
        [subscriptionDelivery(newScene(), "created", { externalId, patch: { checkout_id: randomUUID() } })],
        defaultPolicy
      ),
      ([outcome]) => outcome
    )

  /** What went wrong, which has to be said in time. */
  const refusedInTime = (call: Effect.Effect<unknown, StoreError>) =>
    Effect.map(Effect.timed(Effect.flip(call)), ([waited, error]) => {
      expect(Duration.toMillis(waited)).toBeLessThan(5000)
      return error
    })

  const proxied = Effect.gen(function* () {
    const { query, url } = yield* newDatabase(admin)
    yield* Effect.scoped(Effect.flatMap(ownPool("pg")(url), (store) => store.migrate))
    const proxy = yield* Effect.acquireRelease(
      Effect.promise(() => silentProxy(url)),
      (made) => Effect.promise(() => made.close())
    )
    return { proxy, query, url }
  })

  const openings: ReadonlyArray<
    readonly [
      name: string,
      open: (url: string) => Effect.Effect<BillingStoreService, unknown, Scope.Scope>,
      recovers: boolean
    ]
  > = [
    ["a pool of its own", ownPool("pg"), true],
    ["a pool of its own, by postgres.js", ownPool("postgres"), true],
    ["a pool of the app's", (url) => Effect.map(onPool(url), ({ store }) => store), true],
    ["one connection of the app's", onClient, false],
    ["drizzle of the app's on postgres.js", onPostgresJs, false],
    ["postgres.js of the app's", onLentPostgresJs, false]
  ]

  for (const [name, open, recovers] of openings) {
    it.scopedLive(`${name}: a server that has fallen silent`, () =>
      Effect.gen(function* () {
        const { proxy, query } = yield* proxied
        const store = yield* open(proxy.url)
        yield* receive(store)
        proxy.fallSilent()
        const userId = newUser()
        const errors = yield* Effect.all(
          [
            receive(store, userId),
            Effect.delay(receive(store, userId), "300 millis"),
            store.liveSubscriptionsOf(userId),
            store.deliveries({ limit: 1 }),
            store.claimNotifications({ owner: "a", limit: 1, lease: Duration.minutes(1) })
          ].map((call: Effect.Effect<unknown, StoreError>) => refusedInTime(call)),
          { concurrency: "unbounded" }
        )
        for (const error of errors) expect(error).toMatchObject({ _tag: "StoreError", reason: "unavailable" })
        proxy.speak()
        if (recovers) expect(yield* receive(store, userId)).toMatchObject({ state: "applied", duplicate: false })
        const rows = yield* run(query, "SELECT count(*)::int AS count FROM kavach_polar_deliveries")
        expect(rows).toEqual([{ count: recovers ? 2 : 1 }])
      })
    )

    it.scopedLive(`${name}: what was given up leaves nothing, also when the server goes on with it later`, () =>
      Effect.gen(function* () {
        const { query, url } = yield* newDatabase(admin)
        // The app's own limits hold, which are longer than a call may take.
        const patient = new URL(url)
        patient.searchParams.set("options", "-c lock_timeout=60s -c statement_timeout=60s")
        const store = yield* open(patient.href)
        yield* store.migrate
        yield* receive(store)
        const locked = yield* Effect.fork(
          run(query, "BEGIN; LOCK TABLE kavach_polar_deliveries; SELECT pg_sleep(4.5); COMMIT")
        )
        yield* Effect.sleep("200 millis")
        const errors = yield* Effect.forEach([1, 2, 3], () => refusedInTime(receive(store)), {
          concurrency: "unbounded"
        })
        for (const error of errors) expect(error).toMatchObject({ _tag: "StoreError" })
        yield* Fiber.join(locked)
        yield* Effect.sleep("1 second")
        const rows = yield* run(query, "SELECT count(*)::int AS count FROM kavach_polar_deliveries")
        expect(rows).toEqual([{ count: 1 }])
      })
    )

    it.scopedLive(`${name}: silent from the beginning`, () =>
      Effect.gen(function* () {
        if (open === onClient) return
        const { proxy } = yield* proxied
        proxy.fallSilent()
        const store = yield* open(proxy.url)
        expect(yield* refusedInTime(receive(store))).toMatchObject({ reason: "unavailable" })
      })
    )

    it.scopedLive(`${name}: a user's row that the app has locked, and others whose rows it has not`, () =>
      Effect.gen(function* () {
        const { proxy, query, url } = yield* proxied
        const [locked, free] = [newUser(), newUser()]
        for (const id of [locked, free]) yield* Effect.promise(() => insertUser(query, { id }))
        const store = yield* open(proxy.url)
        const pool = yield* newPool(url, 1)
        const app = yield* Effect.acquireRelease(
          Effect.promise(() => pool.connect()),
          (client) => Effect.sync(() => client.release(true))
        )
        yield* Effect.promise(async () => {
          await app.query("BEGIN")
          await app.query("SELECT FROM kavach_users WHERE id = $1 FOR UPDATE", [locked])
        })
        const waiting = yield* Effect.fork(refusedInTime(receive(store, locked)))
        yield* Effect.sleep("300 millis")
        if (open !== onClient) {
          const [waited, outcome] = yield* Effect.timed(receive(store, free))
          expect(outcome).toMatchObject({ state: "applied" })
          expect(Duration.toMillis(waited)).toBeLessThan(1500)
        }
        expect(yield* Fiber.join(waiting)).toMatchObject({ reason: "busy" })
        yield* Effect.promise(() => app.query("ROLLBACK"))
        if (open !== onClient) expect(yield* receive(store, locked)).toMatchObject({ state: "applied" })
      })
    )
  }

  it.scopedLive("a pool whose connections the app holds", () =>
    Effect.gen(function* () {
      const { query, url } = yield* proxied
      const { pool, store } = yield* onPool(url, 1)
      const held = yield* Effect.promise(() => pool.connect())
      const calls = [receive(store), store.deliveries({ limit: 1 })].map((call: Effect.Effect<unknown, StoreError>) =>
        refusedInTime(call)
      )
      for (const error of yield* Effect.all(calls, { concurrency: "unbounded" })) {
        expect(error).toMatchObject({ reason: "unavailable" })
      }
      held.release()
      expect(yield* receive(store)).toMatchObject({ state: "applied" })
      expect(pool.waitingCount).toBe(0)
      expect(yield* run(query, "SELECT count(*)::int AS count FROM kavach_polar_deliveries")).toEqual([{ count: 1 }])
    })
  )

  for (const driver of ["pg", "postgres"] as const) {
    it.scopedLive(`${driver}: one connection for all: who waits for it is answered too, and then it goes on`, () =>
      Effect.gen(function* () {
        const { query, url } = yield* proxied
        const locked = newUser()
        yield* Effect.promise(() => insertUser(query, { id: locked }))
        const store = yield* ownPool(driver, 1)(url)
        const pool = yield* newPool(url, 1)
        yield* Effect.promise(async () => {
          await pool.query("BEGIN")
          await pool.query("SELECT FROM kavach_users WHERE id = $1 FOR UPDATE", [locked])
        })
        const errors = yield* Effect.all(
          [receive(store, locked), Effect.delay(receive(store, locked), "100 millis")].map(
            (call: Effect.Effect<unknown, StoreError>) => refusedInTime(call)
          ),
          {
            concurrency: "unbounded"
          }
        )
        expect(errors.map((error) => error.reason)).toContain("busy")
        yield* Effect.promise(() => pool.query("ROLLBACK"))
        expect(yield* receive(store, locked)).toMatchObject({ state: "applied" })
      })
    )

    it.live(`${driver}: the scope closes while the server is silent`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { proxy } = yield* proxied
          const scope = yield* Scope.make()
          const store = yield* Scope.extend(ownPool(driver)(proxy.url), scope)
          yield* Effect.all([receive(store), receive(store), receive(store)], { concurrency: "unbounded" })
          proxy.fallSilent()
          const waiting = yield* Effect.fork(refusedInTime(receive(store)))
          yield* Effect.sleep("100 millis")
          const [waited] = yield* Effect.timed(Scope.close(scope, Exit.void))
          expect(Duration.toMillis(waited)).toBeLessThan(6000)
          expect(yield* Fiber.join(waiting)).toMatchObject({ _tag: "StoreError" })
        })
      )
    )
  }
})
