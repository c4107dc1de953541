import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { tables } from "../../adapter/tables.ts"
import { orderKind } from "../../records/Order.ts"
import { nobody } from "../../records/rows.ts"
import type { UserId } from "../../records/Subscription.ts"
import { subscriptionKind } from "../../records/subscriptionKind.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { pseudonymOf } from "../../rules/erasure.ts"
import { randomId } from "../../runtime/randomId.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { CheckoutId, CustomerId, ProductId } from "../../values/ids.ts"
import {
  allNotifications,
  applyEach,
  applyOne,
  type ContractSuite,
  customerOf,
  expectProjection,
  nothingShown,
  recorded,
  strangerId,
  trusting
} from "../ContractSuite.ts"
import {
  asReceived,
  customerDelivery,
  type GrantScene,
  newGrant,
  orderDelivery,
  subscriptionDelivery,
  subscriptionSnapshot
} from "../polarDeliveries.ts"
import { StoreDatabase } from "../StoreDatabase.ts"
import { bodiesOf, everythingOf, failToTell, idsOf, newPerson, type Person } from "./person.ts"

/** What stays of a user whom the app erases, and what later deliveries bring of them. */
export const erasure = (suite: ContractSuite): void => {
  const { it, nextUser } = suite

  /** All that the own tables hold, or what memory holds of these. */
  const textOf = (userId: UserId, scene: GrantScene) =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const database = yield* StoreDatabase
      const held = suite.hasDatabase
        ? yield* Effect.forEach(
            tables.map(({ name }) => name),
            database.rows
          )
        : [
            yield* store.personalData(userId, [scene.customerId]),
            yield* store.ownershipOf(userId),
            yield* store.deadNotifications(),
            yield* store.actions({ limit: 1000 })
          ]
      return JSON.stringify(held, (_, value) => (typeof value === "bigint" ? String(value) : value))
    })

  /** Somebody with all there is: a link, a checkout, what was told and was not, and what an operator put right. */
  const someone = Effect.gen(function* () {
    const store = yield* BillingStore
    const user = nextUser()
    const scene = newGrant()
    const person = newPerson()
    const checkoutId = CheckoutId.make(randomUUID())
    yield* store.recordCheckout(
      { id: checkoutId, userId: user.id, productId: ProductId.make(scene.productId) },
      defaultPolicy
    )
    const request = { customerId: CustomerId.make(scene.customerId), userId: user.id, linkedBy: "checkout" as const }
    yield* store.linkCustomer(request, defaultPolicy)
    const had = everythingOf(scene, person, user.id, 10)
    yield* applyEach(had, trusting)
    yield* store.changeLink(
      { changeId: randomUUID(), action: "move", id: scene.orderId, to: user.id, by: "Lin" },
      defaultPolicy
    )
    yield* failToTell(scene.subscriptionId, `nobody answers at ${person.name}`)
    const result = `It was user ${JSON.stringify(user.id)}.`
    for (const [subject, detail] of [
      [user.id, null],
      [scene.customerId, JSON.stringify({ to: user.id, dryRun: false })]
    ] as const)
      yield* store.recordAction({ who: "Lin", action: "customer.move", subject, detail, result })
    return { user, scene, person, had, checkoutId }
  })

  const erase = (
    userId: UserId,
    { own = [], shared = [] }: { readonly own?: ReadonlyArray<string>; readonly shared?: ReadonlyArray<string> }
  ) =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const pseudonym = pseudonymOf(yield* randomId)
      const { records } = yield* store.ownershipOf(userId)
      const others = records.filter(({ customerId }) => customerId === null || !own.includes(customerId))
      yield* store.eraseUser({ userId, pseudonym, own, shared, records: others }, defaultPolicy)
      return pseudonym as UserId
    })

  const expectGone = (userId: UserId, scene: GrantScene, person: Person) =>
    Effect.gen(function* () {
      const text = yield* textOf(userId, scene)
      expect(text).not.toContain(person.name)
      expect(text).not.toContain(userId)
    })

  it.effect("nothing leads to the user any more, and what was bought stays under a pseudonym", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const { checkoutId, had, person, scene, user } = yield* someone
      const other = yield* someone
      const before = yield* textOf(user.id, scene)
      expect(before).toContain(`nobody answers at ${person.name}`)
      expect(before.split(user.id).length).toBeGreaterThan(10)
      yield* expectProjection(suite, user.id, { customerId: scene.customerId, status: "active" })

      const pseudonym = yield* erase(user.id, { own: [scene.customerId] })
      yield* expectGone(user.id, scene, person)
      expect(yield* bodiesOf(had)).toEqual([])
      expect(yield* store.ownershipOf(user.id)).toEqual({ links: [], records: [], changes: [] })
      expect(yield* customerOf(user.id)).toBeNull()
      expect(yield* store.personalData(user.id, [])).toEqual({
        records: [],
        deliveries: [],
        checkouts: [],
        notifications: []
      })
      yield* expectProjection(suite, user.id, { ...nothingShown, customerId: null, status: null })

      const subscriptions = yield* store.subscriptionsOf(pseudonym, "all")
      expect(subscriptions.find(({ id }) => id === scene.subscriptionId)).toMatchObject({
        status: "active",
        metadata: {}
      })
      const orders = yield* store.recordsOf(orderKind, pseudonym)
      expect(orders.find(({ id }) => id === scene.orderId)).toMatchObject({ status: "paid", customFieldData: {} })
      expect(Option.getOrThrow(yield* store.checkout(checkoutId)).userId).toBe(pseudonym)
      const { changes, links } = yield* store.ownershipOf(pseudonym)
      expect(links).toMatchObject([{ customerId: scene.customerId, linkedBy: "erased" }])
      expect(changes).toMatchObject([{ toUserId: pseudonym, changedBy: "Lin" }])

      expect(yield* store.actions({ subject: pseudonym })).toMatchObject([
        { who: "Lin", detail: null, result: `It was user ${JSON.stringify(pseudonym)}.` }
      ])
      expect(yield* store.actions({ subject: scene.customerId })).toMatchObject([
        { detail: JSON.stringify({ to: pseudonym, dryRun: false }) }
      ])

      // Nobody else is touched.
      expect(yield* textOf(other.user.id, other.scene)).toContain(other.person.name)
      expect(yield* bodiesOf(other.had)).toHaveLength(other.had.length)
      const theirs = yield* store.subscriptionsOf(other.user.id, "live")
      expect(theirs.map(({ id }) => id)).toContain(other.scene.subscriptionId)
      yield* expectProjection(suite, other.user.id, { customerId: other.scene.customerId, status: "active" })
    })
  )

  it.effect("what Polar says later of the customer brings nothing back, and is told to nobody", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const { had, person, scene, user } = yield* someone
      yield* allNotifications
      const pseudonym = yield* erase(user.id, { own: [scene.customerId] })
      const older = everythingOf(scene, person, user.id, 5)
      const newer = everythingOf(scene, person, user.id, 30)
      const unseen = everythingOf(newGrant({ ...newGrant(), customerId: scene.customerId }), person, user.id, 31)
      const late = [...older, ...newer, ...unseen]
      yield* applyEach([...late, ...had], trusting)
      for (const delivery of had) yield* store.applyDeliveries([delivery], defaultPolicy, { ...trusting, replay: true })
      const read = subscriptionSnapshot(scene, "active", {
        changedAt: 40,
        externalId: user.id,
        patch: { metadata: person.says, customer: person.customer(scene.customerId, user.id) }
      })
      yield* store.applySnapshots([read], defaultPolicy, { dryRun: false, ...trusting })
      const ended = asReceived(
        subscriptionDelivery(scene, "revoked", { at: 50, externalId: user.id, patch: { metadata: person.says } })
      )
      expect(yield* applyOne(ended, trusting)).toMatchObject({ state: "applied", userId: pseudonym, notified: false })
      const gone = asReceived(customerDelivery(scene, "deleted", { externalId: user.id, at: 60 }))
      yield* applyOne(gone, trusting)

      yield* expectGone(user.id, scene, person)
      expect(yield* bodiesOf([...late, ended, gone])).toEqual([])
      expect(yield* store.ownershipOf(user.id)).toMatchObject({ links: [], records: [] })
      const { value } = Option.getOrThrow(yield* store.record(subscriptionKind, scene.subscriptionId))
      expect(value.status).toBe("canceled")
      expect((yield* allNotifications).filter((told) => told.userId === pseudonym || told.userId === user.id)).toEqual(
        []
      )
      yield* expectProjection(suite, user.id, { ...nothingShown, customerId: null, status: null })
    })
  )

  it.effect("of a customer that somebody else has something of, only the user's own goes", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const { person, scene, user } = yield* someone
      const friend = nextUser()
      const says = newPerson()
      const theirs = newGrant({ ...newGrant(), customerId: scene.customerId })
      const checkoutId = CheckoutId.make(randomUUID())
      yield* store.recordCheckout(
        { id: checkoutId, userId: friend.id, productId: ProductId.make(theirs.productId) },
        defaultPolicy
      )
      const bought = asReceived(
        subscriptionDelivery(theirs, "active", { at: 12, patch: { checkout_id: checkoutId, metadata: says.says } })
      )
      expect(yield* applyOne(bought)).toMatchObject({ userId: friend.id })

      const pseudonym = yield* erase(user.id, { shared: [scene.customerId] })
      const { records } = yield* store.personalData(pseudonym, [])
      expect(records.length).toBeGreaterThan(3)
      expect(JSON.stringify(records)).not.toContain(person.name)
      expect(yield* store.ownershipOf(user.id)).toEqual({ links: [], records: [], changes: [] })
      const [kept] = yield* store.subscriptionsOf(friend.id, "live")
      expect(kept).toMatchObject({ id: theirs.subscriptionId, metadata: { name: says.name } })
      expect(yield* bodiesOf([bought])).toEqual([bought.id])
      expect((yield* store.personalData(friend.id, [])).records).toHaveLength(1)
      // The link is ended: what comes of it later waits for somebody's word.
      expect(yield* store.usersOfCustomer(CustomerId.make(scene.customerId))).toEqual(new Set([pseudonym, friend.id]))
      const next = asReceived(
        orderDelivery(newGrant({ ...newGrant(), customerId: scene.customerId }), "paid.purchase", {
          at: 70,
          externalId: user.id
        })
      )
      expect(yield* applyOne(next, trusting)).toMatchObject({ state: "unlinked", userId: null })
      // What hangs on the erased user's own is theirs, and says nothing.
      const late = asReceived(
        subscriptionDelivery(scene, "updated", { at: 80, externalId: user.id, patch: { metadata: person.says } })
      )
      expect(yield* applyOne(late, trusting)).toMatchObject({ state: "applied", userId: pseudonym })
      const { value } = Option.getOrThrow(yield* store.record(subscriptionKind, scene.subscriptionId))
      expect(value.metadata).toEqual({})
      expect(yield* bodiesOf([late])).toEqual([])
    })
  )

  it.effect("somebody who comes back begins anew, and has nothing of before", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const { scene, user } = yield* someone
      const pseudonym = yield* erase(user.id, { own: [scene.customerId] })
      yield* store.linkCustomer(
        { customerId: CustomerId.make(scene.customerId), userId: user.id, linkedBy: "checkout" },
        defaultPolicy
      )
      expect(yield* customerOf(user.id)).toBe(scene.customerId)
      expect(yield* store.subscriptionsOf(user.id, "all")).toEqual([])
      const again = newGrant({ ...newGrant(), customerId: scene.customerId })
      const bought = asReceived(subscriptionDelivery(again, "active", { at: 90, externalId: user.id }))
      expect(yield* applyOne(bought)).toMatchObject({ state: "applied", userId: user.id })
      expect(yield* bodiesOf([bought])).toEqual([bought.id])
      yield* expectProjection(suite, user.id, { subscriptionId: again.subscriptionId, status: "active" })
      // What was bought before stays where it is, whatever comes of it.
      const late = asReceived(subscriptionDelivery(scene, "updated", { at: 95, externalId: user.id }))
      expect(yield* applyOne(late)).toMatchObject({ userId: pseudonym })
    })
  )

  it.effect("of whom nothing is stored, nothing is changed; and a second time finds nothing", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      yield* erase(strangerId(), {})
      const { scene, user } = yield* someone
      const first = yield* erase(user.id, { own: [scene.customerId] })
      const had = yield* store.personalData(first, [scene.customerId])
      yield* erase(user.id, {})
      expect(yield* store.personalData(first, [scene.customerId])).toEqual(had)
      expect((yield* recorded(idsOf(everythingOf(scene, newPerson(), user.id, 1)))).length).toBe(0)
      expect((yield* store.usersOfCustomer(CustomerId.make(scene.customerId))).has(nobody as UserId)).toBe(false)
    })
  )
}
