/** What a subscription entitles its user to, and which of several is the current one. */
import * as Duration from "effect/Duration"
import type { Access, Entitlement } from "../records/Access.ts"
import { isKnownStatus, isLiveStatus, type LiveStatus, type Subscription } from "../records/Subscription.ts"
import { type ScheduledChange, type ScheduleFacts, scheduledChange } from "../records/scheduledChange.ts"

export type { Access, Entitlement } from "../records/Access.ts"

export interface AccessPolicy {
  /**
   * What a status gives, of those that a subscription can have while it goes on. Every other one is denied, also one that
   * Polar adds later.
   */
  readonly statuses: Readonly<Record<LiveStatus, Entitlement>>
  /** How long `grace` lasts, counted from the moment the renewal became overdue. */
  readonly gracePeriod: Duration.Duration
  /**
   * For how long what was to end is still given, so that what Polar says then has time to arrive: that a trial was paid for,
   * that an end was called off.
   */
  readonly endTolerance: Duration.Duration
  /** Polar's ids of the products whose subscriptions count; those to any other give nothing. Default: all. */
  readonly products?: ReadonlySet<string> | undefined
}

/**
 * The default policy, after Polar's own idea of access: trialing and active grant, until an end that is scheduled; an overdue
 * renewal keeps access for seven days; everything else denies. An hour more is for webhooks on their way.
 */
export const defaultPolicy: AccessPolicy = {
  statuses: { trialing: "granted", active: "granted", past_due: "grace", paused: "denied" },
  gracePeriod: Duration.days(7),
  endTolerance: Duration.hours(1)
}

/** What of a subscription decides about access. */
export interface AccessFacts extends ScheduleFacts, Pick<Subscription, "endedAt" | "pastDueAt"> {}

/**
 * The access that a subscription gives at `now`.
 *
 * @example
 * AccessPolicy.decide(AccessPolicy.defaultPolicy, subscription, new Date()).entitlement
 */
export const decide = (policy: AccessPolicy, subscription: AccessFacts, now: Date): Access => {
  const { endedAt, pastDueAt, status } = subscription
  if (endedAt !== null) return denied(`The subscription ended on ${endedAt.toISOString()}.`)
  const entitlement = entitlementOf(policy, status)
  if (entitlement === undefined) {
    return denied(
      isKnownStatus(status)
        ? `The subscription is ${status}.`
        : `Polar reports the status "${status}", which this version does not know.`
    )
  }
  const end = endOf(policy, subscription)
  if (end !== undefined && now >= end.overAt) {
    return denied(`${end.past} on ${end.at.toISOString()}, and nothing newer has come from Polar.`)
  }
  switch (entitlement) {
    case "denied":
      return denied(`The subscription is ${status}.`)
    case "granted":
      if (end !== undefined && now >= end.at) {
        const reason = `${end.past} on ${end.at.toISOString()}; access goes on for what is still to come from Polar.`
        return { entitlement, reason, until: end.overAt }
      }
      return end?.isCertain === true
        ? { entitlement, reason: `The subscription is ${status} and ends with its period.`, until: end.at }
        : { entitlement, reason: `The subscription is ${status}.`, until: null }
    case "grace": {
      if (pastDueAt === null) return denied(`The subscription is ${status}, and Polar does not say since when.`)
      const until = later(pastDueAt, policy.gracePeriod)
      return now < until
        ? {
            entitlement,
            reason: `The subscription is ${status}; the grace period runs.`,
            until: earlier(until, end?.overAt)
          }
        : denied(`The subscription is ${status} and its grace period ended on ${until.toISOString()}.`)
    }
  }
}

/** What is announced to end what the subscription gives, and when nothing more is given. */
const endOf = (
  policy: AccessPolicy,
  facts: ScheduleFacts
): (ScheduledChange & { readonly overAt: Date }) | undefined => {
  const change = scheduledChange(facts)
  // What is paused may give access, too.
  if (change === undefined || (change.status === "paused" && policy.statuses.paused === "granted")) return undefined
  return { ...change, overAt: later(change.at, policy.endTolerance) }
}

const entitlementOf = (policy: AccessPolicy, status: string): Entitlement | undefined =>
  isLiveStatus(status) ? policy.statuses[status] : undefined

const later = (date: Date, by: Duration.Duration): Date => new Date(date.getTime() + Duration.toMillis(by))

const earlier = (a: Date, b: Date | undefined): Date => (b !== undefined && b < a ? b : a)

/**
 * When the clock changes what the subscription gives, unless Polar says something else before: a scheduled end, the end of a
 * trial that nobody has paid for, a scheduled pause (each with the tolerance), the end of grace. `null` when it does not.
 *
 * @example
 * AccessPolicy.clockAt(AccessPolicy.defaultPolicy, subscription)
 */
export const clockAt = (policy: AccessPolicy, facts: AccessFacts): Date | null => {
  if (facts.endedAt !== null) return null
  const scheduled = scheduledChange(facts)
  const overAt = scheduled === undefined ? undefined : later(scheduled.at, policy.endTolerance)
  const isGrace = entitlementOf(policy, facts.status) === "grace" && facts.pastDueAt !== null
  const graceUntil = isGrace && facts.pastDueAt !== null ? later(facts.pastDueAt, policy.gracePeriod) : undefined
  return graceUntil === undefined ? (overAt ?? null) : earlier(graceUntil, overAt)
}

