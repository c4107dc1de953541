/** Times as statements take them: ISO 8601 in UTC, which reads the same whatever the session's time zone and style. */

/** Of epoch milliseconds. What lies outside the years 1 to 9999 becomes their first or last moment. */
export const isoOf = (millis: number): string => new Date(Math.min(Math.max(millis, first), last)).toISOString()

export const isoOrNull = (millis: number | null): string | null => (millis === null ? null : isoOf(millis))

const first = Date.parse("0001-01-01T00:00:00.000Z")
const last = Date.parse("9999-12-31T23:59:59.999Z")
