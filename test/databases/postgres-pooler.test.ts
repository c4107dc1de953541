/** Behind a real pooler that lends a connection for one transaction at a time, and keeps no prepared statements. */
import { describe, expect, it } from "@effect/vitest"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import { Effect } from "effect"
import { afterAll, beforeAll } from "vitest"
import { startPgBouncer } from "../servers/pgbouncer.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import { newDatabase } from "../store/PostgresHarness.ts"

const admin = serverUrl("postgres")

describe.skipIf(admin === undefined)("behind PgBouncer, by transaction", () => {
  if (admin === undefined) return
  let pooler: Awaited<ReturnType<typeof startPgBouncer>>

  beforeAll(async () => {
    pooler = await startPgBouncer(admin)
  })
  afterAll(() => pooler?.stop())

  /** A new database, at the server and through the pooler. */
  const database = Effect.map(newDatabase(admin), ({ name, query }) => {
    const url = new URL(pooler.url)
    url.pathname = `/${name}`
    return { url: url.href, query }
  })

  /** Deliveries at once, as many as have to share the pooler's connections. */
  const receive = (count: number) =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      yield* store.migrate
      const received = yield* Effect.forEach(
        Array.from({ length: count }, () => newScene()),
        (scene) =>
          Effect.zipRight(
            store.applyDeliveries(
              [subscriptionDelivery(scene, "created", { externalId: scene.customerId })],
              defaultPolicy
            ),
            store.customerOf(UserId.make(scene.customerId))
          ),
        { concurrency: 12 }
      )
      return received.length
    })

  describe.each(["pg", "postgres"] as const)("with the driver %s", (driver) => {
    it.scopedLive("the store finds out and goes on, also after a restart", () =>
      Effect.gen(function* () {
        const { query, url } = yield* database
        for (let start = 0; start < 3; start++) {
          const Store = PostgresStore.layer(driver === "pg" ? { url } : { url, driver })
          expect(yield* Effect.provide(receive(40), Store)).toBe(40)
        }
        const rows = yield* Effect.promise(() => query("SELECT count(*)::int AS n FROM kavach_polar_deliveries"))
        expect(rows).toEqual([{ n: 120 }])
      })
    )

    it.scopedLive("nor is anything amiss when it is told", () =>
      Effect.gen(function* () {
        const { url } = yield* database
        const Store = PostgresStore.layer(driver === "pg" ? { url, prepare: false } : { url, driver, prepare: false })
        expect(yield* Effect.provide(receive(40), Store)).toBe(40)
      })
    )
  })
})
