/** Orders: when they are new, pending, paid and void, what is told of each, and in which order. */
import { assert, describe, it } from "@effect/vitest"
import { Checkouts, Customers, PlanChange, Seed, Simulator, Subscriptions, Wire } from "@kavach-polar/simulator"
import { Effect, HashMap, TestClock } from "effect"
import {
  bought,
  boughtOnce,
  customers,
  inShort,
  layer,
  open,
  orderNow,
  ordersOf,
  subscriptionNow,
  watch,
  watchMoney
} from "./scene.ts"

const { free, lifetime, pro, team, trial } = Seed.products
const gift = { id: "5f60718f-73c4-4d9e-9fc6-c0314c5d6e74", name: "Gift", amount: 0, interval: null }

const autumn = { id: "9c0d1e2f-1463-4c81-b0af-1d2e3f4a5b73", name: "Autumn 20%", code: "AUTUMN20", percent: 20 }
const launch = { id: "1ebfedf4-5dba-4331-9bcd-3f3cf1793524", name: "Launch gift", percent: 100 }

describe("an order of a subscription", () => {
  it.effect("the first is new and paid at once: told three times alike, each time a little later", () =>
    Effect.gen(function* () {
      const told = yield* watchMoney
      const id = yield* bought()
      const events = yield* told
      assert.deepStrictEqual(inShort(events), ["order.created paid", "order.updated paid", "order.paid paid"])
      const [first, second, third] = events
      assert.deepStrictEqual(second?.data, first?.data)
      assert.deepStrictEqual(third?.data, first?.data)
      assert.isNull(first?.data["modified_at"])
      assert.isTrue((first?.at ?? 0) < (second?.at ?? 0) && (second?.at ?? 0) < (third?.at ?? 0))
      assert.deepInclude(first?.data, {
        billing_reason: "subscription_create",
        subscription_id: id,
        checkout_id: (yield* subscriptionNow(id)).checkout_id,
        net_amount: 1900,
        due_amount: 1900,
        refundable_amount: 1900,
        invoice_number: "SIMULATOR-0001",
        receipt_number: "RCPT-0001"
      })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a renewal is pending, and then paid", () =>
    Effect.gen(function* () {
      yield* bought()
      const told = yield* watchMoney
      yield* TestClock.adjust("32 days")
      const events = yield* told
      assert.deepStrictEqual(inShort(events), ["order.created pending", "order.updated paid", "order.paid paid"])
      const [created, updated, paid] = events
      assert.deepInclude(created?.data, {
        billing_reason: "subscription_cycle",
        checkout_id: null,
        paid: false,
        modified_at: null,
        receipt_number: null,
        refundable_amount: 1900
      })
      assert.isNotNull(updated?.data["modified_at"])
      assert.deepStrictEqual(paid?.data, updated?.data)
      assert.deepInclude(paid?.data, { paid: true, receipt_number: "RCPT-0002", due_amount: 1900 })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("declined, nothing is told of it until it is paid after all", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      yield* simulator.failNextPayment()
      const told = yield* watchMoney
      yield* TestClock.adjust("32 days")
      assert.deepStrictEqual(inShort(yield* told), ["order.created pending"])
      const [, order] = yield* ordersOf(id)
      assert.isNotNull((yield* orderNow(order?.id ?? "")).next_payment_attempt_at)
      yield* TestClock.adjust("3 days")
      assert.deepStrictEqual(inShort(yield* told), ["order.updated paid", "order.paid paid"])
      assert.isNull((yield* orderNow(order?.id ?? "")).next_payment_attempt_at)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("nobody pays it for three weeks: it is void, and was never paid", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      for (let attempt = 0; attempt < 5; attempt++) yield* simulator.failNextPayment()
      const told = yield* watchMoney
      yield* TestClock.adjust("60 days")
      assert.deepStrictEqual(inShort(yield* told), ["order.created pending", "order.updated void"])
      const [, order] = yield* ordersOf(id)
      assert.deepInclude(yield* orderNow(order?.id ?? ""), {
        status: "void",
        paid: false,
        receipt_number: null,
        next_payment_attempt_at: null
      })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("without a card to ask, it says when it will be tried again", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought(free.id)
      yield* simulator.run(PlanChange.updatePlan(id, { product_id: pro.id, proration_behavior: "next_period" }))
      const told = yield* watchMoney
      yield* TestClock.adjust("32 days")
      const events = yield* told
      assert.deepStrictEqual(inShort(events), ["order.created pending", "order.updated pending"])
      assert.isString(events[1]?.data["next_payment_attempt_at"])
      assert.strictEqual((yield* subscriptionNow(id)).status, "past_due")
      const now = yield* Effect.flip(
        simulator.run(PlanChange.updatePlan(id, { product_id: team.id, proration_behavior: "invoice" }))
      )
      assert.deepInclude(now, { status: 402, error: "PaymentFailed" })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("that costs nothing is paid at once: of a trial, of a free plan, and when it renews", () =>
    Effect.gen(function* () {
      const told = yield* watchMoney
      const triple = ["order.created paid", "order.updated paid", "order.paid paid"]
      yield* bought(trial.id)
      const started = yield* told
      assert.deepStrictEqual(inShort(started), triple)
      assert.deepInclude(started[0]?.data, { total_amount: 0, receipt_number: null, refundable_amount: 0 })
      yield* bought(free.id, {}, { customer_email: "grace@acme-mail.dev" })
      assert.deepStrictEqual(inShort(yield* told), triple)
      yield* TestClock.adjust("14 hours")
      const simulator = yield* Simulator.Simulator
      const [trialing] = yield* simulator.read(({ tables }) =>
        Array.from(HashMap.values(tables.subscriptions)).filter(({ status }) => status === "trialing")
      )
      yield* simulator.run(Subscriptions.revoke(trialing?.id ?? ""))
      yield* TestClock.adjust("32 days")
      const renewed = yield* told
      assert.deepStrictEqual(inShort(renewed), triple)
      assert.strictEqual(renewed[0]?.data["billing_reason"], "subscription_cycle")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("of a change is pending, and charged within the same request", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      const told = yield* watchMoney
      yield* simulator.run(PlanChange.updatePlan(id, { product_id: team.id, proration_behavior: "invoice" }))
      const events = yield* told
      assert.deepStrictEqual(inShort(events), ["order.created pending", "order.updated paid", "order.paid paid"])
      assert.strictEqual(events[0]?.data["billing_reason"], "subscription_update")
    }).pipe(Effect.provide(layer()))
  )
})

describe("a product that is bought once", () => {
  it.effect("makes an order and no subscription, between the checkout's last two words", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const checkout = yield* open(lifetime.id, { metadata: { campaign: "autumn" } })
      const types = yield* watch
      const { order, subscription } = yield* simulator.pay(checkout, { customer_email: "ada@acme-mail.dev" })
      assert.isNull(subscription)
      assert.deepStrictEqual(yield* types, [
        "checkout.updated",
        "customer.created",
        "customer.state_changed",
        "order.created",
        "order.updated",
        "order.paid",
        "checkout.updated"
      ])
      assert.deepInclude(yield* orderNow(order?.id ?? ""), {
        status: "paid",
        billing_reason: "purchase",
        product_id: lifetime.id,
        checkout_id: checkout,
        subscription_id: null,
        subscription: null,
        net_amount: 4900,
        metadata: { campaign: "autumn" }
      })
      assert.deepInclude(order?.items[0], { start_timestamp: null, end_timestamp: null, amount: 4900 })
      // The card paid once, and is not kept for more.
      assert.isNull((yield* customers)[0]?.default_payment_method_id)
      yield* TestClock.adjust("400 days")
      assert.lengthOf(yield* types, 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("can be bought twice, and by who subscribes already", () =>
    Effect.gen(function* () {
      yield* bought()
      const first = yield* boughtOnce()
      const second = yield* boughtOnce()
      assert.notStrictEqual(first.id, second.id)
      assert.strictEqual(first.customer_id, second.customer_id)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("for nothing is paid too, and asks for no card", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* simulator.failNextPayment()
      const told = yield* watchMoney
      const order = yield* boughtOnce(gift.id)
      assert.deepStrictEqual(inShort(yield* told), ["order.created paid", "order.updated paid", "order.paid paid"])
      assert.deepInclude(yield* orderNow(order.id), {
        total_amount: 0,
        due_amount: 0,
        paid: true,
        receipt_number: null
      })
    }).pipe(Effect.provide(layer({ products: [gift] })))
  )

  it.effect("a discount takes its share off the price, and off the tax", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* open(lifetime.id, { discount_id: autumn.id })
      const offered = yield* simulator.read((world) =>
        Wire.checkout(world, HashMap.unsafeGet(world.tables.checkouts, id))
      )
      const amounts = { subtotal_amount: 4900, discount_amount: 980, net_amount: 3920 }
      assert.deepInclude(offered, { ...amounts, discount_id: autumn.id, tax_amount: null, total_amount: 3920 })
      const { checkout, order } = yield* simulator.pay(id, { customer_email: "ada@acme-mail.dev" })
      const succeeded = yield* simulator.read((world) => Wire.checkout(world, checkout))
      assert.deepInclude(succeeded, { ...amounts, tax_amount: 784, total_amount: 4704 })
      const body = yield* orderNow(order?.id ?? "")
      assert.deepInclude(body, { ...amounts, tax_amount: 784, total_amount: 4704, discount_id: autumn.id })
      assert.deepInclude(Object(body.discount), { basis_points: 2000, code: "AUTUMN20", redemptions_count: 1 })
      assert.deepInclude(body.items[0], { amount: 4900, tax_amount: 784 })
    }).pipe(Effect.provide(layer({ discounts: [autumn], taxRate: 0.2 })))
  )

  it.effect("all of the price off, it is paid, asks for no card, and there is nothing to give back", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* simulator.failNextPayment()
      const told = yield* watchMoney
      const order = yield* boughtOnce(lifetime.id, { discount_id: launch.id })
      assert.deepStrictEqual(inShort(yield* told), ["order.created paid", "order.updated paid", "order.paid paid"])
      assert.deepInclude(yield* orderNow(order.id), {
        subtotal_amount: 4900,
        discount_amount: 4900,
        net_amount: 0,
        tax_amount: 0,
        total_amount: 0,
        receipt_number: null,
        refundable_amount: 0
      })
      assert.strictEqual((yield* Effect.flip(simulator.refund(order.id))).error, "RefundUnknownPayment")
    }).pipe(Effect.provide(layer({ discounts: [launch], taxRate: 0.2 })))
  )

  it.effect("a discount is for nothing that is free, and can be taken off an open checkout again", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* open(free.id)
      const wrong = yield* Effect.flip(simulator.run(Checkouts.update(id, { discount_id: launch.id })))
      assert.include(JSON.stringify(wrong.detail), "not applicable to this product")
      const once = yield* open(lifetime.id, { discount_id: launch.id })
      const without = yield* simulator.run(Checkouts.update(once, { discount_id: null }))
      assert.strictEqual((yield* simulator.read((world) => Wire.checkout(world, without))).net_amount, 4900)
    }).pipe(Effect.provide(layer({ discounts: [launch] })))
  )

  it.effect("declined, makes no order", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const told = yield* watchMoney
      const checkout = yield* open(lifetime.id)
      const declined = yield* simulator.decline(checkout, { customer_email: "ada@acme-mail.dev" })
      assert.deepInclude(declined, { outcome: "declined", order: null, subscription: null })
      assert.lengthOf(yield* told, 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("cannot be subscribed to, in no way", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      const [customer] = yield* customers
      assert.isDefined(customer)
      const refusals = [
        simulator.run(PlanChange.updatePlan(id, { product_id: lifetime.id })),
        simulator.run(Subscriptions.createFree(lifetime.id, customer, {}))
      ]
      for (const refused of refusals) {
        const { detail } = yield* Effect.flip(Effect.asVoid(refused))
        assert.include(JSON.stringify(detail), "Product is not recurring.")
      }
    }).pipe(Effect.provide(layer()))
  )
})

it.effect("tax comes on top of every line, of which a lower plan gives back its share", () =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const id = yield* bought()
    const once = yield* boughtOnce()
    assert.deepInclude(yield* orderNow(once.id), {
      subtotal_amount: 4900,
      net_amount: 4900,
      tax_amount: 980,
      total_amount: 5880,
      due_amount: 5880,
      refundable_tax_amount: 980
    })
    yield* simulator.run(PlanChange.updatePlan(id, { product_id: free.id, proration_behavior: "invoice" }))
    yield* simulator.run(PlanChange.updatePlan(id, { product_id: pro.id, proration_behavior: "invoice" }))
    const taxes = (yield* ordersOf(id)).map(({ tax_amount }) => tax_amount)
    assert.strictEqual(
      taxes.reduce((sum, tax) => sum + tax, 0),
      380
    )
  }).pipe(Effect.provide(layer({ taxRate: 0.2 })))
)

it.effect("an order keeps the name and the address of its buyer, who may be forgotten", () =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const order = yield* boughtOnce(lifetime.id, { customer_billing_address: { country: "FR", city: "Paris" } })
    yield* simulator.run(Customers.remove(order.customer_id, true))
    const now = yield* orderNow(order.id)
    assert.strictEqual(now.billing_name, "Ada")
    assert.strictEqual(now.billing_address?.city, "Paris")
    assert.match(now.customer.email, /@anonymized\.polar\.sh$/)
  }).pipe(Effect.provide(layer()))
)
