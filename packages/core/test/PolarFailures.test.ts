import { inspect } from "node:util"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import type { PolarError } from "@kavach-polar/core/PolarError"
import { Cause, Effect, Exit, Fiber, HashMap, List, Logger, Option, Redacted, TestClock, Tracer } from "effect"
import { passSleep } from "./passSleep.ts"
import * as ScriptedServer from "./ScriptedServer.ts"

const token = "polar_oat_InventedInventedInventedInvented0123456"

const clientAt = (origin: string, options: Partial<PolarClient.Options> = {}) =>
  PolarClient.make({ accessToken: Redacted.make(token), apiBaseUrl: origin, ...options }).pipe(
    Effect.provide(FetchHttpClient.layer)
  )

const setup = (options: Partial<PolarClient.Options> = {}) =>
  Effect.gen(function* () {
    const server = yield* ScriptedServer.make
    return { server, client: yield* clientAt(server.origin, options) }
  })

/** A client that knows no address but Polar's own two, which are led to two servers here. */
const environments = (options: Partial<PolarClient.Options> = {}) =>
  Effect.gen(function* () {
    const production = yield* ScriptedServer.make
    const sandbox = yield* ScriptedServer.make
    const lead = HttpClient.mapRequest((request) =>
      HttpClientRequest.setUrl(
        request,
        request.url
          .replace("https://api.polar.sh/", `${production.origin}/`)
          .replace("https://sandbox-api.polar.sh/", `${sandbox.origin}/`)
      )
    )
    const client = yield* PolarClient.make({
      accessToken: Redacted.make(token),
      transformClient: lead,
      ...options
    }).pipe(Effect.provide(FetchHttpClient.layer))
    return { production, sandbox, client }
  })

const checkout = { products: ["a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60"] } as const
const opened: ScriptedServer.Reply = {
  status: 201,
  body: { id: "k", url: "https://polar.sh/checkout/polar_c_x", expires_at: "2026-10-06T14:20:11Z", customer_id: null }
}
const customer = { id: "c", external_id: "u", email: "ada@acme-mail.dev" }

const everyText = (error: unknown): string =>
  [
    String(error),
    JSON.stringify(error),
    inspect(error, { depth: 20, showHidden: true }),
    Cause.pretty(Cause.fail(error)),
    error instanceof Error ? `${error.message}${error.stack}` : ""
  ].join("\n")

