/** How long a buyer's click may wait, whatever Polar does and however often it is asked. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { asBuyersCall } from "../polar/caller.ts"
import { PolarTimeout } from "../polar/PolarError.ts"

export const defaultBuyersTime = Duration.seconds(8)

/** Fails with a `PolarTimeout` when the time is over; what has begun is interrupted, and not waited for. */
export const withinBuyersTime =
  (operation: string, time: Duration.DurationInput) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | PolarTimeout, R> =>
    effect.pipe(
      asBuyersCall,
      Effect.disconnect,
      Effect.timeoutFail({
        duration: time,
        onTimeout: () => new PolarTimeout({ operation, seconds: Duration.toSeconds(time), mayHaveActed: true })
      })
    )
