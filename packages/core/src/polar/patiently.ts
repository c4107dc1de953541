/** For work in the background: to wait for Polar's limit of requests, and not to fail of it. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import type { PolarError, PolarRateLimited } from "./PolarError.ts"

const longestWaitSeconds = 90
const waits = 3

/** As long as Polar, or the client's own limit, says. */
const asAsked = Schedule.identity<unknown>().pipe(
  Schedule.addDelay((error) => {
    const seconds = isRateLimited(error) ? (error.retryAfterSeconds ?? 60) : 0
    return `${Math.min(Math.max(seconds, 1), longestWaitSeconds)} seconds`
  }),
  Schedule.intersect(Schedule.recurs(waits))
)

/** Waits when it is told to; three times, and up to 90 seconds each. Then it fails. Not for who has a user waiting. */
export const patiently = <A, E, R>(call: Effect.Effect<A, E | PolarError, R>): Effect.Effect<A, E | PolarError, R> =>
  Effect.retry(call, { schedule: asAsked, while: isRateLimited })

const isRateLimited = (error: unknown): error is PolarRateLimited => Predicate.isTagged(error, "PolarRateLimited")
