/**
 * The store's tables, described once. From here come the SQL that makes them in each dialect, the statements that read and
 * write them, and the drizzle definitions that the adapters export.
 */
import { kinds } from "../records/kinds.ts"

/**
 * - `id`: an id of Polar's, at most 64 characters, compared byte by byte
 * - `key`: another name, at most 255 characters, compared byte by byte
 * - `word`: one of a few words
 * - `text`: any text; `long`: any text, perhaps of megabytes; `name`: short text that no key holds
 * - `micros`: a count that needs more than 32 bits; `count`: one that does not
 * - `flag`: true or false
 * - `time`: a point in time, to the millisecond
 */
export type ColumnType = "id" | "key" | "word" | "text" | "name" | "long" | "micros" | "count" | "flag" | "time"

export interface Column {
  readonly type: ColumnType
  readonly nullable?: true
  /** The migration that brought it, where that was not the one that made the table. */
  readonly since?: number
  /** For people who read the table. */
  readonly says?: string
}

export interface Index {
  readonly name: string
  readonly columns: ReadonlyArray<string>
  /**
   * Only of rows for which this holds, on PostgreSQL. Elsewhere there are no such indexes, or drizzle-kit does not see them.
   * It asks for the first column too, so that who asks for another is never answered by going through all of the index.
   */
  readonly where?: string
  /** The columns of the index elsewhere; none, where another index serves as well there. */
  readonly instead?: ReadonlyArray<string>
  /** The migration that brought it, where that was not the one that made the table. */
  readonly since?: number
}

export interface Table {
  readonly name: string
  /** The migration that brought it, where that was not the first. */
  readonly since?: number
  readonly says: string
  readonly columns: Readonly<Record<string, Column>>
  readonly key: ReadonlyArray<string>
  readonly indexes: ReadonlyArray<Index>
  /** Columns of type `flag` that an index needs where it has no condition. */
  readonly generated?: Readonly<Record<string, string>>
}

/** `receivedAt` in the core's terms is `received_at` in SQL. */
export const sqlName = (field: string): string => field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

export const deliveries = {
  name: "kavach_polar_deliveries",
  says: "The inbox: one row for each delivery (an HTTP POST of Polar's), id = the header webhook-id.",
  columns: {
    id: { type: "key" },
    type: { type: "key" },
    state: {
      type: "word",
      says: "applied, stale, ignored, unlinked (no user is known for it yet) or failed (it runs again when delivered again)"
    },
    eventAt: { type: "micros", nullable: true },
    receivedAt: { type: "time" },
    updatedAt: { type: "time" },
    customerId: { type: "id", nullable: true },
    recordId: { type: "id", nullable: true, says: "the record that it is about" },
    userId: { type: "key", nullable: true },
    attempts: { type: "count" },
    lastError: { type: "text", nullable: true },
    body: { type: "long", nullable: true, says: "as Polar sent it, NULL once it was pruned" },
    recordKind: { type: "word", nullable: true, says: "subscription, order, ..." }
  },
  key: ["id"],
  indexes: [
    { name: "kavach_polar_deliveries_received_at", columns: ["receivedAt", "id"] },
    {
      name: "kavach_polar_deliveries_with_body",
      columns: ["receivedAt", "id"],
      where: "body IS NOT NULL AND received_at IS NOT NULL",
      instead: ["hasBody", "receivedAt", "id"]
    },
    {
      name: "kavach_polar_deliveries_unlinked_customer",
      columns: ["customerId"],
      where: "state = 'unlinked' AND customer_id IS NOT NULL",
      instead: ["customerId", "state"]
    },
    {
      name: "kavach_polar_deliveries_unlinked_record",
      columns: ["recordId"],
      where: "state = 'unlinked' AND record_id IS NOT NULL",
      instead: ["recordId", "state"]
    },
    // For replays by state, and for forgetting what is settled.
    { name: "kavach_polar_deliveries_state", columns: ["state", "receivedAt", "id"], since: 6 }
  ],
  generated: { hasBody: "body IS NOT NULL" }
} as const satisfies Table

