/** Rules about people and money: whose a purchase is, what is copied, what a change costs. */
import { assert, describe, it } from "@effect/vitest"
import { parseMicros } from "@kavach-polar/core/Timestamp"
import { Customers, PlanChange, Seed, Simulator, Subscriptions } from "@kavach-polar/simulator"
import { Effect, Random } from "effect"
import { iso, periodEnd } from "../src/Calendar.ts"
import { bought, customers, layer, open, ordersOf, subscriptionNow, watch } from "./scene.ts"

const { free, pro, team, trial } = Seed.products

describe("whose purchase it is", () => {
  it.effect("a new buyer's: the customer gets the checkout's external id, and its metadata for customers", () =>
    Effect.gen(function* () {
      const id = yield* bought(pro.id, {
        external_customer_id: "usr_1",
        metadata: { plan: "pro", seats: 3 },
        customer_metadata: { source: "landing" }
      })
      const [customer] = yield* customers
      assert.deepInclude(customer, { external_id: "usr_1", metadata: { source: "landing" } })
      assert.deepStrictEqual((yield* subscriptionNow(id)).metadata, { plan: "pro", seats: 3 })
      assert.deepStrictEqual((yield* ordersOf(id))[0]?.metadata, { plan: "pro", seats: 3 })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("that of who has the e-mail address, whatever its case; the external id is dropped without a word", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const ada = yield* simulator.run(Customers.create({ email: "ada@acme-mail.dev", name: "Ada" }))
      const types = yield* watch
      const id = yield* bought(
        pro.id,
        { external_customer_id: "usr_2", customer_metadata: { source: "ad" } },
        { customer_email: "ADA@acme-mail.dev", customer_name: "Somebody" }
      )
      assert.include(yield* types, "customer.updated")
      assert.strictEqual((yield* subscriptionNow(id)).customer_id, ada.id)
      const [customer, ...others] = yield* customers
      assert.lengthOf(others, 0)
      assert.deepInclude(customer, { external_id: null, name: "Ada", metadata: { source: "ad" } })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("that of who was linked when the checkout was opened; the buyer cannot change the address", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const ada = yield* simulator.run(Customers.create({ email: "ada@acme-mail.dev", external_id: "usr_1" }))
      const id = yield* bought(pro.id, { external_customer_id: "usr_1" }, { customer_email: "grace@acme-mail.dev" })
      assert.strictEqual((yield* subscriptionNow(id)).customer_id, ada.id)
      assert.lengthOf(yield* customers, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("nobody's, when the external id went to another address meanwhile, or the customer was deleted", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const late = yield* open(pro.id, { external_customer_id: "usr_1" })
      const ada = yield* simulator.run(Customers.create({ email: "ada@acme-mail.dev", external_id: "usr_1" }))
      const mismatch = yield* Effect.flip(simulator.pay(late, { customer_email: "grace@acme-mail.dev" }))
      assert.deepInclude(mismatch, { status: 422, error: "CheckoutCustomerExternalIdMismatch" })
      const linked = yield* open(pro.id, { customer_id: ada.id })
      yield* simulator.run(Customers.remove(ada.id, false))
      const deleted = yield* Effect.flip(simulator.pay(linked))
      assert.deepInclude(deleted, { status: 409, error: "CheckoutCustomerDeleted" })
      assert.lengthOf(yield* customers, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a deleted customer's address and external id are free again", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const first = yield* bought(pro.id, { external_customer_id: "usr_1" })
      const { customer_id } = yield* subscriptionNow(first)
      yield* simulator.run(Customers.remove(customer_id, true))
      assert.strictEqual((yield* subscriptionNow(first)).status, "canceled")
      const second = yield* bought(pro.id, { external_customer_id: "usr_1" })
      const [gone, fresh] = yield* customers
      assert.strictEqual((yield* subscriptionNow(second)).customer_id, fresh?.id)
      assert.deepInclude(fresh, { external_id: "usr_1" })
      assert.deepInclude(gone?.metadata, { __external_id: "usr_1" })
      assert.match(gone?.email ?? "", /@anonymized\.polar\.sh$/)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a customer who owes and is deleted owes nothing more: nothing comes back to life", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      yield* simulator.failNextPayment()
      yield* simulator.advance("32 days")
      const { customer_id, status } = yield* subscriptionNow(id)
      assert.strictEqual(status, "past_due")
      yield* simulator.run(Customers.remove(customer_id, false))
      yield* simulator.advance("60 days")
      assert.strictEqual((yield* subscriptionNow(id)).status, "canceled")
      assert.deepStrictEqual(
        (yield* ordersOf(id)).map(({ status }) => status),
        ["paid", "void"]
      )
    }).pipe(Effect.provide(layer()))
  )
})

describe("what a change costs", () => {
  const midway = Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const id = yield* bought()
    // January of 1970 has 31 days; half of them.
    yield* simulator.advance("372 hours")
    return { id, simulator }
  })

  it.effect(
    "at once: half of the old price back, and the new plan's whole period, because it is another interval",
    () =>
      Effect.gen(function* () {
        const { id, simulator } = yield* midway
        yield* simulator.run(PlanChange.updatePlan(id, { product_id: team.id, proration_behavior: "invoice" }))
        const [, order] = yield* ordersOf(id)
        assert.deepStrictEqual(
          order?.items.map(({ amount }) => amount),
          [-950, 49_000]
        )
        assert.deepInclude(order, { amount: 48_050, status: "paid", billing_reason: "subscription_update" })
        const { current_period_end, current_period_start, recurring_interval } = yield* subscriptionNow(id)
        assert.strictEqual(recurring_interval, "year")
        assert.strictEqual(current_period_end, periodEnd(current_period_start, "year", 1))
      }).pipe(Effect.provide(layer()))
  )

  const plus = { id: "d4e5f607-62b3-4c8d-8eb5-bf203b4c5d63", name: "Plus", amount: 2900 }

  it.effect("with the next invoice: the difference of half a period is on it", () =>
    Effect.gen(function* () {
      const { id, simulator } = yield* midway
      yield* simulator.run(PlanChange.updatePlan(id, { product_id: plus.id }))
      assert.lengthOf(yield* ordersOf(id), 1)
      assert.strictEqual((yield* subscriptionNow(id)).amount, 2900)
      yield* simulator.advance("17 days")
      const [, order] = yield* ordersOf(id)
      assert.deepStrictEqual(
        order?.items.map(({ amount }) => amount),
        [2900, -950, 1450]
      )
      assert.lengthOf((yield* subscriptionNow(id)).pending_items, 0)
    }).pipe(Effect.provide(layer({ products: [...Object.values(Seed.products), plus] })))
  )

  it.effect("a cheaper plan at once costs nothing, and what is left pays later invoices to the last cent", () =>
    Effect.gen(function* () {
      const { id, simulator } = yield* midway
      yield* simulator.run(PlanChange.updatePlan(id, { product_id: free.id, proration_behavior: "invoice" }))
      yield* simulator.run(PlanChange.updatePlan(id, { product_id: pro.id, proration_behavior: "invoice" }))
      yield* simulator.advance("60 days")
      const paid = (yield* ordersOf(id)).reduce((sum, { amount }) => sum + amount, 0)
      // As if nothing had been changed: three periods of the first plan.
      assert.strictEqual(paid, 3 * 1900)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("from the next period on: nothing now, the new price then", () =>
    Effect.gen(function* () {
      const { id, simulator } = yield* midway
      yield* simulator.run(PlanChange.updatePlan(id, { product_id: team.id, proration_behavior: "next_period" }))
      assert.strictEqual((yield* subscriptionNow(id)).product_id, pro.id)
      yield* simulator.advance("17 days")
      const changed = yield* subscriptionNow(id)
      assert.deepInclude(changed, { product_id: team.id, amount: 49_000, pending_update: null })
      assert.strictEqual((yield* ordersOf(id))[1]?.amount, 49_000)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a trial that ends now is charged now, and tells that it cycled", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought(trial.id)
      const types = yield* watch
      yield* simulator.run(PlanChange.updatePlan(id, { trial_end: "now" }))
      assert.deepStrictEqual((yield* types).slice(0, 2), ["subscription.cycled", "subscription.updated"])
      assert.deepStrictEqual(
        (yield* ordersOf(id)).map(({ amount }) => amount),
        [0, 1900]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a free subscription is upgraded by a checkout, and only updated", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought(free.id, { metadata: { a: "1", b: "1" } })
      const checkout = yield* open(pro.id, { subscription_id: id, metadata: { b: "2" } })
      const types = yield* watch
      yield* simulator.pay(checkout)
      const told = (yield* types).filter((type) => type.startsWith("subscription."))
      assert.deepStrictEqual(told, ["subscription.updated"])
      assert.deepInclude(yield* subscriptionNow(id), { product_id: pro.id, amount: 1900, metadata: { a: "1", b: "2" } })
    }).pipe(Effect.provide(layer()))
  )
})

describe("pauses", () => {
  it.effect("begin with the period's end, and end on their own when they are told to", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      const { current_period_end } = yield* subscriptionNow(id)
      const resumesAt = periodEnd(current_period_end, "week", 2)
      yield* simulator.run(Subscriptions.schedulePause(id, true, resumesAt))
      yield* simulator.advance("32 days")
      assert.strictEqual((yield* subscriptionNow(id)).status, "paused")
      const types = yield* watch
      yield* simulator.advance("14 days")
      assert.deepStrictEqual((yield* types).slice(0, 2), ["subscription.updated", "subscription.resumed"])
      assert.deepInclude(yield* subscriptionNow(id), { status: "active", paused_at: null, resumes_at: null })
    }).pipe(Effect.provide(layer()))
  )
})

describe("the calendar", () => {
  const at = (text: string) => parseMicros(text) ?? assert.fail(text)

  it("goes by the day on which the periods began, where the month has it", () => {
    const ends: Array<string> = []
    let end = at("2027-12-31T10:00:00.123456Z")
    for (let month = 0; month < 4; month++) {
      end = periodEnd(end, "month", 1, 31)
      ends.push(iso(end))
    }
    assert.deepStrictEqual(ends, [
      "2028-01-31T10:00:00.123456Z",
      "2028-02-29T10:00:00.123456Z",
      "2028-03-31T10:00:00.123456Z",
      "2028-04-30T10:00:00.123456Z"
    ])
    assert.strictEqual(iso(periodEnd(at("2028-02-29T00:00:00Z"), "year", 1)), "2029-02-28T00:00:00Z")
    assert.strictEqual(iso(periodEnd(at("2027-01-01T00:00:00Z"), "week", 2)), "2027-01-15T00:00:00Z")
  })
})

it.effect("the same seed is the same world, and every id is a UUID of version 4", () => {
  const world = Effect.suspend(() =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* bought(pro.id, { external_customer_id: "usr_1" })
      yield* simulator.advance("100 days")
      return (yield* simulator.emitted).map(({ data, type }) => ({ type, data }))
    }).pipe(Effect.provide(layer()), Effect.withRandom(Random.make("seed")))
  )
  return Effect.gen(function* () {
    const one = yield* world
    assert.deepStrictEqual(yield* world, one)
    const ids = [...JSON.stringify(one).matchAll(/"id":"([^"]+)"/g)].map((match) => match[1] ?? "")
    assert.isAtLeast(ids.length, 50)
    for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })
})
