/** Every call ends in time, whatever the server, the network or the app does: on MySQL and MariaDB. */
import { randomUUID } from "node:crypto"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { BillingStore, type BillingStoreService } from "@kavach-polar/core/BillingStore"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import { drizzle } from "drizzle-orm/mysql2"
import { Context, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import mysql from "mysql2/promise"
import { serverUrl } from "../servers/serverUrl.ts"
import { type Query, temporaryDatabase, temporaryPool } from "../store/MysqlHarness.ts"

const apply = (store: BillingStoreService, externalId: string) =>
  store.applyDeliveries(
    [subscriptionDelivery(newScene(), "created", { externalId, patch: { checkout_id: randomUUID() } })],
    defaultPolicy
  )

const insertUser = (query: Query, id: string) =>
  Effect.promise(() =>
    query(
      "INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES (?, ?, '2026-01-01', '2026-01-01')",
      id,
      `${id}@example.test`
    )
  )

/** A wire to the server that swallows what goes over it, in both directions, without a word: as a dead network does. */
const swallowing = (databaseUrl: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const target = new URL(databaseUrl)
      const sockets = new Set<Socket>()
      let isSilent = false
      const listener = createServer((client) => {
        const server = connect(Number(target.port), target.hostname)
        for (const [from, to] of [
          [client, server],
          [server, client]
        ] as const) {
          sockets.add(from)
          from.on("data", (chunk) => {
            if (!isSilent) to.write(chunk)
          })
          from.on("error", () => {})
          from.on("close", () => {
            sockets.delete(from)
            to.destroy()
          })
        }
      })
      await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve))
      const url = new URL(databaseUrl)
      url.port = String((listener.address() as AddressInfo).port)
      return {
        url: url.href,
        silence: (silent: boolean) => {
          isSilent = silent
        },
        close: () => {
          for (const socket of sockets) socket.destroy()
          listener.close()
        }
      }
    }),
    ({ close }) => Effect.sync(close)
  )

/** Fails within five seconds. */
const failsInTime = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const [took, error] = yield* Effect.timed(Effect.flip(call))
    expect(Duration.toMillis(took)).toBeLessThan(5000)
    return error
  })

