/** A database of one subject's, seen from outside: made anew, filled, emptied between turns, and counted. */
import type { StoreName } from "../Bench.ts"

export type Row = Readonly<Record<string, unknown>>

export interface BenchDatabase {
  readonly store: StoreName
  /** An address, or SQLite's file. */
  readonly url: string
  readonly run: (sql: string) => Promise<ReadonlyArray<Row>>
  /** Rows in the app's own table. */
  readonly addUsers: (ids: ReadonlyArray<string>) => Promise<void>
  /** Takes all rows out of these tables, and lets the server write down what it has put off. */
  readonly empty: (tables: ReadonlyArray<string>) => Promise<void>
  /** Closes the connection and takes the database away. */
  readonly drop: () => Promise<void>
}

/** A server, or the folder of SQLite's files, for as long as a store is measured. */
export interface BenchServer {
  readonly store: StoreName
  /** The server's or the library's version. */
  readonly version: string
  /** The settings that decide when a commit is on disk. */
  readonly durability: string
  /**
   * Gives the server memory for its pages and room for its log, as whoever has millions of rows does. Where the system caches
   * files for it, there is nothing to do. Answers with what is to be undone.
   */
  readonly enlarge: () => Promise<() => Promise<void>>
  /** Waits until the pages that were filled are in their files. Nothing where filling ends with that. */
  readonly writeDown: () => Promise<void>
  /** How many pages the server has read from its files so far, where it does that itself and counts them. */
  readonly pagesRead?: () => Promise<number>
  /** A new database without tables. */
  readonly newDatabase: () => Promise<BenchDatabase>
  readonly stop: () => Promise<void>
}
