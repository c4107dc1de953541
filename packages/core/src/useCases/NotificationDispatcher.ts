/**
 * Delivers queued notifications to the app's callback: outside of requests, at least once, in order per subscription.
 *
 * Notifications are claimed from the store under a lease, so several processes share the work, and what a dead process
 * held is taken over when its lease runs out.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type { ClaimedNotification } from "../records/Notification.ts"
import * as Alarm from "../runtime/alarm.ts"
import type { CallLimit } from "../runtime/callLimits.ts"
import * as CallLimits from "../runtime/callLimits.ts"
import * as GroupCommit from "../runtime/groupCommit.ts"
import { realClock } from "../runtime/now.ts"
import * as Pause from "../runtime/pause.ts"
import { randomId } from "../runtime/randomId.ts"
import { traced } from "../runtime/traced.ts"
import * as WaitingLine from "../runtime/waitingLine.ts"
import { BillingStore, type NotificationClaim, type ReceivedDeliveries } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { SubscriptionListener } from "./SubscriptionListener.ts"

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
    /**
     * Receives deliveries, and delivers at once what the step claims for this process; sees to the rest as after a `wake`.
     * `most` is how many notifications the step may have a use for.
     */
    readonly receiving: <E>(
      most: number,
      receive: (claim: NotificationClaim) => Effect.Effect<ReceivedDeliveries, E>
    ) => Effect.Effect<ReceivedDeliveries["outcomes"], E>
  }
>() {}

const longestDelay = Duration.hours(1)
const longestClaim = Duration.seconds(5)

/**
 * What is queued, and what has ended, within so short a time is taken and written together: each step costs as much as a
 * delivery's own. Nobody notices ten milliseconds until a call, and for the outcome of a call nobody waits but what comes
 * next of its subscription, which cuts the pause short. Where time is a test's, nothing is gained by it.
 */
const gathering = (millis: number): Effect.Effect<Pause.Pause> =>
  Effect.map(Effect.clock, (clock) =>
    clock === realClock ? Pause.make(millis) : { take: GroupCommit.restArrived, end: () => {} }
  )

const sharedSteps = {
  longestWait: 3000,
  concurrency: 1,
  maxSize: 100,
  maxWeight: 100,
  weigh: () => 1,
  blamesOne: () => false
}

/** A notification that this process holds the lease of. */
interface Held {
  readonly notification: ClaimedNotification
  /** Epoch milliseconds. A call that began later might outlast its lease. */
  readonly beginsBefore: number
  readonly leaseUntil: number
  /** Whether it had waited for another of its subscription, and more may wait for it. */
  readonly isNext: boolean
}

