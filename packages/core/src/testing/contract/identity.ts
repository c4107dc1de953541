import { randomUUID } from "node:crypto"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { Delivery } from "../../records/Delivery.ts"
import { orderKind } from "../../records/Order.ts"
import type { LinkSource } from "../../records/rows.ts"
import { CheckoutId, CustomerId, ProductId, type UserId } from "../../records/Subscription.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { makeAppUsers } from "../../useCases/appUsers.ts"
import { makeLinkWaiting } from "../../useCases/linkWaiting.ts"
import { layerElsewhere, NotificationDispatcher } from "../../useCases/NotificationDispatcher.ts"
import {
  allNotifications,
  apply,
  applyEach,
  applyOne,
  type ContractSuite,
  customerOf,
  expectProjection,
  notificationsOf,
  recorded,
  strangerId,
  subscriptionsOf,
  trusting
} from "../ContractSuite.ts"
import {
  customerDelivery,
  grantDelivery,
  newGrant,
  newPurchase,
  newScene,
  orderDelivery,
  type Purchase,
  refundDelivery,
  subscriptionDelivery,
  subscriptionIn
} from "../polarDeliveries.ts"

/** Whose subscription it is. */
export const identity = (suite: ContractSuite): void => {
  const { it, nextUser } = suite

  const link = (customerId: string, userId: UserId, linkedBy: LinkSource = "host") =>
    Effect.flatMap(BillingStore, (store) =>
      store.linkCustomer({ customerId: CustomerId.make(customerId), userId, linkedBy }, defaultPolicy)
    )
  const recordCheckout = (userId: UserId) =>
    Effect.flatMap(BillingStore, (store) =>
      store.recordCheckout(
        { id: CheckoutId.make(randomUUID()), userId, productId: ProductId.make(randomUUID()) },
        defaultPolicy
      )
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

  it.effect("a customer's external id names a user whom nobody knows: it links nobody", () =>
    Effect.gen(function* () {
      const ghost = strangerId()
      const scene = newScene()
      const outcomes = yield* applyEach([
        customerDelivery(scene, "created", { externalId: ghost, at: 0 }),
        subscriptionDelivery(scene, "created", { externalId: ghost, at: 1 })
      ])
      expect(outcomes.map(({ notified, state, userId }) => [state, userId, notified])).toEqual([
        ["unlinked", null, false],
        ["unlinked", null, false]
      ])
      expect(yield* customerOf(ghost)).toBeNull()
      expect(yield* subscriptionsOf(ghost)).toEqual([])
    })
  )

  it.effect("the app says that the user exists: the external id links the customer", () =>
    Effect.gen(function* () {
      const userId = strangerId()
      const scene = newScene()
      const outcome = yield* applyOne(subscriptionDelivery(scene, "created", { externalId: userId }), {
        users: { externalIds: "known", existing: new Set([userId]) }
      })
      expect(outcome).toMatchObject({ state: "applied", userId, notified: true })
      expect(yield* customerOf(userId)).toBe(scene.customerId)
    })
  )

  it.effect("a user of the same id in another deployment, under another address, is not the app's", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const scene = newScene()
      const elsewhere = { externalId: user.id, email: "other@elsewhere.dev" }
      const outcomes = yield* applyEach([
        customerDelivery(scene, "created", { ...elsewhere, at: 0 }),
        subscriptionDelivery(scene, "created", { ...elsewhere, at: 1 })
      ])
      expect(outcomes.map(({ state }) => state)).toEqual(["unlinked", "unlinked"])
      expect(yield* customerOf(user.id)).toBeNull()
      yield* expectProjection(suite, user.id, { customerId: null, subscriptionId: null })
      // Under their own address it is.
      const own = { externalId: user.id, email: Option.getOrThrow(user.email).toUpperCase() }
      expect(yield* applyOne(subscriptionDelivery(newScene(), "created", own))).toMatchObject({ userId: user.id })
    })
  )

  it.effect("a checkout that another deployment has recorded gives nobody anything, by whatever names it carries", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const scene = newScene()
      const delivery = (at: number) =>
        subscriptionDelivery(scene, "created", {
          at,
          externalId: user.id,
          patch: {
            checkout_id: randomUUID(),
            metadata: { kavach_user_id: user.id, kavach_checkout: "recorded" }
          }
        })
      expect(yield* applyOne(delivery(1), trusting)).toMatchObject({ state: "unlinked", userId: null })
      // Nor does the customer bring it along.
      yield* applyOne(customerDelivery(scene, "updated", { externalId: user.id, at: 2 }))
      expect(yield* customerOf(user.id)).toBe(scene.customerId)
      expect(yield* applyOne(delivery(3), trusting)).toMatchObject({ state: "unlinked", userId: null })
      expect(yield* subscriptionsOf(user.id)).toEqual([])
    })
  )

  it.effect("whoever made the checkout has what was bought there, also when it is recorded after the event", () =>
    Effect.gen(function* () {
      const [holder, buyer] = [nextUser(), nextUser()]
      const scene = newScene()
      const checkoutId = randomUUID()
      yield* link(scene.customerId, holder.id)
      yield* applyOne(subscriptionDelivery(scene, "created", { at: 1, patch: { checkout_id: checkoutId } }))
      expect(yield* subscriptionsOf(holder.id)).toHaveLength(1)
      yield* expectProjection(suite, holder.id, { subscriptionId: scene.subscriptionId, status: "active" })
      yield* Effect.flatMap(BillingStore, (store) =>
        store.recordCheckout(
          { id: CheckoutId.make(checkoutId), userId: buyer.id, productId: ProductId.make(scene.productId) },
          defaultPolicy
        )
      )
      expect(yield* subscriptionsOf(holder.id)).toEqual([])
      expect(yield* subscriptionsOf(buyer.id)).toHaveLength(1)
      yield* expectProjection(suite, holder.id, { subscriptionId: null, status: null })
      yield* expectProjection(suite, buyer.id, { subscriptionId: scene.subscriptionId, status: "active" })
      // Each is told what is so for them now.
      const told = (yield* allNotifications).filter(({ userId }) => userId === holder.id || userId === buyer.id)
      expect(told.filter(({ userId }) => userId === holder.id).at(-1)?.subscription.status).toBe("canceled")
      expect(told.filter(({ userId }) => userId === buyer.id).map((each) => each.subscription.status)).toEqual([
        "active"
      ])
    })
  )

  it.effect("a customer's users are who is linked to it and who has something of it", () =>
    Effect.gen(function* () {
      const [holder, buyer] = [nextUser(), nextUser()]
      const [scene, other] = [newScene(), newScene()]
      const store = yield* BillingStore
      const customerId = CustomerId.make(scene.customerId)
      yield* applyOne(subscriptionDelivery(other, "created", { externalId: nextUser().id }))
      yield* applyOne(subscriptionDelivery({ ...newScene(), customerId }, "created", {}))
      expect([...(yield* store.usersOfCustomer(customerId))]).toEqual([])
      yield* link(scene.customerId, holder.id)
      expect([...(yield* store.usersOfCustomer(customerId))]).toEqual([holder.id])
      const checkoutId = CheckoutId.make(randomUUID())
      yield* store.recordCheckout(
        { id: checkoutId, userId: buyer.id, productId: ProductId.make(scene.productId) },
        defaultPolicy
      )
      yield* applyOne(subscriptionDelivery(scene, "created", { patch: { checkout_id: checkoutId } }))
      expect([...(yield* store.usersOfCustomer(customerId))].sort()).toEqual([buyer.id, holder.id].sort())
    })
  )

  it.effect("what came before the subscription that it hangs on follows it to its user", () =>
    Effect.gen(function* () {
      const [holder, buyer] = [nextUser(), nextUser()]
      const purchase = newPurchase()
      yield* link(purchase.customerId, holder.id)
      const renewal = orderDelivery(purchase, "paid.subscription_cycle", { at: 5 })
      expect(yield* applyOne(renewal)).toMatchObject({ userId: holder.id })
      yield* Effect.flatMap(BillingStore, (store) =>
        store.recordCheckout(
          {
            id: CheckoutId.make(purchase.checkoutId),
            userId: buyer.id,
            productId: ProductId.make(purchase.productId)
          },
          defaultPolicy
        )
      )
      const created = subscriptionDelivery(purchase, "created", { at: 1, patch: { checkout_id: purchase.checkoutId } })
      expect(yield* applyOne(created)).toMatchObject({ userId: buyer.id })
      expect(yield* applyOne(orderDelivery(purchase, "paid.subscription_cycle", { at: 6 }))).toMatchObject({
        userId: buyer.id
      })
      const store = yield* BillingStore
      expect(yield* store.recordsOf(orderKind, holder.id)).toEqual([])
      expect(yield* store.recordsOf(orderKind, buyer.id)).toHaveLength(1)
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
      yield* recordCheckout(userId)
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

  describe("what waits by a customer's external id alone", () => {
    // Between what cases of retention forget and what the others leave. A run looks at what was received before it began.
    const receivedAt = Date.parse("2020-01-01T00:00:00Z")
    /** As the app has it that says of its users whether they exist. */
    const linkWaiting = (exists: (userId: UserId) => boolean) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(receivedAt)
        const store = yield* BillingStore
        const dispatcher = yield* NotificationDispatcher
        const askAppUsers = makeAppUsers(store, { userExists: (userId) => Effect.succeed(exists(userId)) })
        return yield* makeLinkWaiting({
          store,
          dispatcher,
          policy: defaultPolicy,
          organizationId: undefined,
          askAppUsers
        })
      }).pipe(Effect.provide(layerElsewhere))
    const ordersOf = (userId: UserId) =>
      Effect.flatMap(BillingStore, (store) => store.recordsOf(orderKind, userId, { live: true }))

    it.effect("is found when its user appears, however many wait, and is told once", () =>
      Effect.gen(function* () {
        // More than two pages, of four deliveries each.
        const waiting = Array.from({ length: 60 }, () => ({ userId: strangerId(), purchase: newPurchase() }))
        yield* Effect.forEach(waiting, ({ purchase, userId: externalId }) =>
          apply(
            customerDelivery(purchase, "created", { externalId, receivedAt, at: 0 }),
            subscriptionDelivery(purchase, "created", { externalId, receivedAt, at: 1 }),
            orderDelivery(newPurchase(purchase), "paid.purchase", { externalId, receivedAt, at: 2 }),
            refundDelivery(purchase, "created.partial", { receivedAt, at: 3 })
          )
        )
        const late = new Set(waiting.filter((_, index) => index % 2 === 0).map(({ userId }) => userId))
        yield* linkWaiting(() => false)
        for (const { userId } of waiting.slice(0, 2)) expect(yield* customerOf(userId)).toBeNull()

        // As the use case asks for several users at once, the first of them to be there are enough.
        yield* linkWaiting((userId) => late.has(userId))
        for (const { purchase, userId } of waiting) {
          const isThere = late.has(userId)
          expect(yield* customerOf(userId)).toBe(isThere ? purchase.customerId : null)
          expect(yield* subscriptionsOf(userId)).toHaveLength(isThere ? 1 : 0)
          expect(yield* ordersOf(userId)).toHaveLength(isThere ? 1 : 0)
        }
        const told = yield* allNotifications
        expect(told.filter(({ userId }) => late.has(userId))).toHaveLength(late.size)

        expect(yield* linkWaiting((userId) => late.has(userId))).toBe(0)
        expect((yield* allNotifications).filter(({ userId }) => late.has(userId))).toEqual([])
      })
    )

    const alone: ReadonlyArray<readonly [string, (userId: UserId, purchase: Purchase) => Delivery]> = [
      [
        "a customer of whom nothing else has come",
        (externalId, of) => customerDelivery(of, "created", { externalId, receivedAt })
      ],
      ["an order", (externalId, of) => orderDelivery(of, "paid.purchase", { externalId, receivedAt })],
      ["a grant", (externalId, of) => grantDelivery(newGrant(of), "created.license_keys", { externalId, receivedAt })],
      ["a subscription", (externalId, of) => subscriptionDelivery(of, "created", { externalId, receivedAt })]
    ]
    for (const [what, deliveryFor] of alone) {
      it.effect(`${what} is enough, and whoever has made a checkout is known`, () =>
        Effect.gen(function* () {
          const userId = strangerId()
          const purchase = newPurchase()
          const delivery = deliveryFor(userId, purchase)
          expect(yield* applyOne(delivery, { users: { externalIds: "known" } })).toMatchObject({ state: "unlinked" })
          yield* linkWaiting(() => false)
          expect(yield* customerOf(userId)).toBeNull()
          yield* recordCheckout(userId)
          yield* linkWaiting(() => false)
          expect(yield* customerOf(userId)).toBe(purchase.customerId)
          expect(yield* recorded([delivery.id])).toMatchObject([{ state: "applied", userId }])
        })
      )
    }

    it.effect("a subscription is found by what is kept of it when the delivery's body is forgotten", () =>
      Effect.gen(function* () {
        const store = yield* BillingStore
        const userId = strangerId()
        const scene = newScene()
        const at = { at: 1, email: "late@example.test", externalId: userId }
        const delivery = { ...subscriptionDelivery(scene, "created", at), body: null }
        yield* store.applyDeliveries([delivery], defaultPolicy, { users: { externalIds: "known" } })
        yield* linkWaiting((asked) => asked === userId)
        expect(yield* customerOf(userId)).toBe(scene.customerId)
        expect(yield* subscriptionsOf(userId)).toHaveLength(1)
      })
    )

    it.effect("another deployment's user of the same id gets nothing of it, nor does our own", () =>
      Effect.gen(function* () {
        const user = nextUser()
        const [elsewhere, marked] = [newScene(), newScene()]
        const sibling = { externalId: user.id, email: "other@elsewhere.dev", receivedAt }
        yield* apply(
          customerDelivery(elsewhere, "created", sibling),
          subscriptionDelivery(elsewhere, "created", { ...sibling, at: 1 }),
          subscriptionDelivery(marked, "created", {
            externalId: user.id,
            receivedAt,
            at: 1,
            patch: { checkout_id: randomUUID(), metadata: { kavach_user_id: user.id, kavach_checkout: "recorded" } }
          })
        )
        yield* linkWaiting(() => true)
        expect(yield* customerOf(user.id)).toBeNull()
        expect(yield* subscriptionsOf(user.id)).toEqual([])
      })
    )

    it.effect("nor does who had it until Polar forgot the address, or until an operator ended the link", () =>
      Effect.gen(function* () {
        const store = yield* BillingStore
        const user = nextUser()
        const [forgotten, ended] = [newScene(), newScene()]
        const elsewhere = { externalId: user.id, email: "other@elsewhere.dev", receivedAt }
        yield* applyEach([
          subscriptionDelivery(forgotten, "created", { ...elsewhere, at: 1 }),
          customerDelivery(forgotten, "deleted", { ...elsewhere, at: 2 })
        ])
        const own = { externalId: user.id, email: Option.getOrThrow(user.email), receivedAt }
        yield* applyOne(subscriptionDelivery(ended, "created", { ...own, at: 1 }))
        yield* store.changeLink(
          { action: "unlink", id: ended.customerId, to: null, changeId: randomUUID(), by: null },
          defaultPolicy
        )
        yield* linkWaiting(() => true)
        expect(yield* subscriptionsOf(user.id)).toEqual([])
        expect(yield* customerOf(user.id)).toBeNull()
      })
    )
  })

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
      yield* store.recordCheckout(checkout, defaultPolicy)
      yield* store.recordCheckout(checkout, defaultPolicy)
    })
  )
}
