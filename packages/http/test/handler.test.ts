/** `billing.handler()` by itself; behind real servers, test/mounts drives it. */
import { AsyncLocalStorage } from "node:async_hooks"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import { StoreError } from "@kavach-polar/core/StoreError"
import { type HandlerOptions, type PolarConfig, polar } from "@kavach-polar/http"
import * as Standalone from "@kavach-polar/http/standalone"
import { Layer } from "effect"
import { describe, expect, expectTypeOf, test } from "vitest"
import { fixture } from "../../core/test/deliveries.ts"
import { declared } from "./declared.ts"
import { deliveryOf, memoryPolar, product, requestOf, secret, userOf } from "./host.ts"

const billingWith = (config: Partial<PolarConfig> = {}) => {
  const lines: Array<string> = []
  const log = (line: string) => void lines.push(line)
  const billing = polar({
    routes: { health: true },
    webhookSecret: secret,
    client: memoryPolar().client,
    store: BillingStore.layerMemory,
    logger: { debug: log, info: log, warn: log, error: log },
    ...config
  })
  return { billing, lines, [Symbol.asyncDispose]: () => billing.dispose() }
}

const shown = async (response: Response) => [response.status, await response.json()]

/** The subscription of another customer, who is another user. */
const ofAnother = (number: number): Uint8Array => {
  const text = new TextDecoder().decode(fixture("subscription.active"))
  const { data } = JSON.parse(text) as { readonly data: Readonly<Record<"id" | "customer_id" | "checkout_id", string>> }
  return new TextEncoder().encode(
    [data.id, data.customer_id, data.checkout_id]
      .filter((id) => typeof id === "string")
      .reduce((all, id) => all.replaceAll(id, `${id.slice(0, -1)}${number}`), text)
      .replaceAll("usr_1042", `usr_${number}`)
  )
}

const unavailable = [503, { error: "Billing is temporarily unavailable" }]

