/** Core's client over HTTP against the simulator: what it asks is what Polar documents, and it reads what is answered. */
import { FetchHttpClient } from "@effect/platform"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { OrderId, SubscriptionId } from "@kavach-polar/core/Subscription"
import { Seed } from "@kavach-polar/simulator"
import { Cause, Chunk, Effect, Exit, HashMap, Option, Redacted, Stream } from "effect"
import { afterAll, assert, beforeAll, test } from "vitest"
import { subscriptionKind } from "../../packages/core/src/records/subscriptionKind.ts"
import { judgeAnswer, judgeRequest } from "./polarDocument.ts"
import { type Witness, witness } from "./Witness.ts"

let scene: Witness

beforeAll(async () => {
  scene = await witness({ allowMultipleSubscriptions: true })
})

afterAll(() => scene.close())

type Client = PolarClient.PolarClient["Type"]

const call = <A, E>(use: (client: Client) => Effect.Effect<A, E>): Promise<A> =>
  PolarClient.make({
    accessToken: Redacted.make(scene.simulator.accessToken),
    apiBaseUrl: scene.simulator.url,
    maxRetries: 0
  }).pipe(Effect.flatMap(use), Effect.provide(FetchHttpClient.layer), Effect.runPromise)

/** The tag of the error that a call fails with. */
const refusal = async (use: (client: Client) => Effect.Effect<unknown, { readonly _tag: string }>): Promise<string> => {
  const exit = await call((client) => Effect.exit(use(client)))
  return Exit.isSuccess(exit) ? "accepted" : Option.getOrThrow(Cause.failureOption(exit.cause))._tag
}

test("customers: created once, found, never taken over", async () => {
  const input = { email: "ada@acme-mail.dev", externalId: "usr 1|ä", name: "Ada", metadata: { tier: "pro" } }
  const created = await call((client) => client.createOrGetCustomer(input))
  const again = await call((client) => client.createOrGetCustomer(input))
  assert.strictEqual(again.id, created.id)
  const found = await call((client) => client.findCustomerByExternalId("usr 1|ä"))
  assert.strictEqual(Option.getOrThrow(found).id, created.id)
  assert.isTrue(Option.isNone(await call((client) => client.findCustomerByExternalId("nobody"))))
  // No path can hold this one: it is looked for in the list.
  assert.isTrue(Option.isNone(await call((client) => client.findCustomerByExternalId("a/b"))))
  assert.strictEqual(
    await refusal((client) => client.createCustomer({ ...input, externalId: "usr_2" })),
    "PolarRejected"
  )
  assert.strictEqual(
    await refusal((client) => client.createOrGetCustomer({ ...input, externalId: "usr_2" })),
    "CustomerEmailTaken"
  )
})

