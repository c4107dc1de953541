/** What is sold by seats and by units: prices, limits, and what another number costs. */
import { assert, describe, it } from "@effect/vitest"
import { PlanChange, Seed, Simulator, Wire } from "@kavach-polar/simulator"
import { Effect, HashMap } from "effect"
import { tieredAmount } from "../src/Prices.ts"
import { asked, bought, boughtOnce, customers, layer, orderNow, ordersOf, subscriptionNow, watch } from "./scene.ts"

const { pro, seats, units } = Seed.products

const subscriptionBody = (id: string) =>
  Effect.flatMap(Simulator.Simulator, (simulator) =>
    simulator.read((world) => Wire.subscription(world, HashMap.unsafeGet(world.tables.subscriptions, id)))
  )

const fieldOf = (path: string, body: object) =>
  Effect.map(asked("POST", path, body), ({ body, status }) => {
    const [first] = body["detail"] as ReadonlyArray<{ readonly loc: ReadonlyArray<string> }>
    return [status, first?.loc.at(-1)]
  })

describe("a price in tiers", () => {
  const tiers = [
    { bound: 2, unit_amount: 1000 },
    { bound: null, unit_amount: 800 }
  ]

  it("is that of their number for all, or that of its own tier for each", () => {
    const volume = { type: "volume", tiers, minimum: 1 } as const
    assert.deepStrictEqual(
      [1, 2, 3].map((count) => tieredAmount(volume, count)),
      [1000, 2000, 2400]
    )
    const graduated = { type: "graduated", tiers, minimum: 1 } as const
    assert.deepStrictEqual(
      [1, 2, 3].map((count) => tieredAmount(graduated, count)),
      [1000, 2000, 2800]
    )
  })
})

