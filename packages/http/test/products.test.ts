/** What the app sells, and what was bought: `products`, and `access` to one of them. */
import * as BillingStore from "@kavach-polar/core/BillingStore"
import { InvalidOption } from "@kavach-polar/core/Options"
import { PolarConfigError, type PolarLogger, polar } from "@kavach-polar/http"
import { describe, expect, test } from "vitest"
import { fixture, vary } from "../../core/test/deliveries.ts"
import { memoryPolar, product, type StartOptions, secret, startHost } from "./host.ts"

const user = "usr_1042"

const team = "0c0ffee0-0000-4000-8000-00000000000a"
const hidden = "0c0ffee0-0000-4000-8000-000000000001"

const remembering = () => {
  const lines: Array<string> = []
  const to = (level: string) => (line: string) => void lines.push(`${level}: ${line}`)
  const logger: PolarLogger = { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") }
  return { lines, logger }
}

/** The user has the product of the fixtures, which is live as of this moment. */
const subscribed = async (options?: StartOptions) => {
  const host = await startHost(options)
  await host.deliver(vary("subscription.active", { data: { current_period_end: "2999-01-01T00:00:00Z" } }))
  return host
}

const rejected = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "taken",
    (error: unknown) => error
  )

describe("the checkout route", () => {
  test("sells what `products` names, by name and by id, and nothing else", async () => {
    const { lines, logger } = remembering()
    await using host = await startHost({ products: { pro: product, team: { id: team } }, logger, logLevel: "warning" })
    for (const productId of ["pro", product, product.toUpperCase()]) {
      expect((await host.checkout({ productId })).status).toBe(200)
    }
    const sold = await host.memory.checkouts()
    expect(new Set(sold.flatMap(({ input }) => input.products))).toEqual(new Set([product]))
    expect(lines).toEqual([])

    for (const productId of [hidden, "enterprise", "toString", "__proto__"]) {
      const { body, status } = await host.checkout({ productId })
      expect({ status, body }).toEqual({ status: 400, body: { error: "Invalid productId: there is no such product" } })
    }
    expect(await host.memory.checkouts()).toHaveLength(sold.length)
    expect(lines).toEqual([expect.stringMatching(new RegExp(`^warn: ProductNotOffered: .*${hidden}.*\`products\``))])
  })

  test("a list of ids will do", async () => {
    await using host = await startHost({ products: [team.toUpperCase(), product] })
    expect((await host.checkout({ productId: team })).status).toBe(200)
    expect((await host.checkout({ productId: hidden })).status).toBe(400)
  })

  test("who is not signed in does not learn what is sold", async () => {
    await using host = await startHost({ products: [product] })
    expect((await host.checkout({ productId: hidden }, "nobody")).status).toBe(401)
  })

  test("without `products` the host is told at start, once, that it sells anything", async () => {
    const { lines, logger } = remembering()
    await using host = await startHost({ logger, logLevel: "warning" })
    expect((await host.checkout({ productId: hidden })).status).toBe(200)
    await host.billing.start()
    expect(lines).toEqual([expect.stringMatching(/^warn: The checkout route sells any product .*`products`/)])
  })

  test("unless that is said to be meant", async () => {
    const { lines, logger } = remembering()
    await using host = await startHost({ products: "any", logger, logLevel: "warning" })
    expect((await host.checkout({ productId: hidden })).status).toBe(200)
    expect(lines).toEqual([])
  })

  test("where no checkout route is mounted, nothing is said of it", async () => {
    const { lines, logger } = remembering()
    const { client } = memoryPolar()
    await using billing = polar({ webhookSecret: secret, client, store: BillingStore.layerMemory, logger })
    await billing.start()
    expect(lines.filter((line) => line.includes("checkout route"))).toEqual([])
  })
})

