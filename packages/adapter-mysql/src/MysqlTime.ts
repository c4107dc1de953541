/** Times as the tables hold them: DATETIME(6) in UTC, which goes to and comes from the server as text. */

/** `2026-10-05 14:22:08.455`, of epoch milliseconds. What lies outside the years 0 to 9999 becomes their first or last moment. */
export const datetimeOf = (millis: number): string => isoOf(millis).replace("T", " ").slice(0, -1)

/** ISO 8601 with milliseconds and `Z`, of epoch milliseconds, within the same years. */
export const isoOf = (millis: number): string => new Date(Math.min(Math.max(millis, first), last)).toISOString()

/** Epoch milliseconds. What comes after them, which is nothing that was written here, is cut off. */
export const millisOf = (datetime: string): number => Date.parse(`${datetime.replace(" ", "T")}Z`)

const first = Date.parse("0000-01-01T00:00:00.000Z")
const last = Date.parse("9999-12-31T23:59:59.999Z")

export const datetimeOrNull = (millis: number | null): string | null => (millis === null ? null : datetimeOf(millis))
export const millisOrNull = (datetime: string | null): number | null => (datetime === null ? null : millisOf(datetime))
