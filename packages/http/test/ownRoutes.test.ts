/** What a signed-in user's browser may read of their own: access, benefits and orders. */
import { FetchHttpClient, HttpApiClient, HttpClient } from "@effect/platform"
import { createKavach, polar } from "@kavach-polar/http"
import { PolarApi } from "@kavach-polar/http/Api"
import { Effect } from "effect"
import { describe, expect, test } from "vitest"
import { fixture, vary } from "../../core/test/deliveries.ts"
import { memoryPolar, product, requestOf, type StartOptions, secret, startHost, userOf } from "./host.ts"

const benefit = "benefit_grant.created.license_keys.order"

test("are the user's own, as plain JSON, and nobody else's", async () => {
  await using host = await startHost()
  const read = (what: string, user?: string) => host.answer(requestOf("GET", `/auth/polar/${what}`, { user }))
  await host.deliver(fixture(benefit))
  await host.deliver(vary("order.paid.purchase", { data: { metadata: { margin: "40%" } } }))
  const [granted] = await host.billing.benefits.list("usr_1042")
  const [order] = await host.billing.orders.list("usr_1042")
  const benefits = await read("benefits", "usr_1042")
  expect(benefits.status).toBe(200)
  expect(benefits.headers.get("cache-control")).toBe("no-store")
  expect(benefits.body).toEqual({ benefits: [JSON.parse(JSON.stringify(granted))] })
  const orders = await read("orders", "usr_1042")
  expect(orders.status).toBe(200)
  expect(orders.body).toMatchObject({
    orders: [
      { id: order?.id, status: "paid", totalAmount: order?.totalAmount, createdAt: order?.createdAt?.toISOString() }
    ]
  })
  // What the app noted for itself stays with it.
  expect(JSON.stringify(orders.body)).not.toContain("margin")
  expect((await read("benefits", "usr_1043")).body).toEqual({ benefits: [] })
  expect((await read("orders", "usr_1043")).body).toEqual({ orders: [] })
  for (const what of ["benefits", "orders"]) {
    expect(await read(what)).toMatchObject({ status: 401, body: { error: "Authentication required" } })
    expect((await read(`${what}?userId=usr_1042`, "usr_1043")).body).toEqual({ [what]: [] })
  }
})

describe("access", () => {
  const team = "0c0ffee0-0000-4000-8000-00000000000a"

  /** The user has the product of the fixtures, which is live as of this moment. */
  const subscribed = async (options?: StartOptions) => {
    const host = await startHost(options)
    await host.deliver(vary("subscription.active", { data: { current_period_end: "2999-01-01T00:00:00Z" } }))
    const access = (query = "", user: string | undefined = "usr_1042", headers = {}) =>
      host.answer(requestOf("GET", `/auth/polar/access${query}`, { user, headers }))
    return { host, access, [Symbol.asyncDispose]: host[Symbol.asyncDispose] }
  }

  test("is the signed-in user's own", async () => {
    await using app = await subscribed()
    const mine = await app.access()
    expect(mine.status).toBe(200)
    expect(mine.headers.get("cache-control")).toBe("no-store")
    expect(mine.body).toEqual({
      hasAccess: true,
      entitlement: "granted",
      reason: "The subscription is active.",
      until: null
    })
    expect((await app.access("?userId=usr_1042", "usr_1043")).body).toEqual({
      hasAccess: false,
      entitlement: "denied",
      reason: "The user has no live subscription.",
      until: null
    })
    expect(await app.access("", "nobody")).toMatchObject({ status: 401, body: { error: "Authentication required" } })
  })

  test("says until when, as text", async () => {
    await using app = await subscribed()
    const ends = "2999-01-01T00:00:00Z"
    await app.host.deliver(
      vary("subscription.active", {
        timestamp: "2027-01-01T00:00:00Z",
        data: { cancel_at_period_end: true, current_period_end: ends, ends_at: ends }
      })
    )
    expect((await app.access()).body).toMatchObject({ hasAccess: true, until: "2999-01-01T00:00:00.000Z" })
  })

  test("is of the products that are asked for, by name or by id", async () => {
    await using app = await subscribed({ products: { pro: product, team } })
    const has = async (query: string) => (await app.access(query)).body
    for (const query of ["?product=pro", `?product=${product}`, "?product=team&product=pro"]) {
      expect([query, await has(query)]).toEqual([query, expect.objectContaining({ hasAccess: true })])
    }
    for (const query of ["?product=team", `?product=${team}&product=team`]) {
      expect([query, await has(query)]).toEqual([query, expect.objectContaining({ hasAccess: false })])
    }
    // One that there is not is no plan that everybody has.
    for (const query of ["?product=enterprise", "?product=", "?product=pro&product=__proto__"]) {
      const { body, status } = await app.access(query)
      expect([query, status, body]).toEqual([query, 400, { error: "Invalid product: there is no such product" }])
    }
  })

  test("is of a product by its id where the app names none", async () => {
    await using app = await subscribed()
    expect((await app.access(`?product=${product}`)).body).toMatchObject({ hasAccess: true })
    expect((await app.access(`?product=${team}`)).body).toMatchObject({ hasAccess: false })
    expect((await app.access("?product=pro")).status).toBe(400)
  })

  test("is not there when it is switched off", async () => {
    await using app = await subscribed({ routes: { access: false } })
    const request = requestOf("GET", "/auth/polar/access", { user: "usr_1042" })
    expect(await app.host.kavach.plugins.handleRequest(request)).toBeNull()
  })
})

test("are not there when they are switched off", async () => {
  await using host = await startHost({ routes: { benefits: false, orders: true } })
  expect(
    await host.kavach.plugins.handleRequest(requestOf("GET", "/auth/polar/benefits", { user: "usr_1042" }))
  ).toBeNull()
  expect((await host.answer(requestOf("GET", "/auth/polar/orders", { user: "usr_1042" }))).status).toBe(200)
  expect(() => polar({ webhookSecret: secret, routes: { order: false } } as never)).toThrow(/Did you mean orders/)
})

test("the typed client reads them", async () => {
  const billing = polar({ webhookSecret: secret, client: memoryPolar().client, logLevel: "none" })
  await using kavach = await createKavach({
    database: { provider: "sqlite", url: ":memory:" },
    plugins: [billing],
    getUser: userOf
  })
  const fetchHost: typeof fetch = async (input, init) => {
    const response = await kavach.plugins.handleRequest(new Request(input, init))
    return response ?? new Response(null, { status: 404 })
  }
  const program = Effect.gen(function* () {
    const client = yield* HttpApiClient.make(PolarApi, {
      baseUrl: "http://host.test",
      transformClient: HttpClient.mapRequest((request) => ({
        ...request,
        headers: { ...request.headers, "x-user": "usr_1042" }
      }))
    })
    return [yield* client.polar.benefits(), yield* client.polar.orders(), yield* client.polar.access({ urlParams: {} })]
  }).pipe(Effect.provide(FetchHttpClient.layer), Effect.provideService(FetchHttpClient.Fetch, fetchHost))
  const denied = { hasAccess: false, entitlement: "denied", reason: "The user has no live subscription.", until: null }
  expect(await Effect.runPromise(program)).toEqual([{ benefits: [] }, { orders: [] }, denied])
})
