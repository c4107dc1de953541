import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as PolarError from "@kavach-polar/core/PolarError"
import { StoreError } from "@kavach-polar/core/StoreError"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { FastCheck as fc, Layer } from "effect"
import { describe, expect, test } from "vitest"
import { fixture, vary } from "../../core/test/deliveries.ts"
import { declared } from "./declared.ts"
import { deliveryOf, likelyHeaders, product, requestOf, type StartOptions, secret, startHost } from "./host.ts"

const failingStore = (error: unknown) =>
  Layer.succeed(
    BillingStore.BillingStore,
    BillingStore.make({
      ...(Object.fromEntries(
        [
          "atomically",
          "recordsOf",
          "liveSubscriptionsOf",
          "customerOf",
          "findUser",
          "claimNotifications",
          "completeNotifications",
          "deliveries",
          "pruneDeliveryBodies"
        ].map((name) => [
          name,
          () => {
            throw error
          }
        ])
      ) as unknown as Parameters<typeof BillingStore.make>[0]),
      name: "failing",
      parallelSteps: 1,
      migrate: () => ({ applied: [], newer: [] }),
      explain: () => ({
        reason: "busy",
        detail: "SQLITE_BUSY: SELECT email FROM kavach_users WHERE x = 'ada.martin@acme-mail.dev'"
      })
    })
  )

const dyingStore = Layer.succeed(
  BillingStore.BillingStore,
  new Proxy({} as BillingStore.BillingStoreService, {
    get: (_, name) => {
      if (name === "migrate") return BillingStore.make({ migrate: () => ({ applied: [], newer: [] }) } as never).migrate
      if (name === "parallelSteps") return 1
      throw new TypeError("kavach_users is undefined: polar_oat_secret")
    }
  })
)

