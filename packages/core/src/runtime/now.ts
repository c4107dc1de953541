/** The time, for what runs often. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { currentServices } from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** What there is unless somebody has provided another, such as a test's. Read once, when this is imported. */
export const realClock: Clock.Clock = Effect.runSync(Effect.clock)

/** `use` with the time of the fiber's clock in epoch milliseconds. */
export const withNow = <A, E, R>(
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  use: (now: number) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const clock = Context.get(fiber.getFiberRef(currentServices), Clock.Clock)
  return clock === realClock ? use(clock.unsafeCurrentTimeMillis()) : Effect.flatMap(clock.currentTimeMillis, use)
}
