/** A simulator in process, and the few things that every test of its rules does. */
import { assert } from "@effect/vitest"
import { type Checkouts, Seed, Simulator, Wire } from "@kavach-polar/simulator"
import { Effect, HashMap, Layer } from "effect"

export const layer = (options: Simulator.Options = {}) =>
  Simulator.layer(options).pipe(Layer.provide(Simulator.layerNoNetwork))

/** What the API answers to this request. */
export const asked = (method: string, path: string, body?: object) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const response = yield* simulator.handle(
      new Request(`http://polar.invalid${path}`, {
        method,
        headers: { authorization: `Bearer ${Simulator.accessToken}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
    )
    const text = yield* Effect.promise(() => response.text())
    const answer: Readonly<Record<string, unknown>> = text === "" ? {} : JSON.parse(text)
    return { status: response.status, body: answer }
  })

/** Opens a checkout as an app does, over the API. */
export const open = (product: string, extra: object = {}) =>
  Effect.gen(function* () {
    const { body, status } = yield* asked("POST", "/v1/checkouts/", { products: [product], ...extra })
    assert.strictEqual(status, 201, JSON.stringify(body))
    return String(body["id"])
  })

/** Opens a checkout, pays it, and gives the subscription that comes of it. */
export const bought = (
  product: string = Seed.products.pro.id,
  extra: object = {},
  buyer: Checkouts.CheckoutChange = { customer_email: "ada@acme-mail.dev" }
) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const { subscription } = yield* simulator.pay(yield* open(product, extra), buyer)
    assert.isNotNull(subscription)
    return subscription.id
  })

/** The types of what happened since the last look. */
export const watch = Effect.gen(function* () {
  const simulator = yield* Simulator.Simulator
  let seen = (yield* simulator.emitted).length
  return Effect.map(simulator.emitted, (all) => {
    const fresh = all.slice(seen).map(({ type }) => type)
    seen = all.length
    return fresh
  })
})

/** What was told of orders and refunds since the last look: each event's type, and its object as it was told. */
export const watchMoney = Effect.gen(function* () {
  const simulator = yield* Simulator.Simulator
  let seen = (yield* simulator.emitted).length
  return Effect.map(simulator.emitted, (all) => {
    const fresh = all.slice(seen).filter(({ type }) => /^(?:order|refund)\./.test(type))
    seen = all.length
    return fresh.map(({ at, data, type }): Told => ({ type, at, data: JSON.parse(JSON.stringify(data)) }))
  })
})

export interface Told {
  readonly type: string
  readonly at: number
  readonly data: Readonly<Record<string, unknown>>
}

/** Each event as its type and the status that it told: `order.created pending`. */
export const inShort = (told: ReadonlyArray<Told>): ReadonlyArray<string> =>
  told.map(({ data, type }) => `${type} ${data["status"]}`)

/** Buys something once, and gives its order. */
export const boughtOnce = (product: string = Seed.products.lifetime.id, extra: object = {}) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const checkout = yield* open(product, extra)
    const { order } = yield* simulator.pay(checkout, { customer_email: "ada@acme-mail.dev", customer_name: "Ada" })
    assert.isNotNull(order)
    return order
  })

export const orderNow = (id: string) =>
  Effect.flatMap(Simulator.Simulator, (simulator) =>
    simulator.read((world) => Wire.order(world, HashMap.unsafeGet(world.tables.orders, id)))
  )

export const subscriptionNow = (id: string) =>
  Effect.flatMap(Simulator.Simulator, (simulator) =>
    simulator.read(({ tables }) => HashMap.unsafeGet(tables.subscriptions, id))
  )

/** The orders of a subscription, the oldest first. */
export const ordersOf = (id: string) =>
  Effect.flatMap(Simulator.Simulator, (simulator) =>
    simulator.read(({ tables }) =>
      Array.from(HashMap.values(tables.orders))
        .filter(({ subscription_id }) => subscription_id === id)
        .sort((one, other) => one.created_at - other.created_at)
    )
  )

export const customers = Effect.flatMap(Simulator.Simulator, (simulator) =>
  simulator.read(({ tables }) =>
    Array.from(HashMap.values(tables.customers)).sort((one, other) => one.created_at - other.created_at)
  )
)
