/** The API's edge as tables: versions, tokens, slashes, lengths, limits, pages, and the shapes of the errors. */
import { request as httpRequest } from "node:http"
import { Seed, type Served, Simulator, serve } from "@kavach-polar/simulator"
import { Redacted } from "effect"
import { afterAll, assert, beforeAll, describe, test } from "vitest"

let simulator: Served

const narrow = "polar_oat_narrow"

beforeAll(async () => {
  simulator = await serve({
    accessTokens: [
      { token: Redacted.make(Simulator.accessToken) },
      { token: Redacted.make(narrow), scopes: ["customers:read"] }
    ]
  })
})

afterAll(() => simulator.close())

interface Asked {
  readonly method?: string
  readonly body?: unknown
  readonly token?: string | null
  readonly headers?: Record<string, string>
}

const ask = async (path: string, { body, headers, method = "GET", token = Simulator.accessToken }: Asked = {}) => {
  const response = await fetch(`${simulator.url}${path}`, {
    method,
    redirect: "manual",
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) }
}

const unknownId = "0f0e0d0c-0b0a-4908-8706-0504030201ff"
const pro = Seed.products.pro.id

describe("answers that are no success", () => {
  const cases: ReadonlyArray<readonly [string, string, Asked, number, unknown]> = [
    ["an unknown route", "/v1/nothing/", {}, 404, { detail: "Not Found" }],
    ["an unknown version", "/v1/products/", { headers: { "polar-version": "2020-01" } }, 404, { detail: "Not Found" }],
    ["a wrong method", "/v1/products/", { method: "DELETE" }, 405, { detail: "Method Not Allowed" }],
    ["no token", "/v1/products/", { token: null }, 401, { error: "Unauthorized", detail: "Unauthorized" }],
    ["an unknown object", `/v1/orders/${unknownId}`, {}, 404, { error: "ResourceNotFound", detail: "Not found" }],
    ["a customer nobody has", "/v1/customers/external/x", {}, 404, { error: "ResourceNotFound", detail: "Not found" }],
    ["what is no encoding", "/v1/customers/external/%zz", {}, 404, { error: "ResourceNotFound", detail: "Not found" }],
    ["an encoded slash", "/v1/customers/external/a%2Fb", {}, 404, { detail: "Not Found" }]
  ]
  for (const [what, path, asked, status, body] of cases) {
    test(what, async () => {
      const answer = await ask(path, asked)
      assert.strictEqual(answer.status, status)
      assert.deepStrictEqual(answer.body, body)
    })
  }

  test("a bad token, also where none is needed", async () => {
    for (const path of ["/v1/products/", "/v1/checkouts/client/polar_c_x", "/v1/nothing"]) {
      const { body, headers, status } = await ask(path, { token: "polar_oat_wrong" })
      assert.strictEqual(status, 401)
      assert.deepStrictEqual(Object.keys(body), ["error", "error_description"])
      assert.strictEqual(body.error, "invalid_token")
      assert.include(headers.get("www-authenticate") ?? "", 'error="invalid_token"')
    }
  })

  test("a scope that is missing is named", async () => {
    assert.strictEqual((await ask("/v1/customers/", { token: narrow })).status, 200)
    const { body, headers, status } = await ask("/v1/customers/", { method: "POST", token: narrow, body: {} })
    assert.strictEqual(status, 403)
    assert.strictEqual(body.error, "insufficient_scope")
    assert.include(headers.get("www-authenticate") ?? "", 'scope="customers:write"')
  })
})

