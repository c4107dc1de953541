/** The rules over time, in process: what happens, in which order, and what it leaves. */
import { assert, describe, it } from "@effect/vitest"
import { PlanChange, Seed, Simulator, Subscriptions } from "@kavach-polar/simulator"
import { Effect, Either, HashMap, Layer, TestClock } from "effect"

const TestSimulator = Simulator.layer().pipe(Layer.provide(Simulator.layerNoNetwork))

const checkoutBody = (product: string, extra: object = {}) =>
  new Request("http://polar.invalid/v1/checkouts/", {
    method: "POST",
    headers: { authorization: `Bearer ${Simulator.accessToken}` },
    body: JSON.stringify({ products: [product], ...extra })
  })

interface Opened {
  readonly id: string
}

const open = (product: string, extra: object = {}) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const response = yield* simulator.handle(checkoutBody(product, extra))
    assert.strictEqual(response.status, 201)
    const opened = yield* Effect.promise(async (): Promise<Opened> => JSON.parse(await response.text()))
    return opened.id
  })

/** The types of what happened since the last look. */
const watch = Effect.gen(function* () {
  const simulator = yield* Simulator.Simulator
  let seen = (yield* simulator.emitted).length
  return Effect.map(simulator.emitted, (all) => {
    const fresh = all.slice(seen).map(({ type }) => type)
    seen = all.length
    return fresh
  })
})

const subscriptionNow = (id: string) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    return yield* simulator.read(({ tables }) => HashMap.unsafeGet(tables.subscriptions, id))
  })

const bought = (product: string = Seed.products.pro.id, extra: object = {}) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const id = yield* open(product, { customer_email: "ada@acme-mail.dev", external_customer_id: "usr_1", ...extra })
    const { subscription } = yield* simulator.pay(id)
    assert.isNotNull(subscription)
    return subscription.id
  })

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
    }).pipe(Effect.provide(TestSimulator))
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
    }).pipe(Effect.provide(TestSimulator))
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
    }).pipe(Effect.provide(TestSimulator))
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
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("changed for a cheaper plan at once, its credit pays the next invoices", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      yield* TestClock.adjust("1 day")
      yield* simulator.run(
        PlanChange.updatePlan(id, { product_id: Seed.products.free.id, proration_behavior: "invoice" })
      )
      const changed = yield* subscriptionNow(id)
      assert.strictEqual(changed.amount, 0)
      assert.isBelow(
        changed.pending_items.reduce((sum, { amount }) => sum + amount, 0),
        0
      )
    }).pipe(Effect.provide(TestSimulator))
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
    }).pipe(Effect.provide(TestSimulator))
  )
})

describe("whose purchase it is", () => {
  it.effect("the e-mail address decides, and the external id of the checkout is dropped", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* bought(Seed.products.free.id)
      const id = yield* open(Seed.products.pro.id, { external_customer_id: "usr_2" })
      const refusal = yield* Effect.flip(simulator.pay(id, { customer_email: "ADA@acme-mail.dev" }))
      assert.strictEqual(refusal.error, "AlreadyActiveSubscriptionError")
    }).pipe(Effect.provide(TestSimulator))
  )
})
