/** Orders and refunds over the API: filters, pages, scopes, and the shapes of what is refused. */
import { Seed, type Served, Simulator, serve } from "@kavach-polar/simulator"
import { Redacted } from "effect"
import { afterAll, assert, beforeAll, describe, test } from "vitest"

const { free, lifetime, pro } = Seed.products
const unknownId = "0f0e0d0c-0b0a-4908-8706-0504030201ff"

let simulator: Served
/** Grace subscribes, and her renewal is declined; Ada buys once, twice, with metadata. */
let ids: Readonly<
  Record<"first" | "renewal" | "once" | "twice" | "nothing" | "ada" | "checkout" | "subscription", string>
>

const token = (scope: string) => `polar_oat_${scope.replace(":", "_")}`
const scopes = ["orders:read", "orders:write", "refunds:read", "refunds:write"]

const ask = async (path: string, body?: unknown, bearer: string = Simulator.accessToken) => {
  const response = await fetch(`${simulator.url}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${bearer}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  return { status: response.status, body: JSON.parse(await response.text()) }
}

const buy = async (product: string, email: string, extra: object = {}) => {
  const { body } = await ask("/v1/checkouts/", { products: [product], ...extra })
  const { order } = await simulator.pay(body.id, { customer_email: email })
  if (order === null) throw new Error("nothing was bought")
  return order
}

const refund = (order_id: string, extra: object = {}) =>
  ask("/v1/refunds/", { order_id, reason: "customer_request", amount: 100, ...extra })

beforeAll(async () => {
  simulator = await serve({
    accessTokens: [
      { token: Redacted.make(Simulator.accessToken) },
      ...scopes.map((scope) => ({ token: Redacted.make(token(scope)), scopes: [scope] }))
    ]
  })
  const first = await buy(pro.id, "grace@acme-mail.dev")
  await simulator.failNextPayment()
  const { body: subscription } = await ask(`/v1/subscriptions/${first.subscription_id}`)
  await simulator.advanceTo(new Date(subscription.current_period_end))
  const renewal = (await ask("/v1/orders/?status=pending")).body.items[0]
  const once = await buy(lifetime.id, "ada@acme-mail.dev", {
    external_customer_id: "usr_1",
    metadata: { a: "1", b: 2 }
  })
  const twice = await buy(lifetime.id, "ada@acme-mail.dev", { metadata: { a: "2" } })
  const nothing = await buy(free.id, "ada@acme-mail.dev")
  ids = {
    first: first.id,
    renewal: renewal.id,
    once: once.id,
    twice: twice.id,
    nothing: nothing.id,
    ada: once.customer_id,
    checkout: once.checkout_id ?? "",
    subscription: first.subscription_id ?? ""
  }
})

afterAll(() => simulator.close())

type Name = keyof typeof ids

describe("orders", () => {
  const lists: ReadonlyArray<readonly [string, () => string, ReadonlyArray<Name>]> = [
    ["all, the newest first", () => "", ["nothing", "twice", "once", "renewal", "first"]],
    ["the oldest first", () => "sorting=created_at", ["first", "renewal", "once", "twice", "nothing"]],
    [
      "by amount, then by number",
      () => "sorting=-amount&sorting=invoice_number",
      ["once", "twice", "first", "renewal", "nothing"]
    ],
    ["of a product", () => `product_id=${lifetime.id}`, ["twice", "once"]],
    ["of two products", () => `product_id=${lifetime.id}&product_id=${free.id}`, ["nothing", "twice", "once"]],
    ["of a customer", () => `customer_id=${ids.ada}`, ["nothing", "twice", "once"]],
    ["of the app's user", () => "external_customer_id=usr_1", ["nothing", "twice", "once"]],
    ["of a checkout", () => `checkout_id=${ids.checkout}`, ["once"]],
    ["of a subscription", () => `subscription_id=${ids.subscription}`, ["renewal", "first"]],
    ["with a status", () => "status=pending", ["renewal"]],
    ["bought once", () => "product_billing_type=one_time", ["twice", "once"]],
    ["that recur", () => "product_billing_type=recurring", ["nothing", "renewal", "first"]],
    ["with metadata", () => "metadata[a]=1&metadata[b]=2", ["once"]],
    ["with one or another", () => "metadata[a]=1&metadata[a]=2", ["twice", "once"]],
    ["with a discount", () => `discount_id=${unknownId}`, []],
    ["of somebody else", () => `organization_id=${unknownId}`, []],
    [
      "since a time",
      () => `created_after=${new Date(Date.now() + 86_400_000).toISOString()}`,
      ["nothing", "twice", "once", "renewal"]
    ],
    ["until a time", () => `created_before=${new Date(Date.now() + 86_400_000).toISOString()}`, ["first"]],
    ["a page of them", () => "limit=2&page=2", ["once", "renewal"]]
  ]
  for (const [what, query, expected] of lists) {
    test(what, async () => {
      const { body, status } = await ask(`/v1/orders/?${query()}`)
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(
        body.items.map(({ id }: { id: string }) => id),
        expected.map((name) => ids[name])
      )
    })
  }

  test("one of them", async () => {
    assert.strictEqual((await ask(`/v1/orders/${ids.once}`)).body.id, ids.once)
    assert.strictEqual((await ask(`/v1/orders/${unknownId}`)).status, 404)
  })
})

describe("products", () => {
  test("that recur, and that do not", async () => {
    const once = await ask("/v1/products/?is_recurring=false")
    assert.deepStrictEqual(
      once.body.items.map(({ id }: { id: string }) => id),
      [lifetime.id]
    )
    const [product] = once.body.items
    assert.deepInclude(product, { is_recurring: false, recurring_interval: null, recurring_interval_count: null })
    assert.deepInclude(product.prices[0], { type: "one_time", recurring_interval: null })
    const { items } = (await ask("/v1/products/?is_recurring=true")).body
    assert.isFalse(items.some(({ id }: { id: string }) => id === lifetime.id))
  })
})

describe("scopes", () => {
  const cases: ReadonlyArray<readonly [string, unknown, ReadonlyArray<string>]> = [
    ["/v1/orders/", undefined, ["orders:read"]],
    [`/v1/orders/${unknownId}`, undefined, ["orders:read"]],
    ["/v1/refunds/", undefined, ["refunds:read", "refunds:write"]],
    ["/v1/refunds/", {}, ["refunds:write"]]
  ]
  for (const [path, body, enough] of cases) {
    test(`${body === undefined ? "GET" : "POST"} ${path} takes ${enough.join(" or ")}`, async () => {
      for (const scope of scopes) {
        const answer = await ask(path, body, token(scope))
        assert.strictEqual(answer.status !== 403, enough.includes(scope), scope)
        if (answer.status === 403) assert.strictEqual(answer.body.error, "insufficient_scope")
      }
    })
  }
})

describe("refunds", () => {
  test("are made, and listed by what they are of", async () => {
    const partial = await refund(ids.once, { metadata: { key: "k1" }, comment: null, revoke_benefits: true })
    assert.strictEqual(partial.status, 201)
    assert.deepInclude(partial.body, {
      order_id: ids.once,
      customer_id: ids.ada,
      subscription_id: null,
      amount: 100,
      tax_amount: 0,
      currency: "usd",
      status: "succeeded",
      revoke_benefits: true,
      dispute: null,
      metadata: { key: "k1" }
    })
    const of = (await refund(ids.first, { amount: 200 })).body
    await simulator.holdNextRefund()
    const held = (await refund(ids.twice, { amount: 300 })).body
    const lists: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
      ["", [held.id, of.id, partial.body.id]],
      ["sorting=amount", [partial.body.id, of.id, held.id]],
      ["limit=1&page=2", [of.id]],
      [`id=${of.id}&id=${held.id}`, [held.id, of.id]],
      [`order_id=${ids.once}`, [partial.body.id]],
      [`subscription_id=${ids.subscription}`, [of.id]],
      [`customer_id=${ids.ada}`, [held.id, partial.body.id]],
      ["external_customer_id=usr_1", [held.id, partial.body.id]],
      ["succeeded=true", [of.id, partial.body.id]],
      ["succeeded=false", [held.id]],
      [`organization_id=${of.organization_id}&succeeded=false`, [held.id]],
      [`organization_id=${unknownId}`, []]
    ]
    for (const [query, expected] of lists) {
      const { body } = await ask(`/v1/refunds/?${query}`)
      assert.deepStrictEqual(
        body.items.map(({ id }: { id: string }) => id),
        expected,
        query
      )
    }
    assert.strictEqual((await ask(`/v1/refunds/${of.id}`)).status, 404)
  })

  test("that are refused say why", async () => {
    const rule = "PolarRequestValidationError"
    const schema = "RequestValidationError"
    const cases: ReadonlyArray<readonly [string, object, number, string, ReadonlyArray<string> | undefined]> = [
      [unknownId, {}, 422, rule, ["body", "order_id"]],
      [ids.once, { amount: 4801 }, 422, rule, ["body", "amount"]],
      [ids.once, { amount: 0 }, 422, schema, ["body", "amount"]],
      [ids.once, { amount: 1.5 }, 422, schema, ["body", "amount"]],
      [ids.once, { reason: "dispute_prevention" }, 422, schema, ["body", "reason"]],
      [ids.first, { revoke_benefits: true }, 400, "RevokeSubscriptionBenefitsProhibited", undefined],
      [ids.nothing, {}, 404, "RefundUnknownPayment", undefined],
      [ids.renewal, {}, 404, "RefundUnknownPayment", undefined]
    ]
    const before = (await ask("/v1/refunds/")).body
    for (const [order, extra, status, error, loc] of cases) {
      const answer = await refund(order, extra)
      assert.deepStrictEqual([answer.status, answer.body.error], [status, error])
      if (loc === undefined) assert.isString(answer.body.detail)
      else assert.deepStrictEqual(answer.body.detail[0].loc, loc)
    }
    assert.deepStrictEqual((await ask("/v1/refunds/")).body, before)
    assert.strictEqual((await refund(ids.once, { amount: 4800 })).status, 201)
    const twice = await refund(ids.once)
    assert.deepStrictEqual([twice.status, twice.body.error], [403, "RefundedAlready"])
  })
})
