/**
 * Delivers queued notifications to the app's handlers: outside of requests, at least once, in order per subject.
 *
 * Notifications are claimed from the store under a lease, so several processes share the work, and what a dead process
 * held is taken over when its lease runs out. One loop asks the store for what is due, renews the leases of calls that take
 * long, and writes which calls have ended; each call runs in a fiber of its own. A call that is over its time is told so and
 * is waited for all the same: as long as it runs, nobody begins it again.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { DeliveryOutcome } from "../records/Delivery.ts"
import * as CallbackRetry from "../rules/callbackRetry.ts"
import { type HandlerNames, onlySubscriptions } from "../rules/handlers.ts"
import type { ClaimedNotification } from "../rules/told.ts"
import { idly } from "../runtime/idly.ts"
import { randomId } from "../runtime/randomId.ts"
import { annotate, errorName, traced } from "../runtime/traced.ts"
import { spanNamed } from "../runtime/traceparent.ts"
import {
  BillingStore,
  type FailureOutcome,
  type NotificationClaim,
  type ReceivedDeliveries
} from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { causeLine, oneLine } from "../values/logText.ts"
import * as Options from "../values/options.ts"
import { Handlers } from "./Handlers.ts"
import { rememberedHandlers } from "./knownHandlers.ts"
import { ListenerFailed, SubscriptionListener } from "./SubscriptionListener.ts"

/**
 * @example
 * NotificationDispatcher.layer({
 *   concurrency: 4,
 *   timeout: "30 seconds",
 *   maxAttempts: 20,
 *   retryDelay: "10 seconds",
 *   pollInterval: "1 minute",
 *   lease: "1 minute"
 * })
 */
export interface DispatcherOptions {
  /** How many callbacks run at once in this process, those not counted that are over their time. Default 16. */
  readonly concurrency?: number | undefined
  /**
   * How long one call may take. Then its signal is aborted and it gives its place to another; it has failed when it ends with
   * an error, and is not begun again before. Default 10 seconds.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /** After how many failed calls a notification is given up. Default 12, which takes about five hours. */
  readonly maxAttempts?: number | undefined
  /** The pause after the first failure; it doubles each time, up to an hour. Default 5 seconds. */
  readonly retryDelay?: Duration.DurationInput | undefined
  /** How often to look without being woken. Default 30 seconds. */
  readonly pollInterval?: Duration.DurationInput | undefined
  /** After so long others take over from a process that died. It is renewed while a call runs. Default 20 seconds. */
  readonly lease?: Duration.DurationInput | undefined
}

export class NotificationDispatcher extends Context.Tag("@kavach-polar/core/NotificationDispatcher")<
  NotificationDispatcher,
  {
    /** Whoever is told. For others nothing need be queued. */
    readonly handlers: HandlerNames
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
    /** Of an outcome of `receiving`: ends when the app was told what that delivery queued, or did not take it. */
    readonly told: (outcome: DeliveryOutcome) => Effect.Effect<void>
  }
>() {}

/** Notifications with the same key are delivered one after the other. */
const orderingKeyOf = ({ subject }: Pick<ClaimedNotification, "subject">): string => subject

/** For so long outcomes are gathered: writing one costs as much as writing many, and nobody waits for it. */
const gatherMillis = 50

/** As many outcomes go in one write. */
const writeSize = 100

/** When to look again for what waits behind a notification that this process does not hold. */
const behindOthersMillis = 1000

/** How soon an outcome that could not be written is written again, at the longest. */
const rewriteMillis = { first: 250, longest: 5000 }

/** So many times as many calls as may run at once may be over their time without keeping a place from others. */
const overdueFactor = 10

/** How often it is said that a call still runs. */
const overdueLogMillis = 600_000

/** When the scope closes, calls get the first to end by themselves, and then the second to heed their signals. */
const closing = { drain: Duration.seconds(8), abort: Duration.seconds(1) }

/** How often it is looked whether something was told that this process does not tell. */
const elsewhereMillis = 250

/** A call of the app's code. */
interface Call {
  readonly one: ClaimedNotification
  readonly begunAt: number
  /** Aborted when its time is over. */
  readonly abort: AbortController
  /** When its time is over, and then when it is next said that it still runs. Epoch milliseconds. */
  overdueAt: number
  isOverdue: boolean
  /** When its lease is to be renewed. */
  renewAt: number
  fiber: Fiber.RuntimeFiber<unknown> | undefined
  /** Done when its outcome was dealt with. */
  readonly settled: Deferred.Deferred<void>
  /** Whether somebody waits for that, so that its outcome is not gathered with others. */
  isAwaited: boolean
}

