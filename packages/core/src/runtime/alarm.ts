/** Something to be done at a time that is known only later, and may be set earlier. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import type * as Scope from "effect/Scope"

/**
 * Sets the alarm to a time in epoch milliseconds. It rings once, at the earliest of the times that it was set to since it
 * rang last.
 */
export const make = (
  ring: Effect.Effect<void>
): Effect.Effect<(at: number) => Effect.Effect<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const sleeper = yield* FiberHandle.make<void>()
    let due = Number.POSITIVE_INFINITY
    const ringAt = (at: number) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sleep(Math.max(at - now, 0))).pipe(
        Effect.zipRight(
          Effect.suspend(() => {
            due = Number.POSITIVE_INFINITY
            return ring
          })
        ),
        Effect.interruptible
      )
    return (at) =>
      Effect.suspend(() => {
        // The usual case, and the cheap one: it rings early enough.
        if (at >= due) return Effect.void
        due = at
        return Effect.asVoid(FiberHandle.run(sleeper, ringAt(at)))
      })
  })
