/** A drizzle database as this adapter uses it: statements, and transactions that are on disk once they are over. */

import type { Rows, Statement } from "@kavach-polar/core/adapter"
import { DriverError } from "@kavach-polar/core/adapter"
import { is, NoopLogger, sql } from "drizzle-orm"
import type { TablesRelationalConfig } from "drizzle-orm/relations"
import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core"
import { blockMillis } from "./SqlitePatience.ts"

/** A synchronous drizzle database on SQLite, made with or without a schema: better-sqlite3's, sql.js's and the like. */
export type SyncDrizzle<
  TRunResult,
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
> = BaseSQLiteDatabase<"sync", TRunResult, TFullSchema, TSchema>

/** What is used of it; the same whatever its schema. */
export interface Drizzle extends Pick<BaseSQLiteDatabase<"sync", unknown>, "values" | "run"> {
  readonly transaction: <A>(body: () => A, config: { readonly behavior: "immediate" }) => A
}

export interface SqliteDatabase {
  /** Runs one statement; of one that reads, the rows. */
  readonly run: (statement: Statement) => Rows
  /**
   * Runs `body` in a transaction that no other writer can get in between, and returns once what it wrote is on disk. Fails
   * at once, or nearly so, while another process writes.
   * `body` is synchronous; if it throws, nothing stays.
   */
  readonly transaction: <A>(body: () => A) => A
  /**
   * The same, without waiting for the disk where the file allows that: a process that dies loses nothing of it, but when
   * the power fails, what came after the last `transaction` may never have been.
   */
  readonly transactionInPassing: <A>(body: () => A) => A
}

export const make = <TRunResult, TFullSchema extends Record<string, unknown>, TSchema extends TablesRelationalConfig>(
  db: SyncDrizzle<TRunResult, TFullSchema, TSchema>
): SqliteDatabase => {
  const drizzle: Drizzle = db
  const client = clientOf(db)
  if (isSqlJs(client)) return onSqlJs(drizzle, client)
  if (isBetterSqlite3(client)) {
    return lentBetterSqlite3(client, isLogged(db) ? runByDrizzle(drizzle) : runOn(client))
  }
  const transaction = immediately(drizzle)
  return { run: runByDrizzle(drizzle), transaction, transactionInPassing: transaction }
}

/** On better-sqlite3 of the app's, without drizzle. */
export const makeLent = (client: BetterSqlite3Client): SqliteDatabase => lentBetterSqlite3(client, runOn(client))

/** On a connection as `SqliteFile` opens it, which nobody else uses: its settings are known and need not be looked at. */
export const makeOwn = (
  client: BetterSqlite3Client,
  { keepsJournalMode = false }: { readonly keepsJournalMode?: boolean | undefined } = {}
): SqliteDatabase => {
  const transaction = immediatelyOn(client)
  const isInWalMode = walModeOf(client)
  return {
    run: runOn(client),
    transaction,
    transactionInPassing: (body) => {
      if (keepsJournalMode && !isInWalMode()) return transaction(body)
      // `exec`, because better-sqlite3's `pragma` takes four times as long.
      client.exec(`PRAGMA synchronous = ${normal}`)
      try {
        return transaction(body)
      } finally {
        client.exec(`PRAGMA synchronous = ${full}`)
      }
    }
  }
}

/** Each text is prepared once: there are few, whatever the values. What changes the tables is run once, and not kept. */
const runOn = (client: BetterSqlite3Client): SqliteDatabase["run"] => {
  const prepared = new Map<string, (values: Statement["values"]) => Rows>()
  const prepare = (text: string) => {
    const statement = client.prepare(text)
    if (!statement.reader) {
      return (values: Statement["values"]): Rows => {
        statement.run(...values)
        return []
      }
    }
    const rows = statement.raw(true)
    // better-sqlite3 does not say in its types that a raw row is an array.
    return (values: Statement["values"]): Rows => rows.all(...values) as Rows
  }
  return ({ text, values }) => {
    let run = prepared.get(text)
    if (run === undefined) {
      run = prepare(text)
      if (values.length > 0 || isRead(text)) prepared.set(text, run)
    }
    return run(values)
  }
}

