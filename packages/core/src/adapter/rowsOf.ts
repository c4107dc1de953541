/** Reading and writing whole rows of a table, in one dialect: the statements' texts, made once, and what rows become. */
import type { Dialect, Value } from "./Dialect.ts"
import type { Rows, Statement } from "./Script.ts"
import { type ColumnType, sqlName, type Table } from "./tables.ts"

export interface RowAccess<Row> {
  /** `SELECT ... FROM table AS alias`, of the fields that the access is of. */
  readonly select: (from?: { readonly as?: string; readonly index?: string }) => string
  readonly rows: (rows: Rows) => ReadonlyArray<Row>
}

/** Of some of a table's fields. The types are those of the core's rows: see `records/rows.ts`. */
export const accessTo = <Row>(
  dialect: Dialect,
  table: Table,
  fields: ReadonlyArray<keyof Row & string>
): RowAccess<Row> => {
  const columns = fields.map((field) => ({ field, name: sqlName(field), type: typeOf(table, field) }))
  const selected = (as: string | undefined) =>
    columns.map(({ name, type }) => dialect.read(as === undefined ? name : `${as}.${name}`, type)).join(", ")
  return {
    select: ({ as, index } = {}) =>
      `SELECT ${selected(as)} FROM ${dialect.table(table.name)}${as === undefined ? "" : ` AS ${as}`}${index === undefined ? "" : dialect.byIndex(index)}`,
    rows: (rows) =>
      rows.map((values) => {
        const row: Record<string, Value> = {}
        for (const [index, { field, type }] of columns.entries()) row[field] = dialect.decode(values[index], type)
        // The columns are those of the table that the store itself writes.
        return row as Row
      })
  }
}

/** Inserts whole rows. Fields `fromNow` are given in milliseconds, from what the database's clock says then. */
export const writerOf = <Row extends { readonly [Field in keyof Row]: Value | undefined }>(
  dialect: Dialect,
  table: Table,
  ifThere: "replace" | "leave",
  fromNow: ReadonlyArray<keyof Row & string> = []
): ((row: Row) => Statement) => {
  const later = new Set<string>(fromNow)
  const columns = Object.entries(table.columns).map(([field, { type }]) => ({
    field,
    name: sqlName(field),
    type,
    place: later.has(field) ? dialect.later(0).text : dialect.place(type)
  }))
  const text = dialect.insert(table, columns, ifThere)
  return (row) => {
    const given = row as Readonly<Record<string, Value | undefined>>
    return {
      text,
      values: columns.flatMap(({ field, type }) =>
        later.has(field) ? dialect.later(Number(given[field])).values : [dialect.encode(given[field] ?? null, type)]
      )
    }
  }
}

/** A value in its place. */
export const valueIn =
  (dialect: Dialect) =>
  (value: Value, type: ColumnType): Statement => ({
    text: dialect.place(type),
    values: [dialect.encode(value, type)]
  })

const typeOf = (table: Table, field: string): ColumnType => {
  const column = table.columns[field]
  if (column === undefined) throw new Error(`the table ${table.name} has no column ${sqlName(field)}`)
  return column.type
}
