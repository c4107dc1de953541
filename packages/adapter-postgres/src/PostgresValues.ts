/**
 * Values on their way into statements. Lists go in as one parameter each, so that a statement stays the same however long
 * they are: of ids an array in PostgreSQL's own notation, of records JSON. Every parameter is declared as text, of which all
 * drivers make the same.
 */
import { type SQL, sql } from "drizzle-orm"
import { isoOrNull } from "./PostgresTime.ts"

export const text = (value: string | null): SQL => sql`${value === null ? null : storable(value)}::text`
export const time = (millis: number | null): SQL => sql`${isoOrNull(millis)}::text::timestamptz`

/** At most so many rows. */
export const count = (limit: number): SQL =>
  sql`${String(Math.min(Math.max(Math.trunc(limit), 0), 2 ** 31 - 1))}::text::bigint`

export const texts = (values: ReadonlyArray<string | null>): SQL => array(values, sql`text`)
export const uuids = (values: ReadonlyArray<string>): SQL => array(values, sql`uuid`)

/** The columns of records, and what they are to PostgreSQL. */
export type Columns = Readonly<Record<string, "text" | "uuid" | "bigint" | "boolean" | "timestamptz" | "timestamp">>

/** One value for each column. */
export type Row<Of extends Columns> = { readonly [Name in keyof Of]: string | number | boolean | null }

/**
 * Records as a source of rows that is named `name`. They go in as one JSON parameter: of all that was measured, neither the
 * driver nor the server has less work with anything else, and the statement stays the same however many there are.
 */
export const records = <Of extends Columns>(name: string, columns: Of, rows: ReadonlyArray<Row<Of>>): SQL =>
  sql`json_to_recordset(${json(rows)}::text::json) AS ${sql.raw(`${name} (${declared(columns)})`)}`

/** The same with a further column of long texts, which go in as they are. */
export const recordsWith = <Of extends Columns>(
  name: string,
  columns: Of,
  rows: ReadonlyArray<Row<Of>>,
  texts: { readonly name: string; readonly values: ReadonlyArray<string | null> }
): SQL => {
  const given = sql`json_to_recordset(${json(rows)}::text::json) AS ${sql.raw(`(${declared(columns)})`)}`
  return sql`ROWS FROM (${given}, unnest(${longTexts(texts.values)})) AS ${sql.raw(
    `${name} (${[...Object.keys(columns), texts.name].join(", ")})`
  )}`
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
const longTexts = (values: ReadonlyArray<string | null>): SQL => {
  const places = 2 ** Math.ceil(Math.log2(Math.max(values.length, 1)))
  const all = Array.from({ length: places }, (_, index) => {
    const value = values[index] ?? null
    return sql`${value === null ? null : storable(value)}`
  })
  return sql`(ARRAY[${sql.join(all, sql`, `)}]::text[])[1:${String(values.length)}::text::int]`
}

const array = (values: ReadonlyArray<string | null>, type: SQL): SQL =>
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
export const listOf = (query: SQL): SQL =>
  sql`(SELECT coalesce(json_agg(to_json(listed)), '[]') FROM (${query}) AS listed)`

/** A column with a time, in epoch milliseconds. */
export const millis = (column: SQL): SQL => sql`(extract(epoch FROM ${column}) * 1000)::bigint`