/**
 * The status as of `now`.
 *
 * @example
 * AccessPolicy.statusAt(AccessPolicy.defaultPolicy, subscription, new Date())
 */
export const statusAt = (policy: AccessPolicy, facts: AccessFacts, now: Date): string => {
  const scheduled = scheduledChange(facts)
  return scheduled !== undefined && now >= later(scheduled.at, policy.endTolerance) ? scheduled.status : facts.status
}

/** The access of a user without a subscription. */
export const noSubscription: Access = {
  entitlement: "denied",
  reason: "The user has no live subscription.",
  until: null
}

const denied = (reason: string): Access => ({ entitlement: "denied", reason, until: null })

/** What decides which subscription is the current one. */
export interface CurrentCandidate extends AccessFacts {
  readonly id: string
  readonly productId: string | null
  /** See `Subscription.isLive`. */
  readonly isLive: boolean
}

/**
 * 2: it grants access at `now`. 1: it grants grace. 0: live, without access. -1: not live, or its time has passed, so never the
 * current one.
 *
 * @example
 * AccessPolicy.standing(AccessPolicy.defaultPolicy, subscription, new Date())
 */
export const standing = (policy: AccessPolicy, candidate: CurrentCandidate, now: Date): number =>
  !candidate.isLive || !isLiveStatus(statusAt(policy, candidate, now))
    ? -1
    : standingOf[decide(policy, candidate, now).entitlement]

const standingOf: Readonly<Record<Entitlement, number>> = { granted: 2, grace: 1, denied: 0 }

/**
 * Whether a subscription to this product counts at all.
 *
 * @example
 * AccessPolicy.counts({ ...AccessPolicy.defaultPolicy, products: new Set([productId]) }, subscription)
 */
export const counts = (policy: AccessPolicy, { productId }: Pick<CurrentCandidate, "productId">): boolean =>
  policy.products === undefined || (productId !== null && policy.products.has(productId))

/** As of when: of all, or of each. */
export type AsOf<A> = Date | ((candidate: A) => Date)

const timeFor = <A>(asOf: AsOf<A>, candidate: A): Date => (asOf instanceof Date ? asOf : asOf(candidate))

/**
 * The current one of a user's subscriptions at `now`, of those that count: the best standing, then the period that ends last, then the smaller id
 * so that every store and every read agree.
 *
 * @example
 * AccessPolicy.current(AccessPolicy.defaultPolicy, [subscription], new Date())?.status
 */
export const current = <A extends CurrentCandidate>(
  policy: AccessPolicy,
  candidates: Iterable<A>,
  now: AsOf<A>
): A | undefined => {
  let best: A | undefined
  let bestStanding = -1
  for (const candidate of candidates) {
    if (!counts(policy, candidate)) continue
    const candidateStanding = standing(policy, candidate, timeFor(now, candidate))
    if (candidateStanding < 0) continue
    if (
      best === undefined ||
      candidateStanding > bestStanding ||
      (candidateStanding === bestStanding && precedes(candidate, best))
    ) {
      best = candidate
      bestStanding = candidateStanding
    }
  }
  return best
}

/**
 * The access of a user with these subscriptions: that of the current one, or why none is; until when, all say that give the same.
 * With `products`, only subscriptions to one of these are looked at.
 *
 * @example
 * AccessPolicy.accessOf(AccessPolicy.defaultPolicy, [subscription], new Date()).until
 */
export const accessOf = <A extends CurrentCandidate>(
  policy: AccessPolicy,
  candidates: ReadonlyArray<A>,
  now: AsOf<A>,
  products?: ReadonlySet<string>
): Access => {
  const live = candidates.filter(({ isLive }) => isLive)
  const asked =
    products === undefined ? live : live.filter(({ productId }) => productId !== null && products.has(productId))
  const counted = asked.filter((candidate) => counts(policy, candidate))
  const found = current(policy, counted, now) ?? counted.sort(byPeriodEnd)[0]
  if (found !== undefined) return lasting(policy, decide(policy, found, timeFor(now, found)), counted, now)
  if (live.length === 0) return noSubscription
  return denied(
    asked.length === 0
      ? "The user has a live subscription, and none to what was asked for."
      : "The user has a live subscription, and none to a product that this app sells: `products` names those."
  )
}

/** Of those that give the same, what the one says that gives it longest: where one ends, another may go on. */
const lasting = <A extends CurrentCandidate>(
  policy: AccessPolicy,
  access: Access,
  candidates: ReadonlyArray<A>,
  now: AsOf<A>
): Access => {
  let longest = access
  for (const candidate of candidates) {
    if (longest.until === null) return longest
    const other = decide(policy, candidate, timeFor(now, candidate))
    if (other.entitlement === longest.entitlement && (other.until === null || other.until > longest.until)) {
      longest = other
    }
  }
  return longest
}

const byPeriodEnd = (a: CurrentCandidate, b: CurrentCandidate): number => (precedes(a, b) ? -1 : 1)

const precedes = (a: CurrentCandidate, b: CurrentCandidate): boolean => {
  const endOfA = a.currentPeriodEnd?.getTime() ?? 0
  const endOfB = b.currentPeriodEnd?.getTime() ?? 0
  return endOfA === endOfB ? a.id < b.id : endOfA > endOfB
}
