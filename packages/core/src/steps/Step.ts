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
  LinkChangeRow,
  LinkRow,
  ProjectionRow,
  QueuedNotificationRow,
  RecordFact,
  RecordRow,
  StoredRecord,
  UserFact
} from "../records/rows.ts"
import type { HandlerNames } from "../rules/handlers.ts"

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
  /**
   * Records of which what hangs on them is wanted too, where weak evidence gave it to its user, or nobody has it; and so on, with
   * what has its user by what is found so.
   */
  readonly parents: ReadonlyArray<RecordId>
  readonly checkoutIds: ReadonlyArray<string>
  readonly userIds: ReadonlyArray<string>
  /** Checkouts of which all records are wanted, and what hangs on these. */
  readonly originIds: ReadonlyArray<string>
  /** Customers of whom all records are wanted, and what hangs on these; among `customerIds`. */
  readonly wholeCustomerIds?: ReadonlyArray<string>
  /** Those of `records` of which everything that hangs on them is wanted, too. */
  readonly wholeRecords?: ReadonlyArray<RecordId>
  /** Customers of whom nothing personal is to be kept, among `customerIds`. */
  readonly forgottenCustomerIds?: ReadonlyArray<string>
  /** Those of `records` of which `data` is wanted, too. */
  readonly detailed?: ReadonlyArray<RecordId>
  /** Further subjects of notifications, beside those of `records`. */
  readonly subjects?: ReadonlyArray<string>
  /** Who is to be told, where that takes more than the rest says: of the users concerned, what they are told of. */
  readonly handlers?: HandlerNames
}

export const noKeys: Keys = {
  deliveryIds: [],
  customerIds: [],
  records: [],
  parents: [],
  checkoutIds: [],
  userIds: [],
  originIds: []
}

/** What the store holds, at the moment of the decision. */
export interface Facts {
  /** Those of `deliveryIds` that are recorded. */
  readonly deliveries: ReadonlyArray<DeliveryFact>
  /** The links of `customerIds`. */
  readonly links: ReadonlyArray<LinkRow>
  /** Those of `checkoutIds` that this app made. */
  readonly checkouts: ReadonlyArray<CheckoutRow>
  /**
   * Those of `records`, the unlinked ones of `customerIds` and of what hangs on these the same as for `parents`, what `parents`
   * and `originIds` ask for, and the subscriptions of
   * the users concerned: `userIds`, the users of `links` and `checkouts`, whoever's `polarCustomerId` is among `customerIds`, and
   * the owners of the records just named. With a handler of benefits their benefit grants, too.
   */
  readonly records: ReadonlyArray<RecordFact>
  /** Rows in the app's own table, of the users concerned. */
  readonly users: ReadonlyArray<UserFact>
  /** Whether that table has any row: without one the app's users live elsewhere. */
  readonly hasUsers: boolean
  /** Those of `userIds` that have a link or a checkout. */
  readonly knownUserIds: ReadonlyArray<string>
  /**
   * Of those of `records`, of `subjects`, and of what `handlers` has put in a sequence: subjects that have an unfinished
   * notification.
   */
  readonly untold: ReadonlyArray<UntoldSubject>
  /** Those of `records` that are among `detailed`, or that a customer's state has listed (`listedOrigin.ts`). */
  readonly details?: ReadonlyArray<StoredRecord>
  /** All records of `forgottenCustomerIds`. */
  readonly forgotten?: ReadonlyArray<StoredRecord>
}

/** Something of it is queued, and neither told nor given up. */
export interface UntoldSubject {
  readonly subject: string
  /** `eventAt` of the last of it. */
  readonly eventAt: number
}

/** What to write. Rows replace what has their key, except where noted. */
export interface Changes {
  readonly deliveries: ReadonlyArray<DeliveryRow>
  readonly links: ReadonlyArray<LinkRow>
  readonly records: ReadonlyArray<RecordRow>
  /** Stored records that get their user, another one, or none: a driver sets these fields and leaves the rest. */
  readonly adoptions: ReadonlyArray<
    RecordId & { readonly userId: string | null; readonly ownedBy: string | null; readonly updatedAt: number }
  >
  /** Stored records of which the clock has changed something: a driver sets these fields and leaves the rest. */
  readonly clocks: ReadonlyArray<RecordId & Pick<RecordRow, "clockAt" | "lapsedAt" | "updatedAt">>
  /** Deliveries in state `unlinked` of this record or customer become `applied`, with this user. */
  readonly releases: ReadonlyArray<Release>
  /** Only rows that exist are updated; a user without a row has no projection. */
  readonly projections: ReadonlyArray<ProjectionRow>
  /** Inserted unless the id exists. With a lease it is as `claimNotifications` would leave it. */
  readonly notifications: ReadonlyArray<QueuedNotificationRow>
  /** Inserted unless the id exists. */
  readonly checkouts: ReadonlyArray<CheckoutRow>
  /** Inserted. */
  readonly linkChanges?: ReadonlyArray<LinkChangeRow>
  /**
   * Stored records that get other `data`, before anything else is written: a driver leaves the rest of them. What the app's code
   * said when it failed to take a notification of them, may name somebody, and goes.
   */
  readonly blanks?: ReadonlyArray<StoredRecord>
  /** Customers whose deliveries lose their bodies, before anything else is written. */
  readonly bodiless?: ReadonlyArray<string>
  /** A user who is to be found in no own table any more, after everything else is written. */
  readonly erased?: ErasedUser
}

/**
 * In records, deliveries, checkouts, changes of links and the audit trail `pseudonym` takes the place of `userId`; the deliveries lose bodies and
 * errors; what was queued or told is deleted.
 */
export interface ErasedUser {
  readonly userId: string
  readonly pseudonym: string
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
  clocks: [],
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
