/** The two tables of KavachOS that billing comes near, in the host's column order; created anew as the host does. */
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core"

export const users = sqliteTable("kavach_users", {
  id: text("id").primaryKey(),
  email: text("email").notNull().unique(),
  name: text("name"),
  metadata: text("metadata", { mode: "json" }),
  createdAt: integer("created_at", { mode: "timestamp" }).notNull(),
  updatedAt: integer("updated_at", { mode: "timestamp" }).notNull()
})

export const sessions = sqliteTable("kavach_sessions", {
  id: text("id").primaryKey(),
  userId: text("user_id").notNull(),
  expiresAt: integer("expires_at", { mode: "timestamp" }).notNull(),
  metadata: text("metadata", { mode: "json" }),
  createdAt: integer("created_at", { mode: "timestamp" }).notNull()
})

export const createTables: ReadonlyArray<string> = [
  `CREATE TABLE IF NOT EXISTS kavach_users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    username TEXT UNIQUE,
    name TEXT,
    external_id TEXT,
    external_provider TEXT,
    metadata TEXT,
    banned INTEGER NOT NULL DEFAULT 0,
    ban_reason TEXT,
    ban_expires_at INTEGER,
    force_password_reset INTEGER NOT NULL DEFAULT 0,
    email_verified INTEGER NOT NULL DEFAULT 0,
    stripe_customer_id TEXT UNIQUE,
    stripe_subscription_id TEXT,
    stripe_subscription_status TEXT,
    stripe_price_id TEXT,
    stripe_current_period_end INTEGER,
    stripe_cancel_at_period_end INTEGER NOT NULL DEFAULT 0,
    polar_customer_id TEXT UNIQUE,
    polar_subscription_id TEXT,
    polar_subscription_status TEXT,
    polar_product_id TEXT,
    polar_current_period_end INTEGER,
    polar_cancel_at_period_end INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  )`,
  `CREATE TABLE IF NOT EXISTS kavach_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES kavach_users(id),
    expires_at INTEGER NOT NULL,
    metadata TEXT,
    created_at INTEGER NOT NULL
  )`
]