describe("bodies that are refused name the field", () => {
  const checkout = (body: unknown): readonly [string, Asked] => ["/v1/checkouts/", { method: "POST", body }]
  const customer = (body: unknown): readonly [string, Asked] => ["/v1/customers/", { method: "POST", body }]
  const schema = "RequestValidationError"
  const rule = "PolarRequestValidationError"
  const cases: ReadonlyArray<readonly [string, readonly [string, Asked], string, ReadonlyArray<string | number>]> = [
    ["no JSON", checkout("{"), schema, ["body", 0]],
    ["no products", checkout({}), schema, ["body", "products"]],
    ["no version 4", checkout({ products: ["0190a0a0-0000-7000-8000-000000000000"] }), schema, ["body", "products", 0]],
    ["an unknown product", checkout({ products: [unknownId] }), rule, ["body", "products", 0]],
    ["an unknown customer", checkout({ products: [pro], customer_id: unknownId }), rule, ["body", "customer_id"]],
    ["an unknown discount", checkout({ products: [pro], discount_id: unknownId }), rule, ["body", "discount_id"]],
    ["an empty metadata text", checkout({ products: [pro], metadata: { a: "" } }), schema, ["body", "metadata", "a"]],
    ["no web address", checkout({ products: [pro], success_url: "ftp://x" }), schema, ["body", "success_url"]],
    ["an address of RFC 2606", customer({ email: "ada@example.com" }), schema, ["body", "email"]],
    ["no e-mail address", customer({}), schema, ["body", "email"]],
    [
      "an organization",
      customer({ email: "a@b.dev", organization_id: unknownId }),
      schema,
      ["body", "organization_id"]
    ],
    [
      "nobody's portal",
      ["/v1/customer-sessions/", { method: "POST", body: { customer_id: unknownId } }],
      rule,
      ["body", "customer_id"]
    ],
    ["a path that is no id", ["/v1/orders/x", {}], schema, ["path", "id"]],
    ["a page that is none", ["/v1/orders/?page=0", {}], schema, ["query", "page"]],
    ["an unknown order", ["/v1/orders/?sorting=luck", {}], schema, ["query", "sorting"]],
    [
      "a paid product for free",
      ["/v1/subscriptions/", { method: "POST", body: { product_id: pro, customer_id: unknownId } }],
      rule,
      ["body", "customer_id"]
    ]
  ]
  for (const [what, [path, asked], error, loc] of cases) {
    test(what, async () => {
      const { body, status } = await ask(path, asked)
      assert.strictEqual(status, 422)
      assert.strictEqual(body.error, error)
      assert.deepStrictEqual(body.detail[0].loc, loc)
      assert.isString(body.detail[0].msg)
      assert.isString(body.detail[0].type)
    })
  }
})

describe("paths", () => {
  const slashes: ReadonlyArray<readonly [string, string]> = [
    ["/v1/checkouts", "/v1/checkouts/"],
    ["/v1/customers?limit=5", "/v1/customers/?limit=5"],
    ["/v1/webhooks/endpoints/", "/v1/webhooks/endpoints"],
    [`/v1/products/${pro}/`, `/v1/products/${pro}`]
  ]
  for (const [wrong, right] of slashes) {
    test(`${wrong} leads to ${right}`, async () => {
      const { headers, status } = await ask(wrong)
      assert.strictEqual(status, 307)
      assert.strictEqual(headers.get("location"), `${simulator.url}${right}`)
    })
  }

  test("the old mounts still answer", async () => {
    assert.strictEqual((await ask("/api/v1/products/")).status, 200)
    const body = { products: [pro] }
    assert.strictEqual((await ask("/v1/checkouts/custom/", { method: "POST", body })).status, 201)
  })

  test("the version is echoed, and the current one without a pin", async () => {
    assert.strictEqual((await ask("/v1/products/")).headers.get("polar-version"), "2026-10")
    const pinned = await ask("/v1/products/", { headers: { "polar-version": "2026-04" } })
    assert.strictEqual(pinned.headers.get("polar-version"), "2026-04")
    const gone = await ask("/v1/products/", { headers: { "polar-version": "1999-01" } })
    assert.isNull(gone.headers.get("polar-version"))
  })
})

describe("pages", () => {
  test("more than a hundred is a hundred; of nothing there is no page", async () => {
    for (let count = 0; count < 103; count++) {
      await ask("/v1/customers/", { method: "POST", body: { email: `c${count}@acme-mail.dev` } })
    }
    const { body } = await ask("/v1/customers/?limit=1000")
    assert.lengthOf(body.items, 100)
    assert.deepStrictEqual(body.pagination, { total_count: 103, max_page: 2 })
    assert.strictEqual(body.items[0].email, "c102@acme-mail.dev")
    const second = await ask("/v1/customers/?limit=100&page=2")
    assert.lengthOf(second.body.items, 3)
    const usual = await ask("/v1/customers/?sorting=created_at")
    assert.lengthOf(usual.body.items, 10)
    assert.strictEqual(usual.body.items[0].email, "c0@acme-mail.dev")
    assert.deepStrictEqual((await ask("/v1/orders/")).body, { items: [], pagination: { total_count: 0, max_page: 0 } })
  })
})

