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
import * as Fiber from "effect/Fiber"
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

/** A call of the app's code. */
interface Call {
  readonly one: ClaimedNotification
  /** Epoch milliseconds. */
  readonly until: number
  fiber: Fiber.RuntimeFiber<unknown> | undefined
  /** Whether its outcome still counts. */
  hasTime: boolean
}

const make = (options: DispatcherOptions = {}) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const listener = yield* SubscriptionListener
    const owner = yield* randomId
    const concurrency = Math.max(1, options.concurrency ?? 16)
    const timeout = Duration.decode(options.timeout ?? Duration.seconds(10))
    const timeoutMillis = Duration.toMillis(timeout)
    const retry: CallbackRetry.CallbackRetry = {
      maxAttempts: Math.max(1, options.maxAttempts ?? CallbackRetry.defaultRetry.maxAttempts),
      firstDelay: Duration.decode(options.retryDelay ?? CallbackRetry.defaultRetry.firstDelay)
    }
    const pollMillis = Duration.toMillis(options.pollInterval ?? Duration.seconds(30))
    // Of a lease, a call has half; a quarter may pass before it begins, and a quarter until its outcome is written.
    const lease = Duration.max(Duration.times(timeout, 2), Duration.seconds(10))
    const leaseMillis = Duration.toMillis(lease)
    const storeLimit = Duration.min(Duration.seconds(5), Duration.times(lease, 0.25))
    const storeMillis = Duration.toMillis(storeLimit)
    const clock = yield* Effect.clock

    // What this process holds, by ordering key, from the claim until the outcome is written, and whether more was queued
    // behind it. Each takes a place, and there are as many places as calls may run at once.
    const held = new Map<string, boolean>()
    // Places that are kept for what the store is being asked for.
    const promises = new Set<{ readonly places: number; readonly until: number }>()
    // Calls that run, the first that began first. One that is over its time, and does not heed the interruption, stays here
    // without a place.
    const running = new Map<string, Call>()
    // Calls that have ended well, for the next write.
    const ended: Array<ClaimedNotification> = []
    // Epoch milliseconds; `now` for at once.
    const now = Number.NEGATIVE_INFINITY
    let lookAt = (yield* Clock.currentTimeMillis) + pollMillis
    let writeAt = Number.POSITIVE_INFINITY
    let isClosing = false

    /** A step that is given up, and does not heed that, keeps no places for long. */
    const promised = () => {
      const at = clock.unsafeCurrentTimeMillis()
      let places = 0
      for (const promise of promises) {
        if (promise.until > at) places += promise.places
        else promises.delete(promise)
      }
      return places
    }

    const promise = (places: number) => {
      const made = { places, until: clock.unsafeCurrentTimeMillis() + storeMillis }
      promises.add(made)
      return made
    }

    const free = () => Math.max(0, concurrency - held.size - promised())

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
      Effect.forEach(
        some,
        (one) => {
          const call: Call = {
            one,
            until: clock.unsafeCurrentTimeMillis() + timeoutMillis,
            fiber: undefined,
            hasTime: true
          }
          running.set(orderingKeyOf(one), call)
          // Whoever begins it may not be interruptible, and the call would be as they are.
          return Effect.map(Effect.forkDaemon(Effect.interruptible(deliver(call))), (fiber) => {
            call.fiber = fiber
          })
        },
        { discard: true }
      )

    const deliver = (call: Call) =>
      Effect.uninterruptibleMask((restore) =>
        // Whoever delivered what it is about is answered first.
        restore(
          Effect.zipRight(
            restArrived,
            Effect.suspend(() => listener.onSubscriptionChange(call.one))
          )
        ).pipe(
          Effect.matchCauseEffect({
            onSuccess: () => restore(ends(call, () => succeeded(call.one))),
            onFailure: (cause) => restore(ends(call, () => failed(call.one, cause)))
          }),
          // Also when it was interrupted, and nothing more of the above is done.
          Effect.ensuring(Effect.sync(() => leave(call)))
        )
      ).pipe(
        traced("NotificationDispatcher.deliver", () => ({
          root: true,
          attributes: { "notification.id": call.one.id, "notification.attempt": call.one.attempt }
        }))
      )

    const leave = (call: Call) => {
      const key = orderingKeyOf(call.one)
      if (running.get(key) === call) running.delete(key)
    }

    /** What becomes of a call that was given up was decided then. */
    const ends = (call: Call, settle: () => Effect.Effect<unknown>) =>
      Effect.suspend(() => {
        leave(call)
        return call.hasTime ? settle() : ring
      })

    const firstOverdueAt = () => {
      for (const { hasTime, until } of running.values()) if (hasTime) return until
      return Number.POSITIVE_INFINITY
    }

    /** The loop looks after the time of all calls: a timer for each would take longer than the rest of a call. */
    const giveUpOverdue = (at: number) =>
      Effect.forEach(
        [...running.values()].filter(({ hasTime, until }) => hasTime && until <= at),
        (call) => {
          call.hasTime = false
          const interrupting = call.fiber === undefined ? Effect.void : Fiber.interruptFork(call.fiber)
          return Effect.zipRight(interrupting, Effect.forkDaemon(failed(call.one, tookTooLong)))
        },
        { discard: true }
      )

    const tookTooLong = Cause.fail(new Cause.TimeoutException(`it took longer than ${Duration.format(timeout)}`))

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
      const kept = promise(limit)
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
      promises.delete(kept)
      // When it has filled all places, there may be more. What was due and not taken, somebody else has his hand on.
      lookBy(claimed.length === limit ? now : Math.max(nextDueAt ?? lookAt, at + gatherMillis))
      yield* begin(hold(claimed, since, at, false))
    })

    const rest = (until: number, at: number) => Queue.take(bell).pipe(Effect.timeoutOption(until - at), Effect.asVoid)

    const turn = Effect.flatMap(Clock.currentTimeMillis, (at) => {
      const overdueAt = firstOverdueAt()
      if (at >= overdueAt) return giveUpOverdue(at)
      if (ended.length > 0 && (at >= writeAt || isClosing || free() === 0)) return write
      const next = isClosing || free() === 0 ? Number.POSITIVE_INFINITY : lookAt
      return at >= next ? look : rest(Math.min(next, writeAt, overdueAt), at)
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
          const kept = promise(limit)
          const { claimed, outcomes, unclaimed } = yield* restore(receive({ owner, limit, lease })).pipe(
            Effect.onError(() => {
              promises.delete(kept)
              // It may have claimed all the same.
              if (limit > 0) lookBy(since + leaseMillis)
              return ring
            })
          )
          const at = yield* Clock.currentTimeMillis
          promises.delete(kept)
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

    const isDone = () => isClosing && held.size + promised() === 0
    const loop = yield* Effect.forkScoped(Effect.repeat(turn, { until: isDone }))

    // First of all when the scope closes: nothing more is taken, and the loop ends when the calls under way have.
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosing = true
        return ring.pipe(
          Effect.zipRight(Fiber.await(loop)),
          Effect.interruptible,
          Effect.timeoutOption(Duration.sum(timeout, storeLimit)),
          // One that does not heed its end is not waited for.
          Effect.ensuring(
            Effect.suspend(() =>
              Effect.forEach([...running.values()], ({ fiber }) =>
                fiber === undefined ? Effect.void : Fiber.interruptFork(fiber)
              )
            )
          )
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
