/** Notifications: calls of the app's handlers that are due because something changed. */
import type { ChangedSubscription, UserId } from "./Subscription.ts"

/** What the app is told when a subscription visibly changed. */
export interface Notification {
  /** The same on every attempt: for a callback that must act only once. */
  readonly id: string
  readonly userId: UserId
  /** As it was when the change happened. */
  readonly subscription: ChangedSubscription
}

/**
 * `dead`: its handler failed as often as it may, and can be told again. `buried`: an operator has put it aside, and nobody is told
 * of it any more.
 */
export type NotificationState = "pending" | "done" | "superseded" | "dead" | "buried"

/** A notification that was given up: the callback failed as often as it may. */
export interface DeadNotification {
  readonly id: string
  /** Whom it was to be told: `onSubscriptionChange`, `onAccessChange`, ..., or a type of events, or `*`. */
  readonly handler: string
  /** `null` of an event that belongs to no user. */
  readonly userId: UserId | null
  /** What `onSubscriptionChange` was to be told; `null` of other handlers, and where what is stored cannot be read. */
  readonly subscription: ChangedSubscription | null
  /** How often it was called. */
  readonly attempts: number
  /** What the last call failed with. */
  readonly error: string | null
  readonly queuedAt: Date
  readonly diedAt: Date
}

/**
 * Which notifications are put aside, and who says so.
 *
 * @example
 * await billing.notifications.bury({ ids: ["onPurchase:1"], by: "Lin" })
 */
export interface BuryQuery {
  readonly ids: ReadonlyArray<string>
  /** Who it is, for the audit trail. Without it the trail has nothing of it. */
  readonly by?: string | undefined
}

/**
 * Which dead notifications, those first that were given up first; every condition given must hold.
 *
 * @example
 * const [last] = await billing.notifications.dead({ userId: "user_1", handler: "onPurchase", limit: 10 })
 * if (last !== undefined) await billing.notifications.dead({ following: last })
 * await billing.notifications.retry({ ids: [last?.id ?? ""], subscriptionId, subscriptionIds: [subscriptionId] })
 * await billing.notifications.retry({ after: new Date("2026-11-24"), before: new Date("2026-11-25") })
 */
export interface DeadNotificationQuery {
  readonly ids?: ReadonlyArray<string> | undefined
  readonly userId?: string | undefined
  /** Such as `onAccessChange`, or `order.paid`. */
  readonly handler?: string | undefined
  readonly subscriptionId?: string | undefined
  /** Of any of these. */
  readonly subscriptionIds?: ReadonlyArray<string> | undefined
  /** Given up before this time. */
  readonly before?: Date | undefined
  /** Given up at this time or later. */
  readonly after?: Date | undefined
  /** Only what comes after this one, for the next page. */
  readonly following?: Pick<DeadNotification, "id" | "diedAt"> | undefined
  /** Default 100. */
  readonly limit?: number | undefined
}
