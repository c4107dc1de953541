/**
 * An atomic step: what it needs to know, and a pure decision about what to write.
 *
 * A driver runs every step the same way, inside one transaction: load the facts that the keys name, lock them against
 * other writers, call `decide`, write the changes. So all rules are here in the core, tested without a database, and an
 * adapter cannot get one of them wrong.
 */
import type {
  CheckoutRow,
  DeliveryFact,
  DeliveryRow,
  LinkRow,
  ProjectionRow,
  QueuedNotificationRow,
  RecordFact,
  RecordRow,
  UserFact
} from "../records/rows.ts"

/** A record's name. */
export interface RecordId {
  readonly kind: string
  readonly id: string
}

/** What a step asks about. Every list is free of duplicates. */
export interface Keys {
  readonly deliveryIds: ReadonlyArray<string>
  readonly customerIds: ReadonlyArray<string>
  readonly records: ReadonlyArray<RecordId>
  readonly checkoutIds: ReadonlyArray<string>
  readonly userIds: ReadonlyArray<string>
}

export const noKeys: Keys = { deliveryIds: [], customerIds: [], records: [], checkoutIds: [], userIds: [] }

/** What the store holds, at the moment of the decision. */
export interface Facts {
  /** Those of `deliveryIds` that are recorded. */
  readonly deliveries: ReadonlyArray<DeliveryFact>
  /** The links of `customerIds`. */
  readonly links: ReadonlyArray<LinkRow>
  /** Those of `checkoutIds` that this app made. */
  readonly checkouts: ReadonlyArray<CheckoutRow>
  /**
   * Those of `records`, the unlinked ones of `customerIds`, and the subscriptions of the users concerned: `userIds`, the
   * users of `links` and `checkouts`, and the owners of the records just named.
   */
  readonly records: ReadonlyArray<RecordFact>
  /** Rows in the app's own table: of the users concerned, and whoever's `polarCustomerId` is among `customerIds`. */
  readonly users: ReadonlyArray<UserFact>
  /** Those of `userIds` that have a link or a checkout. */
  readonly knownUserIds: ReadonlyArray<string>
  /** Ids of those of `records` that have an unfinished notification. */
  readonly untoldSubjects: ReadonlyArray<string>
}

/** What to write. Rows replace what has their key, except where noted. */
export interface Changes {
  readonly deliveries: ReadonlyArray<DeliveryRow>
  readonly links: ReadonlyArray<LinkRow>
  readonly records: ReadonlyArray<RecordRow>
  /** Stored records that get their user: a driver sets these fields and leaves the rest. */
  readonly adoptions: ReadonlyArray<
    RecordId & { readonly userId: string; readonly ownedBy: string; readonly updatedAt: number }
  >
  /** Deliveries in state `unlinked` of this record or customer become `applied`, with this user. */
  readonly releases: ReadonlyArray<Release>
  /** Only rows that exist are updated; a user without a row has no projection. */
  readonly projections: ReadonlyArray<ProjectionRow>
  /** Inserted unless the id exists. With a lease it is as `claimNotifications` would leave it. */
  readonly notifications: ReadonlyArray<QueuedNotificationRow>
  /** Inserted unless the id exists. */
  readonly checkouts: ReadonlyArray<CheckoutRow>
}

export interface Release {
  readonly by: "customerId" | "recordId"
  readonly id: string
  readonly userId: string
  readonly updatedAt: number
}

export const noChanges: Changes = {
  deliveries: [],
  links: [],
  records: [],
  adoptions: [],
  releases: [],
  projections: [],
  notifications: [],
  checkouts: []
}

/** A step whose decision also yields an answer for the caller. `decide` is pure: a driver may run it again. */
export interface Step<A> {
  readonly keys: Keys
  readonly decide: (facts: Facts) => { readonly changes: Changes; readonly answer: A }
}
