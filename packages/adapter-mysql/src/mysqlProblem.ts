/** What an error of MySQL, of MariaDB, or of the code around them, means to an operator. */
import { codeOf } from "@kavach-polar/core/adapter"
import type { StoreErrorReason } from "@kavach-polar/core/StoreError"

export interface Explanation {
  readonly reason: StoreErrorReason
  /** Without SQL and without values. */
  readonly detail: string
}

/**
 * The servers quote values in their messages ("Duplicate entry '...'"), and addresses and user names: so what is told is the
 * code and a sentence of ours, with the name of a table, column or key where one was found at its known place.
 */
export const explain = (error: unknown): Explanation => {
  if (!(error instanceof Error)) return { reason: "unknown", detail: "something that is not an error was thrown" }
  const code = codeOf(error)
  const errno = errnoOf(error)
  const known = isDiskFull(error) ? diskFull : (numbers.get(errno ?? 0) ?? ofDriver(code))
  if (known !== undefined) {
    const [reason, say] = known
    const text = typeof say === "function" ? say(error.message) : say
    return { reason, detail: code === undefined ? text : `${code}: ${text}` }
  }
  const poolReason = pools.get(error.message)
  if (poolReason !== undefined) return { reason: poolReason, detail: error.message }
  if (code?.startsWith("ER_") || errno !== undefined) {
    return { reason: "unknown", detail: `${code ?? "error"} (${errno ?? "no number"})` }
  }
  // Nobody knows what other errors say: a failed encoding, for one, quotes what it could not encode.
  return { reason: "unknown", detail: `an unexpected ${error.name}` }
}

/** Whether the transaction lost against another one, and may go through when it runs again from its beginning. */
export const isConflict = (error: unknown): boolean => conflicts.has(errnoOf(error) ?? 0)

/** Whether it waited for a lock in vain, or would not wait for it. */
export const isLockWait = (error: unknown): boolean => lockWaits.has(errnoOf(error) ?? 0)

/** Whether a transaction could not begin because somebody else's is open on the connection. */
export const isForeignTransaction = (error: unknown): boolean => errnoOf(error) === 1568

/** A lock that did not come in time, or that MySQL was told not to wait for, which MariaDB gives the same number. */
const lockWaits: ReadonlySet<number> = new Set([1205, 3572])

/** A deadlock; MariaDB's "record has changed since last read". */
const conflicts: ReadonlySet<number> = new Set([1213, 1020, ...lockWaits])

const errnoOf = (error: unknown): number | undefined =>
  error instanceof Error && "errno" in error && typeof error.errno === "number" ? error.errno : undefined

type Say = string | ((message: string) => string)
type Known = readonly [reason: StoreErrorReason, say: Say]

/** A name at its place in a message; no name where the message is not as expected, as in other languages. */
const naming =
  (what: string, place: RegExp, otherwise: string): Say =>
  (message) => {
    const names = place.exec(message)?.slice(1) ?? []
    return names.length === 0 ? otherwise : `${what} ${names.join(" ")}`
  }

