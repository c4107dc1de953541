/**
 * What a signed-in user's browser may do with their own subscription: every route, at the simulator; in somebody else's name,
 * from another site's page, and where the app says no, nothing happens.
 */

import { OpenApi } from "@effect/platform"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { createKavach, type Polar, type PolarConfig, polar } from "@kavach-polar/http"
import { PolarApi } from "@kavach-polar/http/Api"
import { Seed, type Served, serve } from "@kavach-polar/simulator"
import { describe, expect, test } from "vitest"
import { email, pro, webhookSecret } from "./BillingScene.ts"

const { lifetime, team } = Seed.products
const origin = "https://app.acme-mail.dev"

interface Host {
  readonly simulator: Served
  readonly billing: Polar
  readonly ask: (method: string, path: string, asked?: Asked) => Promise<Answer>
  readonly state: () => Promise<unknown>
}

interface Asked {
  readonly user?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, never>>
  readonly headers: Headers
}

const withHost = async (config: Partial<PolarConfig>, use: (host: Host) => Promise<void>) => {
  const simulator = await serve({ allowMultipleSubscriptions: true })
  const billing = polar({
    emailVerified: () => true,
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret,
    logLevel: "none",
    products: { pro, team: team.id },
    store: SqliteStore.layer({ filename: ":memory:" }),
    ...config
  })
  const kavach = await createKavach({
    database: { provider: "sqlite", url: ":memory:" },
    baseUrl: origin,
    plugins: [billing],
    getUser: async (request) => {
      const id = request.headers.get("x-user")
      return id === null ? null : { id, email: `${id}@acme-mail.dev` }
    }
  })
  const ask = async (method: string, path: string, { body, headers, user = "ada" }: Asked = {}): Promise<Answer> => {
    const request = new Request(`${origin}/auth/polar${path}`, {
      method,
      headers: {
        ...(user === "" ? {} : { "x-user": user }),
        ...(method === "POST" ? { "content-type": "application/json", origin } : {}),
        ...headers
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
    })
    const response = await kavach.plugins.handleRequest(request)
    if (response === null) return { status: 404, body: {}, headers: new Headers() }
    const text = await response.text()
    return { status: response.status, body: text === "" ? {} : JSON.parse(text), headers: response.headers }
  }
  try {
    await simulator.connect((request) => billing.webhook(request), { secret: webhookSecret })
    const state = () =>
      simulator.read(({ tables }) => JSON.stringify([[...tables.subscriptions], [...tables.sessions]]))
    await use({ simulator, billing, ask, state })
  } finally {
    await kavach.close()
    await simulator.close()
  }
}

const buys = async ({ billing, simulator }: Host, user = "ada", product: string = pro) => {
  const { id } = await billing.createCheckout(user, product, { customerEmail: `${user}@acme-mail.dev` })
  await simulator.pay(id, { customer_email: `${user}@acme-mail.dev` })
  await simulator.flush()
  const [subscription] = await billing.listSubscriptions(user)
  return { checkoutId: id, subscriptionId: subscription?.id ?? "" }
}

const own = { status: 200 }

test("a user upgrades, cancels, comes back and pauses, and each answer is what is stored", async () => {
  await withHost({}, async (host) => {
    const { ask, billing } = host
    await buys(host)
    const shown = async () => (await billing.listSubscriptions("ada"))[0]
    const post = (what: string, body?: object) => ask("POST", `/subscription/${what}`, { body })
    expect(await post("preview", { productId: "team" })).toMatchObject({
      ...own,
      body: { available: true, currency: "usd" }
    })
    expect(await post("change", { productId: "team" })).toMatchObject({
      ...own,
      body: { subscription: { productId: team.id, status: "active" } }
    })
    expect(await shown()).toMatchObject({ productId: team.id })
    expect(await post("cancel", { reason: "unused", comment: "for now" })).toMatchObject({
      ...own,
      body: { subscription: { cancelAtPeriodEnd: true } }
    })
    expect(await shown()).toMatchObject({ cancelAtPeriodEnd: true, cancellationReason: "unused" })
    // No body at all, as from a button.
    expect(await post("uncancel")).toMatchObject({ ...own, body: { subscription: { cancelAtPeriodEnd: false } } })
    expect(await post("pause", { resumesAt: "2028-01-01T00:00:00Z" })).toMatchObject({
      ...own,
      body: { subscription: { pauseAtPeriodEnd: true, resumesAt: "2028-01-01T00:00:00.000Z" } }
    })
    expect(await post("resume")).toMatchObject({ ...own, body: { subscription: { pauseAtPeriodEnd: false } } })
    const answer = await post("cancel")
    expect(answer.headers.get("cache-control")).toBe("no-store")
    expect(JSON.stringify(answer.body)).not.toContain(email)
  })
})

test("a buyer who is back learns what became of the checkout, and another user does not", async () => {
  await withHost({}, async (host) => {
    const { ask, billing, simulator } = host
    const { id } = await billing.createCheckout("ada", "pro", { customerEmail: email })
    await simulator.pay(id, { customer_email: email })
    expect(await ask("GET", `/checkout/${id}`)).toMatchObject({
      ...own,
      body: {
        status: "succeeded",
        subscription: { productId: pro },
        order: { status: "paid" },
        access: { entitlement: "granted" }
      }
    })
    expect(await ask("GET", `/checkout/${id}/`)).toMatchObject({ ...own, body: { status: "succeeded" } })
    for (const [user, path, status] of [
      ["mallory", `/checkout/${id}`, 404],
      ["", `/checkout/${id}`, 401],
      ["ada", "/checkout/0f0e0d0c-0b0a-4908-8706-0504030201ff", 404],
      ["ada", "/checkout/a%20b", 400]
    ] as const) {
      expect((await ask("GET", path, { user })).status, path).toBe(status)
    }
  })
})

test("the portal: a redirect, and its address", async () => {
  await withHost({}, async (host) => {
    const { ask } = host
    await buys(host)
    const redirect = await ask("GET", "/portal")
    expect(redirect.status).toBe(303)
    expect(redirect.headers.get("location")).toMatch(/^http.*token=/)
    expect(redirect.headers.get("cache-control")).toBe("no-store")
    expect(await ask("POST", "/portal", { body: { returnUrl: "/account" } })).toMatchObject({
      ...own,
      body: { url: expect.stringMatching(/^http/) }
    })
    // Whoever is sent back gets a token along: not to another site.
    expect((await ask("GET", "/portal?returnUrl=https://evil.example")).status).toBe(400)
    expect((await ask("POST", "/portal", { body: { returnUrl: "https://evil.example" } })).status).toBe(400)
    expect(await ask("GET", "/portal", { user: "mallory" })).toMatchObject({ status: 404 })
  })
})

const posts = [
  ["/subscription/change", { productId: "team" }],
  ["/subscription/preview", { productId: "team" }],
  ["/subscription/cancel", {}],
  ["/subscription/uncancel", {}],
  ["/subscription/pause", {}],
  ["/subscription/resume", {}],
  ["/portal", {}]
] as const

describe("nothing happens", () => {
  test("with another user's ids", async () => {
    await withHost({}, async (host) => {
      const { subscriptionId } = await buys(host)
      await buys(host, "mallory")
      const before = await host.state()
      for (const [path, body] of posts.filter(([path]) => path !== "/portal")) {
        const answer = await host.ask("POST", path, { user: "mallory", body: { ...body, subscriptionId } })
        expect(answer, path).toMatchObject({ status: 404, body: { error: "There is no such subscription" } })
      }
      expect(await host.state()).toEqual(before)
    })
  })

  test("without a session, from another site's page, or as a form", async () => {
    await withHost({}, async (host) => {
      await buys(host)
      const before = await host.state()
      for (const [path, body] of posts) {
        expect(await host.ask("POST", path, { user: "", body }), path).toMatchObject({ status: 401 })
        const foreign = { origin: "https://evil.example", "sec-fetch-site": "cross-site" }
        expect(await host.ask("POST", path, { body, headers: foreign }), path).toMatchObject({ status: 403 })
        const form = { "content-type": "application/x-www-form-urlencoded" }
        expect(await host.ask("POST", path, { body: "a=b", headers: form }), path).toMatchObject({ status: 415 })
        expect((await host.ask("GET", path.startsWith("/sub") ? path : "/portals", {})).status).not.toBe(200)
      }
      expect(await host.state()).toEqual(before)
    })
  })

  test("where the app says no, or fails to say anything", async () => {
    const asked: Array<unknown> = []
    await withHost(
      {
        authorize: async (action, { request, subscription, user }) => {
          asked.push([action, user.id, subscription?.productId, await request.text()])
          if (action === "resume") throw new Error("the app's own database is down")
          return false
        }
      },
      async (host) => {
        const { checkoutId } = await buys(host)
        const before = await host.state()
        for (const [path, body] of posts) {
          const fails = path.endsWith("resume")
          expect(await host.ask("POST", path, { body }), path).toMatchObject(
            fails ? { status: 503 } : { status: 403, body: { error: "Not allowed" } }
          )
        }
        expect(await host.ask("GET", `/checkout/${checkoutId}`)).toMatchObject({ status: 403 })
        expect(await host.ask("GET", "/portal")).toMatchObject({ status: 403 })
        expect(await host.state()).toEqual(before)
        expect(asked).toEqual(
          ["change", "preview", "cancel", "uncancel", "pause", "resume", "portal", "completeCheckout", "portal"].map(
            (action) => [action, "ada", pro, ""]
          )
        )
      }
    )
  })

  test("by another way to write an id than the app looks at", async () => {
    const told: Array<unknown> = []
    await withHost(
      {
        authorize: (_, { asked, subscription }) => {
          told.push([asked.subscriptionId, subscription?.id, asked.productId])
          return subscription === null || (asked.productId !== undefined && asked.productId !== team.id)
        }
      },
      async (host) => {
        const { subscriptionId } = await buys(host)
        const body = { subscriptionId: subscriptionId.toUpperCase() }
        expect(await host.ask("POST", "/subscription/cancel", { body })).toMatchObject({ status: 403 })
        const change = { ...body, productId: team.id.toUpperCase() }
        expect(await host.ask("POST", "/subscription/change", { body: change })).toMatchObject({ status: 403 })
        expect(told).toEqual([
          [subscriptionId, subscriptionId, undefined],
          [subscriptionId, subscriptionId, team.id]
        ])
      }
    )
  })

  test("with a product that is none, where all are sold", async () => {
    await withHost({ products: "any" }, async (host) => {
      await buys(host).catch(() => undefined)
      expect(await host.ask("POST", "/subscription/change", { body: { productId: "foo" } })).toMatchObject({
        status: 400,
        body: { error: "Invalid productId: there is no such product" }
      })
    })
  })

  test("with a body that is wrong, and the answer says where", async () => {
    await withHost({}, async (host) => {
      await buys(host)
      const before = await host.state()
      for (const [path, body, error] of [
        ["change", {}, "Say one of productId, seats and units"],
        ["change", { productId: "team", seats: 3 }, "Say one of productId, seats and units"],
        ["change", { productId: lifetime.id }, "Invalid productId: there is no such product"],
        ["change", { seats: -1 }, "Invalid seats"],
        // When it is charged is not for the buyer to say.
        ["change", { productId: "team", prorationBehavior: "next_period" }, "Unknown field: prorationBehavior"],
        ["cancel", { atPeriodEnd: false }, "Unknown field: atPeriodEnd"],
        ["cancel", { reason: "spite" }, "Invalid reason"],
        ["pause", { resumesAt: "tomorrow" }, "Invalid resumesAt"],
        ["cancel", { subscriptionId: "" }, "Invalid subscriptionId"],
        ["cancel", { subscriptionId: " " }, "Invalid subscriptionId"],
        ["cancel", "[]", "Invalid JSON body"],
        ["cancel", "{", "Invalid JSON body"]
      ] as const) {
        expect(await host.ask("POST", `/subscription/${path}`, { body })).toMatchObject({
          status: 400,
          body: { error }
        })
      }
      expect(await host.state()).toEqual(before)
    })
  })

  test("by a route that is switched off", async () => {
    const off = { change: false, preview: false, cancel: false, uncancel: false, pause: false, resume: false }
    await withHost({ routes: { ...off, portal: false, completeCheckout: false } }, async (host) => {
      const { checkoutId } = await buys(host)
      const before = await host.state()
      for (const [path, body] of posts) expect((await host.ask("POST", path, { body })).status, path).toBe(404)
      expect((await host.ask("GET", "/portal")).status).toBe(404)
      expect((await host.ask("GET", `/checkout/${checkoutId}`)).status).toBe(404)
      expect(await host.state()).toEqual(before)
    })
  })
})

test("one user cannot use up what Polar allows everybody", async () => {
  await withHost({}, async (host) => {
    const { checkoutId } = await buys(host)
    const statuses: Array<number> = []
    for (let times = 0; times < 32; times++) {
      const path = times % 2 === 0 ? `/checkout/${checkoutId}` : "/subscription/preview"
      const answer = await (times % 2 === 0
        ? host.ask("GET", path)
        : host.ask("POST", path, { body: { productId: "team" } }))
      statuses.push(answer.status)
      if (answer.status === 429) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0)
    }
    expect(statuses).toEqual([...Array.from({ length: 30 }, () => 200), 429, 429])
    await buys(host, "lin")
    expect((await host.ask("POST", "/subscription/cancel", { user: "lin" })).status).toBe(200)
  })
})

test("what Polar refuses is said in words for the buyer, with a status of its own", async () => {
  await withHost({}, async (host) => {
    const { ask, simulator } = host
    expect(await ask("POST", "/subscription/cancel")).toMatchObject({ status: 404 })
    await buys(host)
    await simulator.failNextPayment()
    expect(await ask("POST", "/subscription/change", { body: { productId: "team" } })).toMatchObject({
      status: 402,
      body: { error: "The payment failed, and nothing was changed" }
    })
    await ask("POST", "/subscription/cancel")
    expect(await ask("POST", "/subscription/change", { body: { productId: "team" } })).toMatchObject({
      status: 409,
      body: { error: "Your subscription is scheduled to end: undo that first" }
    })
    await ask("POST", "/subscription/uncancel")
    await buys(host, "ada", team.id)
    expect(await ask("POST", "/subscription/cancel")).toMatchObject({ status: 409 })
  })
})

test("all of them are in the OpenAPI document", () => {
  const { paths } = OpenApi.fromApi(PolarApi)
  expect(Object.keys(paths)).toEqual(
    expect.arrayContaining([
      ...posts.map(([path]) => `/auth/polar${path}`),
      "/auth/polar/checkout/{id}",
      "/auth/polar/subscription"
    ])
  )
})
