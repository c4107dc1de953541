/** Text of others, such as Polar, a buyer, a driver or the app's own code, as it may stand in a log or in a message. */
import * as Cause from "effect/Cause"

// Control characters of both sets, line and paragraph separators, what turns the direction of text, and halves of pairs:
// with them a text writes lines of its own, or moves the terminal's cursor.
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}\p{Bidi_Control}]/gu

const short: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const escaped = (character: string): string =>
  short[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/** On one line, with what is unprintable written as JSON writes it, and no longer than `maxLength` characters or so. */
export const oneLine = (text: string, maxLength = 1000): string => {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  return cut.replace(unprintable, escaped)
}

/**
 * A cause with its stacks, on one line: loggers print a cause as it is, and a message in it may be another's text, which
 * would write lines of its own.
 */
export const causeLine = (cause: Cause.Cause<unknown>): string =>
  oneLine(Cause.pretty(cause, { renderErrorCause: true }), 8000)
