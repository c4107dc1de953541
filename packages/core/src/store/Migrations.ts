/** What a store says of its migrations, by their names, such as `0004_records`. */

/** How the tables stand. */
export interface MigrationStatus {
  /** Those that the database has had, without the newer ones. */
  readonly applied: ReadonlyArray<string>
  /** Those that it has yet to have. */
  readonly pending: ReadonlyArray<string>
  /** Those of a newer version, beside which this one can work. */
  readonly newer: ReadonlyArray<string>
}

/** What one call of `migrate` did. */
export interface MigrationReport {
  /** Those that it applied; none where the tables were there already. */
  readonly applied: ReadonlyArray<string>
  /** Those of a newer version, beside which this one can work. */
  readonly newer: ReadonlyArray<string>
  /** Sentences on what was found and can be lived with. */
  readonly warnings?: ReadonlyArray<string>
}
