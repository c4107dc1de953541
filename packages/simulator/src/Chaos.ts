/** What a network and a queue do to deliveries, on demand: Polar promises at least once, and no order. */

/** Shares are from 0 (never) to 1 (always). */
export interface Chaos {
  /** Deliveries that come twice. */
  readonly duplicates: number
  /** Events that let up to ten later ones of their queue pass. */
  readonly reorder: number
  /** Attempts that get lost on the way; they are made again, as after any failure. */
  readonly drops: number
  /** Events whose first attempt comes late. */
  readonly delays: number
  /** Milliseconds that a late one is late at most. */
  readonly longestDelay: number
  /** Attempts whose body is altered on the way; a receiver must refuse them, and then they are made again. */
  readonly tampering: number
}

export const none: Chaos = {
  duplicates: 0,
  reorder: 0,
  drops: 0,
  delays: 0,
  longestDelay: 60_000,
  tampering: 0
}

/** The body with one of its digits changed: JSON still, and the signature no longer fits. */
export const tampered = (body: string): string =>
  body.replace(/\d(?=[^\d]*$)/, (digit) => String((Number(digit) + 1) % 10))
