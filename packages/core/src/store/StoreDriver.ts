/** What an adapter supplies: plain functions over rows. `BillingStore.make` turns them into the store. */
import type { DeliveryState } from "../records/Delivery.ts"
import type {
  ActionRow,
  CheckoutRow,
  ClaimedNotificationRow,
  DeadNotificationRow,
  DeliveryRow,
  FoundRows,
  GrantRow,
  HistoryRows,
  JobRow,
  LiveSubscriptionRow,
  NotificationStateRow,
  OrderRow,
  OwnershipRows,
  PersonalRows,
  RecordRow,
  StoredRecord,
  UserRow
} from "../records/rows.ts"
import type { Changes, Facts, Keys } from "../steps/Step.ts"
import type { DatabaseInspection } from "./DatabaseInspection.ts"
import type { MigrationReport, MigrationStatus } from "./Migrations.ts"
import type { StoreErrorReason } from "./StoreError.ts"

/**
 * How long a step waits for whoever is in its way. `full`, the default: as long as a call may take. `brief`: as short as the
 * database can, and for a row of the app's not at all, because others wait behind it, and it will be tried again alone.
 */
export type Patience = "brief" | "full"

/** A driver may be synchronous. */
export type Awaitable<A> = A | Promise<A>

/**
 * The time of a call. Leases go by the clock that all processes have in common, which is the database's: `shift` is how far
 * the process's `Clock` was moved from its machine's, which nobody does but a test, and moves the database's as far. A
 * driver without a clock of its own goes by `now`.
 */
export interface CallTime {
  /** Epoch milliseconds, by the process's `Clock`. */
  readonly now: number
  /** Milliseconds. */
  readonly shift: number
}

export interface ClaimRequest {
  readonly owner: string
  readonly limit: number
  /** Whom this process can tell. */
  readonly handlers: ReadonlyArray<string>
  readonly time: CallTime
  readonly leaseMillis: number
}

export interface Completion {
  readonly ids: ReadonlyArray<string>
  /** Who claimed them; nothing is completed for anybody else. */
  readonly owner: string
  readonly time: CallTime
  /** For what is claimed in their place; `null` claims nothing. */
  readonly leaseMillis: number | null
}

export interface Completed {
  readonly ids: ReadonlyArray<string>
  readonly next: ReadonlyArray<ClaimedNotificationRow>
}

export interface Renewal {
  readonly ids: ReadonlyArray<string>
  readonly owner: string
  readonly time: CallTime
  readonly leaseMillis: number
}

/** What becomes of a notification that the callback did not take. */
export interface FailedAttempt {
  readonly id: string
  /** Who claimed it; nothing is written for anybody else. */
  readonly owner: string
  readonly time: CallTime
  readonly state: "pending" | "dead"
  readonly error: string
  /** For `pending`: not before so many milliseconds have passed. */
  readonly delayMillis: number
}

/**
 * - `kept`: it is as the attempt says
 * - `superseded`: by the rule of `rules/supersession.ts`; a newer one can be claimed
 * - `lost`: the lease was somebody else's, and nothing was written
 */
export type FailureOutcome = "kept" | "superseded" | "lost"

/** Which of those that were given up; every condition given must hold. Times are when they were given up. */
export interface DeadRowQuery {
  readonly ids: ReadonlyArray<string> | undefined
  readonly userId: string | undefined
  readonly handlers: ReadonlyArray<string> | undefined
  readonly subjects: ReadonlyArray<string> | undefined
  readonly diedBefore: number | undefined
  /** At this time or later. */
  readonly diedAfter: number | undefined
  /** Only what comes after this one. */
  readonly after: { readonly diedAt: number; readonly id: string } | undefined
  readonly limit: number
}

export interface RetriedDead {
  readonly retried: number
  readonly superseded: number
}

export interface CountRequest {
  /** Of these, or of all. */
  readonly subjects: ReadonlyArray<string> | undefined
  /** Only what is for these, but for what was given up. */
  readonly handlers: ReadonlyArray<string>
  readonly time: CallTime
}

