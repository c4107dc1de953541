/**
 * drizzle-kit on the servers: `push` changes nothing where the store has made its tables, and tables that `generate` and the app's
 * own migrations have made become the store's.
 */
import { expect, it } from "@effect/vitest"
import { MysqlStore, schema as mysqlSchema } from "@kavach-polar/adapter-mysql"
import { PostgresStore, schema as postgresSchema } from "@kavach-polar/adapter-postgres"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { BillingStore, type BillingStoreService } from "@kavach-polar/core/BillingStore"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import { pushMySQLSchema, pushSchema } from "drizzle-kit/api"
import { drizzle as drizzleMysql } from "drizzle-orm/mysql2"
import { migrate as migrateMysql } from "drizzle-orm/mysql2/migrator"
import { drizzle as drizzlePostgres } from "drizzle-orm/node-postgres"
import { migrate as migratePostgres } from "drizzle-orm/node-postgres/migrator"
import { Context, Duration, Effect, Layer } from "effect"
import { type Folder, generate } from "../schema/kitMigrations.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import { temporaryDatabase, temporaryPool } from "../store/MysqlHarness.ts"
import { newDatabase, newPool } from "../store/PostgresHarness.ts"

const storeOf = <E>(layer: Layer.Layer<BillingStore, E>) =>
  Effect.map(Layer.build(layer), (context): BillingStoreService => Context.get(context, BillingStore))

const postgres = serverUrl("postgres")

it.scoped.skipIf(postgres === undefined)("PostgreSQL: pushing changes no table of the store's, and drops none", () =>
  Effect.gen(function* () {
    const { url } = yield* newDatabase(postgres ?? "")
    const db = drizzlePostgres(yield* newPool(url))
    yield* (yield* storeOf(PostgresStore.fromDrizzle(db))).migrate
    const push = yield* Effect.promise(() => pushSchema({ ...postgresSchema }, db, ["public"], ["kavach_polar_*"]))
    expect(push.statementsToExecute).toEqual([])
  })
)

// Not on MariaDB: drizzle-kit gives up while it reads what constraints there are, whatever the schema.
const mysql = serverUrl("mysql")

it.scoped.skipIf(mysql === undefined)("MySQL: pushing changes no table of the store's, and drops none", () =>
  Effect.gen(function* () {
    const { name, url } = yield* temporaryDatabase(mysql ?? "")
    const db = drizzleMysql(yield* temporaryPool({ uri: url }))
    yield* (yield* storeOf(MysqlStore.fromDrizzle(db))).migrate
    const push = yield* Effect.promise(() => pushMySQLSchema({ ...mysqlSchema }, db, name))
    expect(push.statementsToExecute).toEqual([])
  })
)

const generated = (folder: Promise<Folder>) =>
  Effect.acquireRelease(
    Effect.promise(() => folder),
    ({ remove }) => Effect.sync(remove)
  )

/** Users and deliveries whose ids are one to a comparison that takes no notice of case or accents, and none to the store. */
const idsAreBytes = (store: BillingStoreService) =>
  Effect.gen(function* () {
    const names = ["b", "A", "a", "B", "\u00e4", "Z"]
    const ids = names.map((name) => `${name}-xxxxxxxx`)
    for (const name of names) {
      const delivery = subscriptionDelivery(newScene(), "active", {
        id: `${name}-xxxxxxxx`,
        externalId: `user ${name}`
      })
      const [outcome] = yield* store.applyDeliveries([delivery], defaultPolicy, { users: { externalIds: "trust" } })
      expect(outcome).toMatchObject({ state: "applied", userId: `user ${name}`, duplicate: false })
    }
    const listed = yield* store.deliveries({ ids })
    expect(listed.map(({ id }) => id)).toEqual([...ids].sort().reverse())
    for (const name of names) {
      expect(yield* store.subscriptionsOf(UserId.make(`user ${name}`), "all")).toHaveLength(1)
    }
    expect(
      (yield* store.claimNotifications({ owner: "a", limit: 50, lease: Duration.minutes(1) })).claimed
    ).toHaveLength(6)
  })

it.scopedLive.skipIf(postgres === undefined)("PostgreSQL: tables that drizzle-kit generated are the store's", () =>
  Effect.gen(function* () {
    const folder = yield* generated(generate("postgresql", { ...postgresSchema }))
    const onServer = yield* newDatabase(postgres ?? "")
    const [server] = yield* Effect.promise(() => onServer.query("SHOW server_version_num"))
    // Before that a database's collation is one of the server's machine, which may have none but C.
    const isDictionary = Number(server?.["server_version_num"]) >= 150000
    const collation = isDictionary ? "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'" : ""
    const { query, url } = yield* newDatabase(postgres ?? "", collation)
    const db = drizzlePostgres(yield* newPool(url))
    const migrate = Effect.promise(() => migratePostgres(db, { migrationsFolder: folder.path }))
    yield* migrate
    const store = yield* storeOf(PostgresStore.fromDrizzle(db))
    yield* store.migrate
    yield* idsAreBytes(store)
    // As those that the store makes.
    const columns = (read: typeof query) =>
      Effect.promise(() =>
        read(
          `SELECT table_name, column_name, collation_name FROM information_schema.columns JOIN pg_tables ON tablename = table_name
            WHERE table_name LIKE 'kavach_polar_%' AND table_schema = 'public' ORDER BY table_name, column_name`
        )
      )
    const made = yield* storeOf(PostgresStore.fromDrizzle(drizzlePostgres(yield* newPool(onServer.url))))
    yield* made.migrate
    expect(yield* columns(query)).toEqual(yield* columns(onServer.query))
    const views = yield* Effect.promise(() => query("SELECT status FROM kavach_polar_subscriptions"))
    expect(views).toHaveLength(6)
    const push = yield* Effect.promise(() => pushSchema({ ...postgresSchema }, db, ["public"], ["kavach_polar_*"]))
    expect(push.statementsToExecute).toEqual([])
    // And so they stay at the next start, in either order.
    yield* migrate
    expect(yield* store.migrate).toMatchObject({ applied: [] })
  })
)

for (const server of ["mysql", "mariadb"] as const) {
  const admin = serverUrl(server)

  it.scopedLive.skipIf(admin === undefined)(`${server}: tables that drizzle-kit generated are the store's`, () =>
    Effect.gen(function* () {
      const folder = yield* generated(generate("mysql", { ...mysqlSchema }))
      const { query, url } = yield* temporaryDatabase(admin ?? "")
      const db = drizzleMysql(yield* temporaryPool({ uri: url }))
      const migrate = Effect.promise(() => migrateMysql(db, { migrationsFolder: folder.path }))
      yield* migrate
      const store = yield* storeOf(MysqlStore.fromDrizzle(db))
      yield* store.migrate
      yield* idsAreBytes(store)
      const views = yield* Effect.promise(() => query("SELECT status FROM kavach_polar_subscriptions"))
      expect(views).toHaveLength(6)
      yield* migrate
      expect(yield* store.migrate).toMatchObject({ applied: [] })
    })
  )
}