const runByDrizzle =
  (drizzle: Drizzle): SqliteDatabase["run"] =>
  ({ text, values }) => {
    const pieces = text.split("?")
    const statement = sql(Object.assign([...pieces], { raw: pieces }), ...values)
    if (isRead(text)) return drizzle.values(statement)
    drizzle.run(statement)
    return []
  }

const isRead = (text: string): boolean => /^\s*SELECT\b/.test(text)

const immediately =
  (drizzle: Drizzle) =>
  <A>(body: () => A): A => {
    // When SQLite has rolled back by itself (a full disk does that), drizzle's own rollback throws another error.
    let thrown: { readonly error: unknown } | undefined
    try {
      return drizzle.transaction(
        () => {
          try {
            return body()
          } catch (error) {
            thrown = { error }
            throw error
          }
        },
        { behavior: "immediate" }
      )
    } catch (error) {
      throw thrown === undefined ? error : thrown.error
    }
  }

/** The same without drizzle, which has better-sqlite3 make a function with properties for each transaction. */
const immediatelyOn = (client: BetterSqlite3Client): (<A>(body: () => A) => A) => {
  const prepare = () => ({
    begin: client.prepare("BEGIN IMMEDIATE"),
    commit: client.prepare("COMMIT"),
    rollback: client.prepare("ROLLBACK")
  })
  let prepared: ReturnType<typeof prepare> | undefined
  return (body) => {
    prepared ??= prepare()
    prepared.begin.run()
    try {
      const result = body()
      prepared.commit.run()
      return result
    } catch (error) {
      // SQLite may have rolled back by itself (a full disk does that).
      if (client.inTransaction) prepared.rollback.run()
      throw error
    }
  }
}

/** The part of better-sqlite3's Database that is used. */
export interface BetterSqlite3Client {
  readonly inTransaction: boolean
  readonly exec: (source: string) => unknown
  readonly prepare: (source: string) => BetterSqlite3Statement
}

/** The part of its Statement that is used. Methods, because its types tell statements apart by their parameters. */
export interface BetterSqlite3Statement {
  readonly reader: boolean
  run(...parameters: ReadonlyArray<unknown>): unknown
  raw(toggle: true): { all(...parameters: ReadonlyArray<unknown>): ReadonlyArray<unknown> }
}

const lentBetterSqlite3 = (client: BetterSqlite3Client, runStatement: SqliteDatabase["run"]): SqliteDatabase => {
  const run = immediatelyOn(client)
  const synchronousOf = settingOf(client, "synchronous")
  const busyTimeoutOf = settingOf(client, "busy_timeout")
  /** So that a wait for another writer does not hold up the process; see `SqlitePatience`. Answers how to undo it. */
  const shortenWait = (): string | undefined => {
    const millis = busyTimeoutOf()
    if (typeof millis !== "number" || millis <= blockMillis) return undefined
    client.exec(`PRAGMA busy_timeout = ${blockMillis}`)
    return `PRAGMA busy_timeout = ${millis}`
  }
  /** An app that lent its database keeps its choices for its own writes. */
  const runWith = <A>(choose: (synchronous: number) => number, body: () => A): A => {
    // The driver would nest this into the app's own open transaction, whose end decides about both.
    if (client.inTransaction) throw new DriverError("busy", "the app has a transaction open on this connection")
    const restore = [shortenWait()]
    const synchronous = synchronousOf()
    const chosen = typeof synchronous === "number" ? choose(synchronous) : synchronous
    if (chosen !== synchronous) {
      client.exec(`PRAGMA synchronous = ${chosen}`)
      restore.push(`PRAGMA synchronous = ${synchronous}`)
    }
    try {
      return run(body)
    } finally {
      for (const pragma of restore) if (pragma !== undefined) client.exec(pragma)
    }
  }
  const isInWalMode = walModeOf(client)
  return {
    run: runStatement,
    // In WAL mode better-sqlite3 defaults to NORMAL, with which a commit can be lost when the power fails.
    transaction: (body) => runWith((synchronous) => Math.max(synchronous, full), body),
    transactionInPassing: (body) =>
      runWith((synchronous) => (synchronous > normal && isInWalMode() ? normal : synchronous), body)
  }
}

