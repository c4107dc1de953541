/**
 * The store's tables, for apps that read them with drizzle. The store alone writes them.
 *
 * Times are text: ISO 8601 in UTC with milliseconds, which reads and sorts as it is. `eventAt` is the event's own
 * timestamp in epoch microseconds, because order is decided on it. The SQL with its indexes lies in `migrations`.
 */

import type { LinkSource } from "@kavach-polar/core/adapter/rows"
import type { DeliveryState } from "@kavach-polar/core/Delivery"
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core"

/** The inbox: one row for each delivery. */
export const deliveries = sqliteTable("kavach_polar_deliveries", {
  /** Polar's `webhook-id`. */
  id: text("id").primaryKey(),
  type: text("type").notNull(),
  state: text("state").$type<DeliveryState>().notNull(),
  eventAt: integer("event_at"),
  receivedAt: text("received_at").notNull(),
  updatedAt: text("updated_at").notNull(),
  customerId: text("customer_id"),
  subscriptionId: text("subscription_id"),
  userId: text("user_id"),
  attempts: integer("attempts").notNull(),
  lastError: text("last_error"),
  /** As Polar sent it; `null` once it was pruned. */
  body: text("body")
})

/** The newest known state of every subscription. */
export const subscriptions = sqliteTable("kavach_polar_subscriptions", {
  id: text("id").primaryKey(),
  /** `null` until it is known whose it is. */
  userId: text("user_id"),
  customerId: text("customer_id").notNull(),
  organizationId: text("organization_id"),
  productId: text("product_id").notNull(),
  status: text("status").notNull(),
  live: integer("live", { mode: "boolean" }).notNull(),
  currentPeriodEnd: text("current_period_end"),
  cancelAtPeriodEnd: integer("cancel_at_period_end", { mode: "boolean" }).notNull(),
  eventAt: integer("event_at").notNull(),
  precedence: integer("precedence").notNull(),
  /** The delivery that brought this state. */
  deliveryId: text("delivery_id").notNull(),
  updatedAt: text("updated_at").notNull(),
  /** The whole subscription, as JSON. */
  data: text("data").notNull()
})

/** Links: whose customer it is. */
export const customers = sqliteTable("kavach_polar_customers", {
  customerId: text("customer_id").primaryKey(),
  userId: text("user_id").notNull(),
  linkedBy: text("linked_by").$type<LinkSource>().notNull(),
  linkedAt: text("linked_at").notNull(),
  deletedAt: text("deleted_at")
})

/** Checkouts that were made for a user. */
export const checkouts = sqliteTable("kavach_polar_checkouts", {
  id: text("id").primaryKey(),
  userId: text("user_id").notNull(),
  productId: text("product_id").notNull(),
  createdAt: text("created_at").notNull()
})

/** The outbox: queued calls of the app's callback. */
export const notifications = sqliteTable("kavach_polar_notifications", {
  id: text("id").primaryKey(),
  subscriptionId: text("subscription_id").notNull(),
  userId: text("user_id").notNull(),
  eventAt: integer("event_at").notNull(),
  precedence: integer("precedence").notNull(),
  /** What the callback is given, as JSON. */
  payload: text("payload").notNull(),
  createdAt: text("created_at").notNull(),
  /** `dead`: given up, with `lastError`. */
  state: text("state").$type<"pending" | "done" | "dead">().notNull(),
  attempts: integer("attempts").notNull(),
  /** Not before this time; while somebody holds the lease, its end. */
  availableAt: text("available_at").notNull(),
  leaseOwner: text("lease_owner"),
  lastError: text("last_error"),
  updatedAt: text("updated_at").notNull()
})

/** Jobs that one process does at a time. */
export const jobs = sqliteTable("kavach_polar_jobs", {
  name: text("name").primaryKey(),
  owner: text("owner"),
  leaseUntil: text("lease_until"),
  /** Where it stands, as JSON; `null` when it is not under way. */
  position: text("position"),
  startedAt: text("started_at").notNull(),
  updatedAt: text("updated_at").notNull(),
  /** When it was last done to the end, and what it reported then, as JSON. */
  finishedAt: text("finished_at"),
  report: text("report")
})

/** Which migrations this database has had. */
export const migrations = sqliteTable("kavach_polar_migrations", {
  version: integer("version").primaryKey(),
  name: text("name").notNull(),
  /** SHA-256 of the migration's SQL, in hexadecimal. */
  checksum: text("checksum").notNull(),
  appliedAt: text("applied_at").notNull()
})
