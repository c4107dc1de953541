import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import {
  applyOne,
  type ContractSuite,
  expectProjection,
  nothingShown,
  notificationsOf,
  strangerId,
  trusting
} from "../ContractSuite.ts"
import { newScene, type Scene, subscriptionDelivery } from "../polarDeliveries.ts"

const hour = 3_600_000

/** All that is due, seen by several processes at once. */
const lookAtClock = Effect.gen(function* () {
  const store = yield* BillingStore
  const due = yield* store.recordsDue({ limit: 1000 })
  const looked = yield* Effect.forEach([1, 2, 3], () => store.lookAtClock(due, defaultPolicy), { concurrency: 3 })
  return looked.flatMap(({ lapsed }) => lapsed)
})

/** An ISO time so many milliseconds from now. */
const from = (millis: number) => Effect.map(Clock.currentTimeMillis, (now) => new Date(now + millis).toISOString())

const canceling = (scene: Scene, externalId: string, at: number, end: string) =>
  subscriptionDelivery(scene, "canceled", {
    externalId,
    at,
    patch: { status: "active", cancel_at_period_end: true, current_period_end: end, ends_at: end, ended_at: null }
  })

/** What the clock changes, and no event tells. */
export const clock = (suite: ContractSuite): void => {
  const { it, nextUser } = suite

  it.effect("a scheduled end that has passed is shown and told, once, whoever looks", () =>
    Effect.gen(function* () {
      const user = nextUser().id
      const scene = newScene()
      const end = yield* from(hour)
      yield* applyOne(canceling(scene, user, 1, end))
      // With the hour that is left for webhooks on their way.
      yield* TestClock.adjust("119 minutes")
      expect(yield* lookAtClock).not.toContain(scene.subscriptionId)
      yield* expectProjection(suite, user, { subscriptionId: scene.subscriptionId, status: "active" })
      expect(yield* notificationsOf(user)).toHaveLength(1)
      yield* TestClock.adjust("1 minute")
      expect(yield* lookAtClock).toEqual([scene.subscriptionId])
      yield* expectProjection(suite, user, { ...nothingShown, status: "canceled" })
      const told = yield* notificationsOf(user)
      expect(told.map(({ subscription }) => subscription.status)).toEqual(["canceled"])
      expect(yield* lookAtClock).toEqual([])

      // What Polar says at last is what the app was told.
      yield* applyOne(
        subscriptionDelivery(scene, "revoked", {
          externalId: user,
          at: 2,
          patch: { cancel_at_period_end: true, current_period_end: end, ends_at: end, ended_at: end }
        })
      )
      expect(yield* notificationsOf(user)).toEqual([])
      yield* expectProjection(suite, user, { ...nothingShown, status: "canceled" })
    })
  )

  it.effect("one that was called off in time ends nothing, and one that comes back is told", () =>
    Effect.gen(function* () {
      const user = nextUser().id
      const scene = newScene()
      const going = (at: number, end: string) =>
        subscriptionDelivery(scene, "uncanceled", {
          externalId: user,
          at,
          patch: {
            status: "active",
            cancel_at_period_end: false,
            current_period_end: end,
            ends_at: null,
            ended_at: null
          }
        })
      yield* applyOne(canceling(scene, user, 1, yield* from(hour)))
      yield* applyOne(going(2, yield* from(hour)))
      yield* TestClock.adjust("3 hours")
      expect(yield* lookAtClock).not.toContain(scene.subscriptionId)
      yield* expectProjection(suite, user, { status: "active" })
      yield* applyOne(canceling(scene, user, 3, yield* from(hour)))
      yield* TestClock.adjust("3 hours")
      expect(yield* lookAtClock).toEqual([scene.subscriptionId])
      yield* notificationsOf(user)
      yield* applyOne(going(4, yield* from(30 * 24 * hour)))
      expect((yield* notificationsOf(user)).map(({ subscription }) => subscription.status)).toEqual(["active"])
      yield* expectProjection(suite, user, { status: "active" })
    })
  )

  it.effect("what the clock ends after an operator has moved it is told after that, also where both wait", () =>
    Effect.gen(function* () {
      const [before, after] = [nextUser().id, nextUser().id]
      const scene = newScene()
      const store = yield* BillingStore
      yield* applyOne(canceling(scene, before, 1, yield* from(hour)))
      yield* store.changeLink(
        { changeId: randomUUID(), action: "move", id: scene.subscriptionId, to: after, by: null },
        defaultPolicy
      )
      yield* TestClock.adjust("2 hours")
      expect(yield* lookAtClock).toEqual([scene.subscriptionId])
      const told = yield* notificationsOf(after)
      expect(told.map(({ subscription }) => subscription.status)).toEqual(["active", "canceled"])
    })
  )

  it.effect("the end of grace is told, and not once more when nothing changes after it", () =>
    Effect.gen(function* () {
      const user = strangerId()
      const scene = newScene()
      const since = yield* from(0)
      const overdue = (at: number, amount: number) =>
        subscriptionDelivery(scene, "past_due", {
          externalId: user,
          at,
          patch: { status: "past_due", past_due_at: since, cancel_at_period_end: false, ends_at: null, amount }
        })
      yield* applyOne(overdue(1, 100), trusting)
      expect(yield* notificationsOf(user)).toHaveLength(1)
      yield* TestClock.adjust("7 days")
      expect(yield* lookAtClock).toEqual([scene.subscriptionId])
      const told = yield* notificationsOf(user)
      expect(told.map(({ subscription }) => subscription.status)).toEqual(["past_due"])
      yield* applyOne(overdue(2, 200), trusting)
      expect(yield* lookAtClock).toEqual([])
      expect(yield* notificationsOf(user)).toEqual([])
    })
  )

  it.effect("what arrives after its time is told as what it is by then", () =>
    Effect.gen(function* () {
      const user = nextUser().id
      const scene = newScene()
      yield* TestClock.adjust("3 hours")
      yield* applyOne(
        subscriptionDelivery(scene, "created", {
          externalId: user,
          at: 1,
          patch: { status: "trialing", current_period_end: yield* from(-2 * hour), cancel_at_period_end: false }
        })
      )
      expect((yield* notificationsOf(user)).map(({ subscription }) => subscription.status)).toEqual(["canceled"])
      expect(yield* lookAtClock).toEqual([])
      yield* expectProjection(suite, user, { ...nothingShown, status: "canceled" })
    })
  )

  it.effect("what is due comes in pages, each once", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const scenes = Array.from({ length: 5 }, () => newScene())
      const end = yield* from(hour)
      for (const scene of scenes) yield* applyOne(canceling(scene, strangerId(), 1, end), trusting)
      yield* TestClock.adjust("2 hours")
      const found: Array<string> = []
      let after: Effect.Effect.Success<ReturnType<typeof store.recordsDue>>[number] | undefined
      for (;;) {
        const page = yield* store.recordsDue({ after, limit: 2 })
        after = page.at(-1)
        if (after === undefined) break
        found.push(...page.map(({ id }) => id))
      }
      expect([...found].sort()).toEqual(scenes.map(({ subscriptionId }) => subscriptionId).sort())
      yield* lookAtClock
      expect(yield* store.recordsDue({ limit: 1 })).toEqual([])
      for (const { userId } of yield* store.recordPage({ kind: "subscription", which: "unlinked", limit: 1 })) {
        expect(userId).toBeNull()
      }
    })
  )
}
