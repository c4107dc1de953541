/** What an error of SQLite, or of the code around it, means to an operator. */
import type { StoreErrorReason } from "../store/StoreError.ts"
import { DriverError, innermostCause } from "./DriverError.ts"
import { codeOf } from "./missingDriver.ts"

export interface Explanation {
  readonly reason: StoreErrorReason
  /** Without SQL and without values. */
  readonly detail: string
}

/** A code begins with the prefix. */
export type MeaningOfCodes = ReadonlyArray<readonly [prefix: string, reason: StoreErrorReason]>

/**
 * drizzle puts the SQL, and in places the parameters, into its own errors' messages, so only the innermost cause is
 * looked at. SQLite's messages name tables, columns and constraints and never the values in them. `further` are codes of
 * the driver's own.
 */
export const explainSqlite = (error: unknown, further: MeaningOfCodes = []): Explanation => {
  const cause = innermostCause(error)
  if (cause instanceof DriverError) return { reason: cause.reason, detail: cause.message }
  if (!(cause instanceof Error)) return { reason: "unknown", detail: "something that is not an error was thrown" }
  const code = codeOf(cause)
  const message = cause.message.replace(/^SQLite error: /, "")
  const reason = reasonOfCode(code, further) ?? reasonOfCode(code, codes) ?? reasonOfMessage(message)
  const detail = code === undefined || message.startsWith(`${code}: `) ? message : `${code}: ${message}`
  if (reason !== undefined) return { reason, detail }
  if (code?.startsWith("SQLITE_")) return { reason: "unknown", detail }
  // Nobody knows what other errors say: a failed encoding, for one, quotes what it could not encode.
  return { reason: "unknown", detail: `an unexpected ${cause.name}` }
}

/** SQLite's result codes, of which the extended ones begin with these, and Node's for files. */
const codes: MeaningOfCodes = [
  ["SQLITE_BUSY", "busy"],
  ["SQLITE_LOCKED", "busy"],
  ["SQLITE_READONLY", "readOnly"],
  ["SQLITE_FULL", "full"],
  ["SQLITE_CANTOPEN", "denied"],
  ["SQLITE_PERM", "denied"],
  ["SQLITE_AUTH", "denied"],
  ["SQLITE_IOERR", "unavailable"],
  ["SQLITE_NOTADB", "unavailable"],
  ["SQLITE_CORRUPT", "unavailable"],
  ["SQLITE_NOMEM", "unavailable"],
  ["SQLITE_PROTOCOL", "busy"],
  ["SQLITE_CONSTRAINT", "constraint"],
  ["SQLITE_MISMATCH", "schema"],
  ["SQLITE_SCHEMA", "schema"],
  ["ENOSPC", "full"],
  ["EDQUOT", "full"],
  ["EROFS", "readOnly"],
  ["EACCES", "denied"],
  ["EPERM", "denied"],
  ["ENOENT", "unavailable"],
  ["EIO", "unavailable"]
]

const reasonOfCode = (code: string | undefined, meanings: MeaningOfCodes): StoreErrorReason | undefined =>
  code === undefined ? undefined : meanings.find(([prefix]) => code.startsWith(prefix))?.[1]

/** For drivers whose errors carry no code, and for SQLITE_ERROR, which says nothing. Texts of sqlite3.c and the drivers. */
const messages: ReadonlyArray<readonly [pattern: RegExp, reason: StoreErrorReason]> = [
  [/^no such (table|column|index): /, "schema"],
  [/^table \S+ has no column named /, "schema"],
  [/^cannot store \S+ value in /, "schema"],
  [/^(table|index) .* already exists$/, "schema"],
  [/ constraint failed(: |$)/, "constraint"],
  [/^database (table |schema )?is locked/, "busy"],
  [/^cannot start a transaction within a transaction/, "busy"],
  [/^attempt to write a readonly database/, "readOnly"],
  [/^database or disk is full/, "full"],
  [/^unable to open database file/, "denied"],
  [/^disk I\/O error/, "unavailable"],
  [/^file is not a database/, "unavailable"],
  [/^database disk image is malformed/, "unavailable"],
  [/^out of memory/, "unavailable"],
  [/^The database connection is not open/, "unavailable"],
  [/^Database closed/, "unavailable"],
  [/^cannot (commit|rollback) - no transaction is active/, "unavailable"]
]

const reasonOfMessage = (message: string): StoreErrorReason | undefined =>
  messages.find(([pattern]) => pattern.test(message))?.[1]
