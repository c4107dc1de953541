/** What the cases of the store contract have in common. */
import { randomUUID } from "node:crypto"
import { expect, type Vitest } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Delivery, DeliveryOutcome } from "../records/Delivery.ts"
import { type User, UserId } from "../records/Subscription.ts"
import { defaultPolicy } from "../rules/AccessPolicy.ts"
import { BillingStore } from "../store/BillingStore.ts"
import type { StepOptions } from "../store/BillingStoreService.ts"
import type { StoreError } from "../store/StoreError.ts"
import { type Projection, StoreDatabase } from "./StoreDatabase.ts"
import { type ClaimedChange, subscriptionChanges } from "./subscriptionChanges.ts"

export interface ContractSuite {
  readonly it: Vitest.MethodsNonLive<BillingStore | StoreDatabase>
  /** A user with a row in `kavach_users` whom no other case has. */
  readonly nextUser: () => User
  readonly hasDatabase: boolean
  /** Whether the store's clock is another than this process's. */
  readonly hasOwnClock: boolean
}

/** Users with rows, for one run. Ids that a careless comparison takes for the same stand next to each other. */
export const makeUsers = (): ReadonlyArray<User> => {
  const run = randomUUID()
  const user = (name: string): User => ({
    id: UserId.make(`${run} ${name}`),
    email: Option.some(`${name}.${run}@example.test`.replaceAll(/[^a-z0-9.@-]/gi, "-")),
    name: Option.some(`Name of ${name}`),
    emailVerified: false
  })
  return Array.from({ length: 1200 }, (_, index) => user(`user-${index}`))
}

/** A user of whom the app's own table knows nothing. */
export const strangerId = (): UserId => UserId.make(`stranger_${randomUUID()}`)

export const apply = (...deliveries: readonly [Delivery, ...ReadonlyArray<Delivery>]) =>
  Effect.flatMap(BillingStore, (store) => store.applyDeliveries(deliveries, defaultPolicy))

/** For cases that are not about who the users are: those whom Polar names are the app's. */
export const trusting: StepOptions = { users: { externalIds: "trust" } }

export const applyOne = (
  delivery: Delivery,
  options?: StepOptions
): Effect.Effect<DeliveryOutcome, StoreError, BillingStore> =>
  Effect.flatMap(BillingStore, (store) =>
    Effect.map(store.applyDeliveries([delivery], defaultPolicy, options), ([outcome]) => outcome)
  )

/** One after the other, each in a step of its own. */
export const applyEach = (deliveries: Iterable<Delivery>, options?: StepOptions) =>
  Effect.forEach(deliveries, (delivery) => applyOne(delivery, options))

export const recorded = (ids: ReadonlyArray<string>) =>
  Effect.flatMap(BillingStore, (store) => store.deliveries({ ids, limit: 1000 }))

export const subscriptionsOf = (userId: UserId, which: "all" | "live" = "all") =>
  Effect.flatMap(BillingStore, (store) => store.subscriptionsOf(userId, which))

export const customerOf = (userId: UserId) =>
  Effect.flatMap(BillingStore, (store) => Effect.map(store.customerOf(userId), Option.getOrNull))

/** Takes and completes what can be claimed until nothing is left; answers what was for this user, in order. */
export const notificationsOf = (userId: UserId) =>
  Effect.map(allNotifications, (taken) => taken.filter((notification) => notification.userId === userId))

/** Takes and completes what can be claimed until nothing is left. */
export const allNotifications: Effect.Effect<ReadonlyArray<ClaimedChange>, StoreError, BillingStore> = Effect.gen(
  function* () {
    const store = yield* BillingStore
    const owner = randomUUID()
    const taken: Array<ClaimedChange> = []
    for (;;) {
      const { claimed } = yield* store.claimNotifications({ owner, limit: 100, lease: Duration.minutes(1) })
      if (claimed.length === 0) return taken
      for (const notification of subscriptionChanges(claimed)) {
        expect(yield* store.completeNotifications([notification.id], owner)).toEqual([notification.id])
        taken.push(notification)
      }
    }
  }
)

/** Looks at the user's row, where there is a database to look into. */
export const expectProjection = (
  suite: ContractSuite,
  userId: UserId,
  expected: Partial<Projection> | undefined
): Effect.Effect<void, never, StoreDatabase> =>
  Effect.gen(function* () {
    const database = yield* StoreDatabase
    if (!suite.hasDatabase) return
    const projection = yield* database.projection(userId)
    if (expected === undefined) expect(projection).toBeUndefined()
    else expect(projection).toMatchObject(expected)
  })

/** A row of somebody who has no subscription, or none any more. */
export const nothingShown: Omit<Projection, "customerId" | "status"> = {
  subscriptionId: null,
  productId: null,
  currentPeriodEnd: null,
  cancelAtPeriodEnd: false
}
