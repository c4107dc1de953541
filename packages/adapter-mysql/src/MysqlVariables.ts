/**
 * Long texts beside a message: they go ahead of it into variables of the session, as parameters of a prepared statement,
 * and the message names the variables. The server need not read through a text to find its end, which for a delivery's
 * body is more work than to store it.
 */
import { literal, places, type Statement, statement, type Writer } from "./MysqlStatement.ts"

/** In characters. */
export const longText = 200

export interface Variables {
  /** Writes the variable's name for a long text, and any other as it is. */
  readonly write: Writer
  /** To be run before the message, and in their order. */
  readonly assignments: () => ReadonlyArray<Statement>
}

/** As many variables share an assignment. What it does not need becomes NULL, so there are few texts to prepare. */
const sizes = { few: 8, many: 128 }

/** An assignment has so many characters at most, or a single text. */
export const make = (portionLength: number): Variables => {
  const portions: Array<Array<string>> = []
  let length = 0
  return {
    write: (text) => {
      if (text.length <= longText) return literal(text)
      let portion = portions.at(-1)
      if (portion === undefined || portion.length === sizes.many || length + text.length > portionLength) {
        portion = []
        portions.push(portion)
        length = 0
      }
      length += text.length
      return nameOf(portions.length - 1, portion.push(text) - 1)
    },
    assignments: () =>
      portions.map((portion, index) => {
        const size = portion.length <= sizes.few ? sizes.few : sizes.many
        return statement(
          assignmentOf(index, size),
          ...portion,
          ...Array.from({ length: size - portion.length }, nothing)
        )
      })
  }
}

const nameOf = (portion: number, index: number): string => `@kavach_polar_${portion * sizes.many + index}`

const assignmentOf = (portion: number, size: number): string => {
  const key = `${portion} ${size}`
  const known = assignmentTexts.get(key)
  if (known !== undefined) return known
  const text = `SET ${Array.from({ length: size }, (_, index) => `${nameOf(portion, index)} = ${places([index])}`).join(", ")}`
  assignmentTexts.set(key, text)
  return text
}

const assignmentTexts = new Map<string, string>()
const nothing = () => null
