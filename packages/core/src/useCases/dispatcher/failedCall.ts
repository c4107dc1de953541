/** A call has failed: it is written down to be made again later, or is given up. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { delayAfter } from "../../rules/callbackRetry.ts"
import { annotate, errorName } from "../../runtime/traced.ts"
import type { FailureOutcome } from "../../store/BillingStore.ts"
import type { StoreError } from "../../store/StoreError.ts"
import * as Metrics from "../../telemetry/Metrics.ts"
import { causeLine, oneLine } from "../../values/logText.ts"
import { now, rewriteMillis } from "./endedCalls.ts"
import { type Call, named } from "./heldCalls.ts"
import { type DispatcherStore, inTime } from "./storeInTime.ts"

/** Answers when it is due again, in epoch milliseconds. `isClosed`: this process writes nothing more. */
export const writeFailure = (
  { owner, settings, store }: DispatcherStore,
  isClosed: () => boolean,
  { isOverdue, one }: Call,
  cause: Cause.Cause<unknown>
): Effect.Effect<number> =>
  Effect.gen(function* () {
    const { retry, timeout } = settings
    const error =
      isOverdue && Cause.isInterruptedOnly(cause) ? `it took longer than ${Duration.format(timeout)}` : describe(cause)
    yield* annotate({ "error.type": isOverdue ? "timeout" : errorName(cause) })
    const delay = delayAfter(retry, one.attempt, yield* Random.next)
    yield* Metrics.notificationCalls.update(1, { handler: one.handler, outcome: "failed" })
    const outcome = yield* untilStored(
      inTime(settings, () =>
        Option.match(delay, {
          onNone: () => store.giveUpNotification(one.id, owner, error),
          onSome: (after) => store.retryNotification(one.id, owner, error, after)
        })
      ),
      isClosed
    )
    yield* reportFailure(one.handler, outcome, Option.isNone(delay), retry.maxAttempts).pipe(
      Effect.annotateLogs({ ...named(one), error })
    )
    return outcome === "kept" && Option.isSome(delay)
      ? (yield* Clock.currentTimeMillis) + Math.ceil(Duration.toMillis(delay.value))
      : now
  }).pipe(
    // The process ends: the lease runs out, and another one calls again.
    Effect.catchAllCause((written) =>
      Effect.as(Effect.logError("The outcome of a handler's call was not stored.", causeLine(written)), now)
    )
  )

/** As long as the store has not taken it, whoever has the lease would call again. */
const untilStored = <A>(
  write: Effect.Effect<A, StoreError | Cause.TimeoutException>,
  isClosed: () => boolean
): Effect.Effect<A, StoreError | Cause.TimeoutException> =>
  write.pipe(
    Effect.sandbox,
    Effect.tapError((cause) =>
      Effect.logWarning("The outcome of a handler's call was not stored; trying again.", cause)
    ),
    Effect.retry({
      schedule: Schedule.union(
        Schedule.exponential(Duration.millis(rewriteMillis.first)),
        Schedule.spaced(Duration.millis(rewriteMillis.longest))
      ),
      while: () => !isClosed()
    }),
    Effect.unsandbox
  )

const reportFailure = (
  handler: string,
  outcome: FailureOutcome,
  isLast: boolean,
  maxAttempts: number
): Effect.Effect<void> => {
  if (outcome === "superseded") {
    return Effect.zipRight(
      Metrics.notificationsGivenUp.update(1, { handler, state: "superseded" }),
      Effect.logWarning("The handler failed; a newer state takes its place.")
    )
  }
  if (!isLast) {
    return Effect.zipRight(
      Metrics.notificationRetries.update(1, { handler }),
      Effect.logWarning("The handler failed and will be tried again.")
    )
  }
  return Effect.zipRight(
    Metrics.notificationsGivenUp.update(1, { handler, state: "dead" }),
    Effect.logError(
      `The handler failed ${maxAttempts} times and is given up. See notifications.dead() and notifications.retry().`
    )
  )
}

const describe = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return oneLine(error instanceof Error ? error.message : String(error))
}
