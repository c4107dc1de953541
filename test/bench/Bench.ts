/** What the parts of the benchmark have in common: who is measured, on what, for how long, and what comes out. */
import type { BenchServer } from "./databases/BenchDatabase.ts"
import { median, type Spread, spread } from "./statistics.ts"

export const storeNames = ["sqlite", "libsql", "postgres", "postgres-js", "mysql", "mariadb"] as const
export type StoreName = (typeof storeNames)[number]

/** Ours; the same effect by hand on the raw driver; reads of ours' tables by hand on it; ours of another checkout. */
export type SubjectName = "ours" | "cached" | "raw" | "bareReads" | "before"

/** How much is measured. */
export interface Scale {
  readonly quick: boolean
  /** How often each subject has its turn. The median counts. */
  readonly rounds: number
  /** How long a turn takes, about. */
  readonly seconds: number
  /** Only these numbers of deliveries in flight. */
  readonly inFlight?: ReadonlyArray<number>
  /** The bundled programs of another checkout, whose ours takes part as `before`. */
  readonly against?: string
  /** A folder for a CPU profile of each subject. Profiling takes time of its own: such figures are not for comparing. */
  readonly profiles?: string
}

/** Ours against a yardstick. */
export interface Comparison {
  /** As in `ingest.64.postgres.raw`. */
  readonly key: string
  readonly unit: string
  readonly ours: Spread
  readonly theirs: Spread
  /** Ours / theirs: the median of the rounds' own ratios. */
  readonly ratio: number
}

/** Values round by round. Those of one round are neighbours in time, and what slows the machine slows both. */
export const comparison = (
  key: string,
  unit: string,
  ours: ReadonlyArray<number>,
  theirs: ReadonlyArray<number>
): Comparison => ({
  key,
  unit,
  ours: spread(ours),
  theirs: spread(theirs),
  ratio: median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)))
})

/** A value that stands alone, such as how many statements a read is. */
export interface Figure {
  readonly key: string
  readonly unit: string
  readonly value: number
}

export interface Findings {
  readonly comparisons: ReadonlyArray<Comparison>
  readonly figures: ReadonlyArray<Figure>
}

export interface Assignment {
  readonly scale: Scale
  /** Says how far it is. */
  readonly progress: (line: string) => void
}

/** What needs no database. */
export interface MachinePart {
  readonly on: "machine"
  readonly name: string
  /** Whether another checkout can take part. */
  readonly compares: boolean
  readonly run: (assignment: Assignment) => Promise<Findings>
}

/** What is measured on every store. */
export interface StorePart {
  readonly on: "store"
  readonly name: string
  /** Whether another checkout can take part. */
  readonly compares: boolean
  /** Whether a quick run measures it on its first store only. */
  readonly long: boolean
  readonly run: (server: BenchServer, assignment: Assignment) => Promise<Findings>
}

export type Part = MachinePart | StorePart
