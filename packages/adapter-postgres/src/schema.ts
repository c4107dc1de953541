/**
 * The store's tables and views, for apps that read them with drizzle, and for drizzle-kit. The store alone writes them.
 *
 * Ids are collated "C" in the database. `eventAt` is the event's own timestamp in epoch microseconds, because order is decided on it.
 *
 * Made by `npm run generate` from the description of the tables in packages/core/src/adapter/tables.ts.
 */
import type { LinkSource } from "@kavach-polar/core/adapter/rows"
import type { DeliveryState } from "@kavach-polar/core/Delivery"
import { sql } from "drizzle-orm"
import { bigint, boolean, index, integer, pgTable, pgView, text, timestamp } from "drizzle-orm/pg-core"

/** `timestamptz(3)`: what a `Date` holds, exactly. */
const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" })
/** `bigint` as a number: the values are safe integers. */
const safeInteger = (name: string) => bigint(name, { mode: "number" })

/** The inbox: one row for each delivery (an HTTP POST of Polar's), id = the header webhook-id. */
export const deliveries = pgTable(
  "kavach_polar_deliveries",
  {
    id: text("id").primaryKey(),
    type: text("type").notNull(),
    /** Applied, stale, ignored, unlinked (no user is known for it yet) or failed (it runs again when delivered again). */
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
    /** As Polar sent it, NULL once it was pruned. */
    body: text("body"),
    /** Subscription, order, ... */
    recordKind: text("record_kind")
  },
  (table) => [
    index("kavach_polar_deliveries_received_at").on(table.receivedAt, table.id),
    index("kavach_polar_deliveries_with_body")
      .on(table.receivedAt, table.id)
      .where(sql`body IS NOT NULL AND received_at IS NOT NULL`),
    index("kavach_polar_deliveries_unlinked_customer")
      .on(table.customerId)
      .where(sql`state = 'unlinked' AND customer_id IS NOT NULL`),
    index("kavach_polar_deliveries_unlinked_record")
      .on(table.recordId)
      .where(sql`state = 'unlinked' AND record_id IS NOT NULL`),
    index("kavach_polar_deliveries_state").on(table.state, table.receivedAt, table.id)
  ]
)

/** The newest known state of each of Polar's objects. event_at, then precedence, say which of two states is the newer. Read the views kavach_polar_subscriptions, kavach_polar_orders and so on. */
export const records = pgTable(
  "kavach_polar_records",
  {
    /** Kind and id, as in "order 5e6f7a8b-…". */
    recordKey: text("record_key").primaryKey(),
    /** Subscription, order, ... */
    kind: text("kind").notNull(),
    id: text("id").notNull(),
    /** NULL while it is unlinked: nobody is known yet whose it is. */
    userId: text("user_id"),
    /** What said whose it is: checkout, parent, link, external_id or metadata. NULL while it is unlinked, or when it was stored before this was kept. */
    ownedBy: text("owned_by"),
    customerId: text("customer_id"),
    organizationId: text("organization_id"),
    productId: text("product_id"),
    subscriptionId: text("subscription_id"),
    orderId: text("order_id"),
    benefitId: text("benefit_id"),
    checkoutId: text("checkout_id"),
    status: text("status").notNull(),
    /** Whether it may still give its user something. */
    live: boolean("live").notNull(),
    /** When it ends by itself, if that is known. */
    endsAt: time("ends_at"),
    /** The event's own timestamp, in microseconds since 1970. */
    eventAt: safeInteger("event_at").notNull(),
    precedence: safeInteger("precedence").notNull(),
    /** The delivery that brought this state. */
    deliveryId: text("delivery_id").notNull(),
    updatedAt: time("updated_at").notNull(),
    /** The few fields that decisions need, as JSON. */
    summary: text("summary").notNull(),
    /** All that is kept of it, as JSON. */
    data: text("data").notNull(),
    /** When the clock will change what it gives, if nothing arrives before: a scheduled end, the end of a trial or of grace. */
    clockAt: time("clock_at"),
    /** When that was done, and the app was told; NULL of a record that gives what its status says. */
    lapsedAt: time("lapsed_at")
  },
  (table) => [
    index("kavach_polar_records_user").on(table.userId, table.recordKey),
    index("kavach_polar_records_subscription").on(table.subscriptionId),
    index("kavach_polar_records_order").on(table.orderId),
    index("kavach_polar_records_unlinked").on(table.customerId).where(sql`user_id IS NULL AND customer_id IS NOT NULL`),
    index("kavach_polar_records_clock").on(table.clockAt, table.recordKey).where(sql`clock_at IS NOT NULL`),
    index("kavach_polar_records_checkout").on(table.checkoutId).where(sql`checkout_id IS NOT NULL`),
    index("kavach_polar_records_customer").on(table.customerId)
  ]
)

