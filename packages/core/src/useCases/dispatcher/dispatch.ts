/**
 * The dispatcher's loop, and the way of a notification that a step hands over to it.
 *
 * The loop asks the store for what is due, looks after calls that take long, and writes which calls have ended; each call runs
 * in a fiber of its own. A call that is over its time is told so and is waited for all the same: as long as it runs, nobody
 * begins it again.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { type HandlerNames, onlySubscriptions } from "../../rules/handlers.ts"
import type { ClaimedNotification } from "../../rules/told.ts"
import { randomId } from "../../runtime/randomId.ts"
import { BillingStore, type NotificationClaim, type ReceivedDeliveries } from "../../store/BillingStore.ts"
import * as Metrics from "../../telemetry/Metrics.ts"
import { causeLine } from "../../values/logText.ts"
import { Handlers } from "../Handlers.ts"
import { SubscriptionListener } from "../SubscriptionListener.ts"
import { makeAlarm } from "./alarm.ts"
import { callHandler, callSpan } from "./callHandler.ts"
import { makeEndedCalls, now } from "./endedCalls.ts"
import { writeFailure } from "./failedCall.ts"
import { type Call, makeHeldCalls, orderingKeyOf } from "./heldCalls.ts"
import { renewLeases } from "./leases.ts"
import { abortOverdue } from "./overdueCalls.ts"
import { type DispatcherOptions, settingsOf } from "./settings.ts"
import { type DispatcherStore, inTime } from "./storeInTime.ts"
import { makeTellings } from "./tellings.ts"

/** When to look again for what another process has its hand on. */
const lockedMillis = 50

/** When to look again for what waits behind a notification that this process does not hold. */
const behindOthersMillis = 1000

const afterFault = Duration.seconds(1)

/** When the scope closes, calls get the first to end by themselves, and then the second to heed their signals. */
const closing = { drain: Duration.seconds(8), abort: Duration.seconds(1) }

