/** What the migrations of all stores have in common: forward only, numbered, and remembered with a checksum. */
import { createHash } from "node:crypto"
import { DriverError } from "./DriverError.ts"

/** One step forward. One that was released never changes: every database remembers its checksum. */
export interface Migration {
  readonly version: number
  readonly name: string
  readonly sql: string
}

/** A migration that a database has had. */
export interface RecordedMigration {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

/** SHA-256 of the SQL, in hexadecimal. */
export const checksumOf = (migration: Migration): string => createHash("sha256").update(migration.sql).digest("hex")

/** The statements of a script whose statements all end at the end of a line. */
export const statementsOf = (script: string): ReadonlyArray<string> =>
  script.split(/;[ \t]*$/m).filter((part) => part.replaceAll(/^\s*--.*$/gm, "").trim() !== "")

/**
 * The migrations that the database has yet to have, in order. Throws a `DriverError` where its history is not one of this
 * version: made by a newer one, or changed afterwards.
 */
export const pendingMigrations = (
  migrations: ReadonlyArray<Migration>,
  history: ReadonlyArray<RecordedMigration>,
  packageName: string
): ReadonlyArray<Migration> => {
  for (const recorded of history) {
    const migration = migrations.find(({ version }) => version === recorded.version)
    if (migration === undefined) {
      throw new DriverError(
        "schema",
        `the database has had migration ${recorded.name}, which this version does not know; upgrade ${packageName}`
      )
    }
    const checksum = checksumOf(migration)
    if (checksum !== recorded.checksum) {
      throw new DriverError(
        "schema",
        `migration ${recorded.name} was applied in another form than this version has (checksum ${recorded.checksum.slice(0, 12)}, expected ${checksum.slice(0, 12)})`
      )
    }
  }
  const had = new Set(history.map(({ version }) => version))
  return migrations.filter(({ version }) => !had.has(version))
}
