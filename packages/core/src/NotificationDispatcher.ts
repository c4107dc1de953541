/**
 * Delivers queued notifications to the app's callback: outside of requests, at least once, in order per subscription.
 *
 * Notifications are claimed from the store under a lease, so several processes share the work, and what a dead process
 * held is taken over when its lease runs out.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Alarm from "./internal/alarm.ts"
import type { CallLimit } from "./internal/callLimits.ts"
import * as CallLimits from "./internal/callLimits.ts"
import * as GroupCommit from "./internal/groupCommit.ts"
import { realClock } from "./internal/now.ts"
import { randomId } from "./internal/randomId.ts"
import { traced } from "./internal/traced.ts"
import type { ClaimedNotification } from "./Notification.ts"
import { SubscriptionListener } from "./SubscriptionListener.ts"
import { SubscriptionStore } from "./SubscriptionStore.ts"

export interface DispatcherOptions {
  /** How many callbacks run at once in this process. Default 16. */
  readonly concurrency?: number | undefined
  /** How long one call may take. Default 10 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
  /** After how many failed calls a notification is given up. Default 12, which takes about five hours. */
  readonly maxAttempts?: number | undefined
  /** The pause after the first failure; it doubles each time, up to an hour. Default 5 seconds. */
  readonly retryDelay?: Duration.DurationInput | undefined
  /** How often to look without being woken. Default 30 seconds. */
  readonly pollInterval?: Duration.DurationInput | undefined
}

export class NotificationDispatcher extends Context.Tag("@kavach-polar/core/NotificationDispatcher")<
  NotificationDispatcher,
  {
    /** Says that something was queued. Returns at once. */
    readonly wake: Effect.Effect<void>
  }
>() {}

const longestDelay = Duration.hours(1)
const longestClaim = Duration.seconds(5)

/**
 * What is queued, and what has ended, within so short a time is taken and written together: nobody notices ten
 * milliseconds, and each step costs as much as a delivery's own. Where time is a test's, nothing is gained by it.
 */
const gathering = Effect.map(Effect.clock, (clock) => (clock === realClock ? Effect.sleep("10 millis") : undefined))

const sharedSteps = {
  longestWait: 3000,
  concurrency: 1,
  maxSize: 100,
  maxWeight: 100,
  weigh: () => 1,
  blamesOne: () => false
}

