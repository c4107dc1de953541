import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  apply,
  applyEach,
  applyOne,
  type ContractSuite,
  notificationsOf,
  recorded,
  subscriptionsOf
} from "../ContractSuite.ts"
import { newScene, subscriptionDelivery, unknownDelivery, unreadableDelivery } from "../polarDeliveries.ts"

/** Polar delivers at least once; what arrives again does nothing again. */
export const duplicates = ({ it, nextUser }: ContractSuite): void => {
  it.effect("the same delivery again: one effect, one notification, and the answer of the first time", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const delivery = subscriptionDelivery(newScene(), "created", { externalId })
      const [first, second, third] = yield* applyEach([delivery, delivery, delivery])
      expect(first).toMatchObject({ state: "applied", duplicate: false, notified: true, userId: externalId })
      expect(second).toEqual({
        id: delivery.id,
        state: "applied",
        duplicate: true,
        notified: false,
        userId: externalId
      })
      expect(third).toEqual(second)
      expect(yield* subscriptionsOf(externalId)).toHaveLength(1)
      expect(yield* notificationsOf(externalId)).toHaveLength(1)
      expect(yield* recorded([delivery.id])).toMatchObject([{ attempts: 1 }])
    })
  )

  it.effect("a delivery id decides, whatever body comes with it", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const created = subscriptionDelivery(scene, "created", { externalId })
      yield* applyOne(created)
      const outcome = yield* applyOne(subscriptionDelivery(scene, "revoked", { id: created.id, externalId, at: 5 }))
      expect(outcome).toMatchObject({ state: "applied", duplicate: true })
      expect(yield* subscriptionsOf(externalId, "live")).toHaveLength(1)
    })
  )

  it.effect("fifty copies at once: one effect, one notification", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const delivery = subscriptionDelivery(newScene(), "created", { externalId })
      const copies = Array.from({ length: 50 }, () => applyOne(delivery))
      const outcomes = yield* Effect.all(copies, { concurrency: "unbounded" })
      expect(outcomes.filter(({ duplicate }) => !duplicate)).toHaveLength(1)
      expect(outcomes.filter(({ notified }) => notified)).toHaveLength(1)
      expect(new Set(outcomes.map(({ state, userId }) => `${state} ${userId}`))).toEqual(
        new Set([`applied ${externalId}`])
      )
      expect(yield* notificationsOf(externalId)).toHaveLength(1)
      expect(yield* recorded([delivery.id])).toMatchObject([{ attempts: 1 }])
    })
  )

  it.effect("two copies in one step: the second is the duplicate", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const delivery = subscriptionDelivery(newScene(), "created", { externalId })
      const outcomes = yield* apply(delivery, delivery)
      expect(outcomes.map(({ duplicate, notified }) => [duplicate, notified])).toEqual([
        [false, true],
        [true, false]
      ])
      expect(yield* notificationsOf(externalId)).toHaveLength(1)
    })
  )

  it.effect("ignored and stale deliveries are remembered too", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const checkout = unknownDelivery()
      const newer = subscriptionDelivery(scene, "canceled", { externalId, at: 9 })
      const older = subscriptionDelivery(scene, "created", { externalId, at: 1 })
      const outcomes = yield* applyEach([checkout, newer, older, checkout, older])
      expect(outcomes.map(({ duplicate, state }) => [state, duplicate])).toEqual([
        ["ignored", false],
        ["applied", false],
        ["stale", false],
        ["ignored", true],
        ["stale", true]
      ])
    })
  )

  it.effect("a delivery that failed runs again, and its attempts are counted", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const broken = unreadableDelivery({ at: 3 })
      const fixed = subscriptionDelivery(scene, "created", { id: broken.id, externalId, at: 3 })
      const outcomes = yield* applyEach([broken, broken, fixed, fixed])
      expect(outcomes.map(({ duplicate, notified, state }) => [state, duplicate, notified])).toEqual([
        ["failed", false, false],
        ["failed", false, false],
        ["applied", false, true],
        ["applied", true, false]
      ])
      expect(yield* recorded([broken.id])).toMatchObject([{ state: "applied", attempts: 3, lastError: null }])
      expect(yield* subscriptionsOf(externalId)).toHaveLength(1)
    })
  )

  it.effect("a failed delivery says why, without values", () =>
    Effect.gen(function* () {
      const broken = unreadableDelivery()
      yield* applyOne(broken)
      const [row] = yield* recorded([broken.id])
      expect(row).toMatchObject({ state: "failed", type: "subscription.updated", attempts: 1, userId: null })
      expect(row?.lastError).toMatch(/is missing|is not what Polar documents/)
      expect(row?.body).toBe(broken.body)
    })
  )

  it.effect("an unlinked delivery runs again, and is applied once its user is known", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const unlinked = subscriptionDelivery(scene, "created")
      const outcomes = yield* applyEach([unlinked, unlinked])
      expect(outcomes.map(({ duplicate, state }) => [state, duplicate])).toEqual([
        ["unlinked", false],
        ["unlinked", false]
      ])
      // The same event, whose customer has got an external id since.
      const linked = subscriptionDelivery(scene, "created", { id: unlinked.id, externalId })
      expect(yield* applyOne(linked)).toMatchObject({ state: "applied", duplicate: false, notified: true })
      expect(yield* recorded([unlinked.id])).toMatchObject([{ state: "applied", attempts: 3, userId: externalId }])
      expect(yield* notificationsOf(externalId)).toHaveLength(1)
    })
  )
}
