/** What was claimed of a queue of which only subscriptions are told. */
import type { ChangedSubscription, UserId } from "../records/Subscription.ts"
import type { ClaimedNotification } from "../rules/told.ts"

/** A claimed notification of a subscription's change. */
export interface ClaimedChange extends Omit<ClaimedNotification, "told" | "userId"> {
  readonly userId: UserId
  readonly subscription: ChangedSubscription
}

/** Throws for one that tells of anything else. */
export const subscriptionChanges = (claimed: ReadonlyArray<ClaimedNotification>): ReadonlyArray<ClaimedChange> =>
  claimed.map(({ told, userId, ...rest }) => {
    if (told._tag !== "SubscriptionChange" || userId === null) throw new Error(`${rest.id} tells of no subscription`)
    return { ...rest, userId, subscription: told.subscription }
  })