export interface NotificationCounts {
  /** Subjects of which something is due or being told. */
  readonly unsettled: number
  /** Subjects of which something waits for a further attempt. */
  readonly waiting: number
  /** Notifications that were given up. */
  readonly dead: number
}

export interface DeliveryRowQuery {
  readonly ids: ReadonlyArray<string> | undefined
  readonly states: ReadonlyArray<DeliveryState> | undefined
  readonly types: ReadonlyArray<string> | undefined
  /** Default: whosever they are. */
  readonly userId?: string | undefined
  readonly receivedBefore: number | undefined
  readonly receivedAfter: number | undefined
  /**
   * `oldest`: the oldest received first, and those received at once by id. `newest`: the other way round, ids too, so that
   * both go along one index.
   */
  readonly order: "newest" | "oldest"
  /** Only what comes after this one, in this order. */
  readonly after: { readonly receivedAt: number; readonly id: string } | undefined
  readonly limit: number
}

/** A user's records of one kind; every condition given must hold. */
export interface UserRecordQuery {
  readonly kind: string
  readonly userId: string
  readonly live: boolean | undefined
  readonly status: string | undefined
  readonly productId: string | undefined
}

export interface UserCheckoutQuery {
  readonly userId: string
  readonly createdAfter: number
  readonly limit: number
}

export interface RecordPageQuery {
  readonly kind: string
  /** `live`: those that are live, whosever they are. `unlinked`: those that belong to nobody. */
  readonly which: "live" | "unlinked"
  /** Only ids that are greater, byte by byte. */
  readonly afterId: string | undefined
  readonly limit: number
}

/** A record of which the clock has something to say. */
export interface DueRecord {
  readonly kind: string
  readonly id: string
  readonly clockAt: number
}

export interface DueRecordQuery {
  /** Those whose time has come by then, in epoch milliseconds. */
  readonly before: number
  /** Only what comes after this one. */
  readonly after: DueRecord | undefined
  readonly limit: number
}

export interface JobClaim {
  readonly name: string
  readonly owner: string
  readonly time: CallTime
  readonly leaseMillis: number
}

export interface JobSave {
  readonly name: string
  /** Who claimed it; nothing is saved for anybody else. */
  readonly owner: string
  readonly time: CallTime
  /** `null` lets go of it. */
  readonly leaseMillis: number | null
  readonly position: string | null
  /** Given when the job is done to the end: `finishedAt` becomes `now`. */
  readonly report?: string
}

/** Which of the audit trail; every condition given must hold. */
export interface ActionRowQuery {
  readonly subject: string | undefined
  /** Only what comes after this one, which is older. */
  readonly after: { readonly at: number; readonly id: string } | undefined
  readonly limit: number
}

export interface LookUpQuery {
  /** A user's id, an id of Polar's, or an e-mail address. */
  readonly text: string
  /** The address, in lower case, where the text is one. */
  readonly email: string | null
  /** Of each list. */
  readonly limit: number
}

/** Of the user, or of a customer that is nobody's: what another user has of a customer is left out. */
export interface HistoryQuery {
  readonly userId: string | null
  readonly customerIds: ReadonlyArray<string>
  /** Of each list. */
  readonly limit: number
}

/** Every condition given must hold. */
export interface NotificationRowQuery {
  readonly states: ReadonlyArray<NotificationStateRow["state"]>
  readonly userId: string | undefined
  readonly limit: number
}

export interface HourQuery {
  /** When the first one begins, in epoch milliseconds. */
  readonly from: number
  readonly count: number
}

/** `hour` counts from 0. */
export interface HourRows {
  readonly deliveries: ReadonlyArray<{ readonly hour: number; readonly state: DeliveryState; readonly count: number }>
  /** Notifications that the app took, or that were given up. */
  readonly notifications: ReadonlyArray<{
    readonly hour: number
    readonly state: "done" | "dead"
    readonly count: number
  }>
}

export interface StoreDriver {
  /** The database system, for spans: "sqlite", "postgresql", "mysql", "memory". */
  readonly name: string

  /** How many steps get on faster side by side than one after the other: 1 where only one can write at a time. */
  readonly parallelSteps: number

  readonly migrate: () => Awaitable<MigrationReport>

