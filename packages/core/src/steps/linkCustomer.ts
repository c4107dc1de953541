/** The step that links a customer to a user, apart from events. */
import type { LinkSource } from "../records/rows.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { CustomerId, UserId } from "../values/ids.ts"
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

export interface LinkOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
  /** Whether anybody is to be told. Default: true. */
  readonly notify?: boolean | undefined
}

/** Links a customer to a user, unless it is linked already: nobody's customer is taken over. */
export const linkCustomer = (request: LinkRequest, options: LinkOptions): Step<LinkAnswer> => ({
  keys: { ...noKeys, customerIds: [request.customerId], userIds: [request.userId] },
  decide: (facts) => {
    const copy = WorkingCopy.make(facts, options)
    copy.linkCustomer(request.customerId, request.userId, request.linkedBy)
    const answer = {
      userId: copy.link(request.customerId)?.userId ?? request.userId,
      notified: copy.queued()
    }
    return { changes: copy.changes(), answer }
  }
})
