/** Polar's own SDK, a stranger to the simulator, lives through everything with it as its server. */
import { sign } from "@kavach-polar/core/WebhookVerifier"
import { Seed, Webhooks } from "@kavach-polar/simulator"
import { createPolar, webhooks } from "@polar-sh/sdk/2026-10"
import * as oldSdk from "polar-sdk-0/webhooks"
import { afterAll, assert, beforeAll, describe, test } from "vitest"
import { judgeAnswer, judgeRequest, judgeWebhook, webhookTypes } from "./polarDocument.ts"
import { type Delivered, type Witness, witness } from "./Witness.ts"

// The old SDK knows only the key of the original scheme.
const signedUtf8 = (headers: Delivered["headers"], body: Buffer): string =>
  sign({
    secret,
    id: headers["webhook-id"] ?? "",
    timestampSeconds: Number(headers["webhook-timestamp"]),
    body,
    key: "utf8"
  })

const gift = { id: "1ebfedf4-5dba-4331-9bcd-3f3cf1793524", name: "Launch gift", code: "GIFT100", percent: 100 }

let scene: Witness
let polar: ReturnType<typeof createPolar>
let secret: string

const types = (from = 0): ReadonlyArray<string> =>
  scene.deliveries.slice(from).map(({ body }): string => JSON.parse(body.toString()).type)

/** The types of what was delivered while this ran. */
const deliveredBy = async (act: () => Promise<unknown>): Promise<ReadonlyArray<string>> => {
  await scene.simulator.flush()
  const before = scene.deliveries.length
  await act()
  await scene.simulator.flush()
  return types(before)
}

const buy = async (product: string, email: string, extra: object = {}) => {
  const checkout = await polar.checkouts.create({ products: [product], customer_email: email, ...extra })
  await polar.checkouts.clientConfirm(checkout.client_secret, { confirmation_token_id: "ctoken_invented" })
  const orders = await polar.orders.list({ checkout_id: [checkout.id] })
  const id = orders.items[0]?.subscription_id
  if (typeof id !== "string") throw new Error("nothing was bought")
  return { checkout, id }
}

const buyOnce = async (email: string) => {
  const checkout = await polar.checkouts.create({ products: [Seed.products.lifetime.id], customer_email: email })
  await polar.checkouts.clientConfirm(checkout.client_secret, { confirmation_token_id: "ctoken_invented" })
  return { checkout }
}

beforeAll(async () => {
  scene = await witness({ allowReset: true, taxRate: 0.2, discounts: [gift] })
  polar = createPolar({ accessToken: scene.simulator.accessToken, baseUrl: scene.simulator.url })
  const endpoint = await polar.webhooks.createWebhookEndpoint({
    url: scene.appUrl,
    format: "raw",
    events: [...Webhooks.eventTypes]
  })
  secret = endpoint.secret
})

afterAll(() => scene.close())

