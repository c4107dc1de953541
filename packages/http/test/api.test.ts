import {
  FetchHttpClient,
  HttpApi,
  HttpApiBuilder,
  HttpApiClient,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpClient,
  HttpServer,
  OpenApi
} from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import { PolarRateLimited } from "@kavach-polar/core/PolarError"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { PolarApi, PolarGroup } from "@kavach-polar/http/Api"
import * as ApiLayer from "@kavach-polar/http/ApiLayer"
import * as Endpoints from "@kavach-polar/http/Endpoints"
import { serve } from "@kavach-polar/http/NodeServer"
import * as Session from "@kavach-polar/http/Session"
import { Context, Effect, Layer, Logger, Option, Redacted, Schema } from "effect"
import { fixture } from "../../core/test/deliveries.ts"
import { expectAsDeclared } from "./declared.ts"
import { deliveryOf, memoryPolar, product, requestOf, secret, users } from "./host.ts"

describe("the description", () => {
  const spec = OpenApi.fromApi(PolarApi)

  it("has the routes with their statuses, and names what secures them", () => {
    const routes = Object.entries(spec.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => [
        `${method} ${path}`,
        Object.keys(operation.responses).join(" "),
        JSON.stringify(operation.security)
      ])
    )
    const changes = "200 400 401 402 403 404 408 409 413 415 429 500 502 503 504"
    assert.sameDeepMembers(routes, [
      ["post /auth/polar/checkout", "200 400 401 403 408 409 413 415 429 500 502 503 504", '[{"session":[]}]'],
      // The platform adds a 400 of its own to every route of every API.
      ["get /auth/polar/subscription", "200 400 401 500 503", '[{"session":[]}]'],
      ["get /auth/polar/access", "200 400 401 404 500 503", '[{"session":[]}]'],
      ["get /auth/polar/benefits", "200 400 401 404 500 503", '[{"session":[]}]'],
      ["get /auth/polar/orders", "200 400 401 404 500 503", '[{"session":[]}]'],
      ["post /auth/polar/subscription/change", changes, '[{"session":[]}]'],
      ["post /auth/polar/subscription/preview", changes, '[{"session":[]}]'],
      ["post /auth/polar/subscription/cancel", changes, '[{"session":[]}]'],
      ["post /auth/polar/subscription/uncancel", changes, '[{"session":[]}]'],
      ["post /auth/polar/subscription/pause", changes, '[{"session":[]}]'],
      ["post /auth/polar/subscription/resume", changes, '[{"session":[]}]'],
      ["post /auth/polar/portal", changes, '[{"session":[]}]'],
      ["get /auth/polar/checkout/{id}", "200 400 401 403 404 409 429 500 502 503 504", '[{"session":[]}]'],
      ["get /auth/polar/portal", "303 400 401 403 404 409 429 500 502 503 504", '[{"session":[]}]'],
      ["get /auth/polar/health", "200 400 404 503", "[]"],
      ["post /auth/polar/webhook", "200 400 403 408 413 500 503", "[]"]
    ])
    assert.hasAllKeys(spec.components.securitySchemes, ["session"])
  })

  it("names the bodies and their fields", () => {
    assert.includeMembers(Object.keys(spec.components.schemas), [
      "CheckoutRequest",
      "CheckoutResponse",
      "SubscriptionResponse",
      "WebhookResponse"
    ])
    assert.nestedProperty(spec, "components.schemas.CheckoutRequest.properties.productId")
    assert.nestedProperty(spec, "components.schemas.CheckoutRequest.properties.productIds")
    assert.deepInclude(spec.components.schemas["CheckoutResponse"], { required: ["url", "id"] })
  })

  it("is plain JSON", () => {
    assert.deepStrictEqual(JSON.parse(JSON.stringify(spec)), { ...spec })
  })
})

const ports = (options?: Billing.BillingOptions) => {
  const memory = memoryPolar()
  const deps = Layer.mergeAll(
    BillingStore.layerMemoryWith([]),
    memory.client,
    WebhookVerifier.layer({ secrets: [Redacted.make(secret)] }),
    SubscriptionListener.layerNoop
  )
  const billing = Billing.layer(options).pipe(Layer.provide(NotificationDispatcher.layer()), Layer.provide(deps))
  const session = Session.layer((request) =>
    Effect.succeed(Option.fromNullable(users.find(({ id }) => id === request.headers["x-user"])))
  )
  return {
    memory,
    endpoints: Endpoints.layer({ trustedOrigins: ["https://app.example.com"] }).pipe(Layer.provide([billing, session]))
  }
}

/** A web handler as long as the scope. */
const mounted = <E>(layer: Layer.Layer<HttpApi.Api, E>) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => HttpApiBuilder.toWebHandler(Layer.mergeAll(layer, HttpServer.layerContext))),
      (web) => Effect.promise(web.dispose)
    ),
    ({ handler }) =>
      (request: Request) =>
        Effect.promise(() => handler(request))
  )

