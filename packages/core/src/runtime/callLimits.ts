/**
 * The same time limit for many calls. One fiber watches all of them: a timer and a race for each would cost more than a
 * quick call itself.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

export interface CallLimit {
  /** Whether the call was interrupted because its time was over. */
  readonly exceeded: () => boolean
  /** The call is over. */
  readonly end: () => void
}

export interface CallLimits {
  /** Starts a call's time with the fiber that makes it, which is interrupted if the time is over before `end`. */
  readonly start: <A, E>(fork: (limit: CallLimit) => Fiber.RuntimeFiber<A, E>) => void
}

interface Open {
  /** Epoch milliseconds. */
  readonly deadline: number
  fiber?: Fiber.RuntimeFiber<unknown, unknown>
}

/** Watches until the scope ends. */
export const make = (duration: Duration.Duration): Effect.Effect<CallLimits, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const millis = Duration.toMillis(duration)
    // Oldest first, and as the limit is the same for all, whose time is over first.
    const open = new Set<Open>()
    const someOpen = yield* Effect.makeLatch()

    const watch = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const [first] = open
      if (first === undefined) {
        // At once: what is opened between a look and a later closing would not be watched.
        someOpen.unsafeClose()
        return someOpen.await
      }
      if (first.deadline > now) return Effect.sleep(first.deadline - now)
      open.delete(first)
      return first.fiber === undefined ? Effect.void : Fiber.interruptFork(first.fiber)
    })
    yield* Effect.forkScoped(Effect.forever(watch))

    return {
      start: (fork) => {
        const call: Open = { deadline: clock.unsafeCurrentTimeMillis() + millis }
        let ended = false
        open.add(call)
        call.fiber = fork({
          exceeded: () => !ended && !open.has(call),
          end: () => {
            ended = open.delete(call)
          }
        })
        someOpen.unsafeOpen()
      }
    }
  })
