import { randomUUID } from "node:crypto"
import { FetchHttpClient } from "@effect/platform"
import { assert, describe, it, layer } from "@effect/vitest"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { PolarRateLimited } from "@kavach-polar/core/PolarError"
import { Chunk, Effect, Layer, Option, Redacted, Schema, Stream, TestClock } from "effect"
import { PolarSubscription, toSubscription } from "../src/records/PolarObjects.ts"
import * as ScriptedServer from "./ScriptedServer.ts"

const uuid4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** As much of Polar as the behaviours below touch, with the bodies that it writes. */
const smallPolar = (): ((request: ScriptedServer.Received) => ScriptedServer.Reply) => {
  const customers: Array<{ id: string; email: string; external_id: string; name: string | null }> = []
  const inAnHour = "2026-10-05T15:22:08Z"
  return ({ body, method, path }) => {
    const input = body === "" ? {} : JSON.parse(body)
    const known = customers.find(({ external_id }) => path.split("/")[4] === encodeURIComponent(external_id))
    if (method === "GET" && path.endsWith("/state")) {
      return known === undefined ? ScriptedServer.notFound : { body: { ...known, active_subscriptions: [] } }
    }
    if (method === "GET") return known === undefined ? ScriptedServer.notFound : { body: known }
    if (path === "/v1/customers/") {
      if (!input.email.includes("@")) {
        return {
          status: 422,
          body: {
            error: "RequestValidationError",
            detail: [{ type: "value_error", loc: ["body", "email"], msg: "value is not a valid email address" }]
          }
        }
      }
      const taken = [
        ...(customers.some(({ email }) => email.toLowerCase() === input.email.toLowerCase())
          ? [ScriptedServer.emailTaken]
          : []),
        ...(customers.some(({ external_id }) => external_id === input.external_id)
          ? [ScriptedServer.externalIdTaken]
          : [])
      ]
      if (taken.length > 0) return ScriptedServer.ruleBroken(...taken)
      customers.push({ name: null, ...input, id: randomUUID() })
      return { status: 201, body: customers.at(-1) }
    }
    const reference = input.customer_id ?? input.external_customer_id
    const buyer = customers.find(({ external_id, id }) => id === reference || external_id === reference)
    if (path === "/v1/checkouts/") {
      return buyer === undefined && input.customer_id !== undefined
        ? ScriptedServer.ruleBroken({ loc: ["body", "customer_id"], msg: "Customer does not exist." })
        : {
            status: 201,
            body: {
              id: randomUUID(),
              url: "https://sandbox.polar.sh/checkout/polar_c_x",
              expires_at: inAnHour,
              customer_id: buyer?.id ?? null
            }
          }
    }
    return buyer === undefined
      ? ScriptedServer.ruleBroken({
          loc: ["body", input.customer_id === undefined ? "external_customer_id" : "customer_id"],
          msg: "Customer does not exist."
        })
      : {
          status: 201,
          body: {
            token: "polar_cst_x",
            customer_portal_url: "https://sandbox.polar.sh/x/portal?customer_session_token=polar_cst_x",
            expires_at: inAnHour
          }
        }
  }
}

const overHttp = Layer.unwrapScoped(
  Effect.gen(function* () {
    const server = yield* ScriptedServer.make
    yield* server.always(smallPolar())
    return PolarClient.layer({ accessToken: Redacted.make("polar_oat_x"), apiBaseUrl: server.origin })
  })
).pipe(Layer.provide(FetchHttpClient.layer))

