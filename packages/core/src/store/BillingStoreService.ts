/** What the port to storage can do: whole atomic steps, and the few reads that billing needs. */
import type * as Arr from "effect/Array"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Action, ActionQuery } from "../records/Action.ts"
import type { Delivery, DeliveryOutcome, DeliveryState, RecordedDelivery } from "../records/Delivery.ts"
import type { Kind } from "../records/Kind.ts"
import type { DeadNotification, DeadNotificationQuery } from "../records/Notification.ts"
import type { PurchaseFacts } from "../records/Order.ts"
import type { RecordReport } from "../records/RecordReport.ts"
import type {
  DeliveryRow,
  FoundRows,
  HistoryRows,
  NotificationStateRow,
  OwnershipRows,
  PersonalRows,
  RecordRow
} from "../records/rows.ts"
import type { Subscription, VisibleSubscription } from "../records/Subscription.ts"
import type { AccessFacts, AccessPolicy } from "../rules/AccessPolicy.ts"
import type { BenefitNames, GrantWithBenefit } from "../rules/grantedBenefits.ts"
import type { HandlerNames } from "../rules/handlers.ts"
import type { AppUsers } from "../rules/identity.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import type { ClaimedNotification } from "../rules/told.ts"
import type { SnapshotOutcome } from "../steps/applySnapshots.ts"
import type { ChangedUsers } from "../steps/changedUsers.ts"
import type { LinkChangeAnswer, LinkChangeRequest } from "../steps/changeLink.ts"
import type { ErasureRequest } from "../steps/eraseUser.ts"
import type { OwnershipEvidence } from "../steps/keys.ts"
import type { LinkRequest } from "../steps/linkCustomer.ts"
import type { NamedCustomer } from "../steps/linkNamedCustomers.ts"
import type { LookedAt } from "../steps/lookAtClock.ts"
import type { RecordId } from "../steps/Step.ts"
import type { CheckoutId, CustomerId, ProductId, User, UserId } from "../values/ids.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import type { DatabaseInspection } from "./DatabaseInspection.ts"
import type { DeliveryBodies, OpenedBody } from "./deliveryBodies.ts"
import type { MigrationReport, MigrationStatus } from "./Migrations.ts"
import type {
  DueRecord,
  FailureOutcome,
  HistoryQuery,
  HourRows,
  LookUpQuery,
  NotificationCounts,
  Patience,
  RetriedDead
} from "./StoreDriver.ts"
import type { CustomerLinkedToAnotherUser, StoreError } from "./StoreError.ts"

/** A checkout that this app made. */
export interface RecordedCheckout {
  readonly userId: UserId
  readonly productId: string
  readonly createdAt: Date
}

/** Which deliveries to read; the newest received first unless said otherwise. `limit` defaults to 100. */
export interface DeliveryQuery {
  readonly ids?: ReadonlyArray<string> | undefined
  readonly states?: ReadonlyArray<DeliveryState> | undefined
  readonly types?: ReadonlyArray<string> | undefined
  readonly receivedBefore?: Date | undefined
  /** Received at this time or later. */
  readonly receivedAfter?: Date | undefined
  readonly order?: "newest" | "oldest" | undefined
  readonly userId?: string | undefined
  /** Whether encrypted bodies are decrypted; for whoever reads no bodies, `false`. Default: true. */
  readonly decrypt?: boolean | undefined
  /** Only what comes after this one, in this order: for the next page. */
  readonly after?: { readonly receivedAt: Date; readonly id: string } | undefined
  readonly limit?: number | undefined
}

/** Which of a user's records of one kind; every condition given must hold. */
export interface RecordQuery {
  readonly live?: boolean | undefined
  readonly status?: string | undefined
  readonly productId?: string | undefined
}

/** Records of one kind in the order of their ids, a page at a time. */
export interface RecordPageQuery {
  readonly kind: string
  /** `live`: those that are live, whosever they are. `unlinked`: those that belong to nobody. */
  readonly which: "live" | "unlinked"
  readonly after?: string | undefined
  readonly limit: number
}

/** A live subscription as access, the app and a page that shows a plan look at it. */
export interface LiveSubscription extends VisibleSubscription, Omit<AccessFacts, "status"> {}

