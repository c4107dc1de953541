/**
 * Several statements in one message to the server, and their answers in one message back, whatever the distance between
 * them (PostgreSQL docs: "Message Flow", extended query). The server runs them in turn, and each sees what was committed
 * before it began; after one that fails it runs none of the rest.
 *
 * It is a query of one's own for node-postgres, which hands it the connection and what comes back, as it does with
 * `pg-cursor`.
 */
import type { Statement, Value } from "./PostgresStatement.ts"

export type TextRows = ReadonlyArray<ReadonlyArray<Value>>

/** The part of node-postgres's Connection that is used. */
export interface Connection {
  readonly parse: (statement: { readonly text: string; readonly name?: string }) => void
  readonly bind: (bound: { readonly statement?: string; readonly values: ReadonlyArray<Value> }) => void
  readonly execute: (options: object) => void
  readonly sync: () => void
  readonly on: (event: "parseComplete", listener: () => void) => unknown
  readonly removeListener: (event: "parseComplete", listener: () => void) => unknown
  readonly stream: { readonly cork?: () => void; readonly uncork?: () => void }
}

type Callback = (error: Error | null, answers?: ReadonlyArray<TextRows>) => void

/** The names of what is prepared on a connection; they are others than the driver gives, which does not know of these. */
const preparedOn = new WeakMap<Connection, Set<string>>()

const preparedNames = (connection: Connection): Set<string> => {
  const known = preparedOn.get(connection) ?? new Set()
  preparedOn.set(connection, known)
  return known
}

export class NodePostgresBatch {
  /** Node-postgres calls it by this name, and puts another in its place to watch over the time. */
  callback: Callback
  readonly #statements: ReadonlyArray<Statement>
  readonly #prepare: boolean
  readonly #answers: Array<TextRows> = []
  /** What is being prepared and not confirmed yet; without a name where it is not kept. */
  readonly #parsing: Array<string | undefined> = []
  #rows: Array<ReadonlyArray<Value>> = []
  #stopListening: () => void = () => {}

  constructor(statements: ReadonlyArray<Statement>, prepare: boolean, callback: Callback) {
    this.#statements = statements
    this.#prepare = prepare
    this.callback = callback
  }

  submit(connection: Connection): null {
    const prepared = preparedNames(connection)
    // Prepared is what was confirmed: a later statement may fail, and what was prepared before it stays so.
    const confirm = () => {
      const name = this.#parsing.shift()
      if (name !== undefined) prepared.add(name)
    }
    connection.on("parseComplete", confirm)
    this.#stopListening = () => connection.removeListener("parseComplete", confirm)
    connection.stream.cork?.()
    try {
      for (const { values, wording } of this.#statements) {
        const name = this.#prepare && wording.recurs ? `${wording.name}_b` : undefined
        if (name === undefined || !(prepared.has(name) || this.#parsing.includes(name))) {
          connection.parse(name === undefined ? { text: wording.text } : { text: wording.text, name })
          this.#parsing.push(name)
        }
        connection.bind(name === undefined ? { values } : { statement: name, values })
        connection.execute({})
      }
      connection.sync()
    } finally {
      connection.stream.uncork?.()
    }
    return null
  }

  handleDataRow({ fields }: { readonly fields: ReadonlyArray<Value> }): void {
    this.#rows.push(fields)
  }

  handleCommandComplete(): void {
    this.#answers.push(this.#rows)
    this.#rows = []
  }

  handleReadyForQuery(): void {
    this.#stopListening()
    this.callback(null, this.#answers)
  }

  handleError(error: Error): void {
    this.#stopListening()
    this.callback(error)
  }
}
