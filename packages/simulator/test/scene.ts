/** A simulator in process, and the few things that every test of its rules does. */
import { assert } from "@effect/vitest"
import { type Checkouts, Seed, Simulator } from "@kavach-polar/simulator"
import { Effect, HashMap, Layer } from "effect"

export const layer = (options: Simulator.Options = {}) =>
  Simulator.layer(options).pipe(Layer.provide(Simulator.layerNoNetwork))

/** Opens a checkout as an app does, over the API. */
export const open = (product: string, extra: object = {}) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const response = yield* simulator.handle(
      new Request("http://polar.invalid/v1/checkouts/", {
        method: "POST",
        headers: { authorization: `Bearer ${Simulator.accessToken}` },
        body: JSON.stringify({ products: [product], ...extra })
      })
    )
    assert.strictEqual(response.status, 201)
    const { id }: { readonly id: string } = JSON.parse(yield* Effect.promise(() => response.text()))
    return id
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
