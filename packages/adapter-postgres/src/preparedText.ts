/** A statement's text as PostgreSQL takes it, made once: there are few, whatever the values. */
import { createHash } from "node:crypto"

export interface PreparedText {
  /** With `$1`, `$2` for the values. */
  readonly text: string
  /** The same text has the same name in every process, whoever prepared it on a connection that they share. */
  readonly name: string
  /** Whether it comes again and again, and is worth preparing; what makes tables does not. */
  readonly recurs: boolean
}

const known = new Map<string, PreparedText>()

export const preparedText = (statement: string, hasValues: boolean): PreparedText => {
  const found = known.get(statement)
  if (found !== undefined) return found
  const text = hasValues
    ? statement.split("?").reduce((before, after, place) => `${before}$${place}${after}`)
    : statement
  const made = {
    text,
    name: `kavach_polar_${createHash("sha256").update(text).digest("hex").slice(0, 32)}`,
    recurs: /^(SELECT|INSERT|UPDATE)\b/.test(statement)
  }
  known.set(statement, made)
  return made
}