/** Links: whose customer it is. A user may have several, a customer has one user. */
export const customers = pgTable(
  "kavach_polar_customers",
  {
    customerId: text("customer_id").primaryKey(),
    userId: text("user_id").notNull(),
    /** Checkout, external_id or host: who said so. */
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

/** The outbox: calls of the app's code, queued in the transaction of the change that they tell of. */
export const notifications = pgTable(
  "kavach_polar_notifications",
  {
    /** The record's id, event_at and precedence. */
    id: text("id").primaryKey(),
    /** What is told in order: the record's id. */
    subject: text("subject").notNull(),
    userId: text("user_id").notNull(),
    eventAt: safeInteger("event_at").notNull(),
    precedence: safeInteger("precedence").notNull(),
    /** What the app is given, as JSON. */
    payload: text("payload").notNull(),
    createdAt: time("created_at").notNull(),
    /** Pending, done or dead (given up, with last_error). */
    state: text("state").$type<"pending" | "done" | "superseded" | "dead" | "buried">().notNull(),
    attempts: integer("attempts").notNull(),
    /** Not before this time, and while somebody holds the lease: the lease's end. */
    availableAt: time("available_at").notNull(),
    leaseOwner: text("lease_owner"),
    lastError: text("last_error"),
    updatedAt: time("updated_at").notNull(),
    /** Whom it is told: onSubscriptionChange (also where it is NULL), onAccessChange, ..., or a type of events, or *. */
    handler: text("handler"),
    /** The trace of what queued it, as in the W3C's header; NULL where that was not traced. */
    traceparent: text("traceparent")
  },
  (table) => [
    index("kavach_polar_notifications_pending_subject")
      .on(table.subject, table.eventAt, table.precedence)
      .where(sql`state = 'pending' AND subject IS NOT NULL`),
    index("kavach_polar_notifications_pending_due")
      .on(table.availableAt, table.id)
      .where(sql`state = 'pending' AND available_at IS NOT NULL`),
    index("kavach_polar_notifications_done")
      .on(table.availableAt)
      .where(sql`state = 'done' AND available_at IS NOT NULL`)
  ]
)

/** Jobs that one process does at a time, such as the comparison of everything with Polar's. */
export const jobs = pgTable("kavach_polar_jobs", {
  name: text("name").primaryKey(),
  /** Who does it now, and until when nobody else may; both NULL when nobody does. */
  owner: text("owner"),
  leaseUntil: time("lease_until"),
  /** Where it stands as JSON, NULL when it is not under way. */
  position: text("position"),
  startedAt: time("started_at").notNull(),
  updatedAt: time("updated_at").notNull(),
  /** When it was last done to the end, and what it reported as JSON. */
  finishedAt: time("finished_at"),
  report: text("report")
})

/** What operators put right by hand: whose a customer or a record is, who said so, and when. */
export const linkChanges = pgTable(
  "kavach_polar_link_changes",
  {
    id: text("id").primaryKey(),
    /** Link, move or unlink. */
    action: text("action").notNull(),
    /** NULL where one record was moved. */
    customerId: text("customer_id"),
    /** The record that was moved by itself. */
    recordKey: text("record_key"),
    fromUserId: text("from_user_id"),
    toUserId: text("to_user_id"),
    /** Who did it, as they said. */
    changedBy: text("changed_by"),
    changedAt: time("changed_at").notNull()
  },
  (table) => [
    index("kavach_polar_link_changes_from_user").on(table.fromUserId),
    index("kavach_polar_link_changes_to_user").on(table.toUserId)
  ]
)

/** The audit trail: what people did with billing's console, also what failed. */
export const actions = pgTable(
  "kavach_polar_actions",
  {
    id: text("id").primaryKey(),
    at: time("at").notNull(),
    /** Who did it, as the app's authorize said. */
    who: text("who").notNull(),
    /** Such as delivery.replay or customer.move. */
    action: text("action").notNull(),
    /** The id of what it was done to. */
    subject: text("subject"),
    /** What was asked for, as JSON. */
    detail: text("detail"),
    /** What came of it; begins with failed where nothing did. */
    result: text("result").notNull()
  },
  (table) => [
    index("kavach_polar_actions_at").on(table.at, table.id),
    index("kavach_polar_actions_subject").on(table.subject)
  ]
)

/** Which migrations this database has had. */
export const migrations = pgTable("kavach_polar_migrations", {
  version: integer("version").primaryKey(),
  name: text("name").notNull(),
  /** SHA-256 of the migration's SQL, in hexadecimal. */
  checksum: text("checksum").notNull(),
  appliedAt: time("applied_at").notNull(),
  /** The earliest migration that a program has to know to work on the database. */
  requires: integer("requires").notNull().default(4)
})

/** The subscriptions, as a view on the records. */
export const subscriptions = pgView("kavach_polar_subscriptions", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
  currentPeriodEnd: time("current_period_end"),
  cancelAtPeriodEnd: boolean("cancel_at_period_end")
}).existing()

/** The orders, as a view on the records. */
export const orders = pgView("kavach_polar_orders", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
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
export const refunds = pgView("kavach_polar_refunds", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
  reason: text("reason"),
  amount: safeInteger("amount"),
  taxAmount: safeInteger("tax_amount"),
  currency: text("currency"),
  revokeBenefits: boolean("revoke_benefits"),
  createdAt: time("created_at")
}).existing()

/** The benefits, as a view on the records. */
export const benefits = pgView("kavach_polar_benefits", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
  type: text("type"),
  description: text("description"),
  visibility: text("visibility"),
  createdAt: time("created_at")
}).existing()

