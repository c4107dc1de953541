/** Refunds: what may be asked back, what is told of it, and what it leaves of the order. */
import { assert, describe, it } from "@effect/vitest"
import { Refunds, Seed, Simulator } from "@kavach-polar/simulator"
import { Effect, TestClock } from "effect"
import { bought, boughtOnce, inShort, layer, orderNow, ordersOf, subscriptionNow, watch, watchMoney } from "./scene.ts"

const taxed = layer({ taxRate: 0.2 })

/** What an order says of the money that went back. */
const moneyOf = (id: string) =>
  Effect.map(orderNow(id), (order) => [
    order.status,
    order.refunded_amount,
    order.refunded_tax_amount,
    order.refundable_amount,
    order.refundable_tax_amount
  ])

describe("money back", () => {
  it.effect("all of it: the refund, the order, and that it was refunded", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id } = yield* boughtOnce()
      const types = yield* watch
      const told = yield* watchMoney
      const refund = yield* simulator.refund(id, { metadata: { ticket: "T-311" }, comment: "a kind one" })
      const events = yield* told
      assert.deepStrictEqual(inShort(events), [
        "refund.created succeeded",
        "order.updated refunded",
        "order.refunded refunded"
      ])
      assert.lengthOf(yield* types, 3)
      const [created, updated, refunded] = events
      assert.deepInclude(created?.data, {
        id: refund.id,
        order_id: id,
        amount: 4900,
        tax_amount: 980,
        reason: "customer_request",
        subscription_id: null,
        modified_at: null,
        revoke_benefits: false,
        metadata: { ticket: "T-311" }
      })
      assert.notProperty(created?.data, "comment")
      assert.deepStrictEqual(refunded?.data, updated?.data)
      assert.isTrue((updated?.at ?? 0) < (refunded?.at ?? 0))
      assert.deepInclude(updated?.data, { paid: true, due_amount: 5880, total_amount: 5880 })
      assert.deepStrictEqual(yield* moneyOf(id), ["refunded", 4900, 980, 0, 0])
    }).pipe(Effect.provide(taxed))
  )

  it.effect("a part of it, with its share of the tax; the last part takes what is left of that", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id } = yield* boughtOnce()
      const told = yield* watchMoney
      yield* simulator.refund(id, { amount: 1633 })
      assert.deepStrictEqual(yield* moneyOf(id), ["partially_refunded", 1633, 327, 3267, 653])
      yield* simulator.refund(id, { amount: 1633 })
      assert.deepStrictEqual(yield* moneyOf(id), ["partially_refunded", 3266, 654, 1634, 326])
      yield* simulator.refund(id)
      assert.deepStrictEqual(yield* moneyOf(id), ["refunded", 4900, 980, 0, 0])
      assert.deepStrictEqual(inShort(yield* told).slice(0, 4), [
        "refund.created succeeded",
        "order.updated partially_refunded",
        "order.refunded partially_refunded",
        "refund.created succeeded"
      ])
    }).pipe(Effect.provide(taxed))
  )

  it.effect("of a subscription's order ends nothing", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      const [order] = yield* ordersOf(id)
      const types = yield* watch
      const refund = yield* simulator.refund(order?.id ?? "")
      assert.strictEqual(refund.subscription_id, id)
      assert.deepStrictEqual(yield* types, ["refund.created", "order.updated", "order.refunded"])
      assert.strictEqual((yield* subscriptionNow(id)).status, "active")
      yield* TestClock.adjust("32 days")
      assert.lengthOf(yield* ordersOf(id), 2)
    }).pipe(Effect.provide(layer()))
  )
})

describe("a refund that is held", () => {
  const held = Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const { id } = yield* boughtOnce()
    yield* simulator.holdNextRefund
    const told = yield* watchMoney
    const refund = yield* simulator.refund(id, { amount: 900 })
    assert.deepStrictEqual(inShort(yield* told), ["refund.created pending"])
    assert.deepStrictEqual(yield* moneyOf(id), ["paid", 0, 0, 4900, 980])
    return { id, refund, simulator, told }
  })

  it.effect("succeeds later, and then the order knows", () =>
    Effect.gen(function* () {
      const { id, refund, simulator, told } = yield* held
      const settled = yield* simulator.settleRefund(refund.id, "succeeded")
      assert.isNotNull(settled.modified_at)
      assert.deepStrictEqual(inShort(yield* told), [
        "refund.updated succeeded",
        "order.updated partially_refunded",
        "order.refunded partially_refunded"
      ])
      assert.deepStrictEqual(yield* moneyOf(id), ["partially_refunded", 900, 180, 4000, 800])
      // Only the one was held.
      assert.strictEqual((yield* simulator.refund(id)).status, "succeeded")
    }).pipe(Effect.provide(taxed))
  )

  for (const status of ["failed", "canceled"] as const) {
    it.effect(`${status}, it leaves the order as it was`, () =>
      Effect.gen(function* () {
        const { id, refund, simulator, told } = yield* held
        yield* simulator.settleRefund(refund.id, status)
        assert.deepStrictEqual(inShort(yield* told), [`refund.updated ${status}`])
        assert.deepStrictEqual(yield* moneyOf(id), ["paid", 0, 0, 4900, 980])
        yield* simulator.refund(id)
        assert.deepStrictEqual(yield* moneyOf(id), ["refunded", 4900, 980, 0, 0])
      }).pipe(Effect.provide(taxed))
    )
  }

  it.effect("is not asked for twice: the bank has it in hand", () =>
    Effect.gen(function* () {
      const { id, simulator } = yield* held
      const tooMuch = yield* Effect.flip(simulator.refund(id, { amount: 4001 }))
      assert.deepInclude(tooMuch, { status: 422, error: "PolarRequestValidationError" })
      yield* simulator.holdNextRefund
      const rest = yield* simulator.refund(id)
      assert.deepInclude(rest, { amount: 4000, tax_amount: 800, status: "pending" })
      const again = yield* Effect.flip(simulator.refund(id))
      assert.deepInclude(again, { status: 403, error: "RefundedAlready" })
    }).pipe(Effect.provide(taxed))
  )
})

