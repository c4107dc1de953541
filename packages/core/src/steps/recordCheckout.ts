/**
 * The step that remembers that a checkout was made for a user. What was bought there may have been delivered before, and
 * given to whom weaker evidence named: now it is the buyer's.
 */
import type { CheckoutRow } from "../records/rows.ts"
import { heardBy } from "./keys.ts"
import type { StepOptions } from "./linkCustomer.ts"
import { noKeys, type Step } from "./Step.ts"
import * as WorkingCopy from "./workingCopy.ts"

/** Answers with how many notifications were queued. */
export const recordCheckout = (checkout: CheckoutRow, options: StepOptions): Step<number> => ({
  keys: {
    ...noKeys,
    ...heardBy(options.handlers),
    checkoutIds: [checkout.id],
    originIds: [checkout.id],
    userIds: [checkout.userId]
  },
  decide: (facts) => {
    const copy = WorkingCopy.make(facts, options)
    copy.recordCheckout(checkout)
    copy.tellUsers({ by: "link" })
    return { changes: copy.changes(), answer: copy.queued() }
  }
})
