/** What `drizzle-kit push` makes of the exported schemas on the servers: nothing, where the store has made its tables. */
import { expect, it } from "@effect/vitest"
import { MysqlStore, schema as mysqlSchema } from "@kavach-polar/adapter-mysql"
import { PostgresStore, schema as postgresSchema } from "@kavach-polar/adapter-postgres"
import { BillingStore, type BillingStoreService } from "@kavach-polar/core/BillingStore"
import { pushMySQLSchema, pushSchema } from "drizzle-kit/api"
import { drizzle as drizzleMysql } from "drizzle-orm/mysql2"
import { drizzle as drizzlePostgres } from "drizzle-orm/node-postgres"
import { Context, Effect, Layer } from "effect"
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