describe("a checkout", () => {
  it.effect("sells as many as are asked for, else the least", () =>
    Effect.gen(function* () {
      const many = yield* bought(seats.id, { seats: 12 })
      assert.deepInclude(yield* subscriptionBody(many), { seats: 12, units: null, amount: 9600 })
      const [order] = yield* ordersOf(many)
      assert.deepInclude(yield* orderNow(order?.id ?? ""), {
        seats: 12,
        total_amount: 9600,
        description: "Workspace (12 seats)"
      })
      // Who buys seats is a team.
      assert.strictEqual((yield* customers)[0]?.type, "team")
      const least = yield* bought(units.id, {}, { customer_email: "lin@acme-mail.dev" })
      assert.deepInclude(yield* subscriptionNow(least), { seats: null, units: 2, amount: 600 })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("keeps to its own limits and to the product's", () =>
    Effect.gen(function* () {
      const create = (product: string, terms: object) => fieldOf("/v1/checkouts/", { products: [product], ...terms })
      assert.deepStrictEqual(yield* create(pro.id, { seats: 2 }), [422, "seats"])
      assert.deepStrictEqual(yield* create(pro.id, { min_seats: 2 }), [422, "min_seats"])
      assert.deepStrictEqual(yield* create(seats.id, { units: 2 }), [422, "units"])
      assert.deepStrictEqual(yield* create(seats.id, { seats: 101 }), [422, "seats"])
      assert.deepStrictEqual(yield* create(seats.id, { max_seats: 101 }), [422, "max_seats"])
      assert.deepStrictEqual(yield* create(seats.id, { seats: 0 }), [422, "seats"])
      assert.deepStrictEqual(yield* create(units.id, { units: 1 }), [422, "units"])
      assert.deepStrictEqual(yield* create(units.id, { min_units: 1 }), [422, "min_units"])
      // The least above the most.
      assert.deepStrictEqual(yield* create(seats.id, { min_seats: 5, max_seats: 4 }), [422, "body"])
      const limited = yield* asked("POST", "/v1/checkouts/", { products: [seats.id], min_seats: 3, max_seats: 5 })
      assert.deepInclude(limited.body, { seats: 3, min_seats: 3, max_seats: 5, amount: 3000 })
      const path = `/v1/checkouts/${limited.body["id"]}`
      assert.strictEqual((yield* asked("PATCH", path, { seats: 6 })).status, 422)
      assert.deepInclude((yield* asked("PATCH", path, { seats: 5 })).body, { seats: 5, amount: 5000 })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("sells seats that are bought once, too", () =>
    Effect.gen(function* () {
      const order = yield* boughtOnce(kit.id, { seats: 3 })
      assert.deepInclude(yield* orderNow(order.id), { seats: 3, net_amount: 1500, description: "Kit (3 seats)" })
    }).pipe(Effect.provide(layer({ products: [kit] })))
  )
})

const kit = { id: "d4e5f607-62b3-4c8d-8eb5-bf203b4c5d64", name: "Kit", perSeat: 500, interval: null } as const

describe("another number", () => {
  const midway = (product: string, terms: object) =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought(product, terms)
      // January of 1970 has 31 days; half of them.
      yield* simulator.advance("372 hours")
      return { id, path: `/v1/subscriptions/${id}`, simulator }
    })

  it.effect("at once: the difference for the rest of the period, and nothing when it is the same", () =>
    Effect.gen(function* () {
      const { id, path } = yield* midway(seats.id, { seats: 4 })
      const types = yield* watch
      const changed = yield* asked("PATCH", path, { seats: 6, proration_behavior: "invoice" })
      assert.deepInclude(changed.body, { seats: 6, amount: 6000 })
      assert.deepStrictEqual(yield* types, [
        "order.created",
        "order.updated",
        "order.paid",
        "subscription.updated",
        "customer.state_changed"
      ])
      const [, order] = yield* ordersOf(id)
      assert.deepInclude(order, { amount: 1000, billing_reason: "subscription_update" })
      assert.match(order?.items[0]?.label ?? "", /^Workspace \(4 → 6 seats\) — From /)
      yield* asked("PATCH", path, { seats: 6, proration_behavior: "invoice" })
      assert.deepStrictEqual(yield* types, [])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("with the next invoice, which has the difference and the new price", () =>
    Effect.gen(function* () {
      const { id, path, simulator } = yield* midway(units.id, { units: 10 })
      assert.deepInclude((yield* asked("PATCH", path, { units: 4 })).body, { units: 4, amount: 1200 })
      assert.lengthOf(yield* ordersOf(id), 1)
      yield* simulator.advance("17 days")
      assert.deepStrictEqual(
        (yield* ordersOf(id))[1]?.items.map(({ amount }) => amount),
        [1200, -900]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("with the next period: it waits beside another product, and the same number takes it back", () =>
    Effect.gen(function* () {
      const { id, path, simulator } = yield* midway(seats.id, { seats: 4 })
      const later = { proration_behavior: "next_period" }
      yield* asked("PATCH", path, { product_id: annual.id, ...later })
      const waiting = yield* asked("PATCH", path, { seats: 9, ...later })
      assert.deepInclude(
        { ...Object(waiting.body["pending_update"]) },
        { product_id: annual.id, seats: 9, units: null }
      )
      assert.deepInclude(
        { ...Object((yield* asked("PATCH", path, { seats: 4 })).body["pending_update"]) },
        {
          product_id: annual.id,
          seats: null
        }
      )
      yield* asked("PATCH", path, { seats: 9, ...later })
      yield* simulator.advance("17 days")
      assert.deepInclude(yield* subscriptionNow(id), {
        seats: 9,
        product_id: annual.id,
        pending_update: null,
        amount: 90_000
      })
    }).pipe(Effect.provide(layer({ products: [seats, annual] })))
  )

  const annual = {
    id: "d4e5f607-62b3-4c8d-8eb5-bf203b4c5d65",
    name: "Annual",
    perSeat: 10_000,
    interval: "year"
  } as const

  it.effect("is refused as Polar refuses it, and then nothing is changed", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id, path } = yield* midway(seats.id, { seats: 4 })
      yield* simulator.assignSeats(id, 3)
      const before = yield* subscriptionNow(id)
      const refusal = (body: object) =>
        Effect.map(asked("PATCH", path, body), ({ body, status }) => [status, body["error"]])
      assert.deepStrictEqual(yield* refusal({ units: 4 }), [400, "NotAUnitBasedSubscription"])
      assert.deepStrictEqual(yield* refusal({ seats: 101 }), [400, "AboveMaximumSeats"])
      assert.deepStrictEqual(yield* refusal({ seats: 2 }), [400, "SeatsAlreadyAssigned"])
      assert.deepStrictEqual(yield* refusal({ seats: 0 }), [422, "RequestValidationError"])
      assert.deepStrictEqual(yield* refusal({ seats: 5, product_id: pro.id }), [422, "RequestValidationError"])
      assert.deepStrictEqual(yield* refusal({ seats: 5, proration_behavior: "reset" }), [
        422,
        "PolarRequestValidationError"
      ])
      assert.deepStrictEqual(yield* refusal({ product_id: pro.id }), [422, "PolarRequestValidationError"])
      yield* simulator.failNextPayment()
      assert.deepStrictEqual(yield* refusal({ seats: 5, proration_behavior: "invoice" }), [402, "PaymentFailed"])
      assert.deepStrictEqual(yield* subscriptionNow(id), before)
      assert.strictEqual((yield* Effect.flip(simulator.assignSeats(id, 5))).error, "SeatNotAvailable")
      // Whoever has no seat any more is no reason.
      yield* simulator.failNextPayment()
      yield* simulator.advance("17 days")
      assert.deepInclude(yield* subscriptionNow(id), { status: "past_due", assigned_seats: 0 })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("of units: below the least", () =>
    Effect.gen(function* () {
      const { id } = yield* midway(units.id, { units: 4 })
      const simulator = yield* Simulator.Simulator
      const refused = yield* Effect.flip(simulator.run(PlanChange.updateQuantity(id, { units: 1 })))
      assert.deepInclude(refused, { status: 400, error: "BelowMinimumUnits" })
      const notBySeat = yield* Effect.flip(simulator.run(PlanChange.updateQuantity(id, { seats: 5 })))
      assert.deepInclude(notBySeat, { status: 400, error: "NotASeatBasedSubscription" })
    }).pipe(Effect.provide(layer()))
  )

  it.effect(
    "of a plan that is sold otherwise: who changes to seats begins with the least, and not with the next period",
    () =>
      Effect.gen(function* () {
        const { id, path } = yield* midway(pro.id, {})
        const later = yield* asked("PATCH", path, { product_id: seats.id, proration_behavior: "next_period" })
        assert.strictEqual(later.status, 422)
        yield* asked("PATCH", path, { product_id: seats.id })
        assert.deepInclude(yield* subscriptionNow(id), { product_id: seats.id, seats: 1, amount: 1000 })
      }).pipe(Effect.provide(layer()))
  )
})
