/** Discounts: for what, how often and how long, at the checkout and on a subscription. */
import { assert, describe, it } from "@effect/vitest"
import { Seed, Simulator } from "@kavach-polar/simulator"
import { Effect, HashMap } from "effect"
import { asked, bought, layer, open, orderNow, ordersOf, subscriptionNow } from "./scene.ts"

const { lifetime, pro, team, trial } = Seed.products
const { half, welcome } = Seed.discounts

const once: Seed.DiscountInput = { id: "47ad0d12-4aff-4af2-9f8f-b63498c00150", name: "First month", percent: 100 }
const always: Seed.DiscountInput = {
  id: "58be1e23-5b00-4b03-8090-c745a9d11261",
  name: "Friends",
  code: "FRIENDS",
  months: "forever",
  amounts: { usd: 400 },
  products: [pro.id],
  maxRedemptions: 2,
  maxRedemptionsPerCustomer: 1
}

const paid = (id: string) => Effect.map(ordersOf(id), (orders) => orders.map(({ amount }) => amount))

describe("a discount at the checkout", () => {
  it.effect("comes off the first order and the renewals, for so many months", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought(pro.id, { discount_id: half.id })
      assert.deepInclude(yield* subscriptionNow(id), { amount: 950, price_amount: 1900, discount_id: half.id })
      const [first] = yield* ordersOf(id)
      assert.deepInclude(yield* orderNow(first?.id ?? ""), {
        subtotal_amount: 1900,
        discount_amount: 950,
        tax_amount: 190,
        total_amount: 1140,
        discount_id: half.id
      })
      yield* simulator.advance("125 days")
      assert.deepStrictEqual(yield* paid(id), [950, 950, 950, 1900, 1900])
      assert.deepInclude(yield* subscriptionNow(id), { amount: 1900, discount_id: null })
      const discount = yield* asked("GET", `/v1/discounts/${half.id}`)
      // Renewals use nothing up.
      assert.deepInclude(discount.body, { redemptions_count: 1, duration: "repeating", duration_in_months: 3 })
    }).pipe(Effect.provide(layer({ taxRate: 0.2 })))
  )

  it.effect("once is the first period; of a trial, the first that is paid", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought(pro.id, { discount_id: once.id })
      const tried = yield* bought(trial.id, { discount_id: once.id }, { customer_email: "lin@acme-mail.dev" })
      yield* simulator.advance("60 days")
      assert.deepStrictEqual(yield* paid(id), [0, 1900, 1900])
      assert.deepStrictEqual(yield* paid(tried), [0, 0, 1900])
      // The card was taken for what comes later.
      assert.strictEqual((yield* subscriptionNow(id)).status, "active")
      assert.strictEqual((yield* subscriptionNow(tried)).status, "active")
    }).pipe(Effect.provide(layer({ discounts: [once] })))
  )

  it.effect("is for some products, and used up at some time, in all and by one customer", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const create = (product: string, discount: string) =>
        Effect.map(
          asked("POST", "/v1/checkouts/", { products: [product], discount_id: discount }),
          ({ status }) => status
        )
      assert.strictEqual(yield* create(team.id, always.id), 422)
      assert.strictEqual(yield* create(pro.id, "0f0e0d0c-0b0a-4908-8706-0504030201ff"), 422)
      const one = yield* bought(pro.id, { discount_id: always.id })
      const again = yield* open(pro.id, { discount_id: always.id })
      const refused = yield* Effect.flip(simulator.pay(again, { customer_email: "ada@acme-mail.dev" }))
      assert.deepInclude(refused, { status: 403, error: "DiscountRedemptionLimitReached" })
      // A declined payment has used nothing up.
      yield* simulator.decline(again, { customer_email: "lin@acme-mail.dev" })
      yield* simulator.pay(again, { customer_email: "lin@acme-mail.dev" })
      assert.strictEqual(yield* create(pro.id, always.id), 422)
      yield* simulator.advance("800 days")
      assert.deepStrictEqual(new Set(yield* paid(one)), new Set([1500]))
    }).pipe(Effect.provide(layer({ discounts: [always], allowMultipleSubscriptions: true })))
  )

  it.effect("has its time", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const create = Effect.map(
        asked("POST", "/v1/checkouts/", { products: [lifetime.id], discount_id: spring.id }),
        ({ status }) => status
      )
      assert.strictEqual(yield* create, 422)
      yield* simulator.advanceTo(new Date("1970-03-02T00:00:00Z"))
      assert.strictEqual(yield* create, 201)
      const late = yield* open(lifetime.id, { discount_id: spring.id })
      yield* simulator.advanceTo(new Date("1970-03-02T12:00:01Z"))
      assert.strictEqual(yield* create, 422)
      const refused = yield* Effect.flip(simulator.pay(late, { customer_email: "ada@acme-mail.dev" }))
      assert.include(JSON.stringify(refused.detail), "no longer redeemable")
    }).pipe(Effect.provide(layer({ discounts: [spring] })))
  )

  const spring: Seed.DiscountInput = {
    id: "69cf2f34-6c11-4c14-91a1-d856baf22372",
    name: "Spring",
    percent: 10,
    startsAt: new Date("1970-03-01T00:00:00Z"),
    endsAt: new Date("1970-03-02T12:00:00Z")
  }

  it.effect("is typed by the buyer, in any case, unless the app forbids it; another product drops it", () =>
    Effect.gen(function* () {
      const secret = (terms: object) =>
        Effect.map(
          asked("POST", "/v1/checkouts/", { products: [pro.id, team.id], ...terms }),
          ({ body }) => `/v1/checkouts/client/${body["client_secret"]}`
        )
      const path = yield* secret({})
      assert.deepInclude((yield* asked("PATCH", path, { discount_code: "friends" })).body, { discount_amount: 400 })
      assert.strictEqual((yield* asked("PATCH", path, { discount_code: "NOPE" })).status, 422)
      assert.deepInclude((yield* asked("PATCH", path, { product_id: team.id })).body, {
        discount_id: null,
        amount: 49_000
      })
      const forbidden = yield* secret({ allow_discount_codes: false })
      assert.deepInclude((yield* asked("PATCH", forbidden, { discount_code: "FRIENDS" })).body, { discount_id: null })
    }).pipe(Effect.provide(layer({ discounts: [always] })))
  )
})