describe("a subscriber's life", () => {
  test("checkout, payment, subscription", async () => {
    const seen = await deliveredBy(async () => {
      const { checkout, id } = await buy(Seed.products.pro.id, "ada@acme-mail.dev", {
        external_customer_id: "usr_1",
        metadata: { user_id: "usr_1", seats: 3, beta: true },
        customer_metadata: { source: "landing" },
        success_url: "https://app.acme.dev/return?checkout_id={CHECKOUT_ID}"
      })
      assert.include(checkout.success_url, checkout.id)
      const subscription = await polar.subscriptions.get(id)
      assert.strictEqual(subscription.status, "active")
      assert.strictEqual(subscription.checkout_id, checkout.id)
      assert.deepStrictEqual<unknown>(subscription.metadata, { user_id: "usr_1", seats: 3, beta: true })
      assert.strictEqual(subscription.customer.external_id, "usr_1")
      assert.strictEqual((await polar.checkouts.get(checkout.id)).status, "succeeded")
      const state = await polar.customers.getStateExternal("usr_1")
      assert.deepStrictEqual(
        state.active_subscriptions.map(({ id }) => id),
        [id]
      )
    })
    assert.deepStrictEqual(seen, [
      "checkout.created",
      "checkout.updated",
      "customer.created",
      "customer.state_changed",
      "subscription.created",
      "subscription.active",
      "subscription.updated",
      "order.created",
      "order.updated",
      "order.paid",
      "checkout.updated",
      "customer.state_changed"
    ])
  })

  test("every list and lookup", async () => {
    const customers = await polar.customers.list({ email: "ADA@acme-mail.dev" })
    const [customer] = customers.items
    assert.isDefined(customer)
    assert.strictEqual((await polar.customers.get(customer.id)).email, "ada@acme-mail.dev")
    assert.strictEqual((await polar.customers.getExternal("usr_1")).id, customer.id)
    assert.lengthOf((await polar.subscriptions.list({ external_customer_id: "usr_1", status: ["active"] })).items, 1)
    assert.lengthOf((await polar.subscriptions.list({ status: ["past_due", "paused"] })).items, 0)
    assert.isAtLeast((await polar.products.list()).items.length, 4)
    assert.strictEqual((await polar.products.get(Seed.products.pro.id)).name, "Pro (monthly)")
    const [order] = (await polar.orders.list({ customer_id: customer.id })).items
    assert.isDefined(order)
    assert.strictEqual((await polar.orders.get(order.id)).total_amount, 2280)
    assert.strictEqual((await polar.checkouts.list({ status: "succeeded" })).pagination.total_count, 1)
    await polar.customers.update(customer.id, { name: "Ada Martin", billing_address: { country: "FR", city: "Paris" } })
    await polar.customers.updateExternal("usr_1", { metadata: { tier: "pro" } })
    const session = await polar.customerSessions.create({ external_customer_id: "usr_1" })
    assert.include(session.customer_portal_url, session.token)
  })

  test("cancel, take it back, change the plan, pause, resume, revoke", async () => {
    const { id } = await buy(Seed.products.pro.id, "grace@acme-mail.dev")
    const told = async (body: Parameters<typeof polar.subscriptions.update>[1]) =>
      (await deliveredBy(() => polar.subscriptions.update(id, body))).filter(
        (type) => type !== "customer.state_changed"
      )

    assert.deepStrictEqual(await told({ cancel_at_period_end: true, customer_cancellation_reason: "unused" }), [
      "subscription.updated",
      "subscription.canceled"
    ])
    assert.deepStrictEqual(await told({ cancel_at_period_end: false }), [
      "subscription.updated",
      "subscription.uncanceled"
    ])
    assert.deepStrictEqual(await told({ product_id: Seed.products.team.id, proration_behavior: "next_period" }), [
      "subscription.updated"
    ])
    assert.strictEqual((await polar.subscriptions.get(id)).pending_update?.product_id, Seed.products.team.id)
    assert.deepStrictEqual(await told({ pending_update: null }), ["subscription.updated"])
    assert.deepStrictEqual(await told({ product_id: Seed.products.team.id, proration_behavior: "invoice" }), [
      "order.created",
      "order.updated",
      "order.paid",
      "subscription.updated"
    ])
    assert.deepStrictEqual(await told({ pause_at_period_end: true }), ["subscription.updated"])
    const paused = await deliveredBy(() => scene.simulator.advance("367 days"))
    assert.includeMembers([...paused], ["subscription.paused"])
    assert.strictEqual((await polar.subscriptions.get(id)).status, "paused")
    assert.deepStrictEqual(await told({ resume: true }), [
      "subscription.updated",
      "subscription.resumed",
      "order.created",
      "order.updated",
      "order.paid"
    ])
    const revoked = await deliveredBy(() => polar.subscriptions.revoke(id))
    assert.deepStrictEqual(revoked, [
      "subscription.updated",
      "subscription.canceled",
      "subscription.revoked",
      "customer.state_changed"
    ])
  })

  test("renewal, failure, recovery", async () => {
    const { id } = await buy(Seed.products.pro.id, "joan@acme-mail.dev")
    await scene.simulator.failNextPayment()
    // Others renew too: the next charge must be this one's.
    const others = (await polar.subscriptions.list({ status: ["active"], limit: 100 })).items
    for (const other of others) if (other.id !== id) await polar.subscriptions.revoke(other.id)
    const { current_period_end } = await polar.subscriptions.get(id)
    await scene.simulator.advanceTo(new Date(current_period_end))
    assert.strictEqual((await polar.subscriptions.get(id)).status, "past_due")
    const recovered = await deliveredBy(() => scene.simulator.advance("3 days"))
    assert.deepStrictEqual(recovered, [
      "subscription.updated",
      "subscription.active",
      "order.updated",
      "order.paid",
      "customer.state_changed"
    ])
    assert.isNull((await polar.subscriptions.get(id)).past_due_at)
  })

  test("a trial, an expired checkout, a customer who goes", async () => {
    const { id } = await buy(Seed.products.trial.id, "katherine@acme-mail.dev", { external_customer_id: "usr_9" })
    assert.strictEqual((await polar.subscriptions.get(id)).status, "trialing")
    await polar.checkouts.create({ products: [Seed.products.pro.id] })
    assert.include(await deliveredBy(() => scene.simulator.advance("2 days")), "checkout.expired")
    const gone = await deliveredBy(() => polar.customers.deleteExternal("usr_9"))
    assert.deepStrictEqual(gone, [
      "customer.deleted",
      "customer.state_changed",
      "subscription.updated",
      "subscription.canceled",
      "subscription.revoked",
      "customer.state_changed"
    ])
    assert.strictEqual((await polar.subscriptions.get(id)).status, "canceled")
  })

  test("a purchase, and money back: a part at once, the rest after a while, and then not after all", async () => {
    const buyer = "dorothy@acme-mail.dev"
    const checkout = await polar.checkouts.create({
      products: [Seed.products.lifetime.id],
      customer_email: buyer,
      external_customer_id: "usr_7",
      metadata: { campaign: "autumn" }
    })
    const told = await deliveredBy(() =>
      polar.checkouts.clientConfirm(checkout.client_secret, { confirmation_token_id: "ctoken_invented" })
    )
    assert.deepStrictEqual(told.slice(-4), ["order.created", "order.updated", "order.paid", "checkout.updated"])
    const found = await polar.orders.list({
      checkout_id: [checkout.id],
      external_customer_id: "usr_7",
      product_billing_type: "one_time",
      status: ["paid"],
      sorting: ["-created_at"]
    })
    const [order] = found.items
    assert.isDefined(order)
    assert.deepInclude(order, { billing_reason: "purchase", subscription_id: null, tax_amount: 980 })

    const ask = (amount: number) =>
      polar.refunds.create({ order_id: order.id, reason: "customer_request", amount, metadata: { ticket: "T-311" } })
    const refunded = ["refund.created", "order.updated", "order.refunded"]
    assert.deepStrictEqual(await deliveredBy(() => ask(900)), refunded)
    await scene.simulator.holdNextRefund()
    assert.deepStrictEqual(await deliveredBy(() => ask(4000)), ["refund.created"])
    const [pending, done] = (await polar.refunds.list({ order_id: order.id })).items
    assert.isDefined(pending)
    assert.deepStrictEqual([pending.status, pending.tax_amount, done?.status], ["pending", 800, "succeeded"])
    const settled = await deliveredBy(() => scene.simulator.settleRefund(pending.id, "succeeded"))
    assert.deepStrictEqual(settled, ["refund.updated", "order.updated", "order.refunded"])
    assert.strictEqual((await polar.orders.get(order.id)).status, "refunded")
    const again = await ask(1).then(
      () => "accepted",
      (error: unknown) => error
    )
    assert.include(JSON.stringify(again), "RefundedAlready")
    const reverted = await deliveredBy(() => scene.simulator.settleRefund(pending.id, "failed"))
    assert.deepStrictEqual(reverted, ["refund.updated", "order.updated"])
    const now = await polar.orders.get(order.id)
    assert.deepInclude(now, { status: "partially_refunded", refunded_amount: 900, refunded_tax_amount: 180 })
    const filters = { id: [done?.id ?? ""], external_customer_id: "usr_7", succeeded: true }
    assert.strictEqual((await polar.refunds.list(filters)).pagination.total_count, 1)
  })

  test("a purchase that costs nothing, thanks to a discount", async () => {
    const checkout = await polar.checkouts.create({
      products: [Seed.products.lifetime.id],
      customer_email: "dorothy@acme-mail.dev",
      discount_id: gift.id
    })
    assert.deepInclude(checkout, { discount_amount: 4900, net_amount: 0, is_payment_required: false })
    await polar.checkouts.clientConfirm(checkout.client_secret, {})
    const [order] = (await polar.orders.list({ discount_id: gift.id })).items
    assert.deepInclude(order, { status: "paid", checkout_id: checkout.id, total_amount: 0, discount_amount: 4900 })
    assert.strictEqual(order?.discount?.code, "GIFT100")
  })

  test("endpoints, deliveries, redelivery", async () => {
    const endpoints = await polar.webhooks.listWebhookEndpoints()
    const [endpoint] = endpoints.items
    assert.isDefined(endpoint)
    const page = await polar.webhooks.listWebhookDeliveries({ endpoint_id: endpoint.id, limit: 1 })
    const [delivery] = page.items
    assert.isDefined(delivery)
    const again = await deliveredBy(() => polar.webhooks.redeliverWebhookEvent(delivery.webhook_event.id))
    assert.deepStrictEqual(again, [delivery.webhook_event.type])
    assert.strictEqual(scene.deliveries.at(-1)?.headers["webhook-id"], delivery.webhook_event.id)
  })
})

