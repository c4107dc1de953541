/**
 * Selects from several tables as one statement, because each statement is a way to the server and back. All of it is read
 * at one moment.
 */
import type { Row, Rows } from "./MysqlRows.ts"
import { join, type Statement, statement } from "./MysqlStatement.ts"

/** Rows with these columns, from one place or from several that have them all. A row that is found twice is there twice. */
export interface Part {
  readonly columns: ReadonlyArray<string>
  /** What follows FROM. */
  readonly from: ReadonlyArray<Statement>
}

/** Every part has columns of its own, which are NULL in the rows of the others: their types and collations never meet. */
export const select = (parts: Readonly<Record<string, Part>>): Statement | undefined => {
  const all = Object.values(parts)
  const width = all.reduce((total, { columns }) => total + columns.length, 0)
  const selects: Array<Statement> = []
  let before = 0
  for (const [index, { columns, from }] of all.entries()) {
    const own = [String(index), ...nulls(before), ...columns, ...nulls(width - before - columns.length)]
    before += columns.length
    for (const { text, values } of from) {
      // MariaDB wants columns of different names.
      const named = selects.length > 0 ? own : own.map((column, place) => `${column} AS c${place}`)
      selects.push(statement(`SELECT ${named.join(", ")} FROM ${text}`, ...values))
    }
  }
  return selects.length === 0 ? undefined : join(selects, " UNION ALL ")
}

/** Of each part its rows, with its own columns. */
export const rowsOf = <Parts extends Readonly<Record<string, Part>>>(
  parts: Parts,
  rows: Rows
): { readonly [Name in keyof Parts]: Rows } => {
  let end = 1
  const found = Object.entries(parts).map(([name, { columns }]) => {
    const start = end
    end += columns.length
    return { name, start, end, own: [] as Array<Row> }
  })
  for (const row of rows) {
    // The pool may be one that yields numbers as text.
    const part = found[Number(row[0])]
    part?.own.push(row.slice(part.start, part.end))
  }
  const all: Record<string, Rows> = Object.fromEntries(found.map(({ name, own }) => [name, own]))
  return all as { readonly [Name in keyof Parts]: Rows }
}

const nulls = (count: number): ReadonlyArray<string> => Array.from({ length: count }, () => "NULL")
