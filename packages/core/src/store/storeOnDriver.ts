/**
 * The store on a driver: owns encoding, errors and spans, so that an adapter has only its database to know.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { benefitKind, readBenefitFacts } from "../records/Benefit.ts"
import { benefitGrantKind, readGrantFacts } from "../records/BenefitGrant.ts"
import type { RecordedDelivery } from "../records/Delivery.ts"
import type { Kind } from "../records/Kind.ts"
import type { DeadNotification, DeadNotificationQuery } from "../records/Notification.ts"
import { orderKind, purchaseFacts } from "../records/Order.ts"
import type {
  ClaimedNotificationRow,
  DeadNotificationRow,
  DeliveryRow,
  GrantRow,
  JobRow,
  LiveSubscriptionRow,
  StoredRecord
} from "../records/rows.ts"
import { nobody } from "../records/rows.ts"
import * as StoredJson from "../records/storedJson.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import { grantedNames } from "../rules/grantedBenefits.ts"
import { type HandlerNames, onlySubscriptions } from "../rules/handlers.ts"
import type { ClaimedNotification } from "../rules/told.ts"
import { randomId } from "../runtime/randomId.ts"
import { traced } from "../runtime/traced.ts"
import { currentTraceparent } from "../runtime/traceparent.ts"
import * as ApplyDeliveries from "../steps/applyDeliveries.ts"
import { applySnapshots } from "../steps/applySnapshots.ts"
import { both, type ChangedUsers, changedUsers, nobodyChanged } from "../steps/changedUsers.ts"
import { changeLink } from "../steps/changeLink.ts"
import { eraseUser } from "../steps/eraseUser.ts"
import { findCheckout } from "../steps/findCheckout.ts"
import { keepAnswers } from "../steps/keepAnswers.ts"
import { linkCustomer } from "../steps/linkCustomer.ts"
import { linkNamedCustomers } from "../steps/linkNamedCustomers.ts"
import { linkUnlinked } from "../steps/linkUnlinked.ts"
import { lookAtClock } from "../steps/lookAtClock.ts"
import { recordCheckout } from "../steps/recordCheckout.ts"
import type { Changes, Step } from "../steps/Step.ts"
import { unreadableRows } from "../telemetry/Metrics.ts"
import type { CheckoutId, CustomerId, User, UserId } from "../values/ids.ts"
import { oneLine } from "../values/logText.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import type { BillingStoreService, DeliveryQuery, Job, LiveSubscription, RecordQuery } from "./BillingStoreService.ts"
import { callTime } from "./callTime.ts"
import {
  type DeliveryBodies,
  type OpenedBody,
  openedBodies,
  plainBodies,
  sealedDeliveries,
  unopenedBodies
} from "./deliveryBodies.ts"
import { errorCause } from "./errorCause.ts"
import { makeReadTold } from "./readTold.ts"
import type { DeadRowQuery, DeliveryRowQuery, Patience, StoreDriver } from "./StoreDriver.ts"
import { CustomerLinkedToAnotherUser, StoreError } from "./StoreError.ts"

export const storeOnDriver = (driver: StoreDriver, bodies: DeliveryBodies = plainBodies): BillingStoreService => {
  const attempt = <A>(operation: string, call: () => Promise<A> | A): Effect.Effect<A, StoreError> =>
    Effect.suspend(() => {
      const explained = (error: unknown) => {
        const { detail, reason } = driver.explain(error)
        const line = oneLine(detail)
        return new StoreError({ operation, reason, detail: line }).causedBy(errorCause(error, line))
      }
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

  const watchers = new Set<(users: ChangedUsers) => void>()

  const run = <A>(operation: string, step: Step<A>, patience: Patience = "full"): Effect.Effect<A, StoreError> =>
    Effect.gen(function* () {
      const time = yield* callTime
      const traceparent = yield* currentTraceparent
      let answer: Option.Option<A> = Option.none()
      let isFault = false
      let changed = nobodyChanged
      return yield* attempt(operation, () =>
        driver.atomically(
          step.keys,
          (facts) => {
            isFault = true
            const decision = step.decide(facts)
            isFault = false
            answer = Option.some(decision.answer)
            if (watchers.size > 0) changed = both(changed, changedUsers(facts, decision.changes))
            return traceparent === null ? decision.changes : tracedAs(traceparent, decision.changes)
          },
          time,
          patience
        )
      ).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            if (changed !== nobodyChanged) for (const watcher of watchers) watcher(changed)
          })
        ),
        // No database has refused it: whoever is answered 503 comes back to the same, so it must not stay unseen.
        Effect.tapError((error) =>
          isFault
            ? Effect.logError(
                `A step could not be decided, which is a fault of this program: ${operation}.`,
                Cause.die(error.cause)
              )
            : Effect.void
        ),
        Effect.flatMap(() => answer),
        Effect.catchTag("NoSuchElementException", () =>
          Effect.dieMessage(`The ${driver.name} driver ran a step without deciding it.`)
        )
      )
    })

  const readTold = makeReadTold(driver, attempt, bodies)

  const span = (operation: string) =>
    traced(`BillingStore.${operation}`, () => ({
      kind: "client",
      attributes: { "db.system.name": driver.name, "db.operation.name": operation }
    }))

  /**
   * What can be read of what was claimed. One that no version has written is buried with the reason, where it holds up nobody
   * and an operator sees it; if that cannot be written now, it is claimed and buried another time.
   */
  const readable = (
    rows: ReadonlyArray<ClaimedNotificationRow>,
    owner: string
  ): Effect.Effect<ReadonlyArray<ClaimedNotification>> =>
    Effect.forEach(rows, (row) => Effect.map(readableOne(row, owner), Option.toArray)).pipe(
      Effect.map((claimed) => claimed.flat())
    )

  const readableOne = (row: ClaimedNotificationRow, owner: string): Effect.Effect<Option.Option<ClaimedNotification>> =>
    readTold(row).pipe(
      Effect.flatMap((told) => {
        if (Option.isNone(told)) return Effect.as(giveUp(row.id, owner), Option.none())
        const { attempts, createdAt, handler, id, subject, traceparent } = row
        // What is stored of a user's id was one.
        const userId = row.userId === nobody ? null : (row.userId as UserId)
        return Effect.succeed(
          Option.some({
            id,
            handler,
            subject,
            userId,
            attempt: attempts,
            queuedAt: new Date(createdAt),
            traceparent,
            told: told.value
          })
        )
      }),
      // It comes again when its lease ends.
      Effect.catchAll((failure) =>
        Effect.as(
          Effect.logWarning("What is to be told could not be read; trying again.").pipe(
            Effect.annotateLogs({ notification: row.id, error: failure.message })
          ),
          Option.none()
        )
      )
    )

  const giveUp = (id: string, owner: string) =>
    Effect.gen(function* () {
      const error = "The payload is not as any version writes it, so nobody can be told of it."
      yield* setAside("notification", id)
      const time = yield* callTime
      yield* attempt("giveUpNotification", () =>
        driver.failNotification({ id, owner, time, state: "dead", error, delayMillis: 0 })
      ).pipe(Effect.catchAll((failure) => Effect.logWarning(failure.message)))
    })

  /** The rows that can be read. */
  const readableRows = <Row extends { readonly id: string }, A>(
    what: string,
    rows: ReadonlyArray<Row>,
    read: (row: Row) => Option.Option<A>
  ): Effect.Effect<ReadonlyArray<A>> => {
    const values: Array<A> = []
    const unreadable: Array<string> = []
    for (const row of rows) {
      const value = read(row)
      if (Option.isSome(value)) values.push(value.value)
      else unreadable.push(row.id)
    }
    const all = Effect.succeed(values)
    return unreadable.length === 0
      ? all
      : Effect.zipRight(
          Effect.forEach(unreadable, (id) => setAside(what, id), { discard: true }),
          all
        )
  }

  const recordsOf = <A>(
    operation: string,
    kind: Kind<A>,
    userId: UserId,
    { live, productId, status }: RecordQuery
  ): Effect.Effect<ReadonlyArray<A>, StoreError> =>
    attempt(operation, () => driver.recordsOf({ kind: kind.name, userId, live, status, productId })).pipe(
      Effect.flatMap((rows) => readableRows(kind.name, rows, ({ data }) => kind.fromStored(data))),
      span(operation)
    )

  /** Those that can be read, each with its benefit. */
  const grantsOf = <G, B>(
    operation: string,
    userId: UserId,
    readGrant: (data: string) => Option.Option<G>,
    readBenefit: (data: string) => Option.Option<B>
  ): Effect.Effect<ReadonlyArray<{ readonly grant: G; readonly benefit: B | null }>, StoreError> => {
    const read = ({ benefit, grant }: GrantRow) =>
      Option.map(readGrant(grant), (value) => ({
        grant: value,
        benefit: benefit === null ? null : Option.getOrNull(readBenefit(benefit))
      }))
    return attempt(operation, () => driver.liveGrantsOf(userId)).pipe(
      Effect.flatMap((rows) => readableRows(benefitGrantKind.name, rows, read)),
      span(operation)
    )
  }

  return {
    parallelSteps: driver.parallelSteps,

    withBodies: (kept) => storeOnDriver(driver, kept),

    migrate: attempt("migrate", () => driver.migrate()).pipe(span("migrate")),

    migrationStatus: attempt("migrationStatus", () => driver.migrationStatus()).pipe(span("migrationStatus")),

    inspect: attempt("inspect", () => driver.inspect()).pipe(span("inspect")),

    applyDeliveries: (deliveries, policy, { dryRun, handlers, replay, tellAgain, users } = {}) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const sealed = dryRun === true ? deliveries : yield* sealedDeliveries(bodies, deliveries)
        const step = { policy, now, replay, tellAgain, handlers, users, dryRun }
        const { outcomes } = yield* run("applyDeliveries", ApplyDeliveries.applyDeliveries(sealed, step))
        return outcomes
      }).pipe(span("applyDeliveries")),

    receiveDeliveries: (deliveries, policy, { lease, limit, owner }, { handlers, patience, users } = {}) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const sealed = yield* sealedDeliveries(bodies, deliveries)
        const claim = { owner, limit, leaseMillis: Duration.toMillis(lease) }
        const step = ApplyDeliveries.applyDeliveries(sealed, { policy, now, claim, handlers, users })
        const { outcomes, queued } = yield* run("receiveDeliveries", step, patience)
        const leased = queued.flatMap((row) => (row.lease === null ? [] : [{ ...row, attempts: 1 }]))
        const claimed = yield* readable(leased, owner)
        const unclaimed = new Set(queued.flatMap((row) => (row.lease === null ? [row.subject] : [])))
        return { outcomes, claimed, unclaimed: [...unclaimed] }
      }).pipe(span("receiveDeliveries")),

    applySnapshots: (snapshots, policy, { dryRun, handlers, users }) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("applySnapshots", applySnapshots(snapshots, { policy, now, dryRun, handlers, users }))
      ).pipe(span("applySnapshots")),

    keepAnswers: (reports, askedAt, policy) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("keepAnswers", keepAnswers(reports, { policy, now, askedAt }))
      ).pipe(span("keepAnswers")),

    linkUnlinked: (unlinked, policy, { handlers, users } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("linkUnlinked", linkUnlinked(unlinked, { policy, now, handlers, users }))
      ).pipe(span("linkUnlinked")),

    linkNamedCustomers: (customers, policy, { handlers, users } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("linkNamedCustomers", linkNamedCustomers(customers, { policy, now, handlers, users }))
      ).pipe(span("linkNamedCustomers")),

    linkCustomer: (request, policy, { handlers } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("linkCustomer", linkCustomer(request, { policy, now, handlers }))
      ).pipe(
        Effect.flatMap((answer) =>
          answer.userId === request.userId
            ? Effect.succeed(answer.notified)
            : new CustomerLinkedToAnotherUser({ customerId: request.customerId })
        ),
        span("linkCustomer")
      ),

    recordCheckout: (checkout, policy, { handlers } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("recordCheckout", recordCheckout({ ...checkout, createdAt: now }, { policy, now, handlers }))
      ).pipe(span("recordCheckout")),

    checkout: (id) =>
      run("checkout", findCheckout(id)).pipe(
        Effect.map(Option.fromNullable),
        // What is stored of a user's id was one.
        Effect.map(
          Option.map(({ createdAt, productId, userId }) => ({
            userId: userId as UserId,
            productId,
            createdAt: new Date(createdAt)
          }))
        ),
        span("checkout")
      ),

    subscriptionsOf: (userId, which) =>
      recordsOf("subscriptionsOf", subscriptionKind, userId, which === "live" ? { live: true } : {}),

    liveSubscriptionsOf: (userId) =>
      attempt("liveSubscriptionsOf", () => driver.liveSubscriptionsOf(userId)).pipe(
        Effect.map((rows) => rows.map(liveSubscriptionOf)),
        span("liveSubscriptionsOf")
      ),

    liveGrantsOf: (userId) => grantsOf("liveGrantsOf", userId, benefitGrantKind.fromStored, benefitKind.fromStored),

    grantedNamesOf: (userId) =>
      Effect.map(grantsOf("grantedNamesOf", userId, readGrantFacts, readBenefitFacts), grantedNames),

    purchaseFactsOf: (userId, productId) =>
      attempt("purchaseFactsOf", () => driver.liveOrdersOf(userId, productId)).pipe(
        Effect.flatMap((rows) => readableRows(orderKind.name, rows, purchaseFacts)),
        span("purchaseFactsOf")
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

    recordsDue: ({ after, limit }) =>
      Effect.flatMap(Clock.currentTimeMillis, (before) =>
        attempt("recordsDue", () => driver.recordsDue({ before, after, limit }))
      ).pipe(span("recordsDue")),

    lookAtClock: (records, policy, { dryRun, handlers } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("lookAtClock", lookAtClock(records, { policy, now, handlers, dryRun }))
      ).pipe(span("lookAtClock")),

    customerOf: (userId) =>
      attempt("customerOf", () => driver.customerOf(userId)).pipe(
        Effect.map((customerId) => Option.fromNullable(customerId as CustomerId | undefined)),
        span("customerOf")
      ),

    checkoutsOf: (userId, { createdAfter, limit }) =>
      attempt("checkoutsOf", () => driver.checkoutsOf({ userId, createdAfter: createdAfter.getTime(), limit })).pipe(
        // What is stored of a checkout's id was one.
        Effect.map((rows) => rows.map(({ id }) => id as CheckoutId)),
        span("checkoutsOf")
      ),

    watchUsers: (changed) =>
      Effect.acquireRelease(
        Effect.sync(() => void watchers.add(changed)),
        () => Effect.sync(() => void watchers.delete(changed))
      ),

    ownershipOf: (userId) => attempt("ownershipOf", () => driver.ownershipOf(userId)).pipe(span("ownershipOf")),

    changeLink: (request, policy, { dryRun, handlers } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("changeLink", changeLink(request, { policy, now, handlers, dryRun }))
      ).pipe(span("changeLink")),

    eraseUser: (request, policy) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => run("eraseUser", eraseUser(request, { policy, now }))).pipe(
        Effect.asVoid,
        span("eraseUser")
      ),

    personalData: (userId, customerIds) =>
      attempt("personalData", () => driver.personalData(userId, customerIds)).pipe(
        Effect.flatMap((rows) =>
          Effect.map(openedBodies(bodies, rows.deliveries), (deliveries) => ({ ...rows, deliveries }))
        ),
        span("personalData")
      ),

    usersOfCustomer: (customerId) =>
      attempt("usersOfCustomer", () => driver.usersOfCustomer(customerId)).pipe(
        // What is stored of a user's id was one.
        Effect.map((userIds) => new Set(userIds.flatMap((id) => (id === nobody ? [] : [id as UserId])))),
        span("usersOfCustomer")
      ),

    knownUsers: (userIds) =>
      attempt("knownUsers", () => driver.knownUsers(userIds)).pipe(
        Effect.map((known) => {
          const ids = new Set(known)
          return new Set(userIds.filter((id) => ids.has(id)))
        }),
        span("knownUsers")
      ),

    findUser: (userId) =>
      attempt("findUser", () => driver.findUser(userId)).pipe(
        Effect.map((row) =>
          Option.map(
            Option.fromNullable(row),
            (found): User => ({
              id: userId,
              email: Option.fromNullable(found.email),
              name: Option.fromNullable(found.name),
              emailVerified: found.emailVerified
            })
          )
        ),
        span("findUser")
      ),

    claimNotifications: ({ handlers, lease, limit, owner }) =>
      Effect.gen(function* () {
        const time = yield* callTime
        const { nextDueIn, rows } = yield* attempt("claimNotifications", () =>
          driver.claimNotifications({
            owner,
            limit,
            handlers: namesOf(handlers),
            time,
            leaseMillis: Duration.toMillis(lease)
          })
        )
        const claimed = yield* readable(rows, owner)
        return { claimed, nextDueAt: nextDueIn === null || Number.isNaN(nextDueIn) ? null : time.now + nextDueIn }
      }),

    renewNotifications: (ids, { lease, owner }) =>
      Effect.flatMap(callTime, (time) =>
        attempt("renewNotifications", () =>
          driver.renewNotifications({ ids, owner, time, leaseMillis: Duration.toMillis(lease) })
        )
      ),

    completeNotifications: (ids, owner) =>
      Effect.flatMap(callTime, (time) =>
        attempt("completeNotifications", () => driver.completeNotifications({ ids, owner, time, leaseMillis: null }))
      ).pipe(Effect.map((completed) => completed.ids)),

    completeAndClaimNext: (ids, { lease, owner }) =>
      Effect.gen(function* () {
        const time = yield* callTime
        const { ids: completed, next } = yield* attempt("completeNotifications", () =>
          driver.completeNotifications({ ids, owner, time, leaseMillis: Duration.toMillis(lease) })
        )
        const claimed = yield* readable(next, owner)
        return { completed, claimed }
      }),

    retryNotification: (id, owner, error, delay) =>
      Effect.flatMap(callTime, (time) =>
        attempt("retryNotification", () =>
          driver.failNotification({
            id,
            owner,
            time,
            state: "pending",
            error,
            delayMillis: Math.ceil(Duration.toMillis(delay))
          })
        )
      ),

    giveUpNotification: (id, owner, error) =>
      Effect.flatMap(callTime, (time) =>
        attempt("giveUpNotification", () =>
          driver.failNotification({ id, owner, time, state: "dead", error, delayMillis: 0 })
        )
      ),

    deadNotifications: (query = {}) =>
      attempt("deadNotifications", () => driver.deadNotifications(deadRows(query))).pipe(
        Effect.map((rows) => rows.map(deadNotification)),
        span("deadNotifications")
      ),

    retryDeadNotifications: (query) =>
      Effect.flatMap(callTime, (time) =>
        attempt("retryDeadNotifications", () => driver.retryDead(deadRows(query), time))
      ).pipe(span("retryDeadNotifications")),

    buryNotifications: (ids) =>
      Effect.flatMap(callTime, (time) =>
        ids.length === 0 ? Effect.succeed([]) : attempt("buryNotifications", () => driver.buryNotifications(ids, time))
      ).pipe(span("buryNotifications")),

    countNotifications: ({ handlers, subjects } = {}) =>
      Effect.flatMap(callTime, (time) =>
        subjects !== undefined && subjects.length === 0
          ? Effect.succeed({ unsettled: 0, waiting: 0, dead: 0 })
          : attempt("countNotifications", () =>
              driver.countNotifications({ subjects, handlers: namesOf(handlers), time })
            )
      ),

    oldestPending: (handlers) =>
      attempt("oldestPending", () => driver.oldestPending(namesOf(handlers))).pipe(
        Effect.map((queuedAt) => Option.map(Option.fromNullable(queuedAt), (millis) => new Date(millis))),
        span("oldestPending")
      ),

    deliveries: (query) =>
      attempt("deliveries", () => driver.deliveries(deliveryRows(query))).pipe(
        Effect.flatMap((rows) =>
          query.decrypt === false ? Effect.succeed(unopenedBodies(rows)) : openedBodies(bodies, rows)
        ),
        Effect.map((rows) => rows.map(recordedDelivery)),
        span("deliveries")
      ),

    countDeliveries: (query) =>
      attempt("countDeliveries", () => driver.countDeliveries(deliveryRows(query))).pipe(span("countDeliveries")),

    pruneDeliveryBodies: (before, limit) =>
      attempt("pruneDeliveryBodies", () => driver.pruneDeliveryBodies(before.getTime(), limit)).pipe(
        span("pruneDeliveryBodies")
      ),

    deleteSettledDeliveries: (before, limit) =>
      attempt("deleteSettledDeliveries", () => driver.deleteSettledDeliveries(before.getTime(), limit)).pipe(
        span("deleteSettledDeliveries")
      ),

    deleteDoneNotifications: (before, limit) =>
      attempt("deleteDoneNotifications", () => driver.deleteDoneNotifications(before.getTime(), limit)).pipe(
        span("deleteDoneNotifications")
      ),

    lookUp: (query) => attempt("lookUp", () => driver.lookUp(query)).pipe(span("lookUp")),

    historyOf: (query) => attempt("historyOf", () => driver.historyOf(query)).pipe(span("historyOf")),

    notifications: ({ limit = 100, states, userId }) =>
      attempt("notifications", () => driver.notifications({ states, userId, limit })).pipe(span("notifications")),

    recordAction: (action) =>
      Effect.gen(function* () {
        const row = { ...action, id: yield* randomId, at: yield* Clock.currentTimeMillis }
        yield* attempt("recordAction", () => driver.recordAction(row))
        return { ...row, at: new Date(row.at) }
      }).pipe(span("recordAction")),

    finishAction: (action) =>
      attempt("finishAction", () => driver.recordAction({ ...action, at: action.at.getTime() })).pipe(
        span("finishAction")
      ),

    perHour: ({ count, from }) =>
      attempt("perHour", () => driver.perHour({ from: from.getTime(), count })).pipe(span("perHour")),

    actions: ({ following, limit = 100, subject } = {}) =>
      attempt("actions", () =>
        driver.actions({
          subject,
          after: following === undefined ? undefined : { at: following.at.getTime(), id: following.id },
          limit
        })
      ).pipe(
        Effect.map((rows) => rows.map((row) => ({ ...row, at: new Date(row.at) }))),
        span("actions")
      ),

    job: (name) =>
      Effect.map(
        attempt("job", () => driver.job(name)),
        (row) => Option.map(Option.fromNullable(row), jobOf)
      ),

    jobsNamed: (prefix) =>
      Effect.map(
        attempt("jobsNamed", () => driver.jobsNamed(prefix)),
        (rows) => rows.map(jobOf)
      ),

    latestJobs: (limit) =>
      Effect.flatMap(callTime, (time) => attempt("latestJobs", () => driver.latestJobs(limit, time))).pipe(
        Effect.map(({ jobs, now }) => jobs.map((row) => ({ ...jobOf(row), isHeld: (row.leaseUntil ?? 0) > now }))),
        span("latestJobs")
      ),

    claimJob: ({ lease, name, owner }) =>
      Effect.gen(function* () {
        const time = yield* callTime
        const { claimed, job } = yield* attempt("claimJob", () =>
          driver.claimJob({ name, owner, time, leaseMillis: Duration.toMillis(lease) })
        )
        return claimed ? Option.some(jobOf(job)) : Option.none()
      }),

    continueJob: (name, owner, position, lease) =>
      Effect.flatMap(callTime, (time) =>
        attempt("continueJob", () =>
          driver.saveJob({ name, owner, time, leaseMillis: Duration.toMillis(lease), position })
        )
      ),

    releaseJob: (name, owner, position) =>
      Effect.flatMap(callTime, (time) =>
        attempt("releaseJob", () => driver.saveJob({ name, owner, time, leaseMillis: null, position }))
      ),

    finishJob: (name, owner, report) =>
      Effect.flatMap(callTime, (time) =>
        attempt("finishJob", () => driver.saveJob({ name, owner, time, leaseMillis: null, position: null, report }))
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

/** What was queued by no delivery is of the step's own trace. */
const tracedAs = (traceparent: string, changes: Changes): Changes => ({
  ...changes,
  notifications: changes.notifications.map((row) => ({ ...row, traceparent: row.traceparent ?? traceparent }))
})

/** One row that cannot be read stands in nobody's way, and is not passed over in silence. */
const setAside = (what: string, id: string): Effect.Effect<void> =>
  Effect.zipRight(
    unreadableRows.update(1, { row: what }),
    Effect.logError(
      `A stored ${what} is not as any version of this program writes it, and is left out. Everything else goes on.`
    ).pipe(Effect.annotateLogs({ row: oneLine(id) }))
  )

const namesOf = (handlers: HandlerNames = onlySubscriptions): ReadonlyArray<string> => [...handlers]

const deadRows = (query: DeadNotificationQuery): DeadRowQuery => ({
  ids: query.ids,
  userId: query.userId,
  handlers: query.handler === undefined ? undefined : [query.handler],
  subjects: query.subscriptionIds ?? (query.subscriptionId === undefined ? undefined : [query.subscriptionId]),
  diedBefore: query.before?.getTime(),
  diedAfter: query.after?.getTime(),
  after:
    query.following === undefined ? undefined : { diedAt: query.following.diedAt.getTime(), id: query.following.id },
  limit: query.limit ?? 100
})

const deliveryRows = (query: DeliveryQuery): DeliveryRowQuery => ({
  ids: query.ids,
  states: query.states,
  types: query.types,
  userId: query.userId,
  receivedBefore: query.receivedBefore?.getTime(),
  receivedAfter: query.receivedAfter?.getTime(),
  order: query.order ?? "newest",
  after: query.after === undefined ? undefined : { receivedAt: query.after.receivedAt.getTime(), id: query.after.id },
  limit: query.limit ?? 100
})

/** Each by itself: one that cannot be read is shown all the same. */
const deadNotification = (row: DeadNotificationRow): DeadNotification => ({
  id: row.id,
  handler: row.handler,
  // What is stored of a user's id was one.
  userId: row.userId === nobody ? null : (row.userId as UserId),
  subscription: row.handler === "onSubscriptionChange" ? Option.getOrNull(StoredJson.decodePayload(row.payload)) : null,
  attempts: row.attempts,
  error: row.lastError,
  queuedAt: new Date(row.createdAt),
  diedAt: new Date(row.diedAt)
})

const unreadableRow = (operation: string, what: string) =>
  new StoreError({ operation, reason: "schema", detail: `${what} is not as this version writes it` })

const recordedDelivery = (row: DeliveryRow & OpenedBody): RecordedDelivery => ({
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
  body: row.body,
  isEncrypted: row.isEncrypted
})

const jobOf = (row: JobRow): Job => ({
  name: row.name,
  owner: row.owner,
  leaseUntil: dateOrNull(row.leaseUntil),
  position: row.position,
  startedAt: new Date(row.startedAt),
  updatedAt: new Date(row.updatedAt),
  finishedAt: dateOrNull(row.finishedAt),
  report: row.report
})

const dateOrNull = (millis: number | null): Date | null => (millis === null ? null : new Date(millis))
