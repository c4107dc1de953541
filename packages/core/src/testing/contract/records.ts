import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Delivery } from "../../records/Delivery.ts"
import type { Kind } from "../../records/Kind.ts"
import { orderKind } from "../../records/Order.ts"
import { refundKind } from "../../records/Refund.ts"
import { CheckoutId, CustomerId, ProductId, type UserId } from "../../records/Subscription.ts"
import { subscriptionKind } from "../../records/subscriptionKind.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import type { RecordQuery } from "../../store/BillingStoreService.ts"
import {
  allNotifications,
  apply,
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
import { plainOrder, plainRefund } from "../plainRecords.ts"
import {
  dataIn,
  fixturesOf,
  newPurchase,
  orderDelivery,
  type Purchase,
  recordIn,
  refundDelivery,
  reportIn,
  snapshotOf,
  subscriptionDelivery,
  subscriptionIn
} from "../polarDeliveries.ts"

const recordsOf = <A>(kind: Kind<A>, userId: UserId, query?: RecordQuery) =>
  Effect.flatMap(BillingStore, (store) => store.recordsOf(kind, userId, query))

const ordersOf = (userId: UserId, query?: RecordQuery) => recordsOf(orderKind, userId, query)
const refundsOf = (userId: UserId) => recordsOf(refundKind, userId)

const ownerOf = (kind: Kind<unknown>, id: string) =>
  Effect.flatMap(BillingStore, (store) =>
    Effect.map(
      store.record(kind, id),
      Option.match({ onNone: () => "not stored", onSome: ({ userId }) => userId ?? "nobody's" })
    )
  )

/** Whose the subscription, the order and the refund of a purchase are. */
const ownersOf = ({ orderId, refundId, subscriptionId }: Purchase) =>
  Effect.all([
    ownerOf(subscriptionKind, subscriptionId),
    ownerOf(orderKind, orderId),
    ownerOf(refundKind, refundId)
  ] as const)

const link = ({ customerId }: Purchase, userId: UserId) =>
  Effect.flatMap(BillingStore, (store) =>
    store.linkCustomer({ customerId: CustomerId.make(customerId), userId, linkedBy: "host" }, defaultPolicy)
  )

const makeCheckout = ({ checkoutId, productId }: Purchase, userId: UserId) =>
  Effect.flatMap(BillingStore, (store) =>
    store.recordCheckout(
      { id: CheckoutId.make(checkoutId), userId, productId: ProductId.make(productId) },
      defaultPolicy
    )
  )

const statesOf = (deliveries: ReadonlyArray<Delivery>) =>
  Effect.map(recorded(deliveries.map(({ id }) => id)), (rows) =>
    deliveries.map(({ id }) => rows.find((row) => row.id === id)?.state)
  )

/** Every order in which three can arrive. */
const orders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0]
] as const

