/** A connection of mysql2's as the store uses it: statements go to the server as text, and rows come back as text. */
import { DriverError, type Rows, type Statement } from "@kavach-polar/core/adapter"
import { statementText } from "./statementText.ts"

/** The part of mysql2's connection, as it comes with promises, that is used. */
export interface MysqlConnection {
  readonly query: (options: QueryOptions) => Promise<readonly [unknown, ...ReadonlyArray<unknown>]>
  readonly destroy: () => void
}

/** One that is given back. */
export interface Session extends MysqlConnection {
  readonly release: () => void
  /** The same object each time that it is borrowed. */
  readonly connection?: object
}

export interface Pool {
  readonly getConnection: () => Promise<Session>
}

interface QueryOptions {
  readonly sql: string
  readonly values: null
  readonly namedPlaceholders: false
  readonly rowsAsArray: true
  readonly nestTables: false
  readonly typeCast: (field: { readonly string: (encoding: "utf8") => string | null }) => string | null
}

export interface SendOptions {
  /**
   * Whether the connection takes several statements in one message. The server stops at the first that fails, so what follows
   * it, the commit for one, does not run.
   */
  readonly together: boolean
  /** The app's, which it gave drizzle to see what runs. */
  readonly log?: ((text: string, values: Array<unknown>) => void) | undefined
}

/** Runs the statements in turn, until one fails, and answers with the rows of each. */
export type Send = (connection: MysqlConnection, statements: ReadonlyArray<Statement>) => Promise<ReadonlyArray<Rows>>

/** In characters, which are bytes. Any server takes 4 MB. */
const messageLength = 1_000_000

export const sender =
  ({ log, together }: SendOptions): Send =>
  async (connection, statements) => {
    const answers: Array<Rows> = []
    let message: Array<string> = []
    let length = 0
    const flush = async () => {
      if (message.length === 0) return
      const results = await query(connection, message.join(";"))
      const each = message.length === 1 ? [results] : results
      if (Array.isArray(each)) answers.push(...each.map(rowsIn))
      message = []
      length = 0
    }
    for (const statement of statements) {
      const text = statementText(statement)
      if (text.length > messageLength) await requireRoom(connection, text.length)
      log?.(statement.text, [...statement.values])
      if (length + text.length > (together ? messageLength : 0)) await flush()
      message.push(text)
      length += text.length
    }
    await flush()
    return answers
  }

/** With options of its own, whatever the pool's make of what comes. */
const query = async (connection: MysqlConnection, sql: string): Promise<unknown> => {
  const [results] = await connection.query({
    sql,
    // Not an empty list: mysql2 would search all of the text for places of its values.
    values: null,
    namedPlaceholders: false,
    rowsAsArray: true,
    nestTables: false,
    typeCast: (field) => field.string("utf8")
  })
  return results
}

/** What yields no rows yields an object. */
const rowsIn = (result: unknown): Rows => (Array.isArray(result) ? result : [])

/** Too long a statement is not always answered: MariaDB may just close the connection. So who could be too long asks. */
const requireRoom = async (connection: MysqlConnection, bytes: number): Promise<void> => {
  const room = Number(rowsIn(await query(connection, "SELECT @@max_allowed_packet"))[0]?.[0])
  if (bytes < room) return
  throw new DriverError(
    "unknown",
    `a row takes a statement of ${bytes} bytes, more than the server's max_allowed_packet; raise that setting`
  )
}

/** Without autocommit a read leaves a transaction open behind it, in which later ones see the past. */
export const requireAutocommit = async (connection: MysqlConnection): Promise<void> => {
  const [row] = rowsIn(await query(connection, "SELECT @@SESSION.autocommit"))
  if (row?.[0] === "1") return
  throw new DriverError("schema", "the connection's autocommit is off, and the store needs it on")
}

/** A pool of mysql2's as it is, and a single connection as a pool of one. */
export const poolOf = (client: unknown): Pool =>
  isPool(client)
    ? client
    : isConnection(client)
      ? inTurns(client)
      : {
          getConnection: () => Promise.reject(new DriverError("unknown", "the database is none of drizzle's on mysql2"))
        }

export const isPool = (client: unknown): client is Pool => has(client, "getConnection")

const isConnection = (client: unknown): client is MysqlConnection => has(client, "query") && has(client, "destroy")

const has = (value: unknown, name: string): value is object =>
  typeof value === "object" && value !== null && name in value

/** Who would begin a second transaction on a connection would commit the first. */
const inTurns = (connection: MysqlConnection): Pool => {
  let last: Promise<void> = Promise.resolve()
  return {
    getConnection: () => {
      const turn = last
      let release = () => {}
      last = new Promise((resolve) => {
        release = resolve
      })
      return turn.then(() => ({
        connection,
        query: (options) => connection.query(options),
        destroy: () => connection.destroy(),
        release
      }))
    }
  }
}
