/**
 * Rows as they cross between the store's port and a driver: plain values that every database has.
 *
 * Times are epoch milliseconds; `eventAt` is epoch microseconds, because order is decided on it. A driver writes and
 * reads them back unchanged, in whatever column types suit people who read the tables with SQL.
 */
import type { DeliveryState } from "./DeliveryState.ts"
import type { NotificationState } from "./Notification.ts"
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
  /**
   * What said so; `null` of records of the time before this was kept. Of one that is unlinked `null`, `elsewhere` where another
   * deployment made its checkout, as far as is known here, or `parent` where that is so of what it hangs on.
   */
  readonly ownedBy: string | null
  readonly customerId: string | null
  /** Epoch microseconds. */
  readonly eventAt: number
  readonly precedence: number
  /** The delivery that brought this state. */
  readonly deliveryId: string
  readonly updatedAt: number
  /** When the clock changes what it gives, unless something arrives before; `null` when it does not, or has. */
  readonly clockAt: number | null
  /** When the clock had changed what it gives; `null` of one that gives what its status says. */
  readonly lapsedAt: number | null
}

/** What is needed of a stored record to decide about it. */
export type RecordFact = Omit<RecordRow, "data">

/** What is needed of a stored record to show it. */
export type StoredRecord = Pick<RecordRow, "kind" | "id" | "data">

/** What is needed of a live subscription to decide about access, and to show it. */
export type LiveSubscriptionRow = Pick<RecordRow, "id" | "status" | "productId" | "summary">

/** What is needed of an order to tell whether it is a purchase. */
export type OrderRow = Pick<RecordRow, "id" | "status" | "subscriptionId" | "summary">

/** A grant of a user's, and its benefit, as `data`; `null` where the benefit is not stored. */
export interface GrantRow {
  readonly id: string
  readonly grant: string
  readonly benefit: string | null
}

/** Whose customer it is. Key: `customerId`; a user may have several. */
export interface LinkRow {
  readonly customerId: string
  readonly userId: string
  readonly linkedBy: LinkSource
  readonly linkedAt: number
  readonly deletedAt: number | null
}

/**
 * `checkout`: created or found for the user at a checkout. `external_id`: an event said so. `host`: the app did. `operator`:
 * somebody put it right by hand. `deleted`: there was no link when Polar deleted the customer, and this only says that it did.
 * `erased`: its user was, and whoever stands in their place has it (`rules/erasure.ts`).
 */
export type LinkSource = "checkout" | "external_id" | "host" | "operator" | "deleted" | "erased"

/**
 * In `LinkRow.userId`: there is no link. Where an operator has ended it, only somebody who says so makes a new one; where Polar
 * has deleted the customer, whatever makes one.
 * In `NotificationRow.userId`: no user is known.
 */
export const nobody = ""

/** What an operator put right by hand. Key: `id`. */
export interface LinkChangeRow {
  readonly id: string
  readonly action: "link" | "move" | "unlink"
  readonly customerId: string | null
  readonly recordKey: string | null
  readonly fromUserId: string | null
  readonly toUserId: string | null
  /** Who did it, as they said. */
  readonly changedBy: string | null
  readonly changedAt: number
}

/** What somebody did with billing's console. Key: `id`. */
export interface ActionRow {
  readonly id: string
  readonly at: number
  /** Who did it, as the app said. */
  readonly who: string
  /** Such as `delivery.replay`. */
  readonly action: string
  /** The id of what it was done to. */
  readonly subject: string | null
  /** What was asked for, as JSON. */
  readonly detail: string | null
  /** What came of it. */
  readonly result: string
}

/** What says whose things are, of one user. */
export interface OwnershipRows {
  readonly links: ReadonlyArray<LinkRow>
  readonly records: ReadonlyArray<RecordFact>
  /** The newest first. */
  readonly changes: ReadonlyArray<LinkChangeRow>
}

/** What is stored of a person, apart from what says whose things are. */
export interface PersonalRows {
  readonly records: ReadonlyArray<RecordRow>
  /** The oldest first. */
  readonly deliveries: ReadonlyArray<DeliveryRow>
  readonly checkouts: ReadonlyArray<CheckoutRow>
  /** The oldest first. */
  readonly notifications: ReadonlyArray<NotificationStateRow>
}