for (const [name, each] of [
  ["in memory", PolarClient.layerMemory],
  ["over HTTP", overHttp]
] as const) {
  layer<PolarClient.PolarClient, never>(each)(`a client ${name}`, (it) => {
    it.effect("makes one customer for a user, and finds them again", () =>
      Effect.gen(function* () {
        const client = yield* PolarClient.PolarClient
        const input = { email: "One@Acme-Mail.dev", name: "One", externalId: "one" }
        assert.isTrue(Option.isNone(yield* client.findCustomerByExternalId("one")))
        const first = yield* client.createOrGetCustomer(input)
        assert.match(first.id, uuid4)
        assert.strictEqual(first.email, "One@Acme-Mail.dev")
        assert.deepStrictEqual(yield* client.createOrGetCustomer(input), first)
        assert.deepStrictEqual(yield* client.createOrGetCustomer({ ...input, email: "new@acme-mail.dev" }), first)
        assert.deepStrictEqual(yield* client.findCustomerByExternalId("one"), Option.some(first))
        assert.isTrue(Option.isNone(yield* client.findCustomerByExternalId("ONE")))
      })
    )

    it.effect("makes one customer for many calls at once", () =>
      Effect.gen(function* () {
        const client = yield* PolarClient.PolarClient
        const customers = yield* Effect.replicateEffect(
          client.createOrGetCustomer({ email: "many@acme-mail.dev", externalId: "many" }),
          10,
          { concurrency: "unbounded" }
        )
        assert.lengthOf([...new Set(customers.map(({ id }) => id))], 1)
      })
    )

    it.effect("takes nobody's customer over because of an e-mail address", () =>
      Effect.gen(function* () {
        const client = yield* PolarClient.PolarClient
        const owner = yield* client.createCustomer({ email: "owner@acme-mail.dev", externalId: "owner" })
        const error = yield* Effect.flip(
          client.createOrGetCustomer({ email: "OWNER@acme-mail.dev", externalId: "intruder" })
        )
        assert.strictEqual(error._tag, "CustomerEmailTaken")
        assert.include(error.message, "user intruder")
        assert.deepStrictEqual(yield* client.findCustomerByExternalId("owner"), Option.some(owner))
        assert.isTrue(Option.isNone(yield* client.findCustomerByExternalId("intruder")))
      })
    )

    it.effect("says which of a customer's fields is taken", () =>
      Effect.gen(function* () {
        const client = yield* PolarClient.PolarClient
        const input = { email: "taken@acme-mail.dev", externalId: "taken" }
        yield* client.createCustomer(input)
        const error = yield* Effect.flip(client.createCustomer(input))
        assert.strictEqual(error._tag, "PolarRejected")
        if (error._tag !== "PolarRejected") return
        assert.deepStrictEqual<unknown>(
          [error.status, error.code, error.issues],
          [
            422,
            "PolarRequestValidationError",
            [
              { path: ["email"], message: "A customer with this email address already exists." },
              { path: ["external_id"], message: "A customer with this external ID already exists." }
            ]
          ]
        )
        const trimmed = yield* Effect.flip(client.createCustomer({ email: "x@acme-mail.dev", externalId: "x " }))
        assert.strictEqual(trimmed._tag === "PolarRejected" && trimmed.status, null)
      })
    )

    it.effect("opens checkouts, linked to a customer that is known", () =>
      Effect.gen(function* () {
        const client = yield* PolarClient.PolarClient
        const { id } = yield* client.createCustomer({ email: "buyer@acme-mail.dev", externalId: "buyer" })
        const linked = yield* client.createCheckout({ products: ["p"], customerId: id })
        const byUser = yield* client.createCheckout({ products: ["p"], externalCustomerId: "buyer" })
        const unlinked = yield* client.createCheckout({ products: ["p"], externalCustomerId: "stranger" })
        assert.deepStrictEqual<unknown>([linked.customerId, byUser.customerId, unlinked.customerId], [id, id, null])
        assert.notStrictEqual(linked.id, byUser.id)
        assert.match(linked.id, uuid4)
        assert.match(linked.url, /^https:\/\/sandbox\.polar\.sh\/checkout\/polar_c_/)
        const error = yield* Effect.flip(client.createCheckout({ products: ["p"], customerId: randomUUID() }))
        assert.include(error.message, "(422 PolarRequestValidationError): customer_id: ")
      })
    )

    it.effect("opens the portal for a customer that is known", () =>
      Effect.gen(function* () {
        const client = yield* PolarClient.PolarClient
        const { id } = yield* client.createCustomer({ email: "portal@acme-mail.dev", externalId: "portal" })
        const session = yield* client.createCustomerSession({ customerId: id })
        assert.include(session.customerPortalUrl, Redacted.value(session.token))
        yield* client.createCustomerSession({ externalCustomerId: "portal" }, "https://app/back")
        const byId = yield* Effect.flip(client.createCustomerSession({ customerId: randomUUID() }))
        assert.include(byId.message, "(422 PolarRequestValidationError): customer_id: ")
        const byUser = yield* Effect.flip(client.createCustomerSession({ externalCustomerId: "stranger" }))
        assert.include(byUser.message, "(422 PolarRequestValidationError): external_customer_id: ")
      })
    )

    it.effect("knows the state of a customer that is known", () =>
      Effect.gen(function* () {
        const client = yield* PolarClient.PolarClient
        const customer = yield* client.createCustomer({ email: "state@acme-mail.dev", externalId: "state" })
        assert.deepStrictEqual(
          yield* client.getCustomerState("state"),
          Option.some({ customer, activeSubscriptions: [], grantedBenefits: [] })
        )
        assert.isTrue(Option.isNone(yield* client.getCustomerState("stranger")))
      })
    )
  })
}

