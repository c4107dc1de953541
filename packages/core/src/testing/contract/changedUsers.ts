import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { CheckoutId, ProductId } from "../../records/Subscription.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import type { ChangedUsers } from "../../steps/changedUsers.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { applyOne, type ContractSuite, trusting } from "../ContractSuite.ts"
import { benefitDelivery, newGrant, newScene, subscriptionDelivery } from "../polarDeliveries.ts"

/** What is kept of users in memory is forgotten when a step has changed it. */
export const changedUsers = ({ it, nextUser }: ContractSuite): void => {
  /** What is told while it runs. */
  const watching = <A, E, R>(use: (told: ReadonlyArray<ChangedUsers>) => Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const told: Array<ChangedUsers> = []
      const store = yield* BillingStore
      yield* store.watchUsers((users) => told.push(users))
      return yield* use(told)
    }).pipe(Effect.scoped)

  it.effect("a step names whose records it has changed, and one that changes nothing names nobody", () =>
    watching((told) =>
      Effect.gen(function* () {
        const user = nextUser().id
        const scene = newScene()
        const active = subscriptionDelivery(scene, "active", { externalId: user, at: 2 })
        yield* applyOne(active, trusting)
        expect(told).toEqual([new Set([user])])
        yield* applyOne(active, trusting)
        yield* applyOne(subscriptionDelivery(scene, "created", { externalId: user, at: 1 }), trusting)
        expect(told).toHaveLength(1)
        yield* applyOne(subscriptionDelivery(scene, "revoked", { externalId: user, at: 3 }), trusting)
        expect(told).toEqual([new Set([user]), new Set([user])])
      })
    )
  )

  it.effect("what waits for its user changes nobody's, until it is given to them", () =>
    watching((told) =>
      Effect.gen(function* () {
        const user = nextUser().id
        const scene = newScene()
        yield* applyOne(subscriptionDelivery(scene, "active"))
        expect(told.every((users) => users !== "everybody" && users.size === 0)).toBe(true)
        const store = yield* BillingStore
        yield* store.changeLink(
          { changeId: randomUUID(), action: "link", id: scene.customerId, to: user, by: null },
          defaultPolicy
        )
        expect(told.at(-1)).toEqual(new Set([user]))
      })
    )
  )

  it.effect("a move names who had it, too", () =>
    watching((told) =>
      Effect.gen(function* () {
        const [ada, lin] = [nextUser().id, nextUser().id]
        const scene = newScene()
        yield* applyOne(subscriptionDelivery(scene, "active", { externalId: ada }), trusting)
        const store = yield* BillingStore
        yield* store.changeLink(
          { changeId: randomUUID(), action: "move", id: scene.customerId, to: lin, by: null },
          defaultPolicy
        )
        expect(told.at(-1)).toEqual(new Set([ada, lin]))
      })
    )
  )

  it.effect("a benefit is anybody's", () =>
    watching((told) =>
      Effect.gen(function* () {
        yield* applyOne(benefitDelivery(newGrant(), "updated"))
        expect(told).toEqual(["everybody"])
      })
    )
  )

  it.effect("the clock changes whose it ends", () =>
    watching((told) =>
      Effect.gen(function* () {
        const user = nextUser().id
        const scene = newScene()
        yield* applyOne(
          subscriptionDelivery(scene, "active", {
            externalId: user,
            patch: { cancel_at_period_end: true, current_period_end: "2026-11-01T00:00:00Z" }
          }),
          trusting
        )
        yield* TestClock.setTime(Date.parse("2026-11-03T00:00:00Z"))
        const store = yield* BillingStore
        yield* store.lookAtClock([{ kind: "subscription", id: scene.subscriptionId }], defaultPolicy)
        expect(told).toEqual([new Set([user]), new Set([user])])
      })
    )
  )

  it.effect("nobody is told once their scope is closed", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const told: Array<ChangedUsers> = []
      const scope = yield* Scope.make()
      yield* Scope.extend(
        store.watchUsers((users) => told.push(users)),
        scope
      )
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      yield* applyOne(subscriptionDelivery(newScene(), "active", { externalId: nextUser().id }), trusting)
      expect(told).toEqual([])
    })
  )

  it.effect("the checkouts of a user: the newest first, and none that is older than asked for", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const [user, other] = [nextUser().id, nextUser().id]
      const made: Array<CheckoutId> = []
      const make = (userId: typeof user) =>
        Effect.gen(function* () {
          const id = CheckoutId.make(randomUUID())
          yield* store.recordCheckout({ id, userId, productId: ProductId.make(randomUUID()) }, defaultPolicy)
          yield* TestClock.adjust("1 minute")
          return id
        })
      yield* TestClock.setTime(Date.parse("2026-11-01T00:00:00Z"))
      for (let count = 0; count < 3; count++) made.push(yield* make(user))
      yield* make(other)
      const since = (time: string, limit = 10) => store.checkoutsOf(user, { createdAfter: new Date(time), limit })
      expect(yield* since("2026-11-01T00:00:00Z")).toEqual([...made].reverse())
      expect(yield* since("2026-11-01T00:01:00Z")).toEqual([made[2], made[1]])
      expect(yield* since("2026-11-01T00:00:00Z", 1)).toEqual([made[2]])
      expect(yield* since("2026-11-01T00:03:00Z")).toEqual([])
    })
  )
}
