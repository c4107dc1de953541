/** What a signed-in user's browser may read of their own: benefits and orders. */
import { FetchHttpClient, HttpApiClient, HttpClient } from "@effect/platform"
import { createKavach, polar } from "@kavach-polar/http"
import { PolarApi } from "@kavach-polar/http/Api"
import { Effect } from "effect"
import { expect, test } from "vitest"
import { fixture, vary } from "../../core/test/deliveries.ts"
import { memoryPolar, requestOf, secret, startHost, userOf } from "./host.ts"

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
    return [yield* client.polar.benefits(), yield* client.polar.orders()]
  }).pipe(Effect.provide(FetchHttpClient.layer), Effect.provideService(FetchHttpClient.Fetch, fetchHost))
  expect(await Effect.runPromise(program)).toEqual([{ benefits: [] }, { orders: [] }])
})