/** A job that one process at a time does, and that another can go on with. */
export interface Job {
  readonly name: string
  /** Who has it now, an id that was made for this turn; `null` when nobody has it. */
  readonly owner: string | null
  /** When whoever has it must be done or ask for more time; `null` when nobody has it. */
  readonly leaseUntil: Date | null
  /** Where it stands, as whoever does it wrote; `null` when it is not under way. */
  readonly position: string | null
  readonly startedAt: Date
  /** When it was last begun, went on, was left or was done. */
  readonly updatedAt: Date
  /** When it was last done to the end, and what it reported. */
  readonly finishedAt: Date | null
  readonly report: string | null
}

/** Which notifications are taken, for whom and for how long. */
export interface NotificationClaim {
  readonly owner: string
  /** At most so many. */
  readonly limit: number
  readonly lease: Duration.Duration
}

export interface ReceivedDeliveries {
  /** One for each delivery, in the same order. */
  readonly outcomes: Arr.NonEmptyReadonlyArray<DeliveryOutcome>
  readonly claimed: ReadonlyArray<ClaimedNotification>
  /** Subjects of which notifications were queued for whoever claims them later. */
  readonly unclaimed: ReadonlyArray<string>
}

export interface StepOptions {
  /** Whoever is to be told; for nobody else anything is queued. Default: who hears of subscriptions. */
  readonly handlers?: HandlerNames | undefined
  /** Whom of those that Polar names the app has. */
  readonly users?: AppUsers | undefined
}

export interface BillingStoreService {
  /** How many steps get on faster side by side than one after the other. */
  readonly parallelSteps: number

  /** The same store, which keeps bodies of deliveries so: see `BillingStore.encryptBodies`. */
  readonly withBodies: (bodies: DeliveryBodies) => BillingStoreService

  /** Creates or upgrades the tables. Safe to call at every start. */
  readonly migrate: Effect.Effect<MigrationReport, StoreError>

  /** How the tables stand; only looks. Fails with the reason `schema` where this version cannot work on them. */
  readonly migrationStatus: Effect.Effect<MigrationStatus, StoreError>

  /** How the database stands beside that, for people: indexes, privileges, and the table of users. Changes nothing. */
  readonly inspect: Effect.Effect<DatabaseInspection, StoreError>

  /**
   * Records the deliveries and does what they say, in one atomic step: inbox, records, links, projection and
   * notifications commit together or not at all. Succeeds with one outcome for each delivery, in the same order. With
   * `replay` those run again that were dealt with before; order and the dedupe of notifications hold all the same.
   */
  readonly applyDeliveries: (
    deliveries: Arr.NonEmptyReadonlyArray<Delivery>,
    policy: AccessPolicy,
    options?: StepOptions & {
      readonly replay?: boolean | undefined
      /** With `replay`: whether handlers of events are told again. Default: false. */
      readonly tellAgain?: boolean | undefined
      /** Decide and answer as ever, and write nothing. Default: false. */
      readonly dryRun?: boolean | undefined
    }
  ) => Effect.Effect<Arr.NonEmptyReadonlyArray<DeliveryOutcome>, StoreError>

  /**
   * The same for deliveries that have just arrived, for whoever delivers notifications: of those that the step queues it
   * claims some at once. A claimed one is the only unfinished one of its subscription.
   */
  readonly receiveDeliveries: (
    deliveries: Arr.NonEmptyReadonlyArray<Delivery>,
    policy: AccessPolicy,
    claim: NotificationClaim,
    options?: StepOptions & { readonly patience?: Patience | undefined }
  ) => Effect.Effect<ReceivedDeliveries, StoreError>

  /**
   * Makes the store say what Polar's API said, in one atomic step, where that is newer or is certain to know better.
   * Succeeds with one outcome for each snapshot, in the same order; after a dry run nothing is written.
   */
  readonly applySnapshots: (
    snapshots: ReadonlyArray<Snapshot>,
    policy: AccessPolicy,
    options: StepOptions & { readonly dryRun: boolean }
  ) => Effect.Effect<ReadonlyArray<SnapshotOutcome>, StoreError>

  /**
   * Keeps what Polar's API has said of things that no event carries, in one atomic step: what was asked for later stands, and of
   * two of one time the last.
   */
  readonly keepAnswers: (
    reports: ReadonlyArray<RecordReport>,
    askedAt: EpochMicros,
    policy: AccessPolicy
  ) => Effect.Effect<void, StoreError>

  /**
   * Gives unlinked records to their users, where these are known by now, in one atomic step. Succeeds with how many found
   * one.
   */
  readonly linkUnlinked: (
    unlinked: ReadonlyArray<OwnershipEvidence>,
    policy: AccessPolicy,
    options?: StepOptions
  ) => Effect.Effect<number, StoreError>

