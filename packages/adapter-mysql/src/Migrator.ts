/** Brings the tables to this version's state, whoever else is doing the same at the moment. */

import { DriverError } from "@kavach-polar/core/adapter/DriverError"
import {
  checksumOf,
  type Migration,
  pendingMigrations,
  type RecordedMigration,
  statementsOf
} from "@kavach-polar/core/adapter/migrations"
import { asc, getTableColumns, getTableName, sql } from "drizzle-orm"
import { type MysqlDatabase, type Queries, uncached } from "./MysqlDatabase.ts"
import { migrations } from "./migrations.ts"
import * as schema from "./schema.ts"
import * as UsersTable from "./UsersTable.ts"

/**
 * One process at a time. MySQL commits at every statement that changes a table, so a process that dies leaves a migration
 * half done and not recorded: its statements do nothing where they ran before, and it runs again.
 */
export const migrate = (database: MysqlDatabase): Promise<void> =>
  database.session(async (connection) => {
    await takeTurn(connection)
    try {
      const history = await recorded(connection)
      for (const migration of pendingMigrations(migrations, history, "@kavach-polar/adapter-mysql")) {
        await apply(connection, migration)
      }
      await requireTables(connection)
      await UsersTable.migrate(connection)
    } finally {
      // Where the connection is gone, so is the lock.
      await connection.execute(sql`DO RELEASE_LOCK(${lockName})`).catch(() => {})
    }
  })

/** Locks of this kind are the whole server's, and their names have at most 64 characters. */
const lockName = sql`CONCAT('kavach_polar_', LEFT(SHA2(DATABASE(), 256), 40))`
const patienceSeconds = 60

/** The lock belongs to the connection: it goes when the process dies. */
const takeTurn = async (connection: Queries): Promise<void> => {
  const [row] = await uncached(
    connection
      .select({
        database: sql<string | null>`DATABASE()`,
        // Without a database there is no name, and a lock without a name is an error.
        got: sql<unknown>`IF(DATABASE() IS NULL, 0, GET_LOCK(${lockName}, ${patienceSeconds}))`
      })
      .from(sql`(SELECT 1 AS one) AS turn`)
  )
  if (row?.database == null) {
    throw new DriverError("unavailable", "no database is selected; name it in the URL or the pool's options")
  }
  if (Number(row.got) !== 1) {
    throw new DriverError("busy", `another process has been migrating for ${patienceSeconds} seconds`)
  }
}

const historySql = `CREATE TABLE IF NOT EXISTS kavach_polar_migrations (
  version INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  applied_at DATETIME(6) NOT NULL,
  PRIMARY KEY (version)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
  /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */`

const recorded = async (connection: Queries): Promise<ReadonlyArray<RecordedMigration>> => {
  // A database user that may not create tables can still start an app whose tables are all there.
  if (!(await columnsOf(connection)).has(getTableName(schema.migrations))) await connection.execute(sql.raw(historySql))
  const { checksum, name, version } = schema.migrations
  return uncached(connection.select({ version, name, checksum }).from(schema.migrations).orderBy(asc(version)))
}

const apply = async (connection: Queries, migration: Migration): Promise<void> => {
  for (const statement of statementsOf(migration.sql)) await connection.execute(sql.raw(statement))
  await connection.insert(schema.migrations).values({
    version: migration.version,
    name: migration.name,
    checksum: checksumOf(migration),
    appliedAt: sql`UTC_TIMESTAMP(3)`
  })
}

/** A table of the same name that somebody else has made is not made anew, and is not ours. */
const requireTables = async (connection: Queries): Promise<void> => {
  const found = await columnsOf(connection)
  for (const table of Object.values(schema)) {
    const columns = found.get(getTableName(table))
    for (const { name } of Object.values(getTableColumns(table))) {
      if (columns?.has(name)) continue
      throw new DriverError(
        "schema",
        `the table ${getTableName(table)} already exists, and is not the store's: it has no column ${name}`
      )
    }
  }
}

/** The columns of the store's tables, by table. */
const columnsOf = async (connection: Queries): Promise<ReadonlyMap<string, ReadonlySet<string>>> => {
  const rows = await uncached(
    connection
      .select({ table: sql<string>`table_name`, column: sql<string>`column_name` })
      .from(sql`information_schema.columns`)
      .where(sql`table_schema = DATABASE() AND table_name LIKE 'kavach_polar_%'`)
  )
  const tables = new Map<string, Set<string>>()
  for (const { column, table } of rows) {
    const columns = tables.get(table) ?? new Set()
    tables.set(table, columns.add(column))
  }
  return tables
}
