/** Which calls to Polar are made for a buyer who waits: they may not use up what an organization may ask, nor wait long. */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { globalValue } from "effect/GlobalValue"

/** Whether what runs now is done for a buyer who waits. */
export const forBuyer: FiberRef.FiberRef<boolean> = globalValue("@kavach-polar/core/forBuyer", () =>
  FiberRef.unsafeMake(false)
)

export const asBuyersCall = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.locally(effect, forBuyer, true)

/** How long a buyer's call waits for its turn. Longer, and they are better told when to come back. */
export const buyersLongestWaitMillis = 3000