describe("errors", () => {
  const answers: ReadonlyArray<{
    readonly name: string
    readonly reply: ScriptedServer.Reply
    readonly expected: { readonly _tag: PolarError["_tag"] } & Readonly<Record<string, unknown>>
    readonly says: ReadonlyArray<string>
  }> = [
    {
      name: "a schema that is broken",
      reply: {
        status: 422,
        body: {
          error: "RequestValidationError",
          detail: [
            { type: "uuid_parsing", loc: ["body", "products", 0], msg: "Input should be a valid UUID", input: "x" },
            { type: "url", loc: ["query", "success_url"], msg: "Not\r\na URL", input: "x", ctx: {} }
          ]
        }
      },
      expected: {
        _tag: "PolarRejected",
        status: 422,
        code: "RequestValidationError",
        detail: null,
        issues: [
          { path: ["products", 0], message: "Input should be a valid UUID" },
          { path: ["success_url"], message: "Not a URL" }
        ]
      },
      says: [
        'Polar refused "create checkout" (422 RequestValidationError): products.0: Input should be a valid UUID; success_url: Not a URL.'
      ]
    },
    {
      name: "a rule that is broken",
      reply: ScriptedServer.ruleBroken({ loc: ["body", "products", 0], msg: "Product is archived." }),
      expected: { _tag: "PolarRejected", code: "PolarRequestValidationError" },
      says: ["products.0: Product is archived. "]
    },
    {
      name: "422 as the published schema has it, without a name, and odd entries",
      reply: { status: 422, body: { detail: [{ loc: "nowhere" }, "text", { msg: "No." }] } },
      expected: {
        _tag: "PolarRejected",
        code: null,
        issues: [
          { path: [], message: "is not accepted" },
          { path: [], message: "No." }
        ]
      },
      says: ["(422): "]
    },
    {
      name: "a Polar error",
      reply: { status: 400, body: { error: "BadRequest", detail: "Seats are needed" } },
      expected: { _tag: "PolarRejected", status: 400, code: "BadRequest", detail: "Seats are needed", issues: [] },
      says: ["(400 BadRequest): Seats are needed. "]
    },
    {
      name: "a payment",
      reply: { status: 402, body: { error: "PaymentFailed", detail: "Card declined." } },
      expected: { _tag: "PolarRejected", status: 402, code: "PaymentFailed" },
      says: []
    },
    {
      name: "a business rule with 403",
      reply: { status: 403, body: { error: "AlreadyActiveSubscriptionError", detail: "You already have one." } },
      expected: { _tag: "PolarRejected", status: 403, code: "AlreadyActiveSubscriptionError" },
      says: ["You already have one."]
    },
    {
      name: "a method",
      reply: { status: 405, body: { detail: "Method Not Allowed" } },
      expected: { _tag: "PolarRejected", status: 405, code: null, detail: "Method Not Allowed" },
      says: []
    },
    {
      name: "an unknown token",
      reply: ScriptedServer.invalidToken,
      expected: { _tag: "PolarUnauthorized", code: "invalid_token", otherEnvironment: false },
      says: ["sandbox: false", "sandbox: true", "401 invalid_token", "http://127.0.0.1"]
    },
    {
      name: "a token of another kind",
      reply: { status: 401, body: { error: "Unauthorized", detail: "Unauthorized" } },
      expected: { _tag: "PolarUnauthorized", code: "Unauthorized" },
      says: ["organization access token (polar_oat_…)"]
    },
    {
      name: "a scope",
      reply: ScriptedServer.insufficientScope("checkouts:write checkouts:read"),
      expected: {
        _tag: "PolarForbidden",
        code: "insufficient_scope",
        requiredScopes: ["checkouts:write", "checkouts:read"]
      },
      says: ["It lacks the scope checkouts:write or checkouts:read"]
    },
    {
      name: "a scope that nobody names",
      reply: { status: 403, body: { error: "insufficient_scope", error_description: "…" } },
      expected: { _tag: "PolarForbidden", requiredScopes: [] },
      says: ["It lacks a scope"]
    },
    {
      name: "an organization that is suspended",
      reply: { status: 403, body: { error: "NotPermitted", detail: "Not permitted" } },
      expected: { _tag: "PolarForbidden", code: "NotPermitted", requiredScopes: [] },
      says: ["suspended"]
    },
    {
      name: "an object that is missing",
      reply: ScriptedServer.notFound,
      expected: { _tag: "PolarNotFound", code: "ResourceNotFound" },
      says: ["(404 ResourceNotFound)"]
    },
    {
      name: "a conflict",
      reply: { status: 409, body: { error: "AmbiguousExternalCustomerID", detail: "Two customers." } },
      expected: { _tag: "PolarConflict", status: 409, code: "AmbiguousExternalCustomerID", detail: "Two customers." },
      says: ["Two customers."]
    },
    {
      name: "an object that is gone",
      reply: { status: 410, body: { error: "ExpiredCheckoutError", detail: "Expired" } },
      expected: { _tag: "PolarConflict", status: 410, code: "ExpiredCheckoutError" },
      says: ["(410 ExpiredCheckoutError): Expired."]
    },
    {
      name: "the rate limit, whose body is nothing",
      reply: { status: 429, headers: { "retry-after": "7" }, body: "" },
      expected: { _tag: "PolarRateLimited", limitedBy: "polar", retryAfterSeconds: 7 },
      says: ["Try again in 7 s."]
    },
    {
      name: "the rate limit, in JSON and without a time",
      reply: { status: 429, body: { error: "ManualRetryLimitExceeded", detail: "…" } },
      expected: { _tag: "PolarRateLimited", limitedBy: "polar", retryAfterSeconds: null },
      says: ["Try again later."]
    },
    {
      name: "a crash in plain text",
      reply: { status: 500, headers: { "content-type": "text/plain" }, body: "Internal Server Error" },
      expected: { _tag: "PolarUnavailable", status: 500, retryAfterSeconds: null, mayHaveActed: true },
      says: ["it answered 500", "Polar may have done it all the same"]
    },
    {
      name: "a gateway in HTML",
      reply: { status: 502, headers: { "content-type": "text/html" }, body: "<html>Bad gateway</html>" },
      expected: { _tag: "PolarUnavailable", status: 502 },
      says: ["it answered 502"]
    },
    {
      name: "a firewall in HTML",
      reply: { status: 403, headers: { "content-type": "text/html" }, body: "<html>Blocked</html>" },
      expected: { _tag: "PolarUnavailable", status: 403, mayHaveActed: false },
      says: ["something between this server and Polar"]
    },
    {
      name: "an error that never ends",
      reply: { status: 400, body: `{"error":"X","detail":"${"x".repeat(1_000_000)}"}`, fault: "stall" },
      expected: { _tag: "PolarUnavailable", status: 400 },
      says: []
    },
    {
      name: "success in HTML",
      reply: { status: 200, headers: { "content-type": "text/html" }, body: "<html>Sign in to the Wi-Fi</html>" },
      expected: { _tag: "PolarUnavailable", status: 200, mayHaveActed: true },
      says: ["is not JSON"]
    },
    {
      name: "success without a body",
      reply: { status: 204, headers: {}, body: "" },
      expected: { _tag: "PolarUnavailable", status: 204 },
      says: []
    },
    {
      name: "success that is something else",
      reply: { status: 201, body: { id: 5, url: "javascript:alert(1)", expires_at: "2026-10-06T14:20:11Z" } },
      expected: { _tag: "PolarUnexpectedAnswer", status: 201 },
      says: ['"id" is not what it should be']
    },
    {
      name: "a checkout that leads anywhere",
      reply: { status: 201, body: { id: "k", url: "javascript:alert(1)", expires_at: "2026-10-06T14:20:11Z" } },
      expected: { _tag: "PolarUnexpectedAnswer" },
      says: ['"url" is not what it should be']
    },
    {
      name: "a redirect",
      reply: { status: 304, headers: {}, body: "" },
      expected: { _tag: "PolarUnexpectedAnswer", status: 304 },
      says: ["redirects"]
    },
    {
      name: "an answer that is cut off",
      reply: { ...opened, fault: "cut" },
      expected: { _tag: "PolarUnavailable", status: 201, mayHaveActed: true },
      says: ["the answer broke off, "]
    },
    {
      name: "a connection that is cut off",
      reply: { fault: "reset" },
      expected: { _tag: "PolarUnavailable", status: null, mayHaveActed: true },
      says: ["there is no connection, "]
    }
  ]

  for (const { expected, name, reply, says } of answers) {
    it.scoped(`${name}: ${expected._tag}`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* setup()
        yield* server.script(reply)
        const error = yield* Effect.flip(client.createCheckout(checkout))
        for (const [key, value] of Object.entries({ operation: "create checkout", ...expected })) {
          assert.deepStrictEqual(Reflect.get(error, key), value, key)
        }
        for (const part of says) assert.include(error.message, part)
        assert.notMatch(error.message, /undefined|\[object|null/)
        assert.notInclude(everyText(error), token)
        assert.lengthOf(yield* server.received, 1)
      })
    )
  }

  it.scoped("nobody there: nothing can have happened", () =>
    Effect.gen(function* () {
      const { origin } = yield* Effect.scoped(ScriptedServer.make)
      const client = yield* clientAt(origin)
      const error = yield* Effect.flip(client.createCheckout(checkout))
      assert.strictEqual(error._tag, "PolarUnavailable")
      assert.include(error.message, "ECONNREFUSED")
      assert.notInclude(error.message, "all the same")
    })
  )

  it.scoped("hide the token even when the answer repeats it, and stay short", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script(
        { status: 400, body: { error: `E ${token}`, detail: `you sent ${token}` } },
        ScriptedServer.ruleBroken({ loc: ["body", token], msg: `no ${token}` }),
        { status: 400, body: { error: "Long", detail: "x".repeat(10_000) } },
        ScriptedServer.ruleBroken(...Array.from({ length: 500 }, (_, i) => ({ loc: ["body", i], msg: "No." })))
      )
      for (let call = 0; call < 4; call++) {
        const error = yield* Effect.flip(client.createCheckout(checkout))
        assert.notInclude(everyText(error), token)
        assert.isBelow(error.message.length, 1000)
      }
    })
  )

  it.scoped("hide a token that cannot be a header, which is never sent", () =>
    Effect.gen(function* () {
      const { origin, received } = yield* ScriptedServer.make
      const odd = ["polar_oat_a\nb", "polar_oat_é", "“polar_oat_x”", "", "  "]
      for (const accessToken of odd) {
        const client = yield* clientAt(origin, { accessToken: Redacted.make(accessToken) })
        const error = yield* Effect.flip(client.createCheckout(checkout))
        assert.strictEqual(error._tag, "PolarNotConfigured")
        if (accessToken.trim() !== "") assert.notInclude(everyText(error), accessToken)
      }
      for (const apiBaseUrl of ["api.polar.sh", "ftp://api.polar.sh", ""]) {
        const client = yield* clientAt(apiBaseUrl)
        const error = yield* Effect.flip(client.createCheckout(checkout))
        assert.include(error.message, "`apiBaseUrl` is not an http or https URL.")
      }
      assert.lengthOf(yield* received, 0)
    })
  )

  it.scoped("a body that cannot be JSON is not sent", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      const metadata = { toJSON: BigInt } as unknown as Record<string, string>
      const error = yield* Effect.flip(client.createCheckout({ ...checkout, metadata }))
      assert.strictEqual(error._tag, "PolarRejected")
      assert.lengthOf(yield* server.received, 0)
    })
  )
})

