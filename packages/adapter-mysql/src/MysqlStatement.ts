/** SQL with a place, `?`, for each of its values. The text is this adapter's alone: nothing of anybody's is ever in it. */

export type Value = string | number | null

export interface Statement {
  readonly text: string
  readonly values: ReadonlyArray<Value>
}

export const statement = (text: string, ...values: ReadonlyArray<Value>): Statement => ({ text, values })

export const isInsert = ({ text }: Statement): boolean => text.startsWith("INSERT ")

/** One after the other. */
export const join = (parts: ReadonlyArray<Statement>, separator: string): Statement => ({
  text: parts.map(({ text }) => text).join(separator),
  values: parts.flatMap(({ values }) => values)
})

/** As many places as there are values, separated by commas. `place` is what each is written as. */
export const places = (values: ReadonlyArray<unknown>, place = "?"): string =>
  values.length === 0 ? "" : place + `, ${place}`.repeat(values.length - 1)

/** MySQL takes whole numbers only. */
export const limitOf = (limit: number): number => Math.min(Math.max(Math.trunc(limit), 0), 2 ** 31 - 1)

/** In characters, about. Texts that are longer than `longest` are not counted. */
export const lengthOf = ({ text, values }: Statement, longest = Number.POSITIVE_INFINITY): number => {
  let length = text.length
  for (const value of values) length += typeof value === "string" && value.length <= longest ? value.length : 20
  return length
}

/** Writes a text into a statement. */
export type Writer = (text: string) => string

/**
 * The statement with its values in it, on one condition that makes it safe to send together with others: no character of
 * a value means anything there, whatever the session's modes and character sets are. So nothing is escaped.
 */
export const rendered = ({ text, values }: Statement, write: Writer = literal): string => {
  let result = ""
  let from = 0
  for (const value of values) {
    const place = text.indexOf("?", from)
    result += text.slice(from, place)
    result += value === null ? "NULL" : typeof value === "string" ? write(value) : digitsOf(value)
    from = place + 1
  }
  return result + text.slice(from)
}

/**
 * What is not all of ASCII's printable characters, or has one of the two that have a meaning between quotes, goes as
 * hexadecimal digits.
 */
export const literal: Writer = (text) =>
  meansNothing.test(text) ? `'${text}'` : `_utf8mb4 x'${Buffer.from(text).toString("hex")}'`

const digitsOf = (value: number): string => {
  if (!Number.isFinite(value)) throw new TypeError("a value is not a number that a database knows")
  return String(value)
}

/** All but `'` and `\`. */
const meansNothing = /^[\x20-\x26\x28-\x5b\x5d-\x7e]*$/
