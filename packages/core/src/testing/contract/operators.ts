import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { orderKind } from "../../records/Order.ts"
import { CheckoutId, CustomerId, ProductId, type UserId } from "../../records/Subscription.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import type { LinkChangeRequest } from "../../steps/changeLink.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import {
  allNotifications,
  applyOne,
  type ContractSuite,
  customerOf,
  expectProjection,
  subscriptionsOf,
  trusting
} from "../ContractSuite.ts"
import { customerDelivery, newPurchase, newScene, orderDelivery, subscriptionDelivery } from "../polarDeliveries.ts"
import { StoreDatabase } from "../StoreDatabase.ts"

/** What is put right by hand. */
export const operators = (suite: ContractSuite): void => {
  const { it, nextUser } = suite

  const change = (request: Pick<LinkChangeRequest, "action" | "id" | "to">, dryRun = false) =>
    Effect.flatMap(BillingStore, (store) =>
      store.changeLink({ changeId: randomUUID(), by: "ops@example.com", ...request }, defaultPolicy, { dryRun })
    )
  const link = (customerId: string, userId: UserId) =>
    Effect.flatMap(BillingStore, (store) =>
      store.linkCustomer({ customerId: CustomerId.make(customerId), userId, linkedBy: "host" }, defaultPolicy)
    )
  const recordCheckout = (checkoutId: string, userId: UserId) =>
    Effect.flatMap(BillingStore, (store) =>
      store.recordCheckout(
        { id: CheckoutId.make(checkoutId), userId, productId: ProductId.make(randomUUID()) },
        defaultPolicy
      )
    )
  const ordersOf = (userId: UserId) => Effect.flatMap(BillingStore, (store) => store.recordsOf(orderKind, userId))
  const statusesTold = (userId: UserId) =>
    Effect.map(allNotifications, (told) =>
      told.filter((one) => one.userId === userId).map(({ subscription }) => subscription.status)
    )

  it.effect(
    "a customer that is moved takes along what its user has of it, and nothing that comes later undoes it",
    () =>
      Effect.gen(function* () {
        const [before, after] = [nextUser(), nextUser()]
        const purchase = newPurchase()
        yield* recordCheckout(purchase.checkoutId, before.id)
        yield* link(purchase.customerId, before.id)
        const bought = { patch: { checkout_id: purchase.checkoutId } }
        yield* applyOne(subscriptionDelivery(purchase, "created", { at: 1, ...bought }))
        yield* applyOne(orderDelivery(purchase, "paid.subscription_cycle", { at: 2 }))
        yield* expectProjection(suite, before.id, {
          customerId: purchase.customerId,
          subscriptionId: purchase.subscriptionId
        })

        const move = { action: "move", id: purchase.customerId, to: after.id } as const
        const seen = yield* change(move, true)
        expect(seen).toMatchObject({ state: "changed", from: before.id })
        expect(seen.records.map(({ kind }) => kind).sort()).toEqual(["order", "subscription"])
        expect(yield* subscriptionsOf(before.id)).toHaveLength(1)

        expect(yield* change(move)).toEqual(seen)
        expect(yield* subscriptionsOf(before.id)).toEqual([])
        expect(yield* ordersOf(before.id)).toEqual([])
        expect(yield* subscriptionsOf(after.id)).toHaveLength(1)
        expect(yield* ordersOf(after.id)).toHaveLength(1)
        expect([yield* customerOf(before.id), yield* customerOf(after.id)]).toEqual([null, purchase.customerId])
        yield* expectProjection(suite, before.id, { customerId: null, subscriptionId: null })
        yield* expectProjection(suite, after.id, {
          customerId: purchase.customerId,
          subscriptionId: purchase.subscriptionId
        })
        const told = yield* allNotifications
        const lastTold = (userId: UserId) => told.findLast((one) => one.userId === userId)?.subscription.status
        expect([lastTold(before.id), lastTold(after.id)]).toEqual(["canceled", "active"])

        // The checkout is still the first user's, and so is the external id.
        yield* recordCheckout(purchase.checkoutId, before.id)
        yield* applyOne(
          subscriptionDelivery(purchase, "canceled", { at: 3, externalId: before.id, ...bought }),
          trusting
        )
        yield* applyOne(customerDelivery(purchase, "updated", { at: 4, externalId: before.id }), trusting)
        const renewal = { ...purchase, orderId: randomUUID() }
        expect(yield* applyOne(orderDelivery(renewal, "paid.subscription_cycle", { at: 5 }))).toMatchObject({
          userId: after.id
        })
        expect(yield* subscriptionsOf(after.id)).toHaveLength(1)
        expect(yield* customerOf(after.id)).toBe(purchase.customerId)

        const store = yield* BillingStore
        const { changes, links, records } = yield* store.ownershipOf(after.id)
        expect(changes).toMatchObject([
          { action: "move", fromUserId: before.id, toUserId: after.id, changedBy: "ops@example.com" }
        ])
        expect((yield* store.ownershipOf(before.id)).changes).toEqual(changes)
        expect(links).toMatchObject([{ customerId: purchase.customerId, linkedBy: "operator" }])
        // What is known of the customer itself came after that, and is whose the customer is by then.
        const isTold = ({ kind }: { readonly kind: string }) => kind === "customer"
        expect(new Set(records.filter((row) => !isTold(row)).map(({ ownedBy }) => ownedBy))).toEqual(
          new Set(["operator"])
        )
        expect(records.filter(isTold).map(({ ownedBy }) => ownedBy)).toEqual(["link"])
      })
  )

  it.effect("a record that is moved takes along what hangs on it, and leaves its customer where it was", () =>
    Effect.gen(function* () {
      const [before, after] = [nextUser(), nextUser()]
      const [purchase, other] = [newPurchase(), newScene()]
      yield* link(purchase.customerId, before.id)
      yield* applyOne(subscriptionDelivery(purchase, "created", { at: 1 }))
      yield* applyOne(subscriptionDelivery({ ...other, customerId: purchase.customerId }, "created", { at: 1 }))
      yield* applyOne(orderDelivery(purchase, "paid.subscription_cycle", { at: 2 }))
      expect(yield* change({ action: "move", id: purchase.subscriptionId, to: after.id })).toMatchObject({
        state: "changed",
        from: before.id
      })
      expect((yield* subscriptionsOf(before.id)).map(({ id }) => id)).toEqual([other.subscriptionId])
      expect((yield* subscriptionsOf(after.id)).map(({ id }) => id)).toEqual([purchase.subscriptionId])
      expect([(yield* ordersOf(before.id)).length, (yield* ordersOf(after.id)).length]).toEqual([0, 1])
      expect(yield* customerOf(before.id)).toBe(purchase.customerId)
      yield* expectProjection(suite, before.id, {
        customerId: purchase.customerId,
        subscriptionId: other.subscriptionId
      })
      yield* expectProjection(suite, after.id, { customerId: null, subscriptionId: purchase.subscriptionId })
    })
  )

  it.effect("what a user had by a link that ends waits, until somebody says whose it is", () =>
    Effect.gen(function* () {
      const [before, after, buyer] = [nextUser(), nextUser(), nextUser()]
      const [scene, bought] = [newScene(), newPurchase()]
      yield* recordCheckout(bought.checkoutId, buyer.id)
      const named = { externalId: before.id, customerEmail: null }
      yield* applyOne(subscriptionDelivery(scene, "created", { at: 1, ...named }), trusting)
      yield* applyOne(
        subscriptionDelivery({ ...bought, customerId: scene.customerId }, "created", {
          at: 1,
          patch: { checkout_id: bought.checkoutId }
        })
      )
      expect(yield* change({ action: "unlink", id: scene.customerId, to: null })).toMatchObject({
        state: "changed",
        from: before.id,
        records: [{ kind: "subscription", id: scene.subscriptionId }]
      })
      expect(yield* subscriptionsOf(before.id)).toEqual([])
      expect(yield* customerOf(before.id)).toBeNull()
      expect(yield* subscriptionsOf(buyer.id)).toHaveLength(1)
      yield* expectProjection(suite, before.id, { customerId: null, subscriptionId: null })
      expect((yield* statusesTold(before.id)).at(-1)).toBe("canceled")

      // The external id says the same as before.
      const later = yield* applyOne(subscriptionDelivery(scene, "canceled", { at: 2, ...named }), trusting)
      expect(later).toMatchObject({ state: "unlinked", userId: null })
      expect(yield* change({ action: "unlink", id: scene.customerId, to: null })).toMatchObject({ state: "same" })

      expect(yield* change({ action: "link", id: scene.customerId, to: after.id })).toMatchObject({
        state: "changed",
        from: null
      })
      expect(yield* subscriptionsOf(after.id)).toHaveLength(1)
      yield* expectProjection(suite, after.id, {
        customerId: scene.customerId,
        subscriptionId: scene.subscriptionId
      })
      expect(yield* change({ action: "link", id: scene.customerId, to: before.id })).toMatchObject({ state: "taken" })
      expect(yield* change({ action: "link", id: scene.customerId, to: after.id })).toMatchObject({ state: "same" })
    })
  )

  it.effect("whoever is given what was taken from a user is told, though its state was told before", () =>
    Effect.gen(function* () {
      const [before, after] = [nextUser(), nextUser()]
      const scene = newScene()
      const isTheirs = (userId: UserId) => Effect.map(statusesTold(userId), (statuses) => statuses.at(-1))
      const linkTo = (userId: UserId) => change({ action: "link", id: scene.customerId, to: userId })
      yield* linkTo(before.id)
      yield* applyOne(subscriptionDelivery(scene, "created", { at: 1 }))
      expect(yield* isTheirs(before.id)).toBe("active")
      yield* change({ action: "unlink", id: scene.customerId, to: null })
      expect(yield* isTheirs(before.id)).toBe("canceled")
      expect(yield* linkTo(after.id)).toMatchObject({ state: "changed", notified: 1 })
      expect(yield* isTheirs(after.id)).toBe("active")
      yield* change({ action: "unlink", id: scene.customerId, to: null })
      expect(yield* isTheirs(after.id)).toBe("canceled")
      expect(yield* linkTo(before.id)).toMatchObject({ state: "changed", notified: 1 })
      expect(yield* isTheirs(before.id)).toBe("active")
    })
  )

  it.effect("whose row shows another's customer, as an earlier plugin may have written, keeps what else it shows", () =>
    Effect.gen(function* () {
      const [holder, before, after] = [nextUser(), nextUser(), nextUser()]
      const [own, others] = [newScene(), newScene()]
      const isShown = { subscriptionId: own.subscriptionId, status: "active", productId: own.productId }
      yield* link(own.customerId, holder.id)
      yield* applyOne(subscriptionDelivery(own, "created", { at: 1 }))
      if (suite.hasDatabase) {
        yield* Effect.flatMap(StoreDatabase, ({ showCustomer }) => showCustomer(holder.id, others.customerId))
      }
      yield* link(others.customerId, before.id)
      expect(yield* change({ action: "move", id: others.customerId, to: after.id })).toMatchObject({ state: "changed" })
      yield* expectProjection(suite, holder.id, isShown)
      expect(yield* change({ action: "unlink", id: others.customerId, to: null })).toMatchObject({ state: "changed" })
      yield* expectProjection(suite, holder.id, isShown)
    })
  )

  it.effect("nothing is changed of what is not known", () =>
    Effect.gen(function* () {
      const user = nextUser()
      expect(yield* change({ action: "move", id: randomUUID(), to: user.id })).toMatchObject({ state: "unknown" })
      expect(yield* change({ action: "unlink", id: randomUUID(), to: null })).toMatchObject({ state: "unknown" })
      const { changes, links } = yield* Effect.flatMap(BillingStore, (store) => store.ownershipOf(user.id))
      expect([changes, links]).toEqual([[], []])
    })
  )
}
