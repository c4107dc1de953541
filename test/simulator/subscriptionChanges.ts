/** Every change that `billing.subscriptions` makes: what the subscription becomes, and how often the app is told. */
import type { Polar, SubscriptionDetails } from "@kavach-polar/http"
import { Seed } from "@kavach-polar/simulator"
import { pro } from "./BillingScene.ts"

const { seats, team, trial, units } = Seed.products
const { half } = Seed.discounts

export type Subscriptions = Polar["subscriptions"]

export interface Change {
  readonly name: string
  readonly product?: string
  /** Before the change. */
  readonly arrange?: (subscriptions: Subscriptions, user: string) => Promise<unknown>
  /** A month goes by between that and the change. */
  readonly aMonthLater?: true
  readonly make: (subscriptions: Subscriptions, user: string) => Promise<SubscriptionDetails>
  readonly becomes: object
  /** How many notifications it is: none where the documented fields stay as they are. */
  readonly told: number
}

export const until = new Date("2027-06-01T00:00:00.000Z")

export const subscriptionChanges: ReadonlyArray<Change> = [
  {
    name: "change to a product",
    make: ({ change }, user) => change(user, { product: team.id, prorationBehavior: "invoice" }),
    becomes: { productId: team.id, status: "active", pendingUpdate: null },
    told: 1
  },
  {
    name: "change with the next period",
    make: ({ change }, user) => change(user, { product: team.id, prorationBehavior: "next_period" }),
    becomes: { productId: pro, pendingUpdate: { productId: team.id } },
    told: 0
  },
  {
    name: "undoPending",
    arrange: ({ change }, user) => change(user, { product: team.id, prorationBehavior: "next_period" }),
    make: ({ undoPending }, user) => undoPending(user),
    becomes: { productId: pro, pendingUpdate: null },
    told: 0
  },
  {
    name: "cancel",
    make: ({ cancel }, user) => cancel(user, { reason: "too_expensive", comment: "Adieu" }),
    becomes: {
      status: "active",
      cancelAtPeriodEnd: true,
      cancellationReason: "too_expensive",
      cancellationComment: "Adieu"
    },
    told: 1
  },
  {
    name: "uncancel",
    arrange: ({ cancel }, user) => cancel(user),
    make: ({ uncancel }, user) => uncancel(user),
    becomes: { status: "active", cancelAtPeriodEnd: false, endsAt: null },
    told: 1
  },
  {
    name: "cancel at once",
    make: ({ cancel }, user) => cancel(user, { atPeriodEnd: false }),
    becomes: { status: "canceled", isLive: false },
    told: 1
  },
  {
    name: "revoke",
    make: ({ revoke }, user) => revoke(user, { reason: "unused" }),
    becomes: { status: "canceled", isLive: false, cancellationReason: "unused" },
    told: 1
  },
  {
    name: "pause",
    make: ({ pause }, user) => pause(user, { resumesAt: until }),
    becomes: { status: "active", pauseAtPeriodEnd: true, resumesAt: until },
    told: 0
  },
  {
    name: "resume before the pause",
    arrange: ({ pause }, user) => pause(user),
    make: ({ resume }, user) => resume(user),
    becomes: { status: "active", pauseAtPeriodEnd: false },
    told: 0
  },
  {
    name: "resume",
    arrange: ({ pause }, user) => pause(user),
    aMonthLater: true,
    make: ({ resume }, user) => resume(user),
    becomes: { status: "active", pausedAt: null, isPaused: false },
    told: 1
  },
  {
    name: "extendTrial",
    product: trial.id,
    make: ({ extendTrial }, user) => extendTrial(user, until),
    becomes: { status: "trialing", trialEnd: until },
    told: 1
  },
  {
    name: "endTrial",
    product: trial.id,
    make: ({ endTrial }, user) => endTrial(user),
    becomes: { status: "active" },
    told: 1
  },
  {
    name: "change of seats",
    product: seats.id,
    make: ({ change }, user) => change(user, { seats: 5, prorationBehavior: "invoice" }),
    becomes: { seats: 5, amount: 5000, status: "active" },
    told: 0
  },
  {
    name: "change of units",
    product: units.id,
    make: ({ change }, user) => change(user, { units: 7 }),
    becomes: { units: 7, amount: 2100, status: "active" },
    told: 0
  },
  {
    name: "applyDiscount",
    make: ({ applyDiscount }, user) => applyDiscount(user, "half3"),
    becomes: { discountId: half.id, amount: 950 },
    told: 0
  },
  {
    name: "no discount any more",
    arrange: ({ applyDiscount }, user) => applyDiscount(user, half.id),
    make: ({ applyDiscount }, user) => applyDiscount(user, null),
    becomes: { discountId: null, amount: 1900 },
    told: 0
  }
]
