/**
 * Which of two states of one record is the newer: the rule that decides order, here and nowhere else.
 *
 * Polar delivers out of order after any failure, so arrival says nothing. The event's own timestamp decides, at
 * microsecond precision; between equal timestamps the written rule of the kind (`precedence` in `records/`). The whole
 * rule looks only at the events themselves: whatever order they arrive in, and however often, the same one wins.
 */
import type { RecordFact } from "../records/rows.ts"
import type { EpochMicros } from "../values/Timestamp.ts"

/** Where a state stands in the history of its record. */
export interface Version {
  /** The event's timestamp. */
  readonly at: EpochMicros
  /** Decides between states with the same timestamp. A non-negative safe integer. */
  readonly precedence: number
}

/**
 * Whether `incoming` replaces `stored`. Equal versions do not: the same event twice changes nothing.
 *
 * @example
 * const at = Timestamp.fromMillis(Date.now())
 * SubscriptionVersion.supersedes({ at, precedence: 1 }, { at, precedence: 0 })
 */
export const supersedes = (incoming: Version, stored: Version): boolean =>
  incoming.at === stored.at ? incoming.precedence > stored.precedence : incoming.at > stored.at

/**
 * @example
 * SubscriptionVersion.versionOf({ eventAt: 1, precedence: 0 })
 */
export const versionOf = (fact: Pick<RecordFact, "eventAt" | "precedence">): Version => ({
  at: fact.eventAt as EpochMicros,
  precedence: fact.precedence
})