export const records = {
  name: "kavach_polar_records",
  says: "The newest known state of each of Polar's objects. event_at, then precedence, say which of two states is the newer. Read the views kavach_polar_subscriptions, kavach_polar_orders and so on.",
  columns: {
    // One column, because drizzle-kit trips over keys of several.
    recordKey: { type: "key", says: 'kind and id, as in "order 5e6f7a8b-…"' },
    kind: { type: "word", says: "subscription, order, ..." },
    id: { type: "id" },
    userId: { type: "key", nullable: true, says: "NULL while it is unlinked: nobody is known yet whose it is" },
    ownedBy: {
      type: "word",
      nullable: true,
      says: "what said whose it is: checkout, parent, link, external_id or metadata. NULL while it is unlinked, or when it was stored before this was kept"
    },
    customerId: { type: "id", nullable: true },
    organizationId: { type: "name", nullable: true },
    productId: { type: "id", nullable: true },
    subscriptionId: { type: "id", nullable: true },
    orderId: { type: "id", nullable: true },
    benefitId: { type: "id", nullable: true },
    checkoutId: { type: "id", nullable: true },
    status: { type: "id" },
    live: { type: "flag", says: "whether it may still give its user something" },
    endsAt: { type: "time", nullable: true, says: "when it ends by itself, if that is known" },
    eventAt: { type: "micros", says: "the event's own timestamp, in microseconds since 1970" },
    precedence: { type: "micros" },
    deliveryId: { type: "key", says: "the delivery that brought this state" },
    updatedAt: { type: "time" },
    summary: { type: "text", says: "the few fields that decisions need, as JSON" },
    data: { type: "long", says: "all that is kept of it, as JSON" },
    clockAt: {
      type: "time",
      nullable: true,
      since: 6,
      says: "when the clock will change what it gives, if nothing arrives before: a scheduled end, the end of a trial or of grace"
    },
    lapsedAt: {
      type: "time",
      nullable: true,
      since: 6,
      says: "when that was done, and the app was told; NULL of a record that gives what its status says"
    }
  },
  key: ["recordKey"],
  indexes: [
    { name: "kavach_polar_records_user", columns: ["userId", "recordKey"] },
    { name: "kavach_polar_records_subscription", columns: ["subscriptionId"] },
    { name: "kavach_polar_records_order", columns: ["orderId"] },
    {
      name: "kavach_polar_records_unlinked",
      columns: ["customerId"],
      where: "user_id IS NULL AND customer_id IS NOT NULL",
      instead: ["customerId", "userId"]
    },
    {
      name: "kavach_polar_records_clock",
      columns: ["clockAt", "recordKey"],
      where: "clock_at IS NOT NULL",
      instead: ["clockAt", "recordKey"],
      since: 6
    },
    // A checkout looks for what came of it when it is recorded.
    {
      name: "kavach_polar_records_checkout",
      columns: ["checkoutId"],
      where: "checkout_id IS NOT NULL",
      instead: ["checkoutId"],
      since: 7
    },
    // Whoever's they are. Elsewhere the index of those that are unlinked begins with the customer, and has all of them.
    { name: "kavach_polar_records_customer", columns: ["customerId"], instead: [], since: 7 }
  ]
} as const satisfies Table

export const customers = {
  name: "kavach_polar_customers",
  says: "Links: whose customer it is. A user may have several, a customer has one user.",
  columns: {
    customerId: { type: "id" },
    // Empty where an operator has ended the link, and where Polar deleted a customer that had none; `linkedBy` is then `operator`
    // or `deleted`. What a migration has said of
    // the columns stays as it was: PostgreSQL keeps it.
    userId: { type: "key" },
    linkedBy: { type: "word", says: "checkout, external_id or host: who said so" },
    linkedAt: { type: "time" },
    deletedAt: { type: "time", nullable: true }
  },
  key: ["customerId"],
  indexes: [{ name: "kavach_polar_customers_user", columns: ["userId", "linkedAt"] }]
} as const satisfies Table

export const checkouts = {
  name: "kavach_polar_checkouts",
  says: "Checkouts that were made for a user.",
  columns: {
    id: { type: "id" },
    userId: { type: "key" },
    productId: { type: "id" },
    createdAt: { type: "time" }
  },
  key: ["id"],
  indexes: [{ name: "kavach_polar_checkouts_user", columns: ["userId"] }]
} as const satisfies Table

export const notifications = {
  name: "kavach_polar_notifications",
  says: "The outbox: calls of the app's code, queued in the transaction of the change that they tell of.",
  columns: {
    id: { type: "key", says: "the record's id, event_at and precedence" },
    subject: { type: "id", says: "what is told in order: the record's id" },
    userId: { type: "key" },
    eventAt: { type: "micros" },
    precedence: { type: "micros" },
    payload: { type: "text", says: "what the app is given, as JSON" },
    createdAt: { type: "time" },
    // Databases remember this sentence: it is part of the migration. There are superseded (a newer one took its place) and buried
    // (put aside by an operator) as well.
    state: { type: "word", says: "pending, done or dead (given up, with last_error)" },
    attempts: { type: "count" },
    availableAt: { type: "time", says: "not before this time, and while somebody holds the lease: the lease's end" },
    leaseOwner: { type: "key", nullable: true },
    lastError: { type: "text", nullable: true },
    updatedAt: { type: "time" },
    handler: {
      type: "key",
      nullable: true,
      since: 10,
      says: "whom it is told: onSubscriptionChange (also where it is NULL), onAccessChange, ..., or a type of events, or *"
    },
    traceparent: {
      type: "id",
      nullable: true,
      since: 13,
      says: "the trace of what queued it, as in the W3C's header; NULL where that was not traced"
    }
  },
  key: ["id"],
  indexes: [
    {
      name: "kavach_polar_notifications_pending_subject",
      columns: ["subject", "eventAt", "precedence"],
      where: "state = 'pending' AND subject IS NOT NULL",
      instead: ["subject", "state", "eventAt", "precedence"]
    },
    {
      name: "kavach_polar_notifications_pending_due",
      columns: ["availableAt", "id"],
      where: "state = 'pending' AND available_at IS NOT NULL",
      instead: ["state", "availableAt", "id"]
    },
    // Elsewhere the index of what is due has these too.
    {
      name: "kavach_polar_notifications_done",
      columns: ["availableAt"],
      where: "state = 'done' AND available_at IS NOT NULL",
      instead: [],
      since: 6
    }
  ]
} as const satisfies Table

