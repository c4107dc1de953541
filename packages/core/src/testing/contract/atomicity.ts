import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { CheckoutId, CustomerId, ProductId } from "../../records/Subscription.ts"
import { type AccessPolicy, defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import {
  applyEach,
  applyOne,
  type ContractSuite,
  customerOf,
  expectProjection,
  nothingShown,
  notificationsOf,
  recorded,
  strangerId,
  subscriptionsOf
} from "../ContractSuite.ts"
import { newScene, subscriptionDelivery, subscriptionIn } from "../polarDeliveries.ts"
import { StoreDatabase, writtenTables } from "../StoreDatabase.ts"

/** A step happens as a whole or not at all. */
export const atomicity = (suite: ContractSuite): void => {
  const { hasDatabase, it, nextUser } = suite

  for (const table of writtenTables) {
    it.scoped.runIf(hasDatabase)(`when ${table} refuses to be written, a new subscription leaves no trace`, () =>
      Effect.gen(function* () {
        const { id: externalId } = nextUser()
        const database = yield* StoreDatabase
        const created = subscriptionDelivery(newScene(), "created", { externalId })
        const error = yield* Effect.scoped(Effect.zipRight(database.breakTable(table), Effect.flip(applyOne(created))))
        expect(error).toMatchObject({ _tag: "StoreError", operation: "applyDeliveries" })
        expect(yield* recorded([created.id])).toEqual([])
        expect(yield* subscriptionsOf(externalId)).toEqual([])
        expect(yield* customerOf(externalId)).toBeNull()
        expect(yield* notificationsOf(externalId)).toEqual([])
        yield* expectProjection(suite, externalId, { ...nothingShown, customerId: null, status: null })

        // Polar delivers it again, and then all of it is there.
        expect(yield* applyOne(created)).toMatchObject({ state: "applied", duplicate: false, notified: true })
        expect(yield* notificationsOf(externalId)).toHaveLength(1)
        expect(yield* recorded([created.id])).toMatchObject([{ attempts: 1 }])
      })
    )

    it.scoped.runIf(hasDatabase)(`when ${table} refuses to be written, a link releases nothing`, () =>
      Effect.gen(function* () {
        const user = nextUser()
        const store = yield* BillingStore
        const database = yield* StoreDatabase
        const scene = newScene()
        const created = subscriptionDelivery(scene, "created")
        yield* applyOne(created)
        const link = store.linkCustomer(
          { customerId: CustomerId.make(scene.customerId), userId: user.id, linkedBy: "checkout" },
          defaultPolicy
        )
        const error = yield* Effect.scoped(Effect.zipRight(database.breakTable(table), Effect.flip(link)))
        expect(error).toMatchObject({ _tag: "StoreError", operation: "linkCustomer" })
        expect(yield* recorded([created.id])).toMatchObject([{ state: "unlinked", userId: null }])
        expect(yield* subscriptionsOf(user.id)).toEqual([])
        expect(yield* customerOf(user.id)).toBeNull()
        expect(yield* notificationsOf(user.id)).toEqual([])
        yield* expectProjection(suite, user.id, { ...nothingShown, customerId: null, status: null })
        expect(yield* link).toBe(1)
      })
    )
  }

  it.scoped.runIf(hasDatabase)("one delivery that cannot be written takes back the others of its step", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const database = yield* StoreDatabase
      const [withRow, stranger] = [nextUser(), strangerId()]
      const deliveries = [
        subscriptionDelivery(newScene(), "created", { externalId: stranger }),
        subscriptionDelivery(newScene(), "created", { externalId: withRow.id })
      ] as const
      // Only the second touches this table.
      yield* Effect.scoped(
        Effect.zipRight(
          database.breakTable("kavach_users"),
          Effect.flip(store.applyDeliveries(deliveries, defaultPolicy))
        )
      )
      expect(yield* recorded(deliveries.map(({ id }) => id))).toEqual([])
      expect(yield* subscriptionsOf(stranger)).toEqual([])
    })
  )

  it.scoped.runIf(hasDatabase)("a checkout that cannot be written is an error", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const database = yield* StoreDatabase
      const userId = strangerId()
      const record = store.recordCheckout(
        {
          id: CheckoutId.make(randomUUID()),
          userId,
          productId: ProductId.make(randomUUID())
        },
        defaultPolicy
      )
      yield* Effect.scoped(Effect.zipRight(database.breakTable("kavach_polar_checkouts"), Effect.flip(record)))
      const outcome = yield* applyOne(subscriptionDelivery(newScene(), "created", { metadataUserId: userId }))
      expect(outcome.state).toBe("unlinked")
    })
  )

  it.effect("when the decision throws, nothing stays, and the store goes on", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const store = yield* BillingStore
      const scene = newScene()
      const created = subscriptionDelivery(scene, "created", { externalId, at: 1 })
      const canceled = subscriptionDelivery(scene, "canceled", { externalId, at: 2 })
      yield* applyOne(created)
      const throwing: AccessPolicy = {
        ...defaultPolicy,
        get statuses(): AccessPolicy["statuses"] {
          throw new Error("secret@example.test")
        }
      }
      const error = yield* Effect.flip(store.applyDeliveries([canceled], throwing))
      expect(error._tag).toBe("StoreError")
      expect(yield* recorded([canceled.id])).toEqual([])
      expect(yield* subscriptionsOf(externalId)).toEqual([subscriptionIn(created)])
      const outcomes = yield* applyEach([canceled])
      expect(outcomes).toMatchObject([{ state: "applied", duplicate: false }])
    })
  )
}
