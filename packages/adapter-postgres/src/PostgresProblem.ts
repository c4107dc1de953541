/** What an error of PostgreSQL, of its drivers, or of the code around them means to an operator. */

import { codeOf, DriverError, innermostCause } from "@kavach-polar/core/adapter"
import type { StoreErrorReason } from "@kavach-polar/core/StoreError"
import { lostStatementsAdvice, StatementsLost } from "./lostStatements.ts"

export interface Explanation {
  readonly reason: StoreErrorReason
  /** Without SQL and without values. */
  readonly detail: string
}

/**
 * drizzle puts the SQL and the parameters into its own errors' messages, so only the innermost cause is looked at, and of
 * that only code and message: PostgreSQL's `detail` and `where` hold values. So do some messages; see `classes`.
 */
export const explain = (error: unknown): Explanation => {
  const cause = innermostCause(error)
  if (cause instanceof DriverError) return { reason: cause.reason, detail: cause.message }
  if (!(cause instanceof Error)) return { reason: "unknown", detail: "something that is not an error was thrown" }
  const code = codeOf(cause)
  if (isSqlState(code)) {
    const known = classes.find(([prefix]) => code.startsWith(prefix))
    if (known === undefined) return { reason: "unknown", detail: `the database's error ${code}` }
    const [, reason, instead] = known
    return { reason, detail: `${code}: ${instead ?? cause.message}` }
  }
  const reason = code === undefined ? undefined : driverCodes.get(code)
  // An AggregateError, which Node throws when it tried several addresses, has no message.
  if (reason !== undefined) return { reason, detail: cause.message === "" ? `${code}` : `${code}: ${cause.message}` }
  const found = messages.find(([pattern]) => pattern.test(cause.message))
  if (found !== undefined) return { reason: found[1], detail: cause.message }
  // Nobody knows what other errors say: a failed encoding, for one, quotes what it could not encode.
  return { reason: "unknown", detail: `an unexpected ${cause.name}` }
}

/** Whether the same transaction, run again from its beginning, may well succeed. */
export const isConflict = (error: unknown): boolean => {
  const cause = innermostCause(error)
  if (cause instanceof StatementsLost) return true
  const code = codeOf(cause)
  return code === "40001" || code === "40P01" || code === "55P03"
}

/** Whether it waited for a lock in vain. */
export const isLockWait = (error: unknown): boolean => codeOf(innermostCause(error)) === "55P03"

/** Whether nothing more is to be asked of the connection on which it came: not so after an error of one statement. */
export const breaksConnection = (error: Error): boolean =>
  !(error instanceof DriverError) && (!isSqlState(codeOf(error)) || explain(error).reason === "unavailable")

/** Five letters or digits; so is EPIPE. */
const isSqlState = (code: string | undefined): code is string =>
  code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !driverCodes.has(code)

/**
 * SQLSTATEs and their classes (PostgreSQL's documentation, appendix A), the narrower first. Where the server's message
 * may quote a value, another text stands in its place.
 */
const classes: ReadonlyArray<readonly [prefix: string, reason: StoreErrorReason, instead?: string]> = [
  ["08", "unavailable"],
  ["22", "schema", "a column does not take the value that belongs into it"],
  ["23", "constraint"],
  ["25006", "readOnly"],
  ["25P03", "unavailable"],
  ["25P04", "busy"],
  ["26000", "unavailable", lostStatementsAdvice],
  ["28", "denied"],
  // Something of the app's own hangs on a table that a migration replaces.
  ["2BP01", "schema"],
  ["3D", "unavailable"],
  ["3F", "schema"],
  ["40003", "unavailable"],
  ["40", "busy"],
  ["42501", "denied"],
  ["42P05", "unavailable", lostStatementsAdvice],
  ["42", "schema"],
  ["53100", "full"],
  ["53", "unavailable"],
  ["55006", "busy"],
  ["55P03", "busy"],
  ["57014", "busy"],
  ["57P", "unavailable"],
  ["58", "unavailable"],
  ["P0", "unknown", "a trigger or a function of the database refused it"]
]

const every = (reason: StoreErrorReason, codes: string) => codes.split(" ").map((code) => [code, reason] as const)

/** Codes of postgres.js, and of Node for sockets and certificates. */
const driverCodes: ReadonlyMap<string, StoreErrorReason> = new Map([
  ...every("unavailable", "CONNECTION_CLOSED CONNECTION_ENDED CONNECTION_DESTROYED CONNECT_TIMEOUT"),
  ...every("unavailable", "ECONNREFUSED ECONNRESET ECONNABORTED EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH ENOTFOUND"),
  ...every("unavailable", "EAI_AGAIN ENOENT ERR_INVALID_URL ERR_TLS_CERT_ALTNAME_INVALID CERT_HAS_EXPIRED"),
  ...every("unavailable", "DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
  ...every("denied", "EACCES SASL_SIGNATURE_MISMATCH AUTH_TYPE_NOT_IMPLEMENTED")
])

/** For errors of node-postgres and of PGlite that carry no code. */
const messages: ReadonlyArray<readonly [pattern: RegExp, reason: StoreErrorReason]> = [
  [/^Connection terminated/, "unavailable"],
  [/^Client (has encountered a connection error|was closed) and is not queryable$/, "unavailable"],
  [/^Cannot use a pool after calling end on the pool$/, "unavailable"],
  [/^timeout (exceeded|expired)/, "unavailable"],
  [/^The server does not support SSL connections$/, "unavailable"],
  [/^PGlite is clos(ed|ing)$/, "unavailable"],
  [/^Query read timeout$/, "busy"],
  [/^SASL: /, "denied"]
]
