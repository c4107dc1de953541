/** Times on the command line. */
import { wrong } from "./Terminal.ts"

/** A time as it is typed: `2026-11-24` is the beginning of that day in UTC. */
export const dateOf = (option: string, text: string): Date => {
  const date = new Date(text)
  if (Number.isNaN(date.getTime()) || !/^\d{4}-\d\d-\d\d/.test(text)) {
    throw wrong(`${option} "${text}" is no time: write 2026-11-24 or 2026-11-24T10:00:00Z.`)
  }
  return date
}
