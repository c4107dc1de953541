/** What only MySQL and MariaDB can get wrong, on both. */
import { randomUUID } from "node:crypto"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { describe, expect, it } from "@effect/vitest"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { migrations } from "@kavach-polar/core/adapter"
import { BillingStore, type BillingStoreService } from "@kavach-polar/core/BillingStore"
import type { Delivery } from "@kavach-polar/core/Delivery"
import type { StoreError } from "@kavach-polar/core/StoreError"
import { CheckoutId, CustomerId, ProductId, UserId } from "@kavach-polar/core/Subscription"
import {
  epoch,
  newScene,
  type Scene,
  subscriptionDelivery,
  subscriptionIn,
  subscriptionSnapshot
} from "@kavach-polar/core/testing/polarDeliveries"
import { subscriptionChanges } from "@kavach-polar/core/testing/subscriptionChanges"
import { Cache } from "drizzle-orm/cache/core"
import { drizzle } from "drizzle-orm/mysql2"
import { Array as Arr, Context, Duration, Effect, Fiber, Layer, Option } from "effect"
import mysql from "mysql2/promise"
import { runChildren } from "../runChild.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import { type Query, temporaryDatabase, temporaryPool } from "../store/MysqlHarness.ts"

const apply = (store: BillingStoreService, delivery: Delivery) => store.applyDeliveries([delivery], defaultPolicy)

const claim = (store: BillingStoreService, owner: string, limit = 100) =>
  store.claimNotifications({ owner, limit, lease: Duration.minutes(1) })

const insertUser = (query: Query, id: string) =>
  Effect.promise(() =>
    query(
      "INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES (?, ?, '2026-01-01', '2026-01-01')",
      id,
      `${randomUUID()}@example.test`
    )
  )

/** A connection that goes away with the scope. */
const connectionTo = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(() => mysql.createConnection({ uri: url, dateStrings: true })),
    (connection) => Effect.promise(() => connection.end().catch(() => connection.destroy()))
  )

/** What mysql2 sends to the database from here on, after the name of the function that sends it. */
const sentTo = (database: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const sent: Array<string> = []
      const undo = ["execute", "query"].map((name) => {
        const channel = `tracing:mysql2:${name}:start`
        const listen = (message: unknown) => {
          if (typeof message !== "object" || message === null) return
          if (Reflect.get(message, "database") === database) sent.push(`${name} ${Reflect.get(message, "query")}`)
        }
        subscribe(channel, listen)
        return () => unsubscribe(channel, listen)
      })
      return { sent, undo }
    }),
    ({ undo }) => Effect.sync(() => undo.forEach((one) => void one()))
  ).pipe(Effect.map(({ sent }) => sent))

const discreet = (error: StoreError, ...secrets: ReadonlyArray<string>) => {
  const text = JSON.stringify([error.message, error.detail, String(error), error.stack, error])
  for (const secret of [...secrets, "insert into", "INSERT INTO", "select "]) expect(text).not.toContain(secret)
}

