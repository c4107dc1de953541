/**
 * The port to storage: whole atomic steps, and the few reads that billing needs.
 *
 * `make` turns a driver, a handful of plain functions over rows, into the service: it owns encoding, errors and spans,
 * so that an adapter has only its database to know.
 */
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { AccessPolicy } from "./AccessPolicy.ts"
import * as ApplyDeliveries from "./ApplyDeliveries.ts"
import * as ApplySnapshots from "./ApplySnapshots.ts"
import type { Delivery, DeliveryOutcome, DeliveryState, RecordedDelivery } from "./Delivery.ts"
import { traced } from "./internal/traced.ts"
import * as LinkSteps from "./LinkSteps.ts"
import { makeMemoryDriver } from "./MemoryDriver.ts"
import type { ClaimedNotification } from "./Notification.ts"
import type { StoreDriver } from "./StoreDriver.ts"
import * as StoredJson from "./StoredJson.ts"
import { CustomerLinkedToAnotherUser, StoreError } from "./StoreError.ts"
import type { ClaimedNotificationRow, DeliveryRow, JobRow, StoredSubscription } from "./StoreRows.ts"
import type { Step } from "./StoreStep.ts"
import type { CheckoutId, CustomerId, ProductId, Subscription, SubscriptionId, User, UserId } from "./Subscription.ts"
import type { SubscriptionSnapshot } from "./SubscriptionSnapshot.ts"
import type { EpochMicros } from "./Timestamp.ts"
import type { SubscriptionReport } from "./WriteSubscription.ts"

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

/** Subscriptions in the order of their ids, a page at a time. */
export interface SubscriptionPageQuery {
  /** `live`: those that are live, whosever they are. `unlinked`: those that belong to nobody. */
  readonly which: "live" | "unlinked"
  readonly after?: SubscriptionId | undefined
  readonly limit: number
}

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
  /** Subscriptions of which notifications were queued for whoever claims them later. */
  readonly unclaimed: ReadonlyArray<SubscriptionId>
}

export interface SubscriptionStoreService {
  /** How many steps get on faster side by side than one after the other. */
  readonly parallelSteps: number

  /** Creates or upgrades the tables. Safe to call at every start. */
  readonly migrate: Effect.Effect<void, StoreError>

  /**
   * Records the deliveries and does what they say, in one atomic step: inbox, subscriptions, links, projection and
   * notifications commit together or not at all. Succeeds with one outcome for each delivery, in the same order. With
   * `replay` those run again that were dealt with before; order and the dedupe of notifications hold all the same.
   */
  readonly applyDeliveries: (
    deliveries: Arr.NonEmptyReadonlyArray<Delivery>,
    policy: AccessPolicy,
    options?: { readonly replay?: boolean | undefined }
  ) => Effect.Effect<Arr.NonEmptyReadonlyArray<DeliveryOutcome>, StoreError>

  /**
   * The same for deliveries that have just arrived, for whoever delivers notifications: of those that the step queues it
   * claims some at once. A claimed one is the only unfinished one of its subscription.
   */
  readonly receiveDeliveries: (
    deliveries: Arr.NonEmptyReadonlyArray<Delivery>,
    policy: AccessPolicy,
    claim: NotificationClaim
  ) => Effect.Effect<ReceivedDeliveries, StoreError>

  /**
   * Makes the store say what Polar's API said, in one atomic step, where that is newer or is certain to know better.
   * Succeeds with one outcome for each snapshot, in the same order; after a dry run nothing is written.
   */
  readonly applySnapshots: (
    snapshots: ReadonlyArray<SubscriptionSnapshot>,
    policy: AccessPolicy,
    options: { readonly dryRun: boolean }
  ) => Effect.Effect<ReadonlyArray<ApplySnapshots.SnapshotOutcome>, StoreError>

  /**
   * Gives subscriptions that belong to nobody to their users, where these are known by now, in one atomic step. Succeeds
   * with how many found one.
   */
  readonly adoptSubscriptions: (
    reports: ReadonlyArray<SubscriptionReport>,
    policy: AccessPolicy
  ) => Effect.Effect<number, StoreError>

