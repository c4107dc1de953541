/** A database of an earlier version with rows in every table, and what has to be there once it was brought to this one. */
import type { Query } from "../../../test/store/SqliteHarness.ts"
import { migratePreviously } from "./previousTables.ts"

/** A subscription as that version stored it. */
const storedAs = (fields: object) => ({
  productId: "product",
  productName: null,
  organizationId: null,
  amount: 990,
  currency: "eur",
  recurringInterval: "month",
  recurringIntervalCount: 1,
  seats: null,
  units: null,
  discountId: null,
  checkoutId: null,
  createdAt: "2026-02-01T00:00:00.000Z",
  modifiedAt: null,
  startedAt: "2026-02-01T00:00:00.000Z",
  currentPeriodStart: "2026-12-01T00:00:00.123Z",
  currentPeriodEnd: null,
  trialStart: null,
  trialEnd: null,
  cancelAtPeriodEnd: false,
  canceledAt: null,
  cancellationReason: null,
  cancellationComment: null,
  endsAt: null,
  endedAt: null,
  pastDueAt: null,
  pauseAtPeriodEnd: false,
  pausedAt: null,
  resumesAt: null,
  pendingUpdate: null,
  metadata: {},
  customFieldData: {},
  ...fields
})

const stored = storedAs({
  id: "s1",
  status: "active",
  organizationId: "org",
  customer: { id: "customer", externalId: "user", email: "ada.martin@acme-mail.dev", name: "Ada" },
  checkoutId: "co1",
  currentPeriodEnd: "2027-01-01T00:00:00.123Z",
  cancelAtPeriodEnd: true,
  pastDueAt: "2026-12-01T00:00:00.000Z",
  // What SQL or JSON could take for something else.
  cancellationComment: "\0 \ud800 'quoted' \"twice\""
})

const other = storedAs({
  id: "s2",
  status: "canceled",
  customer: { id: "other", externalId: null, email: null, name: null }
})

const at = "2026-02-01T00:00:00.000Z"

/** The tables as they were at this version, with rows. */
export const fillPrevious = (query: Query, version: number): void => {
  migratePreviously(query, version)
  query("INSERT INTO kavach_polar_customers VALUES ('customer', 'user', 'host', ?, NULL)", at)
  query("INSERT INTO kavach_polar_checkouts VALUES ('co1', 'user', 'product', ?)", at)
  query(
    `INSERT INTO kavach_polar_subscriptions VALUES
      ('s1', 'user', 'customer', 'org', 'product', 'active', 1, '2027-01-01T00:00:00.123Z', 1, 1764410000000001, 7, 'd1', ?, ?),
      ('s2', NULL, 'other', NULL, 'product', 'canceled', 0, NULL, 0, 1764410000000002, 8, 'd2', ?, ?)`,
    at,
    JSON.stringify(stored),
    at,
    JSON.stringify(other)
  )
  query(
    `INSERT INTO kavach_polar_deliveries VALUES
      ('d1', 'subscription.created', 'applied', 1764410000000001, '${at}', '${at}', 'customer', 's1', 'user', 1, NULL, '{"a":1}'),
      ('d2', 'subscription.revoked', 'unlinked', 1764410000000002, '${at}', '${at}', 'other', 's2', NULL, 2, 'late', NULL),
      ('d3', 'customer.updated', 'ignored', NULL, '${at}', '${at}', 'customer', NULL, NULL, 1, NULL, '{}')`
  )
  query(
    `INSERT INTO kavach_polar_notifications VALUES
      ('s1:1', 's1', 'user', 1764410000000001, 7,
      '{"id":"s1","status":"active","productId":"product","currentPeriodEnd":null,"cancelAtPeriodEnd":false}',
      '${at}', 'pending', 0, '${at}', NULL, NULL, '${at}')`
  )
  if (version < 2) return
  query(`INSERT INTO kavach_polar_jobs VALUES ('reconcile', NULL, NULL, '{"page":2}', '${at}', '${at}', NULL, NULL)`)
}

