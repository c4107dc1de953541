/**
 * The store on a driver: owns encoding, errors and spans, so that an adapter has only its database to know.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { RecordedDelivery } from "../records/Delivery.ts"
import type { Kind } from "../records/Kind.ts"
import type { ClaimedNotification } from "../records/Notification.ts"
import type { ClaimedNotificationRow, DeliveryRow, JobRow, LiveSubscriptionRow, StoredRecord } from "../records/rows.ts"
import * as StoredJson from "../records/storedJson.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import { traced } from "../runtime/traced.ts"
import * as ApplyDeliveries from "../steps/applyDeliveries.ts"
import { applySnapshots } from "../steps/applySnapshots.ts"
import { linkCustomer } from "../steps/linkCustomer.ts"
import { linkUnlinked } from "../steps/linkUnlinked.ts"
import { recordCheckout } from "../steps/recordCheckout.ts"
import type { Step } from "../steps/Step.ts"
import type { CustomerId, User, UserId } from "../values/ids.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import type {
  BillingStoreService,
  Job,
  LiveSubscription,
  ReceivedDeliveries,
  RecordQuery
} from "./BillingStoreService.ts"
import type { StoreDriver } from "./StoreDriver.ts"
import { CustomerLinkedToAnotherUser, StoreError } from "./StoreError.ts"

export const storeOnDriver = (driver: StoreDriver): BillingStoreService => {
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
    traced(`BillingStore.${operation}`, () => ({
      kind: "client",
      attributes: { "db.system": driver.name, "db.operation.name": operation }
    }))

  const recordsOf = <A>(
    operation: string,
    kind: Kind<A>,
    userId: UserId,
    { live, productId, status }: RecordQuery
  ): Effect.Effect<ReadonlyArray<A>, StoreError> =>
    attempt(operation, () => driver.recordsOf({ kind: kind.name, userId, live, status, productId })).pipe(
      Effect.flatMap(Effect.forEach(decoded(operation, kind))),
      span(operation)
    )

  return {
    parallelSteps: driver.parallelSteps,

    migrate: attempt("migrate", () => driver.migrate()).pipe(span("migrate")),

    applyDeliveries: (deliveries, policy, { notify, replay } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("applyDeliveries", ApplyDeliveries.applyDeliveries(deliveries, { policy, now, replay, notify }))
      ).pipe(
        Effect.map(({ outcomes }) => outcomes),
        span("applyDeliveries")
      ),

    receiveDeliveries: (deliveries, policy, { lease, limit, owner }, { notify } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const claim = { owner, limit, leaseUntil: now + Duration.toMillis(lease) }
        return run("receiveDeliveries", ApplyDeliveries.applyDeliveries(deliveries, { policy, now, claim, notify }))
      }).pipe(Effect.flatMap(received), span("receiveDeliveries")),

    applySnapshots: (snapshots, policy, { dryRun, notify }) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("applySnapshots", applySnapshots(snapshots, { policy, now, dryRun, notify }))
      ).pipe(span("applySnapshots")),

    linkUnlinked: (unlinked, policy, { notify } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("linkUnlinked", linkUnlinked(unlinked, { policy, now, notify }))
      ).pipe(span("linkUnlinked")),

    linkCustomer: (request, policy, { notify } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("linkCustomer", linkCustomer(request, { policy, now, notify }))
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
        run("recordCheckout", recordCheckout({ ...checkout, createdAt: now }))
      ).pipe(span("recordCheckout")),

    subscriptionsOf: (userId, which) =>
      recordsOf("subscriptionsOf", subscriptionKind, userId, which === "live" ? { live: true } : {}),

    liveSubscriptionsOf: (userId) =>
      attempt("liveSubscriptionsOf", () => driver.liveSubscriptionsOf(userId)).pipe(
        Effect.map((rows) => rows.map(liveSubscriptionOf)),
        span("liveSubscriptionsOf")
      ),

    recordsOf: (kind, userId, query = {}) => recordsOf("recordsOf", kind, userId, query),

    record: (kind, id) =>
      attempt("record", () => driver.record(kind.name, id)).pipe(
        Effect.flatMap((row) =>
          row === undefined
            ? Effect.succeedNone
            : Effect.map(decoded("record", kind)(row), (value) =>
                // What is stored of a user's id was one.
                Option.some({ value, userId: row.userId as UserId | null })
              )
        ),
        span("record")
      ),

    recordPage: ({ after, kind, limit, which }) =>
      attempt("recordPage", () => driver.recordPage({ kind, which, afterId: after, limit })).pipe(span("recordPage")),

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
          driver.failNotification({
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
        attempt("buryNotification", () => driver.failNotification({ id, owner, now, state: "dead", error }))
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

const decoded =
  <A>(operation: string, kind: Kind<A>) =>
  (row: StoredRecord): Effect.Effect<A, StoreError> =>
    Option.match(kind.fromStored(row.data), {
      onNone: () => unreadableRow(operation, `the stored ${kind.name} ${row.id}`),
      onSome: Effect.succeed
    })

const liveSubscriptionOf = ({ id, productId, status, summary }: LiveSubscriptionRow): LiveSubscription => ({
  id,
  status,
  productId: productId ?? "",
  endedAt: null,
  ...StoredJson.decodeSummary(summary)
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
  const unclaimed = new Set<string>()
  for (const row of queued) {
    if (row.lease !== null) leased.push({ ...row, attempts: 1 })
    else unclaimed.add(row.subject)
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
  recordKind: row.recordKind,
  recordId: row.recordId,
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
