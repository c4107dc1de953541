/**
 * The store's tables and views, for apps that read them with drizzle. The store alone writes them, and its migrations make
 * them.
 *
 * Times are text: ISO 8601 in UTC with milliseconds, which reads and sorts as it is. `eventAt` is the event's own
 * timestamp in epoch microseconds, because order is decided on it.
 */

import type { LinkSource } from "@kavach-polar/core/adapter/rows"
import type { DeliveryState } from "@kavach-polar/core/Delivery"
import { sql } from "drizzle-orm"
import { index, integer, primaryKey, sqliteTable, sqliteView, text } from "drizzle-orm/sqlite-core"

const flag = (name: string) => integer(name, { mode: "boolean" })

/** The inbox: one row for each delivery. */
export const deliveries = sqliteTable(
  "kavach_polar_deliveries",
  {
    /** Polar's `webhook-id`. */
    id: text("id").primaryKey(),
    type: text("type").notNull(),
    state: text("state").$type<DeliveryState>().notNull(),
    eventAt: integer("event_at"),
    receivedAt: text("received_at").notNull(),
    updatedAt: text("updated_at").notNull(),
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
    index("kavach_polar_deliveries_received_at").on(sql`received_at DESC`, table.id),
    index("kavach_polar_deliveries_with_body").on(table.receivedAt, table.id).where(sql`body IS NOT NULL`),
    index("kavach_polar_deliveries_unlinked_customer").on(table.customerId).where(sql`state = 'unlinked'`),
    index("kavach_polar_deliveries_unlinked_record").on(table.recordId).where(sql`state = 'unlinked'`)
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
  live: flag("live").notNull(),
  eventAt: integer("event_at").notNull(),
  precedence: integer("precedence").notNull(),
  /** The delivery that brought this state. */
  deliveryId: text("delivery_id").notNull(),
  updatedAt: text("updated_at").notNull(),
  /** All that is kept of it, as JSON. */
  data: text("data").notNull()
}

/** What a record hangs on, beside its product. */
const parents = { subscriptionId: text("subscription_id"), orderId: text("order_id") }

/** The newest known state of each of Polar's objects. The views of each kind are easier to read. */
export const records = sqliteTable(
  "kavach_polar_records",
  {
    kind: text("kind").notNull(),
    ...recordColumns,
    ...parents,
    benefitId: text("benefit_id"),
    /** When it ends by itself, if that is known. */
    endsAt: text("ends_at"),
    /** The few fields that decisions need, as JSON. */
    summary: text("summary").notNull()
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.id] }),
    index("kavach_polar_records_user").on(table.userId, table.kind, table.id),
    index("kavach_polar_records_unlinked").on(table.customerId).where(sql`user_id IS NULL`)
  ]
)

export const subscriptions = sqliteView("kavach_polar_subscriptions", {
  ...recordColumns,
  currentPeriodEnd: text("current_period_end"),
  cancelAtPeriodEnd: flag("cancel_at_period_end")
}).existing()

export const orders = sqliteView("kavach_polar_orders", {
  ...recordColumns,
  ...parents,
  billingReason: text("billing_reason"),
  currency: text("currency"),
  subtotalAmount: integer("subtotal_amount"),
  discountAmount: integer("discount_amount"),
  netAmount: integer("net_amount"),
  taxAmount: integer("tax_amount"),
  totalAmount: integer("total_amount"),
  refundedAmount: integer("refunded_amount"),
  refundedTaxAmount: integer("refunded_tax_amount"),
  invoiceNumber: text("invoice_number"),
  createdAt: text("created_at")
}).existing()

export const refunds = sqliteView("kavach_polar_refunds", {
  ...recordColumns,
  ...parents,
  reason: text("reason"),
  amount: integer("amount"),
  taxAmount: integer("tax_amount"),
  currency: text("currency"),
  revokeBenefits: flag("revoke_benefits"),
  createdAt: text("created_at")
}).existing()

/** Links: whose customer it is. */
export const customers = sqliteTable(
  "kavach_polar_customers",
  {
    customerId: text("customer_id").primaryKey(),
    userId: text("user_id").notNull(),
    linkedBy: text("linked_by").$type<LinkSource>().notNull(),
    linkedAt: text("linked_at").notNull(),
    deletedAt: text("deleted_at")
  },
  (table) => [index("kavach_polar_customers_user").on(table.userId, table.linkedAt)]
)

/** Checkouts that were made for a user. */
export const checkouts = sqliteTable(
  "kavach_polar_checkouts",
  {
    id: text("id").primaryKey(),
    userId: text("user_id").notNull(),
    productId: text("product_id").notNull(),
    createdAt: text("created_at").notNull()
  },
  (table) => [index("kavach_polar_checkouts_user").on(table.userId)]
)

/** The outbox: queued calls of the app's code. */
export const notifications = sqliteTable(
  "kavach_polar_notifications",
  {
    id: text("id").primaryKey(),
    /** What is told in order: the record's id. */
    subject: text("subject").notNull(),
    userId: text("user_id").notNull(),
    eventAt: integer("event_at").notNull(),
    precedence: integer("precedence").notNull(),
    /** What the app is given, as JSON. */
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
  },
  (table) => [
    index("kavach_polar_notifications_pending_subject")
      .on(table.subject, table.eventAt, table.precedence)
      .where(sql`state = 'pending'`),
    index("kavach_polar_notifications_pending_due").on(table.availableAt, table.id).where(sql`state = 'pending'`)
  ]
)

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
  appliedAt: text("applied_at").notNull(),
  /** The earliest migration that a program has to know to work on this database. */
  requires: integer("requires").notNull().default(4)
})
