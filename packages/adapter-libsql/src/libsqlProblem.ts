/** What an error of libSQL, of its protocol or of the network means to an operator. */
import {
  codeOf,
  type Explanation,
  explainSqlite,
  innermostCause,
  type MeaningOfCodes
} from "@kavach-polar/core/adapter"
import type { StoreErrorReason } from "@kavach-polar/core/StoreError"

/** Beside SQLite's own: of @libsql/client, and of servers. */
const codes: MeaningOfCodes = [
  // A connection that the app holds a transaction on, where there is only one.
  ["TRANSACTION_ACTIVE", "busy"],
  // The server took the transaction away from one that held it too long, or forgot it; nothing of it stays.
  ["TRANSACTION_TIMEOUT", "busy"],
  ["TRANSACTION_BUSY", "busy"],
  ["STREAM_EXPIRED", "busy"],
  ["TRANSACTION_CLOSED", "unavailable"],
  ["CLIENT_CLOSED", "unavailable"],
  ["BLOCKED", "denied"],
  ["AUTH_", "denied"],
  ["SERVER_ERROR", "unavailable"],
  ["HRANA_", "unavailable"],
  // Its message quotes the SQL, which its code does not.
  ["SQL_PARSE_ERROR", "unknown"],
  ["URL_", "unavailable"],
  ["ECONN", "unavailable"],
  ["ENOTFOUND", "unavailable"],
  ["EAI_AGAIN", "unavailable"],
  ["ETIMEDOUT", "unavailable"],
  ["EPIPE", "unavailable"]
]

export const explain = (error: unknown): Explanation => {
  const cause = innermostCause(error)
  const status = statusOf(cause)
  // What comes with the status is the text of whatever stands between: a proxy quotes what it likes.
  if (status !== undefined) return { reason: reasonOfStatus(status), detail: `the server answered with HTTP ${status}` }
  const code = codeOf(cause)
  if (code === undefined && isUnreachable(error)) {
    return { reason: "unavailable", detail: "the server cannot be reached" }
  }
  if (code === "SQL_PARSE_ERROR") return { reason: "unknown", detail: "the server could not read a statement" }
  // The file's connection gives no code, but a number in its text.
  if (cause instanceof Error && /^ConnectionFailed\(.*: 14"\)$/.test(cause.message)) {
    return { reason: "denied", detail: "the database file cannot be opened" }
  }
  // An address may hold a token.
  if (code?.startsWith("URL_")) return { reason: "unavailable", detail: `${code}: the url is not one of libSQL's` }
  return explainSqlite(error, codes)
}

/** Nothing of what was tried stays, and it may be tried again. */
export const isConflict = (error: unknown): boolean => explain(error).reason === "busy"

const reasonOfStatus = (status: number): StoreErrorReason =>
  status === 401 || status === 403 ? "denied" : status === 429 ? "busy" : "unavailable"

const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && "status" in error && typeof error.status === "number" ? error.status : undefined

/** What `fetch` says of everything that happens below HTTP. */
const isUnreachable = (error: unknown): boolean => {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current.message === "fetch failed" || current.name === "TimeoutError") return true
  }
  return false
}
