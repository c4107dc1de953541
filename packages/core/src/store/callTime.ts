/** What time it is for a call of the store. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { CallTime } from "./StoreDriver.ts"

/** Two readings of the machine's clock are at most so far apart. */
const nearMillis = 1000

/** Of each clock that is moved by hand, when it was first looked at, by the machine's. */
const seenAt = new WeakMap<Clock.Clock, number>()

/**
 * A process's own clock says nothing about leases, which processes have in common. But where the `Clock` is not the
 * machine's, it was put there to move the time, and the database's is to move with it. One that a test moves by hand stands
 * still in between, which the database's does not.
 */
export const callTime: Effect.Effect<CallTime> = Effect.map(Effect.clock, (clock) => {
  const before = Date.now()
  const now = clock.unsafeCurrentTimeMillis()
  const after = Date.now()
  if (Math.abs(now - before) < nearMillis || Math.abs(now - after) < nearMillis) return { now, shift: 0 }
  if (!("adjust" in clock)) return { now, shift: now - after }
  const first = seenAt.get(clock) ?? after
  seenAt.set(clock, first)
  return { now, shift: now - first }
})