/** What is read of it then, and what it has to be. */
export const expectations: ReadonlyArray<readonly [sql: string, rows: ReadonlyArray<object>]> = [
  [
    "SELECT id, user_id, customer_id, organization_id, product_id, checkout_id, status, live, event_at, precedence, delivery_id, updated_at, data, current_period_end, cancel_at_period_end FROM kavach_polar_subscriptions ORDER BY id",
    [
      {
        id: "s1",
        user_id: "user",
        customer_id: "customer",
        organization_id: "org",
        product_id: "product",
        checkout_id: "co1",
        status: "active",
        live: 1,
        event_at: 1764410000000001,
        precedence: 7,
        delivery_id: "d1",
        updated_at: at,
        data: JSON.stringify(stored),
        current_period_end: "2027-01-01T00:00:00.123Z",
        cancel_at_period_end: 1
      },
      {
        id: "s2",
        user_id: null,
        customer_id: "other",
        organization_id: null,
        product_id: "product",
        checkout_id: null,
        status: "canceled",
        live: 0,
        event_at: 1764410000000002,
        precedence: 8,
        delivery_id: "d2",
        updated_at: at,
        data: JSON.stringify(other),
        current_period_end: null,
        cancel_at_period_end: 0
      }
    ]
  ],
  [
    "SELECT id, kind, ends_at, summary FROM kavach_polar_records ORDER BY id",
    [
      {
        id: "s1",
        kind: "subscription",
        ends_at: "2027-01-01T00:00:00.123Z",
        summary:
          '{"currentPeriodEnd":"2027-01-01T00:00:00.123Z","cancelAtPeriodEnd":true,"endsAt":null,"pastDueAt":"2026-12-01T00:00:00.000Z"}'
      },
      {
        id: "s2",
        kind: "subscription",
        ends_at: null,
        summary: '{"currentPeriodEnd":null,"cancelAtPeriodEnd":false,"endsAt":null,"pastDueAt":null}'
      }
    ]
  ],
  [
    "SELECT id, state, record_kind, record_id, body, attempts, last_error FROM kavach_polar_deliveries ORDER BY id",
    [
      {
        id: "d1",
        state: "applied",
        record_kind: "subscription",
        record_id: "s1",
        body: '{"a":1}',
        attempts: 1,
        last_error: null
      },
      {
        id: "d2",
        state: "unlinked",
        record_kind: "subscription",
        record_id: "s2",
        body: null,
        attempts: 2,
        last_error: "late"
      },
      { id: "d3", state: "ignored", record_kind: null, record_id: null, body: "{}", attempts: 1, last_error: null }
    ]
  ],
  ["SELECT id, subject, state FROM kavach_polar_notifications", [{ id: "s1:1", subject: "s1", state: "pending" }]],
  ["SELECT customer_id, user_id FROM kavach_polar_customers", [{ customer_id: "customer", user_id: "user" }]],
  ["SELECT id, user_id FROM kavach_polar_checkouts", [{ id: "co1", user_id: "user" }]],
  ["SELECT count(*) AS n FROM kavach_polar_orders", [{ n: 0 }]]
]

/**
 * Tables, indexes and views. Not the texts of the tables: where a key is declared with its column, and the comments, differ
 * between one that was changed and one that is new.
 */
export const structureOf = (query: Query) => ({
  tables: query(
    "SELECT tables.name AS of, tables.type AS is_a, strict, wr, columns.* FROM pragma_table_list AS tables, pragma_table_xinfo(tables.name) AS columns WHERE tables.schema = 'main' AND tables.name NOT LIKE 'sqlite_%' ORDER BY tables.name, cid"
  ),
  indexes: query(
    `SELECT tables.name AS of, list."unique", list.origin, list.partial, info.seqno, info.name, info.desc, info.coll, info.key,
      CASE list.origin WHEN 'c' THEN list.name END AS index_name
    FROM pragma_table_list AS tables, pragma_index_list(tables.name) AS list, pragma_index_xinfo(list.name) AS info
    WHERE tables.schema = 'main' AND tables.name NOT LIKE 'sqlite_%' ORDER BY tables.name, list.name, info.seqno`
  ),
  texts: query(
    "SELECT name, sql FROM sqlite_schema WHERE type IN ('index', 'view') AND sql IS NOT NULL ORDER BY name"
  ).map(({ name, sql }) => ({ name, sql: String(sql).replaceAll(/\s+/g, " ") }))
})
