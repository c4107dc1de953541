import { assert, describe, it } from "@effect/vitest"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import type { Delivery } from "@kavach-polar/core/Delivery"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import type { ReplayProgress } from "@kavach-polar/core/Replay"
import { UserId } from "@kavach-polar/core/Subscription"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Array as Arr, Effect, Layer, Ref, TestClock } from "effect"
import * as DeliveryContent from "../src/records/deliveryContent.ts"
import { anonymousCustomer, at, deliveryOf, fixture, vary } from "./deliveries.ts"

const ada = UserId.make("usr_1042")
const start = Date.parse("2026-10-05T15:00:00Z")

const layer = (options?: Billing.BillingOptions) => {
  const ports = Layer.mergeAll(
    BillingStore.layerMemory,
    PolarClient.layerMemory,
    WebhookVerifier.layerMemory,
    SubscriptionListener.layerMemory
  )
  const billing = Layer.provideMerge(Billing.layer(options), Layer.provideMerge(NotificationDispatcher.layer(), ports))
  // Before the dispatcher looks at the clock: it would make good every look since 1970.
  return Layer.unwrapEffect(Effect.as(TestClock.setTime(start), billing))
}

/** As they were recorded, an hour ago. */
const record = (...deliveries: readonly [Delivery, ...ReadonlyArray<Delivery>]) =>
  Effect.gen(function* () {
    const store = yield* BillingStore.BillingStore
    yield* store.applyDeliveries(deliveries, defaultPolicy)
    yield* TestClock.adjust("1 hour")
  })

/** As it was received by a version that did not know its type. */
const unknownThen = (id: string, body: Uint8Array, receivedAt = start): Delivery => ({
  id,
  receivedAt,
  ...DeliveryContent.readBytes(body, undefined, { kindOf: () => undefined })
})

const at0 = (() => {
  const { content } = deliveryOf("any", fixture("subscription.active"))
  if (content._tag === "UnreadableEvent") throw new Error("unreadable")
  return content.at
})()

const told = Effect.gen(function* () {
  yield* TestClock.adjust("1 minute")
  const received = yield* Ref.get(yield* SubscriptionListener.ReceivedNotifications)
  return received.map(({ subscription, userId }) => `${userId} ${subscription.status}`)
})

const replay = (query: Parameters<Billing.BillingService["replay"]>[0] = {}) =>
  Effect.flatMap(Billing.Billing, (billing) => billing.replay(query))

