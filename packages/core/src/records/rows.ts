/**
 * Rows as they cross between the store's port and a driver: plain values that every database has.
 *
 * Times are epoch milliseconds; `eventAt` is epoch microseconds, because order is decided on it. A driver writes and
 * reads them back unchanged, in whatever column types suit people who read the tables with SQL.
 */
import type { DeliveryState } from "./Delivery.ts"

/** One of Polar's deliveries. Key: `id`. */
export interface DeliveryRow {
  readonly id: string
  readonly type: string
  readonly state: DeliveryState
  readonly eventAt: number | null
  readonly receivedAt: number
  readonly updatedAt: number
  readonly customerId: string | null
  readonly subscriptionId: string | null
  readonly userId: string | null
  readonly attempts: number
  readonly lastError: string | null
  readonly body: string | null
}

/** What is needed of a recorded delivery to decide about it. */
export type DeliveryFact = Pick<DeliveryRow, "id" | "state" | "attempts" | "customerId" | "subscriptionId" | "userId">

/** The newest known state of a subscription. Key: `id`. */
export interface SubscriptionRow {
  readonly id: string
  readonly userId: string | null
  readonly customerId: string
  readonly organizationId: string | null
  readonly productId: string
  readonly status: string
  readonly live: boolean
  readonly currentPeriodEnd: number | null
  readonly cancelAtPeriodEnd: boolean
  readonly eventAt: number
  readonly precedence: number
  /** The delivery that brought this state. */
  readonly deliveryId: string
  readonly updatedAt: number
  /** The whole subscription, as JSON. */
  readonly data: string
}

/** What is needed of a stored subscription to show it. */
export type StoredSubscription = Pick<SubscriptionRow, "id" | "data">

/** What is needed of a stored subscription to decide about it. */
export type SubscriptionFact = Omit<SubscriptionRow, "data">

/** Whose customer it is. Key: `customerId`; a user may have several. */
export interface LinkRow {
  readonly customerId: string
  readonly userId: string
  readonly linkedBy: LinkSource
  readonly linkedAt: number
  readonly deletedAt: number | null
}

/** `checkout`: created or found for the user at a checkout. `external_id`: an event said so. `host`: the app did. */
export type LinkSource = "checkout" | "external_id" | "host"

/** A checkout that was made for a user: the proof that the user exists. Key: `id`. */
export interface CheckoutRow {
  readonly id: string
  readonly userId: string
  readonly productId: string
  readonly createdAt: number
}

/** A queued call of the app's callback. Key: `id`. */
export interface NotificationRow {
  /** Made of the subscription and the version it tells of, so that one change is never queued twice. */
  readonly id: string
  readonly subscriptionId: string
  readonly userId: string
  readonly eventAt: number
  readonly precedence: number
  /** The five visible fields, as JSON. */
  readonly payload: string
  readonly createdAt: number
}

/** A notification as a step queues it. */
export interface QueuedNotificationRow extends NotificationRow {
  /** Whose first attempt has begun, and until when nobody else may; `null` leaves it to whoever claims it. */
  readonly lease: Lease | null
}

export interface Lease {
  readonly owner: string
  /** Epoch milliseconds. */
  readonly until: number
}

/** A notification that this process may deliver until its lease ends. */
export interface ClaimedNotificationRow extends NotificationRow {
  /** How often it was tried before. */
  readonly attempts: number
}

/** The app's row of a user. */
export interface UserRow {
  readonly id: string
  readonly email: string | null
  readonly name: string | null
}

/** What is needed of a user's row to decide about its projection. */
export interface UserFact {
  readonly id: string
  readonly polarCustomerId: string | null
}

/** The `polar_*` columns of `kavach_users`. */
export interface ProjectionRow {
  readonly userId: string
  /** `undefined` leaves the column as it is. */
  readonly polarCustomerId: string | undefined
  readonly polarSubscriptionId: string | null
  readonly polarSubscriptionStatus: string | null
  readonly polarProductId: string | null
  readonly polarCurrentPeriodEnd: number | null
  readonly polarCancelAtPeriodEnd: boolean
  readonly updatedAt: number
}

/** A job that one process does at a time. Key: `name`. */
export interface JobRow {
  readonly name: string
  /** Who does it now; `null` when nobody does. */
  readonly owner: string | null
  readonly leaseUntil: number | null
  /** Where it stands, as JSON; `null` when it is not under way. */
  readonly position: string | null
  readonly startedAt: number
  readonly updatedAt: number
  /** When it was last done to the end. */
  readonly finishedAt: number | null
  /** What it reported then, as JSON. */
  readonly report: string | null
}