  /**
   * Links a customer to a user and gives the user what was kept for it, in one atomic step. Succeeds with the number of
   * notifications queued; linking the same pair again does nothing.
   */
  readonly linkCustomer: (
    request: LinkSteps.LinkRequest,
    policy: AccessPolicy
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

  /** All users' subscriptions, page by page. */
  readonly subscriptions: (query: SubscriptionPageQuery) => Effect.Effect<ReadonlyArray<Subscription>, StoreError>

  /** The customer that the user was linked to last and that Polar has not deleted. */
  readonly customerOf: (userId: UserId) => Effect.Effect<Option.Option<CustomerId>, StoreError>

  /** The user in the app's own table. */
  readonly findUser: (userId: UserId) => Effect.Effect<Option.Option<User>, StoreError>

  /**
   * Takes up to `limit` notifications that are due, for the length of the lease. Of one subscription only the oldest is
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
   * The same, and claims what can be claimed next of their subscriptions, which it was the turn of the completed ones to tell
   * of.
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

export class SubscriptionStore extends Context.Tag("@kavach-polar/core/SubscriptionStore")<
  SubscriptionStore,
  SubscriptionStoreService
>() {}

/** The service on a driver. */
export const make = (driver: StoreDriver): SubscriptionStoreService => {
  const attempt = <A>(operation: string, call: () => Promise<A> | A): Effect.Effect<A, StoreError> =>
    Effect.suspend(() => {
      const explained = (error: unknown) => new StoreError({ operation, ...driver.explain(error) })
      try {
        const result = call()
        // A driver that answers at once is not made to wait.
        return Predicate.isPromiseLike(result)
          ? Effect.tryPromise({ try: () => result, catch: explained })
          : Effect.succeed(result)
      } catch (error) {
        return Effect.fail(explained(error))
      }
    })

  const run = <A>(operation: string, step: Step<A>): Effect.Effect<A, StoreError> =>
    Effect.suspend(() => {
      let answer: Option.Option<A> = Option.none()
      return attempt(operation, () =>
        driver.atomically(step.keys, (facts) => {
          const decision = step.decide(facts)
          answer = Option.some(decision.answer)
          return decision.changes
        })
      ).pipe(
        Effect.flatMap(() => answer),
        Effect.catchTag("NoSuchElementException", () =>
          Effect.dieMessage(`The ${driver.name} driver ran a step without deciding it.`)
        )
      )
    })

  const span = (operation: string) =>
    traced(`SubscriptionStore.${operation}`, () => ({
      kind: "client",
      attributes: { "db.system": driver.name, "db.operation.name": operation }
    }))

  return {
    parallelSteps: driver.parallelSteps,

    migrate: attempt("migrate", () => driver.migrate()).pipe(span("migrate")),

    applyDeliveries: (deliveries, policy, { replay } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("applyDeliveries", ApplyDeliveries.applyDeliveries(deliveries, { policy, now, replay }))
      ).pipe(
        Effect.map(({ outcomes }) => outcomes),
        span("applyDeliveries")
      ),

    receiveDeliveries: (deliveries, policy, { lease, limit, owner }) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const claim = { owner, limit, leaseUntil: now + Duration.toMillis(lease) }
        return run("receiveDeliveries", ApplyDeliveries.applyDeliveries(deliveries, { policy, now, claim }))
      }).pipe(Effect.flatMap(received), span("receiveDeliveries")),

    applySnapshots: (snapshots, policy, { dryRun }) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("applySnapshots", ApplySnapshots.applySnapshots(snapshots, { policy, now, dryRun }))
      ).pipe(span("applySnapshots")),

