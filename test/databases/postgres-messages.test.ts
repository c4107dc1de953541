/** What goes to PostgreSQL together, and what of it stays when a part of it fails. */
import { Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { deadlineIn, type Script, type Statement, sqlDriver } from "@kavach-polar/core/adapter"
import { type BillingStoreService, make } from "@kavach-polar/core/BillingStore"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import { Duration, Effect } from "effect"
import pg from "pg"
import { onPool } from "../../packages/adapter-postgres/src/nodePostgres.ts"
import { postgresConnection } from "../../packages/adapter-postgres/src/postgresConnection.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import { insertUser, newDatabase, type Query } from "../store/PostgresHarness.ts"

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
      // How often the server was waited for: something is sent after something was received.
      const waits = { count: 0 }
      // Its database may be dropped before it has said goodbye.
      pool.on("error", () => {})
      pool.on("connect", (client) => {
        client.on("error", () => {})
        const stream: unknown = Reflect.get(Reflect.get(client, "connection"), "stream")
        if (!(stream instanceof Socket)) throw new Error("no socket")
        let hasReceived = false
        stream.on("data", () => {
          hasReceived = true
        })
        const { write } = stream
        Reflect.set(stream, "write", (...args: ReadonlyArray<unknown>) => {
          if (hasReceived) waits.count++
          hasReceived = false
          return Reflect.apply(write, stream, args)
        })
      })
      const store = make(sqlDriver(postgresConnection(onPool(pool, prepare)), "@kavach-polar/adapter-postgres"))
      yield* store.migrate
      yield* Effect.promise(() => insertUser(query, { id: userId }))
      return { waits, pool, query, store }
    })

  const receive = (store: BillingStoreService, at = 1) =>
    Effect.suspend(() =>
      store.receiveDeliveries(
        [subscriptionDelivery(newScene(), "created", { externalId: userId, at })],
        defaultPolicy,
        claim
      )
    )

  it.scopedLive("what comes behind a statement that fails is prepared all the same the next time", () =>
    Effect.gen(function* () {
      const { pool, query } = yield* opened(true, { pipeline: true })
      yield* run(query, "CREATE TABLE notes (n int)")
      const { transaction } = onPool(pool, true)
      const note = (n: string) => ({ text: "INSERT INTO notes VALUES (?::text::int)", values: [n] })
      const write = (...statements: ReadonlyArray<Statement>) =>
        Effect.tryPromise({
          try: () =>
            transaction(function* (): Script<void> {
              yield { statements, commits: true }
            }, deadlineIn(4000)),
          catch: (error) => error
        })
      const other = { text: "UPDATE notes SET n = ?::text::int", values: ["4"] }
      expect(yield* Effect.flip(write(note("one"), other, other))).toHaveProperty("code", "22P02")
      yield* write(note("5"), other)
      const { rows } = yield* Effect.promise(() =>
        pool.query("SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'UPDATE notes%'")
      )
      expect(rows).toHaveLength(1)
    })
  )

  for (const prepare of [true, false]) {
    it.scopedLive(
      `${prepare ? "prepared" : "unprepared"}: a step waits for the server twice, and what becomes of a call once`,
      () =>
        Effect.gen(function* () {
          const { store, waits } = yield* opened(prepare, { pipeline: true })
          const taken = <A, E>(effect: Effect.Effect<A, E>) =>
            Effect.suspend(() => {
              waits.count = 0
              return Effect.map(effect, (result) => [result, waits.count] as const)
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

    for (const pipeline of [true, false]) {
      it.scopedLive(
        `${pipeline ? "in pipeline mode" : "one by one"}, ${prepare ? "prepared" : "unprepared"}: nothing stays of a step whose last statement fails, and the connection goes on`,
        () =>
          Effect.gen(function* () {
            const { query, store } = yield* opened(prepare, { pipeline })
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