const columnAtEnd = /for column [`'](?:[\w.`]+[`.])?(\w+)[`'] at row \d+$/

const doesNotFit = naming("a value does not fit into column", columnAtEnd, "a value does not fit into its column")
const lacks = naming(
  "the database user lacks",
  /^([A-Z, ]+) command denied to user .* for table [`'](?:[^`']+[`']\.[`'])?(\w+)[`']$/,
  "the database user lacks a privilege on a table"
)
const sameKey = naming(
  "there is another row with the same key",
  / for key '([\w.]+)'$/,
  "there is another row with the same key"
)
const tooLarge = "a number is out of range for"
const tooLong = "a value is too long for"
const statementLog =
  "the server logs statements (binlog_format = STATEMENT), with which it refuses to write in READ COMMITTED; set binlog_format to ROW or MIXED"
const collations = "the server lacks a collation that the tables need; MySQL has it since 8.0.17, MariaDB since 10.2"

/** Error numbers of MySQL 8 to 9 and MariaDB 10.6 to 12, and what they mean here. */
const meanings: ReadonlyArray<readonly [StoreErrorReason, Say, ...ReadonlyArray<number>]> = [
  ["busy", "a deadlock with other writers", 1213],
  ["busy", "another writer held a lock for too long", 1205],
  ["busy", "another writer holds a lock", 3572],
  ["busy", "the server has no room for more locks", 1206],
  ["busy", "another writer changed a row meanwhile", 1020],
  ["busy", "the app has a transaction open on this connection", 1568],
  ["busy", "the statement took longer than the server allows", 1969, 3024],

  ["unavailable", "the server has too many connections", 1040],
  ["unavailable", "the database user has too many connections", 1203],
  ["unavailable", "the database user has used up what the server allows it", 1226],
  ["unavailable", "the server is shutting down", 1053, 1077],
  ["unavailable", "the statement was interrupted", 1317],
  ["unavailable", "the connection was killed", 1927],
  ["unavailable", "the server closed an idle connection", 4031],
  ["unavailable", "the connection broke", 1158, 1159, 1160, 1161],
  ["unavailable", "the server has gone away", 2006],
  ["unavailable", "the connection was lost", 2013],
  ["unavailable", "there is no database of that name on the server", 1049],
  ["unavailable", "no database is selected; name it in the URL or the pool's options", 1046],
  ["unavailable", "the server blocks this host after too many failed connections", 1129],
  ["unavailable", "the server is out of memory", 1037, 1041],
  ["unavailable", "the storage engine reported an error", 1030],

  ["readOnly", "the server runs with an option that forbids this, such as read_only", 1290],
  ["readOnly", "the transaction may only read", 1792],
  ["readOnly", "the server is in read-only mode", 1836],
  ["readOnly", "InnoDB is in read-only mode", 1874],
  ["readOnly", statementLog, 1665],

  ["full", "the server's disk is full", 1021],
  ["full", "the table is full", 1114],

  ["denied", "the database user may not use this database", 1044],
  ["denied", "the user name or the password is wrong", 1045, 1698],
  ["denied", "the server admits no connections from this host", 1130],
  ["denied", lacks, 1142],
  ["denied", "the database user lacks a privilege on a column", 1143],
  ["denied", "the database user lacks a privilege", 1227],
  ["denied", "the driver does not know the server's way to authenticate", 1251],
  ["denied", "the database user lacks a privilege on a routine", 1370],
  ["denied", "the database user's password has to be changed first", 1820],
  ["denied", "the database user's password has expired", 1862],
  ["denied", "the database user's account is locked", 3118, 4151],
  ["denied", "the server admits encrypted connections only", 3159],

  ["schema", naming("there is no table", /^Table '(?:[^']+\.)?(\w+)' doesn't exist$/, "a table is missing"), 1146],
  ["schema", naming("there is no column", /^Unknown column '([\w.]+)' in /, "a column is missing"), 1054],
  ["schema", "a table is missing", 1051],
  ["schema", "a column exists already", 1060],
  ["schema", "the server cannot read the store's SQL; the session's sql_mode must not be ORACLE", 1064],
  ["schema", "an index exists already", 1061],
  ["schema", "a key would be longer than the server allows; innodb_default_row_format has to be DYNAMIC", 1071],
  ["schema", "a column or an index is missing", 1091],
  ["schema", "a row would be longer than the server allows", 1118],
  ["schema", "a TEXT column cannot be a key", 1170],
  ["schema", "an index of the store is missing; run the migrations", 1176],
  ["schema", "two columns have collations that cannot be compared", 1267],
  ["schema", collations, 1273],
  ["schema", naming(`${tooLarge} column`, columnAtEnd, `${tooLarge} its column`), 1264],
  ["schema", doesNotFit, 1265, 1292, 1366],
  ["schema", naming(`${tooLong} column`, columnAtEnd, `${tooLong} its column`), 1406],
  ["schema", "a column of somebody else's has no default value", 1364],

  ["constraint", sameKey, 1062],
  // What an upsert comes to when a row of another key stands in its way: see `mysqlDialect`.
  ["constraint", "a unique index that is not the store's own holds another row", 1048],
  ["constraint", "another table refers to the row", 1451],
  ["constraint", "a foreign key refers to a row that does not exist", 1452],
  ["constraint", "a CHECK constraint refused the row", 3819, 4025],
  ["constraint", "a trigger refused the row", 1644],

  ["unknown", "a row is larger than the server's max_allowed_packet; raise that setting", 1153]
]

const numbers: ReadonlyMap<number, Known> = new Map(
  meanings.flatMap(([reason, say, ...errors]) => errors.map((errno) => [errno, [reason, say]] as const))
)

const diskFull: Known = ["full", "the server's disk is full"]

/** The storage engine passes the operating system's error on: 28 is "no space left on device". */
const isDiskFull = (error: Error): boolean => /^Got error 28\b/.test(error.message)

/** Codes of Node and of mysql2. */
const drivers: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "nothing answers at the server's address"],
  ["ECONNRESET", "the connection was reset"],
  ["EPIPE", "the connection was closed"],
  ["ETIMEDOUT", "the server did not answer in time"],
  ["ENOTFOUND", "the server's name cannot be resolved"],
  ["EAI_AGAIN", "the server's name cannot be resolved now"],
  ["EHOSTUNREACH", "the server cannot be reached"],
  ["ENETUNREACH", "the server cannot be reached"],
  ["ENOENT", "there is no such socket"],
  ["ERR_INVALID_URL", "the URL of the database is not a URL"],
  ["PROTOCOL_CONNECTION_LOST", "the connection was lost"],
  ["PROTOCOL_SEQUENCE_TIMEOUT", "the server did not answer in time"],
  ["HANDSHAKE_NO_SSL_SUPPORT", "the server offers no encrypted connections"],
  ["HANDSHAKE_SSL_ERROR", "the encrypted connection failed"]
])

const ofDriver = (code: string | undefined): Known | undefined => {
  const text = code === undefined ? undefined : drivers.get(code)
  return text === undefined ? undefined : ["unavailable", text]
}

/** Errors of mysql2 that have no code. */
const pools: ReadonlyMap<string, StoreErrorReason> = new Map<string, StoreErrorReason>([
  ["Pool is closed.", "unavailable"],
  ["Can't add new command when connection is in closed state", "unavailable"],
  ["Queue limit reached.", "busy"],
  ["No connections available.", "busy"]
])
