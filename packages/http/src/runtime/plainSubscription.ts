/** A subscription as promises and the app's own hooks are given it. */
import type { Subscription } from "@kavach-polar/core/Subscription"
import type { SubscriptionDetails } from "../config/PolarConfig.ts"

/** What survives JSON, `structuredClone` and the way from a server component to a client component. */
export const plainSubscription = (subscription: Subscription): SubscriptionDetails => ({
  ...subscription,
  isLive: subscription.isLive,
  periodEnd: subscription.periodEnd,
  isPaused: subscription.status === "paused"
})