describe("customers", () => {
  test("are unique, and keep their external id", async () => {
    const input = { email: "Grace@acme-mail.dev", external_id: " usr_7 " }
    const { body: grace } = await ask("/v1/customers/", { method: "POST", body: input })
    assert.strictEqual(grace.external_id, "usr_7")
    const twice = await ask("/v1/customers/", { method: "POST", body: { ...input, email: "grace@ACME-mail.dev" } })
    assert.strictEqual(twice.status, 422)
    assert.deepStrictEqual(
      twice.body.detail.map(({ loc }: { loc: ReadonlyArray<string> }) => loc),
      [
        ["body", "email"],
        ["body", "external_id"]
      ]
    )
    const path = `/v1/customers/${grace.id}`
    assert.strictEqual((await ask(path, { method: "PATCH", body: { external_id: "usr_7" } })).status, 200)
    assert.strictEqual((await ask(path, { method: "PATCH", body: { external_id: "usr_8" } })).status, 422)
    assert.strictEqual((await ask(path, { method: "PATCH", body: { external_id: null } })).status, 422)
    assert.strictEqual((await ask(path, { method: "DELETE" })).status, 204)
    assert.strictEqual((await ask(path, { method: "DELETE" })).status, 404)
    assert.strictEqual((await ask("/v1/customers/", { method: "POST", body: input })).status, 201)
  })
})

describe("subscriptions", () => {
  const refusals: ReadonlyArray<readonly [string, unknown, number, string]> = [
    ["two kinds of change", { cancel_at_period_end: true, product_id: pro }, 422, "RequestValidationError"],
    ["an unknown field", { color: "red" }, 422, "RequestValidationError"],
    ["nothing to take back", { cancel_at_period_end: false }, 409, "SubscriptionNotScheduledToCancel"],
    ["no pause to take back", { pause_at_period_end: false }, 409, "NoScheduledPause"],
    ["not paused", { resume: true }, 409, "NotPausedSubscription"],
    ["no seats", { seats: 3 }, 400, "NotASeatBasedSubscription"],
    ["an unknown product", { product_id: unknownId }, 422, "PolarRequestValidationError"],
    [
      "no reset here",
      { product_id: Seed.products.team.id, proration_behavior: "reset" },
      422,
      "PolarRequestValidationError"
    ]
  ]

  test("refuse what does not fit, and change nothing", async () => {
    const opened = await ask("/v1/checkouts/", { method: "POST", body: { products: [pro] } })
    const { subscription } = await simulator.pay(opened.body.id, { customer_email: "joan@acme-mail.dev" })
    const path = `/v1/subscriptions/${subscription?.id}`
    const before = (await ask(path)).body
    for (const [what, body, status, error] of refusals) {
      const answer = await ask(path, { method: "PATCH", body })
      assert.strictEqual(answer.status, status, what)
      assert.strictEqual(answer.body.error, error, what)
    }
    await simulator.failNextPayment()
    const change = { product_id: Seed.products.team.id, proration_behavior: "invoice" }
    const unpaid = await ask(path, { method: "PATCH", body: change })
    assert.deepStrictEqual([unpaid.status, unpaid.body.error], [402, "PaymentFailed"])
    assert.deepStrictEqual((await ask(path)).body, before)
    assert.strictEqual((await ask(path, { method: "PATCH", body: change })).status, 200)

    const cancel = { method: "PATCH", body: { cancel_at_period_end: true } }
    assert.strictEqual((await ask(path, cancel)).status, 200)
    assert.strictEqual((await ask(path, cancel)).status, 403)
    assert.strictEqual((await ask(path, { method: "DELETE" })).status, 200)
    assert.strictEqual((await ask(path, { method: "DELETE" })).status, 403)
    const late = await ask(path, { method: "PATCH", body: { cancel_at_period_end: false } })
    assert.deepStrictEqual([late.status, late.body.error], [410, "ResourceUnavailable"])
  })

  test("products are made, with one fixed price and no other, and can be bought", async () => {
    const price = { amount_type: "fixed", price_amount: 3900, price_currency: "eur" }
    const product = { name: "Field guide", prices: [price], metadata: { shelf: 3 } }
    const make = (body: object) => ask("/v1/products/", { method: "POST", body })
    const once = await make(product)
    assert.strictEqual(once.status, 201)
    assert.deepInclude(once.body, { name: "Field guide", is_recurring: false, metadata: { shelf: 3 } })
    assert.deepInclude(once.body.prices[0], price)
    const trial = { trial_interval: "day", trial_interval_count: 14 }
    const monthly = await make({ ...product, recurring_interval: "month", ...trial })
    assert.deepInclude(monthly.body, { is_recurring: true, recurring_interval: "month", ...trial })
    assert.deepStrictEqual((await ask(`/v1/products/${once.body.id}`)).body, once.body)
    const checkout = await ask("/v1/checkouts/", { method: "POST", body: { products: [once.body.id] } })
    assert.deepStrictEqual([checkout.status, checkout.body.amount], [201, 3900])
    const refused: ReadonlyArray<readonly [string, object]> = [
      ["no price", { ...product, prices: [] }],
      ["another kind of price", { ...product, prices: [{ amount_type: "custom" }] }],
      ["two prices", { ...product, prices: [price, price] }],
      ["a short name", { ...product, name: "ab" }],
      ["what is not here", { ...product, medias: [] }]
    ]
    for (const [what, body] of refused) assert.strictEqual((await make(body)).status, 422, what)
  })

  test("one at a time for each customer, and a paid checkout is not paid again", async () => {
    const body = { products: [pro], customer_email: "mary@acme-mail.dev" }
    const first = (await ask("/v1/checkouts/", { method: "POST", body })).body
    const second = (await ask("/v1/checkouts/", { method: "POST", body })).body
    const confirm = (secret: string) =>
      ask(`/v1/checkouts/client/${secret}/confirm`, { method: "POST", token: null, body: {} })
    await simulator.failNextPayment()
    const declined = await confirm(first.client_secret)
    assert.deepStrictEqual([declined.status, declined.body.error], [400, "PaymentError"])
    assert.strictEqual((await ask(`/v1/checkouts/${first.id}`)).body.status, "open")
    assert.strictEqual((await confirm(first.client_secret)).status, 200)
    const refused = await confirm(second.client_secret)
    assert.deepStrictEqual([refused.status, refused.body.error], [403, "AlreadyActiveSubscriptionError"])
    const again = await confirm(first.client_secret)
    assert.deepStrictEqual([again.status, again.body.error], [403, "NotOpenCheckout"])
    await simulator.expireCheckout(second.id)
    const gone = await ask(`/v1/checkouts/client/${second.client_secret}`, { token: null })
    assert.deepStrictEqual([gone.status, gone.body.error], [410, "ExpiredCheckoutError"])
  })
})