/**
 * Reads a setting of a connection. Prepared once, because better-sqlite3's `pragma` takes six times as long. SQLite lets such
 * a statement run only once before it prepares it anew, so what is read is never an old value.
 */
const settingOf = (client: BetterSqlite3Client, name: string): (() => unknown) => {
  let prepared: ReturnType<BetterSqlite3Statement["raw"]> | undefined
  return () => {
    prepared ??= client.prepare(`PRAGMA ${name}`).raw(true)
    const [row] = prepared.all()
    return Array.isArray(row) ? row[0] : undefined
  }
}

/** Without a write-ahead log, an interrupted write that did not wait could damage the file. */
const walModeOf = (client: BetterSqlite3Client): (() => boolean) => {
  const journalModeOf = settingOf(client, "journal_mode")
  return () => journalModeOf() === "wal"
}

/** `PRAGMA synchronous`: with `full` every commit reaches the disk before it returns, with `normal` the last ones may not. */
const [normal, full] = [1, 2]

/** The part of sql.js's Database that is used. */
interface SqlJsClient {
  readonly run: (statement: string) => unknown
}

/**
 * sql.js keeps the database in memory. A KavachOS host saves it to its file whenever a writing statement goes through
 * the client's own `run`, which drizzle never calls. So after a commit such a statement is sent, a harmless one. It must
 * not be sent within a transaction: saving closes and reopens the database, and an open transaction would be gone. The
 * same closing resets `foreign_keys`, and prepared statements die with it; drizzle prepares anew for each call there.
 *
 * If saving fails, the change is committed in memory and not on disk. The caller gets the error, and until saving has
 * succeeded every further transaction fails before it does anything: so a delivery that comes again, and changes
 * nothing any more, is not acknowledged before it is on disk, and nobody is notified of what a crash would undo.
 */
const onSqlJs = (drizzle: Drizzle, client: SqlJsClient): SqliteDatabase => {
  const run = immediately(drizzle)
  let unsaved = false
  /** Another text after anything was written, also by a statement that changed the tables only. */
  const state = (): string =>
    drizzle.values(sql`SELECT total_changes(), schema_version FROM pragma_schema_version`).join()
  const save = () => {
    const foreignKeys = drizzle.values(sql`PRAGMA foreign_keys`)[0]?.[0]
    client.run("UPDATE kavach_polar_migrations SET name = name WHERE 0")
    if (foreignKeys === 1) drizzle.run(sql`PRAGMA foreign_keys = ON`)
    unsaved = false
  }
  const transaction: SqliteDatabase["transaction"] = (body) => {
    if (unsaved) save()
    const before = state()
    const result = run(body)
    if (state() !== before) {
      unsaved = true
      save()
    }
    return result
  }
  return { run: runByDrizzle(drizzle), transaction, transactionInPassing: transaction }
}

/** drizzle declares its session internal, and only some of its databases have `$client`. */
const clientOf = (db: object): unknown => ofSession(db, "client") ?? Reflect.get(db, "$client")

/** Whether the app looks at the statements that go through drizzle: then ours go there too. */
const isLogged = (db: object): boolean => !is(ofSession(db, "logger"), NoopLogger)

const ofSession = (db: object, name: string): unknown => {
  const session: unknown = Reflect.get(db, "session")
  return typeof session === "object" && session !== null ? Reflect.get(session, name) : undefined
}

const isSqlJs = (client: unknown): client is SqlJsClient =>
  hasFunction(client, "getRowsModified") && hasFunction(client, "export") && hasFunction(client, "run")

export const isBetterSqlite3 = (client: unknown): client is BetterSqlite3Client =>
  hasFunction(client, "pragma") &&
  hasFunction(client, "exec") &&
  hasFunction(client, "prepare") &&
  "inTransaction" in client

const hasFunction = (value: unknown, name: string): value is object =>
  typeof value === "object" && value !== null && typeof Reflect.get(value, name) === "function"
