/**
 * What a driver does with its database, written once for synchronous and asynchronous databases: a generator that yields
 * statements and gets their rows.
 */

/** What goes to a database as a parameter. */
export type SqlValue = string | number | null

/** SQL with a `?` for each of its values, in their order. No value is ever part of the text. */
export interface Statement {
  readonly text: string
  readonly values: ReadonlyArray<SqlValue>
}

/** Of each row its values, in the order of the columns. */
export type Rows = ReadonlyArray<ReadonlyArray<unknown>>

/** Statements that may go to the server in one message. They run in turn, and each sees what those before it did. */
export interface Batch {
  readonly statements: ReadonlyArray<Statement>
  /** The transaction's last: it is committed with them. */
  readonly commits: boolean
}

/** Gets, for each batch, the rows of each of its statements. */
export type Script<A> = Generator<Batch, A, ReadonlyArray<Rows>>

/** Runs statements, and goes on with their rows. */
export function* ask(...statements: ReadonlyArray<Statement>): Script<ReadonlyArray<Rows>> {
  return yield { statements, commits: false }
}

/** The rows of one statement. */
export function* askOne(statement: Statement): Script<Rows> {
  return (yield { statements: [statement], commits: false })[0] ?? []
}

/** The same with the transaction's last statements. A script that ends without is rolled back. */
export function* commit(...statements: ReadonlyArray<Statement>): Script<ReadonlyArray<Rows>> {
  return yield { statements, commits: true }
}

export const runSync = <A>(script: Script<A>, run: (batch: Batch) => ReadonlyArray<Rows>): A => {
  let next = script.next()
  while (next.done !== true) next = script.next(run(next.value))
  return next.value
}

export const runAsync = async <A>(
  script: Script<A>,
  run: (batch: Batch) => Promise<ReadonlyArray<Rows>>
): Promise<A> => {
  let next = script.next()
  while (next.done !== true) next = script.next(await run(next.value))
  return next.value
}

/** A part of a statement. */
export const part = (text: string, ...values: ReadonlyArray<SqlValue>): Statement => ({ text, values })

/** Parts one after the other, with the separator between them. */
export const join = (parts: ReadonlyArray<Statement>, separator: string): Statement => ({
  text: parts.map(({ text }) => text).join(separator),
  values: parts.flatMap(({ values }) => values)
})

/** A template of SQL: parts and texts become part of the text. Values go in by `Dialect.value`. */
export const sql = (strings: TemplateStringsArray, ...parts: ReadonlyArray<Statement | string>): Statement => {
  let text = strings[0] ?? ""
  const values: Array<SqlValue> = []
  for (const [index, each] of parts.entries()) {
    if (typeof each === "string") text += each
    else {
      text += each.text
      values.push(...each.values)
    }
    text += strings[index + 1] ?? ""
  }
  return { text, values }
}

/** A statement, and what its rows say. */
export interface Question<A> {
  /** `undefined` asks nothing. */
  readonly statement: Statement | undefined
  readonly of: (rows: Rows) => A
}
