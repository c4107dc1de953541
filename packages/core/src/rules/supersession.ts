/**
 * Which changes make way for a newer one? What the app is told of a record is its state, so of two that wait only the newest
 * matters. They are told one after the other all the same, as long as the app takes them; but one that it did not take holds
 * up no newer one: the newest is told next, and those before it are never told.
 */
import { supersedes, versionOf } from "./order.ts"

/** One that is queued, and neither told nor given up. */
export interface Untold {
  readonly id: string
  readonly eventAt: number
  readonly precedence: number
  /** Whether a call has failed. */
  readonly hasFailed: boolean
  /** Whether somebody is telling it at the moment. */
  readonly isBeingTold: boolean
}

/** Whether a change that was given up is to be told no more, because a newer one was queued since. */
export const isOutdated = (
  given: Pick<Untold, "eventAt" | "precedence">,
  others: ReadonlyArray<Pick<Untold, "eventAt" | "precedence">>
): boolean => others.some((other) => supersedes(versionOf(other), versionOf(given)))

/** Of one record's untold changes those that make way: the oldest has failed, nobody is at it, and there is a newer one. */
export const superseded = (untold: ReadonlyArray<Untold>): ReadonlyArray<string> => {
  const [oldest, ...newer] = [...untold].sort((a, b) => (supersedes(versionOf(a), versionOf(b)) ? 1 : -1))
  if (oldest === undefined || newer.length === 0 || !oldest.hasFailed || oldest.isBeingTold) return []
  return [oldest, ...newer.slice(0, -1)].map(({ id }) => id)
}