/** The benefit_grants, as a view on the records. */
export const benefitGrants = pgView("kavach_polar_benefit_grants", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
  memberId: text("member_id"),
  isGranted: boolean("is_granted"),
  grantedAt: time("granted_at"),
  revokedAt: time("revoked_at"),
  createdAt: time("created_at")
}).existing()

/** The products, as a view on the records. */
export const products = pgView("kavach_polar_products", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
  name: text("name"),
  visibility: text("visibility"),
  isRecurring: boolean("is_recurring"),
  recurringInterval: text("recurring_interval"),
  createdAt: time("created_at")
}).existing()

/** The discounts, as a view on the records. */
export const discounts = pgView("kavach_polar_discounts", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
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
export const checkoutRecords = pgView("kavach_polar_checkout_records", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
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
export const customerRecords = pgView("kavach_polar_customer_records", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
  externalId: text("external_id"),
  email: text("email"),
  name: text("name"),
  type: text("type"),
  emailVerified: boolean("email_verified"),
  deletedAt: time("deleted_at"),
  createdAt: time("created_at")
}).existing()

/** The customer_states, as a view on the records. */
export const customerStates = pgView("kavach_polar_customer_states", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull()
}).existing()

/** The customer_seats, as a view on the records. */
export const customerSeats = pgView("kavach_polar_customer_seats", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
  memberId: text("member_id"),
  email: text("email"),
  invitationExpiresAt: time("invitation_expires_at"),
  claimedAt: time("claimed_at"),
  revokedAt: time("revoked_at"),
  createdAt: time("created_at")
}).existing()

/** The members, as a view on the records. */
export const members = pgView("kavach_polar_members", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
  externalId: text("external_id"),
  email: text("email"),
  name: text("name"),
  role: text("role"),
  createdAt: time("created_at")
}).existing()

/** The organizations, as a view on the records. */
export const organizations = pgView("kavach_polar_organizations", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
  name: text("name"),
  slug: text("slug"),
  defaultCurrency: text("default_currency"),
  createdAt: time("created_at")
}).existing()

/** The license_keys, as a view on the records. */
export const licenseKeys = pgView("kavach_polar_license_keys", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
  benefitId: text("benefit_id"),
  displayKey: text("display_key"),
  usageCount: safeInteger("usage_count"),
  limitUsage: safeInteger("limit_usage"),
  limitActivations: safeInteger("limit_activations"),
  expiresAt: time("expires_at"),
  readAt: time("read_at")
}).existing()

/** The license_answers, as a view on the records. */
export const licenseAnswers = pgView("kavach_polar_license_answers", {
  id: text("id").notNull(),
  userId: text("user_id"),
  ownedBy: text("owned_by"),
  customerId: text("customer_id"),
  organizationId: text("organization_id"),
  productId: text("product_id"),
  subscriptionId: text("subscription_id"),
  orderId: text("order_id"),
  checkoutId: text("checkout_id"),
  status: text("status").notNull(),
  live: boolean("live").notNull(),
  eventAt: safeInteger("event_at").notNull(),
  precedence: safeInteger("precedence").notNull(),
  deliveryId: text("delivery_id").notNull(),
  updatedAt: time("updated_at").notNull(),
  data: text("data").notNull(),
  licenseKeyId: text("license_key_id"),
  benefitId: text("benefit_id"),
  displayKey: text("display_key"),
  usageCount: safeInteger("usage_count"),
  limitUsage: safeInteger("limit_usage"),
  expiresAt: time("expires_at"),
  checkedAt: time("checked_at")
}).existing()
