/** Notifications: calls of the app's callback that are due because a subscription visibly changed. */
import type { UserId, VisibleSubscription } from "./Subscription.ts"

export interface Notification {
  /** The same on every attempt: for a callback that must act only once. */
  readonly id: string
  readonly userId: UserId
  /** The five visible fields, as they were when the change happened. */
  readonly subscription: VisibleSubscription
}

/** A notification that this process holds the lease of. */
export interface ClaimedNotification extends Notification {
  /** 1 for the first try. */
  readonly attempt: number
}
