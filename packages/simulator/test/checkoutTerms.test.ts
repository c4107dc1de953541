/** What the app asks of a checkout, and what the buyer still chooses at it. */
import { assert, describe, it } from "@effect/vitest"
import { Seed, Simulator } from "@kavach-polar/simulator"
import { Effect } from "effect"
import { asked, bought, layer, open, orderNow, ordersOf, subscriptionNow } from "./scene.ts"

const { chosen, free, pro, seats, team, trial } = Seed.products

const create = (body: object) => asked("POST", "/v1/checkouts/", body)

describe("an amount that the buyer chooses", () => {
  it.effect("is within the limits, and what is charged each period", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const of = (amount: number) => Effect.map(create({ products: [chosen.id], amount }), ({ status }) => status)
      assert.deepStrictEqual(yield* Effect.all([of(499), of(50_001), of(-1), of(500)]), [422, 422, 422, 201])
      assert.deepInclude((yield* create({ products: [chosen.id] })).body, { amount: 1000 })
      // Where nobody chooses, Polar takes no notice of it.
      assert.deepInclude((yield* create({ products: [pro.id], amount: 1 })).body, { amount: 1900 })
      const id = yield* bought(chosen.id, { amount: 700 })
      yield* simulator.advance("32 days")
      assert.deepStrictEqual(
        (yield* ordersOf(id)).map(({ amount }) => amount),
        [700, 700]
      )
      const changed = yield* asked("PATCH", `/v1/subscriptions/${yield* bought(pro.id, {}, lin)}`, {
        product_id: chosen.id
      })
      assert.strictEqual(changed.status, 422)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("can be changed while the checkout is open", () =>
    Effect.gen(function* () {
      const path = `/v1/checkouts/${yield* open(chosen.id, { amount: 700 })}`
      assert.deepInclude((yield* asked("PATCH", path, { amount: 900 })).body, { amount: 900 })
      assert.deepInclude((yield* asked("PATCH", path, { customer_name: "Ada" })).body, { amount: 900 })
      assert.strictEqual((yield* asked("PATCH", path, { amount: 499 })).status, 422)
    }).pipe(Effect.provide(layer()))
  )
})

const lin = { customer_email: "lin@acme-mail.dev" }

describe("several products", () => {
  it.effect("are offered, and the buyer takes one of them with its price, quantity and trial", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { body } = yield* create({ products: [pro.id, seats.id, trial.id] })
      const path = `/v1/checkouts/client/${body["client_secret"]}`
      assert.deepInclude(body, { product_id: pro.id, amount: 1900 })
      assert.lengthOf(body["products"] as ReadonlyArray<unknown>, 3)
      assert.strictEqual((yield* asked("PATCH", path, { product_id: team.id })).status, 422)
      assert.deepInclude((yield* asked("PATCH", path, { product_id: seats.id, seats: 4 })).body, {
        seats: 4,
        amount: 4000
      })
      const back = yield* asked("PATCH", path, { product_id: trial.id })
      assert.deepInclude(back.body, { seats: null, amount: 1900, active_trial_interval_count: 14 })
      const { subscription } = yield* simulator.pay(String(body["id"]), lin)
      assert.deepInclude(subscription, { product_id: trial.id, status: "trialing", seats: null })
    }).pipe(Effect.provide(layer()))
  )
})

describe("a trial", () => {
  it.effect("is the checkout's own, or the product's, or none", () =>
    Effect.gen(function* () {
      const own = yield* bought(pro.id, { trial_interval: "week", trial_interval_count: 2 })
      assert.deepInclude(yield* subscriptionNow(own), { status: "trialing" })
      const [order] = yield* ordersOf(own)
      assert.deepInclude(yield* orderNow(order?.id ?? ""), { total_amount: 0, status: "paid" })
      const none = yield* bought(trial.id, { allow_trial: false }, lin)
      assert.deepInclude(yield* subscriptionNow(none), { status: "active", trial_end: null })
      assert.strictEqual((yield* create({ products: [pro.id], trial_interval: "week" })).status, 422)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("begins with the upgrade of a free subscription, too, which is an order of a change", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought(free.id)
      const upgrade = yield* open(trial.id, { subscription_id: id })
      const { order, subscription } = yield* simulator.pay(upgrade)
      assert.deepInclude(subscription, { id, status: "trialing", product_id: trial.id })
      assert.deepInclude(order, { billing_reason: "subscription_update", amount: 0 })
      const again = yield* create({ products: [pro.id], subscription_id: id })
      assert.strictEqual(again.status, 422)
    }).pipe(Effect.provide(layer()))
  )
})

it.effect("a currency is one that the product has", () =>
  Effect.gen(function* () {
    assert.strictEqual((yield* create({ products: [pro.id], currency: "usd" })).status, 201)
    const euro = yield* create({ products: [pro.id], currency: "eur" })
    assert.strictEqual(euro.status, 422)
    assert.include(JSON.stringify(euro.body), "not available in the specified currency")
  }).pipe(Effect.provide(layer()))
)

it.effect("what the page is embedded in, whose address it is and what was asked comes back, and is on the order", () =>
  Effect.gen(function* () {
    const customer_billing_address = { country: "FR", line1: "12 rue des Lilas", city: "Paris", postal_code: "75011" }
    const { body } = yield* create({
      products: [pro.id],
      embed_origin: "https://app.acme-mail.dev",
      customer_ip_address: "203.0.113.24",
      customer_billing_address
    })
    assert.deepInclude(body, {
      embed_origin: "https://app.acme-mail.dev",
      customer_ip_address: "203.0.113.24",
      // With more than a country, all of it is asked for.
      require_billing_address: true
    })
    const simulator = yield* Simulator.Simulator
    const { order } = yield* simulator.pay(String(body["id"]), lin)
    assert.deepInclude({ ...order?.billing_address }, customer_billing_address)
  }).pipe(Effect.provide(layer()))
)