/** Orders and refunds: the other kinds of records, which hang on subscriptions and on each other. */
export const records = (suite: ContractSuite): void => {
  const { it, nextUser } = suite

  it.effect("every order and refund that Polar sends is stored, owned and read back as it was sent", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const [names, refunds] = [fixturesOf("order"), fixturesOf("refund")]
      expect([names.length, refunds.length]).toEqual([25, 5])
      for (const name of names) {
        const user = nextUser()
        const purchase = newPurchase()
        const delivery = orderDelivery(purchase, name, { externalId: user.id })
        expect(yield* applyOne(delivery)).toMatchObject({ state: "applied", userId: user.id, notified: false })
        const value = plainOrder(dataIn(delivery))
        expect(yield* ordersOf(user.id), name).toStrictEqual([value])
        expect(yield* store.record(orderKind, purchase.orderId)).toStrictEqual(Option.some({ value, userId: user.id }))
        expect(yield* recorded([delivery.id])).toMatchObject([
          { recordKind: "order", recordId: purchase.orderId, customerId: purchase.customerId, body: delivery.body }
        ])
        expect(yield* subscriptionsOf(user.id)).toEqual([])
        expect(yield* notificationsOf(user.id)).toEqual([])
      }
      for (const name of refunds) {
        const user = nextUser()
        const purchase = newPurchase()
        yield* link(purchase, user.id)
        const delivery = refundDelivery(purchase, name)
        expect(yield* applyOne(delivery)).toMatchObject({ state: "applied", userId: user.id, notified: false })
        const value = plainRefund(dataIn(delivery))
        expect(yield* refundsOf(user.id), name).toStrictEqual([value])
        expect(yield* store.record(refundKind, purchase.refundId)).toStrictEqual(
          Option.some({ value, userId: user.id })
        )
        expect(yield* ordersOf(user.id)).toEqual([])
        expect(yield* notificationsOf(user.id)).toEqual([])
      }
    })
  )

  it.effect("a record of one kind is not found as one of another", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const user = nextUser()
      const purchase = newPurchase()
      // Ids of Polar's never meet; a store that forgets the kind would show it here.
      const same = { ...purchase, refundId: purchase.orderId, subscriptionId: purchase.orderId }
      yield* apply(
        orderDelivery(same, "paid.purchase", { externalId: user.id }),
        refundDelivery(same, "created.full.revoke_benefits"),
        subscriptionDelivery(same, "active", { externalId: user.id })
      )
      expect(yield* ordersOf(user.id)).toHaveLength(1)
      expect(yield* refundsOf(user.id)).toHaveLength(1)
      expect(yield* subscriptionsOf(user.id)).toHaveLength(1)
      expect(Option.isNone(yield* store.record(orderKind, purchase.refundId))).toBe(true)
      expect(yield* store.record(refundKind, same.refundId)).toMatchObject(
        Option.some({ value: { orderId: purchase.orderId } })
      )
    })
  )

  it.effect("a user's orders are found by status, by product, and by whether they are paid", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const { customerId } = newPurchase()
      const statuses = ["draft", "pending", "paid", "partially_refunded", "refunded", "void", "held_for_review"]
      const purchases = statuses.map(() => newPurchase({ customerId }))
      const deliveries = purchases.map((purchase, index) =>
        orderDelivery(purchase, "paid.purchase", { externalId: user.id, patch: { status: statuses[index] } })
      )
      yield* applyEach(deliveries)
      const found = (query?: RecordQuery) =>
        Effect.map(ordersOf(user.id, query), (all) => all.map(({ status }) => status).sort())
      expect(yield* found()).toEqual([...statuses].sort())
      expect(yield* found({ live: true })).toEqual(["paid", "partially_refunded"])
      expect(yield* found({ live: false })).toEqual(["draft", "held_for_review", "pending", "refunded", "void"])
      expect(yield* found({ status: "pending" })).toEqual(["pending"])
      expect(yield* found({ status: "pending", live: true })).toEqual([])
      const [, , paid = expect.fail()] = purchases
      expect(yield* found({ productId: paid.productId })).toEqual(["paid"])
      expect(yield* found({ productId: paid.productId, status: "paid", live: true })).toEqual(["paid"])
      expect(yield* found({ productId: "another" })).toEqual([])
    })
  )

  it.effect(
    "an order is its checkout's user's, whoever holds the customer; so are a subscription, and what hangs on them",
    () =>
      Effect.gen(function* () {
        const [buyer, holder] = [nextUser(), nextUser()]
        const purchase = newPurchase()
        yield* link(purchase, holder.id)
        yield* makeCheckout(purchase, buyer.id)
        const claims = { externalId: holder.id, metadataUserId: holder.id }
        const bought = orderDelivery(purchase, "paid.purchase", claims)
        const given = refundDelivery(purchase, "created.partial", { patch: { subscription_id: null } })
        expect((yield* applyEach([bought, given])).map(({ userId }) => userId)).toEqual([buyer.id, buyer.id])
        const plan = newPurchase({ customerId: purchase.customerId, checkoutId: purchase.checkoutId })
        const started = subscriptionDelivery(plan, "active", { ...claims, patch: { checkout_id: plan.checkoutId } })
        // A renewal comes from no checkout.
        const renewed = orderDelivery(plan, "paid.subscription_cycle", { externalId: holder.id })
        const renewalRefund = refundDelivery(plan, "created.partial")
        expect(dataIn(renewed)["checkout_id"]).toBeNull()
        const outcomes = yield* applyEach([started, renewed, renewalRefund])
        expect(outcomes.map(({ userId }) => userId)).toEqual([buyer.id, buyer.id, buyer.id])
        expect(yield* ordersOf(holder.id)).toEqual([])
        expect(yield* refundsOf(holder.id)).toEqual([])
        expect(yield* subscriptionsOf(holder.id)).toEqual([])
        expect(yield* ordersOf(buyer.id)).toHaveLength(2)
        expect(yield* refundsOf(buyer.id)).toHaveLength(2)
        // The customer stays whose it was.
        expect(yield* customerOf(holder.id)).toBe(purchase.customerId)
        expect(yield* customerOf(buyer.id)).toBeNull()
        yield* expectProjection(suite, buyer.id, { subscriptionId: plan.subscriptionId, customerId: null })
        yield* expectProjection(suite, holder.id, { ...nothingShown, status: null, customerId: purchase.customerId })
      })
  )

  it.effect("an order is the linked user's, whatever it claims", () =>
    Effect.gen(function* () {
      const [owner, other] = [nextUser(), nextUser()]
      const purchase = newPurchase()
      yield* link(purchase, owner.id)
      const order = orderDelivery(purchase, "paid.purchase", { externalId: other.id, metadataUserId: other.id })
      expect(yield* applyOne(order)).toMatchObject({ state: "applied", userId: owner.id })
      expect(yield* ordersOf(other.id)).toEqual([])
    })
  )

  it.effect("an order's external id links the customer, and gives its user what was kept", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const purchase = newPurchase()
      const kept = newPurchase({ customerId: purchase.customerId })
      const waiting = [
        subscriptionDelivery(kept, "active"),
        orderDelivery(kept, "paid.subscription_cycle"),
        refundDelivery(kept, "created.partial")
      ]
      expect((yield* applyEach(waiting)).map(({ state }) => state)).toEqual(["unlinked", "unlinked", "unlinked"])
      const order = orderDelivery(purchase, "paid.purchase", { externalId: user.id })
      expect(yield* applyOne(order)).toMatchObject({ state: "applied", userId: user.id, notified: true })
      expect(yield* customerOf(user.id)).toBe(purchase.customerId)
      expect(yield* ownersOf(kept)).toEqual([user.id, user.id, user.id])
      expect(yield* statesOf(waiting)).toEqual(["applied", "applied", "applied"])
      // Only of the subscription.
      expect((yield* notificationsOf(user.id)).map(({ subscription: { id } }) => id)).toEqual([kept.subscriptionId])
    })
  )

  it.effect("metadata names a user: the order is theirs if the app has them, and the customer is not", () =>
    Effect.gen(function* () {
      const [user, ghost] = [nextUser(), strangerId()]
      const [known, unknown] = [newPurchase(), newPurchase()]
      const outcomes = yield* applyEach([
        orderDelivery(known, "paid.purchase", { metadataUserId: user.id }),
        orderDelivery(unknown, "paid.purchase", { metadataUserId: ghost }),
        refundDelivery(newPurchase(), "created.partial", { metadataUserId: user.id })
      ])
      expect(outcomes.map(({ state, userId }) => [state, userId])).toEqual([
        ["applied", user.id],
        ["unlinked", null],
        ["applied", user.id]
      ])
      expect(yield* customerOf(user.id)).toBeNull()
      expect(yield* ownersOf(unknown)).toEqual(["not stored", "nobody's", "not stored"])
      expect(yield* ordersOf(ghost)).toEqual([])
    })
  )

  const familyOf = (purchase: Purchase, metadataUserId?: UserId) =>
    [
      subscriptionDelivery(purchase, "active", metadataUserId === undefined ? {} : { metadataUserId }),
      orderDelivery(purchase, "paid.subscription_cycle"),
      refundDelivery(purchase, "created.partial")
    ] as const

  it.effect("what hangs on a subscription gets its user, in whatever order they come, alone or in one step", () =>
    Effect.gen(function* () {
      for (const order of orders) {
        for (const together of [false, true]) {
          const user = nextUser()
          const purchase = newPurchase()
          const family = familyOf(purchase, user.id)
          const [first, second, third] = [family[order[0]], family[order[1]], family[order[2]]]
          if (together) yield* apply(first, second, third)
          else yield* applyEach([first, second, third])
          expect(yield* ownersOf(purchase), `${order}`).toEqual([user.id, user.id, user.id])
          expect(yield* statesOf(family)).toEqual(["applied", "applied", "applied"])
          expect(yield* customerOf(user.id)).toBeNull()
          expect((yield* recorded([first.id, second.id, third.id])).map(({ userId }) => userId)).toEqual([
            user.id,
            user.id,
            user.id
          ])
          expect(yield* notificationsOf(user.id)).toHaveLength(1)
        }
      }
    })
  )

  it.effect("a refund whose order is not known gets the user of its subscription", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const purchase = newPurchase()
      const [subscription, , refund] = familyOf(purchase, user.id)
      yield* applyEach([refund, subscription])
      expect(yield* ownersOf(purchase)).toEqual([user.id, "not stored", user.id])
    })
  )

  it.effect("what waited with its parent gets the parent's user when somebody says who that is", () =>
    Effect.gen(function* () {
      const [user, later] = [nextUser(), nextUser()]
      const purchase = newPurchase()
      const family = familyOf(purchase)
      expect((yield* applyEach(family)).map(({ state }) => state)).toEqual(["unlinked", "unlinked", "unlinked"])
      // A newer state of the subscription names the user: what hangs on it follows in the same step.
      const named = subscriptionDelivery(purchase, "updated", { metadataUserId: user.id, at: 2 })
      expect(yield* applyOne(named)).toMatchObject({ state: "applied", userId: user.id })
      expect(yield* ownersOf(purchase)).toEqual([user.id, user.id, user.id])
      expect(yield* statesOf(family)).toEqual(["applied", "applied", "applied"])
      // And so when the customer is linked.
      const others = newPurchase()
      const waiting = familyOf(others)
      yield* applyEach(waiting)
      yield* link(others, later.id)
      expect(yield* ownersOf(others)).toEqual([later.id, later.id, later.id])
      expect(yield* statesOf(waiting)).toEqual(["applied", "applied", "applied"])
    })
  )

  it.effect("also an older state of the parent says whose its children are", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const purchase = newPurchase()
      const newer = orderDelivery(purchase, "refunded.purchase", { at: 9 })
      const refund = refundDelivery(purchase, "created.full.revoke_benefits")
      yield* applyEach([newer, refund])
      const older = orderDelivery(purchase, "paid.purchase", { at: 1, metadataUserId: user.id })
      expect(yield* applyOne(older)).toMatchObject({ state: "stale", userId: user.id })
      expect(yield* ordersOf(user.id)).toEqual([recordIn(orderKind, newer)])
      expect(yield* refundsOf(user.id)).toHaveLength(1)
      expect(yield* statesOf([newer, refund])).toEqual(["applied", "applied"])
    })
  )

  it.effect("a record stays with its user, whoever gets its customer later, or the checkout that was another's", () =>
    Effect.gen(function* () {
      const [first, second] = [nextUser(), nextUser()]
      const purchase = newPurchase()
      yield* makeCheckout(purchase, first.id)
      yield* applyOne(orderDelivery(purchase, "paid.purchase", { at: 1 }))
      yield* link(purchase, second.id)
      yield* makeCheckout(newPurchase(), second.id)
      const later = orderDelivery(purchase, "refunded.purchase", { at: 2, externalId: second.id })
      expect(yield* applyOne(later)).toMatchObject({ userId: first.id })
      expect((yield* ordersOf(first.id)).map(({ status }) => status)).toEqual(["refunded"])
      expect(yield* ordersOf(second.id)).toEqual([])
    })
  )

  it.effect("an older state of an order never wins, and a microsecond makes one newer", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const purchase = newPurchase()
      const refunded = orderDelivery(purchase, "refunded.purchase", { externalId, at: 10.000002 })
      const paid = orderDelivery(purchase, "paid.purchase", { externalId, at: 10.000001 })
      const outcomes = yield* applyEach([refunded, paid, refunded, paid])
      expect(outcomes.map(({ duplicate, state }) => [state, duplicate])).toEqual([
        ["applied", false],
        ["stale", false],
        ["applied", true],
        ["stale", true]
      ])
      expect(yield* ordersOf(externalId)).toEqual([recordIn(orderKind, refunded)])
    })
  )

  it.effect("states of an order at one time: the later change wins, then the status that comes later", () =>
    Effect.gen(function* () {
      const early = "2026-11-30T00:00:00.001Z"
      const late = "2026-11-30T00:00:00.002Z"
      const state = (status: string, modified_at: string | null = null) => ({ status, modified_at })
      // Each one wins over all before it.
      const ladder = [
        state("draft"),
        state("pending"),
        state("paid"),
        state("partially_refunded"),
        state("refunded"),
        state("void"),
        state("held_for_review"),
        state("draft", early),
        state("refunded", early),
        state("paid", late)
      ]
      for (const [place, higher] of ladder.entries()) {
        const { id: externalId } = nextUser()
        const expected: Array<string> = []
        const deliveries: Array<Delivery> = []
        for (const lower of ladder.slice(0, place)) {
          for (const patches of [
            [lower, higher],
            [higher, lower]
          ]) {
            const purchase = newPurchase()
            deliveries.push(
              ...patches.map((patch) => orderDelivery(purchase, "paid.purchase", { externalId, at: 5, patch }))
            )
            expected.push(`${purchase.orderId} ${higher.status}`)
          }
        }
        const [first, ...rest] = deliveries
        if (first === undefined) continue
        // All in one step for every other: a step sees what it did itself.
        if (place % 2 === 0) yield* apply(first, ...rest)
        else yield* applyEach(deliveries)
        expect((yield* ordersOf(externalId)).map(({ id, status }) => `${id} ${status}`).sort()).toEqual(expected.sort())
      }
    })
  )

  it.effect("states of a refund at one time obey the written rule too", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const ladder = ["pending", "succeeded", "failed", "canceled", "disputed"]
      for (const [place, higher] of ladder.entries()) {
        for (const lower of ladder.slice(0, place)) {
          for (const statuses of [
            [lower, higher],
            [higher, lower]
          ]) {
            const purchase = newPurchase()
            yield* applyEach(
              statuses.map((status) =>
                refundDelivery(purchase, "created.pending", { at: 5, metadataUserId: user.id, patch: { status } })
              )
            )
            const store = yield* BillingStore
            expect(yield* store.record(refundKind, purchase.refundId)).toMatchObject(
              Option.some({ value: { status: higher } })
            )
          }
        }
      }
      const live = yield* recordsOf(refundKind, user.id, { live: true })
      expect([...new Set(live.map(({ status }) => status))]).toEqual(["succeeded"])
    })
  )

  it.effect("a refund that is reverted brings its order back to paid, in whatever order they come", () =>
    Effect.gen(function* () {
      for (const order of orders) {
        const { id: externalId } = nextUser()
        const purchase = newPurchase()
        const events = [
          orderDelivery(purchase, "paid.purchase", { externalId, at: 1 }),
          orderDelivery(purchase, "updated.refunded.purchase", {
            externalId,
            at: 2,
            patch: { modified_at: "2026-12-01T00:00:02Z" }
          }),
          orderDelivery(purchase, "updated.purchase", {
            externalId,
            at: 3,
            patch: { modified_at: "2026-12-01T00:00:03Z", status: "paid", refunded_amount: 0 }
          })
        ] as const
        const refunds = [
          refundDelivery(purchase, "created.full.revoke_benefits", { at: 2 }),
          refundDelivery(purchase, "updated.succeeded", { at: 3, patch: { status: "failed" } })
        ]
        yield* applyEach(order.map((place) => events[place]))
        yield* applyEach(order[0] === 0 ? refunds : [...refunds].reverse())
        expect(yield* ordersOf(externalId, { live: true })).toMatchObject([{ status: "paid", refundedAmount: 0 }])
        expect(yield* refundsOf(externalId)).toMatchObject([{ status: "failed" }])
        expect(yield* recordsOf(refundKind, externalId, { live: true })).toEqual([])
      }
    })
  )

  it.effect("what tells purchases is read of every order of the product that gives something, and of no other", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const user = nextUser()
      const other = nextUser()
      const purchase = newPurchase()
      const of = (name: string, patch: Readonly<Record<string, unknown>>) =>
        orderDelivery(newPurchase({ customerId: purchase.customerId, productId: purchase.productId }), name, {
          externalId: user.id,
          patch
        })
      const facts = store.purchaseFactsOf(user.id, ProductId.make(purchase.productId))
      expect(yield* facts).toEqual([])
      const subscriptionId = randomUUID()
      yield* applyEach([
        of("paid.purchase", {}),
        of("paid.purchase", { billing_reason: "somethingNew", status: "partially_refunded" }),
        of("paid.subscription_cycle", { subscription_id: subscriptionId }),
        of("paid.purchase", { status: "refunded" }),
        of("paid.purchase", { status: "pending" }),
        of("paid.purchase", { product_id: randomUUID() }),
        orderDelivery(newPurchase({ productId: purchase.productId }), "paid.purchase", { externalId: other.id })
      ])
      const found = [...(yield* facts)].sort((a, b) => ((a.billingReason ?? "") < (b.billingReason ?? "") ? -1 : 1))
      expect(found).toEqual([
        { billingReason: "purchase", status: "paid", subscriptionId: null },
        { billingReason: "somethingNew", status: "partially_refunded", subscriptionId: null },
        { billingReason: "subscription_cycle", status: "paid", subscriptionId }
      ])
    })
  )

  it.effect("an order that cannot be read is recorded as failed, and holds up nothing beside it", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const [good, bad] = [newPurchase(), newPurchase()]
      const poison = orderDelivery(bad, "paid.purchase", { externalId, patch: { product_id: 7 } })
      const outcomes = yield* apply(poison, orderDelivery(good, "paid.purchase", { externalId }))
      expect(outcomes.map(({ state }) => state)).toEqual(["failed", "applied"])
      expect(yield* recorded([poison.id])).toMatchObject([
        { state: "failed", type: "order.paid", body: poison.body, lastError: "product_id is not what Polar documents" }
      ])
      expect(yield* ownersOf(bad)).toEqual(["not stored", "not stored", "not stored"])
      expect(yield* applyOne(refundDelivery(bad, "created.partial", { patch: { order_id: null } }))).toMatchObject({
        state: "failed"
      })
      // As a later version would read it.
      const readable = orderDelivery(bad, "paid.purchase", { externalId, id: poison.id })
      expect(yield* applyOne(readable)).toMatchObject({ state: "applied", duplicate: false })
      expect(yield* ordersOf(externalId)).toHaveLength(2)
    })
  )

  it.effect("the app's own row shows subscriptions, and never orders", () =>
    Effect.gen(function* () {
      const [subscriber, buyer] = [nextUser(), nextUser()]
      const plan = newPurchase()
      const active = subscriptionDelivery(plan, "active", { metadataUserId: subscriber.id })
      yield* applyOne(active)
      const shown = { subscriptionId: plan.subscriptionId, status: "active", productId: plan.productId }
      yield* expectProjection(suite, subscriber.id, { ...shown, customerId: null })
      const purchase = newPurchase()
      yield* applyEach([
        orderDelivery(plan, "paid.subscription_cycle"),
        orderDelivery(purchase, "refunded.purchase", { metadataUserId: subscriber.id }),
        refundDelivery(purchase, "created.full.revoke_benefits"),
        orderDelivery(newPurchase(), "paid.purchase", { metadataUserId: buyer.id })
      ])
      yield* expectProjection(suite, subscriber.id, { ...shown, customerId: null })
      yield* expectProjection(suite, buyer.id, { ...nothingShown, status: null, customerId: null })
      expect(yield* subscriptionsOf(subscriber.id, "live")).toEqual([subscriptionIn(active)])
      // An order that links a customer shows the customer, and nothing else.
      const linking = newPurchase()
      yield* applyOne(orderDelivery(linking, "paid.purchase", { externalId: buyer.id }))
      yield* expectProjection(suite, buyer.id, { ...nothingShown, status: null, customerId: linking.customerId })
    })
  )

  it.effect("nobody is told where nobody is to be told", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const quiet = { handlers: new Set<string>() }
      const user = nextUser()
      const active = (purchase: Purchase, options: Parameters<typeof subscriptionDelivery>[2] = {}) =>
        subscriptionDelivery(purchase, "active", options)
      const own = { externalId: user.id }
      yield* allNotifications
      const [one] = yield* store.applyDeliveries([active(newPurchase(), own)], defaultPolicy, quiet)
      const claim = { owner: "one", limit: 10, lease: Duration.minutes(1) }
      const received = yield* store.receiveDeliveries([active(newPurchase(), own)], defaultPolicy, claim, quiet)
      const [read] = yield* store.applySnapshots([snapshotOf(active(newPurchase(), own), 1, 3600)], defaultPolicy, {
        dryRun: false,
        ...quiet
      })
      const [linked, named] = [newPurchase(), newPurchase()]
      const later = strangerId()
      yield* applyEach([active(linked), active(named, { metadataUserId: later })])
      expect(
        yield* store.linkCustomer(
          { customerId: CustomerId.make(linked.customerId), userId: user.id, linkedBy: "host" },
          defaultPolicy,
          quiet
        )
      ).toBe(0)
      yield* makeCheckout(newPurchase(), later)
      const reports = [reportIn(active(named, { metadataUserId: later }))]
      expect(yield* store.linkUnlinked(reports, defaultPolicy, quiet)).toBe(1)
      expect([one.notified, received.outcomes[0].notified, read?.notified]).toEqual([false, false, false])
      expect([received.claimed, received.unclaimed]).toEqual([[], []])
      expect(yield* subscriptionsOf(user.id, "live")).toHaveLength(4)
      expect(yield* subscriptionsOf(later, "live")).toHaveLength(1)
      expect(yield* allNotifications).toEqual([])
    })
  )

  it.effect("unlinked orders find their users by metadata, and by a checkout that was recorded after they came", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const [guest, buyer] = [strangerId(), nextUser().id]
      const [named, bought, nobodys] = [newPurchase(), newPurchase(), newPurchase()]
      const deliveries = [
        orderDelivery(named, "paid.purchase", { metadataUserId: guest, patch: { checkout_id: null } }),
        refundDelivery(named, "created.full.revoke_benefits"),
        orderDelivery(bought, "paid.purchase"),
        refundDelivery(bought, "created.full.revoke_benefits"),
        orderDelivery(nobodys, "paid.purchase")
      ]
      yield* applyEach(deliveries)
      expect(yield* statesOf(deliveries)).toEqual(deliveries.map(() => "unlinked"))
      const unlinked = yield* store.recordPage({
        kind: "order",
        which: "unlinked",
        after: named.orderId.slice(0, -1),
        limit: 1
      })
      expect(unlinked.map(({ id }) => id)).toEqual([named.orderId])
      const reports = [named, bought, nobodys].flatMap(({ orderId }) =>
        deliveries.flatMap((delivery) => (reportIn(delivery).id === orderId ? [reportIn(delivery)] : []))
      )
      expect(yield* store.linkUnlinked(reports, defaultPolicy)).toBe(0)
      yield* makeCheckout(newPurchase(), guest)
      yield* makeCheckout(bought, buyer)
      // What came from the checkout is the buyer's with it; the other one named a user who is known by now.
      expect(yield* ownersOf(bought)).toEqual(["not stored", buyer, buyer])
      expect(yield* store.linkUnlinked(reports, defaultPolicy)).toBe(1)
      expect(yield* store.linkUnlinked(reports, defaultPolicy)).toBe(0)
      expect(yield* ownersOf(named)).toEqual(["not stored", guest, guest])
      expect(yield* ownersOf(bought)).toEqual(["not stored", buyer, buyer])
      expect(yield* statesOf(deliveries)).toEqual(["applied", "applied", "applied", "applied", "unlinked"])
      expect(yield* ordersOf(buyer)).toHaveLength(1)
      expect(yield* notificationsOf(guest)).toEqual([])
      expect(yield* notificationsOf(buyer)).toEqual([])
    })
  )

  it.effect("orders and refunds that no delivery brought are stored, and set right", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const { id: externalId } = nextUser()
      const purchase = newPurchase()
      const repair = (delivery: Delivery, changedAt: number, fetchedAt = 3600) =>
        Effect.map(
          store.applySnapshots([snapshotOf(delivery, changedAt, fetchedAt)], defaultPolicy, { dryRun: false }),
          ([outcome]) => outcome
        )
      const paid = orderDelivery(purchase, "paid.purchase", { externalId, at: 5 })
      const refunded = orderDelivery(purchase, "refunded.purchase", { externalId, at: 9 })
      const refund = refundDelivery(purchase, "created.full.revoke_benefits", { at: 9 })
      const outcome = { userId: externalId, fields: [], linked: false, notified: false }
      expect(yield* repair(paid, 4)).toEqual({ ...outcome, kind: "order", id: purchase.orderId, finding: "missing" })
      expect(yield* repair(paid, 4)).toMatchObject({ finding: null })
      expect(yield* repair(refunded, 8)).toMatchObject({
        finding: "outdated",
        fields: ["status", "refunded_amount", "live"],
        notified: false
      })
      expect(yield* repair(refund, 8)).toEqual({
        ...outcome,
        kind: "refund",
        id: purchase.refundId,
        finding: "missing"
      })
      expect(yield* ordersOf(externalId)).toEqual([recordIn(orderKind, refunded)])
      // The event of that change, which comes late, changes nothing that can be seen.
      expect(yield* applyOne(refunded)).toMatchObject({ state: "applied" })
      expect(yield* applyOne(paid)).toMatchObject({ state: "stale" })
      // Long since, and otherwise.
      expect(yield* repair(paid, 4, 9 + 600)).toMatchObject({ finding: null })
      expect(yield* repair(paid, 4, 9 + 601)).toMatchObject({ finding: "different" })
      expect(yield* ordersOf(externalId, { live: true })).toHaveLength(1)
      expect(yield* notificationsOf(externalId)).toEqual([])
    })
  )
}