describe("a refund that had succeeded and fails", () => {
  it.effect("makes the order what it was, and nobody is told of a payment", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id } = yield* boughtOnce()
      const first = yield* simulator.refund(id, { amount: 1000 })
      const second = yield* simulator.refund(id)
      const told = yield* watchMoney
      yield* simulator.settleRefund(second.id, "failed")
      assert.deepStrictEqual(inShort(yield* told), ["refund.updated failed", "order.updated partially_refunded"])
      assert.deepStrictEqual(yield* moneyOf(id), ["partially_refunded", 1000, 200, 3900, 780])
      yield* simulator.settleRefund(first.id, "failed")
      assert.deepStrictEqual(inShort(yield* told), ["refund.updated failed", "order.updated paid"])
      assert.deepStrictEqual(yield* moneyOf(id), ["paid", 0, 0, 4900, 980])
      const twice = yield* Effect.flip(simulator.settleRefund(first.id, "succeeded"))
      assert.strictEqual(twice.status, 409)
    }).pipe(Effect.provide(taxed))
  )

  it.effect("only fails: it is not canceled, and does not succeed again", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id } = yield* boughtOnce()
      const refund = yield* simulator.refund(id)
      for (const status of ["succeeded", "canceled"] as const) {
        assert.strictEqual((yield* Effect.flip(simulator.settleRefund(refund.id, status))).status, 409)
      }
      assert.strictEqual((yield* Effect.flip(simulator.settleRefund("nobody", "failed"))).status, 404)
    }).pipe(Effect.provide(layer()))
  )
})

describe("what is refused changes nothing", () => {
  const refusal = (input: Omit<Refunds.RefundInput, "reason">) =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const told = yield* watchMoney
      const { error, status } = yield* Effect.flip(simulator.run(Refunds.create({ reason: "other", ...input })))
      assert.lengthOf(yield* told, 0)
      return [status, error]
    })

  it.effect("an order nobody has, too much, and what was given back already", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id } = yield* boughtOnce()
      assert.deepStrictEqual(yield* refusal({ order_id: "nobody", amount: 1 }), [422, "PolarRequestValidationError"])
      assert.deepStrictEqual(yield* refusal({ order_id: id, amount: 4901 }), [422, "PolarRequestValidationError"])
      yield* simulator.refund(id)
      assert.deepStrictEqual(yield* refusal({ order_id: id, amount: 1 }), [403, "RefundedAlready"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("the benefits of a subscription, which go with the subscription; those of a purchase may", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const [order] = yield* ordersOf(yield* bought())
      assert.deepStrictEqual(yield* refusal({ order_id: order?.id ?? "", amount: 1, revoke_benefits: true }), [
        400,
        "RevokeSubscriptionBenefitsProhibited"
      ])
      const { id } = yield* boughtOnce()
      assert.isTrue((yield* simulator.refund(id, { amount: 1, revoke_benefits: true })).revoke_benefits)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("what nobody paid: a free one, one that is still pending, one that is void", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const unknown = [404, "RefundUnknownPayment"]
      const [zero] = yield* ordersOf(yield* bought(Seed.products.free.id))
      assert.deepStrictEqual(yield* refusal({ order_id: zero?.id ?? "", amount: 1 }), unknown)
      const id = yield* bought(Seed.products.pro.id, {}, { customer_email: "grace@acme-mail.dev" })
      yield* TestClock.adjust("20 days")
      for (let attempt = 0; attempt < 5; attempt++) yield* simulator.failNextPayment()
      yield* TestClock.adjust("12 days")
      const [, renewal] = yield* ordersOf(id)
      assert.isDefined(renewal)
      assert.strictEqual(renewal.status, "pending")
      assert.deepStrictEqual(yield* refusal({ order_id: renewal.id, amount: 1 }), unknown)
      yield* TestClock.adjust("22 days")
      assert.strictEqual((yield* orderNow(renewal.id)).status, "void")
      assert.deepStrictEqual(yield* refusal({ order_id: renewal.id, amount: 1 }), unknown)
    }).pipe(Effect.provide(layer()))
  )
})