describe("POST /auth/polar/checkout", () => {
  test("answers with the address and the id of a session, and nothing else", async () => {
    await using host = await startHost()
    const { body, headers, status } = await host.checkout({
      productId: product,
      successUrl: "http://host.test/thanks?id={CHECKOUT_ID}"
    })
    expect(status).toBe(200)
    expect(headers.get("content-type")).toBe("application/json")
    const [{ input, session } = expect.fail("no checkout")] = await host.memory.checkouts()
    expect(body).toEqual({ url: session.url, id: session.id })
    expect(input).toMatchObject({
      products: [product],
      successUrl: "http://host.test/thanks?id={CHECKOUT_ID}",
      metadata: { kavach_user_id: "usr_1042" }
    })
  })

  test("the buyer is who is signed in, whatever the browser sends", async () => {
    await using host = await startHost()
    const forged = {
      productId: product,
      customerEmail: "victim@acme-mail.dev",
      customer_email: "victim@acme-mail.dev",
      customerName: "Victim",
      userId: "usr_1043",
      customerId: "cus_victim",
      externalCustomerId: "usr_1043",
      metadata: { kavach_user_id: "usr_1043" },
      __proto__: { userId: "usr_1043" }
    }
    expect((await host.checkout(forged)).status).toBe(200)
    const [{ input } = expect.fail("no checkout")] = await host.memory.checkouts()
    expect(JSON.stringify(input)).not.toMatch(/victim|usr_1043/i)
    expect((await host.memory.customers()).map(({ email, external_id }) => [email, external_id])).toEqual([
      ["ada.martin@acme-mail.dev", "usr_1042"]
    ])
  })

  test.each<[what: string, body: unknown, error: string | RegExp]>([
    ["no body", undefined, "Invalid JSON body"],
    ["an empty body", "", "Invalid JSON body"],
    ["half a body", '{"productId":', "Invalid JSON body"],
    ["null", null, "Invalid JSON body"],
    ["an array", [{ productId: product }], "Invalid JSON body"],
    ["a number", 7, "Invalid JSON body"],
    ["a text", '"text"', "Invalid JSON body"],
    ["a boolean", true, "Invalid JSON body"],
    ["a form", `productId=${product}`, "Invalid JSON body"],
    ["invalid UTF-8", Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), "Invalid JSON body"],
    ["an empty object", {}, "Missing required field: productId"],
    ["an empty product", { productId: "" }, "Missing required field: productId"],
    ["no product", { productId: null }, "Missing required field: productId"],
    ["another spelling", { product_id: product }, "Missing required field: productId"],
    ["a number for a product", { productId: 7 }, /^Invalid productId: /],
    ["a list of products", { productId: [product] }, /^Invalid productId: /],
    ["an object for a product", { productId: {} }, /^Invalid productId: /],
    ["a long product", { productId: "p".repeat(65) }, /^Invalid productId: /],
    ["a number for an address", { productId: product, successUrl: 7 }, /^Invalid successUrl: /],
    ["a list of addresses", { productId: product, successUrl: ["https://a.example"] }, /^Invalid successUrl: /],
    [
      "another origin",
      { productId: product, successUrl: "https://evil.com/thanks" },
      /^Invalid successUrl: its origin is not this app's own.*trustedOrigins/
    ],
    ["another scheme", { productId: product, successUrl: "https://host.test/thanks" }, /^Invalid successUrl: /],
    ["another port", { productId: product, successUrl: "http://host.test:81/thanks" }, /^Invalid successUrl: /],
    ["a host without a scheme", { productId: product, successUrl: "//evil.com/thanks" }, /^Invalid successUrl: /],
    ["a host behind backslashes", { productId: product, successUrl: "/\\evil.com" }, /^Invalid successUrl: /],
    ["a path without a slash", { productId: product, successUrl: "thanks" }, /^Invalid successUrl: /],
    ["an empty address", { productId: product, successUrl: "" }, /^Invalid successUrl: /],
    ["a script", { productId: product, successUrl: "javascript:alert(1)" }, /^Invalid successUrl: /],
    ["user info", { productId: product, successUrl: "https://app.example.com@evil.com" }, /^Invalid successUrl: /]
  ])("400 for %s", async (_, body, error) => {
    await using host = await startHost()
    const answer = await host.checkout(body)
    expect(answer).toMatchObject({
      status: 400,
      body: { error: typeof error === "string" ? error : expect.stringMatching(error) }
    })
    expect(await host.memory.checkouts()).toEqual([])
    expect(await host.memory.customers()).toEqual([])
  })

  test("null for no address and a BOM are taken", async () => {
    await using host = await startHost()
    expect((await host.checkout({ productId: product, successUrl: null })).status).toBe(200)
    expect((await host.checkout(`\ufeff{"productId":"${product}"}`)).status).toBe(200)
  })

  const json = "application/json"
  const text = "text/plain;charset=UTF-8"
  test.each<[who: string, headers: Record<string, string>, status: number]>([
    ["a program", { "content-type": json }, 200],
    ["a program that says the encoding", { "content-type": "Application/JSON; charset=utf-8" }, 200],
    ["a program that leaves the type to fetch", { "content-type": text }, 200],
    ["a program that says another type", { "content-type": "text/plain" }, 415],
    ["a program with a form", { "content-type": "application/x-www-form-urlencoded" }, 415],
    ["a program with something like JSON", { "content-type": "application/jsonp" }, 415],
    ["the app's page", { "content-type": json, origin: "http://host.test", "sec-fetch-site": "same-origin" }, 200],
    ["the app's page in an old browser", { "content-type": json, origin: "http://host.test" }, 200],
    ["the app's page, without a type", { "content-type": text, origin: "http://host.test" }, 415],
    ["the app's page behind TLS", { "content-type": json, origin: "https://a.dev", host: "a.dev" }, 200],
    [
      "the app's page behind a proxy",
      { "content-type": json, origin: "https://a.dev", "x-forwarded-host": "a.dev" },
      200
    ],
    [
      "the app's page, whatever the address here",
      { "content-type": json, origin: "https://a.dev", "sec-fetch-site": "same-origin" },
      200
    ],
    ["the user by hand", { "content-type": json, "sec-fetch-site": "none" }, 200],
    [
      "a trusted page",
      { "content-type": json, origin: "https://app.example.com", "sec-fetch-site": "cross-site" },
      200
    ],
    ["another page", { "content-type": json, origin: "https://evil.dev", "sec-fetch-site": "cross-site" }, 403],
    [
      "another page's form",
      { "content-type": "text/plain", origin: "https://evil.dev", "sec-fetch-site": "cross-site" },
      403
    ],
    ["another page in an old browser", { "content-type": json, origin: "https://evil.dev" }, 403],
    [
      "a page of a sibling",
      { "content-type": json, origin: "http://other.host.test", "sec-fetch-site": "same-site" },
      403
    ],
    [
      "a page of another port",
      { "content-type": json, origin: "http://host.test:81", "sec-fetch-site": "same-site" },
      403
    ],
    ["a sandboxed page", { "content-type": json, origin: "null", "sec-fetch-site": "cross-site" }, 403],
    ["another page that hides its origin", { "content-type": json, "sec-fetch-site": "cross-site" }, 403],
    ["a page that hides, of the same site", { "content-type": json, "sec-fetch-site": "same-site" }, 403]
  ])("%s: with %j answered %i", async (_, headers, status) => {
    await using host = await startHost({ trustedOrigins: ["https://app.example.com"] })
    const answer = await host.checkout(JSON.stringify({ productId: product }), "usr_1042", headers)
    expect(answer.status).toBe(status)
    expect(await host.memory.checkouts()).toHaveLength(status === 200 ? 1 : 0)
    expect(await host.memory.customers()).toHaveLength(status === 200 ? 1 : 0)
  })

  test.each<[successUrl: string, headers: Record<string, string>, options: StartOptions, sent: string | null]>([
    ["/thanks?id={CHECKOUT_ID}", {}, {}, "http://host.test/thanks?id={CHECKOUT_ID}"],
    ["/thanks", {}, { baseUrl: "https://a.dev/api/kavach" }, "https://a.dev/thanks"],
    ["https://a.dev/thanks", {}, { baseUrl: "https://a.dev" }, "https://a.dev/thanks"],
    ["/thanks", { origin: "https://a.dev", "sec-fetch-site": "same-origin" }, {}, "https://a.dev/thanks"],
    ["https://a.dev/thanks", { origin: "https://a.dev", "sec-fetch-site": "same-origin" }, {}, "https://a.dev/thanks"],
    ["/thanks", { origin: "https://a.dev", host: "a.dev" }, {}, "https://a.dev/thanks"],
    ["https://b.dev/", { origin: "https://a.dev", "sec-fetch-site": "same-origin" }, {}, null],
    ["/thanks", {}, { trustedOrigins: ["https://a.dev"] }, "https://a.dev/thanks"],
    ["/thanks", {}, { trustedOrigins: ["https://a.dev", "http://host.test"] }, "http://host.test/thanks"],
    ["http://host.test/thanks", {}, { trustedOrigins: ["https://a.dev"] }, null],
    ["/thanks", {}, { trustedOrigins: [] }, null]
  ])("back to %j, asked with %j by a host with %j: %j", async (successUrl, headers, options, sent) => {
    await using host = await startHost(options)
    const { status } = await host.checkout({ productId: product, successUrl }, "usr_1042", headers)
    expect(status).toBe(sent === null ? 400 : 200)
    expect((await host.memory.checkouts()).map(({ input }) => input.successUrl)).toEqual(sent === null ? [] : [sent])
  })

  test("what a buyer may choose is handed on, and nothing besides", async () => {
    await using host = await startHost()
    const another = product.replace(/^./, (digit) => (digit === "0" ? "1" : "0"))
    const choices = { seats: 3, locale: "fr", returnUrl: "/plans", embedOrigin: "http://host.test" }
    const forged = { amount: 1, trial: { interval: "year", count: 9 }, discountId: product, ifSubscribed: "change" }
    expect((await host.checkout({ productIds: [product, another], ...choices, ...forged })).status).toBe(200)
    const [{ input } = expect.fail("no checkout")] = await host.memory.checkouts()
    expect(input).toMatchObject({
      products: [product, another],
      seats: 3,
      locale: "fr",
      returnUrl: "http://host.test/plans",
      embedOrigin: "http://host.test"
    })
    expect(input).not.toHaveProperty("amount")
    expect([input.trial, input.discountId]).toEqual([undefined, undefined])
  })

  test.each<[field: string, body: object]>([
    ["seats", { productId: product, seats: "3" }],
    ["seats", { productId: product, seats: 10_001 }],
    ["units", { productId: product, units: 0 }],
    ["locale", { productId: product, locale: "fr_FR" }],
    ["discountCode", { productId: product, discountCode: " " }],
    ["returnUrl", { productId: product, returnUrl: "https://evil.dev/" }],
    ["embedOrigin", { productId: product, embedOrigin: "https://evil.dev" }],
    ["productIds", { productIds: [] }],
    ["productIds", { productIds: [product, 7] }],
    ["productIds", { productIds: Array.from({ length: 21 }, () => product) }],
    ["productIds", { productId: product, productIds: [product] }]
  ])("400 that names %s: %j", async (field, body) => {
    await using host = await startHost()
    expect(await host.checkout(body)).toMatchObject({
      status: 400,
      body: { error: expect.stringMatching(`^Invalid ${field}`) }
    })
    expect(await host.memory.checkouts()).toEqual([])
  })

  test("a path in the promise API is one of the app's own, where it is known", async () => {
    await using host = await startHost({ baseUrl: "https://a.dev/api" })
    await host.billing.createCheckout("usr_1042", product, { successUrl: "/thanks", returnUrl: "https://b.dev/" })
    const [{ input } = expect.fail("no checkout")] = await host.memory.checkouts()
    expect(input).toMatchObject({ successUrl: "https://a.dev/thanks", returnUrl: "https://b.dev/" })
    await using other = await startHost()
    await expect(other.billing.createCheckout("usr_1042", product, { successUrl: "/thanks" })).rejects.toMatchObject({
      _tag: "InvalidRedirectUrl"
    })
  })

  test("only trusted origins, when there are any: over HTTP and in the promise API", async () => {
    await using host = await startHost({ trustedOrigins: ["https://app.example.com"] })
    const to = (successUrl: string) => host.checkout({ productId: product, successUrl })
    expect((await to("https://app.example.com/ok")).status).toBe(200)
    expect(await to("https://app.example.com.evil.com/ok")).toMatchObject({
      status: 400,
      body: { error: "Invalid successUrl: its origin is not one of the trusted origins" }
    })
    const { billing } = host
    await billing.createCheckout("usr_1042", product, {
      successUrl: "https://app.example.com/a",
      returnUrl: "https://app.example.com/b"
    })
    const evil = "https://evil.com/"
    for (const [field, attempt] of [
      ["successUrl", () => billing.createCheckout("usr_1042", product, { successUrl: evil })],
      ["returnUrl", () => billing.createCheckout("usr_1042", product, { returnUrl: evil })],
      ["returnUrl", () => billing.createPortalSession("usr_1042", { returnUrl: evil })]
    ] as const) {
      await expect(attempt()).rejects.toMatchObject({ _tag: "InvalidRedirectUrl", field })
    }
    expect(await host.memory.checkouts()).toHaveLength(2)
    expect((await billing.createPortalSession("usr_1042", { returnUrl: "https://app.example.com/" })).url).toContain(
      "https://"
    )
  })

  test.each([undefined, "", "usr_9999"])("401 for %j, before the body is read", async (user) => {
    await using host = await startHost()
    let read = 0
    const body = new ReadableStream<Uint8Array>(
      {
        pull: () => {
          read += 1
        }
      },
      { highWaterMark: 0 }
    )
    const answer = await host.answer(
      requestOf("POST", "/auth/polar/checkout", { body, ...(user === undefined ? {} : { user }) })
    )
    expect(answer).toMatchObject({ status: 401, body: { error: "Authentication required" } })
    expect(read).toBe(0)
  })

  test("413 for a body too large, announced or not", async () => {
    await using host = await startHost()
    const large = { productId: product, padding: "x".repeat(20_000) }
    expect((await host.checkout(large)).status).toBe(413)
    expect((await host.checkout({ productId: product }, "usr_1042", { "content-length": "9999999" })).status).toBe(413)
  })

  test("who is signed in cannot be said: 503, and no word why", async () => {
    await using host = await startHost()
    const endpoint = host.kavach.plugins.getEndpoints().find(({ path }) => path === "/auth/polar/checkout")
    for (const getUser of [
      () => Promise.reject(new Error("SELECT failed for ada.martin@acme-mail.dev")),
      () => {
        throw new Error("SELECT failed")
      }
    ]) {
      const response = await endpoint?.handler(requestOf("POST", "/auth/polar/checkout", { body: "{}" }), { getUser })
      expect(response?.status).toBe(503)
      expect(await response?.json()).toEqual({ error: "Billing is temporarily unavailable" })
      expect(response?.headers.get("retry-after")).toBe("5")
    }
  })

  const asUser = async (host: Awaited<ReturnType<typeof startHost>>, path: string, user: unknown) => {
    const endpoint = host.kavach.plugins.getEndpoints().find((endpoint) => endpoint.path === path)
    const body = path.endsWith("/checkout") ? { productId: product } : undefined
    const response = await endpoint?.handler(requestOf(endpoint.method, path, { body }), {
      getUser: async () => user as never
    })
    return { status: response?.status, body: (await response?.json()) as unknown }
  }

  test.each([undefined, null, {}, { id: "" }, { id: null }, [1], "usr_1042"])("%j is nobody", async (user) => {
    await using host = await startHost()
    for (const path of ["/auth/polar/subscription", "/auth/polar/checkout"]) {
      expect(await asUser(host, path, user)).toEqual({ status: 401, body: { error: "Authentication required" } })
    }
  })

  test.each([{ id: " u" }, { id: "x".repeat(256) }, { id: 1.5 }, { id: Number.NaN }, { id: {} }, { id: true }])(
    "%j is somebody whose id is none: said so",
    async (user) => {
      await using host = await startHost()
      for (const path of ["/auth/polar/subscription", "/auth/polar/checkout"]) {
        expect(await asUser(host, path, user)).toMatchObject({
          status: 401,
          body: { error: expect.stringMatching(/no usable id.*text/) }
        })
      }
    }
  )

  test.each([7, 7n, "7"])("the user %s is known by the text of the number", async (id) => {
    await using host = await startHost()
    expect((await asUser(host, "/auth/polar/subscription", { id })).status).toBe(200)
    expect((await asUser(host, "/auth/polar/checkout", { id, email: "seven@acme-mail.dev" })).status).toBe(200)
    const [{ input } = expect.fail("no checkout")] = await host.memory.checkouts()
    expect(input.metadata).toMatchObject({ kavach_user_id: "7" })
    expect(await host.billing.listSubscriptions(id as string)).toEqual([])
  })

  test.each([5, { a: 1 }, ["ada@acme-mail.dev"], true, "  "])("an address or name that is %j is none", async (odd) => {
    await using host = await startHost()
    const { status } = await asUser(host, "/auth/polar/checkout", { id: "usr_9", email: odd, name: odd })
    expect(status).toBe(200)
    const [{ input } = expect.fail("no checkout")] = await host.memory.checkouts()
    expect([input.customerEmail, input.customerName]).toEqual([undefined, undefined])
  })

  test("a user whose session has blank details is known by the users' table", async () => {
    await using host = await startHost()
    const endpoint = host.kavach.plugins.getEndpoints().find(({ path }) => path === "/auth/polar/checkout")
    const request = requestOf("POST", "/auth/polar/checkout", { body: { productId: product } })
    const response = await endpoint?.handler(request, { getUser: async () => ({ id: "usr_1", email: "", name: " " }) })
    expect(response?.status).toBe(200)
    const [{ input } = expect.fail("no checkout")] = await host.memory.checkouts()
    expect(input.customerEmail).toBeUndefined()
    expect(input.customerName).toBeUndefined()
    expect(await host.memory.customers()).toEqual([])
  })
})

