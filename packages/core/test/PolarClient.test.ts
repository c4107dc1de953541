import { readFileSync } from "node:fs"
import { FetchHttpClient, HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { SubscriptionId } from "@kavach-polar/core/Subscription"
import { Chunk, Config, ConfigProvider, Effect, Layer, Option, Redacted, Stream, TestClock } from "effect"
import { subscriptionKind } from "../src/records/subscriptionKind.ts"
import * as ScriptedServer from "./ScriptedServer.ts"

const token = "polar_oat_InventedInventedInventedInvented0123456"

const fixture = (name: string): { readonly data: Record<string, unknown> } =>
  JSON.parse(readFileSync(new URL(`../../../test/fixtures/polar-webhooks/${name}.json`, import.meta.url), "utf8"))

const checkout = fixture("checkout.created").data
const customer = fixture("customer.created").data
const state = fixture("customer.state_changed").data
const subscription = fixture("subscription.created").data

const clientAt = (origin: string, options: Partial<PolarClient.Options> = {}) =>
  PolarClient.make({ accessToken: Redacted.make(token), apiBaseUrl: origin, ...options }).pipe(
    Effect.provide(FetchHttpClient.layer)
  )

const setup = (options: Partial<PolarClient.Options> = {}) =>
  Effect.gen(function* () {
    const server = yield* ScriptedServer.make
    return { server, client: yield* clientAt(server.origin, options) }
  })

const sent = (request: ScriptedServer.Received) => ({
  method: request.method,
  path: request.path,
  query: request.query,
  body: request.body === "" ? undefined : JSON.parse(request.body)
})

const collect = <A, E>(stream: Stream.Stream<A, E>) => Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

const page = (items: ReadonlyArray<unknown>, maxPage: number, total = items.length): ScriptedServer.Reply => ({
  body: { items, pagination: { total_count: total, max_page: maxPage } }
})

const numbered = (...ids: ReadonlyArray<number>) => ids.map((id) => ({ ...subscription, id: `subscription-${id}` }))

describe("what is sent", () => {
  it.scoped("a checkout: exact path, headers, length and body", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup({ organizationId: "an-organization" })
      yield* server.script({ status: 201, body: checkout })
      const session = yield* client.createCheckout({ products: ["p1"], metadata: { kavach_user_id: "usr_1" } })

      const [request, ...others] = yield* server.received
      assert.isDefined(request)
      assert.lengthOf(others, 0)
      assert.deepStrictEqual<unknown>(sent(request), {
        method: "POST",
        path: "/v1/checkouts/",
        query: [],
        body: { products: ["p1"], metadata: { kavach_user_id: "usr_1" } }
      })
      assert.strictEqual(request.headers.authorization, `Bearer ${token}`)
      assert.strictEqual(request.headers["polar-version"], "2026-10")
      assert.strictEqual(request.headers["content-type"], "application/json")
      assert.strictEqual(request.headers.accept, "application/json")
      assert.strictEqual(request.headers["content-length"], `${Buffer.byteLength(request.body)}`)
      assert.isUndefined(request.headers["transfer-encoding"])
      assert.isUndefined(request.headers["traceparent"])
      assert.isUndefined(request.headers["b3"])

      assert.strictEqual(session.id, checkout["id"])
      assert.strictEqual(session.url, checkout["url"])
      assert.strictEqual(
        session.expiresAt.toISOString(),
        String(checkout["expires_at"]).replace(/(\.\d{3})\d*Z/, "$1Z")
      )
      assert.deepStrictEqual<unknown>(Object.keys(session).sort(), ["customerId", "expiresAt", "id", "url"])
    })
  )

  it.scoped("a checkout with everything that can be said of it", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script({ status: 201, body: { ...checkout, customer_id: "a-customer" } })
      const session = yield* client.createCheckout({
        products: ["p1", "p2"],
        customerId: "c",
        externalCustomerId: "u",
        customerEmail: "ada@acme-mail.dev",
        customerName: "Zoë",
        successUrl: "https://app/ok?id={CHECKOUT_ID}",
        returnUrl: "https://app/back",
        embedOrigin: "https://app",
        metadata: { a: 1 },
        customerMetadata: { b: true },
        discountId: "d",
        allowDiscountCodes: false,
        locale: "fr",
        seats: 3,
        units: 4,
        allowTrial: false
      })
      const request = yield* server.next
      assert.deepStrictEqual<unknown>(JSON.parse(request.body), {
        products: ["p1", "p2"],
        customer_id: "c",
        external_customer_id: "u",
        customer_email: "ada@acme-mail.dev",
        customer_name: "Zoë",
        success_url: "https://app/ok?id={CHECKOUT_ID}",
        return_url: "https://app/back",
        embed_origin: "https://app",
        metadata: { a: 1 },
        customer_metadata: { b: true },
        discount_id: "d",
        allow_discount_codes: false,
        locale: "fr",
        seats: 3,
        units: 4,
        allow_trial: false
      })
      assert.strictEqual(request.headers["content-length"], `${Buffer.byteLength(request.body)}`)
      assert.strictEqual(session.customerId, "a-customer")
    })
  )

  it.scoped("a customer", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup({ organizationId: "an-organization" })
      yield* server.script({ status: 201, body: customer })
      const created = yield* client.createCustomer({
        email: "ada@acme-mail.dev",
        name: "Ada",
        externalId: "usr_1",
        metadata: { a: "b" }
      })
      assert.deepStrictEqual<unknown>(sent(yield* server.next), {
        method: "POST",
        path: "/v1/customers/",
        query: [],
        body: { email: "ada@acme-mail.dev", name: "Ada", external_id: "usr_1", metadata: { a: "b" } }
      })
      assert.strictEqual(created.id, customer["id"])
    })
  )

  it.scoped("an external id that Polar would trim is not sent", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      for (const externalId of [" u", "u\n", "u\u0085", ""]) {
        const error = yield* Effect.flip(client.createCustomer({ email: "a@b.dev", externalId }))
        assert.strictEqual(error._tag, "PolarRejected")
        assert.include(error.message, '"create customer" was not sent to Polar: external_id: ')
      }
      assert.lengthOf(yield* server.received, 0)
    })
  )

  it.scoped("customer sessions, by either id", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.always({
        status: 201,
        body: {
          token: "polar_cst_invented",
          customer_portal_url: "https://polar.sh/acme/portal?customer_session_token=polar_cst_invented",
          expires_at: "2026-10-05T15:22:08.412345Z",
          customer
        }
      })
      const session = yield* client.createCustomerSession({ customerId: "c1" })
      yield* client.createCustomerSession({ externalCustomerId: "usr_1" }, "https://app/billing")
      assert.deepStrictEqual<unknown>((yield* server.received).map(sent), [
        { method: "POST", path: "/v1/customer-sessions/", query: [], body: { customer_id: "c1" } },
        {
          method: "POST",
          path: "/v1/customer-sessions/",
          query: [],
          body: { external_customer_id: "usr_1", return_url: "https://app/billing" }
        }
      ])
      assert.strictEqual(Redacted.value(session.token), "polar_cst_invented")
      assert.strictEqual(session.expiresAt.toISOString(), "2026-10-05T15:22:08.412Z")
      assert.strictEqual(
        session.customerPortalUrl,
        "https://polar.sh/acme/portal?customer_session_token=polar_cst_invented"
      )
    })
  )

  it.scoped("never a path that Polar would redirect", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      const collections = new Set(["/v1/checkouts", "/v1/customers", "/v1/customer-sessions", "/v1/subscriptions"])
      yield* server.always(({ path }) =>
        collections.has(path.replace(/\/$/, "")) === path.endsWith("/")
          ? { status: 418, body: { error: "Teapot", detail: "the path is right" } }
          : { status: 307, headers: { location: path.endsWith("/") ? path.slice(0, -1) : `${path}/` } }
      )
      const errors = yield* Effect.all([
        Effect.flip(client.createCheckout({ products: ["p"] })),
        Effect.flip(client.createCustomer({ email: "a@b.dev", externalId: "u" })),
        Effect.flip(client.findCustomerByExternalId("u")),
        Effect.flip(client.findCustomerByExternalId("u/v")),
        Effect.flip(client.getCustomerState("u")),
        Effect.flip(Stream.runDrain(client.listSubscriptions({}))),
        Effect.flip(client.createCustomerSession({ customerId: "c" }))
      ])
      for (const error of errors) assert.include(error.message, "the path is right")
      assert.lengthOf(yield* server.received, errors.length)
    })
  )

  it.scoped("through layer, layerConfig and transformClient, to the address without its last slash", () =>
    Effect.gen(function* () {
      const server = yield* ScriptedServer.make
      yield* server.always({ status: 201, body: checkout })
      const program = Effect.flatMap(PolarClient.PolarClient, (client) => client.createCheckout({ products: ["p"] }))
      const transformClient = HttpClient.mapRequest((request) => ({ ...request, method: request.method }))
      const layer = PolarClient.layer({
        accessToken: Redacted.make(` ${token}\n`),
        apiBaseUrl: `${server.origin}/`,
        transformClient
      })
      yield* Effect.provide(program, layer.pipe(Layer.provide(FetchHttpClient.layer)))

      const configured = PolarClient.layerConfig({
        accessToken: Config.redacted("POLAR_ACCESS_TOKEN"),
        apiBaseUrl: Config.string("POLAR_API"),
        apiVersion: Config.succeed("2027-01")
      })
      const variables = ConfigProvider.fromMap(
        new Map([
          ["POLAR_ACCESS_TOKEN", token],
          ["POLAR_API", server.origin]
        ])
      )
      yield* program.pipe(
        Effect.provide(configured.pipe(Layer.provide(FetchHttpClient.layer))),
        Effect.withConfigProvider(variables)
      )
      const requests = yield* server.received
      assert.deepStrictEqual<unknown>(
        requests.map(({ headers, path }) => [path, headers.authorization, headers["polar-version"]]),
        [
          ["/v1/checkouts/", `Bearer ${token}`, "2026-10"],
          ["/v1/checkouts/", `Bearer ${token}`, "2027-01"]
        ]
      )
    })
  )
})