  /** Only looks. */
  readonly migrationStatus: () => Awaitable<MigrationStatus>
  /** For people: how the database stands. Changes nothing. */
  readonly inspect: () => Awaitable<DatabaseInspection>

  /**
   * One transaction: load the facts of the keys, keep other writers away from them, call `decide` once, write the
   * changes, commit. Whatever throws, nothing stays. A driver that retries after a conflict loads and decides anew. With the
   * changes it writes what the rule of `rules/supersession.ts` says of the notifications that they queue.
   */
  readonly atomically: (
    keys: Keys,
    decide: (facts: Facts) => Changes,
    time: CallTime,
    patience?: Patience
  ) => Awaitable<void>

  readonly recordsOf: (query: UserRecordQuery) => Awaitable<ReadonlyArray<StoredRecord>>

  /** Of the user's live subscriptions what access and the app are shown, without decoding all that is kept of them. */
  readonly liveSubscriptionsOf: (userId: string) => Awaitable<ReadonlyArray<LiveSubscriptionRow>>

  /** The user's live grants, each with the record of its benefit. */
  readonly liveGrantsOf: (userId: string) => Awaitable<ReadonlyArray<GrantRow>>

  /** The user's live orders of this product. */
  readonly liveOrdersOf: (userId: string, productId: string) => Awaitable<ReadonlyArray<OrderRow>>

  readonly record: (kind: string, id: string) => Awaitable<RecordRow | undefined>

  /** The customer linked last, deleted ones left out. */
  readonly customerOf: (userId: string) => Awaitable<string | undefined>

  /** Checkouts that this app made for the user at this time or later, the newest first. */
  readonly checkoutsOf: (query: UserCheckoutQuery) => Awaitable<ReadonlyArray<CheckoutRow>>

  /** What is linked to the user, what they have, and what operators changed of it. */
  readonly ownershipOf: (userId: string) => Awaitable<OwnershipRows>

  /** What is stored of the user or of these customers. */
  readonly personalData: (userId: string, customerIds: ReadonlyArray<string>) => Awaitable<PersonalRows>

  /** The user to whom the customer is linked, and those who have something of it (a checkout is not yet anything). */
  readonly usersOfCustomer: (customerId: string) => Awaitable<ReadonlyArray<string>>

  /** Those of these who have a row in the app's own table, a link or a checkout. */
  readonly knownUsers: (userIds: ReadonlyArray<string>) => Awaitable<ReadonlyArray<string>>

  /** The user's row in the app's own table; `undefined` without a row or a table. */
  readonly findUser: (userId: string) => Awaitable<UserRow | undefined>

  /**
   * One transaction: of each subject the oldest unfinished notification (by `eventAt`, then `precedence`), if it is
   * due and nobody holds a lease on it; up to `limit`, the earliest due first. Each gets the lease and one attempt more,
   * which the returned `attempts` counts. `nextDueIn`: after how many milliseconds another one can become claimable, at the
   * earliest; `null` when nothing else is unfinished.
   */
  readonly claimNotifications: (
    request: ClaimRequest
  ) => Awaitable<{ readonly rows: ReadonlyArray<ClaimedNotificationRow>; readonly nextDueIn: number | null }>

  /** Begins the leases of those anew that `owner` holds, and answers with their ids. */
  readonly renewNotifications: (renewal: Renewal) => Awaitable<ReadonlyArray<string>>

  /**
   * Makes those `done` on which `owner` holds the lease, and answers with their ids. Claims in their place what is then the
   * oldest unfinished one of each of their subjects, if it is due and nobody holds a lease on it.
   */
  readonly completeNotifications: (completion: Completion) => Awaitable<Completed>

  /**
   * Ends the lease without success, and makes those `superseded` that make way for a newer one, this one too; they keep their
   * errors.
   */
  readonly failNotification: (attempt: FailedAttempt) => Awaitable<FailureOutcome>

  /** The dead ones, those first that were given up first. */
  readonly deadNotifications: (query: DeadRowQuery) => Awaitable<ReadonlyArray<DeadNotificationRow>>

