/** Brings the tables to this version's state, whoever else is doing the same at the moment. */
import {
  checksumOf,
  type Migration,
  pendingMigrations,
  type RecordedMigration,
  statementsOf
} from "@kavach-polar/core/adapter/migrations"
import { sql } from "drizzle-orm"
import { migrations } from "./migrations.ts"
import type { Drizzle, SqliteDatabase } from "./SqliteDatabase.ts"
import * as UsersTable from "./UsersTable.ts"

/** One transaction: either everything is as this version needs it, or nothing has changed. */
export const migrate = (database: SqliteDatabase): void => {
  const { drizzle, transaction } = database
  transaction(
    () => {
      drizzle.run(sql.raw(historySql))
      const history = drizzle.all<RecordedMigration>(
        sql`SELECT version, name, checksum FROM kavach_polar_migrations ORDER BY version`
      )
      for (const migration of pendingMigrations(migrations, history, "@kavach-polar/adapter-sqlite")) {
        apply(drizzle, migration)
      }
      UsersTable.migrate(database)
    },
    () => true
  )
}

const historySql = `CREATE TABLE IF NOT EXISTS kavach_polar_migrations (
  version INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at TEXT NOT NULL
) STRICT`

const apply = (drizzle: Drizzle, migration: Migration): void => {
  for (const statement of statementsOf(migration.sql)) drizzle.run(sql.raw(statement))
  drizzle.run(
    sql`INSERT INTO kavach_polar_migrations (version, name, checksum, applied_at)
      VALUES (${migration.version}, ${migration.name}, ${checksumOf(migration)}, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))`
  )
}
