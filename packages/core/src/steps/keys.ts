/** Gathers what a step asks about, each key once. */

import { asUserId, type SubscriptionReport } from "../rules/identity.ts"
import type { Keys } from "./Step.ts"

export interface StepKeys {
  readonly delivery: (id: string) => void
  /** A customer, and the user that its external id names. */
  readonly customer: (id: string, externalId: string | null) => void
  /** A subscription, its customer, and every user it could be of. */
  readonly subscription: (report: SubscriptionReport) => void
  readonly keys: () => Keys
}

export const make = (): StepKeys => {
  const deliveryIds = new Set<string>()
  const customerIds = new Set<string>()
  const subscriptionIds = new Set<string>()
  const userIds = new Set<string>()

  const customer = (id: string, externalId: string | null) => {
    customerIds.add(id)
    const userId = asUserId(externalId)
    if (userId !== null) userIds.add(userId)
  }

  return {
    delivery: (id) => deliveryIds.add(id),
    customer,
    subscription: ({ metadataUserId, subscription }) => {
      subscriptionIds.add(subscription.id)
      customer(subscription.customer.id, subscription.customer.externalId)
      if (metadataUserId !== null) userIds.add(metadataUserId)
    },
    keys: () => ({
      deliveryIds: [...deliveryIds],
      customerIds: [...customerIds],
      subscriptionIds: [...subscriptionIds],
      userIds: [...userIds]
    })
  }
}