describe("customers", () => {
  it.scoped("are found by an external id of any characters", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      const externalId = "a|b c@d?e#f%g+é&\\'.."
      yield* server.script({ body: { ...customer, external_id: externalId } })
      const found = yield* client.findCustomerByExternalId(externalId)
      const request = yield* server.next
      assert.strictEqual(request.method, "GET")
      assert.strictEqual(request.path, "/v1/customers/external/a%7Cb%20c%40d%3Fe%23f%25g%2B%C3%A9%26%5C'..")
      assert.strictEqual(request.headers["polar-version"], "2026-10")
      assert.isUndefined(request.headers["content-type"])
      assert.strictEqual(Option.getOrThrow(found).external_id, externalId)
    })
  )

  it.scoped("that no path can hold are found in the list", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup({ organizationId: "org" })
      const customers = (...ids: ReadonlyArray<string>) => ids.map((id) => ({ ...customer, id, external_id: id }))
      yield* server.script(
        page(customers("a/bc", "A/b"), 2),
        page(customers("A/b", "a/b"), 2),
        page(customers("..x"), 1),
        page(customers(), 0)
      )
      const found = yield* client.findCustomerByExternalId("a/b")
      assert.strictEqual(Option.getOrThrow(found).id, "a/b")
      assert.isTrue(Option.isNone(yield* client.findCustomerByExternalId("..")))
      assert.isTrue(Option.isNone(yield* client.findCustomerByExternalId("a\\b/c")))
      assert.isTrue(Option.isNone(yield* client.findCustomerByExternalId("")))
      const query = (text: string, number: string) => [
        ["organization_id", "org"],
        ["query", text],
        ["sorting", "created_at"],
        ["limit", "100"],
        ["page", number]
      ]
      assert.deepStrictEqual<unknown>(
        (yield* server.received).map(({ path, query }) => ({ path, query })),
        [
          { path: "/v1/customers/", query: query("a/b", "1") },
          { path: "/v1/customers/", query: query("a/b", "2") },
          { path: "/v1/customers/", query: query("..", "1") },
          { path: "/v1/customers/", query: query("a", "1") }
        ]
      )
    })
  )

  it.scoped("that are missing are None, and so is somebody else", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script(ScriptedServer.notFound, { body: { ...customer, external_id: "U" } })
      assert.isTrue(Option.isNone(yield* client.findCustomerByExternalId("u")))
      assert.isTrue(Option.isNone(yield* client.findCustomerByExternalId("u")))
      assert.lengthOf(yield* server.received, 2)
    })
  )

  it.scoped("an address that does not exist is no missing customer", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.always({ status: 404, body: { detail: "Not Found" } })
      const error = yield* Effect.flip(client.findCustomerByExternalId("u"))
      assert.strictEqual(error._tag, "PolarUnexpectedAnswer")
      assert.include(error.message, "check `apiBaseUrl`")
      // Polar has named the version that it answers with: it is not the pin that is wrong.
      assert.lengthOf(yield* server.received, 1)
    })
  )

  it.scoped("have a state", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script({ body: state }, ScriptedServer.notFound)
      const found = Option.getOrThrow(yield* client.getCustomerState("usr_1042"))
      assert.strictEqual((yield* server.next).path, "/v1/customers/external/usr_1042/state")
      assert.strictEqual(found.customer.external_id, "usr_1042")
      assert.deepStrictEqual<unknown>(found.activeSubscriptions, [
        {
          id: "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67",
          status: "active",
          productId: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60",
          currentPeriodStart: new Date("2026-10-05T14:22:08.412Z"),
          currentPeriodEnd: new Date("2026-11-05T14:22:08.412Z"),
          trialEnd: null,
          cancelAtPeriodEnd: false,
          canceledAt: null,
          startedAt: new Date("2026-10-05T14:22:08.412Z"),
          endsAt: null,
          amount: 1900,
          currency: "usd",
          recurringInterval: "month",
          seats: null,
          units: null
        }
      ])
      assert.deepStrictEqual<unknown>(
        found.grantedBenefits.map(({ benefitId, benefitType }) => [benefitId, benefitType]),
        [["7a8b9c0d-f241-4a6f-9e8d-9b0c1d2e3f71", "feature_flag"]]
      )
      assert.isTrue(Option.isNone(yield* client.getCustomerState("usr_1042")))
    })
  )

  it.scoped("have a state also when no path can hold their external id", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script(page([{ ...customer, id: "c/1", external_id: "a/b" }], 1), {
        body: { ...state, external_id: "a/b" }
      })
      assert.isTrue(Option.isSome(yield* client.getCustomerState("a/b")))
      yield* server.next
      assert.strictEqual((yield* server.next).path, "/v1/customers/c%2F1/state")
    })
  )
})