const make = (options: DispatcherOptions = {}) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const listener = yield* SubscriptionListener
    const others = yield* Handlers
    const handlers: HandlerNames = new Set([...(listener.listens === false ? [] : onlySubscriptions), ...others.names])
    const owner = yield* randomId
    const concurrency = Math.max(1, options.concurrency ?? 16)
    const timeout = Duration.decode(options.timeout ?? Duration.seconds(10))
    const timeoutMillis = Duration.toMillis(timeout)
    const retry: CallbackRetry.CallbackRetry = {
      maxAttempts: Math.max(1, options.maxAttempts ?? CallbackRetry.defaultRetry.maxAttempts),
      firstDelay: Duration.decode(options.retryDelay ?? CallbackRetry.defaultRetry.firstDelay)
    }
    const pollMillis = Duration.toMillis(options.pollInterval ?? Duration.seconds(30))
    // A quarter may pass before a call begins, and after each further one it is renewed.
    const lease = Duration.decode(options.lease ?? Duration.seconds(20))
    const leaseMillis = Duration.toMillis(lease)
    const storeLimit = Duration.min(Duration.seconds(5), Duration.times(lease, 0.25))
    const storeMillis = Duration.toMillis(storeLimit)
    const clock = yield* Effect.clock

    // What this process holds, by ordering key, from the claim until the outcome is written, and whether more was queued
    // behind it. Each takes a place, and there are as many places as calls may run at once.
    const held = new Map<string, boolean>()
    // What was claimed while one of its ordering key is still held: the store has committed the outcome of that one, and its
    // answer is yet to come. It is begun when that one is released.
    const parked = new Map<string, { readonly one: ClaimedNotification; readonly since: number }>()
    // Places that are kept for what the store is being asked for.
    const promises = new Set<{ readonly places: number; readonly until: number }>()
    // Calls that run, by ordering key; one that is over its time is held without taking a place.
    const running = new Map<string, Call>()
    // Calls that have ended well, for the next write.
    const ended: Array<Call> = []
    let failedWrites = 0
    const tellings = new WeakMap<DeliveryOutcome, Effect.Effect<void>>()
    // Epoch milliseconds; `now` for at once.
    const now = Number.NEGATIVE_INFINITY
    let lookAt = (yield* Clock.currentTimeMillis) + pollMillis
    let writeAt = Number.POSITIVE_INFINITY
    let isClosing = false
    let isClosed = false

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

    const overdue = () => [...running.values()].reduce((count, { isOverdue }) => count + (isOverdue ? 1 : 0), 0)

    const free = () =>
      Math.max(0, concurrency - (held.size - Math.min(overdue(), concurrency * overdueFactor)) - promised())

    // Rung after each change of the above that the loop may wait for.
    const bell = yield* Queue.sliding<void>(1)
    // What the loop waits for; `undefined` while it does something, and looks at everything anew afterwards.
    let resting: { readonly until: number; readonly isIdle: boolean } | undefined
    /** Not where the loop wakes in time by itself: to wake it takes as long as all the rest of a call. */
    const ring = Effect.suspend(() => {
      const isEarlier = resting !== undefined && (dueAt() < resting.until || (resting.isIdle && !isIdle()))
      return isClosing || isEarlier ? Effect.asVoid(Queue.offer(bell, undefined)) : Effect.void
    })

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
     * Takes places for what was claimed, and succeeds with what to call. What would outlast its lease is left to it; what came
     * although one of its key is still held waits for that one.
     */
    const hold = (claimed: ReadonlyArray<ClaimedNotification>, since: number, at: number, isFollowed: boolean) =>
      claimed.filter((one) => {
        const key = orderingKeyOf(one)
        const isTimely = at - since <= leaseMillis / 4
        if (isTimely && !held.has(key) && !running.has(key)) {
          held.set(key, isFollowed)
          return true
        }
        if (isTimely) parked.set(key, { one, since })
        lookBy(since + leaseMillis)
        return false
      })

    /** Of what was parked behind these, which are held no longer, what to call. */
    const unparked = (released: ReadonlyArray<ClaimedNotification>, at: number) =>
      isClosing
        ? []
        : released.flatMap((before) => {
            const key = orderingKeyOf(before)
            const next = parked.get(key)
            if (next === undefined) return []
            parked.delete(key)
            // Its own outcome was not taken for longer than its lease, and is by now.
            if (next.one.id === before.id) return []
            return hold([next.one], next.since, at, true)
          })

    const begin = (some: ReadonlyArray<ClaimedNotification>): Effect.Effect<ReadonlyArray<Call>> =>
      Effect.forEach(some, (one) => {
        const at = clock.unsafeCurrentTimeMillis()
        const call: Call = {
          one,
          begunAt: at,
          abort: new AbortController(),
          overdueAt: at + timeoutMillis,
          isOverdue: false,
          renewAt: at + leaseMillis / 4,
          fiber: undefined,
          settled: Deferred.unsafeMake(FiberId.none),
          isAwaited: false
        }
        running.set(orderingKeyOf(one), call)
        // Whoever begins it may not be interruptible, and the call would be as they are.
        return Effect.map(Effect.forkDaemon(Effect.interruptible(deliver(call))), (fiber) => {
          call.fiber = fiber
          return call
        })
      })

    const deliver = (call: Call) =>
      Effect.uninterruptibleMask((restore) =>
        restore(calling(call)).pipe(
          Effect.matchCauseEffect({
            // Settled when it is written.
            onSuccess: () => restore(Effect.zipRight(leaves(call), succeeded(call))),
            onFailure: (cause) =>
              Effect.ensuring(restore(Effect.zipRight(leaves(call), failed(call, cause))), settles(call))
          }),
          // Nothing more of the above is done then.
          Effect.onInterrupt(() => Effect.zipRight(leaves(call), settles(call)))
        )
      ).pipe(
        traced("NotificationDispatcher.deliver", () => ({
          // A trace of its own, perhaps hours later and in another process, that names the one it comes from.
          root: true,
          kind: "consumer",
          links: Option.toArray(
            Option.map(spanNamed(call.one.traceparent), (span) => ({ _tag: "SpanLink" as const, span, attributes: {} }))
          ),
          attributes: {
            "messaging.system": "kavach_polar",
            "messaging.operation.type": "process",
            "messaging.operation.name": "tell",
            "messaging.destination.name": call.one.handler,
            "messaging.message.id": call.one.id,
            "kavach_polar.notification.attempt": call.one.attempt
          }
        }))
      )

    /** A process that dies in a call cannot say that it failed; one that does so whenever it is called is not called for ever. */
    const calling = ({ abort, one }: Call) =>
      one.attempt > retry.maxAttempts
        ? Effect.fail(new ListenerFailed({ detail: "the process ended during its last call" }))
        : Effect.suspend(() => tell(one, abort.signal))

    const tell = (one: ClaimedNotification, signal: AbortSignal) => {
      const { id, told, userId } = one
      return told._tag === "SubscriptionChange" && userId !== null
        ? listener.onSubscriptionChange({ id, userId, subscription: told.subscription }, signal)
        : others.tell(one, signal)
    }

    const leaves = (call: Call) =>
      Effect.sync(() => {
        const key = orderingKeyOf(call.one)
        if (running.get(key) === call) running.delete(key)
      })

    const settles = ({ settled }: Call) => Effect.asVoid(Deferred.succeed(settled, undefined))

    const firstOf = (when: (call: Call) => number) => {
      let first = Number.POSITIVE_INFINITY
      for (const call of running.values()) first = Math.min(first, when(call))
      return first
    }
    const firstOverdueAt = () => firstOf(({ overdueAt }) => overdueAt)
    const firstRenewAt = () => firstOf(({ renewAt }) => renewAt)

    /** The loop looks after the time of all calls: a timer for each would take longer than the rest of a call. */
    const tellOverdue = (at: number) =>
      Effect.forEach(
        [...running.values()].filter(({ overdueAt }) => overdueAt <= at),
        (call) =>
          Effect.suspend(() => {
            const isFirst = !call.isOverdue
            call.isOverdue = true
            call.overdueAt = at + overdueLogMillis
            if (isFirst) call.abort.abort(new Error(`it took longer than ${Duration.format(timeout)}`))
            const entry = isFirst
              ? Effect.logWarning(
                  `A handler takes longer than ${Duration.format(timeout)}: its signal is aborted. It is not called again before it ends.`
                )
              : Effect.logError(
                  "A handler still runs. Nothing more of its subject is told to it before it ends, or this process does."
                )
            return Effect.annotateLogs(entry, {
              notification: call.one.id,
              handler: call.one.handler,
              attempt: call.one.attempt,
              seconds: Math.round((at - call.begunAt) / 1000)
            })
          }),
        { discard: true }
      ).pipe(
        Effect.zipRight(
          Effect.suspend(() =>
            overdue() > concurrency * overdueFactor
              ? Effect.logError(
                  `More than ${concurrency * overdueFactor} handlers are over their time; those further on take places from others.`
                )
              : Effect.void
          )
        )
      )

    /** Nobody else begins a call that still runs. */
    const renewLeases = (at: number) =>
      Effect.suspend(() => {
        // Those too whose turn comes soon, so that it is one write.
        const due = [...running.values()].filter(({ renewAt }) => renewAt <= at + leaseMillis / 8)
        const ids = due.map(({ one }) => one.id)
        return inTime(() => store.renewNotifications(ids, { owner, lease })).pipe(
          Effect.matchCauseEffect({
            onSuccess: (renewed) => {
              const isRenewed = new Set(renewed)
              for (const call of due) {
                call.renewAt = isRenewed.has(call.one.id) ? at + leaseMillis / 4 : Number.POSITIVE_INFINITY
              }
              const lost = due.filter(
                ({ one }) => !isRenewed.has(one.id) && running.get(orderingKeyOf(one))?.one === one
              )
              return Effect.forEach(
                lost,
                ({ one }) =>
                  Effect.logWarning(
                    "The lease of a handler that still runs was lost; another process may have called again."
                  ).pipe(Effect.annotateLogs({ notification: one.id, handler: one.handler, attempt: one.attempt })),
                { discard: true }
              )
            },
            onFailure: (cause) => {
              for (const call of due) call.renewAt = at + rewriteMillis.first * 4
              return Effect.logWarning("The lease of a handler could not be renewed; trying again.", cause)
            }
          })
        )
      })

    const succeeded = (call: Call) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) => {
        ended.push(call)
        const isUrgent = call.isAwaited || held.get(orderingKeyOf(call.one)) === true || ended.length >= writeSize
        // While the store takes none, nothing is urgent.
        if (failedWrites === 0) writeAt = isUrgent ? now : Math.min(writeAt, at + gatherMillis)
        const { handler, queuedAt } = call.one
        return Metrics.notificationCalls
          .update(1, { handler, outcome: "told" })
          .pipe(
            Effect.zipRight(Metrics.notificationLag.update(Math.max(0, at - queuedAt.getTime()) / 1000, { handler })),
            Effect.zipRight(ring)
          )
      })

    /** Writes it until the store has taken it: as long as it has not, whoever has the lease would call again. */
    const stored = <A>(write: () => Effect.Effect<A, StoreError>) =>
      inTime(write).pipe(
        Effect.sandbox,
        Effect.tapError((cause) =>
          Effect.logWarning("The outcome of a handler's call was not stored; trying again.", cause)
        ),
        Effect.retry({
          schedule: Schedule.union(
            Schedule.exponential(Duration.millis(rewriteMillis.first)),
            Schedule.spaced(Duration.millis(rewriteMillis.longest))
          ),
          while: () => !isClosed
        }),
        Effect.unsandbox
      )

    const failed = ({ isOverdue, one }: Call, cause: Cause.Cause<unknown>) =>
      Effect.gen(function* () {
        const error =
          isOverdue && Cause.isInterruptedOnly(cause)
            ? `it took longer than ${Duration.format(timeout)}`
            : describe(cause)
        yield* annotate({ "error.type": isOverdue ? "timeout" : errorName(cause) })
        const delay = CallbackRetry.delayAfter(retry, one.attempt, yield* Random.next)
        yield* Metrics.notificationCalls.update(1, { handler: one.handler, outcome: "failed" })
        const isLast = Option.isNone(delay)
        const outcome = yield* stored(() =>
          isLast
            ? store.giveUpNotification(one.id, owner, error)
            : store.retryNotification(one.id, owner, error, delay.value)
        )
        yield* tellFailure(one.handler, outcome, isLast).pipe(
          Effect.annotateLogs({ notification: one.id, handler: one.handler, attempt: one.attempt, error })
        )
        return outcome === "kept" && !isLast
          ? (yield* Clock.currentTimeMillis) + Math.ceil(Duration.toMillis(delay.value))
          : now
      }).pipe(
        Effect.catchAllCause((written) => Effect.as(notStored(written), now)),
        Effect.flatMap((at) => {
          held.delete(orderingKeyOf(one))
          lookBy(at)
          return Effect.zipRight(begin(unparked([one], clock.unsafeCurrentTimeMillis())), ring)
        })
      )

    const tellFailure = (handler: string, outcome: FailureOutcome, isLast: boolean): Effect.Effect<void> => {
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
          `The handler failed ${retry.maxAttempts} times and is given up. See notifications.dead() and notifications.retry().`
        )
      )
    }

    // The process ends: the lease runs out, and another one calls again.
    const notStored = (cause: Cause.Cause<unknown>) =>
      Effect.logError("The outcome of a handler's call was not stored.", causeLine(cause))

    /** Writes which calls have ended well, and goes on with what was queued behind them, each in the place of the one before. */
    const write = Effect.gen(function* () {
      const since = yield* Clock.currentTimeMillis
      const some = ended.splice(0, writeSize)
      writeAt = ended.length > 0 ? now : Number.POSITIVE_INFINITY
      // What is queued from here on, the store may not have seen when it answers.
      for (const { one } of some) held.set(orderingKeyOf(one), false)
      const ids = some.map(({ one }) => one.id)
      const written = yield* inTime(() =>
        isClosing
          ? Effect.map(store.completeNotifications(ids, owner), (completed) => ({ completed, claimed: [] }))
          : store.completeAndClaimNext(ids, { owner, lease })
      ).pipe(Effect.sandbox, Effect.either)
      const at = yield* Clock.currentTimeMillis
      if (Either.isLeft(written)) {
        // Told again is what is not written, so it is written again.
        ended.unshift(...some)
        writeAt = at + Math.min(rewriteMillis.first * 2 ** Math.min(failedWrites++, 10), rewriteMillis.longest)
        return yield* Effect.logWarning("Which handlers have ended was not stored; trying again.", written.left)
      }
      const { claimed, completed } = written.right
      failedWrites = 0
      const following = new Set(claimed.map(orderingKeyOf))
      for (const { one, settled } of some) {
        const key = orderingKeyOf(one)
        if (held.get(key) === true && !following.has(key)) lookBy(now)
        held.delete(key)
        Deferred.unsafeDone(settled, Effect.void)
      }
      if (completed.length < ids.length) lookBy(now)
      yield* begin([
        ...hold(claimed, since, at, true),
        ...unparked(
          some.map(({ one }) => one),
          at
        )
      ])
    })

    /** Asks for as much as there are places for. */
    const look = Effect.gen(function* () {
      const since = yield* Clock.currentTimeMillis
      const limit = free()
      const kept = promise(limit)
      lookAt = since + pollMillis
      const { claimed, nextDueAt } = yield* inTime(() =>
        store.claimNotifications({ owner, limit, lease, handlers })
      ).pipe(
        Effect.catchAllCause((cause) =>
          Effect.as(Effect.logError("Queued notifications could not be read; trying again.", causeLine(cause)), {
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

    const isIdle = () => held.size + ended.length + promised() === 0

    const nextWriteAt = () => {
      const isHurried = failedWrites === 0 && (isClosing || free() === 0)
      return ended.length === 0 ? Number.POSITIVE_INFINITY : isHurried ? now : writeAt
    }
    const nextLookAt = () => (isClosing || free() === 0 ? Number.POSITIVE_INFINITY : lookAt)
    /** When there is something to do next. Epoch milliseconds. */
    const dueAt = () => Math.min(firstOverdueAt(), firstRenewAt(), nextWriteAt(), nextLookAt())

    const rest = (at: number) => {
      resting = { until: dueAt(), isIdle: isIdle() }
      const rung = Queue.take(bell).pipe(Effect.timeoutOption(resting.until - at), Effect.asVoid)
      return Effect.ensuring(
        resting.isIdle ? idly(rung) : rung,
        Effect.sync(() => {
          resting = undefined
        })
      )
    }

    const turn = Effect.flatMap(Clock.currentTimeMillis, (at) => {
      if (at >= firstOverdueAt()) return tellOverdue(at)
      if (at >= firstRenewAt()) return renewLeases(at)
      if (at >= nextWriteAt()) return write
      return at >= nextLookAt() ? look : rest(at)
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
          const calls = yield* begin(taken)
          yield* ring
          // Those that are parked are told as soon as what is before them is dealt with.
          const waiting = claimed.map(orderingKeyOf).filter((key) => parked.has(key))
          const telling = Effect.suspend(() => tellingOf(calls, [...unclaimed, ...waiting]))
          for (const outcome of outcomes) if (outcome.notified) tellings.set(outcome, telling)
          return outcomes
        })
      )

    /** Until these calls are dealt with, and of these subjects nothing is due and nobody tells it. */
    const tellingOf = (calls: ReadonlyArray<Call>, subjects: ReadonlyArray<string>): Effect.Effect<void> => {
      for (const call of calls) {
        call.isAwaited = true
        if (ended.includes(call) && failedWrites === 0) writeAt = now
      }
      const elsewhere = inTime(() => store.countNotifications({ subjects, handlers })).pipe(
        Effect.map(({ unsettled }) => unsettled === 0),
        Effect.catchAllCause(() => Effect.succeed(false)),
        Effect.repeat({ schedule: Schedule.spaced(elsewhereMillis), until: (isSettled) => isSettled })
      )
      return Effect.zipRight(
        ring,
        Effect.forEach(calls, ({ settled }) => Deferred.await(settled), { concurrency: "unbounded", discard: true })
      ).pipe(Effect.zipRight(subjects.length === 0 ? Effect.void : elsewhere))
    }

    const isDone = () => isClosing && held.size + promised() === 0
    const loop = yield* Effect.forkScoped(Effect.repeat(turn, { until: isDone }))

    // First of all when the scope closes: nothing more is taken, and the loop ends when the calls under way have.
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosing = true
        const abortAll = Effect.sync(() => {
          for (const { abort } of running.values()) abort.abort(new Error("the process is shutting down"))
        })
        const drained = (patience: Duration.Duration) =>
          Fiber.await(loop).pipe(Effect.interruptible, Effect.timeoutOption(patience))
        return ring.pipe(
          Effect.zipRight(drained(Duration.min(timeout, closing.drain))),
          Effect.flatMap(
            Option.match({
              onSome: () => Effect.void,
              onNone: () => Effect.zipRight(abortAll, Effect.asVoid(drained(closing.abort)))
            })
          ),
          // One that does not heed its end is not waited for.
          Effect.ensuring(
            Effect.suspend(() => {
              isClosed = true
              return Effect.forEach([...running.values()], ({ fiber }) =>
                fiber === undefined ? Effect.void : Fiber.interruptFork(fiber)
              )
            })
          )
        )
      })
    )

    const told = (outcome: DeliveryOutcome) =>
      Effect.asVoid(
        // A call that hangs is not waited for without end.
        Effect.timeoutOption(tellings.get(outcome) ?? Effect.void, Duration.sum(timeout, storeLimit))
      )

    return { handlers, wake, receiving, told } as const
  })