describe("GET /auth/polar/subscription", () => {
  test("null, then the documented fields with an ISO date, then null again", async () => {
    await using host = await startHost()
    expect(await host.subscription()).toMatchObject({ status: 200, body: { subscription: null } })
    await host.deliver(fixture("subscription.active"))
    const answer = await host.subscription()
    expect(answer.body).toEqual({
      subscription: {
        id: "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67",
        status: "active",
        productId: product,
        currentPeriodEnd: "2026-11-05T14:22:08.412Z",
        cancelAtPeriodEnd: false
      }
    })
    expect(answer.headers.get("cache-control")).toBe("no-store")
    await host.deliver(vary("subscription.revoked", { timestamp: "2027-01-01T00:00:00Z" }))
    expect((await host.subscription()).body).toEqual({ subscription: null })
  })

  test("another user's subscription is out of reach", async () => {
    await using host = await startHost()
    await host.deliver(fixture("subscription.active"))
    expect((await host.subscription("usr_1043")).body).toEqual({ subscription: null })
    for (const path of ["?userId=usr_1042", "?id=usr_1042", "?_param_userId=usr_1042", "/"]) {
      const response = await host.kavach.plugins.handleRequest(
        requestOf("GET", `/auth/polar/subscription${path}`, {
          user: "usr_1043",
          headers: { "x-user-id": "usr_1042", authorization: "Bearer usr_1042" }
        })
      )
      expect(await response?.json()).toEqual({ subscription: null })
    }
    expect(await host.kavach.plugins.handleRequest(requestOf("GET", "/auth/polar/subscription/usr_1042"))).toBeNull()
    expect(await host.subscription("nobody")).toMatchObject({ status: 401, body: { error: "Authentication required" } })
  })
})

