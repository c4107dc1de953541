/**
 * The store's tables and views, for apps that read them with drizzle, and for drizzle-kit. The store alone writes them.
 *
 * Text is compared byte by byte in the database. `eventAt` is the event's own timestamp in epoch microseconds, because order is decided on it.
 *
 * Made by `npm run generate` from the description of the tables in packages/core/src/adapter/tables.ts.
 */
import type { LinkSource } from "@kavach-polar/core/adapter/rows"
import type { DeliveryState } from "@kavach-polar/core/Delivery"
import { sql } from "drizzle-orm"
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
  text,
  varchar
} from "drizzle-orm/mysql-core"

/** As text, so that no time zone of a pool or a session matters: DATETIME(6) in UTC. */
const time = (name: string) => datetime(name, { mode: "string", fsp: 6 })
/** `BIGINT` as a number: the values are safe integers. */
const safeInteger = (name: string) => bigint(name, { mode: "number" })

/** The inbox: one row for each delivery (an HTTP POST of Polar's), id = the header webhook-id. */
export const deliveries = mysqlTable(
  "kavach_polar_deliveries",
  {
    id: varchar("id", { length: 255 }).primaryKey(),
    type: varchar("type", { length: 255 }).notNull(),
    /** Applied, stale, ignored, unlinked (no user is known for it yet) or failed (it runs again when delivered again). */
    state: varchar("state", { length: 16 }).$type<DeliveryState>().notNull(),
    eventAt: safeInteger("event_at"),
    receivedAt: time("received_at").notNull(),
    updatedAt: time("updated_at").notNull(),
    customerId: varchar("customer_id", { length: 64 }),
    /** The record that it is about. */
    recordId: varchar("record_id", { length: 64 }),
    userId: varchar("user_id", { length: 255 }),
    attempts: int("attempts").notNull(),
    lastError: mediumtext("last_error"),
    /** As Polar sent it, NULL once it was pruned. */
    body: longtext("body"),
    /** Subscription, order, ... */
    recordKind: varchar("record_kind", { length: 16 }),
    hasBody: boolean("has_body").generatedAlwaysAs(sql`(body IS NOT NULL)`, { mode: "stored" })
  },
  (table) => [
    index("kavach_polar_deliveries_received_at").on(table.receivedAt, table.id),
    index("kavach_polar_deliveries_with_body").on(table.hasBody, table.receivedAt, table.id),
    index("kavach_polar_deliveries_unlinked_customer").on(table.customerId, table.state),
    index("kavach_polar_deliveries_unlinked_record").on(table.recordId, table.state),
    index("kavach_polar_deliveries_state").on(table.state, table.receivedAt, table.id)
  ]
)

/** The newest known state of each of Polar's objects. event_at, then precedence, say which of two states is the newer. Read the views kavach_polar_subscriptions, kavach_polar_orders and so on. */
export const records = mysqlTable(
  "kavach_polar_records",
  {
    /** Kind and id, as in "order 5e6f7a8b-…". */
    recordKey: varchar("record_key", { length: 255 }).primaryKey(),
    /** Subscription, order, ... */
    kind: varchar("kind", { length: 16 }).notNull(),
    id: varchar("id", { length: 64 }).notNull(),
    /** NULL while it is unlinked: nobody is known yet whose it is. */
    userId: varchar("user_id", { length: 255 }),
    /** What said whose it is: checkout, parent, link, external_id or metadata. NULL while it is unlinked, or when it was stored before this was kept. */
    ownedBy: varchar("owned_by", { length: 16 }),
    customerId: varchar("customer_id", { length: 64 }),
    organizationId: varchar("organization_id", { length: 255 }),
    productId: varchar("product_id", { length: 64 }),
    subscriptionId: varchar("subscription_id", { length: 64 }),
    orderId: varchar("order_id", { length: 64 }),
    benefitId: varchar("benefit_id", { length: 64 }),
    checkoutId: varchar("checkout_id", { length: 64 }),
    status: varchar("status", { length: 64 }).notNull(),
    /** Whether it may still give its user something. */
    live: boolean("live").notNull(),
    /** When it ends by itself, if that is known. */
    endsAt: time("ends_at"),
    /** The event's own timestamp, in microseconds since 1970. */
    eventAt: safeInteger("event_at").notNull(),
    precedence: safeInteger("precedence").notNull(),
    /** The delivery that brought this state. */
    deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
    updatedAt: time("updated_at").notNull(),
    /** The few fields that decisions need, as JSON. */
    summary: mediumtext("summary").notNull(),
    /** All that is kept of it, as JSON. */
    data: longtext("data").notNull(),
    /** When the clock will change what it gives, if nothing arrives before: a scheduled end, the end of a trial or of grace. */
    clockAt: time("clock_at"),
    /** When that was done, and the app was told; NULL of a record that gives what its status says. */
    lapsedAt: time("lapsed_at")
  },
  (table) => [
    index("kavach_polar_records_user").on(table.userId, table.recordKey),
    index("kavach_polar_records_subscription").on(table.subscriptionId),
    index("kavach_polar_records_order").on(table.orderId),
    index("kavach_polar_records_unlinked").on(table.customerId, table.userId),
    index("kavach_polar_records_clock").on(table.clockAt, table.recordKey),
    index("kavach_polar_records_checkout").on(table.checkoutId)
  ]
)

