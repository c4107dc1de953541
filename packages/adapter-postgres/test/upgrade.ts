/** A database of an earlier version with rows in every table, and what has to be there once it was brought to this one. */
import { createHash } from "node:crypto"
import type { Query } from "../../../test/store/PostgresHarness.ts"
import { postgresDialect } from "../src/postgresDialect.ts"
import { previousMigrations } from "./previousTables.ts"

const statementsOf = (script: string): ReadonlyArray<string> =>
  script.split(/;[ \t]*$/m).filter((part) => part.replaceAll(/^\s*--.*$/gm, "").trim() !== "")

/** What the history of such a database says of its migrations. */
export const previousChecksums = previousMigrations.map(({ name, sql, version }) => ({
  version,
  name,
  checksum: createHash("sha256").update(sql).digest("hex")
}))

export const releasedChecksums: ReadonlyArray<{
  readonly version: number
  readonly name: string
  readonly checksum: string
}> = postgresDialect.ddl.released

const stored = {
  id: "s1",
  checkoutId: "co1",
  currentPeriodEnd: "2027-01-01T00:00:00.123Z",
  cancelAtPeriodEnd: true,
  endsAt: null,
  pastDueAt: "2026-12-01T00:00:00.000Z",
  // What PostgreSQL's own JSON functions do not take.
  cancellationComment: "\0\ud800"
}

/** The tables as they were at this version, with rows. */
export const fillPrevious = async (query: Query, version = 3): Promise<void> => {
  await query(
    "CREATE TABLE kavach_polar_migrations (version integer NOT NULL PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz(3) NOT NULL)"
  )
  for (const { name, sql, version: one } of previousMigrations.filter((migration) => migration.version <= version)) {
    for (const statement of statementsOf(sql)) await query(statement)
    const checksum = previousChecksums.find((migration) => migration.version === one)?.checksum
    await query("INSERT INTO kavach_polar_migrations VALUES ($1, $2, $3, now())", one, name, checksum)
  }
  await query("INSERT INTO kavach_polar_customers VALUES ('customer', 'user', 'host', '2026-01-01', NULL)")
  await query("INSERT INTO kavach_polar_checkouts VALUES ('co1', 'user', 'product', '2026-01-01')")
  await query(
    `INSERT INTO kavach_polar_subscriptions VALUES
      ('s1', 'user', 'customer', 'org', 'product', 'active', true, '2027-01-01T00:00:00.123Z', true, 1764410000000001, 7, 'd1', '2026-02-01', $1),
      ('s2', NULL, 'other', NULL, 'product', 'canceled', false, NULL, false, 1764410000000002, 8, 'd2', '2026-02-02', '{"id":"s2","checkoutId":null}')`,
    JSON.stringify(stored)
  )
  await query(`INSERT INTO kavach_polar_deliveries VALUES
      ('d1', 'subscription.created', 'applied', 1764410000000001, '2026-02-01', '2026-02-01', 'customer', 's1', 'user', 1, NULL, '{"a":1}'),
      ('d2', 'subscription.revoked', 'unlinked', 1764410000000002, '2026-02-02', '2026-02-02', 'other', 's2', NULL, 2, 'late', NULL),
      ('d3', 'customer.updated', 'ignored', NULL, '2026-02-03', '2026-02-03', 'customer', NULL, NULL, 1, NULL, '{}')`)
  await query(`INSERT INTO kavach_polar_notifications VALUES
      ('s1:1', 's1', 'user', 1764410000000001, 7, '{}', '2026-02-01', 'pending', 0, '2026-02-01', NULL, NULL, '2026-02-01')`)
  if (version >= 2) {
    await query(
      "INSERT INTO kavach_polar_jobs VALUES ('reconcile', NULL, NULL, '{\"page\":2}', '2026-02-01', '2026-02-01', NULL, NULL)"
    )
  }
}

const at = (text: string) => new Date(text)

/** What is read of it then, and what it has to be. */
export const expectations: ReadonlyArray<readonly [sql: string, rows: ReadonlyArray<object>]> = [
  [
    "SELECT id, user_id, checkout_id, live, current_period_end, cancel_at_period_end, event_at::text, data FROM kavach_polar_subscriptions ORDER BY id",
    [
      {
        id: "s1",
        user_id: "user",
        checkout_id: "co1",
        live: true,
        current_period_end: at("2027-01-01T00:00:00.123Z"),
        cancel_at_period_end: true,
        event_at: "1764410000000001",
        data: JSON.stringify(stored)
      },
      {
        id: "s2",
        user_id: null,
        checkout_id: null,
        live: false,
        current_period_end: null,
        cancel_at_period_end: null,
        event_at: "1764410000000002",
        data: '{"id":"s2","checkoutId":null}'
      }
    ]
  ],
  [
    "SELECT kind, id, customer_id, organization_id, product_id, status, ends_at, precedence::text, delivery_id, updated_at, summary::jsonb AS summary FROM kavach_polar_records ORDER BY id",
    [
      {
        kind: "subscription",
        id: "s1",
        customer_id: "customer",
        organization_id: "org",
        product_id: "product",
        status: "active",
        ends_at: at("2027-01-01T00:00:00.123Z"),
        precedence: "7",
        delivery_id: "d1",
        updated_at: at("2026-02-01T00:00:00Z"),
        summary: {
          currentPeriodEnd: stored.currentPeriodEnd,
          cancelAtPeriodEnd: true,
          endsAt: null,
          pastDueAt: stored.pastDueAt
        }
      },
      {
        kind: "subscription",
        id: "s2",
        customer_id: "other",
        organization_id: null,
        product_id: "product",
        status: "canceled",
        ends_at: null,
        precedence: "8",
        delivery_id: "d2",
        updated_at: at("2026-02-02T00:00:00Z"),
        summary: { currentPeriodEnd: null, cancelAtPeriodEnd: false, endsAt: null, pastDueAt: null }
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
  ["SELECT count(*)::int AS orders FROM kavach_polar_orders", [{ orders: 0 }]]
]

/** Columns, defaults, keys, indexes and views of the schema that the search path leads to. */
export const structureOf = async (query: Query) => ({
  columns: await query(
    `SELECT relname, relkind, CASE relkind WHEN 'i' THEN NULL ELSE attname END AS attname, attnum, format_type(atttypid, atttypmod) AS type, attnotnull, collname,
      to_jsonb(pg_attribute) ->> 'attcompression' AS compression, pg_get_expr(adbin, adrelid) AS value
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    LEFT JOIN pg_collation ON pg_collation.oid = attcollation
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = current_schema()::regnamespace AND attnum > 0 ORDER BY 1, attnum`
  ),
  described: await query(
    `SELECT table_name, column_name, ordinal_position, column_default, is_nullable, data_type, datetime_precision, collation_name
    FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 3`
  ),
  indexes: await query(
    "SELECT replace(indexdef, current_schema() || '.', '') AS indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1"
  ),
  views: await query(
    "SELECT viewname, replace(definition, current_schema() || '.', '') AS definition FROM pg_views WHERE schemaname = current_schema() ORDER BY 1"
  )
})
