/**
 * Which of two states of one subscription is the newer: the rule that decides order, here and nowhere else.
 *
 * Polar delivers out of order after any failure, so arrival says nothing. The event's own timestamp decides, at
 * microsecond precision. The whole rule looks only at the events themselves: whatever order they arrive in, and however
 * often, the same one wins.
 */
import { isKnownStatus, type KnownStatus, type Subscription } from "../records/Subscription.ts"
import type { EpochMicros } from "../values/Timestamp.ts"

/** Where a state stands in the history of its subscription. */
export interface SubscriptionVersion {
  /** The event's timestamp. */
  readonly at: EpochMicros
  /** Decides between states with the same timestamp: see `precedence`. A non-negative safe integer. */
  readonly precedence: number
}

/** Least restrictive first. A status that is not known grants nothing, so it stands with those that deny most. */
const restriction: Readonly<Record<KnownStatus, number>> = {
  trialing: 0,
  active: 1,
  past_due: 2,
  paused: 3,
  incomplete: 4,
  unpaid: 5,
  incomplete_expired: 6,
  canceled: 7
}
const restrictionOfUnknown = 8

/**
 * The rule for events with equal timestamps, most significant first:
 *
 * 1. a state that has ended wins over one that has not: in doubt, nothing that ended comes back;
 * 2. the later `modifiedAt` wins (milliseconds; none counts as earliest);
 * 3. the more restrictive status wins: trialing, active, past_due, paused, incomplete, unpaid, incomplete_expired,
 *    canceled, and then any unknown one;
 * 4. a scheduled end wins over none.
 *
 * The four are packed into one integer of at most 48 bits, so that a database compares them as a number.
 */
export const precedence = (subscription: Subscription): number => {
  const ended = subscription.endedAt === null ? 0 : 1
  const modified = Math.min(Math.max(subscription.modifiedAt?.getTime() ?? 0, 0), 2 ** 42 - 1)
  const status = isKnownStatus(subscription.status) ? restriction[subscription.status] : restrictionOfUnknown
  const ending = subscription.cancelAtPeriodEnd ? 1 : 0
  return ended * 2 ** 47 + modified * 2 ** 5 + status * 2 + ending
}

export const versionOf = (subscription: Subscription, at: EpochMicros): SubscriptionVersion => ({
  at,
  precedence: precedence(subscription)
})

/** Whether `incoming` replaces `stored`. Equal versions do not: the same event twice changes nothing. */
export const supersedes = (incoming: SubscriptionVersion, stored: SubscriptionVersion): boolean =>
  incoming.at === stored.at ? incoming.precedence > stored.precedence : incoming.at > stored.at
