/** A limit on how often something starts, as Polar counts it: so many in any one minute. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * Succeeds as soon as the caller may start. Fails at once, with the milliseconds to wait, when that is more than
 * `longestWaitMillis`. A caller that is interrupted while it waits has used its turn. A `buyer` leaves a share to others.
 */
export type RequestLimit = (longestWaitMillis: number, who?: "buyer" | "other") => Effect.Effect<void, number>

const minute = 60_000

/** What buyers leave to reconciliation and to what webhooks make necessary. */
const reservedShare = 0.2

// A bucket that refills would let a full bucket and its refill pass within one minute, which is twice what Polar allows.
// Hence the start before the last `limit` ones is what a new one is measured against.
const lastStarts = (limit: number) => {
  const starts: Array<number> = []
  let next = 0
  return {
    earliest: (): number => (starts[next] ?? Number.NEGATIVE_INFINITY) + minute,
    add: (start: number): void => {
      starts[next] = start
      next = (next + 1) % limit
    }
  }
}

/** At most `perMinute` starts in any 60 seconds; `Infinity` for no limit, and never less than one. */
export const make = (perMinute: number): Effect.Effect<RequestLimit> =>
  Effect.sync(() => {
    if (perMinute === Number.POSITIVE_INFINITY) return () => Effect.void
    const limit = perMinute >= 1 ? Math.floor(perMinute) : 1
    const all = lastStarts(limit)
    const buyers = lastStarts(Math.max(1, limit - Math.floor(limit * reservedShare)))
    return (longestWaitMillis, who = "other") =>
      // Nanoseconds, because that clock does not jump when the machine's time is corrected.
      Effect.flatMap(Clock.currentTimeNanos, (nanos) => {
        const now = Number(nanos) / 1_000_000
        const start = Math.max(now, all.earliest(), who === "buyer" ? buyers.earliest() : now)
        const wait = Math.ceil(start - now)
        if (wait > longestWaitMillis) return Effect.fail(wait)
        all.add(start)
        if (who === "buyer") buyers.add(start)
        return wait === 0 ? Effect.void : Effect.sleep(wait)
      })
  })
