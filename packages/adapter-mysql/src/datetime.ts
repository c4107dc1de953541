/** Times as DATETIME in UTC, which goes to and comes from the server as text. */
import { isoOf } from "@kavach-polar/core/adapter"

/** `2026-10-05 14:22:08.455`, of epoch milliseconds. */
export const datetimeOf = (millis: number): string => isoOf(millis).replace("T", " ").slice(0, -1)

/** Epoch milliseconds. What comes after them, which is nothing that was written here, is cut off. */
export const millisOf = (datetime: string): number => Date.parse(`${datetime.replace(" ", "T")}Z`)
