/** A limit on how often something starts, as Polar counts it: so many in any one minute. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Caller } from "./caller.ts"

export interface RequestLimit {
  /**
   * Succeeds as soon as the caller may start. Fails at once, with the milliseconds to wait, when that is more than
   * `longestWaitMillis`. A caller that is interrupted while it waits has used its turn.
   */
  readonly take: (longestWaitMillis: number, caller?: Caller) => Effect.Effect<void, number>
  /** How many may start now; `Infinity` without a limit. */
  readonly left: Effect.Effect<number>
}

const minute = 60_000

/** What of the limit may be used up by each. */
const shares: Readonly<Record<Exclude<Caller, "other">, number>> = { buyer: 0.8, refresh: 0.2 }

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
    },
    since: (time: number): number => starts.reduce((count, start) => (start > time ? count + 1 : count), 0)
  }
}

/** At most `perMinute` starts in any 60 seconds; `Infinity` for no limit, and never less than one. */
export const make = (perMinute: number): Effect.Effect<RequestLimit> =>
  Effect.sync((): RequestLimit => {
    if (perMinute === Number.POSITIVE_INFINITY) {
      return { take: () => Effect.void, left: Effect.succeed(Number.POSITIVE_INFINITY) }
    }
    const limit = perMinute >= 1 ? Math.floor(perMinute) : 1
    const all = lastStarts(limit)
    const ofShare = (share: number) => lastStarts(Math.max(1, Math.floor(limit * share)))
    const own = { buyer: ofShare(shares.buyer), refresh: ofShare(shares.refresh), other: undefined }
    // Nanoseconds, because that clock does not jump when the machine's time is corrected.
    const currentMillis = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1_000_000)
    return {
      take: (longestWaitMillis, caller = "other") =>
        Effect.flatMap(currentMillis, (now) => {
          const share = own[caller]
          const start = Math.max(now, all.earliest(), share?.earliest() ?? now)
          const wait = Math.ceil(start - now)
          if (wait > longestWaitMillis) return Effect.fail(wait)
          all.add(start)
          share?.add(start)
          return wait === 0 ? Effect.void : Effect.sleep(wait)
        }),
      left: Effect.map(currentMillis, (now) => limit - all.since(now - minute))
    }
  })
