/** Random numbers that a seed repeats, so that a violation can be had again. */

export interface Random {
  /** From 0 up to but not including `below`. */
  readonly int: (below: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(from: readonly [A, ...ReadonlyArray<A>]) => A
  readonly shuffle: <A>(items: ReadonlyArray<A>) => Array<A>
  readonly uuid: () => string
}

/** The numbers of one case: every pair of seed and index has its own. */
export const randomOf = (seed: number, index: number): Random => {
  // Mulberry32 over a mix of both: good enough to spread cases, and short.
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35)) | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const int = (below: number): number => Math.floor(next() * below)
  const hex = (digits: number): string => Array.from({ length: digits }, () => int(16).toString(16)).join("")
  return {
    int,
    chance: (probability) => next() < probability,
    pick: (from) => from[int(from.length)] ?? from[0],
    shuffle: (items) => {
      const shuffled = [...items]
      for (let last = shuffled.length - 1; last > 0; last--) {
        const other = int(last + 1)
        const [a, b] = [shuffled[last], shuffled[other]]
        if (a === undefined || b === undefined) continue
        shuffled[last] = b
        shuffled[other] = a
      }
      return shuffled
    },
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`
  }
}
