/** What changes records, each in one atomic step. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { applyDeliveries } from "../../steps/applyDeliveries.ts"
import { applySnapshots } from "../../steps/applySnapshots.ts"
import { changeLink } from "../../steps/changeLink.ts"
import { eraseUser } from "../../steps/eraseUser.ts"
import { findCheckout } from "../../steps/findCheckout.ts"
import { keepAnswers } from "../../steps/keepAnswers.ts"
import { linkCustomer } from "../../steps/linkCustomer.ts"
import { linkNamedCustomers } from "../../steps/linkNamedCustomers.ts"
import { linkUnlinked } from "../../steps/linkUnlinked.ts"
import { lookAtClock } from "../../steps/lookAtClock.ts"
import { recordCheckout } from "../../steps/recordCheckout.ts"
import type { UserId } from "../../values/ids.ts"
import type { BillingStoreService } from "../BillingStoreService.ts"
import { type DeliveryBodies, sealedDeliveries } from "../deliveryBodies.ts"
import { CustomerLinkedToAnotherUser } from "../StoreError.ts"
import type { DriverCalls } from "./driverCalls.ts"
import type { ReadableNotifications } from "./readableNotifications.ts"
import type { StepRunner } from "./runStep.ts"

export const stepCalls = (
  { span }: DriverCalls,
  { run }: StepRunner,
  readable: ReadableNotifications,
  bodies: DeliveryBodies
) =>
  ({
    applyDeliveries: (deliveries, policy, { dryRun, handlers, replay, tellAgain, users } = {}) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const sealed = dryRun === true ? deliveries : yield* sealedDeliveries(bodies, deliveries)
        const step = { policy, now, replay, tellAgain, handlers, users, dryRun }
        const { outcomes } = yield* run("applyDeliveries", applyDeliveries(sealed, step))
        return outcomes
      }).pipe(span("applyDeliveries")),

    receiveDeliveries: (deliveries, policy, { lease, limit, owner }, { handlers, patience, users } = {}) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const sealed = yield* sealedDeliveries(bodies, deliveries)
        const claim = { owner, limit, leaseMillis: Duration.toMillis(lease) }
        const step = applyDeliveries(sealed, { policy, now, claim, handlers, users })
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

    lookAtClock: (records, policy, { dryRun, handlers } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("lookAtClock", lookAtClock(records, { policy, now, handlers, dryRun }))
      ).pipe(span("lookAtClock")),

    changeLink: (request, policy, { dryRun, handlers } = {}) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        run("changeLink", changeLink(request, { policy, now, handlers, dryRun }))
      ).pipe(span("changeLink")),

    eraseUser: (request, policy) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => run("eraseUser", eraseUser(request, { policy, now }))).pipe(
        Effect.asVoid,
        span("eraseUser")
      )
  }) satisfies Partial<BillingStoreService>