/** Waits until the store's step waits for a lock, or does anything else for so long. */
const untilWaiting = (query: Query, database: string) =>
  Effect.promise(async () => {
    for (let attempt = 0; attempt < 200; attempt++) {
      const [row] = await query(
        "SELECT id FROM information_schema.processlist WHERE db = ? AND info LIKE '%kavach_polar_locks%for update' LIMIT 1",
        database
      )
      const id = row?.["id"] ?? row?.["ID"]
      if (id !== undefined) return Number(id)
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    throw new Error("no step waits for a lock")
  })

for (const [server, name] of [
  ["mysql", "MySQL"],
  ["mariadb", "MariaDB"]
] as const) {
  const adminUrl = serverUrl(server)

  describe.skipIf(adminUrl === undefined)(name, () => {
    if (adminUrl === undefined) return

    /** A migrated database, with a store on a pool of its own. */
    const opened = Effect.gen(function* () {
      const database = yield* temporaryDatabase(adminUrl)
      const db = yield* MysqlStore.open({ url: database.url })
      const store = MysqlStore.make(db)
      yield* store.migrate
      return { ...database, store }
    })

    const second = (url: string) => Effect.map(MysqlStore.open({ url }), (db) => MysqlStore.make(db))

    /** On a pool that is the store's alone. */
    const onOwnPool = (options: MysqlStore.MysqlStoreOptions) =>
      Effect.map(Layer.build(MysqlStore.layer(options)), (context) => Context.get(context, BillingStore))

    describe("at once", () => {
      it.scopedLive("fifty copies of one delivery have one effect", () =>
        Effect.gen(function* () {
          const { store } = yield* opened
          const externalId = UserId.make("user-1")
          const created = subscriptionDelivery(newScene(), "created", { externalId })
          const outcomes = yield* Effect.all(
            Array.from({ length: 50 }, () => apply(store, created)),
            { concurrency: "unbounded" }
          )
          const first = outcomes.filter(([outcome]) => !outcome.duplicate)
          expect(first).toMatchObject([[{ state: "applied", notified: true }]])
          expect((yield* claim(store, "a")).claimed).toHaveLength(1)
          expect(yield* store.deliveries({})).toMatchObject([{ id: created.id, attempts: 1 }])
        })
      )

      it.scopedLive(
        "the newer version wins, whichever connection is first",
        () =>
          Effect.gen(function* () {
            const { store, url } = yield* opened
            const other = yield* second(url)
            const round = (number: number) =>
              Effect.gen(function* () {
                const externalId = UserId.make(`user-${number}`)
                const scene = newScene()
                const older = subscriptionDelivery(scene, "created", { externalId, at: 1 })
                const newer = subscriptionDelivery(scene, "revoked", { externalId, at: 2 })
                const [stores, deliveries] =
                  number % 2 === 0
                    ? [
                        [store, other],
                        [older, newer]
                      ]
                    : [
                        [other, store],
                        [newer, older]
                      ]
                yield* Effect.forEach(
                  Arr.zip(stores ?? [], deliveries ?? []),
                  ([on, delivery]) => apply(on, delivery),
                  { concurrency: 2 }
                )
                expect(yield* store.subscriptionsOf(externalId, "all")).toEqual([subscriptionIn(newer)])
              })
            yield* Effect.forEach(Arr.range(1, 300), round, { concurrency: 8 })
            // What is told last of each is what is so.
            const told = new Map<string, string>()
            for (;;) {
              const { claimed } = yield* claim(store, "a")
              if (claimed.length === 0) break
              for (const { id, subscription } of subscriptionChanges(claimed)) {
                told.set(subscription.id, subscription.status)
                yield* store.completeNotifications([id], "a")
              }
            }
            expect([...told.values()].filter((status) => status !== "canceled")).toEqual([])
            expect(told.size).toBe(300)
          }),
        60_000
      )

      it.scopedLive(
        "two customers of one user: the projection shows the better one",
        () =>
          Effect.gen(function* () {
            const { query, store, url } = yield* opened
            const other = yield* second(url)
            for (let number = 1; number <= 60; number++) {
              const externalId = UserId.make(`user-${number}`)
              yield* insertUser(query, externalId)
              const [sooner, later] = [newScene(), newScene()]
              const until = (scene: Scene, year: number) =>
                subscriptionDelivery(scene, "created", {
                  externalId,
                  patch: { current_period_end: `${year}-01-01T00:00:00Z` }
                })
              yield* Effect.all([apply(store, until(sooner, 2028)), apply(other, until(later, 2030))], {
                concurrency: 2
              })
              const [row] = yield* Effect.promise(() =>
                query("SELECT polar_subscription_id, polar_customer_id FROM kavach_users WHERE id = ?", externalId)
              )
              expect(row).toEqual({
                polar_subscription_id: later.subscriptionId,
                polar_customer_id: later.customerId
              })
            }
          }),
        60_000
      )

      it.scopedLive(
        "a subscription that moves to another customer while its first one is linked is lost to nobody",
        () =>
          Effect.gen(function* () {
            const { query, store, url } = yield* opened
            const other = yield* second(url)
            const round = (number: number) =>
              Effect.gen(function* () {
                const userId = UserId.make(`user-${number}`)
                const scene = newScene()
                yield* apply(store, subscriptionDelivery(scene, "created", { at: 1 }))
                const moved = { ...scene, customerId: randomUUID() }
                yield* Effect.all(
                  [
                    apply(store, subscriptionDelivery(moved, "updated", { at: 2 })),
                    other.linkCustomer(
                      { customerId: CustomerId.make(scene.customerId), userId, linkedBy: "host" },
                      defaultPolicy
                    )
                  ],
                  { concurrency: 2 }
                )
                // Whoever came first: it belongs to the user, who was told, or to nobody, and nobody was.
                const [row] = yield* Effect.promise(() =>
                  query(
                    `SELECT user_id IS NOT NULL AS owned, (SELECT COUNT(*) > 0 FROM kavach_polar_notifications n
                      WHERE n.subject = s.id) AS told, customer_id FROM kavach_polar_records s WHERE id = ?`,
                    scene.subscriptionId
                  )
                )
                expect(row).toEqual({ owned: row?.["told"], told: row?.["owned"], customer_id: moved.customerId })
              })
            yield* Effect.forEach(Arr.range(1, 150), round, { concurrency: 4 })
          }),
        60_000
      )

      it.scopedLive(
        "writers and four claimers: everything is told once, and of each subscription in order",
        () =>
          Effect.gen(function* () {
            const { store, url } = yield* opened
            const other = yield* second(url)
            const scenes = Array.from({ length: 6 }, () => newScene())
            const versions = 12
            const write = (scene: Scene, index: number) =>
              Effect.forEach(
                Arr.range(1, versions),
                (at) =>
                  apply(
                    at % 2 === 0 ? store : other,
                    subscriptionDelivery(scene, "updated", {
                      externalId: UserId.make(`user-${index % 3}`),
                      at,
                      patch: { current_period_end: new Date(epoch + at * 1000).toISOString() }
                    })
                  ),
                { discard: true }
              )
            const told: Array<readonly [string, number]> = []
            let left = scenes.length * versions
            const claimer = (owner: string) =>
              Effect.gen(function* () {
                for (let idle = 0; left > 0 && idle < 500; idle++) {
                  const { claimed } = yield* claim(owner.endsWith("1") ? store : other, owner, 3)
                  for (const { id, subscription } of subscriptionChanges(claimed)) {
                    told.push([subscription.id, subscription.currentPeriodEnd?.getTime() ?? 0])
                    expect(yield* store.completeNotifications([id], owner)).toEqual([id])
                    left--
                    idle = 0
                  }
                  yield* Effect.sleep("2 millis")
                }
              })
            yield* Effect.all([...scenes.map(write), ...["a1", "a2", "b1", "b2"].map((owner) => claimer(owner))], {
              concurrency: "unbounded"
            })
            expect(told).toHaveLength(scenes.length * versions)
            for (const { subscriptionId } of scenes) {
              const ends = told.filter(([id]) => id === subscriptionId).map(([, end]) => end)
              expect(ends).toEqual(Arr.range(1, versions).map((at) => epoch + at * 1000))
            }
          }),
        60_000
      )
    })

    describe("claiming", () => {
      const queued = Effect.gen(function* () {
        const { query, store, url } = yield* opened
        const scene = newScene()
        for (const [at, type] of ["created", "past_due"].entries()) {
          yield* apply(store, subscriptionDelivery(scene, type, { externalId: UserId.make("user-1"), at }))
        }
        const rows = yield* Effect.promise(() => query("SELECT id FROM kavach_polar_notifications ORDER BY event_at"))
        const holder = yield* connectionTo(url)
        const [oldest, youngest] = rows.map((row) => String(row["id"]))
        const hold = (id: string | undefined) =>
          Effect.promise(async () => {
            await holder.query("BEGIN")
            await holder.query("SELECT id FROM kavach_polar_notifications WHERE id = ? FOR UPDATE", [id])
          })
        return { store, holder, hold, oldest, youngest }
      })

      it.scopedLive("while somebody holds the oldest, nobody gets a younger one, and nobody waits", () =>
        Effect.gen(function* () {
          const { hold, holder, oldest, store } = yield* queued
          yield* hold(oldest)
          const [waited, { claimed, nextDueAt }] = yield* Effect.timed(claim(store, "a"))
          expect(claimed).toEqual([])
          expect(nextDueAt).not.toBeNull()
          expect(Duration.toMillis(waited)).toBeLessThan(1500)
          yield* Effect.promise(() => holder.query("ROLLBACK"))
          expect((yield* claim(store, "a")).claimed.map(({ id }) => id)).toEqual([oldest])
        })
      )

      it.scopedLive("whoever holds a younger one is in nobody's way", () =>
        Effect.gen(function* () {
          const { hold, oldest, store, youngest } = yield* queued
          yield* hold(youngest)
          expect((yield* claim(store, "a")).claimed.map(({ id }) => id)).toEqual([oldest])
        })
      )
    })

    describe("migrations", () => {
      it.scopedLive(
        "ten processes that migrate one empty database at once all succeed",
        () =>
          Effect.gen(function* () {
            const { query, url } = yield* temporaryDatabase(adminUrl)
            const migrating = new URL("../../packages/adapter-mysql/test/children/migrate.ts", import.meta.url)
            const said = yield* Effect.promise(() => runChildren(10, migrating, url))
            expect(said).toEqual(Array.from({ length: 10 }, () => "migrated"))
            const rows = yield* Effect.promise(() => query("SELECT version, name FROM kavach_polar_migrations"))
            expect(rows).toEqual(migrations.map(({ name, version }) => ({ version, name })))
            const tables = yield* Effect.promise(() => query("SHOW TABLES"))
            expect(tables.flatMap((row) => Object.values(row)).sort()).toEqual([
              "kavach_polar_actions",
              "kavach_polar_benefit_grants",
              "kavach_polar_benefits",
              "kavach_polar_checkout_records",
              "kavach_polar_checkouts",
              "kavach_polar_customer_records",
              "kavach_polar_customer_seats",
              "kavach_polar_customer_states",
              "kavach_polar_customers",
              "kavach_polar_deliveries",
              "kavach_polar_discounts",
              "kavach_polar_jobs",
              "kavach_polar_license_answers",
              "kavach_polar_license_keys",
              "kavach_polar_link_changes",
              "kavach_polar_locks",
              "kavach_polar_members",
              "kavach_polar_migrations",
              "kavach_polar_notifications",
              "kavach_polar_orders",
              "kavach_polar_organizations",
              "kavach_polar_products",
              "kavach_polar_records",
              "kavach_polar_refunds",
              "kavach_polar_subscriptions",
              "kavach_users"
            ])
          }),
        120_000
      )

      it.scopedLive("ten pools that begin in the same moment take turns", () =>
        Effect.gen(function* () {
          const { query, url } = yield* temporaryDatabase(adminUrl)
          const stores = yield* Effect.forEach(Arr.range(1, 10), () => second(url))
          // Connected by now, so that nothing but the lock holds them apart.
          yield* Effect.forEach(stores, (store) => Effect.flip(claim(store, "a")))
          yield* Effect.forEach(stores, (store) => store.migrate, { concurrency: "unbounded" })
          const rows = yield* Effect.promise(() => query("SELECT version, name FROM kavach_polar_migrations"))
          expect(rows).toEqual(migrations.map(({ name, version }) => ({ version, name })))
        })
      )

      it.scopedLive("migrating again changes nothing", () =>
        Effect.gen(function* () {
          const { query, store } = yield* opened
          const look = Effect.promise(async () => [
            await query("SHOW CREATE TABLE kavach_users"),
            await query("SHOW CREATE TABLE kavach_polar_notifications"),
            await query("SELECT * FROM kavach_polar_migrations")
          ])
          const before = yield* look
          yield* store.migrate
          expect(yield* look).toEqual(before)
        })
      )

      it.scopedLive("what a crash left half done is finished by the next start", () =>
        Effect.gen(function* () {
          const { query, store } = yield* opened
          yield* Effect.promise(async () => {
            await query("DELETE FROM kavach_polar_migrations")
            await query("DELETE FROM kavach_polar_locks WHERE id > 100")
            await query("DROP TABLE kavach_polar_notifications")
            await query("DROP TABLE kavach_users")
          })
          yield* store.migrate
          const [locks] = yield* Effect.promise(() => query("SELECT COUNT(*) AS n FROM kavach_polar_locks"))
          expect(locks).toEqual({ n: 2048 })
          const [outcome] = yield* apply(store, subscriptionDelivery(newScene(), "created", { externalId: "user-1" }))
          expect(outcome).toMatchObject({ state: "applied", notified: true })
        })
      )

      it.scopedLive("another form, a newer version, somebody else's table, lost locks: each is named", () =>
        Effect.gen(function* () {
          const { query, store } = yield* opened
          const refused = (...statements: ReadonlyArray<string>) =>
            Effect.gen(function* () {
              for (const statement of statements) yield* Effect.promise(() => query(statement))
              const error = yield* Effect.flip(store.migrate)
              expect(error).toMatchObject({ reason: "schema", operation: "migrate" })
              return error.detail
            })
          yield* Effect.promise(() => query("DELETE FROM kavach_polar_locks WHERE id > 100"))
          const lost = yield* Effect.flip(
            store.applyDeliveries(
              [1, 2, 3, 4, 5].map(() => subscriptionDelivery(newScene(), "created")) as [Delivery, ...Array<Delivery>],
              defaultPolicy
            )
          )
          expect(lost).toMatchObject({ reason: "schema", detail: expect.stringContaining("kavach_polar_locks") })

          const newer = yield* refused(
            "INSERT INTO kavach_polar_migrations VALUES (999, '0999_from_the_future', 'x', '2030-01-01', 999)"
          )
          expect(newer).toContain("0999_from_the_future")
          expect(newer).toContain("upgrade @kavach-polar/adapter-mysql")
          // A newer one that asks for nothing newer is no reason not to start.
          yield* Effect.promise(() => query("UPDATE kavach_polar_migrations SET requires = 4 WHERE version = 999"))
          yield* store.migrate
          const other = yield* refused(
            "DELETE FROM kavach_polar_migrations WHERE version = 999",
            "UPDATE kavach_polar_migrations SET checksum = 'another'"
          )
          expect(other).toContain("0004_records")
          const foreign = yield* refused(
            "DELETE FROM kavach_polar_migrations",
            "DROP TABLE kavach_polar_notifications",
            "CREATE TABLE kavach_polar_notifications (id VARCHAR(36) PRIMARY KEY)"
          )
          expect(foreign).toContain("kavach_polar_notifications already exists")
        })
      )

      it.scopedLive("a store that nobody migrated says what to do", () =>
        Effect.gen(function* () {
          const { url } = yield* temporaryDatabase(adminUrl)
          const store = yield* second(url)
          const error = yield* Effect.flip(claim(store, "a"))
          expect(error).toMatchObject({
            reason: "schema",
            detail: "ER_NO_SUCH_TABLE: there is no table kavach_polar_notifications"
          })
          expect(error.message).toContain("Run the migrations")
        })
      )
    })

    describe("kavach_users", () => {
      const userId = UserId.make("user-1")
      const polarColumns =
        "polar_subscription_id VARCHAR(64), polar_subscription_status VARCHAR(32), polar_product_id VARCHAR(64)"
      const periodEnd = "2027-01-01T00:00:00.999Z"

      const withTable = (table: string, options: mysql.PoolOptions = {}, session = "DO 0") =>
        Effect.gen(function* () {
          const { query, url } = yield* temporaryDatabase(adminUrl)
          yield* Effect.promise(() => query(table))
          const pool = yield* temporaryPool({ uri: url, ...options })
          pool.pool.on("connection", (connection) => connection.query(session))
          return { query, url, store: MysqlStore.make(drizzle(pool)) }
        })

      const projected = (table: string, insert: string, columns: string, session?: string) =>
        Effect.gen(function* () {
          const { query, store } = yield* withTable(table, { timezone: "+05:30" }, session)
          yield* store.migrate
          yield* store.migrate
          yield* Effect.promise(() => query(insert))
          const patch = { current_period_end: periodEnd, cancel_at_period_end: true }
          yield* apply(store, subscriptionDelivery(newScene(), "created", { externalId: userId, patch }))
          const rows = yield* Effect.promise(() =>
            query(`SELECT polar_subscription_status AS status, ${columns} FROM kavach_users`)
          )
          expect(rows).toHaveLength(1)
          expect(rows[0]?.["status"]).toBe("active")
          return { row: rows[0], store, query }
        })

      it.scopedLive("DATETIME(3), as KavachOS declares it: UTC, to the millisecond", () =>
        Effect.gen(function* () {
          const { row } = yield* projected(
            `CREATE TABLE kavach_users (id VARCHAR(255) PRIMARY KEY, email VARCHAR(255) NOT NULL UNIQUE, polar_customer_id VARCHAR(255) UNIQUE, ${polarColumns},
              polar_current_period_end DATETIME(3), polar_cancel_at_period_end TINYINT(1) NOT NULL DEFAULT 0, created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) NOT NULL)`,
            "INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES ('user-1', 'a@x.test', '2026-01-01', '2026-01-01')",
            "polar_current_period_end AS end, polar_cancel_at_period_end AS cancel, updated_at > '2026-01-02' AS touched"
          )
          expect(row).toMatchObject({ end: "2027-01-01 00:00:00.999", cancel: 1, touched: 1 })
        })
      )

      it.scopedLive("DATETIME without a fraction: cut off, and not rounded up", () =>
        Effect.gen(function* () {
          const { row } = yield* projected(
            `CREATE TABLE kavach_users (id CHAR(36) PRIMARY KEY, polar_customer_id TEXT, ${polarColumns},
              polar_current_period_end DATETIME, polar_cancel_at_period_end BIT(1) NOT NULL DEFAULT 0)`,
            "INSERT INTO kavach_users (id) VALUES ('user-1')",
            "polar_current_period_end AS end, polar_cancel_at_period_end + 0 AS cancel"
          )
          expect(row).toMatchObject({ end: "2027-01-01 00:00:00", cancel: 1 })
        })
      )

      it.scopedLive("made by hand: BIGINT and INT take whole seconds", () =>
        Effect.gen(function* () {
          const { row } = yield* projected(
            `CREATE TABLE kavach_users (ID VARCHAR(64) PRIMARY KEY, polar_customer_id VARCHAR(64), ${polarColumns},
              polar_current_period_end BIGINT, polar_cancel_at_period_end INT NOT NULL DEFAULT 0, updated_at INT UNSIGNED) CHARACTER SET latin1`,
            "INSERT INTO kavach_users (id) VALUES ('user-1')",
            "polar_current_period_end AS end, polar_cancel_at_period_end AS cancel, updated_at > 1700000000 AS touched"
          )
          expect(row).toMatchObject({ end: Date.parse("2027-01-01T00:00:00Z") / 1000, cancel: 1, touched: 1 })
        })
      )

      it.scopedLive("TIMESTAMP: the same moment, whatever the session's time zone", () =>
        Effect.gen(function* () {
          const { row } = yield* projected(
            `CREATE TABLE kavach_users (id VARCHAR(64) PRIMARY KEY, polar_customer_id VARCHAR(64) UNIQUE, ${polarColumns},
              polar_current_period_end TIMESTAMP(3) NULL, polar_cancel_at_period_end BOOLEAN NOT NULL DEFAULT 0, updated_at TIMESTAMP NULL)`,
            "INSERT INTO kavach_users (id) VALUES ('user-1')",
            "UNIX_TIMESTAMP(polar_current_period_end) AS end, ABS(UNIX_TIMESTAMP(updated_at) - UNIX_TIMESTAMP()) < 60 AS touched",
            "SET time_zone = '-07:00'"
          )
          expect(row).toMatchObject({ end: String(Date.parse(periodEnd) / 1000), touched: 1 })
        })
      )

      it.scopedLive("times that TIMESTAMP and INT cannot hold become their last", () =>
        Effect.gen(function* () {
          const { query, store } = yield* withTable(
            `CREATE TABLE kavach_users (id VARCHAR(64) PRIMARY KEY, polar_customer_id VARCHAR(64) UNIQUE, ${polarColumns},
              polar_current_period_end INT, polar_cancel_at_period_end BOOLEAN NOT NULL DEFAULT 0, updated_at TIMESTAMP NULL)`
          )
          yield* store.migrate
          yield* Effect.promise(() => query("INSERT INTO kavach_users (id) VALUES ('user-1')"))
          const patch = { current_period_end: "2099-01-01T00:00:00Z" }
          yield* apply(store, subscriptionDelivery(newScene(), "created", { externalId: userId, patch }))
          expect(
            yield* Effect.promise(() => query("SELECT polar_current_period_end AS end FROM kavach_users"))
          ).toEqual([{ end: 2 ** 31 - 1 }])
        })
      )

      it.scopedLive("ISO 8601 in text", () =>
        Effect.gen(function* () {
          const { query, row } = yield* projected(
            `CREATE TABLE kavach_users (id VARCHAR(64) PRIMARY KEY, polar_customer_id LONGTEXT, ${polarColumns},
              polar_current_period_end VARCHAR(24), polar_cancel_at_period_end BOOLEAN NOT NULL DEFAULT 0)`,
            "INSERT INTO kavach_users (id) VALUES ('user-1')",
            "polar_current_period_end AS end"
          )
          expect(row).toMatchObject({ end: periodEnd })
          // There was no index on it, and every delivery looks it up.
          const keys = yield* Effect.promise(() =>
            query("SHOW INDEX FROM kavach_users WHERE Column_name = 'polar_customer_id'")
          )
          expect(keys).toHaveLength(1)
        })
      )

      it.scopedLive("only a table with an id: the columns are added, and a customer belongs to one user", () =>
        Effect.gen(function* () {
          const { query, row, store } = yield* projected(
            "CREATE TABLE kavach_users (Id varchar(255) primary key)",
            "INSERT INTO kavach_users (id) VALUES ('user-1')",
            "polar_current_period_end AS end, polar_customer_id AS customer"
          )
          expect(row).toMatchObject({ end: "2027-01-01 00:00:00.999" })
          expect(yield* store.findUser(userId)).toEqual(
            Option.some({ id: userId, email: Option.none(), name: Option.none(), emailVerified: false })
          )
          const again = query(
            "INSERT INTO kavach_users (id, polar_customer_id) VALUES ('user-2', ?)",
            String(row?.["customer"])
          )
          yield* Effect.promise(() => expect(again).rejects.toThrow(/Duplicate/))
        })
      )

      it.scopedLive("an id that differs only by case is another user's, whatever the column's collation", () =>
        Effect.gen(function* () {
          const { query, store } = yield* withTable(
            "CREATE TABLE kavach_users (id VARCHAR(255) PRIMARY KEY, email VARCHAR(255)) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
          )
          yield* store.migrate
          yield* Effect.promise(() => query("INSERT INTO kavach_users (id) VALUES ('user-1')"))
          const externalId = UserId.make("USER-1")
          yield* apply(store, subscriptionDelivery(newScene(), "created", { externalId }))
          expect(yield* store.findUser(externalId)).toEqual(Option.none())
          expect(yield* Effect.promise(() => query("SELECT polar_subscription_id AS id FROM kavach_users"))).toEqual([
            { id: null }
          ])
          yield* apply(store, subscriptionDelivery(newScene(), "created", { externalId: userId }))
          const [row] = yield* Effect.promise(() => query("SELECT polar_subscription_id AS id FROM kavach_users"))
          expect(row?.["id"]).not.toBeNull()
        })
      )

      for (const charset of ["latin1", "utf8mb3", "ascii", "utf8mb4"]) {
        it.scopedLive(`an id that a table in ${charset} cannot hold is nobody's there, and no error`, () =>
          Effect.gen(function* () {
            const { query, store, url } = yield* withTable(
              `CREATE TABLE kavach_users (id VARCHAR(64) PRIMARY KEY, polar_customer_id VARCHAR(64) UNIQUE) CHARACTER SET ${charset}`
            )
            yield* store.migrate
            const own = yield* onOwnPool({ url })
            yield* Effect.promise(() => query("INSERT INTO kavach_users (id) VALUES ('user-?'), ('user-??')"))
            for (const externalId of ["user-😀", "user-łł", "user-?"].map((id) => UserId.make(id))) {
              const isThere = externalId === "user-?"
              const customerId = isThere ? randomUUID() : `c-${externalId}`
              const created = () => subscriptionDelivery(newScene({ customerId }), "created", { externalId })
              expect(yield* apply(store, created())).toMatchObject([{ state: isThere ? "applied" : "unlinked" }])
              // An app that keeps its users elsewhere has it that whoever Polar names is one.
              expect(
                yield* store.applyDeliveries([created()], defaultPolicy, { users: { externalIds: "trust" } })
              ).toMatchObject([{ state: "applied", userId: externalId }])
              for (const reader of [store, own]) {
                expect(Option.isSome(yield* reader.findUser(externalId))).toBe(isThere)
              }
            }
            expect(
              yield* Effect.promise(() =>
                query("SELECT id, polar_subscription_status AS status FROM kavach_users ORDER BY id")
              )
            ).toEqual([
              { id: "user-?", status: "active" },
              { id: "user-??", status: null }
            ])
          })
        )
      }

      for (const [table, said] of [
        ["(id INT PRIMARY KEY)", /keeps id as INT.*user ids are text/],
        ["(email VARCHAR(255) PRIMARY KEY)", /has no column id/],
        [
          "(id VARCHAR(64) PRIMARY KEY, polar_current_period_end DATE)",
          /polar_current_period_end as DATE, and a time goes/
        ],
        [
          "(id VARCHAR(64) PRIMARY KEY, polar_current_period_end VARCHAR(19))",
          /polar_current_period_end as VARCHAR\(19\)/
        ],
        [
          "(id VARCHAR(64) PRIMARY KEY, polar_cancel_at_period_end VARCHAR(5))",
          /polar_cancel_at_period_end as VARCHAR\(5\)/
        ],
        ["(id VARCHAR(64) PRIMARY KEY, polar_customer_id INT)", /polar_customer_id as INT/],
        ["(id VARCHAR(64) PRIMARY KEY, polar_product_id VARCHAR(20))", /polar_product_id as VARCHAR\(20\)/]
      ] as const) {
        it.scopedLive(`refused and named: ${table}`, () =>
          Effect.gen(function* () {
            const { store } = yield* withTable(`CREATE TABLE kavach_users ${table}`)
            const error = yield* Effect.flip(store.migrate)
            expect(error).toMatchObject({ reason: "schema", operation: "migrate" })
            expect(error.detail).toMatch(said)
          })
        )
      }
    })

    describe("errors", () => {
      const secret = "ada.martin@acme-mail.dev"
      const delivery = () =>
        subscriptionDelivery(newScene(), "created", { externalId: "user-1", patch: { custom_field_data: { secret } } })
      const nothingWritten = (query: Query) =>
        Effect.promise(async () => {
          for (const table of ["deliveries", "records", "customers", "notifications"]) {
            expect(await query(`SELECT * FROM kavach_polar_${table}`)).toEqual([])
          }
        })

      it.scopedLive("a wrong password, and a database that does not exist", () =>
        Effect.gen(function* () {
          const { name: database, query, url } = yield* opened
          const account = `k_${randomUUID().slice(0, 8)}`
          yield* Effect.acquireRelease(
            Effect.promise(() => query(`CREATE USER ${account}@'%' IDENTIFIED BY 'the-right-one'`)),
            () => Effect.promise(() => query(`DROP USER ${account}@'%'`))
          )
          const as = (password: string, path: string) => {
            const address = new URL(url)
            address.username = account
            address.password = password
            address.pathname = path
            return Effect.flatMap(second(address.href), (store) => Effect.flip(claim(store, "a")))
          }
          const wrong = yield* as("the-wrong-one", `/${database}`)
          expect(wrong.reason).toBe("denied")
          discreet(wrong, "the-wrong-one", account)
          const denied = yield* as("the-right-one", `/${database}`)
          expect(denied.reason).toBe("denied")
          const missing = new URL(url)
          missing.pathname = "/there_is_none"
          const error = yield* Effect.flip(claim(yield* second(missing.href), "a"))
          expect(error).toMatchObject({
            reason: "unavailable",
            detail: expect.stringContaining("no database of that name")
          })
          missing.pathname = "/"
          const none = yield* Effect.flip((yield* second(missing.href)).migrate)
          expect(none).toMatchObject({
            reason: "unavailable",
            detail: expect.stringContaining("no database is selected")
          })
        })
      )

      it.scopedLive("a user who may only read", () =>
        Effect.gen(function* () {
          const { name: database, query, url } = yield* opened
          const account = `k_${randomUUID().slice(0, 8)}`
          yield* Effect.acquireRelease(
            Effect.promise(async () => {
              await query(`CREATE USER ${account}@'%' IDENTIFIED BY 'x'`)
              await query(`GRANT SELECT ON ${database}.* TO ${account}@'%'`)
              await query(`GRANT UPDATE ON ${database}.kavach_polar_locks TO ${account}@'%'`)
            }),
            () => Effect.promise(() => query(`DROP USER ${account}@'%'`))
          )
          const address = new URL(url)
          address.username = account
          address.password = "x"
          const store = yield* second(address.href)
          const error = yield* Effect.flip(apply(store, delivery()))
          expect(error).toMatchObject({
            reason: "denied",
            detail: expect.stringMatching(/lacks (INSERT|UPDATE|INSERT, UPDATE) kavach_polar_deliveries$/)
          })
          discreet(error, secret, account)
          yield* nothingWritten(query)
          // Tables that are all there need no right to make any.
          yield* store.migrate
          const { denied } = yield* store.inspect
          expect(denied.map(({ table }) => table)).toEqual(
            expect.arrayContaining(["kavach_polar_deliveries", "kavach_polar_records", "kavach_users"])
          )
          expect(JSON.stringify(denied)).not.toContain(account)
        })
      )

      it.scopedLive("an index that was dropped is missed, and what is said makes it", () =>
        Effect.gen(function* () {
          const { query, store } = yield* opened
          yield* Effect.promise(() => query("DROP INDEX kavach_polar_deliveries_state ON kavach_polar_deliveries"))
          const { missingIndexes } = yield* store.inspect
          expect(missingIndexes).toMatchObject([
            { name: "kavach_polar_deliveries_state", table: "kavach_polar_deliveries" }
          ])
          yield* Effect.promise(() => query(missingIndexes[0]?.sql ?? ""))
          expect((yield* store.inspect).missingIndexes).toEqual([])
        })
      )

      it.scopedLive("a session that may only read", () =>
        Effect.gen(function* () {
          const { query, url } = yield* opened
          const pool = yield* temporaryPool({ uri: url })
          pool.pool.on("connection", (connection) => connection.query("SET SESSION TRANSACTION READ ONLY"))
          const error = yield* Effect.flip(apply(MysqlStore.make(drizzle(pool)), delivery()))
          expect(error).toMatchObject({ reason: "readOnly" })
          discreet(error, secret)
          yield* nothingWritten(query)
        })
      )

      it.scopedLive("a connection that is killed in mid-step, and the next one", () =>
        Effect.gen(function* () {
          const { name: database, query, store, url } = yield* opened
          const holder = yield* connectionTo(url)
          yield* Effect.promise(async () => {
            await holder.query("BEGIN")
            await holder.query("SELECT id FROM kavach_polar_locks WHERE id < 1024 FOR UPDATE")
          })
          const created = delivery()
          const step = yield* Effect.fork(Effect.flip(apply(store, created)))
          const id = yield* untilWaiting(query, database)
          yield* Effect.promise(() => query(`KILL ${id}`))
          const error = yield* Fiber.join(step)
          expect(error).toMatchObject({ reason: "unavailable", operation: "applyDeliveries" })
          discreet(error, secret)
          yield* nothingWritten(query)
          yield* Effect.promise(() => holder.query("ROLLBACK"))
          const [outcome] = yield* apply(store, created)
          expect(outcome).toMatchObject({ state: "applied", duplicate: false, notified: true })
        })
      )

      it.scopedLive(
        "a lock that does not come",
        () =>
          Effect.gen(function* () {
            const { query, url } = yield* opened
            const pool = yield* temporaryPool({ uri: url })
            pool.pool.on("connection", (connection) => connection.query("SET SESSION innodb_lock_wait_timeout = 1"))
            const store = MysqlStore.make(drizzle(pool))
            const holder = yield* connectionTo(url)
            yield* Effect.promise(async () => {
              await holder.query("BEGIN")
              await holder.query("SELECT id FROM kavach_polar_locks WHERE id >= 1024 FOR UPDATE")
            })
            const error = yield* Effect.flip(apply(store, delivery()))
            expect(error).toMatchObject({ reason: "busy", detail: expect.stringContaining("held a lock for too long") })
            discreet(error, secret)
            yield* nothingWritten(query)
            // It is let go after a while: the step that waits goes through.
            const step = yield* Effect.fork(apply(store, delivery()))
            yield* Effect.sleep("1500 millis")
            yield* Effect.promise(() => holder.query("ROLLBACK"))
            expect(yield* Fiber.join(step)).toMatchObject([{ state: "applied", duplicate: false }])
          }),
        30_000
      )

      it.scopedLive("a deadlock with the app's own transaction is lost by the step, and run again", () =>
        Effect.gen(function* () {
          const { name: database, query, store, url } = yield* opened
          yield* insertUser(query, "user-1")
          yield* Effect.promise(() => query("CREATE TABLE weight (id INT PRIMARY KEY AUTO_INCREMENT, text TEXT)"))
          const app = yield* connectionTo(url)
          yield* Effect.promise(async () => {
            await app.query("BEGIN")
            // The one that has changed fewer rows is the one that loses.
            await app.query(`INSERT INTO weight (text) VALUES ${Array.from({ length: 500 }, () => "('x')").join(", ")}`)
            await app.query("UPDATE kavach_users SET name = 'Ada' WHERE id = 'user-1'")
          })
          const created = delivery()
          const step = yield* Effect.fork(apply(store, created))
          yield* Effect.promise(async () => {
            for (;;) {
              const waiting = await query(
                "SELECT id FROM information_schema.processlist WHERE db = ? AND info LIKE 'UPDATE%kavach_users%'",
                database
              )
              if (waiting.length > 0) break
              await new Promise((resolve) => setTimeout(resolve, 20))
            }
            await app.query("SELECT id FROM kavach_polar_locks FOR UPDATE")
            await app.query("COMMIT")
          })
          expect(yield* Fiber.join(step)).toMatchObject([{ state: "applied", duplicate: false, notified: true }])
          expect(yield* store.deliveries({})).toMatchObject([{ id: created.id, attempts: 1 }])
          const [row] = yield* Effect.promise(() =>
            query("SELECT name, polar_subscription_status AS s FROM kavach_users")
          )
          expect(row).toEqual({ name: "Ada", s: "active" })
        })
      )

      it.scopedLive("a constraint, a trigger, a missing table and a missing column of the app's own", () =>
        Effect.gen(function* () {
          const { query, store } = yield* opened
          yield* insertUser(query, "user-1")
          const fails = (spoil: string, mend: string, reason: string, detail: RegExp) =>
            Effect.gen(function* () {
              yield* Effect.promise(() => query(spoil))
              const error = yield* Effect.flip(apply(store, delivery()))
              expect(error).toMatchObject({ reason })
              expect(error.detail).toMatch(detail)
              discreet(error, secret)
              yield* Effect.promise(() => query(mend))
              yield* nothingWritten(query)
            })
          yield* fails(
            "CREATE TRIGGER no BEFORE INSERT ON kavach_polar_records FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ada.martin@acme-mail.dev'",
            "DROP TRIGGER no",
            "constraint",
            /a trigger refused the row/
          )
          yield* fails(
            "ALTER TABLE kavach_users RENAME COLUMN polar_product_id TO gone",
            "ALTER TABLE kavach_users RENAME COLUMN gone TO polar_product_id",
            "schema",
            /no column polar_product_id/
          )
          yield* fails(
            "RENAME TABLE kavach_polar_deliveries TO gone",
            "RENAME TABLE gone TO kavach_polar_deliveries",
            "schema",
            /there is no table kavach_polar_deliveries/
          )
          yield* apply(store, delivery())
          yield* Effect.promise(() => query("CREATE UNIQUE INDEX one_only ON kavach_polar_notifications (user_id)"))
          const error = yield* Effect.flip(apply(store, delivery()))
          expect(error).toMatchObject({ reason: "constraint", detail: expect.stringContaining("not the store's own") })
          expect(yield* store.deliveries({})).toHaveLength(1)
        })
      )

      it.scopedLive("a session without autocommit, and one with a transaction of the app's open", () =>
        Effect.gen(function* () {
          const { query, url } = yield* opened
          const pool = yield* temporaryPool({ uri: url })
          pool.pool.on("connection", (connection) => connection.query("SET SESSION autocommit = 0"))
          const off = yield* Effect.flip(apply(MysqlStore.make(drizzle(pool)), delivery()))
          expect(off).toMatchObject({ reason: "schema", detail: expect.stringContaining("autocommit") })

          const connection = yield* connectionTo(url)
          const store = MysqlStore.make(drizzle(connection))
          yield* Effect.promise(async () => {
            await connection.query("BEGIN")
            await connection.query(
              "INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES ('user-1', 'a@x.test', '2026-01-01', '2026-01-01')"
            )
          })
          const open = yield* Effect.flip(apply(store, delivery()))
          expect(open).toMatchObject({ reason: "busy", detail: expect.stringContaining("a transaction open") })
          // It is the app's to end, with all that is in it.
          yield* Effect.promise(() => connection.query("COMMIT"))
          expect(yield* Effect.promise(() => query("SELECT id FROM kavach_users"))).toEqual([{ id: "user-1" }])
          expect(yield* apply(store, delivery())).toMatchObject([{ state: "applied" }])
        })
      )
    })

    it.scopedLive("a cache that the app gave drizzle is never asked", () =>
      Effect.gen(function* () {
        const { url } = yield* opened
        const pool = yield* temporaryPool({ uri: url })
        const store = MysqlStore.make(drizzle(pool, { cache: new StaleCache() }))
        const scene = newScene()
        const externalId = UserId.make("user-1")
        const [older, newer] = [1, 2].map((at) => subscriptionDelivery(scene, "updated", { externalId, at }))
        if (older === undefined || newer === undefined) return
        yield* store.migrate
        expect(yield* apply(store, newer)).toMatchObject([{ state: "applied" }])
        expect(yield* apply(store, older)).toMatchObject([{ state: "stale" }])
        expect(yield* apply(store, older)).toMatchObject([{ state: "stale", duplicate: true }])
        expect(yield* store.subscriptionsOf(externalId, "all")).toEqual([subscriptionIn(newer)])
        expect(yield* store.customerOf(externalId)).toEqual(Option.some(scene.customerId))
        expect((yield* claim(store, "a")).claimed).toHaveLength(1)
      })
    )

    describe("statements", () => {
      it.scopedLive("a step is two messages on a pool of the store's own, and on the app's a statement each", () =>
        Effect.gen(function* () {
          const { name: database, query, store: lent, url } = yield* opened
          const own = yield* onOwnPool({ url })
          yield* insertUser(query, "one")
          const scene = newScene()
          let at = 1
          const step = (store: BillingStoreService) =>
            apply(store, subscriptionDelivery(scene, "updated", { externalId: "one", at: at++ }))
          // What is looked up once is looked up before.
          yield* step(own)
          yield* step(lent)
          const sent = yield* sentTo(database)
          yield* step(own)
          expect(sent).toHaveLength(2)
          expect(sent[0]).toMatch(/^query SET TRANSACTION ISOLATION LEVEL READ COMMITTED;START TRANSACTION;SET /)
          expect(sent[1]).toMatch(/;COMMIT$/)
          sent.length = 0
          const many = Arr.makeBy(40, (n) => subscriptionDelivery(newScene(), "created", { externalId: `many-${n}` }))
          yield* own.applyDeliveries(many, defaultPolicy)
          expect(sent).toHaveLength(2)
          sent.length = 0
          yield* step(lent)
          expect(sent.length).toBeLessThan(20)
          // Nothing in them can be read as anything else: all is ASCII, and nothing is quoted but words of the store's own.
          for (const text of sent) {
            expect(text).toMatch(/^query [\x20-\x7e\n]*$/)
            expect(text.replaceAll(/X'[0-9a-f]*'|'[a-z_]*'/g, "")).not.toMatch(/['"\\;]/)
          }
        })
      )

      it.scopedLive("the session's lock wait is the app's again after a step, whatever became of it", () =>
        Effect.gen(function* () {
          const { query, url } = yield* opened
          const connection = yield* connectionTo(url)
          yield* Effect.promise(() => connection.query("SET SESSION innodb_lock_wait_timeout = 33"))
          const store = MysqlStore.make(drizzle(connection))
          const wait = Effect.promise(async () => {
            const [rows] = await connection.query<Array<mysql.RowDataPacket>>(
              "SELECT @@innodb_lock_wait_timeout AS wait"
            )
            return rows[0]?.["wait"]
          })
          yield* apply(store, subscriptionDelivery(newScene(), "created", { externalId: "one" }))
          expect(yield* wait).toBe(33)
          yield* Effect.promise(() => query("RENAME TABLE kavach_polar_customers TO kavach_gone"))
          yield* Effect.flip(apply(store, subscriptionDelivery(newScene(), "created", { externalId: "one" })))
          expect(yield* wait).toBe(33)
        })
      )

      it.scopedLive("a row that is larger than the server takes is refused with a sentence", () =>
        Effect.gen(function* () {
          const { query, store, url } = yield* opened
          const [row] = yield* Effect.promise(() => query("SELECT @@max_allowed_packet AS room"))
          const body = "x".repeat(Number(row?.["room"]) / 2)
          const large = { ...subscriptionDelivery(newScene(), "created", { externalId: "one" }), body }
          for (const each of [store, yield* onOwnPool({ url })]) {
            const error = yield* Effect.flip(apply(each, large))
            expect(error.detail).toContain("max_allowed_packet")
          }
          const fits = { ...large, body: body.slice(0, body.length / 2) }
          expect(yield* apply(store, fits)).toMatchObject([{ state: "applied" }])
          const [recorded] = yield* store.deliveries({ ids: [fits.id] })
          expect(recorded?.body?.length).toBe(fits.body.length)
        })
      )
    })

    describe("reads", () => {
      const userId = UserId.make('it\'s \\ a "user" with ? and :id and 😀')

      /** Everything that is read for a user, one after the other. */
      const readAll = (store: BillingStoreService, id: UserId) =>
        Effect.all([
          store.subscriptionsOf(id, "all"),
          store.subscriptionsOf(id, "live"),
          store.customerOf(id),
          store.findUser(id)
        ])

      /** A user with a live subscription and one that has ended, and what is read for them. */
      const filled = (query: Query, store: BillingStoreService) =>
        Effect.gen(function* () {
          yield* insertUser(query, userId)
          const scene = newScene()
          const ended = subscriptionDelivery({ ...newScene(), customerId: scene.customerId }, "revoked", {
            externalId: userId
          })
          const live = subscriptionDelivery(scene, "created", { externalId: userId })
          yield* apply(store, ended)
          yield* apply(store, live)
          const found = yield* readAll(store, userId)
          expect(found[0]).toHaveLength(2)
          expect(found[1]).toEqual([subscriptionIn(live)])
          expect(found[2]).toEqual(Option.some(scene.customerId))
          expect(found[3]).toMatchObject({ _tag: "Some", value: { id: userId, email: { _tag: "Some" } } })
          return found
        })

      it.scopedLive("each is one statement", () =>
        Effect.gen(function* () {
          const { name: database, query, store: lent, url } = yield* opened
          const own = yield* onOwnPool({ url })
          const found = yield* filled(query, lent)
          expect(yield* readAll(own, userId)).toEqual(found)
          const sent = yield* sentTo(database)
          for (const store of [own, lent]) {
            yield* readAll(store, userId)
            expect(sent).toHaveLength(4)
            for (const one of sent.splice(0)) expect(one).toMatch(/^query SELECT /)
          }
        })
      )

      it.scopedLive("the app's logger hears of each, its values beside it", () =>
        Effect.gen(function* () {
          const { query, store, url } = yield* opened
          const found = yield* filled(query, store)
          const heard: Array<readonly [string, ReadonlyArray<unknown>]> = []
          const logger = { logQuery: (text: string, values: Array<unknown>) => void heard.push([text, values]) }
          const connection = yield* connectionTo(url)
          for (const client of [yield* temporaryPool({ uri: url }), connection]) {
            const lent = MysqlStore.make(drizzle(client, { logger }))
            expect(yield* readAll(lent, userId)).toEqual(found)
            heard.length = 0
            yield* readAll(lent, userId)
            expect(heard.map(([, values]) => values)).toEqual([
              [userId, "subscription"],
              [userId, "subscription"],
              [userId],
              [userId, userId]
            ])
            for (const [text] of heard) expect(text).toMatch(/^SELECT .* = \?/s)
          }
        })
      )

      it.scopedLive("whatever the options of the store's own pool make of values", () =>
        Effect.gen(function* () {
          const { query, store, url } = yield* opened
          const found = yield* filled(query, store)
          for (const options of [
            { typeCast: false },
            { typeCast: () => "odd" },
            { rowsAsArray: true, namedPlaceholders: true, dateStrings: true },
            { supportBigNumbers: true, bigNumberStrings: true, disableEval: true },
            { multipleStatements: false }
          ]) {
            expect(yield* readAll(yield* onOwnPool({ uri: url, ...options }), userId)).toEqual(found)
          }
        })
      )

      it.scopedLive("a read outlives a change of its table", () =>
        Effect.gen(function* () {
          const { query, store, url } = yield* opened
          const own = yield* onOwnPool({ uri: url, connectionLimit: 1 })
          const [all, live, customer] = yield* filled(query, store)
          yield* readAll(own, userId)
          yield* Effect.promise(async () => {
            await query("ALTER TABLE kavach_polar_records ADD COLUMN noted INT FIRST, MODIFY data MEDIUMTEXT NOT NULL")
            await query("ALTER TABLE kavach_polar_customers RENAME TO kavach_moved")
            await query("DROP TABLE kavach_users")
          })
          expect(yield* own.subscriptionsOf(userId, "all")).toEqual(all)
          expect(yield* own.subscriptionsOf(userId, "live")).toEqual(live)
          for (const read of [own.findUser(userId), own.customerOf(userId)]) {
            expect(yield* Effect.flip<unknown, StoreError, never>(read)).toMatchObject({ reason: "schema" })
          }
          yield* Effect.promise(async () => {
            await query("ALTER TABLE kavach_moved RENAME TO kavach_polar_customers")
            await query("CREATE TABLE kavach_users (name TEXT, id VARCHAR(64) PRIMARY KEY) CHARACTER SET latin1")
          })
          yield* own.migrate
          yield* Effect.promise(() => query("INSERT INTO kavach_users (id, name) VALUES ('user-2', 'Ada')"))
          const id = UserId.make("user-2")
          expect(yield* own.customerOf(userId)).toEqual(customer)
          expect(yield* own.findUser(id)).toEqual(
            Option.some({ id, email: Option.none(), name: Option.some("Ada"), emailVerified: false })
          )
        })
      )
    })

    describe("plans", () => {
      it.scopedLive(
        "what runs often goes by an index, on tables with 20,000 rows",
        () =>
          Effect.gen(function* () {
            const { query, url } = yield* opened
            yield* Effect.promise(() => fill(query))
            const statements: Array<readonly [string, ReadonlyArray<unknown>]> = []
            const pool = yield* temporaryPool({ uri: url })
            const logger = {
              logQuery: (statement: string, values: Array<unknown>) => void statements.push([statement, values])
            }
            const store = MysqlStore.make(drizzle(pool, { logger }))
            const scene = { customerId: "c-77", subscriptionId: "s-77", productId: "p" }
            yield* apply(store, subscriptionDelivery(scene, "updated", { externalId: "user-77", at: 1000 }))
            yield* apply(store, subscriptionDelivery(newScene(), "created", { metadataUserId: "user-78" }))
            // Many at once: of customers that are linked, of new ones, and of one whose user the event does not name.
            const many = Arr.makeBy(60, (n) =>
              n % 2 === 0
                ? subscriptionDelivery(newScene({ customerId: `c-${n}` }), "created", { externalId: `user-${n}` })
                : subscriptionDelivery(newScene(), "created", { externalId: `user-${n}` })
            )
            yield* store.applyDeliveries(many, defaultPolicy)
            yield* apply(store, subscriptionDelivery(newScene({ customerId: "c-81" }), "created", {}))
            // Those that wait for their users, and then get them.
            const waiting = Arr.makeBy(60, (n) => newScene({ customerId: `waiting-${n}` }))
            yield* store.applyDeliveries(
              Arr.map(waiting, (it) => subscriptionDelivery(it, "created", { at: 1 })),
              defaultPolicy
            )
            yield* store.applyDeliveries(
              Arr.map(waiting, (it, n) =>
                subscriptionDelivery(it, "created", { at: 0, externalId: `user-${100 + n}` })
              ),
              defaultPolicy
            )
            yield* store.linkCustomer(
              { customerId: CustomerId.make("c-free"), userId: UserId.make("user-79"), linkedBy: "host" },
              defaultPolicy
            )
            yield* store.subscriptionsOf(UserId.make("user-80"), "all")
            yield* store.subscriptionsOf(UserId.make("user-80"), "live")
            yield* store.customerOf(UserId.make("user-80"))
            yield* store.findUser(UserId.make("user-80"))
            const { claimed } = yield* claim(store, "a", 20)
            expect(claimed).toHaveLength(20)
            const ids = claimed.map(({ id }) => id)
            const next = { owner: "a", lease: Duration.minutes(1) }
            for (const id of ids.slice(0, 10)) yield* store.completeAndClaimNext([id], next)
            yield* store.completeAndClaimNext(ids, next)
            yield* store.deliveries({ limit: 50 })
            yield* store.deliveries({
              order: "oldest",
              after: { receivedAt: new Date("2026-01-01T01:00:00Z"), id: "a" },
              limit: 50
            })
            yield* store.pruneDeliveryBodies(new Date("2026-01-02"), 10)
            for (const which of ["live", "unlinked"] as const) {
              yield* store.recordPage({ kind: "subscription", which, after: "s-7", limit: 50 })
            }
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
              [subscriptionSnapshot(scene, "active", { changedAt: 2000, externalId: "user-77" })],
              defaultPolicy,
              { dryRun: false }
            )
            yield* store.claimJob({ name: "any", owner: "a", lease: Duration.minutes(1) })

            const connection = yield* connectionTo(url)
            let looked = 0
            for (const [statement, values] of statements) {
              if (!/kavach_(polar|users)/.test(statement) || !/^\W*(select|update|\(select)/i.test(statement)) continue
              if (/information_schema/.test(statement)) continue
              // The first row of all is found at once in any table.
              if (/^SELECT 1 FROM \S+ LIMIT 1$/.test(statement)) continue
              const [plan] = yield* Effect.promise(() =>
                connection.query<Array<mysql.RowDataPacket>>(
                  // MariaDB explains a statement without the settings in front of it.
                  `EXPLAIN ${name === "MySQL" ? "FORMAT=TRADITIONAL" : ""} ${statement}`,
                  [...values]
                )
              )
              for (const row of plan) {
                looked++
                const place = JSON.stringify({ statement, ...row })
                if (/^(?:kavach|oldest)/.test(String(row["table"]))) expect(row["key"], place).not.toBeNull()
                expect(["ALL", "index"].includes(String(row["type"])) && Number(row["rows"]) > 200, place).toBe(false)
              }
            }
            expect(looked).toBeGreaterThan(40)
          }),
        120_000
      )
    })
  })
}

/** Knows for every question that there is nothing. */
class StaleCache extends Cache {
  override strategy = () => "all" as const
  override get = () => Promise.resolve([])
  override put = () => Promise.resolve()
  override onMutate = () => Promise.resolve()
}

/** 20,000 of everything, of which some is unfinished. */
const fill = async (query: Query): Promise<void> => {
  const numbers = `WITH d AS (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
      UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9),
    i AS (SELECT a.n + 10 * b.n + 100 * c.n + 1000 * e.n + 10000 * f.n AS n FROM d a, d b, d c, d e, d f WHERE f.n < 2)`
  const time = "TIMESTAMPADD(SECOND, n, '2026-01-01')"
  const inserts = [
    `kavach_users (id, email, created_at, updated_at, polar_customer_id) ${numbers} SELECT CONCAT('user-', n), CONCAT(n, '@x.test'), ${time}, ${time}, CONCAT('c-', n) FROM i`,
    `kavach_polar_customers ${numbers} SELECT CONCAT('c-', n), CONCAT('user-', n), 'external_id', ${time}, NULL FROM i`,
    `kavach_polar_checkouts ${numbers} SELECT CONCAT('k-', n), CONCAT('user-', n), 'p', ${time} FROM i`,
    `kavach_polar_records (record_key, kind, id, user_id, customer_id, product_id, status, live, event_at, precedence, delivery_id, updated_at, summary, data) ${numbers} SELECT CONCAT('subscription s-', n), 'subscription', CONCAT('s-', n), CONCAT('user-', n), CONCAT('c-', n), 'p', 'active', n % 2, n, 0, CONCAT('d-', n), ${time}, '{}', '{}' FROM i WHERE n NOT IN (80)`,
    `kavach_polar_deliveries (id, type, state, event_at, received_at, updated_at, customer_id, record_id, user_id, attempts, body) ${numbers} SELECT CONCAT('d-', n), 'subscription.updated', IF(n % 100 = 0, 'unlinked', 'applied'), n, ${time}, ${time}, CONCAT('c-', n), CONCAT('s-', n), CONCAT('user-', n), 1, IF(n < 15000, NULL, '{}') FROM i`,
    `kavach_polar_notifications ${numbers} SELECT CONCAT('n-', n), CONCAT('s-', n), CONCAT('user-', n), n, 0, '{"id":"s","status":"active","productId":"p","currentPeriodEnd":null,"cancelAtPeriodEnd":false}', ${time}, IF(n % 4 = 0, 'pending', 'done'), 0, ${time}, NULL, NULL, ${time}, 'onSubscriptionChange', NULL FROM i`
  ]
  for (const insert of inserts) await query(`INSERT INTO ${insert}`)
  for (const table of [
    "users",
    "polar_customers",
    "polar_checkouts",
    "polar_records",
    "polar_deliveries",
    "polar_notifications"
  ]) {
    await query(`ANALYZE TABLE kavach_${table}`)
  }
}
