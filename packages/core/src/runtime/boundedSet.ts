/** A set that stops growing: for what saves work where it is known, and costs only work where it is not. */
export interface BoundedSet<A> {
  /** Forgets it at once when there are as many as may be. */
  readonly add: (item: A) => void
  readonly has: (item: A) => boolean
}

export const makeBoundedSet = <A>(most: number): BoundedSet<A> => {
  const items = new Set<A>()
  return {
    add: (item) => {
      if (items.size < most) items.add(item)
    },
    has: (item) => items.has(item)
  }
}
