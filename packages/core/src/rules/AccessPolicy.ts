/** What a subscription entitles its user to, and which of several is the current one. */
import * as Duration from "effect/Duration"
import { isKnownStatus, type KnownStatus, type Subscription } from "../records/Subscription.ts"

/** What a status gives: access, access for a limited time, or none. */
export type Entitlement = "granted" | "grace" | "denied"

export interface AccessPolicy {
  /** One entitlement for each of Polar's statuses. A status that Polar adds later is denied. */
  readonly statuses: Readonly<Record<KnownStatus, Entitlement>>
  /** How long `grace` lasts, counted from the moment the renewal became overdue. */
  readonly gracePeriod: Duration.Duration
}

export interface Access {
  readonly entitlement: Entitlement
  /** A sentence for a log or a support page. */
  readonly reason: string
  /** When the entitlement ends by itself, if that is known: the end of grace, or of a canceled period. */
  readonly until: Date | null
}

/**
 * The default policy, after Polar's own idea of access: trialing and active grant, also when the end is scheduled;
 * an overdue renewal keeps access for seven days; everything else denies.
 */
export const defaultPolicy: AccessPolicy = {
  statuses: {
    trialing: "granted",
    active: "granted",
    past_due: "grace",
    paused: "denied",
    canceled: "denied",
    unpaid: "denied",
    incomplete: "denied",
    incomplete_expired: "denied"
  },
  gracePeriod: Duration.days(7)
}

/** What of a subscription decides about access. */
export interface AccessFacts
  extends Pick<
    Subscription,
    "status" | "endedAt" | "cancelAtPeriodEnd" | "endsAt" | "currentPeriodEnd" | "pastDueAt"
  > {}

/** The access that a subscription gives at `now`. */
export const decide = (policy: AccessPolicy, subscription: AccessFacts, now: Date): Access => {
  const { status } = subscription
  if (subscription.endedAt !== null) {
    return denied(`The subscription ended on ${subscription.endedAt.toISOString()}.`)
  }
  if (!isKnownStatus(status)) {
    return denied(`Polar reports the status "${status}", which this version does not know.`)
  }
  switch (policy.statuses[status]) {
    case "denied":
      return denied(`The subscription is ${status}.`)
    case "granted":
      return {
        entitlement: "granted",
        reason: subscription.cancelAtPeriodEnd
          ? `The subscription is ${status} and ends with its period.`
          : `The subscription is ${status}.`,
        until: subscription.cancelAtPeriodEnd ? (subscription.endsAt ?? subscription.currentPeriodEnd) : null
      }
    case "grace": {
      if (subscription.pastDueAt === null) {
        return denied(`The subscription is ${status}, and Polar does not say since when.`)
      }
      const until = new Date(subscription.pastDueAt.getTime() + Duration.toMillis(policy.gracePeriod))
      return now < until
        ? { entitlement: "grace", reason: `The subscription is ${status}; the grace period runs.`, until }
        : denied(`The subscription is ${status} and its grace period ended on ${until.toISOString()}.`)
    }
  }
}

/** The access of a user without a subscription. */
export const noSubscription: Access = {
  entitlement: "denied",
  reason: "The user has no live subscription.",
  until: null
}

const denied = (reason: string): Access => ({ entitlement: "denied", reason, until: null })

/** What decides which subscription is the current one. */
export interface CurrentCandidate {
  readonly id: string
  readonly status: string
  /** See `Subscription.isLive`. */
  readonly isLive: boolean
  /** Epoch milliseconds. */
  readonly periodEnd: number | null
}

/** 2: the status grants access. 1: it grants grace. 0: live, without access. -1: not live, so never the current one. */
export const standing = (policy: AccessPolicy, candidate: Pick<CurrentCandidate, "status" | "isLive">): number => {
  if (!candidate.isLive || !isKnownStatus(candidate.status)) return -1
  return standingOf[policy.statuses[candidate.status]]
}

const standingOf: Readonly<Record<Entitlement, number>> = { granted: 2, grace: 1, denied: 0 }

/**
 * The current one of a user's subscriptions: the best standing, then the period that ends last, then the smaller id so
 * that every store and every read agree. The clock plays no part, so the answer changes only when a subscription does.
 */
export const current = <A extends CurrentCandidate>(policy: AccessPolicy, candidates: Iterable<A>): A | undefined => {
  let best: A | undefined
  let bestStanding = -1
  for (const candidate of candidates) {
    const candidateStanding = standing(policy, candidate)
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

const precedes = (a: CurrentCandidate, b: CurrentCandidate): boolean => {
  const endOfA = a.periodEnd ?? 0
  const endOfB = b.periodEnd ?? 0
  return endOfA === endOfB ? a.id < b.id : endOfA > endOfB
}
