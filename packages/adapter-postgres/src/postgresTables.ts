/**
 * How the store's tables are made on PostgreSQL, in the schema that comes first in the search path meanwhile: see `ownSchema`. Times that people read are timestamptz with milliseconds. Ids are compared
 * byte by byte, whatever the collation of the database: COLLATE "C".
 */
import {
  asOf,
  type Column,
  type ColumnType,
  type Ddl,
  type Index,
  indexColumns,
  sqlName,
  type Table,
  tables,
  type View
} from "@kavach-polar/core/adapter"

const types: Readonly<Record<ColumnType, string>> = {
  id: 'text COLLATE "C"',
  key: 'text COLLATE "C"',
  word: "text",
  text: "text",
  name: 'text COLLATE "C"',
  // Also for JSON, because jsonb refuses what JSON allows (\u0000) and reorders the rest.
  long: "text",
  micros: "bigint",
  count: "integer",
  flag: "boolean",
  time: "timestamptz(3)"
}

const columnOf = ([field, { nullable, says, type }]: readonly [string, Column]): string =>
  `${says === undefined ? "" : `  -- ${says}\n`}  ${sqlName(field)} ${types[type]}${nullable === true ? "" : " NOT NULL"}`

/**
 * Long texts are compressed by lz4 where the server has it (PostgreSQL 14 and later, as most are built): in a twentieth of
 * the time that the older way takes. Elsewhere nothing changes.
 */
const compress = (table: string, columns: ReadonlyArray<string>): ReadonlyArray<string> =>
  columns.map(
    (column) =>
      `DO $$ BEGIN EXECUTE 'ALTER TABLE ${table} ALTER COLUMN ${column} SET COMPRESSION lz4'; EXCEPTION WHEN feature_not_supported OR syntax_error OR invalid_parameter_value THEN NULL; END $$`
  )

const createTable = ({ columns, indexes, key, name, says }: Table): ReadonlyArray<string> => {
  const fields = Object.entries<Column>(columns)
  const long = fields.filter(([, { type }]) => type === "long").map(([field]) => sqlName(field))
  return [
    `-- ${says}\nCREATE TABLE IF NOT EXISTS ${name} (\n${fields.map(columnOf).join(",\n")},\n  PRIMARY KEY (${key.map(sqlName).join(", ")})\n)`,
    ...compress(name, long),
    ...indexes.map((index) => createIndex(name, index))
  ]
}

const createIndex = (table: string, index: Index): string =>
  `CREATE INDEX IF NOT EXISTS ${index.name} ON ${table} (${indexColumns(index, true).map(indexed).join(", ")})${conditionOf(index)}`

const conditionOf = ({ where }: Index): string => (where === undefined ? "" : ` WHERE ${where}`)

const indexed = (column: string): string => {
  const [field = "", direction] = column.split(" ")
  return direction === undefined ? sqlName(field) : `${sqlName(field)} ${direction.toUpperCase()}`
}

/** Some text of Polar's may hold escapes of what PostgreSQL's own JSON functions refuse, wherever in the document. */
const json = String.raw`regexp_replace(data, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\ufffd', 'g')::json`

const jsonField = (key: string): string => `(${json} ->> '${key}')`

const fieldTypes = { text: "text", integer: "bigint", flag: "boolean", time: "timestamptz(3)" } as const

const createView = ({ columns, fields, kind, name }: View): ReadonlyArray<string> => {
  const selected = [
    ...columns.map(sqlName),
    ...fields.map((field) => `${jsonField(field.key)}::${fieldTypes[field.type]} AS ${field.name}`)
  ]
  return [
    `DROP VIEW IF EXISTS ${name}`,
    `CREATE VIEW ${name} AS SELECT ${selected.join(", ")} FROM kavach_polar_records WHERE kind = '${kind}'`
  ]
}

const [deliveries, notifications, subscriptions] = [
  "kavach_polar_deliveries",
  "kavach_polar_notifications",
  "kavach_polar_subscriptions"
]

