/** What is kept of an error of a database for the log. */

/**
 * Where it came from: its name, its code and its stack, with `detail` for a message. Its own message may hold SQL and values,
 * so nothing of that is kept.
 */
export const errorCause = (error: unknown, detail: string): Error | undefined => {
  const inner = innermost(error)
  if (!(inner instanceof Error)) return undefined
  const cause = new Error(detail)
  cause.name = inner.name
  cause.stack = `${inner.name}: ${detail}${framesOf(inner)}`
  return cause
}

const innermost = (error: unknown): unknown => {
  let current = error
  for (let depth = 0; depth < 10 && current instanceof Error && current.cause !== undefined; depth++) {
    current = current.cause
  }
  return current
}

/** What follows the message, which may have lines of its own. */
const framesOf = ({ message, stack = "" }: Error): string => {
  const at = stack.indexOf(message)
  const frames = (at < 0 ? "" : stack.slice(at + message.length)).split("\n").filter((line) => /^ +at /.test(line))
  return frames.map((line) => `\n${line}`).join("")
}