test("checkout, subscriptions, state, portal", async () => {
  const ids: Array<string> = []
  for (let count = 0; count < 3; count++) {
    const session = await call((client) =>
      client.createCheckout({
        products: [Seed.products.pro.id, Seed.products.team.id],
        externalCustomerId: "usr 1|ä",
        successUrl: "https://app.acme.dev/return?checkout={CHECKOUT_ID}",
        returnUrl: "https://app.acme.dev/",
        metadata: { kavach_user_id: "usr_1", round: count, beta: true },
        customerMetadata: { source: "test" },
        customerName: "Ada",
        allowDiscountCodes: false,
        allowTrial: false,
        locale: "fr"
      })
    )
    assert.isNotNull(session.customerId)
    const { subscription } = await scene.simulator.pay(session.id)
    ids.push(subscription?.id ?? "none")
  }
  const listed = await call((client) =>
    Stream.runCollect(client.listSubscriptions({ externalCustomerId: "usr 1|ä", active: true }))
  )
  assert.deepStrictEqual<ReadonlyArray<string>>(
    Chunk.toReadonlyArray(listed).map(({ id }) => id),
    ids
  )
  const [first] = Chunk.toReadonlyArray(listed)
  assert.strictEqual(first?.metadata["kavach_user_id"], "usr_1")
  assert.strictEqual(first?.productName, "Pro (monthly)")
  const ended = await call((client) =>
    Stream.runCollect(client.listSubscriptions({ productId: Seed.products.pro.id, active: false }))
  )
  assert.lengthOf(Chunk.toReadonlyArray(ended), 0)
  const state = Option.getOrThrow(await call((client) => client.getCustomerState("usr 1|ä")))
  assert.deepStrictEqual<ReadonlyArray<string>>(
    state.activeSubscriptions.map(({ id }) => id),
    ids
  )
  const portal = await call((client) =>
    client.createCustomerSession({ externalCustomerId: "usr 1|ä" }, "https://app.acme.dev/billing")
  )
  assert.include(portal.customerPortalUrl, Redacted.value(portal.token))
  assert.strictEqual(
    await refusal((client) => client.createCustomerSession({ externalCustomerId: "nobody" })),
    "PolarRejected"
  )
  assert.strictEqual(
    await refusal((client) => client.createCheckout({ products: ["0f0e0d0c-0b0a-4908-8706-050403020199"] })),
    "PolarRejected"
  )
})

test("what reconciliation asks: pages with their times, single subscriptions, endpoints, what did not arrive", async () => {
  const { isLast, snapshots } = await call((client) =>
    client.recordPage(subscriptionKind, { metadataUserId: "usr_1" }, 1)
  )
  assert.isTrue(isLast)
  assert.lengthOf(snapshots, 3)
  for (const { fetchedAt, report } of snapshots) {
    assert.strictEqual(report.metadataUserId, "usr_1")
    assert.isNotNull(report.changedAt)
    assert.isAtMost(report.changedAt ?? Infinity, fetchedAt + 1_000_000)
  }
  const none = await call((client) => client.recordPage(subscriptionKind, { metadataUserId: "nobody" }, 1))
  assert.deepStrictEqual(none, { snapshots: [], unreadable: [], isLast: true })

  const [one] = snapshots
  const found = await call((client) => client.getSubscription(SubscriptionId.make(one?.report.id ?? "none")))
  assert.deepStrictEqual(Option.getOrThrow(found).report, one?.report)
  const unknown = SubscriptionId.make("0f0e0d0c-0b0a-4908-8706-050403020199")
  assert.isTrue(Option.isNone(await call((client) => client.getSubscription(unknown))))

  // Port 9 discards, and here nobody is there even for that.
  const url = "http://127.0.0.1:9/auth/polar/webhook"
  const endpoint = await scene.simulator.addEndpoint({ url, events: ["subscription.updated"] })
  const endpoints = await call((client) => client.webhookEndpoints)
  const own = endpoints.find(({ id }) => id === endpoint.id)
  assert.deepStrictEqual(own, { id: endpoint.id, url, enabled: true, format: "raw", events: ["subscription.updated"] })
  const missed = await call((client) =>
    Stream.runCollect(client.undeliveredEvents(endpoint.id, new Date("2026-01-01T00:00:00.000Z")))
  )
  assert.lengthOf(Chunk.toReadonlyArray(missed), 0)
  const session = await call((client) => client.createCheckout({ products: [Seed.products.pro.id] }))
  await scene.simulator.pay(session.id, { customer_email: "lin@acme-mail.dev" })
  const [event] = await scene.simulator.read(({ tables }) => [...HashMap.values(tables.events)])
  await call((client) => client.redeliver(event?.id ?? "none"))
  assert.strictEqual(await refusal((client) => client.redeliver(unknown)), "PolarNotFound")
})

test("the organization that the token is of", async () => {
  const { id, slug } = await scene.simulator.read(({ organization }) => organization)
  assert.deepStrictEqual(await call((client) => client.organizations), [{ id, slug }])
})

