/** The usual handler's two tables, and what it does to them, on each database. */
import Database from "better-sqlite3"
import { eq } from "drizzle-orm"
import { drizzle as drizzleSqlite } from "drizzle-orm/better-sqlite3"
import * as my from "drizzle-orm/mysql-core"
import { drizzle as drizzleMysql } from "drizzle-orm/mysql2"
import { drizzle as drizzlePostgres } from "drizzle-orm/node-postgres"
import * as pg from "drizzle-orm/pg-core"
import * as lite from "drizzle-orm/sqlite-core"
import mysql from "mysql2"
import postgres from "pg"
import type { PolarEvent } from "./PolarEvent.ts"
import type { UsualStore } from "./usual.ts"

/** Makes the table of subscriptions; the users' is there. */
export const usualTableSql = {
  sqlite: `CREATE TABLE subscriptions (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, customer_id TEXT NOT NULL,
    product_id TEXT NOT NULL, status TEXT NOT NULL, current_period_end TEXT, cancel_at_period_end INTEGER NOT NULL)`,
  postgres: `CREATE TABLE subscriptions (id text PRIMARY KEY, user_id text NOT NULL, customer_id text NOT NULL,
    product_id text NOT NULL, status text NOT NULL, current_period_end timestamptz, cancel_at_period_end boolean NOT NULL)`,
  mysql: `CREATE TABLE subscriptions (id VARCHAR(64) PRIMARY KEY, user_id VARCHAR(64) NOT NULL,
    customer_id VARCHAR(64) NOT NULL, product_id VARCHAR(64) NOT NULL, status VARCHAR(32) NOT NULL,
    current_period_end DATETIME(3), cancel_at_period_end BOOLEAN NOT NULL)`
} as const

const rowOf = ({ data }: PolarEvent) => ({
  userId: data.customer.external_id,
  customerId: data.customer_id,
  productId: data.product_id,
  status: data.status,
  cancelAtPeriodEnd: data.cancel_at_period_end
})

const userOf = ({ data }: PolarEvent) => ({
  polarCustomerId: data.customer_id,
  polarSubscriptionId: data.id,
  polarSubscriptionStatus: data.status
})

export const openSqlite = (filename: string): UsualStore => {
  const client = new Database(filename, { timeout: 5000 })
  client.pragma("journal_mode = WAL")
  client.pragma("synchronous = FULL")
  const db = drizzleSqlite(client)
  const subscriptions = lite.sqliteTable("subscriptions", {
    id: lite.text("id").primaryKey(),
    userId: lite.text("user_id").notNull(),
    customerId: lite.text("customer_id").notNull(),
    productId: lite.text("product_id").notNull(),
    status: lite.text("status").notNull(),
    currentPeriodEnd: lite.text("current_period_end"),
    cancelAtPeriodEnd: lite.integer("cancel_at_period_end", { mode: "boolean" }).notNull()
  })
  const users = lite.sqliteTable("kavach_users", {
    id: lite.text("id").primaryKey(),
    polarCustomerId: lite.text("polar_customer_id"),
    polarSubscriptionId: lite.text("polar_subscription_id"),
    polarSubscriptionStatus: lite.text("polar_subscription_status")
  })
  return {
    apply: async (event) => {
      const { id, current_period_end: currentPeriodEnd } = event.data
      const row = { ...rowOf(event), currentPeriodEnd }
      const [existing] = await db.select().from(subscriptions).where(eq(subscriptions.id, id))
      if (existing === undefined)
        await db
          .insert(subscriptions)
          .values({ id, ...row })
          .onConflictDoNothing()
      else await db.update(subscriptions).set(row).where(eq(subscriptions.id, id))
      await db.update(users).set(userOf(event)).where(eq(users.id, row.userId))
    },
    close: async () => {
      client.close()
    }
  }
}

const dateOf = (text: string | null): Date | null => (text === null ? null : new Date(text))

export const openPostgres = (url: string): UsualStore => {
  const pool = new postgres.Pool({ connectionString: url, max: 10 })
  const db = drizzlePostgres(pool)
  const subscriptions = pg.pgTable("subscriptions", {
    id: pg.text("id").primaryKey(),
    userId: pg.text("user_id").notNull(),
    customerId: pg.text("customer_id").notNull(),
    productId: pg.text("product_id").notNull(),
    status: pg.text("status").notNull(),
    currentPeriodEnd: pg.timestamp("current_period_end", { withTimezone: true }),
    cancelAtPeriodEnd: pg.boolean("cancel_at_period_end").notNull()
  })
  const users = pg.pgTable("kavach_users", {
    id: pg.text("id").primaryKey(),
    polarCustomerId: pg.text("polar_customer_id"),
    polarSubscriptionId: pg.text("polar_subscription_id"),
    polarSubscriptionStatus: pg.text("polar_subscription_status")
  })
  return {
    apply: async (event) => {
      const { id } = event.data
      const row = { ...rowOf(event), currentPeriodEnd: dateOf(event.data.current_period_end) }
      const [existing] = await db.select().from(subscriptions).where(eq(subscriptions.id, id))
      if (existing === undefined)
        await db
          .insert(subscriptions)
          .values({ id, ...row })
          .onConflictDoNothing()
      else await db.update(subscriptions).set(row).where(eq(subscriptions.id, id))
      await db.update(users).set(userOf(event)).where(eq(users.id, row.userId))
    },
    close: () => pool.end()
  }
}

export const openMysql = (url: string): UsualStore => {
  const pool = mysql.createPool({ uri: url, connectionLimit: 10, timezone: "Z" })
  const db = drizzleMysql(pool)
  const subscriptions = my.mysqlTable("subscriptions", {
    id: my.varchar("id", { length: 64 }).primaryKey(),
    userId: my.varchar("user_id", { length: 64 }).notNull(),
    customerId: my.varchar("customer_id", { length: 64 }).notNull(),
    productId: my.varchar("product_id", { length: 64 }).notNull(),
    status: my.varchar("status", { length: 32 }).notNull(),
    currentPeriodEnd: my.datetime("current_period_end", { fsp: 3 }),
    cancelAtPeriodEnd: my.boolean("cancel_at_period_end").notNull()
  })
  const users = my.mysqlTable("kavach_users", {
    id: my.varchar("id", { length: 255 }).primaryKey(),
    polarCustomerId: my.varchar("polar_customer_id", { length: 64 }),
    polarSubscriptionId: my.text("polar_subscription_id"),
    polarSubscriptionStatus: my.text("polar_subscription_status")
  })
  return {
    apply: async (event) => {
      const { id } = event.data
      const row = { ...rowOf(event), currentPeriodEnd: dateOf(event.data.current_period_end) }
      const [existing] = await db.select().from(subscriptions).where(eq(subscriptions.id, id))
      if (existing === undefined)
        await db
          .insert(subscriptions)
          .ignore()
          .values({ id, ...row })
      else await db.update(subscriptions).set(row).where(eq(subscriptions.id, id))
      await db.update(users).set(userOf(event)).where(eq(users.id, row.userId))
    },
    close: () => new Promise((resolve) => pool.end(() => resolve()))
  }
}
