/** `kavach_users` in the forms in which it is met. */

/** As KavachOS makes it. */
export const kavachUsers = `CREATE TABLE IF NOT EXISTS kavach_users (
  id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL UNIQUE, username TEXT UNIQUE, name TEXT, external_id TEXT,
  external_provider TEXT, metadata TEXT, banned INTEGER NOT NULL DEFAULT 0, ban_reason TEXT, ban_expires_at INTEGER,
  force_password_reset INTEGER NOT NULL DEFAULT 0, email_verified INTEGER NOT NULL DEFAULT 0,
  stripe_customer_id TEXT UNIQUE, stripe_subscription_id TEXT, stripe_subscription_status TEXT, stripe_price_id TEXT,
  stripe_current_period_end INTEGER, stripe_cancel_at_period_end INTEGER NOT NULL DEFAULT 0,
  polar_customer_id TEXT UNIQUE, polar_subscription_id TEXT, polar_subscription_status TEXT, polar_product_id TEXT,
  polar_current_period_end INTEGER, polar_cancel_at_period_end INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)`

/** As an older KavachOS made it, before there was a Polar plugin. */
export const kavachUsersBeforePolar = `CREATE TABLE kavach_users (
  id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL UNIQUE, username TEXT UNIQUE, name TEXT, metadata TEXT,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)`

/** Made by hand, with times as text and no `updated_at` and no name. */
export const handMadeUsers = `CREATE TABLE kavach_users (
  id VARCHAR(255) NOT NULL PRIMARY KEY, email TEXT,
  polar_customer_id VARCHAR(64), polar_subscription_id VARCHAR(64), polar_subscription_status VARCHAR(32),
  polar_product_id VARCHAR(64), polar_current_period_end TEXT, polar_cancel_at_period_end BOOLEAN NOT NULL DEFAULT 0)`
