/**
 * The calls that this process holds: from the claim of a notification until the store has written what became of its call.
 *
 * Of notifications with the same ordering key it holds one at a time. Each takes a place, and there are as many places as calls
 * may run at once.
 */
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type { ClaimedNotification } from "../../rules/told.ts"
import type { DispatcherSettings } from "./settings.ts"

/** Times are epoch milliseconds. */
export interface Call {
  readonly one: ClaimedNotification
  readonly begunAt: number
  /** Aborted when its time is over. */
  readonly abort: AbortController
  /** The app's code runs. Afterwards what became of it is yet to be written. */
  isRunning: boolean
  /** When its time is over, and then when it is next said that it still runs. */
  overdueAt: number
  isOverdue: boolean
  /** When its lease is to be renewed. */
  renewAt: number
  fiber: Fiber.RuntimeFiber<unknown> | undefined
  /** Done when its outcome was dealt with. */
  readonly settled: Deferred.Deferred<void>
  /** Somebody waits for that, so that its outcome is not gathered with others. */
  isAwaited: boolean
  /** More was queued behind it. */
  isFollowed: boolean
  /**
   * What was claimed while this one is still held: the store has committed its outcome, and the store's answer is yet to come.
   * It is begun when this one is released.
   */
  parked: Claimed | undefined
}

export interface Claimed {
  readonly one: ClaimedNotification
  /** When the store was asked, which is before its lease began. Epoch milliseconds. */
  readonly since: number
}

/** Places that are kept for what the store is being asked for. */
export interface Promised {
  readonly places: number
  readonly until: number
}

export interface HeldCalls {
  /** Places for further calls. */
  readonly free: () => number
  readonly isEmpty: () => boolean
  readonly get: (key: string) => Call | undefined
  readonly running: () => ReadonlyArray<Call>
  /** The earliest of these times of calls that run. */
  readonly firstOf: (time: "overdueAt" | "renewAt") => number
  readonly promise: (places: number) => Promised
  /** When the first of them are kept no longer, whatever the store does; infinite while there are none. */
  readonly promisedUntil: () => number
  /** The store has answered. */
  readonly redeem: (promised: Promised) => void
  /**
   * Takes places for what was claimed, and answers the calls to begin. What would outlast its lease is left to it; what came
   * although one of its key is still held is parked behind that one.
   */
  readonly hold: (
    claimed: ReadonlyArray<ClaimedNotification>,
    since: number,
    isFollowed: boolean
  ) => ReadonlyArray<Call>
  readonly release: (call: Call) => void
  /** Times that were set before are too late. */
  readonly clockSetBack: (at: number) => void
}

/** Notifications with the same key are delivered one after the other. */
export const orderingKeyOf = ({ subject }: Pick<ClaimedNotification, "subject">): string => subject

/** How log entries name it. */
export const named = ({ attempt, handler, id }: ClaimedNotification) => ({ notification: id, handler, attempt })

/** So many times as many calls as may run at once may be over their time without keeping a place from others. */
const overdueFactor = 10

export const mostOverdue = ({ concurrency }: DispatcherSettings): number => concurrency * overdueFactor

export const makeHeldCalls = (settings: DispatcherSettings, clock: Clock.Clock): HeldCalls => {
  const timeoutMillis = Duration.toMillis(settings.timeout)
  const storeMillis = Duration.toMillis(settings.storeLimit)
  const calls = new Map<string, Call>()
  const promises = new Set<Promised>()

  /** A step that is given up, and does not heed that, keeps no places for long. */
  const promisedPlaces = () => {
    const at = clock.unsafeCurrentTimeMillis()
    let places = 0
    for (const promised of promises) {
      if (promised.until > at) places += promised.places
      else promises.delete(promised)
    }
    return places
  }

  const newCall = (one: ClaimedNotification, at: number, isFollowed: boolean): Call => ({
    one,
    begunAt: at,
    abort: new AbortController(),
    isRunning: true,
    overdueAt: at + timeoutMillis,
    isOverdue: false,
    renewAt: at + settings.renewMillis,
    fiber: undefined,
    settled: Deferred.unsafeMake(FiberId.none),
    isAwaited: false,
    isFollowed,
    parked: undefined
  })

  return {
    free: () => {
      let overdue = 0
      for (const { isOverdue, isRunning } of calls.values()) if (isRunning && isOverdue) overdue++
      const taken = calls.size - Math.min(overdue, mostOverdue(settings))
      return Math.max(0, settings.concurrency - taken - promisedPlaces())
    },
    isEmpty: () => calls.size + promisedPlaces() === 0,
    get: (key) => calls.get(key),
    running: () => [...calls.values()].filter(({ isRunning }) => isRunning),
    firstOf: (time) => {
      let first = Number.POSITIVE_INFINITY
      for (const call of calls.values()) if (call.isRunning) first = Math.min(first, call[time])
      return first
    },
    promise: (places) => {
      const promised = { places, until: clock.unsafeCurrentTimeMillis() + storeMillis }
      promises.add(promised)
      return promised
    },
    promisedUntil: () => {
      let first = Number.POSITIVE_INFINITY
      for (const { until } of promises) first = Math.min(first, until)
      return first
    },
    redeem: (promised) => {
      promises.delete(promised)
    },
    hold: (claimed, since, isFollowed) => {
      const at = clock.unsafeCurrentTimeMillis()
      if (at - since > settings.renewMillis) return []
      return claimed.flatMap((one) => {
        const key = orderingKeyOf(one)
        const before = calls.get(key)
        if (before !== undefined) {
          before.parked = { one, since }
          return []
        }
        const call = newCall(one, at, isFollowed)
        calls.set(key, call)
        return [call]
      })
    },
    release: (call) => {
      calls.delete(orderingKeyOf(call.one))
    },
    clockSetBack: (at) => {
      for (const call of calls.values()) {
        call.overdueAt = Math.min(call.overdueAt, at + timeoutMillis)
        // Not of one whose lease is lost.
        if (call.renewAt < Number.POSITIVE_INFINITY) call.renewAt = at
      }
    }
  }
}