describe("createOrGetCustomer", () => {
  const input = { email: "ada@acme-mail.dev", externalId: "u" }
  const against = (...replies: ReadonlyArray<ScriptedServer.Reply>) =>
    Effect.gen(function* () {
      const server = yield* ScriptedServer.make
      yield* server.script(...replies)
      const client = yield* PolarClient.make({
        accessToken: Redacted.make("polar_oat_x"),
        apiBaseUrl: server.origin
      }).pipe(Effect.provide(FetchHttpClient.layer))
      const result = yield* Effect.either(client.createOrGetCustomer(input))
      const requests = (yield* server.received).map(({ method, path }) => `${method} ${path}`)
      return { result, requests }
    })
  const refused = (error: string | undefined, ...loc: ReadonlyArray<unknown>): ScriptedServer.Reply => ({
    status: 422,
    body: { error, detail: [{ type: "value_error", loc, msg: "No." }] }
  })
  const lookedUp = ["POST /v1/customers/", "GET /v1/customers/external/u"]

  for (const [name, reply, tag, requests] of [
    [
      "an address that another customer has",
      refused("PolarRequestValidationError", "body", "email"),
      "CustomerEmailTaken",
      lookedUp
    ],
    ["an address that no mail reaches", refused("RequestValidationError", "body", "email"), "PolarRejected", lookedUp],
    ["an address refused for no known reason", refused(undefined, "body", "email"), "PolarRejected", lookedUp],
    [
      "an external id whose customer is not there",
      refused("PolarRequestValidationError", "body", "external_id"),
      "PolarRejected",
      lookedUp
    ],
    [
      "another field",
      refused("PolarRequestValidationError", "body", "metadata", "a"),
      "PolarRejected",
      ["POST /v1/customers/"]
    ],
    ["a scope", ScriptedServer.insufficientScope("customers:write"), "PolarForbidden", ["POST /v1/customers/"]]
  ] as const) {
    it.scoped(`${name}: ${tag}`, () =>
      Effect.gen(function* () {
        const outcome = yield* against(reply, ScriptedServer.notFound)
        assert.strictEqual<unknown>(outcome.result._tag === "Left" && outcome.result.left._tag, tag)
        assert.deepStrictEqual<unknown>(outcome.requests, requests)
      })
    )
  }

  it.scoped("finds the user's customer also when both fields are taken", () =>
    Effect.gen(function* () {
      const { requests, result } = yield* against(
        ScriptedServer.ruleBroken(ScriptedServer.emailTaken, ScriptedServer.externalIdTaken),
        { body: { id: "c", external_id: "u", email: "another@acme-mail.dev" } }
      )
      assert.strictEqual<unknown>(result._tag === "Right" && result.right.id, "c")
      assert.deepStrictEqual(requests, lookedUp)
    })
  )

  it.scoped("fails as the search fails", () =>
    Effect.gen(function* () {
      const { result } = yield* against(
        ScriptedServer.ruleBroken(ScriptedServer.emailTaken),
        ScriptedServer.insufficientScope("customers:read")
      )
      assert.strictEqual(result._tag === "Left" && result.left._tag, "PolarForbidden")
    })
  )
})