describe("replay", () => {
  it.effect("applies what an earlier version did not know, and tells the app", () =>
    Effect.gen(function* () {
      const delivery = unknownThen("evt_1", fixture("subscription.active"))
      assert.strictEqual(delivery.content._tag, "OtherEvent")
      yield* record(delivery)
      const report = yield* replay({ states: ["ignored"] })
      assert.deepStrictEqual(report, {
        replayed: 1,
        changed: 1,
        states: { applied: 1, stale: 0, ignored: 0, unlinked: 0, failed: 0 },
        notified: 1,
        retried: 0,
        withoutBody: 0,
        encrypted: 0
      })
      assert.deepStrictEqual(yield* told, [`${ada} active`])
      assert.deepInclude(yield* replay(), { replayed: 1, changed: 0, notified: 0 })
      assert.lengthOf(yield* told, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("of a mistaken organization: once it is set right, its deliveries are applied", () =>
    Effect.gen(function* () {
      const foreign: Delivery = {
        ...deliveryOf("evt_1", fixture("subscription.active"), start),
        content: {
          _tag: "ForeignEvent",
          type: "subscription.active",
          at: at0,
          problem: "it is another's",
          organizationId: null
        }
      }
      yield* record(foreign)
      assert.deepInclude(yield* replay(), { changed: 1, notified: 1 })
    }).pipe(Effect.provide(layer({ organizationId: "0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01" })))
  )

  it.effect("obeys order: an old event that runs again does not bring its state back", () =>
    Effect.gen(function* () {
      yield* record(
        deliveryOf("active", vary("subscription.active", { timestamp: at(1) }), start),
        deliveryOf("revoked", vary("subscription.revoked", { timestamp: at(2) }), start + 1)
      )
      yield* told
      const before = yield* Effect.flatMap(Billing.Billing, (billing) => billing.listSubscriptions(ada))
      const report = yield* replay({ types: ["subscription.active"] })
      assert.deepInclude(report, { replayed: 1, changed: 0, notified: 0 })
      const billing = yield* Billing.Billing
      assert.deepStrictEqual(yield* billing.listSubscriptions(ada), before)
      // Only the last state of the two was ever due, as one step applied both.
      assert.notInclude((yield* told).slice(1), `${ada} active`)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("by id, type, state and time, and each once over many pages", () =>
    Effect.gen(function* () {
      const bodies = Arr.makeBy(250, (index) =>
        vary("subscription.active", {
          timestamp: at(index),
          data: { id: `sub-${index % 7}`, ...anonymousCustomer("cus-1", "user-1") }
        })
      )
      const [first, ...rest] = bodies.map((body, index) =>
        unknownThen(`evt-${index}`, body, start + Math.floor(index / 3))
      )
      if (first === undefined) return assert.fail()
      yield* record(first, ...rest)
      const seen: Array<ReplayProgress> = []
      const billing = yield* Billing.Billing
      assert.deepInclude(yield* replay({ ids: ["evt-3", "evt-4", "nobody"] }), { replayed: 2 })
      assert.deepInclude(yield* replay({ types: ["subscription.paused"] }), { replayed: 0 })
      assert.deepInclude(yield* replay({ receivedBefore: new Date(start + 1) }), { replayed: 3 })
      assert.deepInclude(yield* replay({ receivedAfter: new Date(start + 82), receivedBefore: new Date(start + 83) }), {
        replayed: 3
      })
      const report = yield* billing.replay(
        {},
        { onProgress: (progress) => Effect.sync(() => void seen.push(progress)) }
      )
      assert.strictEqual(report.replayed, 250)
      assert.isAbove(seen.length, 5)
      assert.deepStrictEqual(seen.at(-1), { ...report, total: 250 })
      const subscriptions = yield* billing.listSubscriptions(UserId.make("user-1"))
      assert.lengthOf(subscriptions, 7)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("of what has no body any more says so", () =>
    Effect.gen(function* () {
      yield* record(unknownThen("evt_1", fixture("subscription.active")), unknownThen("evt_2", fixture("order.paid")))
      const store = yield* BillingStore.BillingStore
      yield* store.pruneDeliveryBodies(new Date(start + 1), 1)
      assert.deepInclude(yield* replay(), { replayed: 1, withoutBody: 1 })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("reads what is kept to the byte, whatever is in it", () =>
    Effect.gen(function* () {
      const body = vary("subscription.active", { data: { metadata: { text: "ünï ✓ \u2028 𝄞" } } })
      yield* record(unknownThen("evt_1", body))
      yield* replay()
      const billing = yield* Billing.Billing
      const [subscription] = yield* billing.listSubscriptions(ada)
      assert.deepStrictEqual(subscription?.metadata, { text: "ünï ✓ \u2028 𝄞" })
    }).pipe(Effect.provide(layer()))
  )
})

describe("what was given up of the same records", () => {
  it.effect("is told again, all of it, however many that is", () => {
    let dead = 230
    const store = Layer.effect(
      BillingStore.BillingStore,
      Effect.map(BillingStore.BillingStore, (store) => ({
        ...store,
        countNotifications: () => Effect.sync(() => ({ unsettled: 0, waiting: 0, dead })),
        deadNotifications: () => Effect.succeed([]),
        // As many go in one step.
        retryDeadNotifications: () =>
          Effect.sync(() => {
            const retried = Math.min(dead, 100)
            dead -= retried
            return { retried, superseded: 0 }
          })
      }))
    ).pipe(Layer.provide(BillingStore.layerMemory))
    const ports = Layer.mergeAll(
      store,
      PolarClient.layerMemory,
      WebhookVerifier.layerMemory,
      SubscriptionListener.layerMemory
    )
    const billing = Layer.provideMerge(Billing.layer(), Layer.provideMerge(NotificationDispatcher.layer(), ports))
    return Effect.gen(function* () {
      yield* record(deliveryOf("evt-1", fixture("subscription.active")))
      const { replay } = yield* Billing.Billing
      assert.strictEqual((yield* replay({}, { dryRun: true })).retried, 230)
      assert.strictEqual(dead, 230)
      assert.strictEqual((yield* replay({})).retried, 230)
      assert.strictEqual(dead, 0)
    }).pipe(Effect.provide(Layer.unwrapEffect(Effect.as(TestClock.setTime(start), billing))))
  })
})
