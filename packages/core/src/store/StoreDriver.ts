/** What an adapter supplies: plain functions over rows. `BillingStore.make` turns them into the store. */
import type { DeliveryState } from "../records/Delivery.ts"
import type {
  ClaimedNotificationRow,
  DeliveryRow,
  JobRow,
  LiveSubscriptionRow,
  RecordRow,
  StoredRecord,
  UserRow
} from "../records/rows.ts"
import type { Changes, Facts, Keys } from "../steps/Step.ts"
import type { StoreErrorReason } from "./StoreError.ts"

/** A driver may be synchronous. */
export type Awaitable<A> = A | Promise<A>

export interface ClaimRequest {
  readonly owner: string
  readonly limit: number
  /** Epoch milliseconds. */
  readonly now: number
  readonly leaseUntil: number
}

export interface Completion {
  readonly ids: ReadonlyArray<string>
  /** Who claimed them; nothing is completed for anybody else. */
  readonly owner: string
  readonly now: number
  /** For what is claimed in their place; `null` claims nothing. */
  readonly leaseUntil: number | null
}

export interface Completed {
  readonly ids: ReadonlyArray<string>
  readonly next: ReadonlyArray<ClaimedNotificationRow>
}

/** What becomes of a notification that the callback did not take. */
export interface FailedAttempt {
  readonly id: string
  /** Who claimed it; nothing is written for anybody else. */
  readonly owner: string
  readonly now: number
  readonly state: "pending" | "dead"
  readonly error: string
  /** For `pending`: not before this time, in epoch milliseconds. */
  readonly availableAt?: number
}

export interface DeliveryRowQuery {
  readonly ids: ReadonlyArray<string> | undefined
  readonly states: ReadonlyArray<DeliveryState> | undefined
  readonly types: ReadonlyArray<string> | undefined
  readonly receivedBefore: number | undefined
  readonly receivedAfter: number | undefined
  /**
   * `oldest`: the oldest received first, and those received at once by id. `newest`: the other way round, ids too, so that
   * both go along one index.
   */
  readonly order: "newest" | "oldest"
  /** With `oldest`: only what comes after this one. */
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

export interface RecordPageQuery {
  readonly kind: string
  /** `live`: those that are live, whosever they are. `unlinked`: those that belong to nobody. */
  readonly which: "live" | "unlinked"
  /** Only ids that are greater, byte by byte. */
  readonly afterId: string | undefined
  readonly limit: number
}

export interface JobClaim {
  readonly name: string
  readonly owner: string
  /** Epoch milliseconds. */
  readonly now: number
  readonly leaseUntil: number
}

export interface JobSave {
  readonly name: string
  /** Who claimed it; nothing is saved for anybody else. */
  readonly owner: string
  readonly now: number
  /** `null` lets go of it. */
  readonly leaseUntil: number | null
  readonly position: string | null
  /** Given when the job is done to the end: `finishedAt` becomes `now`. */
  readonly report?: string
}

export interface StoreDriver {
  /** The database system, for spans: "sqlite", "postgresql", "mysql", "memory". */
  readonly name: string

  /** How many steps get on faster side by side than one after the other: 1 where only one can write at a time. */
  readonly parallelSteps: number

  readonly migrate: () => Awaitable<void>

  /**
   * One transaction: load the facts of the keys, keep other writers away from them, call `decide` once, write the
   * changes, commit. Whatever throws, nothing stays. A driver that retries after a conflict loads and decides anew.
   */
  readonly atomically: (keys: Keys, decide: (facts: Facts) => Changes) => Awaitable<void>

  readonly recordsOf: (query: UserRecordQuery) => Awaitable<ReadonlyArray<StoredRecord>>

  /** Of the user's live subscriptions what access and the app are shown, without decoding all that is kept of them. */
  readonly liveSubscriptionsOf: (userId: string) => Awaitable<ReadonlyArray<LiveSubscriptionRow>>

  readonly record: (kind: string, id: string) => Awaitable<RecordRow | undefined>

  /** The customer linked last, deleted ones left out. */
  readonly customerOf: (userId: string) => Awaitable<string | undefined>

  /** The user's row in the app's own table; `undefined` without a row or a table. */
  readonly findUser: (userId: string) => Awaitable<UserRow | undefined>

  /**
   * One transaction: of each subject the oldest unfinished notification (by `eventAt`, then `precedence`), if it is
   * due and nobody holds a lease on it; up to `limit`, the earliest due first. Each gets the lease and one attempt more,
   * which the returned `attempts` counts. `nextDueAt`: the earliest time at which another one can become claimable, or
   * `null` when nothing else is unfinished.
   */
  readonly claimNotifications: (
    request: ClaimRequest
  ) => Awaitable<{ readonly rows: ReadonlyArray<ClaimedNotificationRow>; readonly nextDueAt: number | null }>

  /**
   * Makes those `done` on which `owner` holds the lease, and answers with their ids. Claims in their place what is then the
   * oldest unfinished one of each of their subjects, if it is due and nobody holds a lease on it.
   */
  readonly completeNotifications: (completion: Completion) => Awaitable<Completed>

  /** Ends the lease without success. `false`, and nothing written, unless `owner` holds it. */
  readonly failNotification: (attempt: FailedAttempt) => Awaitable<boolean>

  readonly deliveries: (query: DeliveryRowQuery) => Awaitable<ReadonlyArray<DeliveryRow>>

  /** Sets up to `limit` bodies of deliveries received before this time to `null`; the oldest first. Returns how many. */
  readonly pruneDeliveryBodies: (before: number, limit: number) => Awaitable<number>

  /** By id, byte by byte. */
  readonly recordPage: (query: RecordPageQuery) => Awaitable<ReadonlyArray<RecordRow>>

  readonly job: (name: string) => Awaitable<JobRow | undefined>

  /**
   * One transaction: takes the job, unless somebody else holds a lease on it that has not ended by `now`. Without a position
   * `startedAt` becomes `now`. Answers with the row as it is then, and whether it was taken.
   */
  readonly claimJob: (claim: JobClaim) => Awaitable<{ readonly claimed: boolean; readonly job: JobRow }>

  /** `false`, and nothing written, unless `owner` holds the job. */
  readonly saveJob: (save: JobSave) => Awaitable<boolean>

  /** What an error of the database means. `detail` holds no SQL and no values. */
  readonly explain: (error: unknown) => { readonly reason: StoreErrorReason; readonly detail: string }
}
