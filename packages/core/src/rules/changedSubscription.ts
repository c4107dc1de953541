/** What is a changed subscription told with, beside what makes the change? Nothing of it makes one by itself. */
import type { Access } from "../records/Access.ts"
import type { RecordFact } from "../records/rows.ts"
import { decodeDetails } from "../records/storedJson.ts"
import { subscriptionFact } from "../records/subscriptionKind.ts"
import { type AccessPolicy, accessOf, counts, decide } from "./AccessPolicy.ts"

const nothing = { seats: null, amount: null, currency: null, trialEndsAt: null }

const denied = (reason: string): Access => ({ entitlement: "denied", reason, until: null })

/** What the subscription gives by itself, whatever else its user has. */
const accessIn = (policy: AccessPolicy, fact: RecordFact, now: Date): Access => {
  const subscription = subscriptionFact(fact)
  if (!subscription.isLive) return denied("The subscription is over.")
  return counts(policy, subscription) ? decide(policy, subscription, now) : accessOf(policy, [subscription], now)
}

/** The five fields as `payload` has them, with the others, as JSON. Whoever lost it is shown nothing of another's. */
export const withDetails = (
  payload: string,
  fact: RecordFact,
  { isLost, now, policy }: { readonly policy: AccessPolicy; readonly now: number; readonly isLost: boolean }
): string => {
  const shown: object = JSON.parse(payload)
  return JSON.stringify(
    isLost
      ? { ...shown, ...nothing, access: denied("The subscription is this user's no longer.") }
      : { ...shown, ...decodeDetails(fact.summary), access: accessIn(policy, fact, new Date(now)) }
  )
}
