/** In what the databases' SQL differs, as far as the store's statements go. */

import type { TransactionOptions } from "./deadline.ts"
import type { Rows, SqlValue, Statement } from "./Script.ts"
import type { Column, ColumnType, Index, Table, View } from "./tables.ts"
import type { UsersDialect } from "./usersTable.ts"

/** A value of a row, in the core's terms. Times are epoch milliseconds. */
export type Value = string | number | boolean | null

export interface Dialect {
  /** The database system, for spans. */
  readonly name: string

  /** The name of one of the store's tables, with its schema where that is not to be looked for. */
  readonly table: (name: string) => string

  /** Reads a column, so that every driver answers with the same text or number. */
  readonly read: (column: string, type: ColumnType) => string
  readonly decode: (value: unknown, type: ColumnType) => Value

  /** A value's place in a statement: `?`, and what makes it of this type. */
  readonly place: (type: ColumnType) => string
  readonly encode: (value: Value, type: ColumnType) => SqlValue

  /** A condition that the column has one of the values, of which there is at least one. */
  readonly among: (column: string, values: ReadonlyArray<string>, type: ColumnType) => Statement

  /** A text of ours and a column's, one after the other. */
  readonly prefixed: (text: string, column: string) => string

  /** A condition that a column of type `flag` is true. */
  readonly isTrue: (column: string) => string

  /** A condition that a delivery has a body, which the index of those can answer. */
  readonly hasBody: string

  /**
   * The database's own time and so many milliseconds, whole ones, as a column of times holds it. Within a statement it is
   * always the same, so that an index can be gone through by it.
   */
  readonly later: (millis: number) => Statement

  /** Inserts one row, given in the order of the columns, in place of what has its key, or unless there is one. */
  readonly insert: (
    table: Table,
    columns: ReadonlyArray<{ readonly name: string; readonly type: ColumnType; readonly place: string }>,
    ifThere: "replace" | "leave"
  ) => string

  /** What follows a SELECT whose rows are to be written; nothing where a transaction is alone anyhow. */
  readonly forUpdate: string
  /** The same, passing over rows that somebody else holds. */
  readonly skipLocked: string

  /** What follows a table's name to make the server go by this index; nothing where it does so by itself. */
  readonly byIndex: (index: string) => string

  /**
   * What a transaction has to say first. `relaxed`: its commit need not wait for the disk; when the power fails, what came
   * after the last other commit may never have been.
   */
  readonly settings: (options: TransactionOptions) => ReadonlyArray<Statement>

  /** Locks by name, until the transaction ends: of deliveries, customers, records and users. */
  readonly locks: Locks

  readonly ddl: Ddl
  readonly users: UsersDialect
}

export interface Locks {
  /** Waits for all of the names, in the one order that everybody waits in. `undefined` where nobody needs to. */
  readonly wait: (names: ReadonlyArray<string>) => Statement | undefined
  /** Takes all of the names unless somebody has one of them: without waiting, because the order is not kept here. */
  readonly attempt: (
    names: ReadonlyArray<string>
  ) => { readonly statement: Statement; readonly isTaken: (rows: Rows) => boolean } | undefined
  /** Throws when not all that was waited for is there to be locked. */
  readonly check: (names: ReadonlyArray<string>, rows: Rows) => void
}

/** What the columns of `Ddl.columns` call an index. */
export const indexName = (name: string): string => `index ${name}`

/** A statement, and the columns that say whether it is still to be run; without any it does no harm to run it again. */
export interface MigrationStep {
  readonly sql: string
  readonly onlyIf?: { readonly table: string; readonly column: string }
  readonly unless?: { readonly table: string; readonly column: string }
}

/** A migration of the time when each adapter wrote its own SQL. */
export interface ReleasedMigration {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

/**
 * drizzle-kit says nothing of collations: text in tables that it has made is compared as the database does by default, and ids
 * may be equal or in an order in which they are not.
 */
export interface Collations {
  /** Rows of table and column, of those that are not compared byte by byte and should be. */
  readonly find: Statement
  /** Has these compared byte by byte, while there are no views. */
  readonly repair: (found: Rows) => ReadonlyArray<string>
}

/** How tables are made and looked at. Every statement may be run again after one that was interrupted. */
export interface Ddl {
  readonly createTable: (table: Table) => ReadonlyArray<string>
  readonly createView: (view: View) => ReadonlyArray<string>
  /** Adds columns that may be NULL to a table of before. */
  readonly addColumns: (
    table: string,
    columns: ReadonlyArray<readonly [field: string, column: Column]>
  ) => ReadonlyArray<MigrationStep>
  /** Adds an index to a table of before; nothing where the dialect has no such index. */
  readonly addIndex: (table: string, index: Index) => ReadonlyArray<MigrationStep>
  /** Tables that only this dialect needs. */
  readonly furtherTables: ReadonlyArray<string>
  readonly historyTable: string
  /** Adds the column `requires` to a history of the time before. */
  readonly addRequires: string
  /** What databases of earlier versions have had. */
  readonly released: ReadonlyArray<ReleasedMigration>
  /** Moves what those versions kept in a table of subscriptions to the records, and renames what was named after it. */
  readonly toRecords: ReadonlyArray<MigrationStep>
  /** Rows of table and column, of all tables and views whose names begin with `kavach_polar_`; of an index `indexName`. */
  readonly columns: Statement
  /** `undefined` where text is compared byte by byte by default. */
  readonly collations: Collations | undefined
  /** Keeps other processes from migrating at the same time, where the transaction does not. */
  readonly takeTurn: Statement | undefined
  readonly isTaken: (rows: Rows) => boolean
  readonly endTurn: Statement | undefined
  /** The time, as an expression. */
  readonly now: string
}
