/** What only PostgreSQL can get wrong: waiting, racing, breaking, and its many settings. */
import { randomUUID } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import { PostgresStore, schema } from "@kavach-polar/adapter-postgres"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { migrations } from "@kavach-polar/core/adapter"
import { BillingStore, type BillingStoreService } from "@kavach-polar/core/BillingStore"
import type { Delivery } from "@kavach-polar/core/Delivery"
import type { StoreError } from "@kavach-polar/core/StoreError"
import { CheckoutId, CustomerId, ProductId, SubscriptionId, UserId } from "@kavach-polar/core/Subscription"
import {
  customerDelivery,
  newScene,
  subscriptionDelivery,
  subscriptionIn,
  subscriptionSnapshot
} from "@kavach-polar/core/testing/polarDeliveries"
import { subscriptionChanges } from "@kavach-polar/core/testing/subscriptionChanges"
import { drizzle } from "drizzle-orm/node-postgres"
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js"
import { Context, Duration, Effect, Fiber, Layer, Redacted } from "effect"
import pg from "pg"
import postgres from "postgres"
import { kavachUsers } from "../../packages/adapter-postgres/test/kavachTables.ts"
import { expectations, fillPrevious, structureOf } from "../../packages/adapter-postgres/test/upgrade.ts"
import { runChildren } from "../runChild.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import {
  endConnections,
  insertUser,
  newDatabase,
  newPool,
  newPostgresJs,
  type Query
} from "../store/PostgresHarness.ts"

const admin = serverUrl("postgres")