describe("POST /auth/polar/webhook", () => {
  test("a genuine delivery, and the same again, is received", async () => {
    await using host = await startHost()
    const body = fixture("subscription.created")
    expect(await host.deliver(body, { id: "evt_same" })).toMatchObject({ status: 200, body: { received: true } })
    expect(await host.deliver(body, { id: "evt_same" })).toMatchObject({ status: 200, body: { received: true } })
    expect(await host.billing.listSubscriptions("usr_1042")).toHaveLength(1)
    expect((await host.deliver(vary("order.paid", { type: "planet.aligned" }))).status).toBe(200)
  })

  test("403 for a signature of somebody else's, for altered bytes, and for an old delivery", async () => {
    await using host = await startHost()
    const body = fixture("subscription.active")
    expect(await host.deliver(body, { key: "whsec_c29tZWJvZHkgZWxzZQ==" })).toMatchObject({ status: 403 })
    const { headers } = deliveryOf(body)
    const altered = requestOf("POST", "/auth/polar/webhook", { body: vary("subscription.active"), headers })
    expect((await host.answer(altered)).status).toBe(403)
    const old = WebhookVerifier.signedHeaders({ secret, id: "evt_old", timestampSeconds: 1_700_000_000, body })
    expect((await host.answer(requestOf("POST", "/auth/polar/webhook", { body, headers: old }))).status).toBe(403)
    expect(await host.billing.listSubscriptions("usr_1042")).toEqual([])
  })

  test.each([
    ["webhook-id", "two words"],
    ["webhook-timestamp", "now"],
    ["webhook-signature", "v1,short"]
  ])("400 without %s, and for one like %j", async (name, malformed) => {
    await using host = await startHost()
    const body = fixture("subscription.active")
    const { headers } = deliveryOf(body)
    const send = () => host.answer(requestOf("POST", "/auth/polar/webhook", { body, headers }))
    const refusal = { status: 400, body: { error: expect.stringContaining(name) } }
    headers.delete(name)
    expect(await send()).toMatchObject(refusal)
    headers.set(name, malformed)
    expect(await send()).toMatchObject(refusal)
  })

  test("400 for what is signed and no event", async () => {
    await using host = await startHost()
    const answer = await host.deliver(new TextEncoder().encode('{"text":"hi"}'))
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining("not an event of Polar") } })
  })

  test("413: announced, nothing is read; unannounced, the stream is given up at the limit", async () => {
    await using host = await startHost({ webhookBodyLimitBytes: 1000 })
    let pulled = 0
    let cancelled: unknown
    const endless = () =>
      new ReadableStream<Uint8Array>(
        {
          pull: (controller) => {
            pulled += 1
            controller.enqueue(new Uint8Array(100))
          },
          cancel: () => {
            cancelled = true
          }
        },
        { highWaterMark: 0 }
      )
    const announced = requestOf("POST", "/auth/polar/webhook", {
      body: endless(),
      headers: { "content-length": "1001" }
    })
    expect(await host.answer(announced)).toMatchObject({
      status: 413,
      body: { error: "Request body is larger than 1000 bytes" }
    })
    expect(pulled).toBe(0)
    expect((await host.answer(requestOf("POST", "/auth/polar/webhook", { body: endless() }))).status).toBe(400)
    expect([pulled, cancelled]).toEqual([0, true])
    cancelled = false
    const likely = requestOf("POST", "/auth/polar/webhook", { body: endless(), headers: likelyHeaders() })
    expect((await host.answer(likely)).status).toBe(413)
    expect(cancelled).toBe(true)
    expect(pulled).toBeGreaterThan(10)
    expect(pulled).toBeLessThan(15)
    // Exactly at the limit is not over it.
    const exact = requestOf("POST", "/auth/polar/webhook", { body: new Uint8Array(1000) })
    expect((await host.answer(exact)).status).toBe(400)
  })

  test("400 when the body breaks off, and when somebody has read it before", async () => {
    await using host = await startHost()
    const broken = new ReadableStream({
      start: (controller) => controller.error(new Error("connection lost at node_modules/undici"))
    })
    expect(
      await host.answer(requestOf("POST", "/auth/polar/webhook", { body: broken, headers: likelyHeaders() }))
    ).toMatchObject({
      status: 400,
      body: { error: "Request body could not be read" }
    })
    const used = deliveryOf(fixture("subscription.active"))
    await used.json()
    const answer = await host.answer(used)
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining("was read before") } })
    const locked = deliveryOf(fixture("subscription.active"))
    locked.body?.getReader()
    expect((await host.answer(locked)).status).toBe(400)
  })

  test("the raw handler works at any path, and never rejects", async () => {
    await using host = await startHost()
    const { webhook } = host.billing
    for (const path of ["/", "/hooks/polar", "/api/kavach/auth/polar/webhook?x=1", "/%E0%A4%A"]) {
      const response = await webhook(deliveryOf(fixture("subscription.active"), { path }))
      expect([response.status, await response.json()]).toEqual([200, { received: true }])
    }
    // Such as a framework's own request, by mistake.
    for (const mistake of [undefined, null, {}, { headers: { a: "b" }, url: "/x", method: "POST" }]) {
      const response = await webhook(mistake as unknown as Request)
      expect(response.status).toBeGreaterThanOrEqual(400)
      expect(await response.json()).toEqual({ error: expect.not.stringContaining("shutting down") })
    }
  })
})

