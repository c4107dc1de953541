/** The step that links a customer to a user, apart from events. */
import type { LinkSource } from "../records/rows.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { HandlerNames } from "../rules/handlers.ts"
import type { AppUsers } from "../rules/identity.ts"
import type { CustomerId, UserId } from "../values/ids.ts"
import { heardBy } from "./keys.ts"
import { noKeys, type Step } from "./Step.ts"
import * as WorkingCopy from "./workingCopy.ts"

export interface LinkRequest {
  readonly customerId: CustomerId
  readonly userId: UserId
  readonly linkedBy: LinkSource
}

export interface LinkAnswer {
  /** The user to whom the customer is linked now. Another one than asked for when it was linked before. */
  readonly userId: string
  /** How many notifications were queued. */
  readonly notified: number
}

export interface StepOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
  /** Whoever is to be told. Default: who hears of subscriptions. */
  readonly handlers?: HandlerNames | undefined
  /** Whom of those that Polar names the app has. */
  readonly users?: AppUsers | undefined
}

/** Links a customer to a user, unless it is linked already: nobody's customer is taken over. */
export const linkCustomer = (request: LinkRequest, options: StepOptions): Step<LinkAnswer> => ({
  keys: {
    ...noKeys,
    ...heardBy(options.handlers),
    customerIds: [request.customerId],
    userIds: [request.userId]
  },
  decide: (facts) => {
    const copy = WorkingCopy.make(facts, options)
    copy.linkCustomer(request.customerId, request.userId, request.linkedBy)
    copy.tellUsers({ by: request.linkedBy === "host" || request.linkedBy === "operator" ? "operator" : "link" })
    const answer = {
      userId: copy.linkedUser(request.customerId) ?? "",
      notified: copy.queued()
    }
    return { changes: copy.changes(), answer }
  }
})
