/** How the store's tables are made on SQLite. */
import type { Ddl } from "./Dialect.ts"
import {
  asOf,
  type Column,
  type ColumnType,
  deliveries,
  type Index,
  indexColumns,
  jobs,
  notifications,
  sqlName,
  type Table,
  type View
} from "./tables.ts"

const types: Readonly<Record<ColumnType, string>> = {
  id: "TEXT",
  key: "TEXT",
  word: "TEXT",
  text: "TEXT",
  name: "TEXT",
  long: "TEXT",
  micros: "INTEGER",
  count: "INTEGER",
  flag: "INTEGER",
  // ISO 8601 in UTC with milliseconds, which reads and sorts as it is.
  time: "TEXT"
}

const columnOf = ([field, { nullable, says, type }]: readonly [string, Column]): string =>
  `${says === undefined ? "" : `  -- ${says}\n`}  ${sqlName(field)} ${types[type]}${nullable === true ? "" : " NOT NULL"}`

const createTable = ({ columns, generated = {}, indexes, key, name, says }: Table): ReadonlyArray<string> => [
  `-- ${says}\nCREATE TABLE IF NOT EXISTS ${name} (\n${[
    ...Object.entries(columns).map(columnOf),
    ...Object.entries(generated).map(([field, expression]) => `  ${generatedColumn(field, expression)}`),
    `  PRIMARY KEY (${key.map(sqlName).join(", ")})`
  ].join(",\n")}\n) STRICT`,
  ...createIndexes(name, indexes)
]

const generatedColumn = (field: string, expression: string): string =>
  `${sqlName(field)} INTEGER GENERATED ALWAYS AS (${expression}) VIRTUAL`

/** drizzle-kit sees no conditions of SQLite's indexes, and would make them anew each time: so there are none. */
const createIndexes = (table: string, indexes: ReadonlyArray<Index>): ReadonlyArray<string> =>
  indexes
    .map((index) => ({ name: index.name, columns: indexColumns(index, false) }))
    .filter(({ columns }) => columns.length > 0)
    .map(({ columns, name }) => `CREATE INDEX IF NOT EXISTS ${name} ON ${table} (${columns.map(sqlName).join(", ")})`)

const createView = ({ columns, fields, kind, name }: View): ReadonlyArray<string> => {
  const selected = [
    ...columns.map(sqlName),
    // JSON's true and false are 1 and 0.
    ...fields.map((field) => `json_extract(data, '$.${field.key}') AS ${field.name}`)
  ]
  return [
    `DROP VIEW IF EXISTS ${name}`,
    `CREATE VIEW ${name} AS SELECT ${selected.join(", ")} FROM kavach_polar_records WHERE kind = '${kind}'`
  ]
}

export const sqliteTables: Ddl = {
  createTable,
  createView,
  addColumns: (table, columns) =>
    columns.map(([field, column]) => ({
      sql: `ALTER TABLE ${table} ADD COLUMN ${sqlName(field)} ${types[column.type]}`,
      unless: { table, column: sqlName(field) }
    })),
  collations: undefined,
  addIndex: (table, index) => createIndexes(table, [index]).map((sql) => ({ sql })),
  furtherTables: [],
  historyTable: `CREATE TABLE IF NOT EXISTS kavach_polar_migrations (
  version INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at TEXT NOT NULL,
  requires INTEGER NOT NULL DEFAULT 4
) STRICT`,
  addRequires: "ALTER TABLE kavach_polar_migrations ADD COLUMN requires INTEGER NOT NULL DEFAULT 4",
  released: [
    { version: 1, name: "0001_initial", checksum: "ff0ba7f611832ccddbb23db279a61d38c7070507c12cf399292c8d50fe4a0df8" },
    { version: 2, name: "0002_jobs", checksum: "31351e0870f6233e2707bfe684f971d4cfb9705eb17f1401ec28039075912214" }
  ],
  toRecords: [
    `INSERT INTO kavach_polar_records (record_key, kind, id, user_id, customer_id, organization_id, product_id, checkout_id, status, live,
  ends_at, event_at, precedence, delivery_id, updated_at, summary, data)
SELECT 'subscription ' || id, 'subscription', id, user_id, customer_id, organization_id, product_id, json_extract(data, '$.checkoutId'), status, live,
  CASE WHEN cancel_at_period_end = 1
    THEN coalesce(json_extract(data, '$.endsAt'), json_extract(data, '$.currentPeriodEnd')) END,
  event_at, precedence, delivery_id, updated_at,
  json_object('currentPeriodEnd', json_extract(data, '$.currentPeriodEnd'),
    'cancelAtPeriodEnd', json(CASE cancel_at_period_end WHEN 1 THEN 'true' ELSE 'false' END),
    'endsAt', json_extract(data, '$.endsAt'), 'pastDueAt', json_extract(data, '$.pastDueAt')), data
FROM kavach_polar_subscriptions`,
    "DROP TABLE kavach_polar_subscriptions",
    ...[
      "deliveries_received_at",
      "deliveries_with_body",
      "deliveries_unlinked_customer",
      "deliveries_unlinked_subscription",
      "notifications_pending_subscription",
      "notifications_pending_due"
    ].map((index) => `DROP INDEX kavach_polar_${index}`),
    "ALTER TABLE kavach_polar_deliveries RENAME COLUMN subscription_id TO record_id",
    "ALTER TABLE kavach_polar_deliveries ADD COLUMN record_kind TEXT",
    `ALTER TABLE kavach_polar_deliveries ADD COLUMN ${generatedColumn("hasBody", deliveries.generated.hasBody)}`,
    "UPDATE kavach_polar_deliveries SET record_kind = 'subscription' WHERE record_id IS NOT NULL",
    "ALTER TABLE kavach_polar_notifications RENAME COLUMN subscription_id TO subject",
    ...[deliveries, notifications].flatMap((table) => createIndexes(table.name, asOf(table, 4).indexes)),
    // What the second of the earlier versions brought, for a database that has not had it.
    ...createTable(asOf(jobs, 4))
  ].map((sql) => ({ sql })),
  columns: {
    text: "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns WHERE tables.type IN ('table', 'view') AND tables.name LIKE 'kavach\\_polar\\_%' ESCAPE '\\' UNION ALL SELECT tbl_name, 'index ' || name FROM sqlite_schema WHERE type = 'index' AND tbl_name LIKE 'kavach\\_polar\\_%' ESCAPE '\\'",
    values: []
  },
  // The transaction that all of it runs in keeps others away.
  takeTurn: undefined,
  isTaken: () => true,
  endTurn: undefined,
  now: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
}