const make = (options: DispatcherOptions = {}) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const listener = yield* SubscriptionListener
    const clock = yield* Effect.clock
    const owner = yield* randomId
    const gatherQueued = yield* gathering(10)
    const gatherEnded = yield* gathering(50)
    const concurrency = Math.max(1, options.concurrency ?? 16)
    const timeout = Duration.decode(options.timeout ?? Duration.seconds(10))
    const maxAttempts = Math.max(1, options.maxAttempts ?? 12)
    const retryDelay = Duration.decode(options.retryDelay ?? Duration.seconds(5))
    const pollMillis = Duration.toMillis(options.pollInterval ?? Duration.seconds(30))
    // Twice the limit of a call, so that a slow write of the outcome does not lose the lease.
    const lease = Duration.max(Duration.times(timeout, 2), Duration.seconds(10))
    const leaseMillis = Duration.toMillis(lease)

    const signal = yield* Queue.sliding<void>(1)
    const wake = Effect.asVoid(Queue.offer(signal, undefined))

    const look = yield* Alarm.make(wake)
    const lookAgain = (at: number) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => look(Math.min(at, now + pollMillis)))

    /**
     * The subscriptions of what is held, and whether something was queued behind it. What completes it finds that, unless
     * both happened at the same time.
     */
    const held = new Map<string, boolean>()

    // Leases that were promised to steps which have not ended.
    let promised = 0

    // Whether there may be more to take than was taken last.
    let more = false

    // Whether something was queued behind what this process does not hold.
    let isBehindOthers = false

    // Whether outcomes were written since the last look. These were gathered, and what waited for them need not wait again.
    let settledSome = false

    let isClosing = false

    const hold = (claimed: ReadonlyArray<ClaimedNotification>, since: number, isNext: boolean): ReadonlyArray<Held> =>
      claimed.map((notification) => {
        held.set(notification.subscription.id, false)
        return { notification, beginsBefore: since + leaseMillis / 4, leaseUntil: since + leaseMillis, isNext }
      })

    const complete = (all: ReadonlyArray<Held>) =>
      Effect.uninterruptibleMask((restore) => {
        isAwaited = false
        const since = clock.unsafeCurrentTimeMillis()
        const ids = all.map(({ notification }) => notification.id)
        const completing = isClosing
          ? Effect.map(store.completeNotifications(ids, owner), (completed) => ({ completed, claimed: [] }))
          : store.completeAndClaimNext(ids, { owner, lease })
        return Effect.flatMap(restore(completing), ({ claimed, completed }) => {
          const following = new Set(claimed.map(({ subscription }) => subscription.id))
          let wasMissed = false
          for (const { notification } of all) {
            const { id } = notification.subscription
            wasMissed ||= held.get(id) === true && !following.has(id)
            held.delete(id)
          }
          const wereHeld = new Set(completed)
          return line
            .add(hold(claimed, since, true))
            .pipe(Effect.zipRight(wasMissed ? wake : Effect.void), Effect.as(ids.map((id) => wereHeld.has(id))))
        })
      })

    // Calls whose outcome waits to be written, those of them whose subscription has a next one, and whether something was
    // queued since that may be such a next one: there, gathering would be all that its notifications do.
    let unwritten = 0
    let urgent = 0
    let isAwaited = false
    const isPressing = () => isClosing || isAwaited || urgent > 0 || unwritten >= sharedSteps.maxSize

    // Made before the calls, so that it ends after them.
    const completed = yield* GroupCommit.make({
      commit: complete,
      gather: Effect.suspend(() => (isPressing() ? GroupCommit.restArrived : gatherEnded.take)),
      ...sharedSteps
    })

    // These as well: calls under way at a stop keep their limit.
    const limits = yield* CallLimits.make(timeout)

    // Closing the scope first stops the loop, which takes nothing new, and then waits for the calls under way.
    const calls = yield* FiberSet.make<void>()
    const call = yield* FiberSet.runtime(calls)<never>()
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosing = true
        gatherEnded.end()
        return FiberSet.awaitEmpty(calls).pipe(
          Effect.timeoutOption(timeout),
          Effect.interruptible,
          Effect.ensuring(Effect.sync(line.clear))
        )
      })
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

    const tookTooLong = Cause.fail(new Cause.TimeoutException(`it took longer than ${Duration.format(timeout)}`))

    /** It is not this process's any more, and may soon be somebody's. */
    const letGo = ({ notification }: Held) =>
      Effect.suspend(() => {
        held.delete(notification.subscription.id)
        settledSome = true
        return wake
      })

    const settleSuccess = (one: Held) =>
      Effect.suspend(() => {
        const isUrgent = one.isNext || held.get(one.notification.subscription.id) === true
        unwritten++
        if (isUrgent) urgent++
        if (isPressing()) gatherEnded.end()
        const settled = Effect.flatMap(completed(one), (wasHeld) => (wasHeld ? Effect.void : letGo(one)))
        return Effect.ensuring(
          settled,
          Effect.sync(() => {
            unwritten--
            if (isUrgent) urgent--
          })
        )
      })

    const settleFailure = (one: Held, limit: CallLimit, cause: Cause.Cause<unknown>) => {
      const failed = limit.exceeded()
        ? // Its own interruption is still pending, and nothing interruptible would run any more.
          afterFailure(one.notification, tookTooLong)
        : Effect.interruptible(afterFailure(one.notification, cause))
      return Effect.zipRight(failed, letGo(one))
    }

    /** Only the call itself can be interrupted, and at a stop what comes after it. */
    const deliver = (one: Held, limit: CallLimit, ended: Effect.Effect<void>) => {
      const goOn = (settled: Effect.Effect<void, StoreError>) => {
        limit.end()
        return ended.pipe(
          // There is room for another, for which somebody may wait.
          Effect.zipRight(Effect.suspend(() => (more ? wake : Effect.void))),
          Effect.zipRight(settled)
        )
      }
      const called = Effect.suspend(() => listener.onSubscriptionChange(one.notification))
      return Effect.matchCauseEffect(Effect.interruptible(called), {
        onSuccess: () => goOn(Effect.interruptible(settleSuccess(one))),
        onFailure: (cause) => goOn(settleFailure(one, limit, cause))
      }).pipe(
        // The outcome could not be written: the lease runs out and somebody calls again.
        Effect.catchAllCause((cause) =>
          Cause.isInterruptedOnly(cause)
            ? Effect.void
            : Effect.zipRight(
                Effect.logError("The outcome of a subscription callback was not stored.", cause),
                letGo(one)
              )
        ),
        traced("NotificationDispatcher.deliver", () => ({
          root: true,
          attributes: { "notification.id": one.notification.id, "notification.attempt": one.notification.attempt }
        })),
        Effect.uninterruptible
      )
    }

    const line: WaitingLine.WaitingLine<Held> = WaitingLine.make({
      concurrency,
      clock,
      // Not at once: whoever begins it goes on first.
      start: (one, ended) => limits.start((limit) => call(deliver(one, limit, ended), { immediate: false })),
      isTimely: ({ beginsBefore }) => clock.unsafeCurrentTimeMillis() < beginsBefore,
      // Whoever finds it when its lease has run out makes the call.
      dismiss: ({ leaseUntil, notification }) => {
        held.delete(notification.subscription.id)
        return look(leaseUntil)
      }
    })

    // What the store is asked to claim is awaited and started even when the loop is being stopped: a lease that nobody uses
    // would hold it up. A store that does not answer does not hold up the stop for ever.
    const claim = (limit: number) =>
      store
        .claimNotifications({ owner, limit, lease })
        .pipe(Effect.interruptible, Effect.disconnect, Effect.timeout(longestClaim))

    const room = () => Math.max(0, line.room() - promised)

    /** Succeeds with when to look again, unless woken earlier. */
    const takeTurn = Effect.gen(function* () {
      settledSome = false
      const wasBehindOthers = isBehindOthers
      isBehindOthers = false
      const free = room()
      if (free === 0) {
        more = true
        return Number.POSITIVE_INFINITY
      }
      const since = clock.unsafeCurrentTimeMillis()
      const { claimed, nextDueAt } = yield* claim(free)
      more = claimed.length === free
      yield* line.add(hold(claimed, since, false))
      if (more) return Number.POSITIVE_INFINITY
      // Whoever completed what was before it may not have seen it, nor this look what was being completed.
      return Math.min(nextDueAt ?? Number.POSITIVE_INFINITY, wasBehindOthers ? since + 1000 : Number.POSITIVE_INFINITY)
    }).pipe(
      Effect.catchAllCause((cause) =>
        Effect.as(
          Effect.logError("Queued notifications could not be read; trying again.", cause),
          Number.POSITIVE_INFINITY
        )
      )
    )

    const receiving = <E>(
      most: number,
      receive: (claim: NotificationClaim) => Effect.Effect<ReceivedDeliveries, E>
    ): Effect.Effect<ReceivedDeliveries["outcomes"], E> =>
      Effect.uninterruptibleMask((restore) => {
        const since = clock.unsafeCurrentTimeMillis()
        // While something is left, what comes goes behind it.
        const limit = isClosing || more ? 0 : Math.min(room(), most)
        promised += limit
        const kept = Effect.suspend(() => {
          promised -= limit
          // Somebody may have found no room meanwhile.
          return more ? wake : Effect.void
        })
        return restore(receive({ owner, limit, lease })).pipe(
          Effect.onError(() => kept),
          Effect.flatMap(({ claimed, outcomes, unclaimed }) => {
            const taken = hold(claimed, since, false)
            const begin = Effect.zipRight(kept, line.add(taken))
            // The deliveries are answered first.
            const begun =
              taken.length === 0 ? kept : FiberSet.run(calls, Effect.zipRight(GroupCommit.restArrived, begin))
            return begun.pipe(Effect.zipRight(isLeft(unclaimed) ? wake : Effect.void), Effect.as(outcomes))
          })
        )
      })

    /** Whether somebody has to look for what was queued of these subscriptions. */
    const isLeft = (subscriptionIds: ReadonlyArray<string>): boolean => {
      let isSome = false
      for (const id of subscriptionIds) {
        if (!held.has(id)) {
          isSome = true
          continue
        }
        held.set(id, true)
        // Its call may have ended.
        isAwaited = true
        gatherEnded.end()
      }
      isBehindOthers ||= isSome
      return isSome
    }

    yield* lookAgain(Number.POSITIVE_INFINITY)

    yield* Queue.take(signal).pipe(
      // Whoever has been woken takes its turn, even when it is just being stopped.
      Effect.zipRight(
        Effect.uninterruptible(
          Effect.suspend(() => (more || settledSome ? Effect.void : gatherQueued.take)).pipe(
            Effect.zipRight(takeTurn),
            Effect.flatMap(lookAgain)
          )
        )
      ),
      Effect.forever,
      Effect.forkScoped
    )

    return { wake, receiving } as const
  })

/** Starts with the layer and drains with its scope: calls under way get their time limit to finish. */
export const layer = (
  options?: DispatcherOptions
): Layer.Layer<NotificationDispatcher, never, BillingStore | SubscriptionListener> =>
  Layer.scoped(NotificationDispatcher, make(options))

/**
 * For a process that changes subscriptions and has no callback, such as a command: what it queues is delivered by the
 * processes that have, at their next look.
 */
export const layerElsewhere: Layer.Layer<NotificationDispatcher> = Layer.succeed(NotificationDispatcher, {
  wake: Effect.void,
  receiving: (_most, receive) =>
    Effect.map(receive({ owner: "", limit: 0, lease: Duration.zero }), ({ outcomes }) => outcomes)
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
