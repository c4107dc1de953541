/** What the parts of the benchmark have in common: who is measured, on what, for how long, and what comes out. */
import type { Spread } from "./statistics.ts"

export const storeNames = ["sqlite", "postgres", "mysql", "mariadb"] as const
export type StoreName = (typeof storeNames)[number]

/** Ours; the same effect by hand on the raw driver; what people write today. */
export type SubjectName = "ours" | "raw" | "usual"

/** How much is measured. */
export interface Scale {
  readonly quick: boolean
  /** How often each subject has its turn. The median counts. */
  readonly rounds: number
  /** How long a turn takes, about. */
  readonly seconds: number
}

/** Ours against a yardstick. */
export interface Comparison {
  /** As in `ingest.64.postgres.raw`. */
  readonly key: string
  /** Which of the two is divided: see `ratioOf`. */
  readonly unit: string
  readonly ours: Spread
  readonly theirs: Spread
  /** Ours / theirs. */
  readonly ratio: number
}

/** A value that stands alone, such as how many statements a read is. */
export interface Figure {
  readonly key: string
  readonly unit: string
  readonly value: number
}

export interface Findings {
  readonly comparisons: ReadonlyArray<Comparison>
  readonly figures: ReadonlyArray<Figure>
  /** Of servers and drivers: name and value. */
  readonly versions: Readonly<Record<string, string>>
  /** What decides how durable a commit is, for each store. */
  readonly settings: Readonly<Record<string, string>>
}

export const nothingFound: Findings = { comparisons: [], figures: [], versions: {}, settings: {} }

export const together = (all: ReadonlyArray<Findings>): Findings => ({
  comparisons: all.flatMap(({ comparisons }) => comparisons),
  figures: all.flatMap(({ figures }) => figures),
  versions: Object.assign({}, ...all.map(({ versions }) => versions)),
  settings: Object.assign({}, ...all.map(({ settings }) => settings))
})

export interface Assignment {
  readonly scale: Scale
  readonly stores: ReadonlyArray<StoreName>
  /** Says how far it is. */
  readonly progress: (line: string) => void
}

export interface Part {
  readonly name: string
  readonly run: (assignment: Assignment) => Promise<Findings>
}
