/** Times as text: ISO 8601 in UTC with milliseconds, which reads and sorts as it is. */

/** Of epoch milliseconds. What lies outside the years 0 to 9999 becomes their first or last moment. */
export const isoOf = (millis: number): string => new Date(Math.min(Math.max(millis, first), last)).toISOString()

const first = Date.parse("0000-01-01T00:00:00.000Z")
const last = Date.parse("9999-12-31T23:59:59.999Z")

/** A time that somebody wrote as none that can be read counts as long ago, and holds up nothing else that is read with it. */
export const readableTime = (millis: number): number => (Number.isFinite(millis) ? millis : 0)
