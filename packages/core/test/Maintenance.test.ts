import { assert, describe, it } from "@effect/vitest"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as Maintenance from "@kavach-polar/core/Maintenance"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { PolarUnavailable } from "@kavach-polar/core/PolarError"
import { CheckoutId, ProductId, UserId } from "@kavach-polar/core/Subscription"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Array as Arr, Effect, Layer, Option, TestClock } from "effect"
import { anonymousCustomer, deliveryOf, fixture, subscriptionIn, vary } from "./deliveries.ts"

const start = Date.parse("2026-10-05T15:00:00Z")

const layer = (options?: Maintenance.MaintenanceOptions) => {
  const ports = Layer.mergeAll(
    BillingStore.layerMemory,
    PolarClient.layerMemory,
    WebhookVerifier.layerMemory,
    SubscriptionListener.layerMemory
  )
  const billing = Layer.provideMerge(Billing.layer(), Layer.provideMerge(NotificationDispatcher.layerElsewhere, ports))
  return Layer.unwrapEffect(
    Effect.as(TestClock.setTime(start), Layer.provideMerge(Maintenance.layer(options), billing))
  )
}

const bodiesLeft = Effect.gen(function* () {
  const store = yield* BillingStore.BillingStore
  const rows = yield* store.deliveries({ limit: 10_000 })
  return { known: rows.length, withBody: rows.filter(({ body }) => body !== null).length }
})

const hour = 3_600_000
const day = 24 * hour

const receive = (count: number, receivedAt: number) =>
  Effect.gen(function* () {
    const store = yield* BillingStore.BillingStore
    const deliveries = Arr.makeBy(count, (index) =>
      deliveryOf(`evt-${receivedAt}-${index}`, fixture("order.paid"), receivedAt)
    )
    yield* store.applyDeliveries(deliveries, defaultPolicy)
  })

// A clock that is moved by hand goes from sleep to sleep, so few of them.
const quiet = { linkEvery: "1 day" } as const

describe("bodies", () => {
  it.effect("are forgotten after 90 days, all of them; the deliveries stay known", () =>
    Effect.gen(function* () {
      yield* receive(1000, start - 90 * day + 2 * hour)
      yield* receive(10, start - 90 * day + 6 * hour)
      yield* TestClock.adjust("119 minutes")
      assert.deepStrictEqual(yield* bodiesLeft, { known: 1010, withBody: 1010 })
      yield* TestClock.adjust("62 minutes")
      assert.deepStrictEqual(yield* bodiesLeft, { known: 1010, withBody: 10 })
      const store = yield* BillingStore.BillingStore
      const [known] = yield* store.deliveries({ order: "oldest", limit: 1 })
      const again = deliveryOf(known?.id ?? "none", fixture("order.paid"), start)
      assert.isTrue((yield* store.applyDeliveries([again], defaultPolicy))[0].duplicate)
    }).pipe(Effect.provide(layer(quiet)))
  )

  it.effect("as long as is asked for", () =>
    Effect.gen(function* () {
      yield* receive(3, start)
      yield* TestClock.adjust("5 hours")
      assert.strictEqual((yield* bodiesLeft).withBody, 3)
      yield* TestClock.adjust("2 hours")
      assert.strictEqual((yield* bodiesLeft).withBody, 0)
    }).pipe(Effect.provide(layer({ ...quiet, retention: "5 hours" })))
  )

  it.effect("or for ever", () =>
    Effect.gen(function* () {
      yield* receive(3, start - 4000 * day)
      yield* TestClock.adjust("5 hours")
      assert.strictEqual((yield* bodiesLeft).withBody, 3)
    }).pipe(Effect.provide(layer({ ...quiet, retention: Number.POSITIVE_INFINITY })))
  )
})

describe("what waits for its user", () => {
  it.effect("is given to them within minutes of their being there", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore.BillingStore
      const billing = yield* Billing.Billing
      const late = UserId.make("usr_late")
      const body = vary("subscription.active", {
        data: { ...anonymousCustomer("cus-1"), metadata: { kavach_user_id: late } }
      })
      const [outcome] = yield* store.applyDeliveries([deliveryOf("evt_1", body, start)], defaultPolicy)
      assert.strictEqual(outcome.state, "unlinked")
      yield* TestClock.adjust("1 hour")
      assert.isTrue(Option.isNone(yield* billing.getSubscription(late)))
      yield* store.recordCheckout({ id: CheckoutId.make("c"), userId: late, productId: ProductId.make("p") })
      yield* TestClock.adjust("5 minutes")
      assert.isTrue(Option.isSome(yield* billing.getSubscription(late)))
      assert.strictEqual(yield* billing.linkWaiting, 0)
    }).pipe(Effect.provide(layer()))
  )
})

describe("the schedule", () => {
  const put = Effect.gen(function* () {
    const { putSubscription } = yield* PolarClient.MemoryPolar
    yield* putSubscription(subscriptionIn(deliveryOf("any", fixture("subscription.active"))))
  })
  const lastRun = Effect.flatMap(BillingStore.BillingStore, (store) =>
    Effect.map(store.job("reconcile"), (job) => Option.getOrNull(job)?.finishedAt ?? null)
  )

  it.effect("is off unless asked for", () =>
    Effect.gen(function* () {
      yield* put
      yield* TestClock.adjust("1 day")
      assert.isNull(yield* lastRun)
    }).pipe(Effect.provide(layer(quiet)))
  )

  it.effect("compares once in the time given, also after an outage of Polar's", () =>
    Effect.gen(function* () {
      yield* put
      const { failNext } = yield* PolarClient.MemoryPolar
      yield* failNext(
        new PolarUnavailable({
          operation: "list subscriptions",
          status: null,
          reason: "out",
          retryAfterSeconds: null,
          mayHaveActed: false
        })
      )
      yield* TestClock.adjust("10 minutes")
      assert.isNull(yield* lastRun)
      yield* TestClock.adjust("10 minutes")
      const first = yield* lastRun
      assert.isNotNull(first)
      const billing = yield* Billing.Billing
      assert.isTrue(Option.isSome(yield* billing.getSubscription(UserId.make("usr_1042"))))
      yield* TestClock.adjust("110 minutes")
      assert.deepStrictEqual(yield* lastRun, first)
      yield* TestClock.adjust("20 minutes")
      assert.notStrictEqual((yield* lastRun)?.getTime(), first?.getTime())
    }).pipe(Effect.provide(layer({ ...quiet, reconcileEvery: "2 hours" })))
  )
})
