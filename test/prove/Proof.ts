/** What a proof is: a promise of the product's, and a run that tries to break it. */

export const storeNames = ["memory", "sqlite", "libsql", "postgres", "mysql", "mariadb"] as const
export type StoreName = (typeof storeNames)[number]

export interface ProofOptions {
  readonly store: StoreName
  /** How much to do; what it counts is the proof's to say. */
  readonly count: number
  readonly seed: number
  /** Run only the case with this number, as a violation names it. Proofs without numbered cases take no notice. */
  readonly onlyIndex?: number | undefined
  /** Only this of the proof's faults. */
  readonly fault?: string | undefined
  /** Of the drivers that a store has, the other one. */
  readonly driver?: "postgres" | undefined
  /** Faults as short as they may be, for the short forms. */
  readonly isBrief?: boolean
  /** One line that replaces the one before it. */
  readonly progress: (line: string) => void
}

export interface ProofOutcome {
  /** Sentences, each with what it takes to reproduce it. Empty when the promise held. */
  readonly violations: ReadonlyArray<string>
  /** What was measured, for the summary: plain numbers and texts. */
  readonly figures: Readonly<Record<string, number | string>>
}

export interface Proof {
  readonly name: string
  /** One sentence for --help. */
  readonly promise: string
  readonly stores: ReadonlyArray<StoreName>
  readonly defaultCount: number
  /** What `--fault` may name, in all or on a store; none unless given. */
  readonly faultsOn?: (store: StoreName) => ReadonlyArray<string>
  readonly run: (options: ProofOptions) => Promise<ProofOutcome>
}
