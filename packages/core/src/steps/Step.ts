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
  SubscriptionFact,
  SubscriptionRow,
  UserFact
} from "../records/rows.ts"

/** What a step asks about. Every list is free of duplicates. */
export interface Keys {
  readonly deliveryIds: ReadonlyArray<string>
  readonly customerIds: ReadonlyArray<string>
  readonly subscriptionIds: ReadonlyArray<string>
  readonly userIds: ReadonlyArray<string>
}

/** What the store holds, at the moment of the decision. */
export interface Facts {
  /** Those of `deliveryIds` that are recorded. */
  readonly deliveries: ReadonlyArray<DeliveryFact>
  /** The links of `customerIds`. */
  readonly links: ReadonlyArray<LinkRow>
  /**
   * The subscriptions of `subscriptionIds`, all those of `customerIds`, and the live ones of the users concerned:
   * `userIds`, the users of `links`, and the owners of the subscriptions just named.
   */
  readonly subscriptions: ReadonlyArray<SubscriptionFact>
  /** Rows in the app's own table: of the users concerned, and whoever's `polarCustomerId` is among `customerIds`. */
  readonly users: ReadonlyArray<UserFact>
  /** Those of `userIds` that have a link or a checkout. */
  readonly knownUserIds: ReadonlyArray<string>
  /** Those of `subscriptionIds` that have an unfinished notification. */
  readonly untoldSubscriptionIds: ReadonlyArray<string>
}

/** What to write. Rows replace what has their key, except where noted. */
export interface Changes {
  readonly deliveries: ReadonlyArray<DeliveryRow>
  readonly links: ReadonlyArray<LinkRow>
  readonly subscriptions: ReadonlyArray<SubscriptionRow>
  /** Stored subscriptions that get their user: a driver sets `userId` and `updatedAt` and leaves the rest. */
  readonly adoptions: ReadonlyArray<{ readonly id: string; readonly userId: string; readonly updatedAt: number }>
  /** Deliveries in state `unlinked` of this subscription or customer become `applied`, with this user. */
  readonly releases: ReadonlyArray<{
    readonly by: "customerId" | "subscriptionId"
    readonly id: string
    readonly userId: string
    readonly updatedAt: number
  }>
  /** Only rows that exist are updated; a user without a row has no projection. */
  readonly projections: ReadonlyArray<ProjectionRow>
  /** Inserted unless the id exists. With a lease it is as `claimNotifications` would leave it. */
  readonly notifications: ReadonlyArray<QueuedNotificationRow>
  /** Inserted unless the id exists. */
  readonly checkouts: ReadonlyArray<CheckoutRow>
}

export const noChanges: Changes = {
  deliveries: [],
  links: [],
  subscriptions: [],
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
