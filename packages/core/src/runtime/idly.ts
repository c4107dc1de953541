/** Waiting that keeps no process alive. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * Runs an effect whose pauses do not keep the process from ending: a script that asks one question is over when it is
 * answered, whatever background work would be due in an hour. A server lives by its sockets.
 */
export const idly = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  // Only of real time: a test's clock has no timers.
  Effect.clockWith((clock) => (isReal(clock) ? Effect.withClock(effect, unreferenced(clock)) : effect))

const isReal = (clock: Clock.Clock): boolean => clock.constructor === Clock.make().constructor

const unreferenced = (clock: Clock.Clock): Clock.Clock => ({
  ...clock,
  currentTimeMillis: clock.currentTimeMillis,
  currentTimeNanos: clock.currentTimeNanos,
  unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
  unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
  sleep: (duration) =>
    Effect.async<void>((resume) => {
      const timer = setTimeout(() => resume(Effect.void), Math.min(Duration.toMillis(duration), longestMillis))
      timer.unref()
      return Effect.sync(() => clearTimeout(timer))
    })
})

/** What a timer of Node's can hold; Effect's own would never wake after more. */
const longestMillis = 2 ** 31 - 1
