/** What will happen to a subscription by itself, as Polar has announced it. */
import { isLiveStatus, type LiveStatus, type Subscription } from "./Subscription.ts"

/** What of a subscription says so. */
export interface ScheduleFacts
  extends Pick<Subscription, "status" | "cancelAtPeriodEnd" | "endsAt" | "currentPeriodEnd" | "pauseAtPeriodEnd"> {}

export interface ScheduledChange {
  readonly at: Date
  /** The status after it, as far as is known. */
  readonly status: LiveStatus | "canceled"
  /** Whether it is an end for certain. A trial goes on when it is paid for. */
  readonly isCertain: boolean
  /** The beginning of a sentence about one that has passed. */
  readonly past: string
}

/**
 * What was announced last that ends what it gives. A subscription that is simply `active` renews: its period may be over for
 * long when webhooks are lost, and whoever pays is not locked out for that.
 */
export const scheduledChange = (facts: ScheduleFacts): ScheduledChange | undefined => {
  const { cancelAtPeriodEnd, currentPeriodEnd, endsAt, pauseAtPeriodEnd, status } = facts
  if (!isLiveStatus(status)) return undefined
  if (cancelAtPeriodEnd) {
    const at = endsAt ?? currentPeriodEnd
    // Polar does not end what is overdue: it goes on to ask for the money (its scheduler looks at the others only).
    const after = status === "past_due" ? "past_due" : "canceled"
    return at === null
      ? undefined
      : { at, status: after, isCertain: true, past: "The subscription was to end with its period" }
  }
  if (currentPeriodEnd === null) return undefined
  if (pauseAtPeriodEnd && status !== "past_due") {
    return { at: currentPeriodEnd, status: "paused", isCertain: false, past: "The subscription was to be paused" }
  }
  return status === "trialing"
    ? { at: currentPeriodEnd, status: "canceled", isCertain: false, past: "The trial ended" }
    : undefined
}

/** The status of a subscription whose time has passed: what Polar will say of it, as far as is known. */
export const statusAfterwards = (facts: ScheduleFacts): string => scheduledChange(facts)?.status ?? facts.status