describe("methods and paths", () => {
  test("405 with Allow for a wrong method, null for a path that is not ours", async () => {
    await using host = await startHost()
    const routes = [...declared.keys()].map((route) => route.split(" "))
    for (const path of new Set(routes.map(([, path = ""]) => path))) {
      const allowed = routes.filter(([, other]) => other === path).map(([method]) => method)
      for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
        if (allowed.includes(method)) continue
        const answer = await host.answer(requestOf(method, path))
        expect([answer.status, answer.headers.get("allow")]).toEqual([405, allowed.join(", ")])
      }
    }
    for (const path of ["/", "/auth/polar", "/auth/polar/webhook/x", "//auth/polar/webhook", "/auth/polar/Webhook"]) {
      expect(await host.kavach.plugins.handleRequest(requestOf("POST", path))).toBeNull()
    }
  })

  test("below a base path, with its boundary", async () => {
    await using host = await startHost()
    const ask = (path: string, base: string) =>
      host.kavach.plugins.handleRequest(requestOf("GET", path), base).then((response) => response?.status ?? null)
    expect(await ask("/api/kavach/auth/polar/subscription", "/api/kavach")).toBe(401)
    expect(await ask("/api/kavach/auth/polar/subscription/", "/api/kavach/")).toBe(401)
    expect(await ask("/api/kavachauth/polar/subscription", "/api/kavach")).toBeNull()
    expect(await ask("/api/kavach2/auth/polar/subscription", "/api/kavach")).toBeNull()
    expect(await ask("/auth/polar/subscription", "/api/kavach")).toBeNull()
    expect(await ask("/auth/polar/subscription", "/")).toBe(401)
  })
})

