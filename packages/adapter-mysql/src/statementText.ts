/**
 * A statement as text alone, for what takes no parameters beside it.
 *
 * Every value stands in it as digits: of a number, or hexadecimal ones of UTF-8. So all of it is ASCII, nothing in it needs
 * escaping, and no mode or character set of a session, and no proxy on the way, can read a value as anything else.
 */
import type { SqlValue, Statement } from "@kavach-polar/core/adapter"

export const statementText = ({ text, values }: Statement): string => {
  if (values.length === 0) return text
  const pieces = text.split("?")
  return values.reduce<string>(
    (written, value, index) => written + literal(value) + (pieces[index + 1] ?? ""),
    pieces[0] ?? ""
  )
}

/** What is no character in JavaScript's text, half of a surrogate pair, becomes U+FFFD. */
const literal = (value: SqlValue): string => {
  if (value === null) return "NULL"
  if (typeof value === "string") return `_utf8mb4 X'${Buffer.from(value).toString("hex")}'`
  if (!Number.isFinite(value)) throw new TypeError("a value is not a number that a database knows")
  return String(value)
}
