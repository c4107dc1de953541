/**
 * Values on their way into statements. Lists go in as one parameter each, an array in PostgreSQL's own notation, so that a
 * statement stays the same however long they are. Every parameter is declared as text, of which all drivers make the same.
 */
import { type SQL, sql } from "drizzle-orm"
import { isoOf, isoOrNull } from "./PostgresTime.ts"

export const text = (value: string | null): SQL => sql`${value === null ? null : storable(value)}::text`
export const time = (millis: number): SQL => sql`${isoOf(millis)}::text::timestamptz`

/** At most so many rows. */
export const count = (limit: number): SQL =>
  sql`${String(Math.min(Math.max(Math.trunc(limit), 0), 2 ** 31 - 1))}::text::bigint`

export const texts = (values: ReadonlyArray<string | null>): SQL => array(values, sql`text`)
export const uuids = (values: ReadonlyArray<string>): SQL => array(values, sql`uuid`)
export const bigints = (values: ReadonlyArray<number | null>): SQL => array(values, sql`bigint`)
export const booleans = (values: ReadonlyArray<boolean>): SQL => array(values, sql`boolean`)
export const times = (millis: ReadonlyArray<number | null>): SQL => array(millis.map(isoOrNull), sql`timestamptz`)

/**
 * Each text as a parameter of its own, which neither side has to take apart. There are as many parameters as the next power
 * of two, so that there are few different statements.
 */
export const longTexts = (values: ReadonlyArray<string | null>): SQL => {
  const places = 2 ** Math.ceil(Math.log2(Math.max(values.length, 1)))
  const all = Array.from({ length: places }, (_, index) => {
    const value = values[index] ?? null
    return sql`${value === null ? null : storable(value)}`
  })
  return sql`(ARRAY[${sql.join(all, sql`, `)}]::text[])[1:${String(values.length)}::text::int]`
}

const array = (values: ReadonlyArray<string | number | boolean | null>, type: SQL): SQL =>
  sql`${`{${values.map(element).join()}}`}::text::${type}[]`

const element = (value: string | number | boolean | null): string =>
  value === null
    ? "NULL"
    : typeof value === "string"
      ? `"${storable(value).replaceAll(/["\\]/g, "\\$&")}"`
      : String(value)

/** Text of PostgreSQL's cannot hold NUL. The core keeps it out of what it stores; it may stand in an error's message. */
const storable = (value: string): string => value.replaceAll("\0", "\ufffd")

/** The rows of a query, as a JSON array of objects that are named as its columns are. */
export const listOf = (query: SQL): SQL =>
  sql`(SELECT coalesce(json_agg(to_json(listed)), '[]') FROM (${query}) AS listed)`

/** A column with a time, in epoch milliseconds. */
export const millis = (column: SQL): SQL => sql`(extract(epoch FROM ${column}) * 1000)::bigint`
