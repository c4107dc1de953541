import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  applyEach,
  applyOne,
  type ContractSuite,
  customerOf,
  expectProjection,
  nothingShown,
  notificationsOf,
  recorded,
  subscriptionsOf
} from "../ContractSuite.ts"
import { newScene, subscriptionDelivery, subscriptionIn, unknownDelivery, unknownType } from "../polarDeliveries.ts"

/** What a subscription goes through, from the first event to the last. */
export const lifecycle = (suite: ContractSuite): void => {
  const { it, nextUser } = suite

  it.effect("created: the subscription, the link, the projection and the notification are there", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const created = subscriptionDelivery(scene, "created", { externalId })
      expect(yield* applyOne(created)).toEqual({
        id: created.id,
        state: "applied",
        duplicate: false,
        userId: externalId,
        notified: true
      })
      expect(yield* subscriptionsOf(externalId)).toEqual([subscriptionIn(created)])
      expect(yield* customerOf(externalId)).toBe(scene.customerId)
      yield* expectProjection(suite, externalId, {
        customerId: scene.customerId,
        subscriptionId: scene.subscriptionId,
        status: "active",
        productId: scene.productId,
        currentPeriodEnd: Date.parse("2026-11-05T14:22:08.000Z"),
        cancelAtPeriodEnd: false
      })
      const [notification, ...more] = yield* notificationsOf(externalId)
      expect(more).toEqual([])
      expect(notification?.subscription).toEqual({
        id: scene.subscriptionId,
        status: "active",
        productId: scene.productId,
        currentPeriodEnd: new Date("2026-11-05T14:22:08.412Z"),
        cancelAtPeriodEnd: false,
        seats: null,
        amount: 1900,
        currency: "usd",
        trialEndsAt: null,
        access: { entitlement: "granted", reason: "The subscription is active.", until: null }
      })
      expect(notification?.attempt).toBe(1)
    })
  )

  it.effect("a whole life: every step shows, and revoked takes it out of the live ones and of the projection", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const seen: Array<unknown> = []
      for (const [at, type] of ["created", "past_due", "resumed", "canceled", "uncanceled", "revoked"].entries()) {
        const delivery = subscriptionDelivery(scene, type, { externalId, at })
        const outcome = yield* applyOne(delivery)
        const [stored] = yield* subscriptionsOf(externalId)
        const live = yield* subscriptionsOf(externalId, "live")
        expect(stored).toEqual(subscriptionIn(delivery))
        seen.push([type, outcome.state, stored?.status, stored?.cancelAtPeriodEnd, live.length])
      }
      expect(seen).toEqual([
        ["created", "applied", "active", false, 1],
        ["past_due", "applied", "past_due", false, 1],
        ["resumed", "applied", "active", false, 1],
        ["canceled", "applied", "active", true, 1],
        ["uncanceled", "applied", "active", false, 1],
        ["revoked", "applied", "canceled", false, 0]
      ])
      yield* expectProjection(suite, externalId, {
        ...nothingShown,
        status: "canceled",
        customerId: scene.customerId
      })
      const told = yield* notificationsOf(externalId)
      expect(told.map(({ subscription }) => subscription.status).at(0)).toBe("active")
      expect(told.map(({ subscription }) => subscription.status).at(-1)).toBe("canceled")
    })
  )

  it.effect("a change that nobody can see queues no notification", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const patch = { current_period_end: "2026-11-05T14:22:08.412345Z", status: "active", cancel_at_period_end: false }
      const created = subscriptionDelivery(scene, "created", { externalId, patch })
      const active = subscriptionDelivery(scene, "active", { externalId, at: 1, patch: { ...patch, amount: 4242 } })
      const outcomes = yield* applyEach([created, active])
      expect(outcomes.map(({ notified, state }) => [state, notified])).toEqual([
        ["applied", true],
        ["applied", false]
      ])
      expect((yield* subscriptionsOf(externalId)).map(({ amount }) => amount)).toEqual([4242])
      expect(yield* notificationsOf(externalId)).toHaveLength(1)
    })
  )

  for (const [field, patch] of Object.entries({
    status: { status: "past_due" },
    productId: { product_id: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a99" },
    currentPeriodEnd: { current_period_end: "2027-01-05T14:22:08.412345Z" },
    cancelAtPeriodEnd: { cancel_at_period_end: true }
  })) {
    it.effect(`a change of ${field} queues a notification`, () =>
      Effect.gen(function* () {
        const { id: externalId } = nextUser()
        const scene = newScene()
        yield* applyOne(subscriptionDelivery(scene, "created", { externalId }))
        const updated = subscriptionDelivery(scene, "updated", {
          externalId,
          at: 1,
          fixture: "subscription.created",
          patch
        })
        expect((yield* applyOne(updated)).notified).toBe(true)
        expect(yield* notificationsOf(externalId)).toHaveLength(2)
      })
    )
  }

  it.effect("a status that nobody knows yet is kept as it is and is not live", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const patch = { status: "hibernating" }
      const delivery = subscriptionDelivery(newScene(), "created", { externalId, patch })
      expect((yield* applyOne(delivery)).state).toBe("applied")
      expect((yield* subscriptionsOf(externalId)).map(({ status }) => status)).toEqual(["hibernating"])
      expect(yield* subscriptionsOf(externalId, "live")).toEqual([])
      yield* expectProjection(suite, externalId, { ...nothingShown, status: "canceled" })
    })
  )

  it.effect("a user may have many subscriptions; each event concerns its own", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const { customerId } = newScene()
      const scenes = Array.from({ length: 5 }, () => newScene({ customerId }))
      const created = scenes.map((scene, at) => subscriptionDelivery(scene, "created", { externalId, at }))
      yield* applyEach(created)
      const [revoked] = scenes
      expect(revoked).toBeDefined()
      if (revoked === undefined) return
      yield* applyOne(subscriptionDelivery(revoked, "revoked", { externalId, at: 60 }))
      const live = yield* subscriptionsOf(externalId, "live")
      const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1)
      expect([...live].sort(byId)).toEqual(created.slice(1).map(subscriptionIn).sort(byId))
      expect(yield* subscriptionsOf(externalId)).toHaveLength(5)
    })
  )

  it.effect("an event of a type that is not known is recorded and changes nothing", () =>
    Effect.gen(function* () {
      const sent = unknownDelivery()
      expect(yield* applyOne(sent)).toMatchObject({ state: "ignored", userId: null, notified: false })
      expect(yield* recorded([sent.id])).toMatchObject([{ type: unknownType, recordKind: null, recordId: null }])
    })
  )
}
