/**
 * Changes of subscriptions in the Polar in memory: what becomes of the subscription, and Polar's refusals of what is over. It
 * charges nothing and refuses no product; the simulator does.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ProductId, Subscription, type SubscriptionId } from "../records/Subscription.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import type { SubscriptionUpdate } from "../rules/subscriptionUpdate.ts"
import { PolarConflict, type PolarError, PolarNotFound, PolarRejected } from "./PolarError.ts"
import { operationOf, type SubscriptionCalls } from "./subscriptionCalls.ts"

interface Memory {
  readonly subscription: (id: SubscriptionId) => Subscription | undefined
  readonly put: (subscription: Subscription) => void
  readonly snapshotOf: (subscription: Subscription, now: number) => Snapshot
  readonly answer: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | PolarError>
}

export const makeMemorySubscriptionCalls = ({ answer, put, snapshotOf, subscription }: Memory): SubscriptionCalls => ({
  updateSubscription: (id, update) =>
    answer(
      Effect.gen(function* () {
        const operation = operationOf(update)
        const found = subscription(id)
        if (found === undefined) return yield* new PolarNotFound({ operation, code: "ResourceNotFound" })
        const now = new Date(yield* Clock.currentTimeMillis)
        const refusal = refusalOf(operation, update, found)
        if (refusal !== undefined) return yield* refusal
        // Each change is later than the one before, also under a clock that stands still.
        const modifiedAt = new Date(Math.max(now.getTime(), (found.modifiedAt?.getTime() ?? 0) + 1))
        const changed = Subscription.ofDecoded({ ...found, ...changesOf(update, found, now), modifiedAt })
        put(changed)
        return snapshotOf(changed, now.getTime())
      })
    ),
  previewChange: () => answer(Effect.succeedNone),
  findDiscount: () => answer(Effect.succeed(Option.none<string>()))
})

const refusalOf = (
  operation: string,
  update: SubscriptionUpdate,
  { cancelAtPeriodEnd, endedAt, pauseAtPeriodEnd, status }: Subscription
): PolarRejected | PolarConflict | undefined => {
  const conflict = (code: string, detail: string, at: 409 | 410 = 409) =>
    new PolarConflict({ operation, status: at, code, detail })
  const over = new PolarRejected({
    operation,
    status: 403,
    code: "AlreadyCanceledSubscription",
    detail: "This subscription is already canceled or will be at the end of the period.",
    issues: []
  })
  switch (update._tag) {
    case "Product":
    case "Seats":
    case "Units":
    case "Cancel":
      return endedAt !== null || cancelAtPeriodEnd ? over : undefined
    case "Uncancel":
      if (endedAt !== null) return conflict("ResourceUnavailable", "This subscription has ended.", 410)
      return cancelAtPeriodEnd
        ? undefined
        : conflict("SubscriptionNotScheduledToCancel", "This subscription is not set to be canceled.")
    case "Pause":
      return status === "active" && !cancelAtPeriodEnd && !pauseAtPeriodEnd
        ? undefined
        : conflict("CannotPauseSubscription", "This subscription cannot be paused.")
    case "UnschedulePause":
      return pauseAtPeriodEnd ? undefined : conflict("NoScheduledPause", "No pause is scheduled.")
    case "Resume":
      return status === "paused" ? undefined : conflict("NotPausedSubscription", "This subscription is not paused.")
    default:
      return endedAt === null ? undefined : over
  }
}

const changesOf = (update: SubscriptionUpdate, subscription: Subscription, now: Date): Partial<Subscription> => {
  switch (update._tag) {
    case "Product": {
      const productId = ProductId.make(update.productId)
      return update.prorationBehavior === "next_period" && subscription.currentPeriodEnd !== null
        ? { pendingUpdate: { appliesAt: subscription.currentPeriodEnd, productId, seats: null, units: null } }
        : { productId, pendingUpdate: null }
    }
    case "Seats":
      return { seats: update.seats }
    case "Units":
      return { units: update.units }
    case "Cancel":
      return {
        cancelAtPeriodEnd: true,
        canceledAt: now,
        endsAt: subscription.currentPeriodEnd,
        cancellationReason: update.reason ?? null,
        cancellationComment: update.comment ?? null
      }
    case "Uncancel":
      return { cancelAtPeriodEnd: false, canceledAt: null, endsAt: null }
    case "Revoke":
      return {
        status: "canceled",
        canceledAt: subscription.canceledAt ?? now,
        endsAt: now,
        endedAt: now,
        cancellationReason: update.reason ?? null,
        cancellationComment: update.comment ?? null
      }
    case "Pause":
      return { pauseAtPeriodEnd: true, resumesAt: update.resumesAt ?? null }
    case "UnschedulePause":
      return { pauseAtPeriodEnd: false, resumesAt: null }
    case "Resume":
      return { status: "active", pausedAt: null, resumesAt: null }
    case "TrialEnd":
      return update.trialEnd === "now"
        ? { status: "active", trialEnd: now }
        : { status: "trialing", trialEnd: update.trialEnd, currentPeriodEnd: update.trialEnd }
    case "Discount":
      return { discountId: update.discountId }
    case "DropPendingUpdate":
      return { pendingUpdate: null }
  }
}