/** Links: whose customer it is. A user may have several, a customer has one user. */
export const customers = mysqlTable(
  "kavach_polar_customers",
  {
    customerId: varchar("customer_id", { length: 64 }).primaryKey(),
    userId: varchar("user_id", { length: 255 }).notNull(),
    /** Checkout, external_id or host: who said so. */
    linkedBy: varchar("linked_by", { length: 16 }).$type<LinkSource>().notNull(),
    linkedAt: time("linked_at").notNull(),
    deletedAt: time("deleted_at")
  },
  (table) => [index("kavach_polar_customers_user").on(table.userId, table.linkedAt)]
)

/** Checkouts that were made for a user. */
export const checkouts = mysqlTable(
  "kavach_polar_checkouts",
  {
    id: varchar("id", { length: 64 }).primaryKey(),
    userId: varchar("user_id", { length: 255 }).notNull(),
    productId: varchar("product_id", { length: 64 }).notNull(),
    createdAt: time("created_at").notNull()
  },
  (table) => [index("kavach_polar_checkouts_user").on(table.userId)]
)

/** The outbox: calls of the app's code, queued in the transaction of the change that they tell of. */
export const notifications = mysqlTable(
  "kavach_polar_notifications",
  {
    /** The record's id, event_at and precedence. */
    id: varchar("id", { length: 255 }).primaryKey(),
    /** What is told in order: the record's id. */
    subject: varchar("subject", { length: 64 }).notNull(),
    userId: varchar("user_id", { length: 255 }).notNull(),
    eventAt: safeInteger("event_at").notNull(),
    precedence: safeInteger("precedence").notNull(),
    /** What the app is given, as JSON. */
    payload: mediumtext("payload").notNull(),
    createdAt: time("created_at").notNull(),
    /** Pending, done or dead (given up, with last_error). */
    state: varchar("state", { length: 16 }).$type<"pending" | "done" | "superseded" | "dead" | "buried">().notNull(),
    attempts: int("attempts").notNull(),
    /** Not before this time, and while somebody holds the lease: the lease's end. */
    availableAt: time("available_at").notNull(),
    leaseOwner: varchar("lease_owner", { length: 255 }),
    lastError: mediumtext("last_error"),
    updatedAt: time("updated_at").notNull(),
    /** Whom it is told: onSubscriptionChange (also where it is NULL), onAccessChange, ..., or a type of events, or *. */
    handler: varchar("handler", { length: 255 }),
    /** The trace of what queued it, as in the W3C's header; NULL where that was not traced. */
    traceparent: varchar("traceparent", { length: 64 })
  },
  (table) => [
    index("kavach_polar_notifications_pending_subject").on(table.subject, table.state, table.eventAt, table.precedence),
    index("kavach_polar_notifications_pending_due").on(table.state, table.availableAt, table.id)
  ]
)

