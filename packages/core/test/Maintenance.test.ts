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
import { Array as Arr, Duration, Effect, Exit, Layer, Option, Scope, TestClock } from "effect"
import { subscriptionChanges } from "../src/testing/subscriptionChanges.ts"
import { anonymousCustomer, deliveryOf, fixture, subscriptionIn, vary } from "./deliveries.ts"

const start = Date.parse("2026-10-05T15:00:00Z")

const layer = (options?: Maintenance.MaintenanceOptions, billingOptions?: Billing.BillingOptions) => {
  const ports = Layer.mergeAll(
    BillingStore.layerMemory,
    PolarClient.layerMemory,
    WebhookVerifier.layerMemory,
    SubscriptionListener.layerMemory
  )
  const billing = Layer.provideMerge(
    Billing.layer(billingOptions),
    Layer.provideMerge(NotificationDispatcher.layerElsewhere, ports)
  )
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
const quiet = { linkEvery: "1 day", clockEvery: "1 day" } as const

describe("bodies", () => {
  it.effect("are forgotten after their time, all of them; the deliveries stay known for 90 days", () =>
    Effect.gen(function* () {
      yield* receive(1000, start - 30 * day + 2 * hour)
      yield* receive(10, start - 30 * day + 6 * hour)
      yield* TestClock.adjust("119 minutes")
      assert.deepStrictEqual(yield* bodiesLeft, { known: 1010, withBody: 1010 })
      yield* TestClock.adjust("62 minutes")
      assert.deepStrictEqual(yield* bodiesLeft, { known: 1010, withBody: 10 })
      const store = yield* BillingStore.BillingStore
      const [known] = yield* store.deliveries({ order: "oldest", limit: 1 })
      const again = deliveryOf(known?.id ?? "none", fixture("order.paid"), start)
      assert.isTrue((yield* store.applyDeliveries([again], defaultPolicy))[0].duplicate)
    }).pipe(Effect.provide(layer({ ...quiet, retention: "30 days" })))
  )

  it.effect("and then the deliveries are forgotten too, and those that failed are not", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore.BillingStore
      yield* receive(500, start - 89 * day)
      yield* store.applyDeliveries(
        [deliveryOf("failed", new TextEncoder().encode("{}"), start - 200 * day)],
        defaultPolicy
      )
      yield* TestClock.adjust("20 hours")
      assert.strictEqual((yield* bodiesLeft).known, 501)
      yield* TestClock.adjust("6 hours")
      assert.deepStrictEqual(yield* bodiesLeft, { known: 1, withBody: 0 })
    }).pipe(Effect.provide(layer({ ...quiet, retention: "1 day" })))
  )

  it.effect("as long as is asked for, and a day at the least", () =>
    Effect.gen(function* () {
      yield* receive(3, start)
      yield* TestClock.adjust("23 hours")
      assert.strictEqual((yield* bodiesLeft).withBody, 3)
      yield* TestClock.adjust("3 hours")
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
      const [outcome] = yield* store.applyDeliveries([deliveryOf("evt_1", body, start)], defaultPolicy, {
        users: { externalIds: "known" }
      })
      assert.strictEqual(outcome.state, "unlinked")
      yield* TestClock.adjust("1 hour")
      assert.isTrue(Option.isNone(yield* billing.getSubscription(late)))
      yield* store.recordCheckout(
        { id: CheckoutId.make("c"), userId: late, productId: ProductId.make("p") },
        defaultPolicy
      )
      yield* TestClock.adjust("5 minutes")
      assert.isTrue(Option.isSome(yield* billing.getSubscription(late)))
      assert.strictEqual(yield* billing.linkWaiting, 0)
    }).pipe(Effect.provide(layer({}, { externalIds: "known" })))
  )
})