describe.skipIf(admin === undefined)("PostgreSQL", () => {
  if (admin === undefined) return

  const onServer = (text: string) =>
    Effect.scoped(
      Effect.flatMap(newPool(admin, 1), (pool) => Effect.promise(() => pool.query<Record<string, unknown>>(text)))
    ).pipe(Effect.map(({ rows }) => rows))

  const run = (query: Query, ...parameters: Parameters<Query>) => Effect.promise(() => query(...parameters))

  /** A store with a pool of its own, as a process has it. */
  const openStore = (url: string, maxConnections = 10, driver: "pg" | "postgres" = "pg") =>
    Effect.map(Layer.build(PostgresStore.layer({ url: Redacted.make(url), maxConnections, driver })), (context) =>
      Context.get(context, BillingStore)
    )

  /** With its tables, and rows of `users`. */
  const migrated = (users: ReadonlyArray<UserId> = [], options = "") =>
    Effect.gen(function* () {
      const database = yield* newDatabase(admin, options)
      const store = yield* openStore(database.url)
      yield* store.migrate
      for (const id of users) yield* Effect.promise(() => insertUser(database.query, { id }))
      return { ...database, store }
    })

  const applyOne = (store: BillingStoreService, delivery: Delivery) =>
    Effect.map(store.applyDeliveries([delivery], defaultPolicy), ([outcome]) => outcome)

  const together = <A, E>(effects: ReadonlyArray<Effect.Effect<A, E>>) =>
    Effect.all(effects, { concurrency: "unbounded" })

  const newUser = () => UserId.make(`user-${randomUUID()}`)

  const counts = (query: Query) =>
    run(
      query,
      `SELECT (SELECT count(*)::int FROM kavach_polar_deliveries) AS deliveries,
        (SELECT count(*)::int FROM kavach_polar_subscriptions) AS subscriptions,
        (SELECT count(*)::int FROM kavach_polar_customers) AS customers,
        (SELECT count(*)::int FROM kavach_polar_notifications) AS notifications`
    ).pipe(Effect.map(([row]) => row))

  const nothing = { deliveries: 0, subscriptions: 0, customers: 0, notifications: 0 }

  const discreet = (error: StoreError, ...secrets: ReadonlyArray<string>) => {
    const text = JSON.stringify([error.message, error.detail, String(error), error.stack, error])
    for (const secret of ["INSERT INTO", "insert into", "SELECT json", "hunter2", ...secrets]) {
      expect(text).not.toContain(secret)
    }
  }

  /** Of each user two customers are heard of at once; the row has to show what is the better one of both. */
  const twoCustomersEach = (
    users: ReadonlyArray<UserId>,
    one: BillingStoreService,
    other: BillingStoreService,
    query: Query
  ) =>
    Effect.forEach(users, (externalId) =>
      Effect.gen(function* () {
        const [short, long] = [newScene(), newScene()]
        const ends = (year: number) => ({ externalId, patch: { current_period_end: `${year}-06-01T00:00:00Z` } })
        yield* together([
          applyOne(one, subscriptionDelivery(short, "created", ends(2027))),
          applyOne(other, subscriptionDelivery(long, "created", ends(2028)))
        ])
        const rows = yield* run(query, "SELECT * FROM kavach_users WHERE id = $1", externalId)
        expect(rows).toMatchObject([{ polar_subscription_id: long.subscriptionId, polar_customer_id: long.customerId }])
      })
    )

  describe("at once", () => {
    it.scopedLive("fifty copies of one delivery from two pools: one effect", () =>
      Effect.gen(function* () {
        const userId = newUser()
        const { query, store, url } = yield* migrated([userId])
        const other = yield* openStore(url)
        const delivery = subscriptionDelivery(newScene(), "created", { externalId: userId })
        const outcomes = yield* together(
          Array.from({ length: 50 }, (_, index) => applyOne(index % 2 ? store : other, delivery))
        )
        expect(outcomes.filter(({ duplicate }) => !duplicate)).toHaveLength(1)
        expect(outcomes.filter(({ notified }) => notified)).toHaveLength(1)
        expect(yield* counts(query)).toEqual({ deliveries: 1, subscriptions: 1, customers: 1, notifications: 1 })
      })
    )

    it.scopedLive("older and newer versions of one subscription race: the newer always wins", () =>
      Effect.gen(function* () {
        const { query, store, url } = yield* migrated()
        const other = yield* openStore(url)
        for (let round = 0; round < 200; round++) {
          const externalId = newUser()
          const scene = newScene()
          const older = applyOne(store, subscriptionDelivery(scene, "created", { externalId, at: 1 }))
          const newer = applyOne(other, subscriptionDelivery(scene, "revoked", { externalId, at: 2 }))
          const [first, second] = yield* together(round % 2 ? [older, newer] : [newer, older])
          const states = round % 2 ? [first?.state, second?.state] : [second?.state, first?.state]
          expect(states[1]).toBe("applied")
          expect(["applied", "stale"]).toContain(states[0])
          expect((yield* store.subscriptionsOf(externalId, "all")).map(({ status }) => status)).toEqual(["canceled"])
        }
        const [row] = yield* run(
          query,
          `SELECT count(*)::int AS wrong FROM kavach_polar_subscriptions AS subscription
            WHERE (SELECT max(event_at) FROM kavach_polar_notifications WHERE subject = subscription.id)
              IS DISTINCT FROM event_at`
        )
        expect(row).toEqual({ wrong: 0 })
      })
    )

    it.scopedLive("two customers of one user at once: the row shows the better subscription", () =>
      Effect.gen(function* () {
        const users = Array.from({ length: 40 }, newUser)
        const { query, store, url } = yield* migrated(users)
        yield* twoCustomersEach(users, store, yield* openStore(url), query)
      })
    )

    it.scopedLive("a customer is linked while its subscription moves to another: nothing is lost", () =>
      Effect.gen(function* () {
        const { query, store, url } = yield* migrated()
        const other = yield* openStore(url)
        for (let round = 0; round < 60; round++) {
          const userId = newUser()
          const scene = newScene()
          const moved = { ...scene, customerId: newScene().customerId }
          yield* applyOne(store, subscriptionDelivery(scene, "created", { at: 1 }))
          yield* together<unknown, unknown>([
            store.linkCustomer(
              { customerId: CustomerId.make(scene.customerId), userId, linkedBy: "host" },
              defaultPolicy
            ),
            applyOne(other, subscriptionDelivery(moved, "canceled", { at: 2 }))
          ])
          const [row] = yield* run(
            query,
            `SELECT customer_id, user_id, (SELECT count(*)::int FROM kavach_polar_notifications
              WHERE subject = subscription.id) AS told
            FROM kavach_polar_subscriptions AS subscription WHERE id = $1`,
            scene.subscriptionId
          )
          // Linked before it moved: theirs, and they were told of both. After: nobody's, and nobody was told.
          const told = Number(row?.["told"])
          expect(row).toEqual({ customer_id: moved.customerId, user_id: told === 0 ? null : userId, told })
          expect([0, 2]).toContain(told)
        }
      })
    )

    it.scopedLive("steps that share customers, subscriptions and users in every order never wait in a circle", () =>
      Effect.gen(function* () {
        const users = Array.from({ length: 4 }, newUser)
        const { query, store, url } = yield* migrated(users)
        const stores = [store, yield* openStore(url)]
        const scenes = users.map(() => newScene())
        const random = (bound: number) => Math.floor(Math.random() * bound)
        const steps = Array.from({ length: 300 }, (_, index) => {
          const deliveries = Array.from({ length: 1 + random(4) }, () => {
            const scene = scenes[random(scenes.length)] ?? newScene()
            const customerId = scenes[random(scenes.length)]?.customerId ?? scene.customerId
            const options = { at: random(1000), externalId: users[random(users.length)] ?? null }
            return random(5) === 0
              ? customerDelivery(scene, "updated", options)
              : subscriptionDelivery({ ...scene, customerId }, random(2) ? "updated" : "past_due", options)
          })
          const [first, ...rest] = deliveries
          return first === undefined
            ? Effect.void
            : (stores[index % 2] ?? store).applyDeliveries([first, ...rest], defaultPolicy)
        })
        yield* Effect.all(steps, { concurrency: 20 })
        const [row] = yield* run(
          query,
          "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()"
        )
        expect(row).toEqual({ deadlocks: 0 })
        for (const [index, { subscriptionId }] of scenes.entries()) {
          const [found] = yield* run(
            query,
            `SELECT subscription.event_at = (SELECT max(delivery.event_at) FROM kavach_polar_deliveries AS delivery
              WHERE delivery.record_id = subscription.id) AS newest
            FROM kavach_polar_subscriptions AS subscription WHERE id = $1`,
            subscriptionId
          )
          expect([index, found]).toEqual([index, { newest: true }])
        }
      })
    )

    it.scopedLive("ten nodes share the queue: every notification once, and those of a subscription in order", () =>
      Effect.gen(function* () {
        const { store, url } = yield* migrated()
        const scenes = Array.from({ length: 20 }, () => newScene())
        for (const at of [1, 2, 3]) {
          yield* together(
            scenes.map((scene) =>
              applyOne(
                store,
                subscriptionDelivery(scene, at === 2 ? "past_due" : "created", { externalId: "someone", at })
              )
            )
          )
        }
        const taken: Array<{ readonly id: string; readonly subscriptionId: string; readonly status: string }> = []
        const node = (owner: string) =>
          Effect.gen(function* () {
            const own = yield* openStore(url, 2)
            for (;;) {
              const { claimed, nextDueAt } = yield* own.claimNotifications({
                owner,
                limit: 3,
                lease: Duration.minutes(1)
              })
              for (const { id, subscription } of subscriptionChanges(claimed)) {
                taken.push({ id, subscriptionId: subscription.id, status: subscription.status })
                expect(yield* own.completeNotifications([id], owner)).toEqual([id])
              }
              if (nextDueAt === null) return
              if (claimed.length === 0) yield* Effect.sleep("5 millis")
            }
          })
        yield* together(Array.from({ length: 10 }, (_, index) => Effect.scoped(node(`node-${index}`))))
        expect(taken).toHaveLength(60)
        expect(new Set(taken.map(({ id }) => id)).size).toBe(60)
        for (const { subscriptionId } of scenes) {
          const told = taken.filter((one) => one.subscriptionId === subscriptionId).map(({ status }) => status)
          expect(told).toEqual(["active", "past_due", "active"])
        }
      })
    )

    it.scopedLive("an older notification that another node is just taking is not overtaken by a younger one", () =>
      Effect.gen(function* () {
        const { query, store, url } = yield* migrated()
        const scene = newScene()
        for (const [at, type] of ["created", "past_due"].entries()) {
          yield* applyOne(store, subscriptionDelivery(scene, type, { externalId: "someone", at }))
        }
        const pool = yield* newPool(url, 1)
        yield* Effect.promise(async () => {
          await pool.query("BEGIN")
          await pool.query("SELECT * FROM kavach_polar_notifications ORDER BY event_at LIMIT 1 FOR UPDATE")
        })
        const claim = store.claimNotifications({ owner: "a", limit: 10, lease: Duration.minutes(1) })
        expect((yield* claim).claimed).toEqual([])
        yield* Effect.promise(() => pool.query("ROLLBACK"))
        expect(subscriptionChanges((yield* claim).claimed).map(({ subscription }) => subscription.status)).toEqual([
          "active"
        ])
        expect(yield* run(query, "SELECT sum(attempts)::int AS attempts FROM kavach_polar_notifications")).toEqual([
          { attempts: 1 }
        ])
      })
    )

    it.scopedLive(
      "ten processes that migrate one empty database at once all succeed",
      () =>
        Effect.gen(function* () {
          const { query, url } = yield* newDatabase(admin)
          const migrating = new URL("../../packages/adapter-postgres/test/children/migrate.ts", import.meta.url)
          const said = yield* Effect.promise(() => runChildren(10, migrating, url))
          expect(said).toEqual(Array.from({ length: 10 }, () => "migrated"))
          expect(yield* run(query, "SELECT version FROM kavach_polar_migrations")).toEqual(
            migrations.map(({ version }) => ({ version }))
          )
        }),
      180_000
    )

    it.scopedLive("a database of the version before is brought to this one by ten pools at once", () =>
      Effect.gen(function* () {
        const { query, url } = yield* newDatabase(admin)
        yield* Effect.promise(() => fillPrevious(query))
        const stores = yield* Effect.all(Array.from({ length: 10 }, () => openStore(url, 2)))
        yield* together(stores.map((store) => store.migrate))
        for (const [text, rows] of expectations) expect(yield* run(query, text)).toEqual(rows)
        const fresh = yield* migrated()
        const upgraded = yield* Effect.promise(() => structureOf(query))
        expect(upgraded).toEqual(yield* Effect.promise(() => structureOf(fresh.query)))
        expect(upgraded.columns).toContainEqual(expect.objectContaining({ attname: "body", compression: "l" }))
      })
    )

    it.scopedLive("one connection of node-postgres without a pool: steps take turns", () =>
      Effect.gen(function* () {
        const { query, url } = yield* migrated()
        const client = new pg.Client({ connectionString: url })
        yield* Effect.acquireRelease(
          Effect.promise(() => client.connect()),
          () => Effect.promise(() => client.end())
        )
        const store = PostgresStore.make(drizzle(client))
        const delivery = subscriptionDelivery(newScene(), "created", { externalId: "someone" })
        const outcomes = yield* together(Array.from({ length: 20 }, () => applyOne(store, delivery)))
        expect(outcomes.filter(({ duplicate }) => !duplicate)).toHaveLength(1)
        expect(yield* counts(query)).toMatchObject({ deliveries: 1, notifications: 1 })
      })
    )

    describe("one connection of node-postgres on which the app has a transaction: it is left alone", () => {
      const opened = Effect.gen(function* () {
        const { query, url } = yield* migrated()
        yield* run(query, "CREATE TABLE notes (n int)")
        const client = new pg.Client({ connectionString: url })
        yield* Effect.acquireRelease(
          Effect.promise(() => client.connect()),
          () => Effect.promise(() => client.end())
        )
        const store = PostgresStore.make(drizzle(client))
        // By then it knows the tables.
        yield* applyOne(store, subscriptionDelivery(newScene(), "created", { externalId: "somebody" }))
        const delivery = subscriptionDelivery(newScene(), "created", { externalId: "someone" })
        const refused = Effect.map(Effect.flip(applyOne(store, delivery)), (error) =>
          expect(error).toMatchObject({ reason: "busy", detail: "the app has a transaction open on this connection" })
        )
        /** Succeeds with what the server refuses it for. */
        const ask = (text: string) =>
          Effect.promise(() =>
            client.query(text).then(
              () => undefined,
              (error: unknown) => (error instanceof Error ? Reflect.get(error, "code") : error)
            )
          )
        const leftAlone = Effect.gen(function* () {
          yield* ask("ROLLBACK")
          expect(yield* run(query, "SELECT * FROM notes")).toEqual([])
          expect(yield* applyOne(store, delivery)).toMatchObject({ state: "applied", duplicate: false })
        })
        return { ask, refused, leftAlone }
      })

      it.scopedLive("one that is open", () =>
        Effect.gen(function* () {
          const { ask, leftAlone, refused } = yield* opened
          yield* ask("BEGIN")
          yield* ask("INSERT INTO notes VALUES (1)")
          yield* refused
          expect(yield* ask("INSERT INTO notes VALUES (2)")).toBeUndefined()
          yield* leftAlone
        })
      )

      it.scopedLive("one whose BEGIN is on its way", () =>
        Effect.gen(function* () {
          const { ask, leftAlone, refused } = yield* opened
          yield* Effect.all([ask("BEGIN"), refused], { concurrency: "unbounded" })
          expect(yield* ask("INSERT INTO notes VALUES (1)")).toBeUndefined()
          yield* leftAlone
        })
      )

      it.scopedLive("one that has failed", () =>
        Effect.gen(function* () {
          const { ask, leftAlone, refused } = yield* opened
          yield* ask("BEGIN")
          expect(yield* ask("SELECT 1 / 0")).toBe("22012")
          yield* refused
          // Else it would be committed by itself.
          expect(yield* ask("INSERT INTO notes VALUES (1)")).toBe("25P02")
          yield* leftAlone
        })
      )
    })
  })

  describe("what goes wrong", () => {
    const delivery = () => subscriptionDelivery(newScene(), "created", { externalId: "ada" })

    const failure = (url: string, reason: string, detail: RegExp) =>
      Effect.gen(function* () {
        const store = yield* openStore(url)
        const error = yield* Effect.flip(applyOne(store, delivery()))
        expect(error).toMatchObject({ _tag: "StoreError", operation: "applyDeliveries", reason })
        expect(error.detail).toMatch(detail)
        discreet(error, "ada")
      })

    it.scopedLive("nobody listens", () =>
      failure("postgres://ada:hunter2@127.0.0.1:1/x", "unavailable", /^ECONNREFUSED/)
    )

    it.scopedLive("a host that does not exist", () =>
      failure("postgres://ada:hunter2@no-such-host.invalid/x", "unavailable", /^(ENOTFOUND|EAI_AGAIN)/)
    )

    it.scopedLive("a database that does not exist", () =>
      failure(new URL("/no_such_database", admin).href, "unavailable", /^3D000: .*no_such_database/)
    )

    it.scopedLive("a role that does not exist", () => {
      const url = new URL(admin)
      url.username = "nobody_knows_me"
      url.password = "hunter2"
      return failure(url.href, "denied", /^28(000|P01)/)
    })

    it.scopedLive("a role that may read and not write", () =>
      Effect.gen(function* () {
        const { query, url } = yield* migrated()
        const role = `reader_${randomUUID().slice(0, 8)}`
        yield* Effect.acquireRelease(
          Effect.promise(async () => {
            await query(`CREATE ROLE ${role} LOGIN`)
            await query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`)
          }),
          () => Effect.promise(() => query(`DROP OWNED BY ${role}; DROP ROLE ${role}`))
        )
        const readerUrl = new URL(url)
        readerUrl.username = role
        yield* failure(readerUrl.href, "denied", /^42501: permission denied for table kavach_polar_/)
        expect(yield* counts(query)).toEqual(nothing)
        // It need not create anything where everything is.
        const reader = yield* openStore(readerUrl.href)
        yield* reader.migrate
        const { denied } = yield* reader.inspect
        expect(denied.map(({ table }) => table)).toEqual(
          expect.arrayContaining(["kavach_polar_deliveries", "kavach_polar_records", "kavach_users"])
        )
        expect(denied[0]?.detail).toMatch(/^42501: permission denied for table kavach_polar_/)
      })
    )

    it.scopedLive("a database that may only be read", () =>
      Effect.gen(function* () {
        const { name, query, url } = yield* migrated()
        yield* run(query, `ALTER DATABASE ${name} SET default_transaction_read_only = on`)
        yield* failure(url, "readOnly", /^25006/)
        const store = yield* openStore(url)
        const error = yield* Effect.flip(store.claimNotifications({ owner: "a", limit: 1, lease: Duration.minutes(1) }))
        expect(error.reason).toBe("readOnly")
      })
    )

    it.scopedLive("an index that was dropped is missed, and what is said makes it", () =>
      Effect.gen(function* () {
        const { query, store } = yield* migrated([])
        yield* run(query, "DROP INDEX kavach_polar_deliveries_with_body")
        const { missingIndexes } = yield* store.inspect
        expect(missingIndexes).toMatchObject([
          { name: "kavach_polar_deliveries_with_body", table: "kavach_polar_deliveries" }
        ])
        yield* run(query, missingIndexes[0]?.sql ?? "")
        expect((yield* store.inspect).missingIndexes).toEqual([])
      })
    )

    it.scopedLive("a table that was dropped, and a constraint of the app's own", () =>
      Effect.gen(function* () {
        const { query, store } = yield* migrated([UserId.make("ada")])
        yield* run(query, "CREATE UNIQUE INDEX one_only ON kavach_polar_notifications (user_id)")
        yield* applyOne(store, delivery())
        const refused = yield* Effect.flip(applyOne(store, delivery()))
        expect(refused).toMatchObject({ reason: "constraint", detail: expect.stringContaining("one_only") })
        discreet(refused, "ada")
        expect(yield* counts(query)).toMatchObject({ deliveries: 1, subscriptions: 1 })
        yield* run(query, "DROP TABLE kavach_polar_customers")
        const missing = yield* Effect.flip(applyOne(store, delivery()))
        expect(missing).toMatchObject({ reason: "schema", detail: expect.stringMatching(/^42P01.*customers/) })
        discreet(missing)
      })
    )

    /** Whoever runs this holds the step up after it has locked and read, and before it writes. */
    const heldUp = <A, E, R>(url: string, during: (query: Query) => Effect.Effect<A, E, R>) =>
      Effect.gen(function* () {
        const pool = yield* newPool(url, 1)
        const client = yield* Effect.acquireRelease(
          Effect.promise(() => pool.connect()),
          (held) => Effect.sync(() => held.release())
        )
        yield* Effect.promise(async () => {
          await client.query("BEGIN")
          await client.query("LOCK TABLE kavach_polar_deliveries IN EXCLUSIVE MODE")
        })
        const result = yield* during(async (text, ...parameters) => (await client.query(text, [...parameters])).rows)
        yield* Effect.promise(() => client.query("ROLLBACK"))
        return result
      })

    const waiting = `SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%kavach_polar_deliveries%'`

    const untilItWaits = (query: Query): Effect.Effect<number> =>
      Effect.flatMap(run(query, waiting), ([row]) =>
        row === undefined ? Effect.delay(untilItWaits(query), "10 millis") : Effect.succeed(Number(row["pid"]))
      )

    const single = (url: string) =>
      Effect.map(
        Effect.acquireRelease(
          Effect.promise(async () => {
            const client = new pg.Client({ connectionString: url })
            client.on("error", () => {})
            await client.connect()
            return client
          }),
          (client) => Effect.promise(() => client.end())
        ),
        (client) => PostgresStore.make(drizzle(client))
      )
    const openings = [
      ["a pool of its own", (url: string) => openStore(url, 1)],
      ["a pool of its own, by postgres.js", (url: string) => openStore(url, 1, "postgres")],
      ["node-postgres", (url: string) => Effect.map(newPool(url, 1), (pool) => PostgresStore.make(drizzle(pool)))],
      ["one connection of node-postgres", single]
    ] as const
    for (const [name, open] of openings) {
      it.scopedLive(
        `${name}: the connection is killed in mid-step: nothing stays, and the next step goes through`,
        () =>
          Effect.gen(function* () {
            const { query, url } = yield* migrated()
            const store = yield* open(url)
            const created = delivery()
            const error = yield* Effect.scoped(
              heldUp(url, () =>
                Effect.gen(function* () {
                  const step = yield* Effect.fork(Effect.flip(applyOne(store, created)))
                  const pid = yield* untilItWaits(query)
                  yield* run(query, "SELECT pg_terminate_backend($1)", pid)
                  return yield* Fiber.join(step)
                })
              )
            )
            expect(error).toMatchObject({ _tag: "StoreError", reason: "unavailable" })
            discreet(error, "ada")
            expect(yield* counts(query)).toEqual(nothing)
            if (open === single) {
              // There is no other connection to go on with.
              expect((yield* Effect.flip(applyOne(store, created))).reason).toBe("unavailable")
            } else {
              expect(yield* applyOne(store, created)).toMatchObject({ state: "applied", duplicate: false })
            }
          })
      )
    }

    for (const driver of ["pg", "postgres"] as const) {
      it.scopedLive(
        `${driver}: connections that are killed at any moment: every delivery is applied once in the end`,
        () =>
          Effect.gen(function* () {
            const { query, url } = yield* migrated()
            const store = yield* openStore(url, 10, driver)
            // So many and no more: on a busy machine a step may take longer than the time between two of them.
            const killer = yield* Effect.fork(
              Effect.repeatN(
                Effect.delay(
                  run(
                    query,
                    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'kavach-polar' ORDER BY random() LIMIT 1`
                  ),
                  "7 millis"
                ),
                300
              )
            )
            const deliveries = Array.from({ length: 150 }, (_, index) =>
              subscriptionDelivery(newScene(), "created", { externalId: `user-${index % 5}`, at: index })
            )
            let failures = 0
            const asPolarDoes = (one: Delivery): Effect.Effect<unknown> =>
              Effect.catchAll(applyOne(store, one), (error) => {
                failures++
                expect(error).toMatchObject({ reason: "unavailable" })
                return asPolarDoes(one)
              })
            yield* Effect.forEach(deliveries, asPolarDoes, { concurrency: 8, discard: true })
            yield* Fiber.interrupt(killer)
            expect(failures).toBeGreaterThan(0)
            expect(yield* counts(query)).toEqual({
              deliveries: 150,
              subscriptions: 150,
              customers: 150,
              notifications: 150
            })
            // The last one that was killed has to be heard of: until then it is given out like any other.
            yield* Effect.sleep("100 millis")
            // None of the pool's connections was lost on the way.
            yield* together(Array.from({ length: 20 }, () => applyOne(store, delivery())))
          })
      )

      it.scopedLive(`${driver}: idle connections that were killed are replaced`, () =>
        Effect.gen(function* () {
          const { query, url } = yield* migrated()
          const store = yield* openStore(url, 10, driver)
          yield* applyOne(store, delivery())
          yield* endConnections(query, "application_name = 'kavach-polar'")
          expect((yield* applyOne(store, delivery())).state).toBe("applied")
        })
      )
    }

    it.scopedLive("a lock that is not given up is waited for a few times, and then it is busy", () =>
      Effect.gen(function* () {
        const { name, query, url } = yield* migrated()
        // Of the app's own setting, which is respected.
        yield* run(query, `ALTER DATABASE ${name} SET lock_timeout = '40ms'`)
        const store = yield* openStore(url)
        const created = delivery()
        const [waited, error] = yield* Effect.scoped(
          heldUp(url, () => Effect.timed(Effect.flip(applyOne(store, created))))
        )
        expect(error).toMatchObject({ reason: "busy", detail: expect.stringMatching(/^55P03/) })
        expect(Duration.toMillis(waited)).toBeLessThan(5000)
        expect(yield* counts(query)).toEqual(nothing)
        expect((yield* applyOne(store, created)).duplicate).toBe(false)
      })
    )

    it.scopedLive("a lock that is given up in time is waited for", () =>
      Effect.gen(function* () {
        const { name, query, url } = yield* migrated()
        yield* run(query, `ALTER DATABASE ${name} SET lock_timeout = '100ms'`)
        const store = yield* openStore(url)
        const step = yield* Effect.scoped(
          heldUp(url, () => Effect.zipLeft(Effect.fork(applyOne(store, delivery())), Effect.sleep("250 millis")))
        )
        expect((yield* Fiber.join(step)).state).toBe("applied")
      })
    )

    it.scopedLive("a statement that the server's time limit ends is busy", () =>
      Effect.gen(function* () {
        const { name, query, url } = yield* migrated()
        yield* run(query, `ALTER DATABASE ${name} SET statement_timeout = '60ms'`)
        const store = yield* openStore(url)
        const error = yield* Effect.scoped(heldUp(url, () => Effect.flip(applyOne(store, delivery()))))
        expect(error).toMatchObject({ reason: "busy", detail: expect.stringMatching(/^57014/) })
      })
    )
  })

  describe("settings", () => {
    const whole = (store: BillingStoreService, query: Query, userId: UserId) =>
      Effect.gen(function* () {
        const scene = newScene()
        const patch = { current_period_end: "2027-03-28T01:30:00.123Z" }
        const created = subscriptionDelivery(scene, "created", { externalId: userId, patch, at: 1 })
        yield* applyOne(store, created)
        expect(yield* store.subscriptionsOf(userId, "live")).toEqual([subscriptionIn(created)])
        const [recorded] = yield* store.deliveries({ ids: [created.id] })
        expect(recorded).toMatchObject({ receivedAt: new Date(created.receivedAt), eventAt: created.content.at })
        const { claimed, nextDueAt } = yield* store.claimNotifications({
          owner: "a",
          limit: 5,
          lease: Duration.minutes(1)
        })
        expect(subscriptionChanges(claimed).map(({ subscription }) => subscription.currentPeriodEnd)).toEqual([
          new Date("2027-03-28T01:30:00.123Z")
        ])
        expect(nextDueAt).toBeGreaterThan(Date.now())
        const rows = yield* run(
          query,
          "SELECT polar_current_period_end AS ends FROM kavach_users WHERE id = $1",
          userId
        )
        expect(rows).toEqual([{ ends: new Date("2027-03-28T01:30:00.123Z") }])
      })

    for (const [setting, value] of [
      ["timezone", "'Asia/Kolkata'"],
      ["timezone", "'America/St_Johns'"],
      ["datestyle", "'German, DMY'"],
      ["intervalstyle", "'sql_standard'"],
      ["default_transaction_isolation", "'serializable'"],
      ["default_transaction_isolation", "'repeatable read'"],
      ["standard_conforming_strings", "off"],
      ["backslash_quote", "on"],
      ["bytea_output", "'escape'"],
      ["extra_float_digits", "-5"]
    ] as const) {
      it.scopedLive(`${setting} = ${value}`, () =>
        Effect.gen(function* () {
          const userId = newUser()
          const { name, query, url } = yield* migrated([userId])
          yield* run(query, `ALTER DATABASE ${name} SET ${setting} = ${value}`)
          const store = yield* openStore(url)
          yield* whole(store, query, userId)
        })
      )
    }

    for (const [name, open] of [
      ["a pool of its own", openStore],
      [
        "postgres.js",
        (url: string) => Effect.map(newPostgresJs(url), (client) => PostgresStore.make(drizzlePostgresJs(client)))
      ],
      ["a pool of its own, by postgres.js", (url: string) => openStore(url, 10, "postgres")]
    ] as const) {
      it.scopedLive(`${name}: steps are READ COMMITTED whatever the default: what was waited for is seen`, () =>
        Effect.gen(function* () {
          const { name: database, query, url } = yield* migrated()
          yield* run(query, `ALTER DATABASE ${database} SET default_transaction_isolation = 'serializable'`)
          yield* run(query, "CREATE TABLE seen (level text)")
          yield* run(
            query,
            `CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
              'BEGIN INSERT INTO seen VALUES (current_setting(''transaction_isolation'')); RETURN NEW; END'`
          )
          yield* run(
            query,
            "CREATE TRIGGER see BEFORE INSERT ON kavach_polar_deliveries FOR EACH ROW EXECUTE FUNCTION see()"
          )
          yield* applyOne(yield* open(url), subscriptionDelivery(newScene(), "created", { externalId: "someone" }))
          expect(yield* run(query, "SELECT * FROM seen")).toEqual([{ level: "read committed" }])
        })
      )
    }

    it.scopedLive("a database whose collation is not C: ids are bytes all the same", () =>
      Effect.gen(function* () {
        const [version] = yield* onServer("SHOW server_version_num")
        // Before that a database's collation is one of the server's machine, which may have none but C.
        if (Number(version?.["server_version_num"]) < 150000) return
        const collation = "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
        const { query, store } = yield* migrated([], collation)
        const ids = ["b", "A", "a", "B", "ä", "Z"].map((id) => `${id}-${"x".repeat(8)}`)
        for (const id of ids) {
          yield* applyOne(store, subscriptionDelivery(newScene(), "created", { id, externalId: "someone" }))
        }
        const listed = yield* store.deliveries({ ids })
        expect(listed.map(({ id }) => id)).toEqual([...ids].sort().reverse())
        const [row] = yield* run(query, "SELECT 'a' < 'B' AS dictionary")
        expect(row).toEqual({ dictionary: true })
      })
    )

    it.scopedLive("tables in the schema that the connection's search path names", () =>
      Effect.gen(function* () {
        const userId = newUser()
        const { name, query, url } = yield* newDatabase(admin)
        yield* run(query, "CREATE SCHEMA app")
        // A table of the same name that the path does not lead to.
        yield* run(query, "CREATE TABLE public.kavach_users (id integer)")
        yield* run(query, `ALTER DATABASE ${name} SET search_path = app`)
        const store = yield* openStore(url)
        yield* store.migrate
        const pool = yield* newPool(url, 1)
        const inApp: Query = async (text, ...parameters) => (await pool.query(text, [...parameters])).rows
        yield* Effect.promise(() => insertUser(inApp, { id: userId }))
        yield* whole(store, inApp, userId)
        const tables = yield* run(query, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        expect(tables).toEqual([{ tablename: "kavach_users" }])
      })
    )
  })

  describe("connections whose search path changes after the start", () => {
    /** Tables of the same names in front, as a tenant has them or somebody who may create some put them there. */
    const decoys = (query: Query) =>
      Effect.gen(function* () {
        yield* run(query, "CREATE SCHEMA decoy")
        const tables = yield* run(
          query,
          "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'kavach_polar_%'"
        )
        for (const { tablename } of tables) {
          yield* run(query, `CREATE TABLE decoy.${tablename} (LIKE public.${tablename} INCLUDING ALL)`)
        }
        return tables.map(({ tablename }) => String(tablename))
      })

    const onNodePostgres = (url: string) =>
      Effect.map(newPool(url, 1), (pool) => ({
        store: PostgresStore.make(drizzle(pool)),
        execute: (text: string) => pool.query(text)
      }))
    const onPostgresJs = (url: string) =>
      Effect.map(newPostgresJs(url, { max: 1 }), (client) => ({
        store: PostgresStore.make(drizzlePostgresJs(client)),
        execute: (text: string) => client.unsafe(text)
      }))

    for (const [name, open] of [
      ["node-postgres", onNodePostgres],
      ["postgres.js", onPostgresJs]
    ] as const) {
      it.scopedLive(`${name}: the store stays on its tables`, () =>
        Effect.gen(function* () {
          const { query, url } = yield* migrated()
          const tables = yield* decoys(query)
          const { execute, store } = yield* open(url)
          yield* store.migrate
          const userId = newUser()
          const paths = ["decoy, public", "decoy, pg_catalog, public"]
          for (const path of paths) {
            yield* Effect.promise(async () => {
              await execute(`SET search_path = ${path}`)
            })
            const delivery = subscriptionDelivery(newScene(), "created", { externalId: userId })
            yield* applyOne(store, delivery)
            expect((yield* store.deliveries({ ids: [delivery.id] })).map(({ id }) => id)).toEqual([delivery.id])
            yield* store.migrate
          }
          expect(yield* store.subscriptionsOf(userId, "live")).toHaveLength(paths.length)
          for (const table of tables) expect(yield* run(query, `SELECT * FROM decoy.${table}`)).toEqual([])
        })
      )
    }

    it.scopedLive("a path that leads nowhere is said at start", () =>
      Effect.gen(function* () {
        const { name, query, url } = yield* newDatabase(admin)
        yield* run(query, `ALTER DATABASE ${name} SET search_path = nowhere`)
        const error = yield* Effect.flip((yield* openStore(url)).migrate)
        expect(error).toMatchObject({ reason: "schema", detail: expect.stringContaining("search_path") })
      })
    )
  })

  describe("databases that the app opened", () => {
    it.scopedLive("with and without a schema, and with settings of their own; they stay open", () =>
      Effect.gen(function* () {
        const { url } = yield* migrated()
        const pool = yield* newPool(url)
        const client = yield* newPostgresJs(url, { transform: postgres.camel, fetch_types: false })
        const withSchema = drizzle(pool, { schema })
        for (const store of [
          PostgresStore.fromDrizzle(withSchema),
          PostgresStore.fromDrizzle(drizzle(pool)),
          PostgresStore.fromDrizzle(drizzlePostgresJs(client, { schema })),
          PostgresStore.fromDrizzle(drizzlePostgresJs(client))
        ]) {
          const externalId = newUser()
          const delivery = subscriptionDelivery(newScene(), "created", { externalId })
          yield* Effect.gen(function* () {
            const service = yield* BillingStore
            yield* service.applyDeliveries([delivery], defaultPolicy)
            expect(yield* service.subscriptionsOf(externalId, "live")).toEqual([subscriptionIn(delivery)])
          }).pipe(Effect.provide(store))
          const rows = yield* Effect.promise(() => withSchema.query.deliveries.findMany())
          expect(rows.find(({ id }) => id === delivery.id)).toMatchObject({
            state: "applied",
            userId: externalId,
            receivedAt: new Date(delivery.receivedAt),
            eventAt: delivery.content.at
          })
        }
        yield* Effect.promise(() => client`SELECT 1`)
      })
    )
  })

  describe("on tables of some size", () => {
    /** A store on the host's tables, and the statements that it has sent since it migrated them. */
    const overheard = Effect.gen(function* () {
      const { query, url } = yield* newDatabase(admin)
      yield* run(query, kavachUsers)
      const statements: Array<readonly [string, ReadonlyArray<unknown>]> = []
      const client = yield* newPostgresJs(url, {
        debug: (_connection, text, parameters) => void statements.push([text, parameters])
      })
      const store = PostgresStore.make(drizzlePostgresJs(client))
      yield* store.migrate
      statements.length = 0
      return { query, statements, store, url }
    })

    it.scopedLive(
      "every statement finds its rows by an index",
      () =>
        Effect.gen(function* () {
          const { query, statements, store } = yield* overheard
          yield* Effect.promise(() => fill(query))

          const userId = UserId.make("user-77")
          const scene = newScene({ customerId: "customer-77", subscriptionId: "subscription-77" })
          yield* applyOne(store, subscriptionDelivery(scene, "canceled", { externalId: userId, at: 1 }))
          yield* applyOne(store, subscriptionDelivery(newScene(), "created", { at: 1, metadataUserId: "user-78" }))
          // Many in one step, which may be planned otherwise.
          const many = Array.from({ length: 64 }, (_, index) =>
            subscriptionDelivery(newScene(), "created", { externalId: UserId.make(`user-${1000 + index}`), at: 1 })
          )
          yield* store.applyDeliveries(
            [subscriptionDelivery(scene, "uncanceled", { externalId: userId, at: 1.5 }), ...many],
            defaultPolicy
          )
          yield* store.linkCustomer(
            { customerId: CustomerId.make("customer-unlinked"), userId, linkedBy: "host" },
            defaultPolicy
          )
          yield* store.subscriptionsOf(userId, "live")
          yield* store.subscriptionsOf(userId, "all")
          yield* store.customerOf(userId)
          yield* store.findUser(userId)
          const claim = { owner: "a", limit: 20, lease: Duration.minutes(1) }
          const { claimed } = yield* store.claimNotifications(claim)
          expect(claimed).toHaveLength(20)
          for (const { id } of claimed.slice(0, 1)) yield* store.completeAndClaimNext([id], claim)
          yield* store.deliveries({ limit: 20 })
          yield* store.deliveries({
            order: "oldest",
            after: { receivedAt: new Date("2026-01-05"), id: "a" },
            limit: 20
          })
          yield* store.pruneDeliveryBodies(new Date("2026-01-02T00:00:00Z"), 20)
          // Their data is none that could be read.
          const after = SubscriptionId.make("subscription-7")
          yield* Effect.either(store.recordPage({ kind: "subscription", which: "live", after, limit: 50 }))
          yield* Effect.either(store.recordPage({ kind: "subscription", which: "unlinked", after, limit: 50 }))
          yield* store.usersOfCustomer(CustomerId.make("customer-7"))
          yield* store.recordCheckout(
            {
              id: CheckoutId.make("checkout-new"),
              userId: UserId.make("user-7"),
              productId: ProductId.make("product")
            },
            defaultPolicy
          )
          yield* store.applySnapshots(
            [subscriptionSnapshot(scene, "active", { changedAt: 2, externalId: userId })],
            defaultPolicy,
            { dryRun: false }
          )

          const explained = statements.filter(
            ([text]) => /kavach_/.test(text) && !/pg_advisory|pg_attribute/.test(text)
          )
          expect(explained.length).toBeGreaterThan(15)
          for (const [text, parameters] of explained) {
            const plan = yield* run(query, `EXPLAIN ${text}`, ...parameters)
            const lines = plan.map((row) => String(row["QUERY PLAN"]))
            // The first row of all is found at once in any table.
            const scans = /^SELECT 1 FROM \S+ LIMIT 1$/.test(text)
              ? []
              : lines.filter((line) => /Seq Scan on kavach_/.test(line))
            expect(scans, `${text}\n${lines.join("\n")}`).toEqual([])
          }
        }),
      120_000
    )

    it.scopedLive("so does a plan that was made while the tables were empty, and is kept", () =>
      Effect.gen(function* () {
        const { query, statements, store, url } = yield* overheard
        const delivery = subscriptionDelivery(newScene(), "created", { externalId: UserId.make("ada") })
        const claim = { owner: "a", limit: 20, lease: Duration.minutes(1) }
        const { claimed } = yield* store.receiveDeliveries([delivery], defaultPolicy, claim)
        for (const { id } of subscriptionChanges(claimed)) {
          yield* store.retryNotification(id, claim.owner, "failed", Duration.zero)
          yield* store.claimNotifications(claim)
          yield* store.completeAndClaimNext([id], claim)
        }
        yield* store.linkCustomer(
          { customerId: CustomerId.make("c"), userId: UserId.make("ada"), linkedBy: "host" },
          defaultPolicy
        )
        yield* run(query, "DELETE FROM kavach_polar_records")

        const pool = yield* newPool(url, 1)
        const session = yield* Effect.acquireRelease(
          Effect.promise(() => pool.connect()),
          (held) => Effect.sync(() => held.release())
        )
        yield* Effect.promise(() => session.query("BEGIN"))
        const settings = statements.find(([text]) => /enable_seqscan/.test(text))
        yield* Effect.promise(() => session.query(settings?.[0] ?? "", [...(settings?.[1] ?? [])]))
        let scans = 0
        const whole: Array<string> = []
        for (const [index, [text, parameters]] of statements.entries()) {
          if (!/kavach_polar_\w+/.test(text)) continue
          yield* Effect.promise(() => session.query(`PREPARE plan_${index} AS ${text}`))
          const values = parameters.map((value) => (value === null ? "NULL" : session.escapeLiteral(String(value))))
          const { rows } = yield* Effect.promise(() =>
            session.query<Record<string, string>>(
              `EXPLAIN EXECUTE plan_${index} ${values.length === 0 ? "" : `(${values.join(", ")})`}`
            )
          )
          const lines = rows.map((row) => String(row["QUERY PLAN"]))
          for (const [place, line] of lines.entries()) {
            const next = lines[place + 1] ?? ""
            if (/Index (Only )?Scan (using|on) kavach_/.test(line)) scans++
            else if (!/Seq Scan on kavach_/.test(line)) continue
            // When the next one is due stands first in the index of those, which is read from its beginning.
            const isFirstDue =
              /^SELECT .* FROM kavach_polar_notifications AS candidate/.test(text) && /pending_due/.test(line)
            if (!isFirstDue && !/Index Cond/.test(next)) whole.push(`${line}\n${next}\n  of ${text}`)
          }
        }
        expect(whole).toEqual([])
        expect(scans).toBeGreaterThan(8)
      })
    )

    const fill = async (query: Query) => {
      const rows = 20_000
      await query(`INSERT INTO kavach_users (id, email, polar_customer_id, created_at, updated_at)
        SELECT 'user-' || n, n || '@example.test', 'customer-' || n, now(), now() FROM generate_series(1, ${rows}) AS n`)
      await query(`INSERT INTO kavach_polar_customers
        SELECT 'customer-' || n, 'user-' || n, 'external_id', now(), NULL FROM generate_series(1, ${rows}) AS n`)
      await query(`INSERT INTO kavach_polar_checkouts
        SELECT 'checkout-' || n, 'user-' || n, 'product', now() FROM generate_series(1, ${rows}) AS n`)
      await query(`INSERT INTO kavach_polar_records (record_key, kind, id, user_id, customer_id, product_id, status, live,
          event_at, precedence, delivery_id, updated_at, summary, data)
        SELECT CASE WHEN n % 5 = 0 THEN 'order' ELSE 'subscription' END || ' subscription-' || n,
          CASE WHEN n % 5 = 0 THEN 'order' ELSE 'subscription' END, 'subscription-' || n, 'user-' || n,
          'customer-' || n, 'product', 'active', n % 3 > 0, n, 1, 'delivery-' || n, now(), '{}', repeat('{}', 500)
        FROM generate_series(1, ${rows}) AS n`)
      await query(`INSERT INTO kavach_polar_deliveries (id, type, state, event_at, received_at, updated_at,
          customer_id, record_id, user_id, attempts, body)
        SELECT 'delivery-' || n, 'subscription.updated', CASE WHEN n % 100 = 0 THEN 'unlinked' ELSE 'applied' END, n,
          '2026-01-01'::timestamptz + n * interval '1 minute', now(), 'customer-' || n, 'subscription-' || n,
          'user-' || n, 1, repeat('{}', 500) FROM generate_series(1, ${rows}) AS n`)
      await query(`INSERT INTO kavach_polar_notifications (id, subject, user_id, event_at, precedence, payload,
          created_at, state, attempts, available_at, updated_at)
        SELECT 'subscription-' || n || ':1', 'subscription-' || n, 'user-' || n, n, 1,
          '{"id":"s","status":"active","productId":"p","currentPeriodEnd":null,"cancelAtPeriodEnd":false}',
          '2026-01-01', CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'done' END, 0, '2026-01-01', now()
        FROM generate_series(1, ${rows}) AS n`)
      await query("ANALYZE")
    }
  })
})
