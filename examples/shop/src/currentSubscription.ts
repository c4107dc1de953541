/** What a user is subscribed to. */
import type { SubscriptionDetails } from "@kavach-polar/http"
import type { Services } from "./Shop.ts"

export interface Subscribed {
  readonly current: SubscriptionDetails | undefined
  /** Those that are over, and further ones. */
  readonly others: ReadonlyArray<SubscriptionDetails>
}

export const subscribed = async ({ billing }: Services, userId: string): Promise<Subscribed> => {
  const current = await billing.getSubscription(userId)
  const all = await billing.listSubscriptions(userId)
  return {
    current: all.find(({ id }) => id === current?.id),
    others: all.filter(({ id }) => id !== current?.id)
  }
}
