/** Names for processes that hold leases. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** 62 random bits, as 12 letters and digits. */
export const randomId: Effect.Effect<string> = Effect.map(
  Effect.all([Random.nextIntBetween(0, 2 ** 31), Random.nextIntBetween(0, 2 ** 31)]),
  (parts) => parts.map((part) => part.toString(36).padStart(6, "0")).join("")
)
