/** Subscriptions over time: what happens, in which order, and what it leaves. */
import { assert, describe, it } from "@effect/vitest"
import { Seed, Simulator, Subscriptions } from "@kavach-polar/simulator"
import { Effect, Either, TestClock } from "effect"
import { bought, layer, open, subscriptionNow, watch } from "./scene.ts"

describe("a purchase", () => {
  it.effect("tells all that Polar tells, in Polar's order", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const types = yield* watch
      const id = yield* open(Seed.products.pro.id, { customer_email: "ada@acme-mail.dev" })
      assert.deepStrictEqual(yield* types, ["checkout.created"])
      yield* simulator.pay(id)
      assert.deepStrictEqual(yield* types, [
        "checkout.updated",
        "customer.created",
        "customer.state_changed",
        "subscription.created",
        "subscription.active",
        "subscription.updated",
        "order.created",
        "order.updated",
        "order.paid",
        "checkout.updated",
        "customer.state_changed"
      ])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("renews for as long as it is paid, a month in no time", () =>
    Effect.gen(function* () {
      const id = yield* bought()
      const types = yield* watch
      const { current_period_end } = yield* subscriptionNow(id)
      yield* TestClock.adjust("32 days")
      assert.deepStrictEqual(yield* types, [
        "subscription.cycled",
        "subscription.updated",
        "order.created",
        "order.updated",
        "order.paid",
        "customer.state_changed"
      ])
      const renewed = yield* subscriptionNow(id)
      assert.strictEqual(renewed.current_period_start, current_period_end)
      assert.strictEqual(renewed.status, "active")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is past due when the charge fails, retried on days 2, 7, 14 and 21, and then over", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      for (let attempt = 0; attempt < 5; attempt++) yield* simulator.failNextPayment()
      const types = yield* watch
      const { current_period_end } = yield* subscriptionNow(id)
      yield* TestClock.adjust("32 days")
      assert.deepStrictEqual((yield* types).slice(2), [
        "order.created",
        "subscription.updated",
        "subscription.past_due",
        "customer.state_changed"
      ])
      assert.strictEqual((yield* subscriptionNow(id)).status, "past_due")
      yield* TestClock.adjust("30 days")
      assert.deepStrictEqual(yield* types, [
        "subscription.updated",
        "subscription.canceled",
        "subscription.revoked",
        "order.updated",
        "customer.state_changed"
      ])
      const over = yield* subscriptionNow(id)
      assert.strictEqual(over.status, "canceled")
      assert.isNotNull(over.past_due_at)
      const days = ((over.ended_at ?? 0) - current_period_end) / 86_400_000_000
      assert.closeTo(days, 21, 0.001)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("cancelled, it lasts until the period ends, and says canceled twice", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      const types = yield* watch
      yield* simulator.run(Subscriptions.cancel(id, {}))
      assert.deepStrictEqual(yield* types, ["subscription.updated", "subscription.canceled", "customer.state_changed"])
      assert.strictEqual((yield* subscriptionNow(id)).status, "active")
      yield* TestClock.adjust("32 days")
      assert.deepStrictEqual(yield* types, [
        "subscription.updated",
        "subscription.canceled",
        "subscription.revoked",
        "customer.state_changed"
      ])
      const again = yield* Effect.either(simulator.run(Subscriptions.uncancel(id)))
      assert.strictEqual(Either.isLeft(again) ? again.left.status : 200, 410)
    }).pipe(Effect.provide(layer()))
  )
})

describe("a trial", () => {
  it.effect("starts active in name, costs nothing, and becomes paid without being told active again", () =>
    Effect.gen(function* () {
      const types = yield* watch
      const id = yield* bought(Seed.products.trial.id)
      assert.include(yield* types, "subscription.active")
      assert.strictEqual((yield* subscriptionNow(id)).status, "trialing")
      yield* TestClock.adjust("15 days")
      assert.deepStrictEqual(yield* types, [
        "subscription.cycled",
        "subscription.updated",
        "order.created",
        "order.updated",
        "order.paid",
        "customer.state_changed"
      ])
      assert.strictEqual((yield* subscriptionNow(id)).status, "active")
    }).pipe(Effect.provide(layer()))
  )
})
