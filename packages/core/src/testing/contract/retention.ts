import { expect } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { BillingStore } from "../../store/BillingStore.ts"
import {
  applyEach,
  applyOne,
  type ContractSuite,
  notificationsOf,
  recorded,
  strangerId,
  trusting
} from "../ContractSuite.ts"
import {
  customerDelivery,
  newScene,
  subscriptionDelivery,
  unknownDelivery,
  unreadableDelivery
} from "../polarDeliveries.ts"

/** What is forgotten, and what is kept for somebody to look into. */
export const retention = ({ it }: ContractSuite): void => {
  it.effect("deliveries are deleted when they are old and nothing is left to do, a few at a time", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const externalId = strangerId()
      const scene = newScene()
      // Before all that other cases have received.
      const old = (minute: number) => ({ receivedAt: Date.parse("2001-01-01T00:00:00Z") + minute * 60_000 })
      const settled = [
        subscriptionDelivery(scene, "created", { externalId, at: 2, ...old(1) }),
        subscriptionDelivery(scene, "updated", { externalId, at: 1, ...old(2) }),
        unknownDelivery(old(3))
      ]
      const kept = [customerDelivery(newScene(), "created", old(4)), unreadableDelivery(old(5))]
      const young = unknownDelivery(old(60))
      const before = new Date(old(30).receivedAt)
      // What other cases left.
      while ((yield* store.deleteSettledDeliveries(before, 100)) > 0);
      yield* applyEach([...settled, ...kept, young], trusting)
      const left = Effect.map(recorded([...settled, ...kept, young].map(({ id }) => id)), (rows) => rows.length)
      expect(yield* store.deleteSettledDeliveries(before, 2)).toBe(2)
      expect(yield* left).toBe(4)
      expect(yield* store.deleteSettledDeliveries(before, 2)).toBe(1)
      expect(yield* store.deleteSettledDeliveries(before, 2)).toBe(0)
      expect((yield* recorded([...settled, ...kept, young].map(({ id }) => id))).map(({ id }) => id)).toEqual(
        [young, ...[...kept].reverse()].map(({ id }) => id)
      )
      // One that comes again after that is nothing new to the record.
      expect((yield* applyOne(settled[0] ?? young, trusting)).notified).toBe(false)
    })
  )

  it.effect("notifications that were taken are deleted, and those that are not yet stay", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const [taken, waiting] = [strangerId(), strangerId()]
      yield* applyOne(subscriptionDelivery(newScene(), "created", { externalId: taken, at: 1 }), trusting)
      expect(yield* notificationsOf(taken)).toHaveLength(1)
      yield* TestClock.adjust("1 minute")
      const before = new Date(yield* Clock.currentTimeMillis)
      yield* applyOne(subscriptionDelivery(newScene(), "created", { externalId: waiting, at: 1 }), trusting)
      let deleted = 0
      for (;;) {
        const some = yield* store.deleteDoneNotifications(before, 50)
        if (some === 0) break
        deleted += some
      }
      expect(deleted).toBeGreaterThan(0)
      expect(yield* notificationsOf(waiting)).toHaveLength(1)
      expect(yield* store.deleteDoneNotifications(before, 50)).toBe(0)
    })
  )
}
