/** Calls that have ended well, gathered for the next write: writing one costs as much as writing many, and nobody waits for it. */
import type { Call } from "./heldCalls.ts"

/** Times are epoch milliseconds. */
export interface EndedCalls {
  readonly isEmpty: () => boolean
  readonly has: (call: Call) => boolean
  readonly add: (call: Call, at: number) => void
  /** Somebody waits for what is gathered, or for what is behind it. */
  readonly hurry: () => void
  /** When to write; infinite while there is nothing. `isHurried`: nothing else is to be waited for. */
  readonly writeAt: (isHurried: boolean) => number
  /** As many as go in one write. */
  readonly take: () => ReadonlyArray<Call>
  readonly written: () => void
  /** The store did not take these. */
  readonly putBack: (calls: ReadonlyArray<Call>, at: number) => void
  /** Times that were set before are too late. */
  readonly clockSetBack: () => void
}

/** For so long outcomes are gathered. */
const gatherMillis = 50

/** As many outcomes go in one write. */
const writeSize = 100

/** How soon an outcome that could not be written is written again. */
export const rewriteMillis = { first: 250, longest: 5000 }

/** As a time: at once. */
export const now = Number.NEGATIVE_INFINITY

export const makeEndedCalls = (): EndedCalls => {
  const ended: Array<Call> = []
  let dueAt = Number.POSITIVE_INFINITY
  let failedWrites = 0
  // While the store takes none, nothing is urgent.
  const hurry = () => {
    if (failedWrites === 0 && ended.length > 0) dueAt = now
  }
  return {
    isEmpty: () => ended.length === 0,
    has: (call) => ended.includes(call),
    add: (call, at) => {
      ended.push(call)
      if (call.isAwaited || call.isFollowed || ended.length >= writeSize) hurry()
      else if (failedWrites === 0) dueAt = Math.min(dueAt, at + gatherMillis)
    },
    hurry,
    writeAt: (isHurried) =>
      ended.length === 0 ? Number.POSITIVE_INFINITY : isHurried && failedWrites === 0 ? now : dueAt,
    take: () => {
      const some = ended.splice(0, writeSize)
      dueAt = ended.length > 0 ? now : Number.POSITIVE_INFINITY
      return some
    },
    written: () => {
      // What ended while none was taken has set no time for itself.
      if (failedWrites > 0 && ended.length > 0) dueAt = now
      failedWrites = 0
    },
    putBack: (calls, at) => {
      ended.unshift(...calls)
      dueAt = at + Math.min(rewriteMillis.first * 2 ** Math.min(failedWrites++, 10), rewriteMillis.longest)
    },
    clockSetBack: () => {
      if (ended.length > 0) dueAt = now
    }
  }
}