describe("what one process at a time does", () => {
  it.effect("is left to it for as long as it takes, and taken over when it dies", () =>
    Effect.gen(function* () {
      let underWay = 0
      let most = 0
      let begun = 0
      const slow = Effect.acquireUseRelease(
        Effect.sync(() => {
          begun += 1
          underWay += 1
          most = Math.max(most, underWay)
        }),
        () => Effect.as(Effect.sleep("20 minutes"), 0),
        () =>
          Effect.sync(() => {
            underWay -= 1
          })
      )
      const billing = Layer.effect(
        Billing.Billing,
        Effect.map(Billing.Billing, (service): Billing.BillingService => ({ ...service, linkWaiting: slow }))
      ).pipe(Layer.provide(Billing.layer()), Layer.provide(NotificationDispatcher.layerElsewhere))
      const process = Layer.provide(Maintenance.layer({ clockEvery: "1 day", linkEvery: "5 minutes" }), billing)
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      for (const scope of [first, second]) yield* Layer.buildWithScope(Layer.fresh(process), scope)
      yield* TestClock.adjust("19 minutes")
      assert.deepStrictEqual([begun, most], [1, 1])
      // Whichever of them is at it.
      yield* Scope.close(first, Exit.void)
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual(most, 1)
      assert.isAtLeast(begun, 2)
      yield* Scope.close(second, Exit.void)
    }).pipe(
      Effect.provide(
        Layer.mergeAll(
          BillingStore.layerMemory,
          PolarClient.layerMemory,
          WebhookVerifier.layerMemory,
          SubscriptionListener.layerMemory
        )
      )
    )
  )
})

describe("what ends by the clock", () => {
  const ending = (status: string, end: string) =>
    deliveryOf(
      "evt_1",
      vary("subscription.active", {
        data: { status, current_period_end: end, cancel_at_period_end: false, trial_end: end }
      }),
      start
    )
  const user = UserId.make("usr_1042")

  it.effect("is told within a minute, and Polar is asked first", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore.BillingStore
      const billing = yield* Billing.Billing
      const { putSubscription } = yield* PolarClient.MemoryPolar
      yield* store.applyDeliveries([ending("trialing", "2026-10-05T16:00:00Z")], defaultPolicy)
      yield* TestClock.adjust("119 minutes")
      assert.strictEqual((yield* billing.access(user)).entitlement, "granted")
      yield* putSubscription(
        subscriptionIn(
          deliveryOf(
            "any",
            vary("subscription.active", {
              data: {
                status: "active",
                current_period_end: "2026-11-05T16:00:00Z",
                cancel_at_period_end: false,
                modified_at: "2026-10-05T16:00:10Z"
              }
            })
          )
        )
      )
      yield* TestClock.adjust("2 minutes")
      const renewed = yield* billing.access(user)
      assert.strictEqual(renewed.entitlement, "granted")
      assert.strictEqual(Option.getOrThrow(yield* billing.getSubscription(user)).status, "active")
    }).pipe(Effect.provide(layer({ linkEvery: "1 day" })))
  )

  it.effect("and where Polar does not know better, it is over", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore.BillingStore
      const billing = yield* Billing.Billing
      yield* store.applyDeliveries([ending("trialing", "2026-10-05T16:00:00Z")], defaultPolicy)
      yield* TestClock.adjust("2 hours")
      const access = yield* billing.access(user)
      assert.strictEqual(access.entitlement, "denied")
      assert.include(access.reason, "The trial ended on 2026-10-05T16:00:00.000Z")
      assert.isTrue(Option.isNone(yield* billing.getSubscription(user)))
      assert.isTrue(Option.isNone(yield* billing.currentSubscription(user)))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* store.recordsDue({ limit: 9 }), [])
      assert.strictEqual((yield* billing.access(user, { at: new Date("2026-10-05T15:30:00Z") })).entitlement, "granted")
      const told: Array<string> = []
      for (;;) {
        const { claimed } = yield* store.claimNotifications({ owner: "a", limit: 9, lease: Duration.minutes(1) })
        if (claimed.length === 0) break
        for (const { id, subscription } of subscriptionChanges(claimed)) {
          told.push(subscription.status)
          yield* store.completeNotifications([id], "a")
        }
      }
      assert.deepStrictEqual(told, ["trialing", "canceled"])
    }).pipe(Effect.provide(layer({ linkEvery: "1 day" })))
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