describe("access, and what is shown", () => {
  test("counts only products of the catalogue", async () => {
    await using host = await subscribed({ products: { team } })
    expect(await host.billing.access(user)).toMatchObject({
      entitlement: "denied",
      reason: expect.stringContaining("`products`")
    })
    expect(await host.billing.getSubscription(user)).toBeNull()
    expect((await host.subscription()).body).toEqual({ subscription: null })
    // What Polar charges for is still listed.
    expect(await host.billing.listSubscriptions(user)).toHaveLength(1)
  })

  test("is as ever where the catalogue has the product", async () => {
    await using host = await subscribed({ products: { pro: product, team } })
    expect(await host.billing.access(user)).toMatchObject({ entitlement: "granted" })
    expect(await host.billing.getSubscription(user)).toMatchObject({ productId: product })
  })

  test("asked for a product, answers for subscriptions to that one only", async () => {
    await using host = await subscribed({ products: { pro: product, team } })
    const { access } = host.billing
    expect(await access(user, { product: "pro" })).toMatchObject({ entitlement: "granted" })
    expect(await access(user, { product })).toMatchObject({ entitlement: "granted" })
    expect(await access(user, { products: ["team", "pro"] })).toMatchObject({ entitlement: "granted" })
    expect(await access(user, { product: "team" })).toMatchObject({
      entitlement: "denied",
      reason: "The user has a live subscription, and none to what was asked for."
    })
    expect(await access(user, { products: [team, hidden] })).toMatchObject({ entitlement: "denied" })
    expect(await access("usr_1043", { product: "pro" })).toMatchObject({ entitlement: "denied" })
  })

  test("needs no catalogue for that, only ids", async () => {
    await using host = await subscribed()
    expect(await host.billing.access(user, { product })).toMatchObject({ entitlement: "granted" })
    expect(await host.billing.access(user, { product: team })).toMatchObject({ entitlement: "denied" })
    expect(await rejected(host.billing.access(user, { product: "pro" }))).toMatchObject({
      message: expect.stringMatching(/^access\(\): product: it must be a product's id at Polar, a UUID/)
    })
  })

  test("the one that was asked for decides, though another one gives more", async () => {
    await using host = await subscribed({ products: { pro: product, team } })
    await host.deliver(
      vary("subscription.past_due", {
        data: { id: hidden, product_id: team, past_due_at: "2020-01-01T00:00:00Z", product: null }
      })
    )
    expect(await host.billing.access(user)).toMatchObject({ entitlement: "granted" })
    expect(await host.billing.access(user, { product: "team" })).toMatchObject({
      entitlement: "denied",
      reason: expect.stringContaining("its grace period ended")
    })
  })

  test.each<[option: string, problem: RegExp, options: unknown]>([
    ["product", /Did you mean team/, { product: "taem" }],
    ["products.1", /It has pro, team/, { products: ["pro", "enterprise"] }],
    // A variable that is not set must not turn into "any product".
    ["product", /is blank or no text/, { product: undefined }],
    ["product", /is blank or no text/, { product: "" }],
    ["products", /a list of products/, { products: undefined }],
    ["products", /a list of products/, { products: [] }],
    ["products.0", /is blank or no text/, { products: [undefined] }]
  ])("a wrong %s is refused: %s", async (option, problem, options) => {
    await using host = await subscribed({ products: { pro: product, team } })
    const error = await rejected(host.billing.access(user, options as never))
    expect(error).toBeInstanceOf(InvalidOption)
    expect(error).toMatchObject({ call: "access()", option, problem: expect.stringMatching(problem) })
  })
})

describe("calls of the app's own code", () => {
  test("take names as well as ids, also of products that are not for every page", async () => {
    await using host = await startHost({ products: { pro: product } })
    await host.billing.createCheckout(user, "pro")
    await host.billing.createCheckout(user, hidden)
    const sold = await host.memory.checkouts()
    expect(sold.map(({ input }) => input.products)).toEqual([[product], [hidden]])
    const error = await rejected(host.billing.createCheckout(user, "por"))
    expect(error).toMatchObject({ _tag: "InvalidOption", message: expect.stringContaining("Did you mean pro?") })
  })

  test("orders.owns", async () => {
    const lifetime = JSON.parse(new TextDecoder().decode(fixture("order.paid"))).data.product_id as string
    await using host = await startHost({ products: { lifetime } })
    await host.deliver(vary("order.paid", { data: { billing_reason: "purchase", subscription_id: null } }))
    expect(await host.billing.orders.owns(user, "lifetime")).toBe(true)
    expect(await host.billing.orders.owns(user, lifetime)).toBe(true)
    expect(await host.billing.orders.owns(user, hidden)).toBe(false)
    expect(await rejected(host.billing.orders.owns(user, "lifetmie"))).toMatchObject({ _tag: "InvalidOption" })
  })
})

describe("`products` is checked", () => {
  test.each<[field: string, problem: RegExp, products: unknown]>([
    ["products", /a list of products' ids, an object of names/, "pro"],
    ["products", /a list of products' ids, an object of names/, null],
    ["products", /names no product/, []],
    ["products", /names no product/, {}],
    ["products.0", /a UUID/, ["pro"]],
    ["products.pro", /a UUID/, { pro: "prod_1" }],
    ["products.pro", /a UUID/, { pro: 7 }],
    ["products.team.id", /a UUID/, { pro: product, team: { id: "team" } }],
    ["products.team.name", /There is id/, { team: { id: team, name: "Team" } }],
    [`products.${team}`, /must not be an id/, { [team]: product }],
    ["products. ", /1 to 64 characters/, { " ": product }]
  ])("%s: %s", (field, problem, products) => {
    const error = (() => {
      try {
        return polar({ accessToken: "polar_oat_InventedInventedInvented", webhookSecret: secret, products } as never)
      } catch (thrown) {
        return thrown
      }
    })()
    expect(error).toBeInstanceOf(PolarConfigError)
    expect(error).toMatchObject({ field, problem: expect.stringMatching(problem) })
  })

  test("an id that is only missing is told by the first use, for builds without an environment", async () => {
    const { client } = memoryPolar()
    await using billing = polar({
      webhookSecret: secret,
      client,
      store: BillingStore.layerMemory,
      logLevel: "none",
      products: { pro: product, team: process.env["NO_SUCH_PRODUCT"] }
    })
    expect(await rejected(billing.access(user))).toMatchObject({
      _tag: "PolarConfigError",
      field: "products.team",
      problem: expect.stringContaining("it is missing")
    })
  })
})
