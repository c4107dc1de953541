/** What a preview says, the change then charges. */
import { assert, describe, it } from "@effect/vitest"
import { Seed, Simulator, Wire } from "@kavach-polar/simulator"
import { Effect, HashMap } from "effect"
import { asked, bought, layer, ordersOf } from "./scene.ts"

const { free, lifetime, pro, seats, team, trial } = Seed.products
const { half } = Seed.discounts

const options = { taxRate: 0.2, allowReset: true }

/** As it is, in the middle of its period. */
const midway = (product: string, terms: object = {}) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const id = yield* bought(product, terms)
    yield* simulator.advance("372 hours")
    return id
  })

const cases: ReadonlyArray<readonly [what: string, product: string, terms: object, change: object]> = [
  ["a longer plan at once", pro.id, {}, { product_id: team.id, proration_behavior: "invoice" }],
  ["a cheaper plan at once", pro.id, {}, { product_id: free.id, proration_behavior: "invoice" }],
  ["a whole new period", pro.id, {}, { product_id: pro.id, proration_behavior: "reset" }],
  ["with a discount", pro.id, { discount_id: half.id }, { product_id: team.id, proration_behavior: "invoice" }],
  ["more seats", seats.id, { seats: 4 }, { seats: 12, proration_behavior: "invoice" }],
  ["fewer seats, all anew", seats.id, { seats: 4 }, { seats: 2, proration_behavior: "reset" }]
]

describe("a preview says what is charged", () => {
  for (const [what, product, terms, change] of cases) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator.Simulator
        const id = yield* midway(product, terms)
        const before = yield* simulator.read(({ tables }) => [tables.subscriptions, tables.orders])
        const preview = yield* asked("POST", `/v1/subscriptions/${id}/change-preview`, change)
        assert.strictEqual(preview.status, 200)
        assert.deepStrictEqual(yield* simulator.read(({ tables }) => [tables.subscriptions, tables.orders]), before)
        assert.strictEqual((yield* asked("PATCH", `/v1/subscriptions/${id}`, change)).status, 200)
        const [, order] = yield* ordersOf(id)
        assert.isDefined(order)
        const charged = yield* simulator.read((world) =>
          Wire.order(world, HashMap.unsafeGet(world.tables.orders, order.id))
        )
        assert.closeTo(Number(preview.body["due_amount"]), charged.due_amount, 1)
        assert.strictEqual(charged.status, "paid")
        if (charged.due_amount > 0) assert.closeTo(Number(preview.body["tax_amount"]), charged.tax_amount, 1)
        const shown = preview.body["prorations"] as ReadonlyArray<{ readonly amount: number }>
        const sum = shown.reduce((all, { amount }) => all + amount, 0)
        assert.strictEqual(sum, preview.body["proration_amount"])
        assert.strictEqual(sum, preview.body["net_amount"])
      }).pipe(Effect.provide(layer(options)))
    )
  }

  it.effect("with the next invoice: what will be on it", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* midway(seats.id, { seats: 4 })
      const preview = yield* asked("POST", `/v1/subscriptions/${id}/change-preview`, { seats: 6 })
      yield* asked("PATCH", `/v1/subscriptions/${id}`, { seats: 6 })
      const next = yield* asked("GET", `/v1/subscriptions/${id}/charge-preview`)
      yield* simulator.advance("17 days")
      const [, renewal] = yield* ordersOf(id)
      assert.deepInclude(next.body, {
        base_amount: 6000,
        proration_amount: renewal?.items[1]?.amount,
        net_amount: renewal?.amount,
        due_amount: (renewal?.amount ?? 0) + (renewal?.tax_amount ?? 0)
      })
      assert.closeTo(Number(preview.body["proration_amount"]), renewal?.items[1]?.amount ?? 0, 1)
    }).pipe(Effect.provide(layer(options)))
  )

  it.effect("of a trial: nothing while it goes on, a whole period when it ends with the change", () =>
    Effect.gen(function* () {
      const id = yield* bought(trial.id)
      const path = `/v1/subscriptions/${id}`
      const preview = yield* asked("POST", `${path}/change-preview`, { product_id: pro.id })
      assert.deepInclude(preview.body, { subtotal_amount: 1900, base_amount: 0, due_amount: 2280 })
      assert.deepInclude((yield* asked("PATCH", path, { product_id: pro.id })).body, { status: "active" })
      assert.deepStrictEqual(
        (yield* ordersOf(id)).map(({ amount }) => amount),
        [0, 1900]
      )
    }).pipe(Effect.provide(layer(options)))
  )

  it.effect("it refuses what the change refuses, and is there for none that has ended", () =>
    Effect.gen(function* () {
      const id = yield* bought(pro.id)
      const refusal = (body: object) =>
        Effect.map(asked("POST", `/v1/subscriptions/${id}/change-preview`, body), ({ body, status }) => [
          status,
          body["error"]
        ])
      assert.deepStrictEqual(yield* refusal({ seats: 2 }), [400, "NotASeatBasedSubscription"])
      assert.deepStrictEqual(yield* refusal({ product_id: lifetime.id }), [422, "PolarRequestValidationError"])
      assert.deepStrictEqual(yield* refusal({}), [422, "RequestValidationError"])
      assert.deepStrictEqual(yield* refusal({ product_id: team.id, seats: 2 }), [422, "RequestValidationError"])
      const none = "/v1/subscriptions/0f0e0d0c-0b0a-4908-8706-0504030201ff/change-preview"
      assert.strictEqual((yield* asked("POST", none, { product_id: team.id })).status, 404)
      yield* asked("DELETE", `/v1/subscriptions/${id}`)
      assert.deepStrictEqual(yield* refusal({ product_id: team.id }), [403, "AlreadyCanceledSubscription"])
      assert.strictEqual((yield* asked("GET", `/v1/subscriptions/${id}/charge-preview`)).status, 404)
    }).pipe(Effect.provide(layer(options)))
  )

  it.effect("of an end: what would not be collected any more", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought(pro.id)
      const preview = Effect.map(asked("GET", `/v1/subscriptions/${id}/cancel-preview`), ({ body }) => body)
      assert.deepStrictEqual(yield* preview, { stops_collection: false, outstanding_amount: null })
      yield* simulator.failNextPayment()
      yield* simulator.advance("32 days")
      assert.deepStrictEqual(yield* preview, { stops_collection: true, outstanding_amount: 2280 })
    }).pipe(Effect.provide(layer(options)))
  )
})