describe("subscriptions", () => {
  it.scoped("are listed page by page, lazily, each once", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup({ organizationId: "org" })
      yield* server.script(page(numbered(1, 2), 3), page(numbered(2, 3), 3), page(numbered(3, 4), 3))
      const all = yield* collect(client.listSubscriptions({}))
      assert.deepStrictEqual<unknown>(
        all.map(({ id }) => id),
        ["subscription-1", "subscription-2", "subscription-3", "subscription-4"]
      )
      const query = (number: string) => [
        ["organization_id", "org"],
        ["sorting", "started_at"],
        ["limit", "100"],
        ["page", number]
      ]
      assert.deepStrictEqual<unknown>((yield* server.received).map(sent), [
        { method: "GET", path: "/v1/subscriptions/", query: query("1"), body: undefined },
        { method: "GET", path: "/v1/subscriptions/", query: query("2"), body: undefined },
        { method: "GET", path: "/v1/subscriptions/", query: query("3"), body: undefined }
      ])

      yield* server.script(page(numbered(1, 2), 3))
      yield* collect(Stream.take(client.listSubscriptions({}), 2))
      assert.lengthOf(yield* server.received, 4)
    })
  )

  it.scoped("stop where the pages stop, also when they shrink while they are read", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script(page([], 0), page(numbered(1), 2), page([], 0))
      assert.lengthOf(yield* collect(client.listSubscriptions({})), 0)
      assert.lengthOf(yield* collect(client.listSubscriptions({})), 1)
      assert.lengthOf(yield* server.received, 3)
    })
  )

  it.scoped("are filtered by Polar", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.always(page([], 0))
      yield* Stream.runDrain(
        client.listSubscriptions({ customerId: "c", externalCustomerId: "u/ü", productId: "p", active: true })
      )
      yield* Stream.runDrain(client.listSubscriptions({ active: false }))
      assert.deepStrictEqual<unknown>(
        (yield* server.received).map(({ query }) => query),
        [
          [
            ["product_id", "p"],
            ["customer_id", "c"],
            ["external_customer_id", "u/ü"],
            ["status", "active"],
            ["status", "trialing"],
            ["sorting", "started_at"],
            ["limit", "100"],
            ["page", "1"]
          ],
          [
            ["status", "canceled"],
            ["status", "unpaid"],
            ["sorting", "started_at"],
            ["limit", "100"],
            ["page", "1"]
          ]
        ]
      )
    })
  )

  it.scoped("keep what was read before a page fails", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script(page(numbered(1), 2), ScriptedServer.insufficientScope("subscriptions:read"))
      const seen: Array<string> = []
      const error = yield* Effect.flip(
        Stream.runForEach(client.listSubscriptions({}), ({ id }) => Effect.sync(() => seen.push(id)))
      )
      assert.deepStrictEqual<unknown>(seen, ["subscription-1"])
      assert.strictEqual(error._tag, "PolarForbidden")
    })
  )

  it.scoped("are what the domain knows of them", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script(page([subscription], 1))
      const [only] = yield* collect(client.listSubscriptions({}))
      assert.isDefined(only)
      assert.strictEqual(only.status, subscription["status"])
      assert.strictEqual(only.customer.externalId, "usr_1042")
      assert.strictEqual(only.currentPeriodEnd?.toISOString(), "2026-11-05T14:22:08.412Z")
    })
  )

  it.scoped("that lack an id are refused, and the error says where without quoting them", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      const { customer_id: _, ...rest } = subscription
      yield* server.script(page([subscription, { ...rest, metadata: { secret: "of a user" } }], 1))
      const error = yield* Effect.flip(Stream.runDrain(client.listSubscriptions({})))
      assert.strictEqual(error._tag, "PolarUnexpectedAnswer")
      assert.include(error.message, '"items.1.customer_id" is missing')
      assert.notInclude(error.message, "of a user")
    })
  )
})