for (const [server, serverName] of [
  ["mysql", "MySQL"],
  ["mariadb", "MariaDB"]
] as const) {
  const adminUrl = serverUrl(server)

  // They share nothing, and mostly wait.
  describe.skipIf(adminUrl === undefined).concurrent(serverName, () => {
    if (adminUrl === undefined) return

    const migrated = Effect.gen(function* () {
      const database = yield* temporaryDatabase(adminUrl)
      const store = MysqlStore.make(yield* MysqlStore.open({ url: database.url }))
      yield* store.migrate
      return { ...database, store }
    })

    const onOwnPool = (url: string) =>
      Effect.map(Layer.build(MysqlStore.layer({ url })), (context) => Context.get(context, BillingStore))

    const stores: ReadonlyArray<
      readonly [string, (url: string) => Effect.Effect<BillingStoreService, unknown, Scope.Scope>, revives: boolean]
    > = [
      ["a pool of the store's own", onOwnPool, true],
      [
        "a pool of the app's",
        (url) => Effect.map(temporaryPool({ uri: url }), (pool) => MysqlStore.make(drizzle(pool))),
        true
      ],
      [
        "one connection of the app's",
        (url) =>
          Effect.map(
            Effect.acquireRelease(
              Effect.promise(() => mysql.createConnection(url)),
              (connection) => Effect.sync(() => connection.destroy())
            ),
            (connection) => MysqlStore.make(drizzle(connection))
          ),
        false
      ]
    ]

    it.scopedLive.each(stores)("a server that falls silent: %s", ([, open, revives]) =>
      Effect.gen(function* () {
        const { store: direct, url } = yield* migrated
        const wire = yield* swallowing(url)
        const store = yield* open(wire.url)
        yield* apply(store, "before")
        wire.silence(true)
        const calls = [
          apply(store, "during"),
          store.subscriptionsOf(UserId.make("before"), "all"),
          store.claimNotifications({ owner: "a", limit: 1, lease: Duration.minutes(1) })
        ]
        const errors = yield* Effect.all(
          calls.map((call) => failsInTime<unknown, unknown>(call)),
          { concurrency: "unbounded" }
        )
        for (const error of errors) expect(error).toMatchObject({ reason: "unavailable" })
        // Nothing of it is left on the server, and others go on.
        expect(yield* direct.deliveries({})).toHaveLength(1)
        expect(yield* apply(direct, "during")).toMatchObject([{ state: "applied" }])
        wire.silence(false)
        if (revives) expect(yield* apply(store, "after")).toMatchObject([{ state: "applied" }])
      })
    )

    it.scopedLive("a server that was silent from the beginning", () =>
      Effect.gen(function* () {
        const { url } = yield* migrated
        const wire = yield* swallowing(url)
        wire.silence(true)
        const store = yield* onOwnPool(wire.url)
        expect(yield* failsInTime(apply(store, "one"))).toMatchObject({ reason: "unavailable" })
      })
    )

    it.live("the scope of a pool ends although the server is silent", () =>
      Effect.gen(function* () {
        const outer = yield* Scope.make()
        const { url } = yield* Scope.extend(migrated, outer)
        const wire = yield* Scope.extend(swallowing(url), outer)
        const scope = yield* Scope.make()
        const store = yield* Scope.extend(onOwnPool(wire.url), scope)
        yield* Effect.all(
          ["a", "b", "c"].map((id) => apply(store, id)),
          { concurrency: 3 }
        )
        wire.silence(true)
        const call = yield* Effect.fork(Effect.flip(apply(store, "during")))
        yield* Effect.sleep("100 millis")
        const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
        expect(Duration.toMillis(took)).toBeLessThan(5000)
        yield* Fiber.join(call)
        yield* Scope.close(outer, Exit.void)
      })
    )

    for (const [name, open] of stores.slice(0, 2)) {
      it.scopedLive(`a row of kavach_users that the app holds is in nobody else's way: ${name}`, () =>
        Effect.gen(function* () {
          const { query, url } = yield* migrated
          const store = yield* open(url)
          for (const id of ["held", "free-1", "free-2", "free-3"]) yield* insertUser(query, id)
          yield* apply(store, "warm")
          const app = yield* Effect.promise(() => mysql.createConnection(url))
          yield* Effect.promise(async () => {
            await app.query("BEGIN")
            await app.query("UPDATE kavach_users SET name = 'Ada' WHERE id = 'held'")
          })
          const held = yield* Effect.fork(failsInTime(apply(store, "held")))
          yield* Effect.sleep("200 millis")
          for (const id of ["free-1", "free-2", "free-3"]) {
            const [took, outcomes] = yield* Effect.timed(apply(store, id))
            expect(outcomes).toMatchObject([{ state: "applied" }])
            expect(Duration.toMillis(took)).toBeLessThan(2500)
          }
          expect(yield* Fiber.join(held)).toMatchObject({
            reason: "busy",
            detail: expect.stringContaining("held a lock for too long")
          })
          // Let go of in time, it is waited for.
          const waits = yield* Effect.fork(apply(store, "held"))
          yield* Effect.sleep("2500 millis")
          yield* Effect.promise(() => app.query("COMMIT"))
          expect(yield* Fiber.join(waits)).toMatchObject([{ state: "applied" }])
          yield* Effect.promise(() => app.end())
        })
      )
    }

    it.scopedLive("a pool whose connections the app has all: answered in time, and none is kept", () =>
      Effect.gen(function* () {
        const { url } = yield* migrated
        const pool = yield* temporaryPool({ uri: url, connectionLimit: 2 })
        const store = MysqlStore.make(drizzle(pool))
        yield* apply(store, "before")
        const taken = yield* Effect.promise(() => Promise.all([pool.getConnection(), pool.getConnection()]))
        const calls = Array.from({ length: 5 }, (_, number) => failsInTime(apply(store, `during-${number}`)))
        for (const error of yield* Effect.all(calls, { concurrency: "unbounded" })) {
          expect(error).toMatchObject({ reason: "unavailable" })
        }
        for (const connection of taken) connection.release()
        expect(yield* apply(store, "after")).toMatchObject([{ state: "applied" }])
        const again = yield* Effect.promise(() => Promise.all([pool.getConnection(), pool.getConnection()]))
        for (const connection of again) connection.release()
      })
    )
  })
}
