/** `kavach_users` in the forms in which it is met. */

/** As KavachOS makes it. */
export const kavachUsers = `CREATE TABLE IF NOT EXISTS kavach_users (
  id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL UNIQUE, username TEXT UNIQUE, name TEXT, external_id TEXT,
  external_provider TEXT, metadata JSONB, banned BOOLEAN NOT NULL DEFAULT FALSE, ban_reason TEXT,
  ban_expires_at TIMESTAMPTZ, force_password_reset BOOLEAN NOT NULL DEFAULT FALSE,
  email_verified BOOLEAN NOT NULL DEFAULT FALSE, stripe_customer_id TEXT UNIQUE, stripe_subscription_id TEXT,
  stripe_subscription_status TEXT, stripe_price_id TEXT, stripe_current_period_end TIMESTAMPTZ,
  stripe_cancel_at_period_end BOOLEAN NOT NULL DEFAULT FALSE, polar_customer_id TEXT UNIQUE,
  polar_subscription_id TEXT, polar_subscription_status TEXT, polar_product_id TEXT,
  polar_current_period_end TIMESTAMPTZ, polar_cancel_at_period_end BOOLEAN NOT NULL DEFAULT FALSE,
  created_at TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL)`

/** As an older KavachOS made it, before there was a Polar plugin. */
export const kavachUsersBeforePolar = `CREATE TABLE kavach_users (
  id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL UNIQUE, username TEXT UNIQUE, name TEXT, metadata JSONB,
  created_at TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL)`

/** Made by hand, so that the host's own drizzle tables, which are SQLite's, can write it: whole seconds, 0 and 1. */
export const usersInSeconds = `CREATE TABLE kavach_users (
  id VARCHAR(255) NOT NULL PRIMARY KEY, email VARCHAR(255), name VARCHAR(255),
  polar_customer_id VARCHAR(64) UNIQUE, polar_subscription_id VARCHAR(64), polar_subscription_status VARCHAR(64),
  polar_product_id VARCHAR(64), polar_current_period_end BIGINT, polar_cancel_at_period_end INTEGER NOT NULL DEFAULT 0,
  created_at BIGINT, updated_at BIGINT)`

/** Made by hand, with times as text and no `updated_at` and no name. */
export const usersInText = `CREATE TABLE kavach_users (
  id TEXT PRIMARY KEY, email TEXT,
  polar_customer_id TEXT, polar_subscription_id TEXT, polar_subscription_status TEXT,
  polar_product_id TEXT, polar_current_period_end TEXT, polar_cancel_at_period_end SMALLINT NOT NULL DEFAULT 0)`

/** Ids that are UUIDs, 32-bit seconds, and a time without zone. */
export const usersWithUuids = `CREATE TABLE kavach_users (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), email TEXT,
  polar_customer_id TEXT, polar_subscription_id TEXT, polar_subscription_status TEXT,
  polar_product_id TEXT, polar_current_period_end INTEGER, polar_cancel_at_period_end BOOLEAN,
  updated_at TIMESTAMP(3))`