  /**
   * Links customers to the users whom their external ids name, as far as these are the app's by now, and gives them what was
   * kept for it, in one atomic step. Succeeds with how many records found their user.
   */
  readonly linkNamedCustomers: (
    customers: ReadonlyArray<NamedCustomer>,
    policy: AccessPolicy,
    options?: StepOptions
  ) => Effect.Effect<number, StoreError>

  /**
   * Links a customer to a user and gives the user what was kept for it, in one atomic step. Succeeds with the number of
   * notifications queued; linking the same pair again does nothing.
   */
  readonly linkCustomer: (
    request: LinkRequest,
    policy: AccessPolicy,
    options?: StepOptions
  ) => Effect.Effect<number, StoreError | CustomerLinkedToAnotherUser>

  /**
   * Remembers a checkout made for a user, so that what is bought there finds them, also when it was delivered before. Succeeds
   * with the number of notifications queued.
   */
  readonly recordCheckout: (
    checkout: { readonly id: CheckoutId; readonly userId: UserId; readonly productId: ProductId },
    policy: AccessPolicy,
    options?: StepOptions
  ) => Effect.Effect<number, StoreError>

  /** For whom, and of what, this app made the checkout; `None` if it did not. */
  readonly checkout: (id: CheckoutId) => Effect.Effect<Option.Option<RecordedCheckout>, StoreError>

  /** The user's subscriptions, in no particular order: all, or only those that are live. */
  readonly subscriptionsOf: (
    userId: UserId,
    which: "all" | "live"
  ) => Effect.Effect<ReadonlyArray<Subscription>, StoreError>

  /** The user's live subscriptions, of each only what access and the app's pages need. */
  readonly liveSubscriptionsOf: (userId: UserId) => Effect.Effect<ReadonlyArray<LiveSubscription>, StoreError>

  /** The benefits that the user has been granted, each with the benefit as it is by now. */
  readonly liveGrantsOf: (userId: UserId) => Effect.Effect<ReadonlyArray<GrantWithBenefit>, StoreError>

  /** The same, of each only what it is asked for by. */
  readonly grantedNamesOf: (userId: UserId) => Effect.Effect<ReadonlyArray<BenefitNames>, StoreError>

  /** Of the user's live orders of this product what tells whether they are purchases. */
  readonly purchaseFactsOf: (
    userId: UserId,
    productId: ProductId
  ) => Effect.Effect<ReadonlyArray<PurchaseFacts>, StoreError>

  /** The user's records of a kind, in no particular order. */
  readonly recordsOf: <A>(
    kind: Kind<A>,
    userId: UserId,
    query?: RecordQuery
  ) => Effect.Effect<ReadonlyArray<A>, StoreError>

  /** One record, whosever it is, and its user. */
  readonly record: <A>(
    kind: Kind<A>,
    id: string
  ) => Effect.Effect<Option.Option<{ readonly value: A; readonly userId: UserId | null }>, StoreError>

  /** All users' records of a kind, page by page, as they are stored. */
  readonly recordPage: (query: RecordPageQuery) => Effect.Effect<ReadonlyArray<RecordRow>, StoreError>

