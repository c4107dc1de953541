/** Medians and percentiles. */

/** What several rounds gave: the one in the middle, and how far they were apart. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = ascending(values)
  const half = sorted.length / 2
  return Number.isInteger(half) ? (at(sorted, half - 1) + at(sorted, half)) / 2 : at(sorted, Math.floor(half))
}

/** The smallest value that `share` of all values do not exceed (nearest rank). */
export const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = ascending(values)
  return at(sorted, Math.max(Math.ceil(share * sorted.length) - 1, 0))
}

export const spread = (values: ReadonlyArray<number>): Spread => ({
  median: median(values),
  least: percentile(values, 0),
  most: percentile(values, 1)
})

const ascending = (values: ReadonlyArray<number>): ReadonlyArray<number> => [...values].sort((a, b) => a - b)

const at = (values: ReadonlyArray<number>, index: number): number => {
  const value = values[index]
  if (value === undefined) throw new RangeError("no values, no statistics")
  return value
}