describe("MemoryPolar", () => {
  const subscription = (id: string, changes: Readonly<Record<string, unknown>>) =>
    Effect.map(
      Schema.decodeUnknown(PolarSubscription)({
        id,
        status: "active",
        customer_id: "c1",
        product_id: "p1",
        started_at: "2026-10-05T14:22:08Z",
        current_period_end: "2026-11-05T14:22:08Z",
        customer: { id: "c1", external_id: "u1", email: "ada@acme-mail.dev", name: "Ada" },
        ...changes
      }),
      (polar) => toSubscription(polar)
    )

  const ids = (filter: PolarClient.SubscriptionFilter) =>
    Effect.flatMap(PolarClient.PolarClient, (client) => Stream.runCollect(client.listSubscriptions(filter))).pipe(
      Effect.map((found) => Chunk.toReadonlyArray(found).map(({ id }) => `${id}`))
    )

  it.effect("holds the subscriptions that a test puts there", () =>
    Effect.gen(function* () {
      const polar = yield* PolarClient.MemoryPolar
      const client = yield* PolarClient.PolarClient
      yield* polar.putSubscription(
        yield* subscription("s2", { started_at: "2026-10-06T00:00:00Z", status: "past_due" })
      )
      yield* polar.putSubscription(yield* subscription("s1", { status: "trialing" }))
      const other = { id: "c2", external_id: "u2" }
      yield* polar.putSubscription(
        yield* subscription("s3", {
          customer_id: "c2",
          customer: other,
          product_id: "p2",
          status: "canceled",
          started_at: "2026-10-07T00:00:00Z"
        })
      )
      assert.deepStrictEqual(yield* ids({}), ["s1", "s2", "s3"])
      assert.deepStrictEqual(yield* ids({ customerId: "c1" }), ["s1", "s2"])
      assert.deepStrictEqual(yield* ids({ externalCustomerId: "u2" }), ["s3"])
      assert.deepStrictEqual(yield* ids({ productId: "p1" }), ["s1", "s2"])
      assert.deepStrictEqual(yield* ids({ active: true }), ["s1"])
      assert.deepStrictEqual(yield* ids({ active: false }), ["s3"])
      assert.deepStrictEqual(
        (yield* polar.customers).map(({ external_id }) => external_id),
        ["u1", "u2"]
      )

      const state = Option.getOrThrow(yield* client.getCustomerState("u1"))
      assert.strictEqual(state.customer.email, "ada@acme-mail.dev")
      assert.deepStrictEqual<unknown>(
        state.activeSubscriptions.map(({ id, status }) => [id, status]),
        [["s1", "trialing"]]
      )
      yield* polar.putSubscription(yield* subscription("s1", { status: "canceled" }))
      assert.deepStrictEqual(yield* ids({ active: true }), [])
    }).pipe(Effect.provide(PolarClient.layerMemory))
  )

  it.effect("shows the checkouts, which last for a day", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 9, 5))
      const polar = yield* PolarClient.MemoryPolar
      const client = yield* PolarClient.PolarClient
      const input = { products: ["p1"], metadata: { kavach_user_id: "u1" } } as const
      const session = yield* client.createCheckout(input)
      assert.deepStrictEqual(yield* polar.checkouts, [{ session, input }])
      assert.strictEqual(session.expiresAt.toISOString(), "2026-10-06T00:00:00.000Z")
    }).pipe(Effect.provide(PolarClient.layerMemory))
  )

  it.effect("fails when told to, once for each time", () =>
    Effect.gen(function* () {
      const polar = yield* PolarClient.MemoryPolar
      const client = yield* PolarClient.PolarClient
      const limited = (seconds: number) =>
        new PolarRateLimited({ operation: "test", limitedBy: "polar", retryAfterSeconds: seconds })
      yield* polar.failNext(limited(1))
      yield* polar.failNext(limited(2))
      const create = client.createCustomer({ email: "ada@acme-mail.dev", externalId: "u1" })
      const first = yield* Effect.flip(create)
      const second = yield* Effect.flip(Stream.runDrain(client.listSubscriptions({})))
      assert.deepStrictEqual<unknown>(
        [first, second].map((error) => error._tag === "PolarRateLimited" && error.retryAfterSeconds),
        [1, 2]
      )
      assert.lengthOf(yield* polar.customers, 0)
      yield* create
      assert.lengthOf(yield* polar.customers, 1)
    }).pipe(Effect.provide(PolarClient.layerMemory))
  )

  it.effect("starts empty each time", () =>
    Effect.gen(function* () {
      const polar = yield* PolarClient.MemoryPolar
      assert.lengthOf(yield* polar.customers, 0)
      assert.lengthOf(yield* polar.checkouts, 0)
    }).pipe(Effect.provide(PolarClient.layerMemory))
  )
})

describe("layerDisabled", () => {
  it.effect("fails every call, and says why", () =>
    Effect.gen(function* () {
      const client = yield* PolarClient.PolarClient
      const customer = { email: "ada@acme-mail.dev", externalId: "u" }
      const calls: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string; readonly message: string }>> = [
        client.createCheckout({ products: ["p"] }),
        client.createCustomer(customer),
        client.createOrGetCustomer(customer),
        client.findCustomerByExternalId("u"),
        client.getCustomerState("u"),
        client.createCustomerSession({ customerId: "c" }),
        Stream.runDrain(client.listSubscriptions({}))
      ]
      for (const call of calls) {
        const error = yield* Effect.flip(call)
        assert.strictEqual(error._tag, "PolarNotConfigured")
        assert.match(error.message, /^Polar cannot be asked to "[a-z ]+": POLAR_ACCESS_TOKEN is not set\. /)
      }
    }).pipe(Effect.provide(PolarClient.layerDisabled("POLAR_ACCESS_TOKEN is not set")))
  )
})
