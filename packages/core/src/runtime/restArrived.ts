/** A pause as short as can be. */
import * as Effect from "effect/Effect"

/** Until Node has gone through what arrived at the same time: requests that came together are to go on together. */
export const restArrived: Effect.Effect<void> = Effect.async<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})
