/** What Polar does with a subscription on request, and whether it is done (Polar docs: api-reference/subscriptions/update). */
import type { Subscription } from "../records/Subscription.ts"

/** When a change is charged: see `SubscriptionUpdate`. */
export const prorationBehaviors = ["invoice", "prorate", "next_period", "reset"] as const

/**
 * `invoice`: now, for what is left of the period. `prorate`: with the next invoice. `next_period`: the change itself waits for
 * the next period. `reset`: a whole new period from now on, which Polar has to allow the organization.
 */
export type ProrationBehavior = (typeof prorationBehaviors)[number]

/** Why somebody leaves. */
export const cancellationReasons = [
  "customer_service",
  "low_quality",
  "missing_features",
  "switched_service",
  "too_complex",
  "too_expensive",
  "unused",
  "other"
] as const
export type CancellationReason = (typeof cancellationReasons)[number]

interface Proration {
  readonly prorationBehavior?: ProrationBehavior | undefined
}

interface Farewell {
  readonly reason?: CancellationReason | undefined
  /** The customer sees it in the portal. */
  readonly comment?: string | undefined
}

/** What a subscription is changed to: one thing of these at a time, which is what Polar takes. */
export type PlanChange =
  | ({ readonly _tag: "Product"; readonly productId: string } & Proration)
  | ({ readonly _tag: "Seats"; readonly seats: number } & Proration)
  | ({ readonly _tag: "Units"; readonly units: number } & Proration)

/** What Polar is asked to do with a subscription. */
export type SubscriptionUpdate =
  | PlanChange
  | ({ readonly _tag: "Cancel" } & Farewell)
  | { readonly _tag: "Uncancel" }
  | ({ readonly _tag: "Revoke" } & Farewell)
  | { readonly _tag: "Pause"; readonly resumesAt?: Date | undefined }
  | { readonly _tag: "UnschedulePause" }
  | { readonly _tag: "Resume" }
  | { readonly _tag: "TrialEnd"; readonly trialEnd: Date | "now" }
  | { readonly _tag: "Discount"; readonly discountId: string | null }
  | { readonly _tag: "DropPendingUpdate" }

/**
 * Whether nothing is left to do. Polar refuses to do a thing twice, and a lost answer says nothing: what the subscription is by
 * then tells.
 */
export const isDone = (update: SubscriptionUpdate, subscription: Subscription): boolean => {
  const { cancelAtPeriodEnd, endedAt, pauseAtPeriodEnd, pendingUpdate, resumesAt, status } = subscription
  const hasEnded = endedAt !== null
  switch (update._tag) {
    case "Product":
      return hasChanged(update, update.productId, subscription.productId, pendingUpdate?.productId ?? null)
    case "Seats":
      return hasChanged(update, update.seats, subscription.seats, pendingUpdate?.seats ?? null)
    case "Units":
      return hasChanged(update, update.units, subscription.units, pendingUpdate?.units ?? null)
    case "Cancel":
      return cancelAtPeriodEnd && !hasEnded
    case "Uncancel":
      return !cancelAtPeriodEnd && !hasEnded
    case "Revoke":
      return hasEnded
    case "Pause":
      return (
        !hasEnded &&
        (pauseAtPeriodEnd || status === "paused") &&
        (update.resumesAt === undefined || isSameTime(update.resumesAt, resumesAt))
      )
    case "UnschedulePause":
      return !pauseAtPeriodEnd && status !== "paused" && !hasEnded
    case "Resume":
      return status !== "paused" && !hasEnded
    case "TrialEnd":
      return update.trialEnd === "now"
        ? status !== "trialing" && !hasEnded
        : isSameTime(update.trialEnd, subscription.trialEnd)
    case "Discount":
      return subscription.discountId === update.discountId
    case "DropPendingUpdate":
      return pendingUpdate === null && !hasEnded
  }
}

/** What only waits for the next period is not what was to be charged now. */
const hasChanged = <A>({ prorationBehavior }: Proration, wanted: A, live: A | null, waiting: A | null): boolean => {
  const isLive = live === wanted && waiting === null
  const waits = waiting === wanted
  if (prorationBehavior === "next_period") return waits
  return prorationBehavior === undefined ? isLive || waits : isLive
}

const isSameTime = (one: Date, other: Date | null): boolean => one.getTime() === other?.getTime()