describe("a discount on a subscription", () => {
  it.effect("counts from the next period on, and can be taken away", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      const path = `/v1/subscriptions/${id}`
      const changed = yield* asked("PATCH", path, { discount_id: half.id })
      assert.deepInclude(changed.body, { discount_id: half.id, amount: 950 })
      assert.deepInclude({ ...Object(changed.body["discount"]) }, { code: "HALF3", redemptions_count: 1 })
      assert.strictEqual((yield* asked("PATCH", path, { discount_id: half.id })).status, 422)
      assert.strictEqual(
        (yield* asked("PATCH", path, { discount_id: "0f0e0d0c-0b0a-4908-8706-0504030201ff" })).status,
        422
      )
      yield* simulator.advance("32 days")
      assert.deepStrictEqual(yield* paid(id), [1900, 950])
      assert.deepInclude((yield* asked("PATCH", path, { discount_id: null })).body, { discount_id: null, amount: 1900 })
      yield* simulator.advance("31 days")
      assert.deepStrictEqual(yield* paid(id), [1900, 950, 1900])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is that of the plan before and of the plan after a change, each for its own share", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought(pro.id, { discount_id: half.id })
      yield* simulator.advance("372 hours")
      yield* asked("PATCH", `/v1/subscriptions/${id}`, { product_id: team.id, proration_behavior: "invoice" })
      const [, order] = yield* ordersOf(id)
      assert.deepStrictEqual(
        order?.items.map(({ amount }) => amount),
        [-475, 24_500]
      )
      assert.deepInclude(order, { discount_amount: 0, amount: 24_025 })
    }).pipe(Effect.provide(layer()))
  )
})

it.effect("discounts are found by their name or their code, in any case", () =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const found = (query: string) =>
      Effect.map(asked("GET", `/v1/discounts/?query=${query}`), ({ body }) =>
        (body["items"] as ReadonlyArray<{ readonly code: string }>).map(({ code }) => code)
      )
    assert.deepStrictEqual(yield* found("half3"), ["HALF3"])
    assert.deepStrictEqual(yield* found("Come5"), ["WELCOME5"])
    assert.deepStrictEqual(yield* found("FIVE"), ["WELCOME5"])
    assert.deepStrictEqual(yield* found("nope"), [])
    const all = yield* simulator.read(({ tables }) => HashMap.size(tables.discounts))
    assert.strictEqual(all, Object.keys({ half, welcome }).length)
  }).pipe(Effect.provide(layer()))
)