describe("what goes wrong behind the routes", () => {
  const operation = "create checkout"
  const rejected = (path: ReadonlyArray<string | number>, message = "is not as it must be") =>
    new PolarError.PolarRejected({ operation, status: 422, code: null, detail: null, issues: [{ path, message }] })

  const failures: ReadonlyArray<
    [PolarError.PolarError, status: number, retryAfter: string | null, error: string | RegExp]
  > = [
    [rejected(["products", 0], "Product is archived."), 400, null, "Invalid productId: Product is archived."],
    [rejected(["success_url"], "Bad URL."), 400, null, "Invalid successUrl: Bad URL."],
    [rejected(["metadata"]), 502, null, "The payment provider refused the request"],
    [rejected(["discount_id"], "for ada.martin@acme-mail.dev"), 502, null, "The payment provider refused the request"],
    [
      new PolarError.PolarUnauthorized({ operation, environment: "sandbox", code: null, otherEnvironment: false }),
      502,
      null,
      /could not process/
    ],
    [
      new PolarError.PolarForbidden({ operation, code: "insufficient_scope", requiredScopes: ["checkouts:write"] }),
      502,
      null,
      /could not process/
    ],
    [new PolarError.PolarNotFound({ operation, code: "ResourceNotFound" }), 502, null, /could not process/],
    [
      new PolarError.PolarConflict({ operation, status: 409, code: null, detail: "ada.martin@acme-mail.dev" }),
      502,
      null,
      /could not process/
    ],
    [
      new PolarError.PolarRateLimited({ operation, limitedBy: "polar", retryAfterSeconds: 17 }),
      429,
      "17",
      "Rate limit exceeded"
    ],
    [
      new PolarError.PolarRateLimited({ operation, limitedBy: "client", retryAfterSeconds: 0.4 }),
      429,
      "1",
      "Rate limit exceeded"
    ],
    [
      new PolarError.PolarRateLimited({ operation, limitedBy: "polar", retryAfterSeconds: null }),
      429,
      "60",
      "Rate limit exceeded"
    ],
    [
      new PolarError.PolarUnavailable({
        operation,
        status: 503,
        reason: "ECONNREFUSED 10.0.0.1",
        retryAfterSeconds: 30,
        mayHaveActed: false
      }),
      502,
      "30",
      /could not process/
    ],
    [
      new PolarError.PolarUnavailable({
        operation,
        status: null,
        reason: "ECONNREFUSED 10.0.0.1",
        retryAfterSeconds: null,
        mayHaveActed: true
      }),
      502,
      null,
      /could not process/
    ],
    [new PolarError.PolarTimeout({ operation, seconds: 15, mayHaveActed: true }), 504, null, /did not answer in time/],
    [
      new PolarError.PolarUnexpectedAnswer({ operation, status: 200, detail: "<html>polar_oat_x</html>" }),
      502,
      null,
      /could not process/
    ],
    [
      new PolarError.PolarNotConfigured({ operation, reason: "no polar_oat_ token" }),
      503,
      "60",
      "Payments are not configured on this server"
    ]
  ]

  test.each(failures.map(([error, ...answer]) => [error._tag, ...answer, error] as const))(
    "%s: %i, Retry-After %s, %s",
    async (_tag, status, retryAfter, sentence, error) => {
      await using host = await startHost()
      // The customer is made first; the failure is meant for the checkout.
      expect((await host.checkout({ productId: product })).status).toBe(200)
      host.memory.failNext(error)
      // Another checkout: the same click would get the one that is open.
      const answer = await host.checkout({ productId: product, locale: "fr" })
      expect(answer.status).toBe(status)
      expect(answer.headers.get("retry-after")).toBe(retryAfter)
      expect(answer.body).toEqual({ error: typeof sentence === "string" ? sentence : expect.stringMatching(sentence) })
      // And it was in passing.
      expect((await host.checkout({ productId: product })).status).toBe(200)
      // In the promise API the error comes as it is.
      host.memory.failNext(error)
      await expect(
        host.billing.createCheckout("usr_1042", product, { locale: "fr", reuse: false })
      ).rejects.toMatchObject(
        error instanceof PolarError.PolarRejected && error.issues.some(({ path }) => path[0] === "products")
          ? { _tag: "ProductNotForSale", productId: product, reason: "Product is archived." }
          : { _tag: error._tag, message: error.message }
      )
    }
  )

  test("storage that fails: 503 with Retry-After, and nothing of its message", async () => {
    await using host = await startHost({ store: failingStore(new Error("locked")) })
    for (const answer of [
      await host.checkout({ productId: product }),
      await host.subscription(),
      await host.deliver(fixture("subscription.active"))
    ]) {
      expect(answer).toMatchObject({ status: 503, body: { error: "Billing is temporarily unavailable" } })
      expect(answer.headers.get("retry-after")).toBe("5")
    }
    const error = await host.billing.getSubscription("usr_1042").catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StoreError)
    expect(error).toMatchObject({ reason: "busy", operation: "liveSubscriptionsOf" })
  })

  test("a defect: 500, and nothing of its message", async () => {
    await using host = await startHost({ store: dyingStore })
    for (const answer of [
      await host.checkout({ productId: product }),
      await host.subscription(),
      await host.deliver(fixture("subscription.active"))
    ]) {
      expect(answer).toMatchObject({ status: 500, body: { error: "Internal error" } })
    }
    await expect(host.billing.getSubscription("usr_1042")).rejects.toThrow(TypeError)
  })
})

