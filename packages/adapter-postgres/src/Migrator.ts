/** Brings the tables to this version's state, whoever else is doing the same at the moment. */
import {
  checksumOf,
  type Migration,
  pendingMigrations,
  type RecordedMigration,
  statementsOf
} from "@kavach-polar/core/adapter/migrations"
import { migrations } from "./migrations.ts"
import type { PostgresDatabase, Session } from "./PostgresDatabase.ts"
import { lock } from "./PostgresLocks.ts"
import { once, sql } from "./PostgresStatement.ts"
import { listOf } from "./PostgresValues.ts"
import * as UsersTable from "./UsersTable.ts"

/**
 * One transaction: either everything is as this version needs it, or nothing has changed. Where everything is already, it
 * only reads, which takes no privilege to create anything.
 */
export const migrate = (database: PostgresDatabase): Promise<void> =>
  database.transaction(async (session) => {
    // First of all, because CREATE TABLE IF NOT EXISTS fails when two do it at once.
    await session.run(lock(["migrations"], "5s"))
    if (
      !(await session.answer<boolean>(sql`SELECT to_json(to_regclass('kavach_polar_migrations') IS NOT NULL)::text`))
    ) {
      await session.run(once(historySql))
    }
    const history = await session.answer<ReadonlyArray<RecordedMigration>>(
      sql`SELECT ${listOf(sql`SELECT version, name, checksum FROM kavach_polar_migrations ORDER BY version`)}::text`
    )
    for (const migration of pendingMigrations(migrations, history, "@kavach-polar/adapter-postgres")) {
      await apply(session, migration)
    }
    await UsersTable.migrate(session)
  })

const historySql = `CREATE TABLE kavach_polar_migrations (
  version integer NOT NULL PRIMARY KEY,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz(3) NOT NULL
)`

const apply = async (session: Session, migration: Migration): Promise<void> => {
  for (const statement of statementsOf(migration.sql)) await session.run(once(statement))
  await session.run(
    sql`INSERT INTO kavach_polar_migrations (version, name, checksum, applied_at)
      VALUES (${String(migration.version)}::text::integer, ${migration.name}::text, ${checksumOf(migration)}::text, now())`
  )
}