export const jobs = {
  name: "kavach_polar_jobs",
  says: "Jobs that one process does at a time, such as the comparison of everything with Polar's.",
  columns: {
    name: { type: "id" },
    owner: {
      type: "key",
      nullable: true,
      says: "who does it now, and until when nobody else may; both NULL when nobody does"
    },
    leaseUntil: { type: "time", nullable: true },
    position: { type: "long", nullable: true, says: "where it stands as JSON, NULL when it is not under way" },
    startedAt: { type: "time" },
    updatedAt: { type: "time" },
    finishedAt: {
      type: "time",
      nullable: true,
      says: "when it was last done to the end, and what it reported as JSON"
    },
    report: { type: "long", nullable: true }
  },
  key: ["name"],
  indexes: []
} as const satisfies Table

export const linkChanges = {
  name: "kavach_polar_link_changes",
  since: 8,
  says: "What operators put right by hand: whose a customer or a record is, who said so, and when.",
  columns: {
    id: { type: "key" },
    action: { type: "word", says: "link, move or unlink" },
    customerId: { type: "id", nullable: true, says: "NULL where one record was moved" },
    recordKey: { type: "key", nullable: true, says: "the record that was moved by itself" },
    fromUserId: { type: "key", nullable: true },
    toUserId: { type: "key", nullable: true },
    changedBy: { type: "text", nullable: true, says: "who did it, as they said" },
    changedAt: { type: "time" }
  },
  key: ["id"],
  indexes: [
    { name: "kavach_polar_link_changes_from_user", columns: ["fromUserId"] },
    { name: "kavach_polar_link_changes_to_user", columns: ["toUserId"] }
  ]
} as const satisfies Table

export const actions = {
  name: "kavach_polar_actions",
  since: 12,
  says: "The audit trail: what people did with billing's console, also what failed.",
  columns: {
    id: { type: "key" },
    at: { type: "time" },
    who: { type: "text", says: "who did it, as the app's authorize said" },
    action: { type: "key", says: "such as delivery.replay or customer.move" },
    subject: { type: "key", nullable: true, says: "the id of what it was done to" },
    detail: { type: "text", nullable: true, says: "what was asked for, as JSON" },
    result: { type: "text", says: "what came of it; begins with failed where nothing did" }
  },
  key: ["id"],
  indexes: [
    { name: "kavach_polar_actions_at", columns: ["at", "id"] },
    { name: "kavach_polar_actions_subject", columns: ["subject"] }
  ]
} as const satisfies Table

export const tables: ReadonlyArray<Table> = [
  deliveries,
  records,
  customers,
  checkouts,
  notifications,
  jobs,
  linkChanges,
  actions
]

/** The columns of an index where it has a condition, or where there are none; nothing where there is no such index. */
export const indexColumns = ({ columns, instead }: Index, hasConditions: boolean): ReadonlyArray<string> =>
  hasConditions ? columns : (instead ?? columns)

/** The table as it was when the migration had run: what is released, says for ever what it said then. */
export const asOf = (table: Table, version: number): Table => ({
  ...table,
  columns: Object.fromEntries(Object.entries(table.columns).filter(([, { since = 0 }]) => since <= version)),
  indexes: table.indexes.filter(({ since = 0 }) => since <= version)
})

/** What a migration adds to tables of before. */
export const addedIn = (
  version: number
): ReadonlyArray<Pick<Table, "name" | "indexes"> & { readonly columns: ReadonlyArray<readonly [string, Column]> }> =>
  tables.map(({ columns, indexes, name }) => ({
    name,
    columns: Object.entries(columns).filter(([, { since }]) => since === version),
    indexes: indexes.filter(({ since }) => since === version)
  }))

/** A view on the records of one kind, with real columns, for people who read with SQL. */
export interface View {
  readonly name: string
  readonly kind: string
  /** Columns of the records' table. */
  readonly columns: ReadonlyArray<string>
  /** Columns that are read from the JSON in `data`. */
  readonly fields: ReadonlyArray<{
    readonly name: string
    readonly key: string
    readonly type: "text" | "integer" | "flag" | "time"
  }>
}

const columnsBefore = ["id", "userId", "ownedBy", "customerId", "organizationId", "productId"]
const columnsAfter = ["eventAt", "precedence", "deliveryId", "updatedAt", "data"]

export const views: ReadonlyArray<View> = kinds.map(({ name, view, viewName = `kavach_polar_${name}s` }) => ({
  name: viewName,
  kind: name,
  columns: [
    ...columnsBefore,
    ...(name === "subscription" ? ["checkoutId"] : ["subscriptionId", "orderId", "checkoutId"]),
    "status",
    "live",
    ...columnsAfter
  ],
  fields: view
}))
