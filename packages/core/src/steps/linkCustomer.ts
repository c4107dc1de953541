/** The steps by which subscriptions find their users apart from events, and by which checkouts are remembered. */

import type { CheckoutRow, LinkSource } from "../records/rows.ts"
import type { CustomerId, UserId } from "../records/Subscription.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { identify, type SubscriptionReport } from "../rules/identity.ts"
import * as StepKeys from "./keys.ts"
import { noChanges, type Step } from "./Step.ts"
import { make as makeLedger } from "./workingCopy.ts"

export interface LinkRequest {
  readonly customerId: CustomerId
  readonly userId: UserId
  readonly linkedBy: LinkSource
}

export interface LinkAnswer {
  /** The user to whom the customer is linked now. Another one than asked for when it was linked before. */
  readonly userId: string
  /** How many subscriptions found their user by this link. */
  readonly notified: number
}

/** Links a customer to a user, unless it is linked already: nobody's customer is taken over. */
export const linkCustomer = (request: LinkRequest, policy: AccessPolicy, now: number): Step<LinkAnswer> => ({
  keys: { deliveryIds: [], customerIds: [request.customerId], subscriptionIds: [], userIds: [request.userId] },
  decide: (facts) => {
    const ledger = makeLedger(facts, { policy, now })
    ledger.linkCustomer(request.customerId, request.userId, request.linkedBy)
    const answer = {
      userId: ledger.link(request.customerId)?.userId ?? request.userId,
      notified: ledger.queued()
    }
    return { changes: ledger.changes(), answer }
  }
})

/**
 * Gives stored subscriptions that belong to nobody to their users, where these are known by now. Answers with how many
 * found one.
 */
export const adoptSubscriptions = (
  reports: ReadonlyArray<SubscriptionReport>,
  policy: AccessPolicy,
  now: number
): Step<number> => {
  const wanted = StepKeys.make()
  for (const report of reports) wanted.subscription(report)
  return {
    keys: wanted.keys(),
    decide: (facts) => {
      const ledger = makeLedger(facts, { policy, now })
      const unlinked = reports.filter(({ subscription }) => ledger.subscription(subscription.id)?.userId === null)
      const adopted = unlinked.filter((report) => identify(ledger, report) !== null)
      return { changes: ledger.changes(), answer: adopted.length }
    }
  }
}

/** Remembers that a checkout was made for a user. */
export const recordCheckout = (checkout: CheckoutRow): Step<void> => ({
  keys: { deliveryIds: [], customerIds: [], subscriptionIds: [], userIds: [] },
  decide: () => ({ changes: { ...noChanges, checkouts: [checkout] }, answer: undefined })
})
