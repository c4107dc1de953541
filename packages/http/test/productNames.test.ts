/** The names in `products`, in the types: what is misspelt does not compile. */
import type { Order, Polar, PolarBilling } from "@kavach-polar/http"
import { polar } from "@kavach-polar/http"
import * as Standalone from "@kavach-polar/http/standalone"
import { expect, expectTypeOf, test } from "vitest"
import { fixture, vary } from "../../core/test/deliveries.ts"
import { memoryPolar, product, secret, startHost } from "./host.ts"

const team = "b7e2c5d8-40f1-4a6b-8c93-9d0e1f2a3b61"
const base = { webhookSecret: secret, logLevel: "none" } as const

/** Never called: only its types are looked at. */
const types = (order: Order, text: string, plan: "pro" | "team") => {
  const named = polar({ ...base, products: { pro: product, team: { id: team } } })
  expectTypeOf(named).toEqualTypeOf<Polar<"pro" | "team">>()
  return [
    named.createCheckout("u", "pro"),
    named.createCheckout("u", plan, { seats: 2 }),
    named.createCheckout("u", "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60"),
    // What is only known when it runs is looked at then.
    named.createCheckout("u", text),
    named.orders.owns("u", "team"),
    named.orders.owns("u", order.productId ?? "team"),
    named.products.get("pro"),
    named.access("u"),
    named.access("u", { at: new Date() }),
    named.access("u", { product: "pro" }),
    named.access("u", { product: text }),
    named.access("u", { products: ["pro", "team", product] }),
    // @ts-expect-error: there is no such name
    named.createCheckout("u", "por"),
    // @ts-expect-error: there is no such name
    named.orders.owns("u", "tem"),
    // @ts-expect-error: there is no such name
    named.products.get("free"),
    // @ts-expect-error: there is no such name
    named.access("u", { product: "por" }),
    // @ts-expect-error: there is no such name among them
    named.access("u", { products: ["pro", "por"] }),
    // @ts-expect-error: there is no such option
    named.access("u", { prodct: "pro" }),
    // @ts-expect-error: one that is not set is not "any"
    named.access("u", { product: undefined }),
    // @ts-expect-error: there is no such option
    named.createCheckout("u", "pro", { seat: 2 })
  ]
}

const others = (config: Parameters<typeof polar>[0]) => {
  const listed = polar({ ...base, products: [product, process.env["POLAR_TEAM"]] })
  const fromVariables = polar({ ...base, products: { pro: process.env["POLAR_PRO"] } })
  const any = polar({ ...base, products: "any" })
  expectTypeOf(fromVariables).toEqualTypeOf<Polar<"pro">>()
  expectTypeOf(any).toEqualTypeOf<Polar>()
  expectTypeOf(polar(base)).toEqualTypeOf<Polar>()
  expectTypeOf(polar(config)).toEqualTypeOf<Polar>()
  expectTypeOf(Standalone.polar({ ...base, products: { pro: product } })).toEqualTypeOf<Standalone.Polar<"pro">>()
  // Code that takes any billing takes these.
  const takers: ReadonlyArray<PolarBilling> = [listed, fromVariables, any]
  return [
    takers,
    any.createCheckout("u", "whatever"),
    listed.createCheckout("u", product),
    // @ts-expect-error: a list of ids has no names
    listed.createCheckout("u", "pro")
  ]
}

test("are looked at by the compiler", () => {
  expect([types, others]).toHaveLength(2)
})

const productId = JSON.parse(new TextDecoder().decode(fixture("product.created.one_time"))).data.id as string

test("a product is found by its name, its key or its id, as the webhooks have brought it", async () => {
  await using host = await startHost({ products: { lifetime: productId, team } })
  const { products } = host.billing
  expect(await products.get("lifetime")).toBeNull()
  expect(await products.list()).toEqual([])
  await host.deliver(vary("product.created.one_time", { data: { metadata: { key: "for-ever" } } }))
  const found = await products.get("lifetime")
  expect(found).toMatchObject({ id: productId, key: "lifetime", isArchived: false, metadata: { key: "for-ever" } })
  expect(structuredClone(found)).toEqual(found)
  for (const asked of ["for-ever", productId, productId.toUpperCase()]) expect(await products.get(asked)).toEqual(found)
  expect(await products.get("nothing")).toBeNull()
  expect(await products.list()).toEqual([found])
  await expect(products.get("")).rejects.toThrow(/idOrKey/)
})

test("only what is for sale is listed, and only what the catalogue names", async () => {
  await using host = await startHost({ products: { team } })
  await host.deliver(fixture("product.created.one_time"))
  await host.deliver(vary("product.created.one_time", { data: { id: team } }))
  expect(await host.billing.products.list()).toMatchObject([{ id: team, key: "team" }])
  expect(await host.billing.products.get(productId)).toMatchObject({ key: productId })
  await host.deliver(
    vary("product.updated.archived", { timestamp: "2027-01-01T00:00:00Z", data: { id: team, is_archived: true } })
  )
  expect(await host.billing.products.list()).toEqual([])
  expect(await host.billing.products.get("team")).toMatchObject({ isArchived: true })
})

test("without a catalogue its key is that of its metadata", async () => {
  const { client } = memoryPolar()
  await using host = await startHost({ client })
  await host.deliver(vary("product.created.one_time", { data: { metadata: { key: "for-ever" } } }))
  expect(await host.billing.products.get("for-ever")).toMatchObject({ id: productId, key: "for-ever" })
  expect(await host.billing.products.list()).toMatchObject([{ key: "for-ever" }])
})
