/**
 * The store's tables, for apps that read them with drizzle. The store alone writes them.
 *
 * Times are text here and DATETIME(6) in UTC there, so that no time zone of a pool or a session matters. `eventAt` is
 * the event's own timestamp in epoch microseconds, because order is decided on it. The SQL with its indexes and
 * collations lies in `migrations`.
 */

import type { LinkSource } from "@kavach-polar/core/adapter/rows"
import type { DeliveryState } from "@kavach-polar/core/Delivery"
import { bigint, boolean, datetime, int, longtext, mediumtext, mysqlTable, text, varchar } from "drizzle-orm/mysql-core"

/** An id of Polar's: of a customer, a subscription, a product, a checkout. */
const polarId = (name: string) => varchar(name, { length: 64 })
const userId = () => varchar("user_id", { length: 255 })
const time = (name: string) => datetime(name, { mode: "string", fsp: 6 })
const count = (name: string) => bigint(name, { mode: "number" })

/** The inbox: one row for each delivery. */
export const deliveries = mysqlTable("kavach_polar_deliveries", {
  /** Polar's `webhook-id`. */
  id: varchar("id", { length: 255 }).primaryKey(),
  type: varchar("type", { length: 255 }).notNull(),
  state: varchar("state", { length: 16 }).$type<DeliveryState>().notNull(),
  eventAt: count("event_at"),
  receivedAt: time("received_at").notNull(),
  updatedAt: time("updated_at").notNull(),
  customerId: polarId("customer_id"),
  subscriptionId: polarId("subscription_id"),
  userId: userId(),
  attempts: int("attempts").notNull(),
  lastError: mediumtext("last_error"),
  /** As Polar sent it; `null` once it was pruned. */
  body: longtext("body")
})

/** The newest known state of every subscription. */
export const subscriptions = mysqlTable("kavach_polar_subscriptions", {
  id: polarId("id").primaryKey(),
  /** `null` until it is known whose it is. */
  userId: userId(),
  customerId: polarId("customer_id").notNull(),
  organizationId: text("organization_id"),
  productId: polarId("product_id").notNull(),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  currentPeriodEnd: time("current_period_end"),
  cancelAtPeriodEnd: boolean("cancel_at_period_end").notNull(),
  eventAt: count("event_at").notNull(),
  precedence: count("precedence").notNull(),
  /** The delivery that brought this state. */
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  /** The whole subscription, as JSON. */
  data: longtext("data").notNull()
})

/** Links: whose customer it is. */
export const customers = mysqlTable("kavach_polar_customers", {
  customerId: polarId("customer_id").primaryKey(),
  userId: userId().notNull(),
  linkedBy: varchar("linked_by", { length: 16 }).$type<LinkSource>().notNull(),
  linkedAt: time("linked_at").notNull(),
  deletedAt: time("deleted_at")
})

/** Checkouts that were made for a user. */
export const checkouts = mysqlTable("kavach_polar_checkouts", {
  id: polarId("id").primaryKey(),
  userId: userId().notNull(),
  productId: polarId("product_id").notNull(),
  createdAt: time("created_at").notNull()
})

/** The outbox: queued calls of the app's callback. */
export const notifications = mysqlTable("kavach_polar_notifications", {
  id: varchar("id", { length: 128 }).primaryKey(),
  subscriptionId: polarId("subscription_id").notNull(),
  userId: userId().notNull(),
  eventAt: count("event_at").notNull(),
  precedence: count("precedence").notNull(),
  /** What the callback is given, as JSON. */
  payload: text("payload").notNull(),
  createdAt: time("created_at").notNull(),
  /** `dead`: given up, with `lastError`. */
  state: varchar("state", { length: 16 }).$type<"pending" | "done" | "dead">().notNull(),
  attempts: int("attempts").notNull(),
  /** Not before this time; while somebody holds the lease, its end. */
  availableAt: time("available_at").notNull(),
  leaseOwner: varchar("lease_owner", { length: 255 }),
  lastError: mediumtext("last_error"),
  updatedAt: time("updated_at").notNull()
})

/** Jobs that one process does at a time. */
export const jobs = mysqlTable("kavach_polar_jobs", {
  name: varchar("name", { length: 64 }).primaryKey(),
  owner: varchar("owner", { length: 255 }),
  leaseUntil: time("lease_until"),
  /** Where it stands, as JSON; `null` when it is not under way. */
  position: longtext("position"),
  startedAt: time("started_at").notNull(),
  updatedAt: time("updated_at").notNull(),
  /** When it was last done to the end, and what it reported then, as JSON. */
  finishedAt: time("finished_at"),
  report: longtext("report")
})

/** Which migrations this database has had. */
export const migrations = mysqlTable("kavach_polar_migrations", {
  version: int("version").primaryKey(),
  name: varchar("name", { length: 255 }).notNull(),
  /** SHA-256 of the migration's SQL, in hexadecimal. */
  checksum: varchar("checksum", { length: 64 }).notNull(),
  appliedAt: time("applied_at").notNull()
})