/** A checkout that was made for a user: the proof that the user exists. Key: `id`. */
export interface CheckoutRow {
  readonly id: string
  readonly userId: string
  readonly productId: string
  readonly createdAt: number
}

/** A queued call of one of the app's handlers. Key: `id`. */
export interface NotificationRow {
  /** Made of the change that it tells of, so that one is never queued twice. */
  readonly id: string
  /** Whose call it is: see `rules/handlers.ts`. */
  readonly handler: string
  /** What is told in order: see `steps/subjects.ts`. */
  readonly subject: string
  /** `nobody` of an event that belongs to no user, or to one who is not known yet. */
  readonly userId: string
  readonly eventAt: number
  readonly precedence: number
  /** What the app is given, or what that is made of, as JSON. */
  readonly payload: string
  readonly createdAt: number
}

/** A notification as a step queues it. */
export interface QueuedNotificationRow extends NotificationRow {
  /** Whose first attempt has begun, and until when nobody else may; `null` leaves it to whoever claims it. */
  readonly lease: Lease | null
  /** See `runtime/traceparent.ts`; `null` where what queued it is not traced. */
  readonly traceparent: string | null
}

export interface Lease {
  readonly owner: string
  /** For how long. When that is over, the database's clock says. */
  readonly millis: number
}

/** A notification that this process may deliver until its lease ends. */
export interface ClaimedNotificationRow extends NotificationRow {
  /** How often it was tried before. */
  readonly attempts: number
  readonly traceparent: string | null
}

/** A notification that was given up. */
export interface DeadNotificationRow extends NotificationRow {
  /** How often it was called. */
  readonly attempts: number
  readonly lastError: string | null
  /** When it was given up. */
  readonly diedAt: number
}

/** A notification, whatever has become of it. */
export interface NotificationStateRow extends NotificationRow {
  readonly state: NotificationState
  /** How often it was called. */
  readonly attempts: number
  /**
   * When it became `done`, `superseded`, `dead` or `buried`; of one that is pending when it is called next, or until when whoever calls it
   * has it.
   */
  readonly availableAt: number
  /** Who calls it now. */
  readonly leaseOwner: string | null
  readonly lastError: string | null
}

/** A delivery without its body. */
export type DeliveryHead = Omit<DeliveryRow, "body">

/** What a text that somebody was asked for may name. */
export interface FoundRows {
  /** Whether it is the id of a user who has a row, a link, a checkout or a record. */
  readonly isUserId: boolean
  /** Those of the app's table with this address. */
  readonly users: ReadonlyArray<UserRow>
  /** Links of the customer with this id, and of customers with this address. */
  readonly links: ReadonlyArray<LinkRow>
  /** Records with this id of whatever kind, what the customer with this id has, and customers with this address. */
  readonly records: ReadonlyArray<RecordRow>
  /** The checkout that this app made. */
  readonly checkouts: ReadonlyArray<CheckoutRow>
}

/** All that is stored of one user, or of a customer without one; each the newest first. */
export interface HistoryRows {
  readonly links: ReadonlyArray<LinkRow>
  readonly records: ReadonlyArray<RecordRow>
  readonly checkouts: ReadonlyArray<CheckoutRow>
  readonly changes: ReadonlyArray<LinkChangeRow>
  readonly deliveries: ReadonlyArray<DeliveryHead>
  readonly notifications: ReadonlyArray<NotificationStateRow>
  readonly actions: ReadonlyArray<ActionRow>
}

/** The app's row of a user. */
export interface UserRow {
  readonly id: string
  readonly email: string | null
  readonly name: string | null
  /** Whether the table says that the address is verified. */
  readonly emailVerified: boolean
}

/** What is needed of a user's row to decide what is theirs, and about its projection. */
export interface UserFact {
  readonly id: string
  readonly email: string | null
  readonly polarCustomerId: string | null
}

/** The `polar_*` columns of `kavach_users`. */
export interface ProjectionRow {
  readonly userId: string
  /** `undefined` leaves the column as it is; `null` empties it: the customer is another's now. */
  readonly polarCustomerId: string | null | undefined
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
