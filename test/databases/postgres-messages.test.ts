/** What goes to PostgreSQL together, and what of it stays when a part of it fails. */
import { describe, expect, it } from "@effect/vitest"
import * as PostgresDatabase from "@kavach-polar/adapter-postgres/PostgresDatabase"
import * as PostgresDriver from "@kavach-polar/adapter-postgres/PostgresDriver"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { type BillingStoreService, make } from "@kavach-polar/core/BillingStore"
import { UserId } from "@kavach-polar/core/Subscription"
import { drizzle } from "drizzle-orm/node-postgres"
import { Duration, Effect } from "effect"
import pg from "pg"
import { serverUrl } from "../servers/serverUrl.ts"
import { insertUser, newDatabase, type Query } from "../store/PostgresHarness.ts"
import { newScene, subscriptionDelivery } from "../store/polarDeliveries.ts"

const admin = serverUrl("postgres")

describe.skipIf(admin === undefined)("messages to PostgreSQL", () => {
  if (admin === undefined) return

  const userId = UserId.make("ada")
  const claim = { owner: "a", limit: 10, lease: Duration.minutes(1) }

  const run = (query: Query, ...parameters: Parameters<Query>) => Effect.promise(() => query(...parameters))

  /** On one connection, so that what one step leaves behind on it is what the next one finds. */
  const opened = (prepare: boolean, config: object = {}) =>
    Effect.gen(function* () {
      const { query, url } = yield* newDatabase(admin)
      const pool = yield* Effect.acquireRelease(
        Effect.sync(() => new pg.Pool({ connectionString: url, max: 1, ...config })),
        (made) => Effect.promise(() => made.end())
      )
      const answers = { count: 0 }
      pool.on("connect", (client) => {
        const connection: unknown = Reflect.get(client, "connection")
        if (connection instanceof Object && "on" in connection && typeof connection.on === "function") {
          connection.on("readyForQuery", () => {
            answers.count++
          })
        }
      })
      const store = make(PostgresDriver.make(PostgresDatabase.make(drizzle(pool), { prepare })))
      yield* store.migrate
      yield* Effect.promise(() => insertUser(query, { id: userId }))
      return { answers, pool, query, store }
    })

  const receive = (store: BillingStoreService, at = 1) =>
    Effect.suspend(() =>
      store.receiveDeliveries(
        [subscriptionDelivery(newScene(), "created", { externalId: userId, at })],
        defaultPolicy,
        claim
      )
    )

  for (const prepare of [true, false]) {
    it.scopedLive(`${prepare ? "prepared" : "unprepared"}: a step takes two, and what becomes of a call one`, () =>
      Effect.gen(function* () {
        const { answers, store } = yield* opened(prepare)
        const taken = <A, E>(effect: Effect.Effect<A, E>) =>
          Effect.suspend(() => {
            answers.count = 0
            return Effect.map(effect, (result) => [result, answers.count] as const)
          })
        yield* receive(store)
        const [{ claimed }, step] = yield* taken(receive(store, 2))
        expect(step).toBe(2)
        const ids = claimed.map(({ id }) => id)
        expect(ids).toHaveLength(1)
        const [{ completed }, completion] = yield* taken(store.completeAndClaimNext(ids, claim))
        expect(completed).toEqual(ids)
        expect(completion).toBe(1)
      })
    )

    it.scopedLive(
      `${prepare ? "prepared" : "unprepared"}: nothing stays of a step whose last statement fails, and the connection goes on`,
      () =>
        Effect.gen(function* () {
          const { query, store } = yield* opened(prepare)
          yield* run(query, "ALTER TABLE kavach_polar_notifications ADD CONSTRAINT none CHECK (false)")
          for (let attempt = 0; attempt < 2; attempt++) {
            expect(yield* Effect.flip(receive(store))).toMatchObject({ reason: "constraint" })
          }
          const count = "SELECT (SELECT count(*) FROM kavach_polar_deliveries)::int AS deliveries"
          expect(yield* run(query, count)).toEqual([{ deliveries: 0 }])
          yield* run(query, "ALTER TABLE kavach_polar_notifications DROP CONSTRAINT none")
          const { outcomes } = yield* receive(store)
          expect(outcomes).toMatchObject([{ state: "applied", duplicate: false }])
          expect(yield* run(query, count)).toEqual([{ deliveries: 1 }])
        })
    )
  }

  it.scopedLive("what was prepared before a statement failed is not prepared again", () =>
    Effect.gen(function* () {
      const { pool, query, store } = yield* opened(true)
      yield* run(query, "ALTER TABLE kavach_polar_checkouts RENAME TO elsewhere")
      expect(yield* Effect.flip(receive(store))).toMatchObject({ reason: "schema" })
      yield* run(query, "ALTER TABLE elsewhere RENAME TO kavach_polar_checkouts")
      yield* receive(store)
      const prepared = yield* Effect.promise(() =>
        pool.query("SELECT count(*)::int AS count FROM pg_prepared_statements")
      )
      expect(prepared.rows[0]?.count).toBeGreaterThan(3)
    })
  )

  it.scopedLive("a client in node-postgres's pipeline mode, which takes no queries but its own", () =>
    Effect.gen(function* () {
      const { query, store } = yield* opened(true, { pipeline: true })
      const { claimed } = yield* receive(store)
      const { completed } = yield* store.completeAndClaimNext(
        claimed.map(({ id }) => id),
        claim
      )
      expect(completed).toHaveLength(1)
      yield* run(query, "ALTER TABLE kavach_polar_notifications ADD CONSTRAINT none CHECK (false) NOT VALID")
      expect(yield* Effect.flip(receive(store))).toMatchObject({ reason: "constraint" })
      expect(yield* run(query, "SELECT count(*)::int AS deliveries FROM kavach_polar_deliveries")).toEqual([
        { deliveries: 1 }
      ])
    })
  )

  it.scopedLive("a client whose time for an answer is over: busy, and nothing stays", () =>
    Effect.gen(function* () {
      const { query, store } = yield* opened(true, { query_timeout: 300 })
      yield* run(query, "BEGIN; LOCK TABLE kavach_polar_deliveries IN EXCLUSIVE MODE; SELECT pg_sleep(0)")
      expect(yield* Effect.flip(receive(store))).toMatchObject({ reason: "busy" })
      yield* run(query, "ROLLBACK")
      expect(yield* run(query, "SELECT count(*)::int AS deliveries FROM kavach_polar_deliveries")).toEqual([
        { deliveries: 0 }
      ])
    })
  )
})