describe("retries", () => {
  const passing: ReadonlyArray<readonly [string, ScriptedServer.Reply]> = [
    ["500", { status: 500, body: "Internal Server Error" }],
    ["502", { status: 502, body: "<html>" }],
    ["503", { status: 503, body: "" }],
    ["504", { status: 504, body: "" }],
    ["429", { status: 429, body: "" }],
    ["a cut body", { body: customer, fault: "cut" }],
    ["a reset", { fault: "reset" }]
  ]

  for (const [name, reply] of passing) {
    it.scoped(`a read goes on after ${name}, with growing pauses, and gives up`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* setup()
        yield* server.script(reply, { body: customer })
        const patient = yield* Effect.fork(client.findCustomerByExternalId("u"))
        yield* passSleep(125, 375)
        assert.isTrue(Option.isSome(yield* Fiber.join(patient)))
        assert.lengthOf(yield* server.received, 2)

        yield* server.always(reply)
        const hopeless = yield* Effect.fork(Effect.flip(client.findCustomerByExternalId("u")))
        yield* passSleep(125, 375)
        yield* passSleep(250, 750)
        yield* passSleep(500, 1500)
        const error = yield* Fiber.join(hopeless)
        assert.strictEqual(error._tag, name === "429" ? "PolarRateLimited" : "PolarUnavailable")
        assert.notInclude(error.message, "all the same")
        assert.lengthOf(yield* server.received, 6)
      })
    )

    it.scoped(`what acts is done once, whatever happens: ${name}`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* setup()
        yield* server.always(reply)
        yield* Effect.flip(client.createCheckout(checkout))
        yield* Effect.flip(client.createCustomer({ email: "ada@acme-mail.dev", externalId: "u" }))
        yield* Effect.flip(client.createCustomerSession({ customerId: "c" }))
        assert.lengthOf(yield* server.received, 3)
      })
    )
  }

  it.scoped("Retry-After is waited for, in seconds", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script({ status: 429, headers: { "retry-after": "9" } }, { body: customer })
      const fiber = yield* Effect.fork(client.findCustomerByExternalId("u"))
      yield* passSleep(9000, 9250)
      assert.isTrue(Option.isSome(yield* Fiber.join(fiber)))
    })
  )

  it.scoped("Retry-After is waited for, as a date", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* TestClock.setTime(Date.UTC(2026, 9, 5, 14, 0, 0))
      yield* server.script(
        { status: 503, headers: { "retry-after": "Mon, 05 Oct 2026 14:00:04 GMT" } },
        { status: 503, headers: { "retry-after": "Mon, 05 Oct 2026 13:00:00 GMT" } },
        { status: 503, headers: { "retry-after": "soon" } },
        { body: customer }
      )
      const fiber = yield* Effect.fork(client.findCustomerByExternalId("u"))
      yield* passSleep(4000, 4250)
      yield* passSleep(0, 250)
      yield* passSleep(500, 1500)
      assert.isTrue(Option.isSome(yield* Fiber.join(fiber)))
    })
  )

  it.scoped("Retry-After that is too long is the caller's to wait for", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script(
        { status: 429, headers: { "retry-after": "11" } },
        { status: 503, headers: { "retry-after": "3600" } }
      )
      const limited = yield* Effect.flip(client.findCustomerByExternalId("u"))
      assert.strictEqual(limited._tag === "PolarRateLimited" && limited.retryAfterSeconds, 11)
      const unavailable = yield* Effect.flip(client.findCustomerByExternalId("u"))
      assert.strictEqual(unavailable._tag === "PolarUnavailable" && unavailable.retryAfterSeconds, 3600)
      assert.lengthOf(yield* server.received, 2)
    })
  )

  it.scoped("all tries together take little more than a minute, however many are allowed", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup({ maxRetries: 1000 })
      yield* server.always({ status: 429, headers: { "retry-after": "10" } })
      const fiber = yield* Effect.fork(Effect.flip(client.findCustomerByExternalId("u")))
      for (let tries = 1; tries <= 6; tries++) yield* passSleep(10_000, 10_250)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "PolarRateLimited")
      assert.lengthOf(yield* server.received, 7)
    })
  )

  it.scoped("what Polar refuses is not asked again", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script({ status: 422, body: {} }, { status: 403, body: "<html>" }, { body: "[]" })
      for (let call = 0; call < 3; call++) yield* Effect.flip(client.findCustomerByExternalId("u"))
      assert.lengthOf(yield* server.received, 3)
    })
  )

  it.scoped("maxRetries: 0", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup({ maxRetries: 0 })
      yield* server.always({ status: 503 })
      yield* Effect.flip(client.findCustomerByExternalId("u"))
      assert.lengthOf(yield* server.received, 1)
    })
  )
})