/** Jobs that one process does at a time, such as the comparison of everything with Polar's. */
export const jobs = mysqlTable("kavach_polar_jobs", {
  name: varchar("name", { length: 64 }).primaryKey(),
  /** Who does it now, and until when nobody else may; both NULL when nobody does. */
  owner: varchar("owner", { length: 255 }),
  leaseUntil: time("lease_until"),
  /** Where it stands as JSON, NULL when it is not under way. */
  position: longtext("position"),
  startedAt: time("started_at").notNull(),
  updatedAt: time("updated_at").notNull(),
  /** When it was last done to the end, and what it reported as JSON. */
  finishedAt: time("finished_at"),
  report: longtext("report")
})

/** What operators put right by hand: whose a customer or a record is, who said so, and when. */
export const linkChanges = mysqlTable(
  "kavach_polar_link_changes",
  {
    id: varchar("id", { length: 255 }).primaryKey(),
    /** Link, move or unlink. */
    action: varchar("action", { length: 16 }).notNull(),
    /** NULL where one record was moved. */
    customerId: varchar("customer_id", { length: 64 }),
    /** The record that was moved by itself. */
    recordKey: varchar("record_key", { length: 255 }),
    fromUserId: varchar("from_user_id", { length: 255 }),
    toUserId: varchar("to_user_id", { length: 255 }),
    /** Who did it, as they said. */
    changedBy: mediumtext("changed_by"),
    changedAt: time("changed_at").notNull()
  },
  (table) => [
    index("kavach_polar_link_changes_from_user").on(table.fromUserId),
    index("kavach_polar_link_changes_to_user").on(table.toUserId)
  ]
)

/** The audit trail: what people did with billing's console, also what failed. */
export const actions = mysqlTable(
  "kavach_polar_actions",
  {
    id: varchar("id", { length: 255 }).primaryKey(),
    at: time("at").notNull(),
    /** Who did it, as the app's authorize said. */
    who: mediumtext("who").notNull(),
    /** Such as delivery.replay or customer.move. */
    action: varchar("action", { length: 255 }).notNull(),
    /** The id of what it was done to. */
    subject: varchar("subject", { length: 255 }),
    /** What was asked for, as JSON. */
    detail: mediumtext("detail"),
    /** What came of it; begins with failed where nothing did. */
    result: mediumtext("result").notNull()
  },
  (table) => [
    index("kavach_polar_actions_at").on(table.at, table.id),
    index("kavach_polar_actions_subject").on(table.subject)
  ]
)

/** What a step locks before it reads: its rows hold nothing, and must all be there. */
export const locks = mysqlTable("kavach_polar_locks", {
  id: int("id").primaryKey()
})

/** Which migrations this database has had. */
export const migrations = mysqlTable("kavach_polar_migrations", {
  version: int("version").primaryKey(),
  name: varchar("name", { length: 255 }).notNull(),
  /** SHA-256 of the migration's SQL, in hexadecimal. */
  checksum: varchar("checksum", { length: 64 }).notNull(),
  appliedAt: time("applied_at").notNull(),
  /** The earliest migration that a program has to know to work on the database. */
  requires: int("requires").notNull().default(4)
})

/** The subscriptions, as a view on the records. */
export const subscriptions = mysqlView("kavach_polar_subscriptions", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  currentPeriodEnd: time("current_period_end"),
  cancelAtPeriodEnd: boolean("cancel_at_period_end")
}).existing()

/** The orders, as a view on the records. */
export const orders = mysqlView("kavach_polar_orders", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
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

/** The refunds, as a view on the records. */
export const refunds = mysqlView("kavach_polar_refunds", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  reason: text("reason"),
  amount: safeInteger("amount"),
  taxAmount: safeInteger("tax_amount"),
  currency: text("currency"),
  revokeBenefits: boolean("revoke_benefits"),
  createdAt: time("created_at")
}).existing()

/** The benefits, as a view on the records. */
export const benefits = mysqlView("kavach_polar_benefits", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  type: text("type"),
  description: text("description"),
  visibility: text("visibility"),
  createdAt: time("created_at")
}).existing()

/** The benefit_grants, as a view on the records. */
export const benefitGrants = mysqlView("kavach_polar_benefit_grants", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  memberId: text("member_id"),
  isGranted: boolean("is_granted"),
  grantedAt: time("granted_at"),
  revokedAt: time("revoked_at"),
  createdAt: time("created_at")
}).existing()

