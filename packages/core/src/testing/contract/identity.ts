import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { LinkSource } from "../../records/rows.ts"
import { CheckoutId, CustomerId, ProductId, type UserId } from "../../records/Subscription.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import {
  apply,
  applyEach,
  applyOne,
  type ContractSuite,
  customerOf,
  expectProjection,
  notificationsOf,
  recorded,
  strangerId,
  subscriptionsOf
} from "../ContractSuite.ts"
import { customerDelivery, newScene, subscriptionDelivery, subscriptionIn } from "../polarDeliveries.ts"

/** Whose subscription it is. */
export const identity = (suite: ContractSuite): void => {
  const { it, nextUser } = suite

  const link = (customerId: string, userId: UserId, linkedBy: LinkSource = "host") =>
    Effect.flatMap(BillingStore, (store) =>
      store.linkCustomer({ customerId: CustomerId.make(customerId), userId, linkedBy }, defaultPolicy)
    )
  const recordCheckout = (userId: UserId) =>
    Effect.flatMap(BillingStore, (store) =>
      store.recordCheckout({ id: CheckoutId.make(randomUUID()), userId, productId: ProductId.make(randomUUID()) })
    )

  it.effect("an event whose user nobody knows is kept, unlinked, and tells nobody", () =>
    Effect.gen(function* () {
      const scene = newScene()
      const created = subscriptionDelivery(scene, "created", { at: 1 })
      const canceled = subscriptionDelivery(scene, "canceled", { at: 2 })
      const outcomes = yield* applyEach([created, canceled])
      expect(outcomes.map(({ notified, state, userId }) => [state, userId, notified])).toEqual([
        ["unlinked", null, false],
        ["unlinked", null, false]
      ])
      const inbox = yield* recorded([created.id, canceled.id])
      expect(
        inbox.map(({ state, recordKind, recordId, customerId }) => [state, recordKind, recordId, customerId])
      ).toEqual(inbox.map(() => ["unlinked", "subscription", scene.subscriptionId, scene.customerId]))
    })
  )

  it.effect("linking the customer gives the user what was kept, in its newest state", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const { customerId } = newScene()
      const [a, b] = [newScene({ customerId }), newScene({ customerId })]
      const deliveries = [
        subscriptionDelivery(a, "created", { at: 1 }),
        subscriptionDelivery(a, "canceled", { at: 3 }),
        subscriptionDelivery(b, "created", { at: 2 }),
        customerDelivery(a, "created", { at: 0 })
      ]
      yield* applyEach(deliveries)
      expect(yield* subscriptionsOf(user.id)).toEqual([])
      expect(yield* link(customerId, user.id)).toBe(2)
      const [ofA, ofB] = [deliveries[1], deliveries[2]]
      const byId = (x: { readonly id: string }, y: { readonly id: string }) => (x.id < y.id ? -1 : 1)
      expect([...(yield* subscriptionsOf(user.id))].sort(byId)).toEqual(
        [ofA, ofB].flatMap((delivery) => (delivery === undefined ? [] : [subscriptionIn(delivery)])).sort(byId)
      )
      const inbox = yield* recorded(deliveries.map(({ id }) => id))
      expect(inbox.map(({ state, userId }) => [state, userId])).toEqual(inbox.map(() => ["applied", user.id]))
      expect(yield* notificationsOf(user.id)).toHaveLength(2)
      yield* expectProjection(suite, user.id, { customerId, status: "active" })
    })
  )

  it.effect("a customer event with an external id links the customer and releases what was kept", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const scene = newScene()
      const created = subscriptionDelivery(scene, "created", { at: 1 })
      yield* applyOne(created)
      const outcome = yield* applyOne(customerDelivery(scene, "updated", { externalId: user.id, at: 2 }))
      expect(outcome).toMatchObject({ state: "applied", userId: user.id, notified: true })
      expect(yield* subscriptionsOf(user.id)).toEqual([subscriptionIn(created)])
      expect(yield* customerOf(user.id)).toBe(scene.customerId)
      expect(yield* recorded([created.id])).toMatchObject([{ state: "applied", userId: user.id }])
      yield* expectProjection(suite, user.id, { subscriptionId: scene.subscriptionId })
    })
  )

  it.effect("a subscription event with an external id links the customer and releases all that was kept for it", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const { customerId } = newScene()
      const [kept, named] = [newScene({ customerId }), newScene({ customerId })]
      const unlinked = subscriptionDelivery(kept, "created", { at: 1 })
      yield* applyOne(unlinked)
      yield* applyOne(subscriptionDelivery(named, "created", { externalId: user.id, at: 2 }))
      expect(yield* subscriptionsOf(user.id)).toHaveLength(2)
      expect(yield* recorded([unlinked.id])).toMatchObject([{ state: "applied", userId: user.id }])
      expect(yield* notificationsOf(user.id)).toHaveLength(2)
    })
  )

  it.effect("an older event with an external id still tells whose the subscription is", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const scene = newScene()
      const newer = subscriptionDelivery(scene, "canceled", { at: 9 })
      yield* applyOne(newer)
      const older = yield* applyOne(subscriptionDelivery(scene, "created", { externalId: user.id, at: 1 }))
      expect(older).toMatchObject({ state: "stale", userId: user.id, notified: true })
      expect(yield* subscriptionsOf(user.id)).toEqual([subscriptionIn(newer)])
    })
  )

  const waysToBeKnown: ReadonlyArray<readonly [string, Effect.Effect<UserId, unknown, BillingStore>]> = [
    ["has a row", Effect.sync(() => nextUser().id)],
    ["has a link", Effect.tap(Effect.sync(strangerId), (userId) => link(randomUUID(), userId))],
    ["made a checkout", Effect.tap(Effect.sync(strangerId), recordCheckout)]
  ]
  for (const [how, makeUser] of waysToBeKnown) {
    it.effect(`metadata names a user who ${how}: the subscription is theirs, the customer is not`, () =>
      Effect.gen(function* () {
        const userId = yield* makeUser
        const before = yield* customerOf(userId)
        const scene = newScene()
        const outcome = yield* applyOne(subscriptionDelivery(scene, "created", { metadataUserId: userId }))
        expect(outcome).toMatchObject({ state: "applied", userId, notified: true })
        expect(yield* subscriptionsOf(userId)).toHaveLength(1)
        expect(yield* customerOf(userId)).toBe(before)
        expect(scene.customerId).not.toBe(before)
      })
    )
  }

  it.effect("metadata names a user whom nobody knows: unlinked", () =>
    Effect.gen(function* () {
      const ghost = strangerId()
      const outcome = yield* applyOne(subscriptionDelivery(newScene(), "created", { metadataUserId: ghost }))
      expect(outcome).toMatchObject({ state: "unlinked", userId: null, notified: false })
      expect(yield* subscriptionsOf(ghost)).toEqual([])
    })
  )

  it.effect("a stored link beats metadata and external id", () =>
    Effect.gen(function* () {
      const [owner, other] = [nextUser(), nextUser()]
      const scene = newScene()
      expect(yield* link(scene.customerId, owner.id)).toBe(0)
      const claimed = { externalId: other.id, metadataUserId: other.id }
      const outcomes = yield* apply(
        subscriptionDelivery(scene, "created", { ...claimed, at: 1 }),
        customerDelivery(scene, "updated", { externalId: other.id, at: 2 })
      )
      expect(outcomes.map(({ state, userId }) => [state, userId])).toEqual([
        ["applied", owner.id],
        ["applied", owner.id]
      ])
      expect(yield* subscriptionsOf(other.id)).toEqual([])
      expect(yield* customerOf(other.id)).toBeNull()
      yield* expectProjection(suite, other.id, { customerId: null, subscriptionId: null })
      yield* expectProjection(suite, owner.id, { customerId: scene.customerId, subscriptionId: scene.subscriptionId })
    })
  )

  it.effect("a subscription stays with its user when its customer is linked to another later", () =>
    Effect.gen(function* () {
      const [buyer, holder] = [nextUser(), nextUser()]
      const scene = newScene()
      yield* applyOne(subscriptionDelivery(scene, "created", { metadataUserId: buyer.id, at: 1 }))
      yield* link(scene.customerId, holder.id)
      const outcome = yield* applyOne(subscriptionDelivery(scene, "canceled", { externalId: holder.id, at: 2 }))
      expect(outcome.userId).toBe(buyer.id)
      expect(yield* subscriptionsOf(buyer.id)).toHaveLength(1)
      expect(yield* subscriptionsOf(holder.id)).toEqual([])
      yield* expectProjection(suite, buyer.id, { subscriptionId: scene.subscriptionId, customerId: null })
    })
  )

  it.effect("a customer that is another user's is never taken over", () =>
    Effect.gen(function* () {
      const [owner, other] = [nextUser(), nextUser()]
      const scene = newScene()
      const created = subscriptionDelivery(scene, "created", { at: 1 })
      yield* applyOne(created)
      yield* link(scene.customerId, owner.id)
      const refused = yield* Effect.flip(link(scene.customerId, other.id))
      expect(refused).toMatchObject({ _tag: "CustomerLinkedToAnotherUser", customerId: scene.customerId })
      expect(yield* customerOf(owner.id)).toBe(scene.customerId)
      expect(yield* customerOf(other.id)).toBeNull()
      expect(yield* subscriptionsOf(owner.id)).toHaveLength(1)
    })
  )

  it.effect("linking the same pair again does nothing", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const scene = newScene()
      yield* applyOne(subscriptionDelivery(scene, "created", { at: 1 }))
      expect(yield* link(scene.customerId, user.id, "checkout")).toBe(1)
      expect(yield* link(scene.customerId, user.id, "host")).toBe(0)
      expect(yield* notificationsOf(user.id)).toHaveLength(1)
    })
  )

  it.effect("twenty links of one customer to different users at once: one of them holds it", () =>
    Effect.gen(function* () {
      const users = Array.from({ length: 20 }, nextUser)
      const { customerId } = newScene()
      const results = yield* Effect.all(
        users.map(({ id }) => Effect.either(link(customerId, id))),
        { concurrency: "unbounded" }
      )
      expect(results.filter(({ _tag }) => _tag === "Right")).toHaveLength(1)
      const holders = yield* Effect.filter(users, ({ id }) => Effect.map(customerOf(id), (held) => held === customerId))
      expect(holders).toHaveLength(1)
    })
  )

  it.effect("a user may have several customers; the one linked last counts, and a deleted one does not", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const [first, second] = [newScene(), newScene()]
      yield* link(first.customerId, user.id)
      yield* TestClock.adjust("1 second")
      yield* link(second.customerId, user.id)
      expect(yield* customerOf(user.id)).toBe(second.customerId)
      const deleted = yield* applyOne(customerDelivery(second, "deleted", { externalId: user.id }))
      expect(deleted).toMatchObject({ state: "applied", userId: user.id })
      expect(yield* customerOf(user.id)).toBe(first.customerId)
    })
  )

  it.effect("a deleted customer is never the user's customer again, in whatever order its events come", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const scene = newScene()
      const deleted = yield* applyOne(customerDelivery(scene, "deleted", { externalId: user.id, at: 9 }))
      expect(deleted).toMatchObject({ state: "applied", userId: user.id })
      expect(yield* customerOf(user.id)).toBeNull()
      // What it bought is the user's all the same, and comes late.
      const late = subscriptionDelivery(scene, "revoked", { externalId: user.id, at: 1 })
      expect(yield* applyOne(late)).toMatchObject({ state: "applied", userId: user.id })
      yield* applyOne(customerDelivery(scene, "created", { externalId: user.id, at: 0 }))
      expect(yield* customerOf(user.id)).toBeNull()
      // The next customer with the same external id is.
      const next = newScene()
      yield* applyOne(customerDelivery(next, "created", { externalId: user.id, at: 10 }))
      expect(yield* customerOf(user.id)).toBe(next.customerId)
      expect(yield* applyOne(customerDelivery(newScene(), "deleted"))).toMatchObject({ state: "ignored", userId: null })
    })
  )

  it.effect("a user without a row in kavach_users has subscriptions all the same", () =>
    Effect.gen(function* () {
      const userId = strangerId()
      const scene = newScene()
      const outcome = yield* applyOne(subscriptionDelivery(scene, "created", { externalId: userId }))
      expect(outcome).toMatchObject({ state: "applied", userId, notified: true })
      expect(yield* subscriptionsOf(userId)).toHaveLength(1)
      expect(yield* customerOf(userId)).toBe(scene.customerId)
      expect(yield* notificationsOf(userId)).toHaveLength(1)
      const store = yield* BillingStore
      expect(yield* store.findUser(userId)).toEqual(Option.none())
      yield* expectProjection(suite, userId, undefined)
    })
  )

  it.effect("findUser reads the app's own table", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const store = yield* BillingStore
      expect(yield* store.findUser(user.id)).toEqual(Option.some(user))
    })
  )

  it.effect("recording the same checkout twice is no error", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const checkout = {
        id: CheckoutId.make(randomUUID()),
        userId: strangerId(),
        productId: ProductId.make(randomUUID())
      }
      yield* store.recordCheckout(checkout)
      yield* store.recordCheckout(checkout)
    })
  )
}
