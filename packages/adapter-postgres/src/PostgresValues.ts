/**
 * Values on their way into statements. Lists go in as one parameter each, so that a statement stays the same however long
 * they are: of ids an array in PostgreSQL's own notation, of records JSON. Every parameter is declared as text, of which all
 * drivers make the same.
 */
import { join, raw, type Statement, sql } from "./PostgresStatement.ts"
import { isoOrNull } from "./PostgresTime.ts"

export const text = (value: string | null): Statement => sql`${value === null ? null : storable(value)}::text`
export const uuid = (value: string | null): Statement => sql`${value}::text::uuid`
export const time = (millis: number | null): Statement => sql`${isoOrNull(millis)}::text::timestamptz`

/** At most so many rows. */
export const count = (limit: number): Statement =>
  sql`${String(Math.min(Math.max(Math.trunc(limit), 0), 2 ** 31 - 1))}::text::bigint`

export const texts = (values: ReadonlyArray<string | null>): Statement => array(values, sql`text`)
export const uuids = (values: ReadonlyArray<string>): Statement => array(values, sql`uuid`)

/** The columns of records, and what they are to PostgreSQL. */
export type Columns = Readonly<Record<string, "text" | "uuid" | "bigint" | "boolean" | "timestamptz" | "timestamp">>

/** One value for each column. */
export type Row<Of extends Columns> = { readonly [Name in keyof Of]: string | number | boolean | null }

/**
 * A source of rows that is named `name`, for records to be given to. They go in as one JSON parameter: of all that was
 * measured, neither the driver nor the server has less work with anything else, and the statement stays the same however
 * many there are.
 */
export const recordsOf = <Of extends Columns>(name: string, columns: Of) => {
  const declaration = raw(`${name} (${declared(columns)})`)
  return (rows: ReadonlyArray<Row<Of>>): Statement =>
    sql`json_to_recordset(${json(rows)}::text::json) AS ${declaration}`
}

/** The same with a further column of long texts, which go in as they are. */
export const recordsWithTexts = <Of extends Columns>(name: string, columns: Of, textColumn: string) => {
  const declaration = raw(`(${declared(columns)})`)
  const names = raw(`${name} (${[...Object.keys(columns), textColumn].join(", ")})`)
  return (rows: ReadonlyArray<Row<Of>>, texts: ReadonlyArray<string | null>): Statement =>
    sql`ROWS FROM (json_to_recordset(${json(rows)}::text::json) AS ${declaration}, unnest(${longTexts(texts)})) AS ${names}`
}

const declared = (columns: Columns): string =>
  Object.entries(columns)
    .map(([name, type]) => `${name} ${type}`)
    .join(", ")

const json = (rows: ReadonlyArray<unknown>): string => {
  const text = JSON.stringify(rows)
  // An escape of JSON's that stands for what PostgreSQL cannot hold, or text that looks like one.
  return unstorableEscape.test(text)
    ? JSON.stringify(rows, (_, value) => (typeof value === "string" ? storable(value) : value))
    : text
}

const unstorableEscape = /\\u(?:0000|d[89a-f])/

/**
 * Each text as a parameter of its own, which neither side has to take apart. There are as many parameters as the next power
 * of two, so that there are few different statements.
 */
const longTexts = (values: ReadonlyArray<string | null>): Statement => {
  const places = 2 ** Math.ceil(Math.log2(Math.max(values.length, 1)))
  const all = Array.from({ length: places }, (_, index) => {
    const value = values[index] ?? null
    return sql`${value === null ? null : storable(value)}`
  })
  return sql`(ARRAY[${join(all, ", ")}]::text[])[1:${String(values.length)}::text::int]`
}

const array = (values: ReadonlyArray<string | null>, type: Statement): Statement =>
  sql`${`{${values.map(element).join()}}`}::text::${type}[]`

const element = (value: string | null): string =>
  value === null ? "NULL" : `"${storable(value).replaceAll(/["\\]/g, "\\$&")}"`

/**
 * Text of PostgreSQL's cannot hold NUL, nor halves of surrogate pairs. The core keeps both out of what it stores; they may
 * stand in an error's message.
 */
const storable = (value: string): string => value.replaceAll(unstorable, "\ufffd")

const unstorable = /\0|\p{Surrogate}/gu

/** The rows of a query, as a JSON array of objects that are named as its columns are. */
export const listOf = (query: Statement): Statement =>
  sql`(SELECT coalesce(json_agg(to_json(listed)), '[]') FROM (${query}) AS listed)`

/** A column with a time, in epoch milliseconds. */
export const millis = (column: Statement): Statement => sql`(extract(epoch FROM ${column}) * 1000)::bigint`