test("orders: their invoices, receipts and refunds", async () => {
  const session = await call((client) => client.createCheckout({ products: [Seed.products.lifetime.id] }))
  const address = { country: "NO", line1: "Storgata 1", postal_code: "0155", city: "Oslo" }
  const { order } = await scene.simulator.pay(session.id, {
    customer_email: "ada@acme-mail.dev",
    customer_name: "Ada",
    customer_billing_address: address
  })
  const id = OrderId.make(order?.id ?? "")
  assert.isTrue(Option.isNone(await call((client) => client.getInvoice(id))))
  await call((client) => client.requestInvoice(id))
  assert.strictEqual(Option.getOrNull(await call((client) => client.getReceipt(id))), "writing")
  await scene.simulator.advance("2 seconds")
  for (const read of ["getInvoice", "getReceipt"] as const) {
    assert.isTrue(Option.isSome(await call((client) => client[read](id) as Effect.Effect<Option.Option<unknown>>)))
  }
  const refund = { orderId: id, reason: "other", metadata: { ticket: "T-311" } } as const
  const made = await call((client) => client.createRefund({ ...refund, amount: 900, comment: "Broken" }))
  assert.strictEqual(made.report.orderId, id)
  assert.strictEqual(await refusal((client) => client.createRefund({ ...refund, amount: 5000 })), "PolarRejected")
  const { report } = Option.getOrThrow(await call((client) => client.getOrder(id)))
  assert.strictEqual(report.status, "partially_refunded")
  const missing = OrderId.make("0f0e0d0c-0b0a-4908-8706-0504030201ff")
  assert.isTrue(Option.isNone(await call((client) => client.getOrder(missing))))
  assert.isTrue(Option.isNone(await call((client) => client.getReceipt(missing))))
  assert.strictEqual(await refusal((client) => client.requestInvoice(missing)), "PolarNotFound")
})

test("license keys", async () => {
  const session = await call((client) => client.createCheckout({ products: [Seed.products.lifetime.id] }))
  const { order } = await scene.simulator.pay(session.id, { customer_email: "ada@acme-mail.dev" })
  const { id, key: text } = await scene.simulator.grantLicenseKey(order?.id ?? "", { limitActivations: 1 })
  const organizationId = await scene.simulator.read(({ organization }) => organization.id)
  const key = { key: Redacted.make(text), organizationId }
  const place = { label: "desk", conditions: { major: 2 }, meta: { os: "linux" } }
  const { id: activationId } = await call((client) => client.activateLicenseKey({ ...key, ...place }))
  const { activations } = Option.getOrThrow(await call((client) => client.getLicenseKey(id)))
  assert.deepStrictEqual(activations, [{ id: activationId, label: "desk", meta: { os: "linux" } }])
  const asked = { ...key, activationId, conditions: { major: 2 }, incrementUsage: 1 }
  const { activation, usage } = await call((client) => client.validateLicenseKey(asked))
  assert.deepStrictEqual([activation?.id, usage], [activationId, 1])
  assert.strictEqual(await refusal((client) => client.activateLicenseKey({ ...key, label: "other" })), "PolarForbidden")
  await call((client) => client.deactivateLicenseKey({ ...key, activationId }))
  assert.strictEqual(await refusal((client) => client.deactivateLicenseKey({ ...key, activationId })), "PolarNotFound")
  assert.strictEqual(await refusal((client) => client.validateLicenseKey(asked)), "PolarNotFound")
})

test("every request is as Polar's document has it, and every success too", () => {
  assert.isAtLeast(scene.exchanges.length, 25)
  for (const exchange of scene.exchanges) {
    assert.deepStrictEqual(judgeRequest(exchange), [], `${exchange.method} ${exchange.url} ${exchange.body}`)
    assert.deepStrictEqual(judgeAnswer(exchange), [], `${exchange.method} ${exchange.url} ${exchange.answer}`)
  }
})