describe("time", () => {
  for (const fault of ["never", "stall"] as const) {
    it.scoped(`an attempt ends after 15 seconds, also in the middle of an answer: ${fault}`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* setup()
        yield* server.always({ ...opened, fault })
        const fiber = yield* Effect.fork(Effect.flip(client.createCheckout(checkout)))
        yield* server.next
        yield* passSleep(15_000, 15_000)
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(error._tag, "PolarTimeout")
        assert.include(error.message, 'did not answer "create checkout" within 15 s')
        assert.include(error.message, "all the same")
        yield* server.abandoned
        assert.lengthOf(yield* server.received, 1)
      })
    )
  }

  it.scoped("a read that times out is tried again", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup({ timeout: "2 seconds" })
      yield* server.script({ fault: "never" }, { body: customer })
      const fiber = yield* Effect.fork(client.findCustomerByExternalId("u"))
      yield* server.next
      yield* passSleep(2000, 2000)
      yield* passSleep(125, 375)
      assert.isTrue(Option.isSome(yield* Fiber.join(fiber)))
    })
  )

  it.scopedLive("by the real clock, and a caller that goes away stops it", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup({ timeout: "100 millis" })
      yield* server.always({ fault: "never" })
      const error = yield* Effect.flip(client.createCheckout(checkout))
      assert.strictEqual(error._tag, "PolarTimeout")
      yield* server.abandoned
      const fiber = yield* Effect.fork(client.findCustomerByExternalId("u"))
      yield* server.next
      yield* server.next
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      yield* server.abandoned
    })
  )

  it.scoped("no more than the limit start in any minute, and who would wait too long is told", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup({ requestsPerMinute: 2 })
      yield* server.always(opened)
      yield* client.createCheckout(checkout)
      yield* TestClock.adjust("50 seconds")
      yield* client.createCheckout(checkout)

      yield* TestClock.adjust("1 seconds")
      const waiting = yield* Effect.fork(client.createCheckout(checkout))
      yield* passSleep(9000, 9000)
      yield* Fiber.join(waiting)

      // Of the last minute's two, the older one started 10 seconds ago.
      const error = yield* Effect.flip(client.createCheckout(checkout))
      assert.deepStrictEqual<unknown>(error._tag === "PolarRateLimited" && [error.limitedBy, error.retryAfterSeconds], [
        "client",
        50
      ])
      assert.lengthOf(yield* server.received, 3)

      yield* TestClock.adjust("50 seconds")
      yield* client.createCheckout(checkout)
      assert.lengthOf(yield* server.received, 4)
    })
  )

  it.effect("the sandbox has 100 a minute, production 500, unless told otherwise", () =>
    Effect.gen(function* () {
      let sent = 0
      const transformClient = () =>
        HttpClient.make((request) =>
          Effect.sync(() => {
            sent += 1
            return HttpClientResponse.fromWeb(request, new Response(JSON.stringify(opened.body), { status: 201 }))
          })
        )
      for (const [options, limit] of [
        [{ sandbox: true }, 100],
        [{}, 500],
        [{ requestsPerMinute: 0 }, 1]
      ] as const) {
        sent = 0
        const client = yield* clientAt("http://polar.invalid", { ...options, transformClient })
        yield* Effect.replicateEffect(client.createCheckout(checkout), limit, { discard: true })
        const error = yield* Effect.flip(client.createCheckout(checkout))
        assert.strictEqual(error._tag === "PolarRateLimited" && error.limitedBy, "client")
        assert.strictEqual(sent, limit)
      }
      const free = yield* clientAt("http://polar.invalid", { requestsPerMinute: Infinity, transformClient })
      yield* Effect.replicateEffect(free.createCheckout(checkout), 600, { discard: true })
    })
  )
})

