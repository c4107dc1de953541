/** A body without what may be about a person. */

/** Texts under these keys are words of Polar's, and about nobody. */
const plain = new Set([
  "api_version",
  "benefit_type",
  "billing_reason",
  "currency",
  "interval",
  "meter_interval",
  "reason",
  "recurring_interval",
  "role",
  "status",
  "type",
  "visibility"
])

const isId = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
const isTime = (text: string): boolean => /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text)

/** Indented. Every text goes but ids of Polar's, times, and words of Polar's own: what is not known to be harmless is not shown. */
export const foldedBody = (body: string): string => {
  const fold = (key: string, value: unknown): unknown =>
    typeof value !== "string" || plain.has(key) || isId(value) || isTime(value) ? value : "…"
  try {
    return JSON.stringify(JSON.parse(body, fold), (key, value) => (isFolded(key) && value !== null ? "…" : value), 2)
  } catch {
    return "…"
  }
}

/** Here numbers and names of keys may be about a person, too. */
const isFolded = (key: string): boolean =>
  ["metadata", "custom_field_data", "seat_metadata", "properties"].includes(key)