const toRecords: ReadonlyArray<string> = [
  `INSERT INTO kavach_polar_records (record_key, kind, id, user_id, customer_id, organization_id, product_id, checkout_id, status, live,
  ends_at, event_at, precedence, delivery_id, updated_at, summary, data)
SELECT 'subscription ' || id, 'subscription', id, user_id, customer_id, organization_id, product_id, ${jsonField("checkoutId")}, status, live,
  CASE WHEN cancel_at_period_end
    THEN coalesce(${jsonField("endsAt")}, ${jsonField("currentPeriodEnd")})::timestamptz END,
  event_at, precedence, delivery_id, updated_at,
  json_build_object('currentPeriodEnd', ${jsonField("currentPeriodEnd")}, 'cancelAtPeriodEnd', cancel_at_period_end,
    'endsAt', ${jsonField("endsAt")}, 'pastDueAt', ${jsonField("pastDueAt")})::text, data
FROM ${subscriptions}`,
  `DROP TABLE ${subscriptions}`,
  `ALTER TABLE ${deliveries} ALTER COLUMN type TYPE text COLLATE "C"`,
  `ALTER TABLE ${deliveries} RENAME COLUMN subscription_id TO record_id`,
  // By a default, which writes no row. Most deliveries are about a subscription; the few others are written.
  `ALTER TABLE ${deliveries} ADD COLUMN record_kind text DEFAULT 'subscription'`,
  `UPDATE ${deliveries} SET record_kind = NULL WHERE record_id IS NULL`,
  `ALTER TABLE ${deliveries} ALTER COLUMN record_kind DROP DEFAULT`,
  `ALTER TABLE ${notifications} RENAME COLUMN subscription_id TO subject`,
  ...[
    "deliveries_received_at",
    "deliveries_with_body",
    "deliveries_unlinked_customer",
    "deliveries_unlinked_subscription",
    "notifications_pending_subscription",
    "notifications_pending_due"
  ].map((index) => `DROP INDEX ${`kavach_polar_${index}`}`),
  // The indexes as they are now, and what a database of the first or second version has not had.
  ...tables.filter(({ since = 0 }) => since <= 4).flatMap((table) => createTable(asOf(table, 4)))
]

const bytewise = tables.flatMap(({ columns, name }) =>
  Object.entries<Column>(columns).flatMap(([field, { type }]) =>
    types[type].endsWith('COLLATE "C"') ? [{ table: name, column: sqlName(field) }] : []
  )
)

export const postgresTables = (turn: bigint): Ddl => ({
  createTable,
  createView,
  addColumns: (table, columns) =>
    columns.map(([field, { type }]) => ({
      sql: `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS ${sqlName(field)} ${types[type]}`
    })),
  addIndex: (table, index) => [{ sql: createIndex(table, index) }],
  furtherTables: [],
  historyTable: `CREATE TABLE kavach_polar_migrations (
  version integer NOT NULL PRIMARY KEY,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz(3) NOT NULL,
  requires integer NOT NULL DEFAULT 4
)`,
  addRequires: `ALTER TABLE kavach_polar_migrations ADD COLUMN requires integer NOT NULL DEFAULT 4`,
  released: [
    { version: 1, name: "0001_initial", checksum: "9e04b0e11f74a415acc76757c1a6e26d3227824b42f456faeb8e2b175f3201ae" },
    { version: 2, name: "0002_jobs", checksum: "24ce4b5d5415062c3bb902d031520465427da5d8a0874ce30ff080f7c26c8492" },
    {
      version: 3,
      name: "0003_body_compression",
      checksum: "3c117d248ad67a1ea13145a0a74a8dd2743db4c4b510ec637c99ca3f51386a42"
    }
  ],
  toRecords: toRecords.map((sql) => ({ sql })),
  columns: {
    text: `SELECT relname::text, attname::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
      WHERE relname LIKE 'kavach#_polar#_%' ESCAPE '#' AND relkind IN ('r', 'p', 'v') AND pg_table_is_visible(pg_class.oid)
        AND attnum > 0 AND NOT attisdropped
      UNION ALL SELECT tables.relname::text, 'index ' || indexes.relname FROM pg_index
      JOIN pg_class AS tables ON tables.oid = indrelid JOIN pg_class AS indexes ON indexes.oid = indexrelid
      WHERE tables.relname LIKE 'kavach#_polar#_%' ESCAPE '#' AND pg_table_is_visible(tables.oid) AND indisvalid`,
    values: []
  },
  collations: {
    find: {
      text: `SELECT relname::text, attname::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
      WHERE (relname::text, attname::text) IN (${bytewise.map(({ column, table }) => `('${table}', '${column}')`).join(", ")})
        AND relkind IN ('r', 'p') AND pg_table_is_visible(pg_class.oid) AND NOT attisdropped
        AND attcollation <> 'pg_catalog."C"'::regcollation`,
      values: []
    },
    repair: (found) =>
      found.map(([table, column]) => `ALTER TABLE ${table} ALTER COLUMN ${column} TYPE text COLLATE "C"`)
  },
  // First of all, because CREATE TABLE IF NOT EXISTS fails when two do it at once. A wait for this lock or for a table ends
  // early, and is begun again with everything, so that nobody else is kept waiting behind it for long.
  takeTurn: {
    text: `WITH patience AS MATERIALIZED (
      SELECT set_config('lock_timeout', coalesce(nullif(current_setting('lock_timeout'), '0'), '2s'), true) AS set,
        set_config('statement_timeout', '60s', true), set_config('client_min_messages', 'warning', true),
        set_config('standard_conforming_strings', 'on', true)
    ) SELECT pg_advisory_xact_lock(${turn})::text FROM patience WHERE patience.set IS NOT NULL`,
    values: []
  },
  isTaken: () => true,
  endTurn: undefined,
  now: "now()"
})
