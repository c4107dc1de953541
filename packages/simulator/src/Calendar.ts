/** Time as billing counts it: days, and months of different lengths. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import type { Interval } from "./Records.ts"

export const second = 1_000_000
export const minute = 60 * second
export const hour = 60 * minute
export const day = 24 * hour

export const plus = (at: EpochMicros, micros: number): EpochMicros => (at + micros) as EpochMicros

export const anchorDayOf = (at: EpochMicros): number => new Date(at / 1000).getUTCDate()

/**
 * The end of the period that begins at `start`. Months end on the anchor day where they have one, else on their last day:
 * 31 January, 28 February, 31 March.
 */
export const periodEnd = (
  start: EpochMicros,
  interval: Interval,
  count: number,
  anchorDay = anchorDayOf(start)
): EpochMicros => {
  if (interval === "day" || interval === "week") return plus(start, count * day * (interval === "week" ? 7 : 1))
  const date = new Date(Math.floor(start / 1000))
  const month = date.getUTCMonth() + count * (interval === "year" ? 12 : 1)
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)).getUTCDate()
  date.setUTCFullYear(date.getUTCFullYear(), month, Math.min(anchorDay, lastDay))
  return plus((date.getTime() * 1000) as EpochMicros, start % 1000)
}

/** ISO 8601 as Polar writes it: up to six fractional digits, none when they are all zero. */
export const iso = (micros: EpochMicros): string => {
  const seconds = new Date(Math.floor(micros / 1000)).toISOString().slice(0, 19)
  const fraction = micros % second
  return fraction === 0 ? `${seconds}Z` : `${seconds}.${String(fraction).padStart(6, "0")}Z`
}

export const isoOrNull = (micros: EpochMicros | null): string | null => (micros === null ? null : iso(micros))