const dispatcherOptions: Schema.Schema<DispatcherOptions> = Schema.Struct({
  concurrency: Options.optional(Options.positiveWhole("a number of calls, 1 or more")),
  timeout: Options.optional(Options.duration),
  maxAttempts: Options.optional(Options.positiveWhole("a number of calls, 1 or more")),
  retryDelay: Options.optional(Options.duration),
  pollInterval: Options.optional(Options.duration),
  lease: Options.optional(Options.duration)
})

const checkOptions = Options.optionsCheck("NotificationDispatcher.layer()", dispatcherOptions)

/**
 * Starts with the layer and drains with its scope: calls under way get their time limit to finish, and eight seconds at most;
 * then their signals are aborted, and a second later they are left to whoever takes over. Throws an
 * `InvalidOption` for options that there are not.
 *
 * @example
 * NotificationDispatcher.layer({ concurrency: 4 }).pipe(Layer.provide(SubscriptionListener.layerNoop))
 */
export const layer = (
  options?: DispatcherOptions
): Layer.Layer<NotificationDispatcher, never, BillingStore | SubscriptionListener> => {
  checkOptions(options)
  return Layer.scoped(NotificationDispatcher, make(options))
}

/**
 * For a process that changes what is stored and has no handlers, such as a command: what it queues, for the handlers that the app
 * had when it started last, is delivered by the app's processes at their next look.
 */
export const layerElsewhere: Layer.Layer<NotificationDispatcher, never, BillingStore> = Layer.effect(
  NotificationDispatcher,
  Effect.map(Effect.flatMap(BillingStore, rememberedHandlers), (handlers) => ({
    handlers,
    wake: Effect.void,
    receiving: (_most, receive) =>
      Effect.map(receive({ owner: "", limit: 0, lease: Duration.zero }), ({ outcomes }) => outcomes),
    told: () => Effect.void
  }))
)

const describe = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return oneLine(error instanceof Error ? error.message : String(error))
}