describe("the wire", () => {
  /** A POST with exactly these headers, which `fetch` would not send. */
  const raw = (
    headers: Record<string, string>,
    chunks: ReadonlyArray<string>
  ): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(
        `${simulator.url}/v1/customers/`,
        { method: "POST", headers: { authorization: `Bearer ${Simulator.accessToken}`, ...headers } },
        (incoming) => {
          let body = ""
          incoming.on("data", (chunk: Buffer) => {
            body += chunk.toString()
          })
          incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, body }))
        }
      )
      sent.on("error", reject)
      for (const chunk of chunks) sent.write(chunk)
      sent.end()
    })

  test("a body without a length is refused", async () => {
    const { body, status } = await raw({ "transfer-encoding": "chunked" }, ['{"email":', '"a@b.dev"}'])
    assert.strictEqual(status, 411)
    assert.strictEqual(JSON.parse(body).error, "LengthRequired")
  })

  test("a body of more than ten megabytes is refused", async () => {
    const text = "x".repeat(10 * 1024 * 1024 + 1)
    const { body, status } = await raw({ "content-length": `${text.length}` }, [text])
    assert.strictEqual(status, 413)
    assert.strictEqual(JSON.parse(body).error, "RequestBodyTooLarge")
  })

  test("too many requests wait, for as long as they are told", async () => {
    const busy = await serve({ requestsPerMinute: 3 })
    try {
      const statuses: Array<number> = []
      let retryAfter = 0
      for (let count = 0; count < 5; count++) {
        const response = await fetch(`${busy.url}/v1/products/`, {
          headers: { authorization: `Bearer ${busy.accessToken}` }
        })
        statuses.push(response.status)
        retryAfter = Number(response.headers.get("retry-after"))
      }
      assert.deepStrictEqual(statuses, [200, 200, 200, 429, 429])
      assert.isAtLeast(retryAfter, 1)
      assert.isAtMost(retryAfter, 60)
    } finally {
      await busy.close()
    }
  })

  test("a port that is taken is said to be", async () => {
    const port = Number(new URL(simulator.url).port)
    const error = await serve({ port }).then(
      () => undefined,
      (error: unknown) => error
    )
    assert.instanceOf(error, Error)
    assert.include(error.message, `127.0.0.1:${port}`)
    assert.include(error.message, "another program uses it")
  })
})
