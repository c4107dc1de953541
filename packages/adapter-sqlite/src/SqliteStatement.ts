/**
 * Statements that drizzle builds, each prepared once. drizzle's own prepared query looks at every parameter anew in every
 * run, to find the placeholders among them. On better-sqlite3 they are found once, and the driver's statement is called
 * itself: that is cheaper than the statement, where it is a small one. Elsewhere drizzle runs them.
 */
import { type Column, is, Param, Placeholder, type Query } from "drizzle-orm"
import type { BetterSqlite3Client, SqliteDatabase } from "./SqliteDatabase.ts"

/** Where statements are built, and the driver's connection if they may be run on it. */
export type Preparing = Pick<SqliteDatabase, "client" | "drizzle">

/** What is selected, by the names that the rows have it under. */
export type Columns = Readonly<Record<string, Column>>

/** By the names of the placeholders. */
type Values = Readonly<Record<string, unknown>>

interface Built<Prepared> {
  readonly toSQL: () => Query
  readonly prepare: () => Prepared
}

type BuiltWrite = Built<{ readonly run: (values: Record<string, unknown>) => unknown }>
type BuiltSelect<Row> = Built<{ readonly all: (values: Record<string, unknown>) => ReadonlyArray<Row> }>

export const writing = ({ client }: Preparing, built: BuiltWrite): ((values: Values) => void) => {
  if (client === undefined) {
    const prepared = built.prepare()
    return (values) => void prepared.run(values)
  }
  const { parametersOf, statement } = prepareOn(client, built)
  return (values) => void statement.run(...parametersOf(values))
}

/** A raw row of better-sqlite3's. */
type Cells = ReadonlyArray<unknown>

/** A statement that yields rows with these columns. */
export const selecting = <Selected extends Columns, Row>(
  { client }: Preparing,
  columns: Selected,
  build: (columns: Selected) => BuiltSelect<Row>
): ((values: Values) => ReadonlyArray<Row>) => {
  const built = build(columns)
  if (client === undefined) {
    const prepared = built.prepare()
    return (values) => prepared.all(values)
  }
  const { parametersOf, statement } = prepareOn(client, built)
  const rows = statement.raw(true)
  const fields = Object.entries(columns)
  const rowOf = (cells: Cells): Row => {
    const row: Record<string, unknown> = {}
    let index = 0
    for (const [name, column] of fields) {
      const cell = cells[index++]
      row[name] = cell === null ? null : column.mapFromDriverValue(cell)
    }
    // drizzle has derived the type from the same columns.
    return row as Row
  }
  return (values) => (rows.all(...parametersOf(values)) as ReadonlyArray<Cells>).map(rowOf)
}

const prepareOn = (client: BetterSqlite3Client, built: Built<unknown>) => {
  const { params, sql } = built.toSQL()
  const parameters = params.map(parameterOf)
  return {
    statement: client.prepare(sql),
    parametersOf: (values: Values) => parameters.map((parameter) => parameter(values))
  }
}

const parameterOf = (parameter: unknown): ((values: Values) => unknown) => {
  if (is(parameter, Placeholder)) {
    const { name } = parameter
    return (values) => values[name]
  }
  if (is(parameter, Param) && is(parameter.value, Placeholder)) {
    const { encoder, value } = parameter
    const { name } = value
    return (values) => encoder.mapToDriverValue(values[name])
  }
  return () => parameter
}
