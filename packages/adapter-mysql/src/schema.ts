/**
 * The store's tables and views, for apps that read them with drizzle. The store alone writes them.
 *
 * Times are text here and DATETIME(6) in UTC there, so that no time zone of a pool or a session matters. `eventAt` is the
 * event's own timestamp in epoch microseconds, because order is decided on it. drizzle knows no collations: the tables have
 * those that compare byte by byte, and are made by `BillingStore.migrate`.
 */
import type { LinkSource } from "@kavach-polar/core/adapter/rows"
import type { DeliveryState } from "@kavach-polar/core/Delivery"
import { desc, sql } from "drizzle-orm"
import {
  bigint,
  boolean,
  datetime,
  index,
  int,
  longtext,
  mediumtext,
  mysqlTable,
  mysqlView,
  primaryKey,
  varchar
} from "drizzle-orm/mysql-core"

const id = (name: string) => varchar(name, { length: 64 })
const key = (name: string) => varchar(name, { length: 255 })
const word = (name: string) => varchar(name, { length: 16 })
const time = (name: string) => datetime(name, { mode: "string", fsp: 6 })
const micros = (name: string) => bigint(name, { mode: "number" })

/** The inbox: one row for each delivery (an HTTP POST of Polar's), id = the header webhook-id. */
export const deliveries = mysqlTable(
  "kavach_polar_deliveries",
  {
    id: key("id").primaryKey(),
    type: key("type").notNull(),
    state: word("state").$type<DeliveryState>().notNull(),
    eventAt: micros("event_at"),
    receivedAt: time("received_at").notNull(),
    updatedAt: time("updated_at").notNull(),
    customerId: id("customer_id"),
    recordId: id("record_id"),
    userId: key("user_id"),
    attempts: int("attempts").notNull(),
    lastError: mediumtext("last_error"),
    /** As Polar sent it; `null` once it was pruned. */
    body: longtext("body"),
    recordKind: word("record_kind"),
    hasBody: boolean("has_body").generatedAlwaysAs(sql`body IS NOT NULL`, { mode: "stored" })
  },
  (table) => [
    index("kavach_polar_deliveries_received_at").on(desc(table.receivedAt), table.id),
    index("kavach_polar_deliveries_with_body").on(table.hasBody, table.receivedAt, table.id),
    index("kavach_polar_deliveries_unlinked_customer").on(table.customerId, table.state),
    index("kavach_polar_deliveries_unlinked_record").on(table.recordId, table.state)
  ]
)

/** The newest known state of each of Polar's objects. `eventAt`, then `precedence`, say which of two states is the newer. */
export const records = mysqlTable(
  "kavach_polar_records",
  {
    kind: word("kind").notNull(),
    id: id("id").notNull(),
    /** `null` while it is unlinked: nobody is known yet whose it is. */
    userId: key("user_id"),
    customerId: id("customer_id"),
    organizationId: key("organization_id"),
    productId: id("product_id"),
    subscriptionId: id("subscription_id"),
    orderId: id("order_id"),
    benefitId: id("benefit_id"),
    checkoutId: id("checkout_id"),
    status: id("status").notNull(),
    live: boolean("live").notNull(),
    endsAt: time("ends_at"),
    eventAt: micros("event_at").notNull(),
    precedence: micros("precedence").notNull(),
    /** The delivery that brought this state. */
    deliveryId: key("delivery_id").notNull(),
    updatedAt: time("updated_at").notNull(),
    /** The few fields that decisions need, as JSON. */
    summary: mediumtext("summary").notNull(),
    /** All that is kept of it, as JSON. */
    data: longtext("data").notNull()
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.id] }),
    index("kavach_polar_records_user").on(table.userId, table.kind, table.id),
    index("kavach_polar_records_unlinked").on(table.customerId, table.userId)
  ]
)

/** Links: whose customer it is. */
export const customers = mysqlTable(
  "kavach_polar_customers",
  {
    customerId: id("customer_id").primaryKey(),
    userId: key("user_id").notNull(),
    linkedBy: word("linked_by").$type<LinkSource>().notNull(),
    linkedAt: time("linked_at").notNull(),
    deletedAt: time("deleted_at")
  },
  (table) => [index("kavach_polar_customers_user").on(table.userId, table.linkedAt)]
)

