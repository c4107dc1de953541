/** How the store's tables are made on MySQL and MariaDB. Every statement that changes a table commits by itself. */
import {
  asOf,
  type ColumnType,
  type Ddl,
  DriverError,
  type Index,
  indexColumns,
  indexName,
  sqlName,
  type Table,
  tables,
  type View
} from "@kavach-polar/core/adapter"
import { bytewise, bytewiseCollations, characterSet } from "./bytewise.ts"
import { jsonField } from "./jsonField.ts"
import { lockRows } from "./mysqlLocks.ts"
import { toRecords } from "./toRecords.ts"

const types: Readonly<Record<ColumnType, string>> = {
  id: "VARCHAR(64)",
  key: "VARCHAR(255)",
  word: "VARCHAR(16)",
  name: "VARCHAR(255)",
  text: "MEDIUMTEXT",
  long: "LONGTEXT",
  micros: "BIGINT",
  count: "INT",
  flag: "BOOLEAN",
  // In UTC, whatever the time zone of the server or of a session.
  time: "DATETIME(6)"
}

const createTable = ({ columns, generated = {}, indexes, key, name }: Table): string => {
  const lines = [
    ...Object.entries(columns).map(
      ([field, { nullable, type }]) => `${sqlName(field)} ${types[type]}${nullable === true ? "" : " NOT NULL"}`
    ),
    ...Object.entries(generated).map(
      ([field, condition]) => `${sqlName(field)} BOOLEAN GENERATED ALWAYS AS (${condition}) STORED`
    ),
    `PRIMARY KEY (${key.map(sqlName).join(", ")})`,
    ...indexes.flatMap(keysOf)
  ]
  return `CREATE TABLE IF NOT EXISTS ${name} (\n  ${lines.join(",\n  ")}\n) ${bytewise}`
}

const keysOf = (index: Index): ReadonlyArray<string> => {
  const columns = indexColumns(index, false)
  return columns.length === 0 ? [] : [`KEY ${index.name} (${columns.map(indexed).join(", ")})`]
}

const indexed = (column: string): string =>
  column
    .split(" ")
    .map((word, place) => (place === 0 ? sqlName(word) : word))
    .join(" ")

const createView = ({ columns, fields, kind, name }: View): string => {
  const selected = [
    ...columns.map(sqlName),
    ...fields.map((field) => `${jsonField(field.key, field.type)} AS ${field.name}`)
  ]
  // Whoever reads it needs to be allowed to read the table, and whoever made it may go.
  return `CREATE OR REPLACE SQL SECURITY INVOKER VIEW ${name} AS SELECT ${selected.join(", ")} FROM kavach_polar_records WHERE kind = '${kind}'`
}

/** The rows that `mysqlLocks` locks. They hold nothing, and must all be there. */
const lockTable = [
  "CREATE TABLE IF NOT EXISTS kavach_polar_locks (id INT NOT NULL, PRIMARY KEY (id)) ENGINE = InnoDB",
  `INSERT INTO kavach_polar_locks (id) VALUES ${Array.from({ length: lockRows }, (_, id) => `(${id})`).join(", ")} ON DUPLICATE KEY UPDATE id = kavach_polar_locks.id`
]

const quoted = (texts: ReadonlyArray<string>): string => texts.map((text) => `'${text}'`).join(", ")

/** Locks of this kind are the whole server's, and their names have at most 64 characters. */
const turn = "CONCAT('kavach_polar_', LEFT(SHA2(DATABASE(), 256), 40))"
/** Less than the store waits for the answer to any statement of a migration. */
const patienceSeconds = 50

export const mysqlTables: Ddl = {
  createTable: (table) => [createTable(table)],
  createView: (view) => [createView(view)],
  addColumns: (table, columns) =>
    columns.map(([field, { type }]) => ({
      sql: `ALTER TABLE ${table} ADD COLUMN ${sqlName(field)} ${types[type]}`,
      unless: { table, column: sqlName(field) }
    })),
  addIndex: (table, index) =>
    keysOf(index).map((key) => ({
      sql: `ALTER TABLE ${table} ADD ${key}`,
      unless: { table, column: indexName(index.name) }
    })),
  furtherTables: lockTable,
  historyTable: `CREATE TABLE IF NOT EXISTS kavach_polar_migrations (
  version INT NOT NULL, name VARCHAR(255) NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  applied_at DATETIME(6) NOT NULL,
  requires INT NOT NULL DEFAULT 4, PRIMARY KEY (version)
) ${bytewise}`,
  addRequires: "ALTER TABLE kavach_polar_migrations ADD COLUMN requires INT NOT NULL DEFAULT 4",
  released: [
    { version: 1, name: "0001_initial", checksum: "026229bc8da42fd75eb9100ad01c6fb3f646e2a0e6ed6e571a2b1672e55b6f98" },
    { version: 2, name: "0002_jobs", checksum: "c6b4bffd2731e3585a2d0b458e583f044b31fbd4434e0dd4ea7f613664995ff6" }
  ],
  // The first version of all had no jobs.
  toRecords: [
    ...tables.filter(({ name }) => name === "kavach_polar_jobs").map((jobs) => ({ sql: createTable(asOf(jobs, 4)) })),
    ...toRecords
  ],
  columns: {
    // Of an index its name stands for a column.
    text: "SELECT CAST(table_name AS BINARY), CAST(column_name AS BINARY) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name LIKE 'kavach_polar_%' UNION ALL SELECT CAST(table_name AS BINARY), CAST(CONCAT('index ', index_name) AS BINARY) FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name LIKE 'kavach_polar_%' AND seq_in_index = 1",
    values: []
  },
  collations: {
    find: {
      text: `SELECT CAST(table_name AS BINARY), CAST(column_name AS BINARY) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name IN (${quoted(tables.map(({ name }) => name))}) AND collation_name NOT IN (${quoted(bytewiseCollations)})`,
      values: []
    },
    repair: (found) =>
      [...new Set(found.map(([table]) => String(table)))].map(
        (table) => `ALTER TABLE ${table} CONVERT TO ${characterSet}`
      )
  },
  // The lock belongs to the connection: it goes when the process dies. Without a database there is no name, and a lock without
  // a name is an error.
  takeTurn: {
    text: `SELECT DATABASE() IS NOT NULL, IF(DATABASE() IS NULL, 0, GET_LOCK(${turn}, ${patienceSeconds}))`,
    values: []
  },
  isTaken: ([row]) => {
    if (row?.[0] === "1") return row[1] === "1"
    throw new DriverError("unavailable", "no database is selected; name it in the URL or the pool's options")
  },
  endTurn: { text: `DO RELEASE_LOCK(${turn})`, values: [] },
  now: "UTC_TIMESTAMP(3)"
}