    adoptSubscriptions: (reports, policy) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("adoptSubscriptions", LinkSteps.adoptSubscriptions(reports, policy, now))
      ).pipe(span("adoptSubscriptions")),

    linkCustomer: (request, policy) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("linkCustomer", LinkSteps.linkCustomer(request, policy, now))
      ).pipe(
        Effect.flatMap((answer) =>
          answer.userId === request.userId
            ? Effect.succeed(answer.notified)
            : new CustomerLinkedToAnotherUser({ customerId: request.customerId })
        ),
        span("linkCustomer")
      ),

    recordCheckout: (checkout) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("recordCheckout", LinkSteps.recordCheckout({ ...checkout, createdAt: now }))
      ).pipe(span("recordCheckout")),

    subscriptionsOf: (userId, which) =>
      attempt("subscriptionsOf", () => driver.subscriptionsOf(userId, which)).pipe(
        Effect.flatMap(Effect.forEach(decodeSubscription("subscriptionsOf"))),
        span("subscriptionsOf")
      ),

    subscriptions: ({ after, limit, which }) =>
      attempt("subscriptions", () => driver.subscriptions({ which, afterId: after, limit })).pipe(
        Effect.flatMap(Effect.forEach(decodeSubscription("subscriptions"))),
        span("subscriptions")
      ),

    customerOf: (userId) =>
      attempt("customerOf", () => driver.customerOf(userId)).pipe(
        Effect.map((customerId) => Option.fromNullable(customerId as CustomerId | undefined)),
        span("customerOf")
      ),

    findUser: (userId) =>
      attempt("findUser", () => driver.findUser(userId)).pipe(
        Effect.map((row) =>
          Option.map(
            Option.fromNullable(row),
            (found): User => ({
              id: userId,
              email: Option.fromNullable(found.email),
              name: Option.fromNullable(found.name)
            })
          )
        ),
        span("findUser")
      ),

    claimNotifications: ({ lease, limit, owner }) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const { nextDueAt, rows } = yield* attempt("claimNotifications", () =>
          driver.claimNotifications({ owner, limit, now, leaseUntil: now + Duration.toMillis(lease) })
        )
        const claimed = yield* decodeNotifications("claimNotifications", rows)
        return { claimed, nextDueAt }
      }),

    completeNotifications: (ids, owner) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        attempt("completeNotifications", () => driver.completeNotifications({ ids, owner, now, leaseUntil: null }))
      ).pipe(Effect.map((completed) => completed.ids)),

    completeAndClaimNext: (ids, { lease, owner }) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const { ids: completed, next } = yield* attempt("completeNotifications", () =>
          driver.completeNotifications({ ids, owner, now, leaseUntil: now + Duration.toMillis(lease) })
        )
        const claimed = yield* decodeNotifications("completeNotifications", next)
        return { completed, claimed }
      }),

    retryNotification: (id, owner, error, delay) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        attempt("retryNotification", () =>
          driver.setBackNotification({
            id,
            owner,
            now,
            state: "pending",
            error,
            availableAt: now + Math.ceil(Duration.toMillis(delay))
          })
        )
      ),

    buryNotification: (id, owner, error) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        attempt("buryNotification", () => driver.setBackNotification({ id, owner, now, state: "dead", error }))
      ),

    deliveries: (query) =>
      attempt("deliveries", () =>
        driver.deliveries({
          ids: query.ids,
          states: query.states,
          types: query.types,
          receivedBefore: query.receivedBefore?.getTime(),
          receivedAfter: query.receivedAfter?.getTime(),
          order: query.order ?? "newest",
          after:
            query.after === undefined
              ? undefined
              : { receivedAt: query.after.receivedAt.getTime(), id: query.after.id },
          limit: query.limit ?? 100
        })
      ).pipe(
        Effect.map((rows) => rows.map(recordedDelivery)),
        span("deliveries")
      ),

    pruneDeliveryBodies: (before, limit) =>
      attempt("pruneDeliveryBodies", () => driver.pruneDeliveryBodies(before.getTime(), limit)).pipe(
        span("pruneDeliveryBodies")
      ),

    job: (name) =>
      Effect.map(
        attempt("job", () => driver.job(name)),
        (row) => Option.map(Option.fromNullable(row), jobOf)
      ),

    claimJob: ({ lease, name, owner }) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const { claimed, job } = yield* attempt("claimJob", () =>
          driver.claimJob({ name, owner, now, leaseUntil: now + Duration.toMillis(lease) })
        )
        return claimed ? Option.some(jobOf(job)) : Option.none()
      }),

    continueJob: (name, owner, position, lease) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        attempt("continueJob", () =>
          driver.saveJob({ name, owner, now, leaseUntil: now + Duration.toMillis(lease), position })
        )
      ),

    releaseJob: (name, owner, position) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        attempt("releaseJob", () => driver.saveJob({ name, owner, now, leaseUntil: null, position }))
      ),

    finishJob: (name, owner, report) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        attempt("finishJob", () => driver.saveJob({ name, owner, now, leaseUntil: null, position: null, report }))
      )
  }
}

