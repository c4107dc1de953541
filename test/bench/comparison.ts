import type { Comparison } from "./Bench.ts"
import type { Spread } from "./statistics.ts"

export const comparison = (key: string, unit: string, ours: Spread, theirs: Spread): Comparison => ({
  key,
  unit,
  ours,
  theirs,
  ratio: ours.median / theirs.median
})
