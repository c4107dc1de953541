/**
 * The store's tables, for apps that read them with drizzle. The store alone writes them.
 *
 * `eventAt` is the event's own timestamp in epoch microseconds, because order is decided on it. Ids are collated "C" in
 * the database. The SQL with its indexes lies in `migrations`.
 */

import type { LinkSource } from "@kavach-polar/core/adapter/rows"
import type { DeliveryState } from "@kavach-polar/core/Delivery"
import { bigint, boolean, integer, pgTable, text, timestamp } from "drizzle-orm/pg-core"

/** `timestamptz(3)`: what a `Date` holds, exactly. */
const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" })

/** `bigint` as a number: the values are safe integers. */
const safeInteger = (name: string) => bigint(name, { mode: "number" })

/** The inbox: one row for each delivery. */
export const deliveries = pgTable("kavach_polar_deliveries", {
  /** Polar's `webhook-id`. */
  id: text("id").primaryKey(),
  type: text("type").notNull(),
  state: text("state").$type<DeliveryState>().notNull(),
  eventAt: safeInteger("event_at"),
  receivedAt: time("received_at").notNull(),
  updatedAt: time("updated_at").notNull(),
  customerId: text("customer_id"),
  subscriptionId: text("subscription_id"),
  userId: text("user_id"),
  attempts: integer("attempts").notNull(),
  lastError: text("last_error"),
  /** As Polar sent it; `null` once it was pruned. */
  body: text("body")
})

/** The newest known state of every subscription. */
export const subscriptions = pgTable("kavach_polar_subscriptions", {
  id: text("id").primaryKey(),
  /** `null` until it is known whose it is. */
  userId: text("user_id"),
  customerId: text("customer_id").notNull(),
  organizationId: text("organization_id"),
  productId: text("product_id").notNull(),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  currentPeriodEnd: time("current_period_end"),
  cancelAtPeriodEnd: boolean("cancel_at_period_end").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  /** The delivery that brought this state. */
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  /** The whole subscription, as JSON. */
  data: text("data").notNull()
})

/** Links: whose customer it is. */
export const customers = pgTable("kavach_polar_customers", {
  customerId: text("customer_id").primaryKey(),
  userId: text("user_id").notNull(),
  linkedBy: text("linked_by").$type<LinkSource>().notNull(),
  linkedAt: time("linked_at").notNull(),
  deletedAt: time("deleted_at")
})

/** Checkouts that were made for a user. */
export const checkouts = pgTable("kavach_polar_checkouts", {
  id: text("id").primaryKey(),
  userId: text("user_id").notNull(),
  productId: text("product_id").notNull(),
  createdAt: time("created_at").notNull()
})

/** The outbox: queued calls of the app's callback. */
export const notifications = pgTable("kavach_polar_notifications", {
  id: text("id").primaryKey(),
  subscriptionId: text("subscription_id").notNull(),
  userId: text("user_id").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  /** What the callback is given, as JSON. */
  payload: text("payload").notNull(),
  createdAt: time("created_at").notNull(),
  /** `dead`: given up, with `lastError`. */
  state: text("state").$type<"pending" | "done" | "dead">().notNull(),
  attempts: integer("attempts").notNull(),
  /** Not before this time; while somebody holds the lease, its end. */
  availableAt: time("available_at").notNull(),
  leaseOwner: text("lease_owner"),
  lastError: text("last_error"),
  updatedAt: time("updated_at").notNull()
})

/** Jobs that one process does at a time. */
export const jobs = pgTable("kavach_polar_jobs", {
  name: text("name").primaryKey(),
  owner: text("owner"),
  leaseUntil: time("lease_until"),
  /** Where it stands, as JSON; `null` when it is not under way. */
  position: text("position"),
  startedAt: time("started_at").notNull(),
  updatedAt: time("updated_at").notNull(),
  /** When it was last done to the end, and what it reported then, as JSON. */
  finishedAt: time("finished_at"),
  report: text("report")
})

/** Which migrations this database has had. */
export const migrations = pgTable("kavach_polar_migrations", {
  version: integer("version").primaryKey(),
  name: text("name").notNull(),
  /** SHA-256 of the migration's SQL, in hexadecimal. */
  checksum: text("checksum").notNull(),
  appliedAt: time("applied_at").notNull()
})
