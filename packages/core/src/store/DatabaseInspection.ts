/** What a store says of its database, for people: what is not as it should be, though the tables are there. */
export interface DatabaseInspection {
  /** Indexes of the store's own tables that are not there. `sql` makes one. */
  readonly missingIndexes: ReadonlyArray<{ readonly name: string; readonly table: string; readonly sql: string }>
  /** Tables that this database user may not write as billing does, and what the database says. */
  readonly denied: ReadonlyArray<{ readonly table: string; readonly detail: string }>
  /** The table of users; `null` where there is none, or none is looked at. */
  readonly users: {
    readonly table: string
    /** Why it cannot be used: a column is missing, or has a type that does not fit. */
    readonly problem: string | null
    /** What can be lived with. */
    readonly warnings: ReadonlyArray<string>
    /** Columns by which users are looked for, and that have no index. */
    readonly unindexed: ReadonlyArray<string>
  } | null
}
