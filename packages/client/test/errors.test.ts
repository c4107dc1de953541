/** What a server and a network can do, and what a call rejects with then. */
import { createServer, type IncomingMessage, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { createPolarClient, PolarClientError, type PolarClientOptions } from "@kavach-polar/client"
import { expect, test, vi } from "vitest"

const serving = async (listener: RequestListener) => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    clientOf: (options?: PolarClientOptions) => createPolarClient({ baseUrl: url, ...options }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

const answering = (status: number, body: string, headers: Readonly<Record<string, string>> = {}) =>
  serving((_, response) => response.writeHead(status, headers).end(body))

const failure = async (call: Promise<unknown>): Promise<PolarClientError> => {
  const error = await call.then(
    (answer) => expect.fail(`answered ${JSON.stringify(answer)}`),
    (error: unknown) => error
  )
  expect(error).toBeInstanceOf(PolarClientError)
  expect(error).toBeInstanceOf(Error)
  return error as PolarClientError
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let text = ""
  for await (const chunk of request) text += chunk
  return text
}

test("a request is what the routes want", async () => {
  const seen: Array<unknown> = []
  await using app = await serving(async (request, response) => {
    const { accept, authorization, "content-type": type } = request.headers
    seen.push([request.method, request.url, type, accept, authorization, await bodyOf(request)])
    response.end(JSON.stringify({ subscription: null, url: "https://polar.test/c", id: "c" }))
  })
  const client = app.clientOf({ headers: { authorization: "Bearer t" } })
  await client.subscription.get()
  await client.subscription.cancel()
  await client.subscription.change({ seats: 5, subscriptionId: "s" })
  // Nothing of the page's own goes along, and without a page no origin.
  await client.checkout({
    productId: "pro",
    embed: true,
    theme: "dark",
    redirect: false,
    loadTimeoutSeconds: 1,
    label: "x"
  })
  await client.portal({ redirect: false })
  await client.access({ product: ["a&b", "c"] })
  await client.completeCheckout("../orders?x")
  const json = "application/json"
  expect(seen).toEqual([
    ["GET", "/auth/polar/subscription", undefined, json, "Bearer t", ""],
    ["POST", "/auth/polar/subscription/cancel", json, json, "Bearer t", "{}"],
    ["POST", "/auth/polar/subscription/change", json, json, "Bearer t", '{"seats":5,"subscriptionId":"s"}'],
    ["POST", "/auth/polar/checkout", json, json, "Bearer t", '{"productId":"pro"}'],
    ["POST", "/auth/polar/portal", json, json, "Bearer t", "{}"],
    ["GET", "/auth/polar/access?product=a%26b&product=c", undefined, json, "Bearer t", ""],
    ["GET", "/auth/polar/checkout/..%2Forders%3Fx", undefined, json, "Bearer t", ""]
  ])
})

test("an app's fetch and headers are asked for each request", async () => {
  const seen: Array<unknown> = []
  let token = 0
  const client = createPolarClient({
    baseUrl: "/api/kavach//",
    headers: async () => ({ authorization: `Bearer ${++token}` }),
    fetch: async (url, init) => {
      seen.push([url, new Headers(init.headers).get("authorization"), "credentials" in init])
      return Response.json({ orders: [] })
    }
  })
  expect([await client.orders.list(), await client.orders.list()]).toEqual([[], []])
  expect(seen).toEqual([
    ["/api/kavach/auth/polar/orders", "Bearer 1", false],
    ["/api/kavach/auth/polar/orders", "Bearer 2", false]
  ])
  // What the app's own code throws is the app's own.
  const failing = createPolarClient({ headers: () => Promise.reject(new TypeError("no token")) })
  await expect(failing.orders.list()).rejects.toThrow(new TypeError("no token"))
})

test.each([
  [400, "invalid_request"],
  [401, "not_signed_in"],
  [402, "payment_failed"],
  [403, "forbidden"],
  [404, "not_found"],
  [409, "conflict"],
  [413, "invalid_request"],
  [429, "rate_limited"],
  [500, "unavailable"],
  [504, "unavailable"]
])("%i is %s, with the answer's sentence", async (status, code) => {
  await using app = await answering(status, JSON.stringify({ error: "A sentence" }))
  expect(await failure(app.clientOf().orders.list())).toMatchObject({
    name: "PolarClientError",
    status,
    code,
    message: "A sentence",
    details: {},
    retryAfterSeconds: null
  })
})

test("what an answer says besides is kept", async () => {
  const body = { error: "Say which", code: "several_subscriptions", subscriptions: [{ id: "s1" }, { id: "s2" }] }
  await using app = await answering(409, JSON.stringify(body), { "retry-after": "7" })
  expect(await failure(app.clientOf().subscription.cancel())).toMatchObject({
    code: "several_subscriptions",
    message: "Say which",
    retryAfterSeconds: 7,
    details: { subscriptions: body.subscriptions }
  })
})

test.each([
  [200, "<h1>Sign in</h1>"],
  [200, ""],
  [200, "[]"],
  [200, "null"],
  [404, "<h1>Not found</h1>"]
])("%i with %j is no answer of the routes", async (status, body) => {
  await using app = await answering(status, body)
  expect(await failure(app.clientOf().orders.list())).toMatchObject({
    status,
    code: "invalid_response",
    message: `The server answered ${status} with something else than it should`
  })
})

test("a proxy's own error page is an outage", async () => {
  await using app = await answering(502, "<h1>Bad gateway</h1>", { "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT" })
  expect(await failure(app.clientOf().orders.list())).toMatchObject({
    status: 502,
    code: "unavailable",
    retryAfterSeconds: null
  })
})

test("a server that is not there, or hangs up", async () => {
  let url = ""
  {
    await using app = await answering(200, "{}")
    url = app.url
  }
  const gone = await failure(createPolarClient({ baseUrl: url }).orders.list())
  expect(gone).toMatchObject({ status: null, code: "network", cause: expect.any(TypeError) })
  await using cut = await serving((_, response) => {
    response.writeHead(200, { "content-length": "100" }).write('{"orders":')
    setTimeout(() => response.destroy(), 20)
  })
  expect(await failure(cut.clientOf().orders.list())).toMatchObject({ status: null, code: "network" })
})

test("a call that is given up, before and while it runs", async () => {
  let asked = 0
  let arrived = () => {}
  const arrival = new Promise<void>((resolve) => {
    arrived = resolve
  })
  await using app = await serving(() => {
    asked++
    arrived()
  })
  const client = app.clientOf()
  const reason = new Error("left the page")
  expect(await failure(client.orders.list({ signal: AbortSignal.abort(reason) }))).toMatchObject({
    code: "aborted",
    status: null,
    cause: reason
  })
  expect(asked).toBe(0)
  const changes: Array<string> = []
  client.onChange(() => void changes.push("changed"))
  const leaving = new AbortController()
  const canceling = failure(client.subscription.cancel({}, { signal: leaving.signal }))
  await arrival
  leaving.abort(reason)
  expect(await canceling).toMatchObject({ code: "aborted", status: null, cause: reason })
  expect(asked).toBe(1)
  // The server may have done it all the same.
  expect(changes).toEqual(["changed"])
})

test("an answer that names no address is none of the routes', and the page stays where it is", async () => {
  const assign = vi.fn()
  vi.stubGlobal("document", {})
  vi.stubGlobal("location", { origin: "https://app.example.com", assign })
  try {
    // Such as another API's, under a wrong `baseUrl`.
    const client = createPolarClient({ fetch: async () => Response.json({ ok: true }) })
    const calls = [
      () => client.checkout({ productId: "pro" }),
      () => client.checkout({ productId: "pro", embed: true }),
      () => client.portal()
    ]
    for (const call of calls) {
      expect(await failure(call())).toMatchObject({
        code: "invalid_response",
        message: expect.stringMatching(/else than/)
      })
    }
    expect(assign).not.toHaveBeenCalled()
  } finally {
    vi.unstubAllGlobals()
  }
})
