/** What the port to storage can do: whole atomic steps, and the few reads that billing needs. */
import type * as Arr from "effect/Array"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Delivery, DeliveryOutcome, DeliveryState, RecordedDelivery } from "../records/Delivery.ts"
import type { Kind } from "../records/Kind.ts"
import type { ClaimedNotification } from "../records/Notification.ts"
import type { RecordRow } from "../records/rows.ts"
import type { Subscription, VisibleSubscription } from "../records/Subscription.ts"
import type { AccessFacts, AccessPolicy } from "../rules/AccessPolicy.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import type { SnapshotOutcome } from "../steps/applySnapshots.ts"
import type { OwnershipEvidence } from "../steps/keys.ts"
import type { LinkRequest } from "../steps/linkCustomer.ts"
import type { CheckoutId, CustomerId, ProductId, User, UserId } from "../values/ids.ts"
import type { CustomerLinkedToAnotherUser, StoreError } from "./StoreError.ts"

/** Which deliveries to read; the newest received first unless said otherwise. `limit` defaults to 100. */
export interface DeliveryQuery {
  readonly ids?: ReadonlyArray<string> | undefined
  readonly states?: ReadonlyArray<DeliveryState> | undefined
  readonly types?: ReadonlyArray<string> | undefined
  readonly receivedBefore?: Date | undefined
  /** Received at this time or later. */
  readonly receivedAfter?: Date | undefined
  readonly order?: "newest" | "oldest" | undefined
  /** With the order `oldest`: only what comes after this one, for the next page. */
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
  /** When whoever has it must be done or ask for more time; `null` when nobody has it. */
  readonly leaseUntil: Date | null
  /** Where it stands, as whoever does it wrote; `null` when it is not under way. */
  readonly position: string | null
  readonly startedAt: Date
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
  /** Whether anybody is to be told: without it nothing is queued. Default: true. */
  readonly notify?: boolean | undefined
}

export interface BillingStoreService {
  /** How many steps get on faster side by side than one after the other. */
  readonly parallelSteps: number

  /** Creates or upgrades the tables. Safe to call at every start. */
  readonly migrate: Effect.Effect<void, StoreError>

  /**
   * Records the deliveries and does what they say, in one atomic step: inbox, records, links, projection and
   * notifications commit together or not at all. Succeeds with one outcome for each delivery, in the same order. With
   * `replay` those run again that were dealt with before; order and the dedupe of notifications hold all the same.
   */
  readonly applyDeliveries: (
    deliveries: Arr.NonEmptyReadonlyArray<Delivery>,
    policy: AccessPolicy,
    options?: { readonly replay?: boolean | undefined; readonly notify?: boolean | undefined }
  ) => Effect.Effect<Arr.NonEmptyReadonlyArray<DeliveryOutcome>, StoreError>

  /**
   * The same for deliveries that have just arrived, for whoever delivers notifications: of those that the step queues it
   * claims some at once. A claimed one is the only unfinished one of its subscription.
   */
  readonly receiveDeliveries: (
    deliveries: Arr.NonEmptyReadonlyArray<Delivery>,
    policy: AccessPolicy,
    claim: NotificationClaim,
    options?: StepOptions
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
   * Gives unlinked records to their users, where these are known by now, in one atomic step. Succeeds with how many found
   * one.
   */
  readonly linkUnlinked: (
    unlinked: ReadonlyArray<OwnershipEvidence>,
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

  /** Remembers a checkout made for a user, so that what is bought there finds them. */
  readonly recordCheckout: (checkout: {
    readonly id: CheckoutId
    readonly userId: UserId
    readonly productId: ProductId
  }) => Effect.Effect<void, StoreError>

  /** The user's subscriptions, in no particular order: all, or only those that are live. */
  readonly subscriptionsOf: (
    userId: UserId,
    which: "all" | "live"
  ) => Effect.Effect<ReadonlyArray<Subscription>, StoreError>

  /** The user's live subscriptions, of each only what access and the app's pages need. */
  readonly liveSubscriptionsOf: (userId: UserId) => Effect.Effect<ReadonlyArray<LiveSubscription>, StoreError>

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

  /** The customer that the user was linked to last and that Polar has not deleted. */
  readonly customerOf: (userId: UserId) => Effect.Effect<Option.Option<CustomerId>, StoreError>

  /** The user in the app's own table. */
  readonly findUser: (userId: UserId) => Effect.Effect<Option.Option<User>, StoreError>

  /**
   * Takes up to `limit` notifications that are due, for the length of the lease. Of one subject only the oldest is
   * ever taken, and none while another holds it. `nextDueAt` is the time in epoch milliseconds at which there may be
   * more to take, if anything is queued.
   */
  readonly claimNotifications: (
    claim: NotificationClaim
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

  /** The callback failed; try again after `delay`. `false` when the lease was lost meanwhile. */
  readonly retryNotification: (
    id: string,
    owner: string,
    error: string,
    delay: Duration.Duration
  ) => Effect.Effect<boolean, StoreError>

  /** The callback failed for the last time. It stays in the table, with its error. */
  readonly buryNotification: (id: string, owner: string, error: string) => Effect.Effect<boolean, StoreError>

  /** Reads the inbox. */
  readonly deliveries: (query: DeliveryQuery) => Effect.Effect<ReadonlyArray<RecordedDelivery>, StoreError>

  /** Forgets up to `limit` bodies received before the date; the deliveries stay known. Succeeds with how many. */
  readonly pruneDeliveryBodies: (before: Date, limit: number) => Effect.Effect<number, StoreError>

  /** What is known of a job. */
  readonly job: (name: string) => Effect.Effect<Option.Option<Job>, StoreError>

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