/** Checkouts that were made for a user. */
export const checkouts = mysqlTable(
  "kavach_polar_checkouts",
  {
    id: id("id").primaryKey(),
    userId: key("user_id").notNull(),
    productId: id("product_id").notNull(),
    createdAt: time("created_at").notNull()
  },
  (table) => [index("kavach_polar_checkouts_user").on(table.userId)]
)

/** The outbox: queued calls of the app's code. */
export const notifications = mysqlTable(
  "kavach_polar_notifications",
  {
    id: key("id").primaryKey(),
    /** What is told in order: the record's id. */
    subject: id("subject").notNull(),
    userId: key("user_id").notNull(),
    eventAt: micros("event_at").notNull(),
    precedence: micros("precedence").notNull(),
    /** What the app is given, as JSON. */
    payload: mediumtext("payload").notNull(),
    createdAt: time("created_at").notNull(),
    /** `dead`: given up, with `lastError`. */
    state: word("state").$type<"pending" | "done" | "dead">().notNull(),
    attempts: int("attempts").notNull(),
    /** Not before this time; while somebody holds the lease, its end. */
    availableAt: time("available_at").notNull(),
    leaseOwner: key("lease_owner"),
    lastError: mediumtext("last_error"),
    updatedAt: time("updated_at").notNull()
  },
  (table) => [
    index("kavach_polar_notifications_pending_subject").on(table.subject, table.state, table.eventAt, table.precedence),
    index("kavach_polar_notifications_pending_due").on(table.state, table.availableAt, table.id)
  ]
)

/** Jobs that one process does at a time. */
export const jobs = mysqlTable("kavach_polar_jobs", {
  name: id("name").primaryKey(),
  owner: key("owner"),
  leaseUntil: time("lease_until"),
  /** Where it stands, as JSON; `null` when it is not under way. */
  position: longtext("position"),
  startedAt: time("started_at").notNull(),
  updatedAt: time("updated_at").notNull(),
  /** When it was last done to the end, and what it reported, as JSON. */
  finishedAt: time("finished_at"),
  report: longtext("report")
})

/** Rows that are locked in place of ids. They hold nothing, and must all be there. */
export const locks = mysqlTable("kavach_polar_locks", { id: int("id").primaryKey() })

/** Which migrations this database has had. */
export const migrations = mysqlTable("kavach_polar_migrations", {
  version: int("version").primaryKey(),
  name: key("name").notNull(),
  /** SHA-256 of the migration's SQL, in hexadecimal. */
  checksum: id("checksum").notNull(),
  appliedAt: time("applied_at").notNull(),
  /** The earliest migration that a program has to know to work here. */
  requires: int("requires").notNull().default(4)
})

const owner = () => ({
  id: id("id").notNull(),
  userId: key("user_id"),
  customerId: id("customer_id"),
  organizationId: key("organization_id"),
  productId: id("product_id")
})
const purchase = () => ({ subscriptionId: id("subscription_id"), orderId: id("order_id") })
const state = () => ({
  checkoutId: id("checkout_id"),
  status: id("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: micros("event_at").notNull(),
  precedence: micros("precedence").notNull(),
  deliveryId: key("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull()
})

/** The records of one kind, with columns for what people ask of them. */
export const subscriptions = mysqlView("kavach_polar_subscriptions", {
  ...owner(),
  ...state(),
  currentPeriodEnd: time("current_period_end"),
  cancelAtPeriodEnd: boolean("cancel_at_period_end")
}).existing()

export const orders = mysqlView("kavach_polar_orders", {
  ...owner(),
  ...purchase(),
  ...state(),
  billingReason: longtext("billing_reason"),
  currency: longtext("currency"),
  subtotalAmount: micros("subtotal_amount"),
  discountAmount: micros("discount_amount"),
  netAmount: micros("net_amount"),
  taxAmount: micros("tax_amount"),
  totalAmount: micros("total_amount"),
  refundedAmount: micros("refunded_amount"),
  refundedTaxAmount: micros("refunded_tax_amount"),
  invoiceNumber: longtext("invoice_number"),
  createdAt: time("created_at")
}).existing()

export const refunds = mysqlView("kavach_polar_refunds", {
  ...owner(),
  ...purchase(),
  ...state(),
  reason: longtext("reason"),
  amount: micros("amount"),
  taxAmount: micros("tax_amount"),
  currency: longtext("currency"),
  revokeBenefits: boolean("revoke_benefits"),
  createdAt: time("created_at")
}).existing()
