/** Entries of the log that are written often and hardly ever heard. */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as LogLevel from "effect/LogLevel"

/** As `Effect.logDebug`, without the cost of the annotations where the level is not logged. */
export const logDebug = (message: string, annotations: () => Readonly<Record<string, unknown>>): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber) =>
    LogLevel.lessThanEqual(fiber.getFiberRef(FiberRef.currentMinimumLogLevel), LogLevel.Debug)
      ? Effect.annotateLogs(Effect.logDebug(message), annotations())
      : Effect.void
  )
