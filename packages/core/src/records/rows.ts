/**
 * Rows as they cross between the store's port and a driver: plain values that every database has.
 *
 * Times are epoch milliseconds; `eventAt` is epoch microseconds, because order is decided on it. A driver writes and
 * reads them back unchanged, in whatever column types suit people who read the tables with SQL.
 */
import type { DeliveryState } from "./DeliveryState.ts"
import type { RecordColumns } from "./RecordReport.ts"

/** One of Polar's deliveries. Key: `id`. */
export interface DeliveryRow {
  readonly id: string
  readonly type: string
  readonly state: DeliveryState
  readonly eventAt: number | null
  readonly receivedAt: number
  readonly updatedAt: number
  readonly customerId: string | null
  /** The record that it is about; both `null` where it is about none. */
  readonly recordKind: string | null
  readonly recordId: string | null
  readonly userId: string | null
  readonly attempts: number
  readonly lastError: string | null
  readonly body: string | null
}

/** What is needed of a recorded delivery to decide about it. */
export type DeliveryFact = Pick<
  DeliveryRow,
  "id" | "state" | "attempts" | "customerId" | "recordKind" | "recordId" | "userId"
>

/** The newest known state of one of Polar's objects. Key: `kind` and `id`. */
export interface RecordRow extends RecordColumns {
  readonly kind: string
  readonly id: string
  /** `null` while it is unlinked: nobody is known yet whose it is. */
  readonly userId: string | null
  /** What said so; `null` while it is unlinked, and of records of the time before this was kept. */
  readonly ownedBy: string | null
  readonly customerId: string | null
  /** Epoch microseconds. */
  readonly eventAt: number
  readonly precedence: number
  /** The delivery that brought this state. */
  readonly deliveryId: string
  readonly updatedAt: number
}

/** What is needed of a stored record to decide about it. */
export type RecordFact = Omit<RecordRow, "data">

/** What is needed of a stored record to show it. */
export type StoredRecord = Pick<RecordRow, "kind" | "id" | "data">

/** What is needed of a live subscription to decide about access, and to show it. */
export type LiveSubscriptionRow = Pick<RecordRow, "id" | "status" | "productId" | "summary">

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
  /** Made of the record and the version it tells of, so that one change is never queued twice. */
  readonly id: string
  /** What is told in order: the id of the record. */
  readonly subject: string
  readonly userId: string
  readonly eventAt: number
  readonly precedence: number
  /** What the app is given, as JSON. */
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
