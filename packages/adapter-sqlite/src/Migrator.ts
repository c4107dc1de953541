/** Brings the tables to this version's state, whoever else is doing the same at the moment. */
import { createHash } from "node:crypto"
import { sql } from "drizzle-orm"
import { type Migration, migrations, statementsOf } from "./migrations.ts"
import type { Drizzle, SqliteDatabase } from "./SqliteDatabase.ts"
import { SqliteProblem } from "./SqliteProblem.ts"
import * as UsersTable from "./UsersTable.ts"

/** One transaction: either everything is as this version needs it, or nothing has changed. */
export const migrate = ({ drizzle, transaction }: SqliteDatabase): void =>
  transaction(
    () => {
      drizzle.run(sql.raw(historySql))
      const history = drizzle.all<Recorded>(
        sql`SELECT version, name, checksum FROM kavach_polar_migrations ORDER BY version`
      )
      for (const recorded of history) check(recorded)
      const versions = new Set(history.map(({ version }) => version))
      for (const migration of migrations) {
        if (!versions.has(migration.version)) apply(drizzle, migration)
      }
      UsersTable.migrate(drizzle)
    },
    () => true
  )

export const checksumOf = (migration: Migration): string => createHash("sha256").update(migration.sql).digest("hex")

interface Recorded {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

const historySql = `CREATE TABLE IF NOT EXISTS kavach_polar_migrations (
  version INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at TEXT NOT NULL
) STRICT`

const check = (recorded: Recorded): void => {
  const migration = migrations.find(({ version }) => version === recorded.version)
  if (migration === undefined) {
    throw new SqliteProblem(
      "schema",
      `the database has had migration ${recorded.name}, which this version does not know; upgrade @kavach-polar/adapter-sqlite`
    )
  }
  if (checksumOf(migration) !== recorded.checksum) {
    throw new SqliteProblem(
      "schema",
      `migration ${recorded.name} was applied in another form than this version has (checksum ${recorded.checksum.slice(0, 12)}, expected ${checksumOf(migration).slice(0, 12)})`
    )
  }
}

const apply = (drizzle: Drizzle, migration: Migration): void => {
  for (const statement of statementsOf(migration.sql)) drizzle.run(sql.raw(statement))
  drizzle.run(
    sql`INSERT INTO kavach_polar_migrations (version, name, checksum, applied_at)
      VALUES (${migration.version}, ${migration.name}, ${checksumOf(migration)}, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))`
  )
}
