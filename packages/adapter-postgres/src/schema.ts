/**
 * The store's tables and views, for apps that read them with drizzle. The store alone writes them, and its migrations make
 * them.
 *
 * `eventAt` is the event's own timestamp in epoch microseconds, because order is decided on it. Ids are collated "C" in
 * the database, which drizzle cannot say.
 */

import type { LinkSource } from "@kavach-polar/core/adapter/rows"
import type { DeliveryState } from "@kavach-polar/core/Delivery"
import { sql } from "drizzle-orm"
import { bigint, boolean, index, integer, pgTable, pgView, primaryKey, text, timestamp } from "drizzle-orm/pg-core"

/** `timestamptz(3)`: what a `Date` holds, exactly. */
const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" })

/** `bigint` as a number: the values are safe integers. */
const safeInteger = (name: string) => bigint(name, { mode: "number" })

/** The inbox: one row for each delivery. */
export const deliveries = pgTable(
  "kavach_polar_deliveries",
  {
    /** Polar's `webhook-id`. */
    id: text("id").primaryKey(),
    type: text("type").notNull(),
    state: text("state").$type<DeliveryState>().notNull(),
    eventAt: safeInteger("event_at"),
    receivedAt: time("received_at").notNull(),
    updatedAt: time("updated_at").notNull(),
    customerId: text("customer_id"),
    /** The record that it is about. */
    recordId: text("record_id"),
    userId: text("user_id"),
    attempts: integer("attempts").notNull(),
    lastError: text("last_error"),
    /** As Polar sent it; `null` once it was pruned. */
    body: text("body"),
    recordKind: text("record_kind")
  },
  (table) => [
    index("kavach_polar_deliveries_received_at").on(table.receivedAt.desc().nullsFirst(), table.id),
    index("kavach_polar_deliveries_with_body")
      .on(table.receivedAt, table.id)
      .where(sql`body IS NOT NULL AND received_at IS NOT NULL`),
    index("kavach_polar_deliveries_unlinked_customer")
      .on(table.customerId)
      .where(sql`state = 'unlinked' AND customer_id IS NOT NULL`),
    index("kavach_polar_deliveries_unlinked_record")
      .on(table.recordId)
      .where(sql`state = 'unlinked' AND record_id IS NOT NULL`)
  ]
)

const recordColumns = {
  id: text("id").notNull(),
  /** `null` until it is known whose it is. */
  userId: text("user_id"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  /** Whether it may still give its user something. */
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  /** The delivery that brought this state. */
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  /** All that is kept of it, as JSON. */
  data: text("data").notNull()
}

/** What a record hangs on, beside its product. */
const parents = { subscriptionId: text("subscription_id"), orderId: text("order_id") }

/** The newest known state of each of Polar's objects. The views of each kind are easier to read. */
export const records = pgTable(
  "kavach_polar_records",
  {
    kind: text("kind").notNull(),
    ...recordColumns,
    ...parents,
    benefitId: text("benefit_id"),
    /** When it ends by itself, if that is known. */
    endsAt: time("ends_at"),
    /** The few fields that decisions need, as JSON. */
    summary: text("summary").notNull()
  },
  (table) => [
    primaryKey({ name: "kavach_polar_records_pkey", columns: [table.kind, table.id] }),
    index("kavach_polar_records_user").on(table.userId, table.kind, table.id),
    index("kavach_polar_records_unlinked").on(table.customerId).where(sql`user_id IS NULL AND customer_id IS NOT NULL`)
  ]
)

export const subscriptions = pgView("kavach_polar_subscriptions", {
  ...recordColumns,
  currentPeriodEnd: time("current_period_end"),
  cancelAtPeriodEnd: boolean("cancel_at_period_end")
}).existing()

export const orders = pgView("kavach_polar_orders", {
  ...recordColumns,
  ...parents,
  billingReason: text("billing_reason"),
  currency: text("currency"),
  subtotalAmount: safeInteger("subtotal_amount"),
  discountAmount: safeInteger("discount_amount"),
  netAmount: safeInteger("net_amount"),
  taxAmount: safeInteger("tax_amount"),
  totalAmount: safeInteger("total_amount"),
  refundedAmount: safeInteger("refunded_amount"),
  refundedTaxAmount: safeInteger("refunded_tax_amount"),
  invoiceNumber: text("invoice_number"),
  createdAt: time("created_at")
}).existing()

export const refunds = pgView("kavach_polar_refunds", {
  ...recordColumns,
  ...parents,
  reason: text("reason"),
  amount: safeInteger("amount"),
  taxAmount: safeInteger("tax_amount"),
  currency: text("currency"),
  revokeBenefits: boolean("revoke_benefits"),
  createdAt: time("created_at")
}).existing()

/** Links: whose customer it is. */
export const customers = pgTable(
  "kavach_polar_customers",
  {
    customerId: text("customer_id").primaryKey(),
    userId: text("user_id").notNull(),
    linkedBy: text("linked_by").$type<LinkSource>().notNull(),
    linkedAt: time("linked_at").notNull(),
    deletedAt: time("deleted_at")
  },
  (table) => [index("kavach_polar_customers_user").on(table.userId, table.linkedAt)]
)

/** Checkouts that were made for a user. */
export const checkouts = pgTable(
  "kavach_polar_checkouts",
  {
    id: text("id").primaryKey(),
    userId: text("user_id").notNull(),
    productId: text("product_id").notNull(),
    createdAt: time("created_at").notNull()
  },
  (table) => [index("kavach_polar_checkouts_user").on(table.userId)]
)

/** The outbox: queued calls of the app's code. */
export const notifications = pgTable(
  "kavach_polar_notifications",
  {
    id: text("id").primaryKey(),
    /** What is told in order: the record's id. */
    subject: text("subject").notNull(),
    userId: text("user_id").notNull(),
    eventAt: safeInteger("event_at").notNull(),
    precedence: safeInteger("precedence").notNull(),
    /** What the app is given, as JSON. */
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
  },
  (table) => [
    index("kavach_polar_notifications_pending_subject")
      .on(table.subject, table.eventAt, table.precedence)
      .where(sql`state = 'pending' AND subject IS NOT NULL`),
    index("kavach_polar_notifications_pending_due")
      .on(table.availableAt, table.id)
      .where(sql`state = 'pending' AND available_at IS NOT NULL`)
  ]
)

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
  appliedAt: time("applied_at").notNull(),
  /** The earliest migration that a program has to know to work on this database. */
  requires: integer("requires").notNull().default(4)
})