describe("handler", () => {
  test("answers every route, for the user of the session and for Polar", async () => {
    await using host = billingWith()
    const handler = host.billing.handler({ getUser: userOf })
    expect(await shown(await handler(deliveryOf(fixture("subscription.active"))))).toEqual([200, { received: true }])
    const user = "usr_1042"
    expect(await shown(await handler(requestOf("GET", "/auth/polar/subscription", { user })))).toEqual([
      200,
      { subscription: expect.objectContaining({ status: "active", productId: product }) }
    ])
    for (const route of declared.keys()) {
      const [method = "", path = ""] = route.split(" ")
      const answer = await handler(requestOf(method, path, { user, ...(method === "POST" ? { body: {} } : {}) }))
      expect([...(declared.get(route)?.keys() ?? [])]).toContain(answer.status)
    }
  })

  test.each([
    ["/api/billing", "/api/billing/subscription"],
    ["/api/billing/", "/api/billing/subscription"],
    ["/", "/subscription"],
    ["", "/subscription"],
    [undefined, "/auth/polar/subscription"]
  ])("with the base path %s its routes are there, and nowhere else", async (basePath, path) => {
    await using host = billingWith()
    const handler = host.billing.handler({ getUser: userOf, basePath })
    const status = async (asked: string) => (await handler(requestOf("GET", asked))).status
    expect(await status(path)).toBe(401)
    expect(await status(`${path}/`)).toBe(401)
    for (const other of ["/api/billingsubscription", "/other/subscription", `${path}/x`, `/x${path}`]) {
      expect(await shown(await handler(requestOf("GET", other)))).toEqual([404, { error: "Not found" }])
    }
  })

  test("HEAD is GET without its body, OPTIONS and a wrong method say what there is", async () => {
    await using host = billingWith({ routes: { orders: false } })
    const handler = host.billing.handler({ getUser: userOf })
    const ask = (method: string, path: string) => handler(requestOf(method, path, { user: "usr_1042" }))
    const head = await ask("HEAD", "/auth/polar/subscription")
    expect([head.status, head.body, head.headers.get("cache-control")]).toEqual([200, null, "no-store"])
    const options = await ask("OPTIONS", "/auth/polar/portal")
    expect([options.status, options.body, options.headers.get("allow")]).toEqual([
      204,
      null,
      "GET, POST, HEAD, OPTIONS"
    ])
    const wrong = await ask("DELETE", "/auth/polar/webhook")
    expect(wrong.headers.get("allow")).toBe("POST, OPTIONS")
    expect(await shown(wrong)).toEqual([405, { error: "Method not allowed" }])
    for (const method of ["GET", "OPTIONS", "DELETE"])
      expect((await ask(method, "/auth/polar/orders")).status).toBe(404)
  })

  test("an id that is a number is its text; undefined is nobody", async () => {
    await using host = billingWith()
    const asked = requestOf("GET", "/auth/polar/subscription")
    expect((await host.billing.handler({ getUser: () => ({ id: 42n }) })(asked)).status).toBe(200)
    expect((await host.billing.handler({ getUser: () => undefined })(asked)).status).toBe(401)
  })

  test("getUser has what the mount hands over, and the asynchronous context of its own request", async () => {
    await using host = billingWith()
    const requests = new AsyncLocalStorage<string>()
    const seen: Array<readonly [string, string | undefined]> = []
    const handler = host.billing.handler({
      getUser: async (_request, { id }: { readonly id: string }) => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        seen.push([id, requests.getStore()])
        return { id }
      }
    })
    expectTypeOf(handler).parameters.toEqualTypeOf<[Request, { readonly id: string }]>()
    const asked = [...declared.keys()]
      .filter((route) => !/(webhook|health)$/.test(route))
      .map((route) => route.split(" "))
    await Promise.all(
      asked.map(([method = "", path = ""]) => {
        const id = `${method} ${path}`
        const request = requestOf(method, path, method === "POST" ? { body: {} } : {})
        return requests.run(id, () => handler(request, { id }))
      })
    )
    expect(seen).toHaveLength(asked.length)
    for (const [id, context] of seen) expect(context).toBe(id)
  })

  test("a mount that hands over nothing needs no second argument", async () => {
    await using host = billingWith()
    const handler = host.billing.handler({ getUser: userOf })
    expectTypeOf(handler).parameters.toEqualTypeOf<[request: Request, context?: unknown]>()
    expectTypeOf<HandlerOptions["getUser"]>().returns.not.toBeAny()
  })

  test("getUser that throws is answered 503, and only the log has the reason", async () => {
    for (const fails of [
      () => {
        throw new TypeError("session store: password=hunter2")
      },
      async () => Promise.reject(new TypeError("session store: password=hunter2"))
    ]) {
      await using host = billingWith()
      const handler = host.billing.handler({ getUser: fails })
      expect(await shown(await handler(requestOf("GET", "/auth/polar/orders")))).toEqual(unavailable)
      expect(host.lines).toHaveLength(1)
      expect(host.lines[0]).toMatch(/SessionUnavailable: The host could not say who is signed in\..*hunter2/)
      // Polar's deliveries ask nobody.
      expect((await handler(deliveryOf(fixture("subscription.active")))).status).toBe(200)
    }
  })

  test("while the database is away it answers 503", async () => {
    const away = new StoreError({ operation: "connect", reason: "unavailable", detail: "refused" })
    await using host = billingWith({ store: Layer.fail(away) })
    const handler = host.billing.handler({ getUser: userOf })
    for (const request of [
      requestOf("GET", "/auth/polar/subscription", { user: "usr_1042" }),
      deliveryOf(fixture("subscription.active"))
    ]) {
      const answer = await handler(request)
      expect(answer.headers.get("retry-after")).not.toBeNull()
      expect(await shown(answer)).toEqual(unavailable)
    }
  })

  test("never rejects, whatever it is given", async () => {
    await using host = billingWith()
    const handler = host.billing.handler({ getUser: userOf })
    for (const mistake of [{}, { url: "/auth/polar/webhook", method: "POST" }, { url: "http://a/auth/polar/orders" }]) {
      const response = await handler(mistake as unknown as Request)
      expect(response.status).toBeGreaterThanOrEqual(400)
      expect(await response.json()).toEqual({ error: expect.any(String) })
    }
    // Before it has a database, as a plugin whose host has not started.
    const unconnected = polar({ webhookSecret: secret, client: memoryPolar().client, logLevel: "none" })
    const answer = await unconnected.handler({ getUser: userOf })(requestOf("GET", "/auth/polar/orders"))
    expect(await shown(answer)).toEqual(unavailable)
  })

  test("waitUntil is given what the callback still does", async () => {
    const given: Array<Promise<unknown>> = []
    let told = 0
    await using host = billingWith({
      onSubscriptionChange: async () => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        told += 1
      }
    })
    const handler = host.billing.handler({ getUser: userOf, waitUntil: (promise) => void given.push(promise) })
    expect((await handler(deliveryOf(fixture("subscription.active")))).status).toBe(200)
    expect([given.length, told]).toEqual([1, 0])
    await Promise.all(given)
    expect(told).toBe(1)
  })
})

