/**
 * Delivers queued notifications to the app's callback: outside of requests, at least once, in order per subscription.
 *
 * Notifications are claimed from the store under a lease, so several processes share the work, and what a dead process
 * held is taken over when its lease runs out. One loop asks the store for what is due and writes which calls have ended;
 * each call runs in a fiber of its own.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type { ClaimedNotification, Notification } from "../records/Notification.ts"
import * as CallbackRetry from "../rules/callbackRetry.ts"
import { randomId } from "../runtime/randomId.ts"
import { restArrived } from "../runtime/restArrived.ts"
import { traced } from "../runtime/traced.ts"
import { BillingStore, type NotificationClaim, type ReceivedDeliveries } from "../store/BillingStore.ts"
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
    /** Whether anybody is told. If not, nothing need be queued. */
    readonly listens: boolean
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

/** Notifications with the same key are delivered one after the other. */
const orderingKeyOf = ({ subscription }: Pick<Notification, "subscription">): string => subscription.id

/** For so long outcomes are gathered: writing one costs as much as writing many, and nobody waits for it. */
const gatherMillis = 50

/** As many outcomes go in one write. */
const writeSize = 100

/** When to look again for what waits behind a notification that this process does not hold. */
const behindOthersMillis = 1000

const make = (options: DispatcherOptions = {}) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const listener = yield* SubscriptionListener
    const owner = yield* randomId
    const concurrency = Math.max(1, options.concurrency ?? 16)
    const timeout = Duration.decode(options.timeout ?? Duration.seconds(10))
    const retry: CallbackRetry.CallbackRetry = {
      maxAttempts: Math.max(1, options.maxAttempts ?? CallbackRetry.defaultRetry.maxAttempts),
      firstDelay: Duration.decode(options.retryDelay ?? CallbackRetry.defaultRetry.firstDelay)
    }
    const pollMillis = Duration.toMillis(options.pollInterval ?? Duration.seconds(30))
    // Of a lease, a call has half; a quarter may pass before it begins, and a quarter until its outcome is written.
    const lease = Duration.max(Duration.times(timeout, 2), Duration.seconds(10))
    const leaseMillis = Duration.toMillis(lease)
    const storeLimit = Duration.min(Duration.seconds(5), Duration.times(lease, 0.25))

    // What this process holds, by ordering key, from the claim until the outcome is written, and whether more was queued
    // behind it. Each takes a place, and there are as many places as calls may run at once.
    const held = new Map<string, boolean>()
    // Places that are kept for what the store is being asked for.
    let promised = 0
    // Calls that run. One that is over its time and does not heed the interruption stays here, without a place.
    const running = new Set<string>()
    // Calls that have ended well, for the next write.
    const ended: Array<ClaimedNotification> = []
    // Epoch milliseconds; `now` for at once.
    const now = Number.NEGATIVE_INFINITY
    let lookAt = (yield* Clock.currentTimeMillis) + pollMillis
    let writeAt = Number.POSITIVE_INFINITY
    let isClosing = false

    const free = () => Math.max(0, concurrency - held.size - promised)

    // Rung after each change of the above that the loop may wait for.
    const bell = yield* Queue.sliding<void>(1)
    const ring = Effect.asVoid(Queue.offer(bell, undefined))

    const lookBy = (at: number) => {
      lookAt = Math.min(lookAt, at)
    }

    const wake = Effect.suspend(() => {
      lookBy(now)
      return ring
    })

    /** A store that does not answer holds up nothing for long, also if its driver does not heed the interruption. */
    const inTime = <A, E>(call: () => Effect.Effect<A, E>) =>
      Effect.suspend(call).pipe(Effect.disconnect, Effect.timeout(storeLimit))

    const calls = yield* FiberSet.make<void>()

    /**
     * Takes places for what was claimed, and succeeds with what to call. What would outlast its lease is left to it, and so is
     * what came although one of its key is still with the callback.
     */
    const hold = (claimed: ReadonlyArray<ClaimedNotification>, since: number, at: number, isFollowed: boolean) =>
      claimed.filter((one) => {
        const key = orderingKeyOf(one)
        const isTimely = at - since <= leaseMillis / 4
        if (!isTimely || held.has(key) || running.has(key)) {
          lookBy(since + leaseMillis)
          return false
        }
        held.set(key, isFollowed)
        return true
      })

    const begin = (some: ReadonlyArray<ClaimedNotification>) =>
      Effect.forEach(some, (one) => FiberSet.run(calls, Effect.interruptible(deliver(one))), { discard: true })

    const call = (one: ClaimedNotification) => {
      const key = orderingKeyOf(one)
      return Effect.acquireUseRelease(
        Effect.sync(() => running.add(key)),
        () => Effect.suspend(() => listener.onSubscriptionChange(one)),
        () => Effect.sync(() => running.delete(key))
      ).pipe(
        Effect.disconnect,
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () => new Cause.TimeoutException(`it took longer than ${Duration.format(timeout)}`)
        })
      )
    }

    const deliver = (one: ClaimedNotification) =>
      // Whoever delivered what it is about is answered first.
      Effect.zipRight(restArrived, Effect.exit(call(one))).pipe(
        Effect.flatMap(Exit.match({ onSuccess: () => succeeded(one), onFailure: (cause) => failed(one, cause) })),
        traced("NotificationDispatcher.deliver", () => ({
          root: true,
          attributes: { "notification.id": one.id, "notification.attempt": one.attempt }
        }))
      )

    const succeeded = (one: ClaimedNotification) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) => {
        ended.push(one)
        const isAwaited = held.get(orderingKeyOf(one)) === true || ended.length >= writeSize
        writeAt = isAwaited ? now : Math.min(writeAt, at + gatherMillis)
        return ring
      })

    const failed = (one: ClaimedNotification, cause: Cause.Cause<unknown>) =>
      Effect.gen(function* () {
        const error = describe(cause)
        const delay = CallbackRetry.delayAfter(retry, one.attempt, yield* Random.next)
        if (Option.isNone(delay)) {
          yield* Effect.logError(
            `The subscription callback failed ${one.attempt} times and is given up; the notification stays in ` +
              "kavach_polar_notifications with its error."
          ).pipe(Effect.annotateLogs({ notification: one.id, error }))
          yield* inTime(() => store.buryNotification(one.id, owner, error))
          return now
        }
        yield* Effect.logWarning("The subscription callback failed and will be tried again.").pipe(
          Effect.annotateLogs({ notification: one.id, attempt: one.attempt, error })
        )
        const wasHeld = yield* inTime(() => store.retryNotification(one.id, owner, error, delay.value))
        return wasHeld ? (yield* Clock.currentTimeMillis) + Math.ceil(Duration.toMillis(delay.value)) : now
      }).pipe(
        Effect.catchAllCause((written) => Effect.as(notStored(written), now)),
        Effect.flatMap((at) => {
          held.delete(orderingKeyOf(one))
          lookBy(at)
          return ring
        })
      )

    // The lease runs out, and somebody calls again.
    const notStored = (cause: Cause.Cause<unknown>) =>
      Effect.logError("The outcome of a subscription callback was not stored.", cause)

    /** Writes which calls have ended well, and goes on with what was queued behind them, each in the place of the one before. */
    const write = Effect.gen(function* () {
      const since = yield* Clock.currentTimeMillis
      const some = ended.splice(0, writeSize)
      writeAt = ended.length > 0 ? now : Number.POSITIVE_INFINITY
      // What is queued from here on, the store may not have seen when it answers.
      for (const one of some) held.set(orderingKeyOf(one), false)
      const ids = some.map(({ id }) => id)
      const { claimed, completed } = yield* inTime(() =>
        isClosing
          ? Effect.map(store.completeNotifications(ids, owner), (completed) => ({ completed, claimed: [] }))
          : store.completeAndClaimNext(ids, { owner, lease })
      ).pipe(Effect.catchAllCause((cause) => Effect.as(notStored(cause), { completed: [], claimed: [] })))
      const at = yield* Clock.currentTimeMillis
      const following = new Set(claimed.map(orderingKeyOf))
      for (const key of some.map(orderingKeyOf)) {
        if (held.get(key) === true && !following.has(key)) lookBy(now)
        held.delete(key)
      }
      if (completed.length < ids.length) lookBy(now)
      yield* begin(hold(claimed, since, at, true))
    })

    /** Asks for as much as there are places for. */
    const look = Effect.gen(function* () {
      const since = yield* Clock.currentTimeMillis
      const limit = free()
      promised += limit
      lookAt = since + pollMillis
      const { claimed, nextDueAt } = yield* inTime(() => store.claimNotifications({ owner, limit, lease })).pipe(
        Effect.catchAllCause((cause) =>
          Effect.as(Effect.logError("Queued notifications could not be read; trying again.", cause), {
            claimed: [],
            nextDueAt: null
          })
        )
      )
      const at = yield* Clock.currentTimeMillis
      promised -= limit
      // When it has filled all places, there may be more. What was due and not taken, somebody else has his hand on.
      lookBy(claimed.length === limit ? now : Math.max(nextDueAt ?? lookAt, at + gatherMillis))
      yield* begin(hold(claimed, since, at, false))
    })

    const rest = (until: number, at: number) => Queue.take(bell).pipe(Effect.timeoutOption(until - at), Effect.asVoid)

    const turn = Effect.flatMap(Clock.currentTimeMillis, (at) => {
      if (ended.length > 0 && (at >= writeAt || isClosing || free() === 0)) return write
      const next = isClosing || free() === 0 ? Number.POSITIVE_INFINITY : lookAt
      return at >= next ? look : rest(Math.min(next, writeAt), at)
    })

    const receiving = <E>(
      most: number,
      receive: (claim: NotificationClaim) => Effect.Effect<ReceivedDeliveries, E>
    ): Effect.Effect<ReceivedDeliveries["outcomes"], E> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const since = yield* Clock.currentTimeMillis
          // While a look is due, what is queued already comes first.
          const limit = isClosing || lookAt === now ? 0 : Math.min(free(), most)
          promised += limit
          // Whoever gives it up has the places back at once, also if the step does not heed the interruption.
          const { claimed, outcomes, unclaimed } = yield* restore(
            Effect.disconnect(Effect.suspend(() => receive({ owner, limit, lease })))
          ).pipe(
            Effect.onError(() => {
              promised -= limit
              // It may have claimed all the same.
              if (limit > 0) lookBy(since + leaseMillis)
              return ring
            })
          )
          const at = yield* Clock.currentTimeMillis
          promised -= limit
          const taken = hold(claimed, since, at, false)
          for (const key of unclaimed) {
            if (held.has(key)) {
              held.set(key, true)
              // Its call may have ended.
              if (ended.length > 0) writeAt = now
            } else {
              lookBy(claimed.length === limit ? now : at + behindOthersMillis)
            }
          }
          yield* begin(taken)
          yield* ring
          return outcomes
        })
      )

    const isDone = () => isClosing && held.size + promised === 0
    const loop = yield* Effect.forkScoped(Effect.repeat(turn, { until: isDone }))

    // First of all when the scope closes: nothing more is taken, and the loop ends when the calls under way have.
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosing = true
        return ring.pipe(
          Effect.zipRight(Fiber.await(loop)),
          Effect.interruptible,
          Effect.timeoutOption(Duration.sum(timeout, storeLimit))
        )
      })
    )

    return { listens: listener.listens !== false, wake, receiving } as const
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
  listens: true,
  wake: Effect.void,
  receiving: (_most, receive) =>
    Effect.map(receive({ owner: "", limit: 0, lease: Duration.zero }), ({ outcomes }) => outcomes)
})

const describe = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return (error instanceof Error ? error.message : String(error)).slice(0, 1000)
}