/** A store in this process's memory: for tests and trials. It passes through the same steps and encoding. */
export const layerMemory: Layer.Layer<SubscriptionStore> = Layer.sync(SubscriptionStore, () => make(makeMemoryDriver()))

/** As `layerMemory`, for an app with the given users. */
export const layerMemoryWith = (users: ReadonlyArray<User>): Layer.Layer<SubscriptionStore> =>
  Layer.sync(SubscriptionStore, () =>
    make(
      makeMemoryDriver(
        users.map((user) => ({
          id: user.id,
          email: Option.getOrNull(user.email),
          name: Option.getOrNull(user.name)
        }))
      )
    )
  )

const decodeSubscription =
  (operation: string) =>
  (row: StoredSubscription): Effect.Effect<Subscription, StoreError> =>
    Option.match(StoredJson.decodeSubscription(row.data), {
      onNone: () => unreadableRow(operation, `the stored subscription ${row.id}`),
      onSome: Effect.succeed
    })

const decodeNotifications = (
  operation: string,
  rows: ReadonlyArray<ClaimedNotificationRow>
): Effect.Effect<ReadonlyArray<ClaimedNotification>, StoreError> => {
  const claimed: Array<ClaimedNotification> = []
  for (const { attempts: attempt, id, payload, userId } of rows) {
    const subscription = StoredJson.decodePayload(payload)
    if (Option.isNone(subscription)) return unreadableRow(operation, `the payload of notification ${id}`)
    // What is stored of a user's id was one.
    claimed.push({ id, userId: userId as UserId, subscription: subscription.value, attempt })
  }
  return Effect.succeed(claimed)
}

const received = ({
  outcomes,
  queued
}: ApplyDeliveries.AppliedDeliveries): Effect.Effect<ReceivedDeliveries, StoreError> => {
  const leased: Array<ClaimedNotificationRow> = []
  const unclaimed = new Set<SubscriptionId>()
  for (const row of queued) {
    if (row.lease !== null) leased.push({ ...row, attempts: 1 })
    // It is of a subscription that Polar told of.
    else unclaimed.add(row.subscriptionId as SubscriptionId)
  }
  return Effect.map(decodeNotifications("receiveDeliveries", leased), (claimed) => ({
    outcomes,
    claimed,
    unclaimed: [...unclaimed]
  }))
}

const unreadableRow = (operation: string, what: string) =>
  new StoreError({ operation, reason: "schema", detail: `${what} is not as this version writes it` })

const recordedDelivery = (row: DeliveryRow): RecordedDelivery => ({
  id: row.id,
  type: row.type,
  state: row.state,
  eventAt: row.eventAt as EpochMicros | null,
  receivedAt: new Date(row.receivedAt),
  customerId: row.customerId,
  subscriptionId: row.subscriptionId,
  userId: row.userId as UserId | null,
  attempts: row.attempts,
  lastError: row.lastError,
  body: row.body
})

const jobOf = (row: JobRow): Job => ({
  name: row.name,
  leaseUntil: dateOrNull(row.leaseUntil),
  position: row.position,
  startedAt: new Date(row.startedAt),
  finishedAt: dateOrNull(row.finishedAt),
  report: row.report
})

const dateOrNull = (millis: number | null): Date | null => (millis === null ? null : new Date(millis))