describe("any request whatever", () => {
  const header = fc.tuple(
    fc.constantFrom(
      "content-type",
      "content-length",
      "content-encoding",
      "authorization",
      "cookie",
      "webhook-id",
      "webhook-timestamp",
      "webhook-signature",
      "x-user",
      "accept",
      "expect"
    ),
    fc.oneof(
      fc.constantFrom("", "application/json", "multipart/form-data", "gzip", "-1", "1e9", "NaN", "usr_1042", "v1,"),
      fc.stringMatching(/^[\x21-\x7e\xa1-\xff]{0,40}$/)
    )
  )
  const checkoutLike = fc.record(
    {
      productId: fc.oneof(fc.constant(product), fc.string({ unit: "binary" }), fc.jsonValue()),
      successUrl: fc.oneof(fc.webUrl(), fc.string(), fc.jsonValue())
    },
    { requiredKeys: [] }
  )
  const body = fc.oneof(
    fc.constant(undefined),
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: "binary" }),
    fc.jsonValue(),
    checkoutLike,
    fc.uint8Array({ maxLength: 3 }).map((bytes) => new Uint8Array(20_000).fill(bytes[0] ?? 0))
  )
  const odd = fc.record({
    method: fc.constantFrom("GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"),
    path: fc.constantFrom("/auth/polar/checkout", "/auth/polar/subscription", "/auth/polar/webhook"),
    query: fc.oneof(
      fc.constant(""),
      fc.webQueryParameters().map((text) => `?${text}`)
    ),
    user: fc.constantFrom(undefined, "usr_1042", "usr_1042", "usr_9"),
    headers: fc.array(header, { maxLength: 4 }),
    body,
    signed: fc.boolean()
  })

  const plain = { query: "", user: undefined, headers: [], body: undefined, signed: false }
  const buyer = { ...plain, method: "POST", path: "/auth/polar/checkout", user: "usr_1042" } as const
  const large = new Uint8Array(20_000)

  /** Tried before the random ones, so that what the test says it reaches does not hang on chance. */
  const reached = [
    [{ ...buyer, body: { productId: product } }, "POST /auth/polar/checkout 200"],
    [{ ...buyer, body: { productId: 1 } }, "POST /auth/polar/checkout 400"],
    [{ ...buyer, user: undefined, body: { productId: product } }, "POST /auth/polar/checkout 401"],
    [{ ...buyer, body: large }, "POST /auth/polar/checkout 413"],
    [{ ...plain, method: "GET", path: "/auth/polar/subscription", user: "usr_9" }, "GET /auth/polar/subscription 401"],
    [
      { ...plain, method: "GET", path: "/auth/polar/subscription", user: "usr_1042" },
      "GET /auth/polar/subscription 200"
    ],
    [{ ...plain, method: "POST", path: "/auth/polar/webhook", body: {} }, "POST /auth/polar/webhook 400"],
    [
      { ...plain, method: "POST", path: "/auth/polar/webhook", body: large, signed: true },
      "POST /auth/polar/webhook 413"
    ],
    [{ ...plain, method: "DELETE", path: "/auth/polar/webhook" }, "DELETE /auth/polar/webhook 405"]
  ] as const

  test("is answered as declared, and no handler rejects", async () => {
    await using host = await startHost({ webhookBodyLimitBytes: 10_000 })
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(odd, async ({ body, headers, method, path, query, signed, user }) => {
        const bodyless = method === "GET" || method === "HEAD"
        const given = new Headers()
        for (const [name, value] of headers) given.append(name, value)
        const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body) ?? "")
        if (signed && path.endsWith("webhook"))
          for (const [name, value] of deliveryOf(bytes).headers) given.set(name, value)
        const request = requestOf(method, `${path}${query}`, {
          user,
          headers: given,
          ...(bodyless ? {} : { body: signed ? bytes : body })
        })
        const answer = await host.answer(request)
        seen.add(`${method} ${path} ${answer.status}`)
      }),
      { numRuns: 1500, examples: reached.map(([request]): [typeof request] => [request]) }
    )
    for (const [, expected] of reached) expect(seen).toContain(expected)
  })

  test("also the plugin's handlers by themselves, as another host would call them", async () => {
    await using host = await startHost()
    const endpoints = host.kavach.plugins.getEndpoints()
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...endpoints),
        fc.constantFrom("GET", "POST", "PUT"),
        body,
        fc.oneof(fc.constant(null), fc.record({ id: fc.string() }), fc.anything()),
        async (endpoint, method, content, user) => {
          const request = requestOf(method, "/elsewhere", method === "GET" ? {} : { body: content })
          const response = await endpoint.handler(request, { getUser: async () => user as never })
          expect(response).toBeInstanceOf(Response)
          expect(response.status).not.toBe(500)
          await response.json()
        }
      ),
      { numRuns: 500 }
    )
  })
})