describe("the API version", () => {
  const versioned = (request: ScriptedServer.Received): ScriptedServer.Reply =>
    request.headers["polar-version"] !== undefined
      ? ScriptedServer.versionGone
      : request.method === "GET"
        ? { body: customer }
        : opened

  const warnings = (into: Array<string>) =>
    Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ logLevel, message }) => void into.push(`${logLevel.label} ${String(message)}`))
    )

  it.scoped("that is gone is left out from then on, with one warning", () => {
    const log: Array<string> = []
    return Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.always(versioned)
      yield* Effect.all([client.createCheckout(checkout), client.findCustomerByExternalId("u")], { concurrency: 2 })
      yield* client.createCheckout(checkout)
      assert.deepStrictEqual<unknown>(
        (yield* server.received).map(({ headers }) => headers["polar-version"] ?? "none").sort(),
        ["2026-10", "2026-10", "none", "none", "none"]
      )
      assert.lengthOf(log, 1)
      assert.include(log[0], "WARN Polar no longer has API version 2026-10.")
    }).pipe(Effect.provide(warnings(log)))
  })

  it.scoped("is not blamed when the object is missing", () => {
    const log: Array<string> = []
    return Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.always(ScriptedServer.notFound)
      yield* client.findCustomerByExternalId("u")
      yield* client.findCustomerByExternalId("u")
      assert.deepStrictEqual<unknown>(
        (yield* server.received).map(({ headers }) => headers["polar-version"]),
        ["2026-10", "2026-10"]
      )
      assert.lengthOf(log, 0)
    }).pipe(Effect.provide(warnings(log)))
  })

  it.scoped("is not forgotten when the address is what is wrong", () => {
    const log: Array<string> = []
    return Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.always(ScriptedServer.versionGone)
      const error = yield* Effect.flip(client.findCustomerByExternalId("u"))
      assert.strictEqual(error._tag, "PolarUnexpectedAnswer")
      yield* Effect.flip(client.createCheckout(checkout))
      assert.deepStrictEqual<unknown>(
        (yield* server.received).map(({ headers }) => headers["polar-version"] ?? "none"),
        ["2026-10", "none", "2026-10", "none"]
      )
      assert.lengthOf(log, 0)
    }).pipe(Effect.provide(warnings(log)))
  })
})

