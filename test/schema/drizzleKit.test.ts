/** What drizzle-kit makes of the exported schema: an app that pushes it changes nothing of the store's. */
import { SqliteStore, schema } from "@kavach-polar/adapter-sqlite"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import type { BillingStoreService } from "@kavach-polar/core/BillingStore"
import { newScene, otherDelivery, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import Database from "better-sqlite3"
import { pushSQLiteSchema } from "drizzle-kit/api"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { migrate } from "drizzle-orm/better-sqlite3/migrator"
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core"
import * as Effect from "effect/Effect"
import { expect, test } from "vitest"
import { generate } from "./kitMigrations.ts"

/** The app's own table, which an app has in its schema. */
const users = sqliteTable("kavach_users", {
  id: text("id").primaryKey(),
  email: text("email").notNull(),
  name: text("name"),
  polarCustomerId: text("polar_customer_id"),
  polarSubscriptionId: text("polar_subscription_id"),
  polarSubscriptionStatus: text("polar_subscription_status"),
  polarProductId: text("polar_product_id"),
  polarCurrentPeriodEnd: integer("polar_current_period_end"),
  polarCancelAtPeriodEnd: integer("polar_cancel_at_period_end").notNull().default(0)
})

const open = () => {
  const client = new Database(":memory:")
  const db = drizzle(client)
  return { client, db, store: SqliteStore.make(db) }
}

const push = async (db: ReturnType<typeof open>["db"]): Promise<ReadonlyArray<string>> => {
  // Its types want a database of another driver's.
  const other = db as unknown as Parameters<typeof pushSQLiteSchema>[1]
  return (await pushSQLiteSchema({ ...schema, users }, other)).statementsToExecute
}

const deliver = (store: BillingStoreService) => {
  const scene = newScene()
  return Effect.runPromise(
    Effect.map(
      store.applyDeliveries(
        [subscriptionDelivery(scene, "active", { externalId: "usr_1" }), otherDelivery("order.paid")],
        defaultPolicy
      ),
      (outcomes) => outcomes.map(({ state }) => state)
    )
  )
}

test("pushing the schema to a database that the store has migrated changes nothing", async () => {
  const { client, db, store } = open()
  // As the app has made it before.
  client.exec(`CREATE TABLE kavach_users (id TEXT PRIMARY KEY NOT NULL, email TEXT NOT NULL, name TEXT,
    polar_customer_id TEXT, polar_subscription_id TEXT, polar_subscription_status TEXT, polar_product_id TEXT,
    polar_current_period_end INTEGER, polar_cancel_at_period_end INTEGER DEFAULT 0 NOT NULL)`)
  await Effect.runPromise(store.migrate)
  client.exec("DROP INDEX kavach_users_polar_customer_id")
  expect(await push(db)).toEqual([])
})

test("tables that drizzle-kit made of the schema are the store's, and deliveries are kept in them", async () => {
  const { client, db, store } = open()
  for (const statement of await push(db)) client.exec(statement)
  expect(client.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'kavach_polar_records'").get()).toEqual({
    n: 1
  })
  await Effect.runPromise(store.migrate)
  expect(await deliver(store)).toEqual(["applied", expect.stringMatching(/applied|unlinked/)])
  expect((await push(db)).filter((statement) => /kavach_polar_/.test(statement))).toEqual([])
})

test("tables that drizzle-kit has generated and the app has migrated are the store's", async () => {
  const { client, db, store } = open()
  const folder = await generate("sqlite", { ...schema, users })
  try {
    migrate(db, { migrationsFolder: folder.path })
    await Effect.runPromise(store.migrate)
    expect(await deliver(store)).toEqual(["applied", expect.stringMatching(/applied|unlinked/)])
    expect(client.prepare("SELECT count(*) AS n FROM kavach_polar_subscriptions").get()).toEqual({ n: 1 })
    expect((await push(db)).filter((statement) => /kavach_polar_/.test(statement))).toEqual([])
    // The app's next start changes nothing, in either order.
    migrate(db, { migrationsFolder: folder.path })
    expect(await Effect.runPromise(store.migrate)).toMatchObject({ applied: [] })
  } finally {
    folder.remove()
  }
})