/** The products, as a view on the records. */
export const products = mysqlView("kavach_polar_products", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  name: text("name"),
  visibility: text("visibility"),
  isRecurring: boolean("is_recurring"),
  recurringInterval: text("recurring_interval"),
  createdAt: time("created_at")
}).existing()

/** The discounts, as a view on the records. */
export const discounts = mysqlView("kavach_polar_discounts", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  name: text("name"),
  code: text("code"),
  type: text("type"),
  basisPoints: safeInteger("basis_points"),
  duration: text("duration"),
  durationInMonths: safeInteger("duration_in_months"),
  startsAt: time("starts_at"),
  endsAt: time("ends_at"),
  maxRedemptions: safeInteger("max_redemptions"),
  createdAt: time("created_at")
}).existing()

/** The checkouts, as a view on the records. */
export const checkoutRecords = mysqlView("kavach_polar_checkout_records", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  discountId: text("discount_id"),
  externalCustomerId: text("external_customer_id"),
  customerEmail: text("customer_email"),
  currency: text("currency"),
  amount: safeInteger("amount"),
  discountAmount: safeInteger("discount_amount"),
  taxAmount: safeInteger("tax_amount"),
  totalAmount: safeInteger("total_amount"),
  seats: safeInteger("seats"),
  expiresAt: time("expires_at"),
  createdAt: time("created_at")
}).existing()

/** The customers, as a view on the records. */
export const customerRecords = mysqlView("kavach_polar_customer_records", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  externalId: text("external_id"),
  email: text("email"),
  name: text("name"),
  type: text("type"),
  emailVerified: boolean("email_verified"),
  deletedAt: time("deleted_at"),
  createdAt: time("created_at")
}).existing()

/** The customer_states, as a view on the records. */
export const customerStates = mysqlView("kavach_polar_customer_states", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull()
}).existing()

/** The customer_seats, as a view on the records. */
export const customerSeats = mysqlView("kavach_polar_customer_seats", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  memberId: text("member_id"),
  email: text("email"),
  invitationExpiresAt: time("invitation_expires_at"),
  claimedAt: time("claimed_at"),
  revokedAt: time("revoked_at"),
  createdAt: time("created_at")
}).existing()

/** The members, as a view on the records. */
export const members = mysqlView("kavach_polar_members", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  externalId: text("external_id"),
  email: text("email"),
  name: text("name"),
  role: text("role"),
  createdAt: time("created_at")
}).existing()

/** The organizations, as a view on the records. */
export const organizations = mysqlView("kavach_polar_organizations", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  name: text("name"),
  slug: text("slug"),
  defaultCurrency: text("default_currency"),
  createdAt: time("created_at")
}).existing()

/** The license_keys, as a view on the records. */
export const licenseKeys = mysqlView("kavach_polar_license_keys", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  benefitId: text("benefit_id"),
  displayKey: text("display_key"),
  usageCount: safeInteger("usage_count"),
  limitUsage: safeInteger("limit_usage"),
  limitActivations: safeInteger("limit_activations"),
  expiresAt: time("expires_at"),
  readAt: time("read_at")
}).existing()

/** The license_answers, as a view on the records. */
export const licenseAnswers = mysqlView("kavach_polar_license_answers", {
  id: varchar("id", { length: 64 }).notNull(),
  userId: varchar("user_id", { length: 255 }),
  ownedBy: varchar("owned_by", { length: 16 }),
  customerId: varchar("customer_id", { length: 64 }),
  organizationId: varchar("organization_id", { length: 255 }),
  productId: varchar("product_id", { length: 64 }),
  subscriptionId: varchar("subscription_id", { length: 64 }),
  orderId: varchar("order_id", { length: 64 }),
  checkoutId: varchar("checkout_id", { length: 64 }),
  status: varchar("status", { length: 64 }).notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: varchar("delivery_id", { length: 255 }).notNull(),
  updatedAt: time("updated_at").notNull(),
  data: longtext("data").notNull(),
  licenseKeyId: text("license_key_id"),
  benefitId: text("benefit_id"),
  displayKey: text("display_key"),
  usageCount: safeInteger("usage_count"),
  limitUsage: safeInteger("limit_usage"),
  expiresAt: time("expires_at"),
  checkedAt: time("checked_at")
}).existing()