describe("a token of the other environment", () => {
  it.scoped("is recognised: production's token in the sandbox", () =>
    Effect.gen(function* () {
      const { client, production, sandbox } = yield* environments({ sandbox: true })
      yield* sandbox.always(ScriptedServer.invalidToken)
      yield* production.always({ body: { items: [], pagination: { total_count: 0, max_page: 0 } } })
      const errors = yield* Effect.replicateEffect(Effect.flip(client.createCheckout(checkout)), 5, {
        concurrency: 5
      })
      for (const error of errors) {
        assert.strictEqual(error._tag === "PolarUnauthorized" && error.otherEnvironment, true)
        assert.include(error.message, "set `sandbox: false`, or configure a token from sandbox.polar.sh")
        assert.notInclude(everyText(error), token)
      }
      const probes = yield* production.received
      assert.lengthOf(probes, 1)
      assert.deepStrictEqual<unknown>(
        probes.map(({ body, headers, method, path, query }) => [
          method,
          path,
          query,
          body,
          headers.authorization,
          headers["polar-version"]
        ]),
        [["GET", "/v1/products/", [["limit", "1"]], "", `Bearer ${token}`, undefined]]
      )
      assert.lengthOf(yield* sandbox.received, 5)
    })
  )

  it.scoped("is recognised by the scope that it lacks there: the sandbox's token in production", () =>
    Effect.gen(function* () {
      const { client, production, sandbox } = yield* environments()
      yield* production.always(ScriptedServer.invalidToken)
      yield* sandbox.always(ScriptedServer.insufficientScope("products:read"))
      const error = yield* Effect.flip(client.findCustomerByExternalId("u"))
      assert.strictEqual(error._tag === "PolarUnauthorized" && error.otherEnvironment, true)
      assert.include(error.message, "set `sandbox: true`, or configure a token from polar.sh")
      assert.lengthOf(yield* production.received, 1)
    })
  )

  const inconclusive: ReadonlyArray<ScriptedServer.Reply> = [
    ScriptedServer.invalidToken,
    { status: 429 },
    { status: 500 },
    { status: 403, body: "<html>" },
    ScriptedServer.versionGone,
    { fault: "reset" }
  ]
  for (const reply of inconclusive) {
    it.scoped(`is not claimed without proof: ${reply.status ?? reply.fault}`, () =>
      Effect.gen(function* () {
        const { client, production, sandbox } = yield* environments()
        yield* production.always(ScriptedServer.invalidToken)
        yield* sandbox.always(reply)
        const error = yield* Effect.flip(client.createCheckout(checkout))
        assert.strictEqual(error._tag === "PolarUnauthorized" && error.otherEnvironment, false)
        assert.include(error.message, "sent to production")
        yield* Effect.flip(client.createCheckout(checkout))
        assert.lengthOf(yield* sandbox.received, 1)
      })
    )
  }

  it.scoped("is not waited for longer than 3 seconds", () =>
    Effect.gen(function* () {
      const { client, production, sandbox } = yield* environments()
      yield* production.always(ScriptedServer.invalidToken)
      yield* sandbox.always({ fault: "never" })
      const fiber = yield* Effect.fork(Effect.flip(client.createCheckout(checkout)))
      yield* sandbox.next
      yield* passSleep(3000, 3000)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "PolarUnauthorized")
    })
  )

  it.scoped("is asked about once, also when the one who asked goes away", () =>
    Effect.gen(function* () {
      const { client, production, sandbox } = yield* environments()
      yield* production.always(ScriptedServer.invalidToken)
      yield* sandbox.always({ fault: "never" })
      const fiber = yield* Effect.fork(Effect.flip(client.createCheckout(checkout)))
      yield* sandbox.next
      yield* Fiber.interrupt(fiber)
      yield* Effect.flip(client.createCheckout(checkout))
      assert.lengthOf(yield* sandbox.received, 1)
    })
  )

  it.scoped("is not looked for when it is switched off, or for another error", () =>
    Effect.gen(function* () {
      const off = yield* environments({ detectOtherEnvironment: false })
      yield* off.production.always(ScriptedServer.invalidToken)
      yield* Effect.flip(off.client.createCheckout(checkout))
      assert.lengthOf(yield* off.sandbox.received, 0)

      const other = yield* environments()
      yield* other.production.script(
        { status: 401, body: { error: "Unauthorized", detail: "Unauthorized" } },
        ScriptedServer.insufficientScope("checkouts:write")
      )
      yield* Effect.flip(other.client.createCheckout(checkout))
      yield* Effect.flip(other.client.createCheckout(checkout))
      assert.lengthOf(yield* other.sandbox.received, 0)
    })
  )

  it.scoped("never leaves for Polar when the address is another one", () =>
    Effect.gen(function* () {
      const server = yield* ScriptedServer.make
      yield* server.always(ScriptedServer.invalidToken)
      const { client, production, sandbox } = yield* environments({ apiBaseUrl: server.origin })
      yield* Effect.flip(client.createCheckout(checkout))
      assert.lengthOf(yield* server.received, 1)
      assert.lengthOf(yield* production.received, 0)
      assert.lengthOf(yield* sandbox.received, 0)
    })
  )
})

