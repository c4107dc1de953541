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
    webhookSecret: secret,
    client: memoryPolar().client,
    store: BillingStore.layerMemory,
    logger: { debug: log, info: log, warn: log, error: log },
    ...config
  })
  return { billing, lines, [Symbol.asyncDispose]: () => billing.dispose() }
}

const shown = async (response: Response) => [response.status, await response.json()]

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
    const ids = Array.from({ length: 50 }, (_, index) => `user_${index}`)
    await Promise.all(
      ids.map((id) => requests.run(id, () => handler(requestOf("GET", "/auth/polar/subscription"), { id })))
    )
    expect(seen).toHaveLength(50)
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