/** Whatever one turn meets, such as an app's logger that throws: without the loop nobody would be told any more. */
const steadily = (turn: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchAllDefect(turn, (defect) =>
    Effect.logError("The dispatcher met a fault and goes on.", causeLine(Cause.die(defect))).pipe(
      Effect.catchAllDefect(() => Effect.void),
      Effect.zipRight(Effect.sleep(afterFault))
    )
  )

export const makeDispatch = (options: DispatcherOptions = {}) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const listener = yield* SubscriptionListener
    const others = yield* Handlers
    const handlers: HandlerNames = new Set([...(listener.listens === false ? [] : onlySubscriptions), ...others.names])
    const owner = yield* randomId
    const settings = settingsOf(options)
    const { lease, pollMillis } = settings
    const leaseMillis = Duration.toMillis(lease)
    const queue: DispatcherStore = { store, owner, settings }

    const calls = makeHeldCalls(settings, yield* Effect.clock)
    const ended = makeEndedCalls()
    // When to ask the store what is due. Epoch milliseconds.
    let lookAt = (yield* Clock.currentTimeMillis) + pollMillis
    let phase: "open" | "closing" | "closed" = "open"
    const isClosing = () => phase !== "open"

    const nextWriteAt = () => ended.writeAt(isClosing() || calls.free() === 0)
    const nextLookAt = () => {
      if (isClosing()) return Number.POSITIVE_INFINITY
      return calls.free() > 0 ? lookAt : Math.max(lookAt, calls.promisedUntil())
    }
    const alarm = yield* makeAlarm({
      dueAt: () => Math.min(calls.firstOf("overdueAt"), calls.firstOf("renewAt"), nextWriteAt(), nextLookAt()),
      isIdle: calls.isEmpty,
      isClosing
    })
    const { ring } = alarm
    const tellings = makeTellings(queue, handlers, ended, alarm)

    const lookBy = (at: number) => {
      lookAt = Math.min(lookAt, at)
    }

    /** The calls to begin of what was claimed. What is not held is looked for when its lease has run out. */
    const hold = (claimed: ReadonlyArray<ClaimedNotification>, since: number, isFollowed: boolean) => {
      const held = calls.hold(claimed, since, isFollowed)
      if (held.length < claimed.length) lookBy(since + leaseMillis)
      return held
    }

    /** The calls to begin of what was parked behind these, which are held no longer. */
    const unparked = (released: ReadonlyArray<Call>) =>
      isClosing()
        ? []
        : released.flatMap(({ one, parked }) =>
            // When it is the same one, its outcome was not taken for longer than its lease, and is by now.
            parked === undefined || parked.one.id === one.id ? [] : hold([parked.one], parked.since, true)
          )

    const begin = (some: ReadonlyArray<Call>): Effect.Effect<void> =>
      Effect.forEach(
        some,
        (call) =>
          // Whoever begins it may not be interruptible, and the call would be as they are.
          Effect.map(Effect.forkDaemon(Effect.interruptible(deliver(call))), (fiber) => {
            call.fiber = fiber
          }),
        { discard: true }
      )

    const told = { listener, others, maxAttempts: settings.retry.maxAttempts }

    const deliver = (call: Call) =>
      Effect.uninterruptibleMask((restore) =>
        restore(callHandler(told, call)).pipe(
          Effect.matchCauseEffect({
            // Settled when it is written.
            onSuccess: () => restore(Effect.zipRight(leaves(call), succeeded(call))),
            onFailure: (cause) =>
              Effect.ensuring(restore(Effect.zipRight(leaves(call), failed(call, cause))), settles(call))
          }),
          // Nothing more of the above is done then.
          Effect.onInterrupt(() => Effect.zipRight(leaves(call), settles(call)))
        )
      ).pipe(callSpan(call.one))

    const leaves = (call: Call) =>
      Effect.sync(() => {
        call.isRunning = false
      })

    const settles = ({ settled }: Call) => Effect.asVoid(Deferred.succeed(settled, undefined))

    const succeeded = (call: Call) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) => {
        ended.add(call, at)
        const { handler, queuedAt } = call.one
        return Metrics.notificationCalls
          .update(1, { handler, outcome: "told" })
          .pipe(
            Effect.zipRight(Metrics.notificationLag.update(Math.max(0, at - queuedAt.getTime()) / 1000, { handler })),
            Effect.zipRight(ring)
          )
      })

    const failed = (call: Call, cause: Cause.Cause<unknown>) =>
      Effect.flatMap(
        writeFailure(queue, () => phase === "closed", call, cause),
        (dueAt) => {
          calls.release(call)
          // What was queued behind it may have taken its place.
          lookBy(call.isFollowed ? now : dueAt)
          return Effect.zipRight(begin(unparked([call])), ring)
        }
      )

    /** Writes which calls have ended well, and goes on with what was queued behind them, each in the place of the one before. */
    const write = Effect.gen(function* () {
      const since = yield* Clock.currentTimeMillis
      const some = ended.take()
      // What is queued from here on, the store may not have seen when it answers.
      for (const call of some) call.isFollowed = false
      const ids = some.map(({ one }) => one.id)
      const written = yield* inTime(settings, () =>
        isClosing()
          ? Effect.map(store.completeNotifications(ids, owner), (completed) => ({ completed, claimed: [] }))
          : store.completeAndClaimNext(ids, { owner, lease })
      ).pipe(Effect.sandbox, Effect.either)
      if (Either.isLeft(written)) {
        // Told again is what is not written, so it is written again.
        ended.putBack(some, yield* Clock.currentTimeMillis)
        return yield* Effect.logWarning("Which handlers have ended was not stored; trying again.", written.left)
      }
      const { claimed, completed } = written.right
      ended.written()
      const following = new Set(claimed.map(orderingKeyOf))
      for (const call of some) {
        if (call.isFollowed && !following.has(orderingKeyOf(call.one))) lookBy(now)
        calls.release(call)
        Deferred.unsafeDone(call.settled, Effect.void)
      }
      if (completed.length < ids.length) lookBy(now)
      yield* begin([...hold(claimed, since, true), ...unparked(some)])
    })

    /** Asks for as much as there are places for. */
    const look = Effect.gen(function* () {
      const since = yield* Clock.currentTimeMillis
      const limit = calls.free()
      const promised = calls.promise(limit)
      lookAt = since + pollMillis
      const { claimed, nextDueAt } = yield* inTime(settings, () =>
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
      calls.redeem(promised)
      // When it has filled all places, there may be more. What was due and not taken, somebody else has his hand on.
      lookBy(claimed.length === limit ? now : Math.max(nextDueAt ?? lookAt, at + lockedMillis))
      yield* begin(hold(claimed, since, false))
    })

    let turnedAt = now
    /** Else what is due soon would be due after as long again as the clock was set back. */
    const followClock = (at: number) => {
      const isSetBack = at < turnedAt
      turnedAt = at
      if (!isSetBack) return
      lookBy(now)
      ended.clockSetBack()
      calls.clockSetBack(at)
    }

    const turn = Effect.flatMap(Clock.currentTimeMillis, (at) => {
      followClock(at)
      if (at >= calls.firstOf("overdueAt")) return abortOverdue(calls, settings, at)
      if (at >= calls.firstOf("renewAt")) return renewLeases(calls, queue, at)
      if (at >= nextWriteAt()) return write
      return at >= nextLookAt() ? look : alarm.rest(at)
    })

    const receiving = <E>(
      most: number,
      receive: (claim: NotificationClaim) => Effect.Effect<ReceivedDeliveries, E>
    ): Effect.Effect<ReceivedDeliveries["outcomes"], E> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const since = yield* Clock.currentTimeMillis
          // While a look is due, what is queued already comes first.
          const limit = isClosing() || lookAt === now ? 0 : Math.min(calls.free(), most)
          const promised = calls.promise(limit)
          const { claimed, outcomes, unclaimed } = yield* restore(receive({ owner, limit, lease })).pipe(
            Effect.onError(() => {
              calls.redeem(promised)
              // It may have claimed all the same.
              if (limit > 0) lookBy(since + leaseMillis)
              return ring
            })
          )
          const at = yield* Clock.currentTimeMillis
          calls.redeem(promised)
          const begun = hold(claimed, since, false)
          for (const key of unclaimed) {
            const before = calls.get(key)
            if (before !== undefined) {
              before.isFollowed = true
              // Its call may have ended.
              ended.hurry()
            } else {
              lookBy(claimed.length === limit ? now : at + behindOthersMillis)
            }
          }
          yield* begin(begun)
          yield* ring
          // Those that are parked are told as soon as what is before them is dealt with.
          const parked = claimed.map(orderingKeyOf).filter((key) => calls.get(key)?.parked !== undefined)
          tellings.remember(outcomes, begun, [...unclaimed, ...parked])
          return outcomes
        })
      )

    const isDone = () => isClosing() && calls.isEmpty()
    const loop = yield* Effect.forkScoped(Effect.repeat(steadily(turn), { until: isDone }))

    // First of all when the scope closes: nothing more is taken, and the loop ends when the calls under way have.
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        phase = "closing"
        const abortAll = Effect.sync(() => {
          for (const { abort } of calls.running()) abort.abort(new Error("the process is shutting down"))
        })
        const drained = (patience: Duration.Duration) =>
          Fiber.await(loop).pipe(Effect.interruptible, Effect.timeoutOption(patience))
        return ring.pipe(
          Effect.zipRight(drained(Duration.min(settings.timeout, closing.drain))),
          Effect.flatMap(
            Option.match({
              onSome: () => Effect.void,
              onNone: () => Effect.zipRight(abortAll, Effect.asVoid(drained(closing.abort)))
            })
          ),
          // One that does not heed its end is not waited for.
          Effect.ensuring(
            Effect.suspend(() => {
              phase = "closed"
              return Effect.forEach(calls.running(), ({ fiber }) =>
                fiber === undefined ? Effect.void : Fiber.interruptFork(fiber)
              )
            })
          )
        )
      })
    )

    const wake = Effect.suspend(() => {
      lookBy(now)
      return ring
    })

    return { handlers, wake, receiving, told: tellings.told } as const
  })