const make = (options: DispatcherOptions = {}) =>
  Effect.gen(function* () {
    const store = yield* SubscriptionStore
    const listener = yield* SubscriptionListener
    const owner = yield* randomId
    const gather = yield* gathering
    const concurrency = Math.max(1, options.concurrency ?? 16)
    const timeout = Duration.decode(options.timeout ?? Duration.seconds(10))
    const maxAttempts = Math.max(1, options.maxAttempts ?? 12)
    const retryDelay = Duration.decode(options.retryDelay ?? Duration.seconds(5))
    const pollMillis = Duration.toMillis(options.pollInterval ?? Duration.seconds(30))
    // Twice the limit of a call, so that a slow write of the outcome does not lose the lease.
    const lease = Duration.max(Duration.times(timeout, 2), Duration.seconds(10))

    const signal = yield* Queue.sliding<void>(1)
    const wake = Effect.asVoid(Queue.offer(signal, undefined))

    // Made before the calls, so that it ends after them.
    const complete = yield* GroupCommit.make({
      commit: (ids: Arr.NonEmptyReadonlyArray<string>) =>
        Effect.map(store.completeNotifications(ids, owner), (completed) => {
          const held = new Set(completed)
          return ids.map((id) => held.has(id))
        }),
      gather,
      ...sharedSteps
    })

    // These as well: calls under way at a stop keep their limit.
    const limits = yield* CallLimits.make(timeout)

    // Closing the scope first stops the loop, which takes nothing new, and then waits for the calls under way.
    const calls = yield* FiberSet.make<void>()
    yield* Effect.addFinalizer(() =>
      FiberSet.awaitEmpty(calls).pipe(Effect.timeoutOption(timeout), Effect.interruptible, Effect.asVoid)
    )

    const afterFailure = (notification: ClaimedNotification, failure: Cause.Cause<unknown>) =>
      Effect.gen(function* () {
        const detail = describe(failure)
        if (notification.attempt >= maxAttempts) {
          yield* Effect.logError(
            `The subscription callback failed ${notification.attempt} times and is given up; the notification stays in ` +
              "kavach_polar_notifications with its error."
          ).pipe(Effect.annotateLogs({ notification: notification.id, error: detail }))
          return yield* store.buryNotification(notification.id, owner, detail)
        }
        const delay = yield* backoff(retryDelay, notification.attempt)
        yield* Effect.logWarning("The subscription callback failed and will be tried again.").pipe(
          Effect.annotateLogs({ notification: notification.id, attempt: notification.attempt, error: detail })
        )
        return yield* store.retryNotification(notification.id, owner, detail, delay)
      })

    const settle = (notification: ClaimedNotification, limit: CallLimit, exit: Exit.Exit<void, unknown>) => {
      if (Exit.isSuccess(exit)) return Effect.interruptible(complete(notification.id))
      // Its own interruption is still pending, and nothing interruptible would run any more.
      if (limit.exceeded()) return afterFailure(notification, tookTooLong)
      return Effect.interruptible(afterFailure(notification, exit.cause))
    }

    const tookTooLong = Cause.fail(new Cause.TimeoutException(`it took longer than ${Duration.format(timeout)}`))

    // Calls that run; not those whose outcome is only being written.
    let running = 0

    // Whether there may be more to take than was taken last.
    let more = true

    // Whether outcomes were written since the last look. These were gathered, and what waited for them need not wait again.
    let settledSome = false

    /** Part of an uninterruptible turn: only the call itself can be interrupted, and at a stop what comes after it. */
    const deliver = (notification: ClaimedNotification, limit: CallLimit) =>
      Effect.exit(Effect.interruptible(Effect.suspend(() => listener.onSubscriptionChange(notification)))).pipe(
        Effect.flatMap((exit) => {
          running--
          const settled = settle(notification, limit, exit)
          limit.end()
          // There is room for another, for which somebody may wait.
          return more ? Effect.zipRight(wake, settled) : settled
        }),
        // The outcome could not be written: the lease runs out and somebody calls again.
        Effect.catchAllCause((cause) =>
          Cause.isInterruptedOnly(cause)
            ? Effect.void
            : Effect.logError("The outcome of a subscription callback was not stored.", cause)
        ),
        Effect.zipRight(
          Effect.suspend(() => {
            settledSome = true
            return wake
          })
        ),
        traced("NotificationDispatcher.deliver", () => ({
          root: true,
          attributes: { "notification.id": notification.id, "notification.attempt": notification.attempt }
        }))
      )

    // What the store is asked to claim is awaited and started even when the loop is being stopped: a lease that nobody uses
    // would hold it up. A store that does not answer does not hold up the stop for ever.
    const claim = (limit: number) =>
      store
        .claimNotifications({ owner, limit, lease })
        .pipe(Effect.interruptible, Effect.disconnect, Effect.timeout(longestClaim))

    /** Succeeds with when to look again, unless woken earlier. */
    const takeTurn = Effect.gen(function* () {
      settledSome = false
      const free = concurrency - running
      if (free <= 0) {
        more = true
        return Number.POSITIVE_INFINITY
      }
      const { claimed, nextDueAt } = yield* claim(free)
      more = claimed.length === free
      running += claimed.length
      for (const notification of claimed) {
        yield* limits.start((limit) => FiberSet.run(calls, deliver(notification, limit)))
      }
      return nextDueAt === null || more ? Number.POSITIVE_INFINITY : nextDueAt
    }).pipe(
      Effect.catchAllCause((cause) =>
        Effect.as(
          Effect.logError("Queued notifications could not be read; trying again.", cause),
          Number.POSITIVE_INFINITY
        )
      )
    )

    const look = yield* Alarm.make(wake)
    const lookAgain = (at: number) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => look(Math.min(at, now + pollMillis)))
    yield* lookAgain(Number.POSITIVE_INFINITY)

    yield* Queue.take(signal).pipe(
      // Whoever has been woken takes its turn, even when it is just being stopped.
      Effect.zipRight(
        Effect.uninterruptible(
          Effect.suspend(() => (more || settledSome || gather === undefined ? Effect.void : gather)).pipe(
            Effect.zipRight(takeTurn),
            Effect.flatMap(lookAgain)
          )
        )
      ),
      Effect.forever,
      Effect.forkScoped
    )

    return { wake } as const
  })

/** Starts with the layer and drains with its scope: calls under way get their time limit to finish. */
export const layer = (
  options?: DispatcherOptions
): Layer.Layer<NotificationDispatcher, never, SubscriptionStore | SubscriptionListener> =>
  Layer.scoped(NotificationDispatcher, make(options))

/**
 * For a process that changes subscriptions and has no callback, such as a command: what it queues is delivered by the
 * processes that have, at their next look.
 */
export const layerElsewhere: Layer.Layer<NotificationDispatcher> = Layer.succeed(NotificationDispatcher, {
  wake: Effect.void
})

/** Doubles with each attempt, up to an hour; between half of that and all of it, so that many do not come back at once. */
const backoff = (first: Duration.Duration, attempt: number): Effect.Effect<Duration.Duration> =>
  Effect.map(Random.nextRange(0.5, 1), (share) =>
    Duration.times(Duration.min(Duration.times(first, 2 ** Math.min(attempt - 1, 30)), longestDelay), share)
  )

const describe = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return (error instanceof Error ? error.message : String(error)).slice(0, 1000)
}
