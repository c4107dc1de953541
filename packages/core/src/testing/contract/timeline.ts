import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Billing from "../../Billing.ts"
import * as PolarClient from "../../polar/PolarClient.ts"
import { CheckoutId, ProductId, type UserId } from "../../records/Subscription.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { layerElsewhere } from "../../useCases/NotificationDispatcher.ts"
import type { PersonFound, Timeline } from "../../useCases/timeline.ts"
import * as WebhookVerifier from "../../WebhookVerifier.ts"
import { allNotifications, applyOne, type ContractSuite, strangerId, trusting } from "../ContractSuite.ts"
import {
  customerDelivery,
  fixtureDelivery,
  grantDelivery,
  newGrant,
  newPurchase,
  newScene,
  orderDelivery,
  refundDelivery,
  subscriptionDelivery
} from "../polarDeliveries.ts"

const billing = Layer.provide(
  Billing.layer({ migrate: false, refreshWhenDenied: false }),
  Layer.mergeAll(PolarClient.layerMemory, layerElsewhere, WebhookVerifier.layerMemory)
)

/** All that is known of one person. */
export const timeline = ({ it, nextUser }: ContractSuite): void => {
  const show = (query: string) =>
    Effect.provide(
      Effect.flatMap(Billing.Billing, ({ customers }) => customers.timeline(query)),
      billing
    )

  const onePerson = (found: Timeline): PersonFound => {
    if (found.found !== "one") throw new Error(`one person was to be found, and not ${JSON.stringify(found)}`)
    return found
  }

  const recordCheckout = (id: string, userId: UserId, productId: string) =>
    Effect.flatMap(BillingStore, (store) =>
      store.recordCheckout({ id: CheckoutId.make(id), userId, productId: ProductId.make(productId) }, defaultPolicy)
    )

  it.effect("a buyer is found by every id and by both addresses, with all that is stored of them", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const user = nextUser()
      const scene = newGrant()
      const paidWith = `Pay_Er.${randomUUID()}@Example.test`
      yield* recordCheckout(scene.checkoutId, user.id, scene.productId)
      yield* applyOne(customerDelivery(scene, "created", { at: 1, externalId: user.id, email: paidWith }), trusting)
      yield* applyOne(
        subscriptionDelivery(scene, "created", {
          at: 2,
          externalId: user.id,
          patch: { checkout_id: scene.checkoutId }
        }),
        trusting
      )
      yield* applyOne(orderDelivery(scene, "paid.subscription_cycle", { at: 3, externalId: user.id }), trusting)
      yield* applyOne(grantDelivery(scene, "created.license_keys", { at: 4, externalId: user.id }), trusting)
      yield* applyOne(refundDelivery(scene, "created.partial", { at: 5 }), trusting)
      yield* applyOne(
        fixtureDelivery("product.created.recurring", scene.productId, {}, { patch: { name: "Pro" } }),
        trusting
      )
      yield* store.recordAction({
        who: "Lin",
        action: "user.reconcile",
        subject: user.id,
        detail: null,
        result: "done"
      })

      const byId = onePerson(yield* show(user.id))
      expect(byId).toMatchObject({
        foundBy: "user_id",
        user: { id: user.id, email: Option.getOrNull(user.email), isInTable: true },
        customers: [{ customerId: scene.customerId, email: paidWith.toLowerCase(), linkedBy: "external_id" }],
        access: { entitlement: "granted" },
        checkouts: [{ id: scene.checkoutId, productId: scene.productId }],
        actions: [{ who: "Lin", action: "user.reconcile" }],
        leftOut: [],
        polar: null
      })
      expect(byId.answer).toEqual({
        sentence: expect.stringContaining(`User ${user.id} has access by a subscription. The subscription is active`),
        helps: []
      })
      expect(byId.records.map(({ kind }) => kind).sort()).toEqual([
        "benefit_grant",
        "customer",
        "order",
        "refund",
        "subscription"
      ])
      expect(byId.records.find(({ kind }) => kind === "subscription")).toMatchObject({
        id: scene.subscriptionId,
        isLive: true,
        productName: "Pro",
        ownedBy: "checkout"
      })
      expect(byId.records.find(({ kind }) => kind === "order")).toMatchObject({
        amount: expect.any(Number),
        currency: "usd"
      })
      expect(byId.deliveries.map(({ type }) => type).sort()).toEqual([
        "benefit_grant.created",
        "customer.created",
        "order.paid",
        "refund.created",
        "subscription.created"
      ])
      expect(JSON.stringify(byId)).not.toContain('"body"')
      const times = byId.timeline.map(({ at }) => at.getTime())
      expect(times).toEqual([...times].sort((a, b) => a - b))
      expect(new Set(byId.timeline.map(({ type }) => type))).toEqual(
        new Set(["link", "checkout", "record", "delivery", "notification", "action"])
      )

      const others = [
        ["user_email", Option.getOrThrow(user.email).toUpperCase()],
        ["customer_email", ` ${paidWith} `],
        ["customer_id", scene.customerId],
        ["checkout_id", scene.checkoutId],
        ["record_id", scene.subscriptionId],
        ["record_id", scene.orderId],
        ["record_id", scene.refundId],
        ["record_id", scene.grantId]
      ] as const
      for (const [foundBy, query] of others) {
        const { query: asked, ...found } = onePerson(yield* show(query))
        expect({ ...found, query: asked }).toEqual({ ...byId, foundBy, query: query.trim() })
      }
    })
  )

  it.effect("nothing is a clear answer, also for what no database could hold", () =>
    Effect.gen(function* () {
      for (const query of [
        "",
        "   ",
        randomUUID(),
        strangerId(),
        "nobody@example.test",
        "%@%",
        "_@_._",
        "é".repeat(500)
      ]) {
        expect(yield* show(query)).toEqual({ found: "nothing", query: query.trim() })
      }
    })
  )

  it.effect("a customer that is nobody's is shown, with what waits, and how to link it", () =>
    Effect.gen(function* () {
      const purchase = newPurchase()
      yield* applyOne(subscriptionDelivery(purchase, "created", { at: 1 }))
      const found = onePerson(yield* show(purchase.subscriptionId))
      expect(found).toMatchObject({ foundBy: "record_id", user: null, access: null })
      expect(found.answer.helps).toEqual([
        expect.objectContaining({ command: `kavach-polar customers link ${purchase.customerId} --user ID` })
      ])
      expect(found.deliveries).toMatchObject([{ state: "unlinked" }])
      expect(found.timeline.filter(({ isTrouble }) => isTrouble)).toHaveLength(1)
      expect(onePerson(yield* show(purchase.customerId)).records).toEqual(found.records)
    })
  )

  it.effect("of an address that two people have, both are listed, and none is shown", () =>
    Effect.gen(function* () {
      const [user, scene] = [nextUser(), newScene()]
      const address = Option.getOrThrow(user.email)
      yield* applyOne(customerDelivery(scene, "created", { at: 1, email: address }))
      const found = yield* show(address)
      expect(found).toMatchObject({
        found: "several",
        candidates: [
          { userId: user.id, foundBy: "user_email" },
          { userId: null, customerId: scene.customerId, foundBy: "customer_email" }
        ]
      })
    })
  )

  it.effect("of a customer that two users share, each is shown what is theirs", () =>
    Effect.gen(function* () {
      const [one, other] = [nextUser(), nextUser()]
      const [first, second] = [newPurchase(), newPurchase()]
      const shared = { ...second, customerId: first.customerId }
      yield* recordCheckout(first.checkoutId, one.id, first.productId)
      yield* recordCheckout(second.checkoutId, other.id, second.productId)
      yield* applyOne(subscriptionDelivery(first, "created", { at: 1, patch: { checkout_id: first.checkoutId } }))
      yield* applyOne(subscriptionDelivery(shared, "created", { at: 2, patch: { checkout_id: shared.checkoutId } }))
      const [ofOne, ofOther] = [onePerson(yield* show(one.id)), onePerson(yield* show(other.id))]
      expect(ofOne.records.map(({ id }) => id)).toEqual([first.subscriptionId])
      expect(ofOther.records.map(({ id }) => id)).toEqual([shared.subscriptionId])
      expect(ofOne.deliveries.map(({ recordId }) => recordId)).toEqual([first.subscriptionId])
      expect(ofOther.deliveries.map(({ recordId }) => recordId)).toEqual([shared.subscriptionId])
      expect(yield* show(first.customerId)).toMatchObject({ found: "several" })
    })
  )

  it.effect("what the app was told, waits to be told and never took is shown with its state", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      yield* allNotifications
      const [user, scene] = [nextUser(), newScene()]
      yield* applyOne(subscriptionDelivery(scene, "created", { at: 1, externalId: user.id }), trusting)
      expect(onePerson(yield* show(user.id)).notifications).toMatchObject([
        { handler: "onSubscriptionChange", state: "pending", what: "subscription active", attempts: 0, error: null }
      ])
      expect(yield* store.notifications({ states: ["pending"], userId: user.id })).toHaveLength(1)
      const claim = { owner: "a", limit: 100, lease: Duration.minutes(1) }
      const { claimed } = yield* store.claimNotifications(claim)
      for (const { id } of claimed) yield* store.giveUpNotification(id, "a", "the mail server is down")
      const found = onePerson(yield* show(user.id))
      expect(found.notifications).toMatchObject([{ state: "dead", attempts: 1, error: "the mail server is down" }])
      expect(found.answer.helps).toMatchObject([{ command: `kavach-polar notifications retry --user '${user.id}'` }])
      expect(yield* store.notifications({ states: ["pending"], userId: user.id })).toEqual([])
      expect(yield* store.notifications({ states: ["dead", "done"], userId: user.id })).toMatchObject([
        { state: "dead", lastError: "the mail server is down" }
      ])
      yield* store.retryDeadNotifications({ userId: user.id })
      yield* allNotifications
      expect(onePerson(yield* show(user.id)).notifications).toMatchObject([{ state: "done" }])
    })
  )

  it.effect("of a long history the newest is shown, and it says that there is more", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const user = nextUser()
      for (let number = 1; number <= 201; number++) {
        yield* store.recordAction({ who: "Lin", action: `${number}`, subject: user.id, detail: null, result: "done" })
      }
      const found = onePerson(yield* show(user.id))
      expect(found.actions).toHaveLength(200)
      expect(found.leftOut).toEqual(["actions"])
    })
  )
}