describe("what is written down", () => {
  it.scoped("no span and no log holds the token, an e-mail address or a user's id", () => {
    const spans: Array<Tracer.Span> = []
    const log: Array<string> = []
    const tracer = Tracer.make({
      span: (name, parent, context, links, startTime, kind) => {
        const attributes = new Map<string, unknown>()
        const events: Array<unknown> = []
        let status: Tracer.SpanStatus = { _tag: "Started", startTime }
        const span: Tracer.Span = {
          _tag: "Span",
          spanId: `${spans.length}`,
          traceId: "trace",
          name,
          parent,
          context,
          links,
          kind,
          sampled: true,
          attributes,
          get status() {
            return status
          },
          end: (endTime, exit) => {
            status = { _tag: "Ended", startTime, endTime, exit }
          },
          attribute: (key, value) => void attributes.set(key, value),
          event: (...event) => void events.push(event),
          addLinks: () => {}
        }
        spans.push(span)
        return span
      },
      context: (run) => run()
    })
    const record = Logger.make((entry) => {
      const annotations = HashMap.toEntries(entry.annotations)
      const logSpans = List.toArray(entry.spans)
      log.push(inspect([entry.message, annotations, logSpans, Cause.pretty(entry.cause)], { depth: 20 }))
    })
    return Effect.gen(function* () {
      const { client, server } = yield* setup()
      const input = { email: "ada@acme-mail.dev", name: "Ada Martin", externalId: "usr_1042" }
      yield* server.script(
        ScriptedServer.versionGone,
        ScriptedServer.ruleBroken(ScriptedServer.emailTaken),
        ScriptedServer.notFound,
        ScriptedServer.invalidToken,
        { fault: "reset" }
      )
      yield* Effect.flip(client.createOrGetCustomer(input))
      yield* client.createCheckout(checkout).pipe(
        Effect.tapErrorCause((cause) => Effect.logError("failed", cause)),
        Effect.flip
      )
      yield* client.createCheckout(checkout).pipe(
        Effect.tapErrorCause((cause) => Effect.logError("failed", cause)),
        Effect.flip
      )
      const written = [
        ...log,
        ...spans.map(({ attributes, name, status }) => inspect([name, attributes, status], { depth: 20 }))
      ].join("\n")
      for (const secret of [token, "ada@acme-mail.dev", "Ada Martin"]) assert.notInclude(written, secret)
      const attributes = spans.map((span) => inspect([span.name, span.attributes])).join("\n")
      assert.notInclude(attributes, "usr_1042")
      assert.includeMembers(
        spans.map(({ name }) => name),
        [
          "PolarClient.createOrGetCustomer",
          "PolarClient.createCustomer",
          "PolarClient.findCustomerByExternalId",
          "PolarClient.createCheckout",
          "POST /v1/customers/",
          "GET /v1/customers/external/{external_id}",
          "POST /v1/checkouts/"
        ]
      )
      assert.lengthOf(log, 3)
    }).pipe(Effect.withTracer(tracer), Effect.provide(Logger.replace(Logger.defaultLogger, record)))
  })
})
