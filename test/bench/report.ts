/** Findings as people and programs read them. */
import type { Comparison, Findings } from "./Bench.ts"
import type { Spread } from "./statistics.ts"

/** Three digits, and no more. */
export const rounded = (value: number): number => Number(value.toPrecision(3))

export const shown = (value: number): string =>
  value >= 100 ? Math.round(value).toString() : rounded(value).toString()

/** The median, with the least and the most in brackets. */
export const shownSpread = ({ least, median, most }: Spread): string =>
  `${shown(median)} (${shown(least)}–${shown(most)})`

export const columns = ["key", "ours", "yardstick", "unit", "ratio"] as const

export const cells = ({ key, ours, ratio, theirs, unit }: Comparison): ReadonlyArray<string> => [
  key,
  shownSpread(ours),
  shownSpread(theirs),
  unit,
  ratio.toFixed(2)
]

export const textTable = ({ comparisons, figures }: Findings): string => {
  const rows = [columns, ...comparisons.map(cells)]
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return [
    ...rows.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd()
    ),
    ...figures.map(({ key, unit, value }) => `${key}: ${shown(value)} ${unit}`)
  ].join("\n")
}

export const lastLine = ({ comparisons, figures }: Findings): string =>
  JSON.stringify({
    ratios: Object.fromEntries(comparisons.map(({ key, ratio }) => [key, rounded(ratio)])),
    figures: Object.fromEntries(figures.map(({ key, value }) => [key, rounded(value)]))
  })
