/** Effects that end when a signal says so. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"

/** What the effect becomes, which is interrupted when the signal is aborted; what is uninterruptible in it goes to its end. */
export const untilAborted = <E>(effect: Effect.Effect<void, E>, signal: AbortSignal): Effect.Effect<void, E> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.fork(restore(effect)), (fiber) =>
      Effect.suspend(() => {
        const interrupt = () => fiber.unsafeInterruptAsFork(FiberId.none)
        signal.addEventListener("abort", interrupt, { once: true })
        if (signal.aborted) interrupt()
        return restore(Fiber.join(fiber)).pipe(
          Effect.onInterrupt(() => Fiber.interrupt(fiber)),
          Effect.ensuring(Effect.sync(() => signal.removeEventListener("abort", interrupt)))
        )
      })
    )
  )
