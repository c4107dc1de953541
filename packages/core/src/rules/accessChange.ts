/** When does a user's access become another? What is told of it, and as of when it is looked at. */
import type { RecordFact } from "../records/rows.ts"
import { subscriptionFact } from "../records/subscriptionKind.ts"
import { type Access, type AccessPolicy, accessOf } from "./AccessPolicy.ts"

/** What made a user's access another. */
export type AccessCause =
  /** An event of Polar's. */
  | { readonly by: "event"; readonly type: string; readonly deliveryId: string }
  /** Time has passed: the end of grace, of a period that was the last, of a trial. */
  | { readonly by: "clock" }
  /** Somebody said whose a customer or a purchase is: `linkCustomer`, `customers.move` and their like. */
  | { readonly by: "operator" }
  /** Polar's API said otherwise than what was stored, because a webhook was lost. */
  | { readonly by: "reconciliation" }
  /** A user is known by now for what waited for one. */
  | { readonly by: "link" }

export interface AccessChange {
  /** What `access(userId)` answered. */
  readonly before: Access
  /** What it answers since. */
  readonly after: Access
  readonly cause: AccessCause
}

/**
 * The access that these subscriptions of a user give, as far as steps have noted it. What only the clock has ended counts when the
 * step that looks at the clock has noted it: so each change is found by one step, and by no other.
 */
export const notedAccess = (policy: AccessPolicy, subscriptions: ReadonlyArray<RecordFact>, now: number): Access =>
  accessOf(policy, subscriptions.map(subscriptionFact), ({ clockAt }) =>
    clockAt === null || now < clockAt ? new Date(now) : new Date(clockAt - 1)
  )

/** Whether the decision is another: a further reason for the same, or a later end of it, is none. */
export const isFlip = (before: Access, after: Access): boolean => before.entitlement !== after.entitlement