describe("what is sold", () => {
  const start = (products: Billing.BillingOptions["products"]) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label}: ${message}`))
      const { endpoints } = ports({ products })
      const send = yield* mounted(
        Layer.provide(Layer.provide(ApiLayer.layerApi, endpoints), Logger.replace(Logger.defaultLogger, logger))
      )
      const checkout = (productId: string) =>
        send(
          requestOf("POST", "/auth/polar/checkout", {
            body: { productId },
            user: "usr_1042",
            headers: { "content-type": "application/json" }
          })
        )
      return { lines, checkout }
    })

  it.scopedLive("is what the billing's layer names, and without that whoever mounts the routes is warned", () =>
    Effect.gen(function* () {
      const hidden = "0c0ffee0-0000-4000-8000-000000000001"
      const open = yield* start(undefined)
      assert.strictEqual((yield* open.checkout(hidden)).status, 200)
      assert.lengthOf(open.lines, 1)
      assert.match(open.lines[0] ?? "", /^WARN: The checkout route sells any product .*`products`/)
      const shop = yield* start({ pro: product })
      assert.strictEqual((yield* shop.checkout("pro")).status, 200)
      assert.deepStrictEqual(shop.lines, [])
      assert.strictEqual((yield* shop.checkout(hidden)).status, 400)
      const meant = yield* start("any")
      assert.strictEqual((yield* meant.checkout(hidden)).status, 200)
      assert.deepStrictEqual(meant.lines, [])
    })
  )
})

describe("in an Effect server", () => {
  const start = Effect.gen(function* () {
    const { endpoints, memory } = ports()
    const send = yield* mounted(Layer.provide(ApiLayer.layerApi, endpoints))
    const answer = (request: Request) =>
      Effect.gen(function* () {
        const response = yield* send(request)
        const route = `${request.method} ${new URL(request.url).pathname}`
        const { headers, status } = response
        return { status, headers, body: yield* Effect.promise(() => expectAsDeclared(route, response)) }
      })
    return { memory, send, answer }
  })

  it.scopedLive("the routes answer as in the host", () =>
    Effect.gen(function* () {
      const { answer, memory } = yield* start
      const checkout = (body: unknown, user = "usr_1042") =>
        answer(
          requestOf("POST", "/auth/polar/checkout", { body, user, headers: { "content-type": "application/json" } })
        )
      assert.deepInclude(yield* checkout({ productId: product }, "nobody"), {
        status: 401,
        body: { error: "Authentication required" }
      })
      const bought = yield* checkout({ productId: product, successUrl: "https://app.example.com/{CHECKOUT_ID}" })
      assert.strictEqual(bought.status, 200)
      const [made] = yield* Effect.promise(memory.checkouts)
      assert.deepStrictEqual(bought.body, { url: made?.session.url, id: made?.session.id })
      assert.strictEqual(made?.input.successUrl, "https://app.example.com/{CHECKOUT_ID}")
      for (const body of ["{", "null", "[]", "7", undefined]) {
        assert.deepInclude(yield* checkout(body), { status: 400, body: { error: "Invalid JSON body" } })
      }
      assert.deepInclude(yield* checkout({}), { status: 400, body: { error: "Missing required field: productId" } })
      assert.strictEqual((yield* checkout({ productId: product, successUrl: "https://evil.com" })).status, 400)
      assert.strictEqual((yield* checkout({ productId: product, padding: "x".repeat(20_000) })).status, 413)
      memory.failNext(new PolarRateLimited({ operation: "create checkout", limitedBy: "polar", retryAfterSeconds: 9 }))
      const limited = yield* checkout({ productId: product })
      assert.deepStrictEqual([limited.status, limited.headers.get("retry-after")], [429, "9"])
    })
  )

  it.scopedLive("deliveries arrive byte for byte, whatever their content type", () =>
    Effect.gen(function* () {
      const { answer } = yield* start
      const bodies = [fixture("subscription.active"), Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0xff, 0x00, 0x7d)]
      for (const contentType of ["application/json", "text/plain", "application/x-www-form-urlencoded", "a/b"]) {
        for (const body of bodies) {
          const request = deliveryOf(body)
          request.headers.set("content-type", contentType)
          const received = yield* answer(request)
          // A body that is no JSON is authentic all the same, and answered 403 if a byte of it had changed.
          assert.strictEqual(received.status, body === bodies[0] ? 200 : 400)
        }
      }
      const subscription = yield* answer(requestOf("GET", "/auth/polar/subscription", { user: "usr_1042" }))
      assert.deepNestedInclude(subscription.body, { "subscription.status": "active" })
      const forged = deliveryOf(fixture("subscription.active"), { key: "whsec_c29tZWJvZHkgZWxzZQ==" })
      assert.strictEqual((yield* answer(forged)).status, 403)
    })
  )

  it.scopedLive("405 with Allow for a wrong method, 404 for a path that is not there", () =>
    Effect.gen(function* () {
      const { answer, send } = yield* start
      for (const [path, allowed] of [
        ["/auth/polar/checkout", "POST"],
        ["/auth/polar/subscription", "GET"],
        ["/auth/polar/access", "GET"],
        ["/auth/polar/benefits", "GET"],
        ["/auth/polar/orders", "GET"],
        ["/auth/polar/subscription/change", "POST"],
        ["/auth/polar/checkout/some-id", "GET"],
        ["/auth/polar/portal", "GET, POST"],
        ["/auth/polar/webhook", "POST"]
      ] as const) {
        for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
          if (allowed.includes(method)) continue
          const refused = yield* answer(requestOf(method, path))
          assert.deepStrictEqual([refused.status, refused.headers.get("allow")], [405, allowed])
        }
        const head = yield* send(requestOf("HEAD", path))
        assert.strictEqual(head.status, allowed.includes("GET") ? 401 : 405)
      }
      assert.strictEqual((yield* send(requestOf("GET", "/auth/polar/nothing"))).status, 404)
    })
  )

  it.scopedLive("the typed client speaks to it, over sockets", () =>
    Effect.gen(function* () {
      const { memory, send } = yield* start
      const server = yield* Effect.acquireRelease(
        Effect.promise(() =>
          serve({ host: "127.0.0.1", port: 0, handle: (request) => Effect.runPromise(send(request)) })
        ),
        ({ close }) => Effect.promise(close)
      )
      const clientOf = (user: string) =>
        HttpApiClient.make(PolarApi, {
          baseUrl: server.url,
          transformClient: HttpClient.mapRequest((request) => ({
            ...request,
            headers: { ...request.headers, "x-user": user }
          }))
        })
      const client = yield* clientOf("usr_1042")
      const { id, url } = yield* client.polar.checkout({ payload: { productId: product } })
      const [made] = yield* Effect.promise(memory.checkouts)
      assert.deepStrictEqual([id, url], [made?.session.id, made?.session.url])
      assert.deepStrictEqual(yield* client.polar.subscription(), { subscription: null })
      const delivery = deliveryOf(fixture("subscription.active"))
      const received = yield* Effect.promise(async () =>
        fetch(`${server.url}/auth/polar/webhook`, {
          method: "POST",
          headers: delivery.headers,
          body: await delivery.arrayBuffer()
        })
      )
      assert.strictEqual(received.status, 200)
      const { subscription } = yield* client.polar.subscription()
      assert.deepStrictEqual(subscription?.currentPeriodEnd, new Date("2026-11-05T14:22:08.412Z"))
      const stranger = yield* clientOf("nobody")
      assert.deepStrictEqual(yield* Effect.merge(stranger.polar.subscription()), { error: "Authentication required" })
      assert.deepStrictEqual(
        yield* Effect.merge(client.polar.checkout({ payload: { productId: product, successUrl: "ftp://x" } })),
        { error: "Invalid successUrl: it must start with https:// or http:// and a host" }
      )
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})

describe("in somebody else's API", () => {
  class Ping extends HttpApiGroup.make("ping").add(HttpApiEndpoint.get("ping", "/ping").addSuccess(Schema.String)) {}

  class Outage extends Schema.TaggedError<Outage>()("Outage", {}) {}

  class ShopApi extends HttpApi.make("shop")
    .add(Ping)
    .add(PolarGroup)
    .addError(Outage, { status: 418 })
    .prefix("/api") {}

  class Region extends Context.Tag("Region")<Region, string>() {}

  it.scopedLive("PolarGroup works beside other groups, with the API's own errors and prefix", () =>
    Effect.gen(function* () {
      const { endpoints } = ports()
      const ping = HttpApiBuilder.group(ShopApi, "ping", (handlers) =>
        handlers.handle("ping", () => Effect.map(Region, (region) => `pong from ${region}`))
      )
      const billing = HttpApiBuilder.group(ShopApi, "polar", ApiLayer.handlers)
      const send = yield* mounted(
        HttpApiBuilder.api(ShopApi).pipe(
          Layer.provide([ping, billing, ApiLayer.wrongMethods(ShopApi)]),
          Layer.provide([endpoints, Layer.succeed(Region, "here")])
        )
      )
      const get = (path: string, user?: string) => send(requestOf("GET", path, { user }))
      const pong = yield* get("/api/ping")
      assert.strictEqual(yield* Effect.promise(() => pong.json()), "pong from here")
      const mine = yield* get("/api/auth/polar/subscription", "usr_1042")
      assert.deepStrictEqual(yield* Effect.promise(() => mine.json()), { subscription: null })
      assert.strictEqual((yield* get("/api/auth/polar/subscription")).status, 401)
      const wrong = yield* get("/api/auth/polar/webhook")
      assert.deepStrictEqual([wrong.status, wrong.headers.get("allow")], [405, "POST"])
      assert.strictEqual((yield* send(requestOf("POST", "/api/ping"))).status, 404)
      const delivered = yield* send(deliveryOf(fixture("subscription.active"), { path: "/api/auth/polar/webhook" }))
      assert.strictEqual(delivered.status, 200)
      assert.include(Object.keys(OpenApi.fromApi(ShopApi).paths), "/api/auth/polar/checkout")
    })
  )
})
