/** A type of events as a label of metrics. */
import { polarEventTypes } from "../records/eventTypes.ts"

const known: ReadonlySet<string> = new Set(polarEventTypes)

/** `other` of one that Polar's documentation does not have: labels are kept for ever, so there must be few. */
export const typeLabel = (type: string): string => (known.has(type) ? type : "other")