test("a license key is granted and taken back", async () => {
  const { checkout } = await buyOnce("keys@acme-mail.dev")
  const order = (await polar.orders.list({ checkout_id: [checkout.id] })).items[0]
  const seen = await deliveredBy(async () => {
    const { id } = await scene.simulator.grantLicenseKey(order?.id ?? "", { limitActivations: 1 })
    await scene.simulator.revokeLicenseKey(id)
  })
  assert.deepStrictEqual(seen, [
    "benefit.created",
    "benefit_grant.created",
    "customer.state_changed",
    "benefit_grant.revoked",
    "customer.state_changed"
  ])
})

describe("benefits", () => {
  test("made, attached, given by a purchase, edited, waited for, deleted", async () => {
    const flag = await polar.benefits.create({
      type: "feature_flag",
      description: "Exports",
      metadata: { key: "exports", rows: 100 },
      properties: {}
    })
    const key = await polar.benefits.create({
      type: "license_keys",
      description: "Desktop licence",
      properties: { prefix: "ACME", expires: { ttl: 1, timeframe: "year" }, limit_usage: 10 }
    })
    const role = {
      id: "2f3a4b5c-4796-4fb4-a3d2-4a5b6c7d8e76",
      type: "discord",
      description: "Members Discord"
    } as const
    const { id: product } = await scene.simulator.createProduct({
      id: "5d6e7f8a-9b0c-4d1e-8f2a-3b4c5d6e7f80",
      name: "Template pack",
      amount: 900,
      interval: null,
      benefits: [role]
    })
    const attached = await polar.products.updateBenefits(product, { benefits: [flag.id, key.id, role.id] })
    assert.deepStrictEqual(
      attached.benefits.map(({ id }) => id),
      [flag.id, key.id, role.id]
    )
    await polar.products.update(product, { name: "Template pack, second edition" })

    const checkout = await polar.checkouts.create({
      products: [product],
      customer_email: "mary@acme-mail.dev",
      external_customer_id: "usr_11"
    })
    // Buyers see no feature flag.
    assert.deepStrictEqual(
      checkout.product?.benefits.map(({ type }) => type),
      ["license_keys", "discord"]
    )
    const told = await deliveredBy(() =>
      polar.checkouts.clientConfirm(checkout.client_secret, { confirmation_token_id: "ctoken_invented" })
    )
    assert.deepStrictEqual(told.slice(-5), [
      "checkout.updated",
      "benefit_grant.created",
      "benefit_grant.created",
      "benefit_grant.created",
      "customer.state_changed"
    ])
    const granted = await polar.benefitGrants.list({ external_customer_id: "usr_11", is_granted: true })
    assert.strictEqual(granted.pagination.total_count, 2)
    const [waiting] = (await polar.benefits.grants(role.id, { is_granted: false })).items
    assert.isDefined(waiting)
    assert.strictEqual(waiting.error?.type, "BenefitActionRequiredError")
    await scene.simulator.connectAccount(waiting.id)
    assert.deepStrictEqual(
      (await polar.customers.getStateExternal("usr_11")).granted_benefits.map(({ benefit_type }) => benefit_type),
      ["feature_flag", "license_keys", "discord"]
    )

    const edit = { type: "feature_flag", metadata: { key: "exports", rows: 1000 } } as const
    assert.deepStrictEqual(await deliveredBy(() => polar.benefits.update(flag.id, edit)), ["benefit.updated"])
    assert.deepStrictEqual(
      await deliveredBy(() =>
        polar.benefits.update(key.id, { type: "license_keys", properties: { activations: null, limit_usage: 20 } })
      ),
      ["benefit.updated", "benefit_grant.updated", "customer.state_changed"]
    )
    assert.deepStrictEqual(await deliveredBy(() => polar.benefits.delete(role.id)), [
      "benefit.updated",
      "benefit_grant.revoked",
      "customer.state_changed"
    ])
    assert.isFalse((await polar.benefits.list({ limit: 100 })).items.some(({ id }) => id === role.id))
    assert.strictEqual((await polar.benefits.get(flag.id)).metadata["rows"], 1000)
  })

  test("of a subscription go on with each period that is paid, and end with it", async () => {
    const { id: product } = await scene.simulator.createProduct({
      id: "6e7f8a9b-0c1d-4e2f-9a3b-4c5d6e7f8a91",
      name: "Weekly",
      amount: 300,
      interval: "week",
      benefits: [{ id: "7f8a9b0c-1d2e-4f3a-8b4c-5d6e7f8a9b02", type: "custom", description: "Weekly letter" }]
    })
    const { id } = await buy(product, "edith@acme-mail.dev")
    assert.include(await deliveredBy(() => scene.simulator.advance("8 days")), "benefit_grant.cycled")
    assert.include(await deliveredBy(() => polar.subscriptions.revoke(id)), "benefit_grant.revoked")
  })

  test("and discounts are listed", async () => {
    assert.deepStrictEqual(
      (await polar.discounts.list()).items.map(({ id }) => id),
      [gift.id]
    )
    assert.strictEqual((await polar.discounts.get(gift.id)).name, gift.name)
  })
})

