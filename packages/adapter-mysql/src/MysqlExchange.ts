/** A transaction on a connection of mysql2's, in as few messages as its pool allows. */
import { DriverError } from "@kavach-polar/core/adapter/DriverError"
import type { Rows } from "./MysqlRows.ts"
import { isInsert, lengthOf, literal, rendered, type Statement, statement } from "./MysqlStatement.ts"
import * as MysqlVariables from "./MysqlVariables.ts"

/** What is not committed by its last message is rolled back. */
export interface Exchange {
  /** Runs the statements in turn, until one fails, and answers with the rows of each. The first time it begins. */
  readonly ask: (statements: ReadonlyArray<Statement>) => Promise<ReadonlyArray<Rows>>
  /** The same, and then commits, all or nothing. */
  readonly commit: (statements: ReadonlyArray<Statement>) => Promise<ReadonlyArray<Rows>>
}

/** The part of mysql2's connection, as it comes with promises, that is used. */
export interface Connection {
  readonly query: (options: QueryOptions) => Promise<readonly [unknown, ...ReadonlyArray<unknown>]>
  readonly execute: Connection["query"]
}

/** One of a pool's. */
export interface PooledConnection extends Connection {
  readonly release: () => void
  readonly destroy: () => void
}

interface QueryOptions {
  readonly sql: string
  readonly values?: ReadonlyArray<unknown> | null
  readonly namedPlaceholders?: false
  readonly rowsAsArray: true
  readonly dateStrings?: true
  readonly typeCast?: true | ((field: Field, next: () => unknown) => unknown)
}

interface Field {
  readonly type: string
  readonly string: () => string | null
}

export interface Manner {
  /**
   * Whether the connection takes several statements in one message. The server stops at the first that fails, so what
   * follows it, the commit for one, does not run. Such a connection is this package's own, and prepares statements too.
   */
  readonly together: boolean
  readonly log?: ((text: string, values: Array<unknown>) => void) | undefined
}

// In READ COMMITTED every statement sees what was committed before it began, and what is looked at in vain is not locked.
const beginning = [statement("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"), statement("START TRANSACTION")]
const ending = statement("COMMIT")
const undoing = statement("ROLLBACK")

/** On a connection of a pool's, which gets it back. */
export const transactOnPooled = async <A>(
  connection: PooledConnection,
  manner: Manner,
  body: (exchange: Exchange) => Promise<A>
): Promise<A> => {
  let isUsable = true
  try {
    return await transact(connection, manner, body, () => {
      isUsable = false
    })
  } finally {
    // On a connection that is closed nothing stays, and the pool makes another.
    if (isUsable) connection.release()
    else connection.destroy()
  }
}

/** `onBroken` is called when what was begun could not be rolled back. */
export const transact = async <A>(
  connection: Connection,
  manner: Manner,
  body: (exchange: Exchange) => Promise<A>,
  onBroken = () => {}
): Promise<A> => {
  const send = manner.together ? sendTogether(connection) : sendEach(connection, manner)
  let isOpen = false
  const run = async (statements: ReadonlyArray<Statement>, isLast: boolean) => {
    const before = isOpen ? [] : beginning
    isOpen = true
    const answers = await send([...before, ...statements, ...(isLast ? [ending] : [])])
    isOpen = !isLast
    return answers.slice(before.length, before.length + statements.length)
  }
  try {
    return await body({
      ask: (statements) => run(statements, false),
      commit: (statements) => run(statements, true)
    })
  } finally {
    if (isOpen) await send([undoing]).catch(onBroken)
  }
}

type Send = (statements: ReadonlyArray<Statement>) => Promise<ReadonlyArray<Rows>>

const sendEach =
  (connection: Connection, { log }: Manner): Send =>
  async (statements) => {
    const answers: Array<Rows> = []
    for (const one of statements) {
      await requireRoom(connection, one)
      log?.(one.text, [...one.values])
      const [rows] = await connection.query({ sql: one.text, values: one.values, rowsAsArray: true, typeCast })
      answers.push(rowsIn(rows))
    }
    return answers
  }

/** Whatever the pool makes of times. */
export const typeCast = (field: Field, next: () => unknown): unknown =>
  field.type === "DATETIME" || field.type === "TIMESTAMP" || field.type === "DATE" ? field.string() : next()

/** In characters, of which each takes six digits at most. Any server takes 4 MB. */
const messageLength = 500_000

/**
 * From so many characters on, it is less work for the server to be given the long texts in a message of their own, in
 * which it need not look for the end of each.
 */
const worthTwoMessages = 20_000

const sendTogether =
  (connection: Connection): Send =>
  async (statements) => {
    const answers: Array<Rows> = []
    let message: Array<string> = []
    let length = 0
    let variables = MysqlVariables.make(messageLength)
    const flush = async () => {
      if (message.length === 0) return
      // First, and waited for: the message would read what an earlier one has left there.
      for (const one of variables.assignments()) {
        await requireRoom(connection, one)
        await connection.execute({ sql: one.text, values: one.values, rowsAsArray: true })
      }
      const [results] = await connection.query({
        sql: message.join(";"),
        // Not an empty list: mysql2 would search all of the text for places of its values.
        values: null,
        namedPlaceholders: false,
        rowsAsArray: true,
        dateStrings: true
      })
      const each = message.length === 1 ? [results] : results
      if (Array.isArray(each)) answers.push(...each.map(rowsIn))
      message = []
      length = 0
      variables = MysqlVariables.make(messageLength)
    }
    const isMuch = statements.reduce((total, one) => total + lengthOf(one), 0) >= worthTwoMessages
    for (const one of statements) {
      // Compared with a column, a variable would bring its collation along; where it is only stored, that means nothing.
      const isBeside = isMuch && isInsert(one)
      const own = lengthOf(one, isBeside ? MysqlVariables.longText : undefined)
      // Before it is written, because its variables have to be those of its own message.
      if (length + own > messageLength) await flush()
      message.push(rendered(one, isBeside ? variables.write : literal))
      length += own
    }
    await flush()
    return answers
  }

/** What yields no rows yields an object. */
export const rowsIn = (result: unknown): Rows => (Array.isArray(result) ? result : [])

/** As long as a statement gets that has several rows; see `MysqlWrites`. */
export const portionLength = 500_000

const isLong = (one: Statement): boolean => lengthOf(one) > 2 * portionLength

/** Too long a statement is not always answered: MariaDB may just close the connection. So who could be too long asks. */
const requireRoom = async (connection: Connection, one: Statement): Promise<void> => {
  if (!isLong(one)) return
  const [rows] = await connection.query({ sql: "SELECT @@max_allowed_packet", rowsAsArray: true })
  const room = Number(rowsIn(rows)[0]?.[0])
  let bytes = one.text.length
  for (const value of one.values) {
    if (typeof value === "string") bytes += Buffer.byteLength(value) + (value.match(escaped)?.length ?? 0)
  }
  if (bytes < room) return
  throw new DriverError(
    "unknown",
    `a row of ${bytes} bytes is larger than the server's max_allowed_packet; raise that setting`
  )
}

/** What mysql2 writes as two characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped.
const escaped = /[\0\b\t\n\r\x1a"'\\]/g
