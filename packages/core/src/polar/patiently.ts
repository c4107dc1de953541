/** For work in the background: to wait for Polar's limit of requests, and not to fail of it. */
import * as Effect from "effect/Effect"
import type { PolarError } from "./PolarError.ts"

const longestWaitSeconds = 90
const waits = 3

/** Waits when Polar, or the client's own limit, says so; three times, and up to 90 seconds each. Then it fails. */
export const patiently = <A, E>(
  call: Effect.Effect<A, E | PolarError>,
  left = waits
): Effect.Effect<A, E | PolarError> =>
  Effect.catchIf(
    call,
    (error): error is Extract<PolarError, { _tag: "PolarRateLimited" }> => left > 0 && isRateLimited(error),
    ({ retryAfterSeconds }) =>
      Effect.zipRight(
        Effect.sleep(`${Math.min(Math.max(retryAfterSeconds ?? 60, 1), longestWaitSeconds)} seconds`),
        patiently(call, left - 1)
      )
  )

const isRateLimited = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "PolarRateLimited"