describe("what was seen on the wire", () => {
  const unknownToOldSdk = new Set(["subscription.cycled", "subscription.paused", "subscription.resumed"])
  const all = (check: (delivered: Delivered, type: string) => Promise<void> | void) => async () => {
    assert.isAtLeast(scene.deliveries.length, 60)
    for (const delivered of scene.deliveries) await check(delivered, JSON.parse(delivered.body.toString()).type)
  }

  test("covers every type that the simulator can cause", () => {
    const seen = new Set(types())
    const simulated = webhookTypes.filter((type) =>
      /^(benefit|benefit_grant|checkout|customer|order|product|refund|subscription)\./.test(type)
    )
    assert.deepStrictEqual(
      simulated.filter((type) => !seen.has(type)),
      []
    )
    assert.sameMembers<string>([...simulated], [...Webhooks.eventTypes])
  })

  test(
    "every delivery is accepted by the SDK",
    all(async ({ body, headers }, type) => {
      // Signed for this moment: the clock of the machine is the receiver's.
      assert.strictEqual((await webhooks.validateEvent(body, headers, secret)).type, type)
    })
  )

  test(
    "every body is one to the old SDK's parser",
    all(({ body, headers }, type) => {
      if (unknownToOldSdk.has(type)) return
      const resigned = { ...headers, "webhook-signature": signedUtf8(headers, body) }
      const event = oldSdk.validateEvent(body, resigned, secret)
      assert.strictEqual(event.type, type)
    })
  )

  test(
    "every delivery is as Polar's document has it",
    all(({ body }, type) => {
      assert.deepStrictEqual(judgeWebhook(type, JSON.parse(body.toString())), [], body.toString())
    })
  )

  test("every answer and every request is as Polar's document has it", () => {
    assert.isAtLeast(scene.exchanges.length, 40)
    for (const exchange of scene.exchanges) {
      assert.deepStrictEqual(judgeRequest(exchange), [], `${exchange.method} ${exchange.url} ${exchange.body}`)
      assert.deepStrictEqual(judgeAnswer(exchange), [], `${exchange.method} ${exchange.url} ${exchange.answer}`)
    }
  })
})