  /** Records whose time has come, the earliest first: see `rules/clock.ts`. */
  readonly recordsDue: (query: {
    readonly after?: DueRecord | undefined
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<DueRecord>, StoreError>

  /**
   * Has the clock's word on these records, in one atomic step: of what ended by it the projection is set right, and the app is
   * told, once. After a dry run nothing is written.
   */
  readonly lookAtClock: (
    records: ReadonlyArray<RecordId>,
    policy: AccessPolicy,
    options?: StepOptions & { readonly dryRun?: boolean | undefined }
  ) => Effect.Effect<LookedAt, StoreError>

  /** The customer that the user was linked to last and that Polar has not deleted. */
  readonly customerOf: (userId: UserId) => Effect.Effect<Option.Option<CustomerId>, StoreError>

  /** Checkouts that this app made for the user at this time or later, the newest first. */
  readonly checkoutsOf: (
    userId: UserId,
    query: { readonly createdAfter: Date; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<CheckoutId>, StoreError>

  /**
   * Is told, right after each step of this process, whose records it may have changed: for what is kept of them in memory. Also
   * after a step that failed, because that may have been written all the same.
   */
  readonly watchUsers: (changed: (users: ChangedUsers) => void) => Effect.Effect<void, never, Scope.Scope>

  /** What is linked to the user, what they have, and what operators changed of it. */
  readonly ownershipOf: (userId: UserId) => Effect.Effect<OwnershipRows, StoreError>

  /**
   * What an operator puts right about whose a customer or a record is, in one atomic step with all that depends on it. After a
   * dry run nothing is written.
   */
  readonly changeLink: (
    request: LinkChangeRequest,
    policy: AccessPolicy,
    options?: StepOptions & { readonly dryRun?: boolean | undefined }
  ) => Effect.Effect<LinkChangeAnswer, StoreError>

  /**
   * Erases a user from the own tables, in one atomic step: what was bought stays under the pseudonym, without the person. The user's
   * row in the app's own table stays, with empty `polar_*` columns.
   */
  readonly eraseUser: (request: ErasureRequest, policy: AccessPolicy) => Effect.Effect<void, StoreError>

  /** All that is stored of a user and of these customers, as it stands in the tables, with bodies decrypted where they can be. */
  readonly personalData: (
    userId: UserId,
    customerIds: ReadonlyArray<string>
  ) => Effect.Effect<
    Omit<PersonalRows, "deliveries"> & { readonly deliveries: ReadonlyArray<DeliveryRow & OpenedBody> },
    StoreError
  >

  /** The user to whom the customer is linked, and those who have something of it (a checkout is not yet anything): more than one share it. */
  readonly usersOfCustomer: (customerId: CustomerId) => Effect.Effect<ReadonlySet<UserId>, StoreError>

  /** Those of these users who have a row in the app's own table, a link or a checkout. */
  readonly knownUsers: (userIds: ReadonlyArray<UserId>) => Effect.Effect<ReadonlySet<UserId>, StoreError>

  /** The user in the app's own table. */
  readonly findUser: (userId: UserId) => Effect.Effect<Option.Option<User>, StoreError>

  /**
   * Takes up to `limit` notifications for these handlers that are due, for the length of the lease. Of one subject only the oldest is
   * ever taken, and none while another holds it. `nextDueAt` is the time in epoch milliseconds at which there may be
   * more to take, if anything is queued.
   */
  readonly claimNotifications: (
    claim: NotificationClaim & { readonly handlers?: HandlerNames | undefined }
  ) => Effect.Effect<
    { readonly claimed: ReadonlyArray<ClaimedNotification>; readonly nextDueAt: number | null },
    StoreError
  >

  /** The callback took them. Succeeds with the ids of those whose lease was not lost meanwhile. */
  readonly completeNotifications: (
    ids: ReadonlyArray<string>,
    owner: string
  ) => Effect.Effect<ReadonlyArray<string>, StoreError>

  /**
   * The same, and claims what can be claimed next of their subjects.
   */
  readonly completeAndClaimNext: (
    ids: ReadonlyArray<string>,
    claim: Omit<NotificationClaim, "limit">
  ) => Effect.Effect<
    { readonly completed: ReadonlyArray<string>; readonly claimed: ReadonlyArray<ClaimedNotification> },
    StoreError
  >

  /** Begins the leases anew of those whose calls still run. Succeeds with the ids of those whose lease was not lost. */
  readonly renewNotifications: (
    ids: ReadonlyArray<string>,
    claim: Omit<NotificationClaim, "limit">
  ) => Effect.Effect<ReadonlyArray<string>, StoreError>

  /** The callback failed; try again after `delay`, unless a newer state of the subscription waits. */
  readonly retryNotification: (
    id: string,
    owner: string,
    error: string,
    delay: Duration.Duration
  ) => Effect.Effect<FailureOutcome, StoreError>

  /** The callback failed for the last time. It stays in the table, with its error. */
  readonly giveUpNotification: (id: string, owner: string, error: string) => Effect.Effect<FailureOutcome, StoreError>

  /** Those that were given up. */
  readonly deadNotifications: (
    query?: DeadNotificationQuery
  ) => Effect.Effect<ReadonlyArray<DeadNotification>, StoreError>

  /**
   * Queues those anew that were given up, up to the query's limit; but those of whose subscription a newer state was queued
   * since become superseded. Succeeds with how many of each.
   */
  readonly retryDeadNotifications: (query: DeadNotificationQuery) => Effect.Effect<RetriedDead, StoreError>

  /**
   * Puts those of these aside that were given up, or whose last call failed and that nobody calls now: they are never told, and what
   * comes after them of their subjects is. Succeeds with the ids of those.
   */
  readonly buryNotifications: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>, StoreError>

  /** How it stands with the queue: of these subjects or of all, and of what is for these handlers. */
  readonly countNotifications: (which?: {
    readonly subjects?: ReadonlyArray<string> | undefined
    readonly handlers?: HandlerNames | undefined
  }) => Effect.Effect<NotificationCounts, StoreError>

  /** When the oldest of what these handlers have yet to take was queued. */
  readonly oldestPending: (handlers: HandlerNames) => Effect.Effect<Option.Option<Date>, StoreError>

  /** Reads the inbox. */
  readonly deliveries: (query: DeliveryQuery) => Effect.Effect<ReadonlyArray<RecordedDelivery>, StoreError>

  /** How many there are, whatever the limit. It may go through the table. */
  readonly countDeliveries: (query: DeliveryQuery) => Effect.Effect<number, StoreError>

  /** Forgets up to `limit` bodies received before the date; the deliveries stay known. Succeeds with how many. */
  readonly pruneDeliveryBodies: (before: Date, limit: number) => Effect.Effect<number, StoreError>

  /**
   * Forgets up to `limit` deliveries received before the date with which nothing is left to do: not those that are unlinked or
   * failed. Succeeds with how many. After that the same delivery would count as a new one.
   */
  readonly deleteSettledDeliveries: (before: Date, limit: number) => Effect.Effect<number, StoreError>

  /** Forgets up to `limit` notifications that were told, made way or were buried before the date. Succeeds with how many. */
  readonly deleteDoneNotifications: (before: Date, limit: number) => Effect.Effect<number, StoreError>

  /** Whom and what a text names: a user's id, an id of Polar's, or an e-mail address. */
  readonly lookUp: (query: LookUpQuery) => Effect.Effect<FoundRows, StoreError>

  /** All that is stored of one user, or of a customer that is nobody's. For people who look into one case: it may take a while. */
  readonly historyOf: (query: HistoryQuery) => Effect.Effect<HistoryRows, StoreError>

  /** The queue of what the app is told; those first that are due, or were dealt with, first. `limit` defaults to 100. */
  readonly notifications: (query: {
    readonly states: ReadonlyArray<NotificationStateRow["state"]>
    readonly userId?: string | undefined
    readonly limit?: number | undefined
  }) => Effect.Effect<ReadonlyArray<NotificationStateRow>, StoreError>

  /** Keeps what somebody did with the console: the audit trail. Nothing is ever deleted from it. */
  readonly recordAction: (action: Omit<Action, "id" | "at">) => Effect.Effect<Action, StoreError>

  /** Writes what came of one that was recorded before. */
  readonly finishAction: (action: Action) => Effect.Effect<void, StoreError>

  /** How much was received and told in each of so many hours; hours of nothing are left out. */
  readonly perHour: (hours: { readonly from: Date; readonly count: number }) => Effect.Effect<HourRows, StoreError>

  /** The audit trail, the newest first. */
  readonly actions: (query?: ActionQuery) => Effect.Effect<ReadonlyArray<Action>, StoreError>

  /** What is known of a job. */
  readonly job: (name: string) => Effect.Effect<Option.Option<Job>, StoreError>

  /** All whose names begin with this, by name. */
  readonly jobsNamed: (prefix: string) => Effect.Effect<ReadonlyArray<Job>, StoreError>

  /**
   * At most so many: those first that somebody has or that are under way, and of each the last that moved first. `isHeld`: somebody
   * has it, and the lease has not run out.
   */
  readonly latestJobs: (limit: number) => Effect.Effect<ReadonlyArray<Job & { readonly isHeld: boolean }>, StoreError>

  /** Takes the job for the length of the lease; `None` while somebody else has it. */
  readonly claimJob: (claim: {
    readonly name: string
    readonly owner: string
    readonly lease: Duration.Duration
  }) => Effect.Effect<Option.Option<Job>, StoreError>

  /** Remembers where the job stands, and takes more time. `false` when the lease was lost meanwhile. */
  readonly continueJob: (
    name: string,
    owner: string,
    position: string,
    lease: Duration.Duration
  ) => Effect.Effect<boolean, StoreError>

  /** Lets go of the job where it stands, for whoever goes on with it. */
  readonly releaseJob: (name: string, owner: string, position: string | null) => Effect.Effect<boolean, StoreError>

  /** The job is done. `false` when the lease was lost meanwhile. */
  readonly finishJob: (name: string, owner: string, report: string) => Effect.Effect<boolean, StoreError>
}