test("waitUntil is called in the asynchronous context of its own request, also after a wait", async () => {
  const requests = new AsyncLocalStorage<number>()
  const seen: Array<number | undefined> = []
  let everybodyWaits = () => {}
  const atOnce = new Promise<void>((resolve) => {
    everybodyWaits = resolve
  })
  await using host = billingWith({
    userExists: () => atOnce.then(() => true),
    onSubscriptionChange: () => new Promise((resolve) => setTimeout(resolve, 20))
  })
  const handler = host.billing.handler({
    getUser: userOf,
    waitUntil: () => void seen.push(requests.getStore())
  })
  await host.billing.start()
  const numbers = Array.from({ length: 10 }, (_, index) => index)
  const answers = Promise.all(
    numbers.map((number) => requests.run(number, () => handler(deliveryOf(ofAnother(number)))))
  )
  await new Promise((resolve) => setTimeout(resolve, 200))
  everybodyWaits()
  for (const { status } of await answers) expect(status).toBe(200)
  expect([...seen].sort()).toEqual(numbers)
})

test("authorize is called in the asynchronous context of its own request, also after a wait", async () => {
  const requests = new AsyncLocalStorage<string>()
  const seen: Array<readonly [user: string, context: string | undefined]> = []
  let everybodyWaits = () => {}
  const atOnce = new Promise<void>((resolve) => {
    everybodyWaits = resolve
  })
  await using host = billingWith({
    authorize: (_action, { user }) => {
      seen.push([user.id, requests.getStore()])
      return false
    }
  })
  const handler = host.billing.handler({
    getUser: async (_request, { id }: { readonly id: string }) => {
      await atOnce
      return { id }
    }
  })
  await host.billing.start()
  const ids = Array.from({ length: 10 }, (_, index) => `user_${index}`)
  const cancel = (id: string) =>
    requests.run(id, () => handler(requestOf("POST", "/auth/polar/subscription/cancel", { body: {} }), { id }))
  const answers = Promise.all(ids.map(cancel))
  await new Promise((resolve) => setTimeout(resolve, 200))
  everybodyWaits()
  for (const { status } of await answers) expect(status).toBe(403)
  expect(seen.map(([, context]) => context)).toEqual(seen.map(([user]) => user))
  expect(seen).toHaveLength(ids.length)
})

describe("options of handler()", () => {
  test.each<[options: unknown, message: string]>([
    [undefined, "handler(): getUser: is missing"],
    [{}, "handler(): getUser: is missing"],
    [{ getUser: "ada" }, "handler(): getUser: it must be a function"],
    [{ getUser: userOf, basepath: "/x" }, "handler(): basepath: there is no such option. Did you mean basePath?"],
    [{ getUser: userOf, basePath: "auth/polar" }, 'handler(): basePath: it must be a path, such as "/auth/polar"'],
    [{ getUser: userOf, basePath: "/x?y" }, 'handler(): basePath: it must be a path, such as "/auth/polar"'],
    [
      { getUser: userOf, baseUrl: "app.example.com" },
      "handler(): baseUrl: it must be an http(s) URL, such as https://app.example.com"
    ]
  ])("%j is refused at once, whichever the entry", (options, message) => {
    const config = { accessToken: "polar_oat_x", webhookSecret: secret, logLevel: "none" } as const
    for (const billing of [polar(config), Standalone.polar(config)]) {
      expect(() => billing.handler(options as HandlerOptions)).toThrow(message)
      expect(() => billing.handler(options as HandlerOptions)).toThrow(
        expect.objectContaining({ _tag: "InvalidOption" })
      )
    }
  })
})