describe("what reconciliation asks", () => {
  const changed = { ...subscription, modified_at: "2026-10-12T09:14:59.998112Z", metadata: { kavach_user_id: "usr_7" } }

  it.effect("a page of subscriptions comes with where it stands in history", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup({ organizationId: "an-organization" })
      yield* TestClock.setTime(1_790_000_000_123)
      yield* server.script(page([changed, { ...subscription, modified_at: null }], 3))
      const { isLast, snapshots } = yield* client.recordPage(subscriptionKind, { metadataUserId: "usr_7" }, 2)
      assert.deepStrictEqual<unknown>(sent(yield* server.next).query, [
        ["organization_id", "an-organization"],
        ["metadata[kavach_user_id]", "usr_7"],
        ["sorting", "started_at"],
        ["limit", "100"],
        ["page", "2"]
      ])
      assert.isFalse(isLast)
      assert.deepStrictEqual<unknown>(
        snapshots.map(({ fetchedAt, report: { changedAt, metadataUserId } }) => [changedAt, fetchedAt, metadataUserId]),
        [
          // To the microsecond, because order is decided on it.
          [Date.parse("2026-10-12T09:14:59Z") * 1000 + 998_112, 1_790_000_000_123_000, "usr_7"],
          // One that was never changed is as old as it is.
          [Date.parse("2026-10-05T14:22:08Z") * 1000 + 430_112, 1_790_000_000_123_000, null]
        ]
      )
      yield* server.script(page([], 0))
      assert.isTrue((yield* client.recordPage(subscriptionKind, {}, 1)).isLast)
    }).pipe(Effect.scoped)
  )

  it.scoped("a record that cannot be read is set aside with its error, and takes none of its page with it", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      const { customer_id: _, ...rest }: Readonly<Record<string, unknown>> = { ...subscription, ...changed }
      const poisoned = [{ ...rest, id: "sub-poison", metadata: { secret: "of a user" } }, "no object", null]
      yield* server.script(page([changed, ...poisoned, { ...changed, id: "sub-after" }], 1))
      const { isLast, snapshots, unreadable } = yield* client.recordPage(subscriptionKind, {}, 1)
      assert.isTrue(isLast)
      assert.deepStrictEqual<unknown>(
        snapshots.map(({ report }) => report.id),
        [subscription["id"], "sub-after"]
      )
      assert.deepStrictEqual(
        unreadable.map(({ error, id }) => [id, error._tag]),
        [
          ["sub-poison", "PolarUnexpectedAnswer"],
          [null, "PolarUnexpectedAnswer"],
          [null, "PolarUnexpectedAnswer"]
        ]
      )
      assert.include(unreadable[0]?.error.message, '"customer_id" is missing')
      assert.notInclude(unreadable[0]?.error.message, "of a user")
    })
  )

  it.scoped("one subscription, or that there is none", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script({ body: changed }, ScriptedServer.notFound)
      const found = Option.getOrThrow(yield* client.getSubscription(SubscriptionId.make("a/b")))
      assert.strictEqual(found.report.id, subscription["id"])
      assert.strictEqual((yield* server.next).path, "/v1/subscriptions/a%2Fb")
      assert.isTrue(Option.isNone(yield* client.getSubscription(SubscriptionId.make("gone"))))
      yield* server.script(ScriptedServer.ruleBroken({ loc: ["path", "id"], msg: "UUID version 4 expected" }))
      assert.isTrue(Option.isNone(yield* client.getSubscription(SubscriptionId.make("no-uuid"))))
    })
  )

  it.scoped("the webhook endpoints, and never their secrets", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      const endpoint = {
        id: "endpoint-1",
        url: "https://app.example.com/auth/polar/webhook",
        enabled: false,
        format: "raw",
        events: ["subscription.updated"]
      }
      yield* server.script(page([{ ...endpoint, secret: "whsec_secret", name: null, api_version: "2026-10" }], 1))
      assert.deepStrictEqual<unknown>(yield* client.webhookEndpoints, [endpoint])
      const request = yield* server.next
      assert.strictEqual(request.path, "/v1/webhooks/endpoints")
    })
  )

  it.scoped("events that an endpoint did not take, each once, and none that is still tried or can't be sent", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      const failed = (id: string, event: object = {}) => ({
        id: `delivery-${Math.random()}`,
        succeeded: false,
        http_code: 503,
        webhook_event: {
          id,
          type: "subscription.updated",
          succeeded: false,
          skipped: false,
          is_archived: false,
          ...event
        }
      })
      yield* server.script(
        page([failed("dead"), failed("dead"), failed("tried", { succeeded: null })], 2),
        page(
          [
            failed("dead"),
            failed("taken", { succeeded: true }),
            failed("skipped", { skipped: true }),
            failed("archived", { is_archived: true }),
            failed("other", { type: "customer.created" })
          ],
          2
        )
      )
      const events = yield* collect(client.undeliveredEvents("endpoint-1", new Date("2026-11-01T00:00:00Z")))
      assert.deepStrictEqual<unknown>(events, [
        { id: "dead", type: "subscription.updated" },
        { id: "other", type: "customer.created" }
      ])
      const [first] = yield* server.received
      assert.isDefined(first)
      assert.strictEqual(first.path, "/v1/webhooks/deliveries")
      assert.deepStrictEqual<unknown>(first.query.slice(0, 3), [
        ["endpoint_id", "endpoint-1"],
        ["succeeded", "false"],
        ["start_timestamp", "2026-11-01T00:00:00.000Z"]
      ])
    })
  )

  it.scoped("an event again, whatever stands in the answer; once, because it is not safe to repeat", () =>
    Effect.gen(function* () {
      const { client, server } = yield* setup()
      yield* server.script({ status: 202, body: null }, { status: 202, body: "" }, { status: 503, body: "later" })
      yield* client.redeliver("event-1")
      yield* client.redeliver("event-1")
      const error = yield* Effect.flip(client.redeliver("event-1"))
      assert.strictEqual(error._tag, "PolarUnavailable")
      const requests = yield* server.received
      assert.deepStrictEqual<unknown>(
        requests.map(({ method, path }) => [method, path]),
        Array.from({ length: 3 }, () => ["POST", "/v1/webhooks/events/event-1/redeliver"])
      )
      for (const { headers } of requests) assert.isDefined(headers["content-length"])
    })
  )
})