  /**
   * Makes up to `limit` dead ones `pending` and due, with no attempts behind them; and those of them `superseded` of whose
   * subject a newer one was queued since. Answers with how many of each.
   */
  readonly retryDead: (query: DeadRowQuery, time: CallTime) => Awaitable<RetriedDead>

  /**
   * Makes those of these `buried` that are dead, and those whose last call failed and that nobody calls now. Answers with their ids;
   * what comes after them of their subjects can be claimed then.
   */
  readonly buryNotifications: (ids: ReadonlyArray<string>, time: CallTime) => Awaitable<ReadonlyArray<string>>

  readonly countNotifications: (request: CountRequest) => Awaitable<NotificationCounts>
  /** The least `createdAt` of what is pending for these handlers; `null` without any. */
  readonly oldestPending: (handlers: ReadonlyArray<string>) => Awaitable<number | null>

  readonly deliveries: (query: DeliveryRowQuery) => Awaitable<ReadonlyArray<DeliveryRow>>
  /** How many there are, whatever the limit. It may go through the table. */
  readonly countDeliveries: (query: DeliveryRowQuery) => Awaitable<number>

  /** Sets up to `limit` bodies of deliveries received before this time to `null`; the oldest first. Returns how many. */
  readonly pruneDeliveryBodies: (before: number, limit: number) => Awaitable<number>

  /** Deletes up to `limit` deliveries that are `applied`, `stale` or `ignored` and were received before this time. */
  readonly deleteSettledDeliveries: (before: number, limit: number) => Awaitable<number>

  /** Deletes up to `limit` notifications that became `done`, `superseded` or `buried` before this time. */
  readonly deleteDoneNotifications: (before: number, limit: number) => Awaitable<number>

  /** By id, byte by byte. */
  readonly recordPage: (query: RecordPageQuery) => Awaitable<ReadonlyArray<RecordRow>>

  /** By `clockAt`, and those of one time by kind and id, byte by byte. */
  readonly recordsDue: (query: DueRecordQuery) => Awaitable<ReadonlyArray<DueRecord>>

  readonly job: (name: string) => Awaitable<JobRow | undefined>

  /** Those whose names begin with this, by name, byte by byte. */
  readonly jobsNamed: (prefix: string) => Awaitable<ReadonlyArray<JobRow>>

  /**
   * First those that somebody has or that are under way, and of each the last that moved first, then by name, byte by byte. With what
   * time it is by the clock that leases go by, in epoch milliseconds.
   */
  readonly latestJobs: (
    limit: number,
    time: CallTime
  ) => Awaitable<{ readonly jobs: ReadonlyArray<JobRow>; readonly now: number }>

  /**
   * One transaction: takes the job, unless somebody else holds a lease on it that has not ended. Without a position
   * `startedAt` becomes `now`. Answers with the row as it is then, and whether it was taken.
   */
  readonly claimJob: (claim: JobClaim) => Awaitable<{ readonly claimed: boolean; readonly job: JobRow }>

  /** `false`, and nothing written, unless `owner` holds the job. */
  readonly saveJob: (save: JobSave) => Awaitable<boolean>

  /** Whom and what a text names. Addresses are compared without regard to case. */
  readonly lookUp: (query: LookUpQuery) => Awaitable<FoundRows>

  /** All that is stored of one user. It may go through the inbox and the outbox: for people who wait, not for requests. */
  readonly historyOf: (query: HistoryQuery) => Awaitable<HistoryRows>

  /** Those first that are due, or were dealt with, first. */
  readonly notifications: (query: NotificationRowQuery) => Awaitable<ReadonlyArray<NotificationStateRow>>

  /** How much was received and told, hour by hour; hours of nothing are left out. */
  readonly perHour: (hours: HourQuery) => Awaitable<HourRows>

  /** In place of what has its id. */
  readonly recordAction: (row: ActionRow) => Awaitable<void>

  /** The newest first, and those of one time by id, the greatest first. */
  readonly actions: (query: ActionRowQuery) => Awaitable<ReadonlyArray<ActionRow>>

  /** What an error of the database means. `detail` holds no SQL and no values. */
  readonly explain: (error: unknown) => { readonly reason: StoreErrorReason; readonly detail: string }
}
