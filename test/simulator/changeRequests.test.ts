/** Every request that `billing.subscriptions.*` and `createCheckout` send, held against Polar's document; so are the answers. */
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { polar } from "@kavach-polar/http"
import { Seed } from "@kavach-polar/simulator"
import { afterEach, describe, expect, test } from "vitest"
import { email, pro, userId, webhookSecret } from "./BillingScene.ts"
import { judgeAnswer, judgeRequest } from "./polarDocument.ts"
import { type Witness, witness } from "./Witness.ts"

const { seats, team, trial, units } = Seed.products
const { half } = Seed.discounts

let scene: Witness | undefined
afterEach(() => scene?.close())

const billingOn = async () => {
  scene = await witness({ allowMultipleSubscriptions: true, allowReset: true, taxRate: 0.2 })
  const { simulator } = scene
  const billing = polar({
    emailVerified: () => true,
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret,
    logLevel: "none",
    store: SqliteStore.layer({ filename: ":memory:" })
  })
  await simulator.connect((request) => billing.webhook(request), { secret: webhookSecret })
  const buy = async (product: string, options = {}) => {
    const { id } = await billing.createCheckout(userId, product, { customerEmail: email, ...options })
    await simulator.pay(id, { customer_email: email })
    await simulator.flush()
    const [newest] = await billing.listSubscriptions(userId)
    return newest?.id ?? expect.fail("no subscription")
  }
  const last = (method: string, path: RegExp) =>
    scene?.exchanges.findLast((exchange) => exchange.method === method && path.test(exchange.url))
  return { billing, simulator, buy, last, exchanges: scene.exchanges }
}

const judged = (exchanges: Witness["exchanges"]) => {
  for (const exchange of exchanges) {
    const what = `${exchange.method} ${exchange.url} ${exchange.body}`
    expect(judgeRequest(exchange), what).toEqual([])
    if (exchange.status < 300) expect(judgeAnswer(exchange), `${what}\n${exchange.answer}`).toEqual([])
  }
}

test("changes of a subscription, each with all that it can say", async () => {
  const { billing, buy, exchanges, last, simulator } = await billingOn()
  const { subscriptions } = billing
  const subscriptionId = await buy(pro)
  const until = new Date("2028-01-01T00:00:00.000Z")
  const sent: Array<unknown> = []
  const made = async (call: Promise<unknown>) => {
    await call
    sent.push(JSON.parse(last("PATCH", /\/v1\/subscriptions\//)?.body ?? "null"))
  }
  const which = { subscriptionId }
  const plan = { product: team.id, prorationBehavior: "invoice", subscriptionId } as const
  expect(await subscriptions.preview(userId, plan)).toMatchObject({ available: true })
  await made(subscriptions.change(userId, { product: team.id, prorationBehavior: "next_period", subscriptionId }))
  await made(subscriptions.undoPending(userId, which))
  await made(subscriptions.change(userId, plan))
  await made(subscriptions.applyDiscount(userId, "half3", which))
  await made(subscriptions.applyDiscount(userId, null, which))
  await made(subscriptions.applyDiscount(userId, half.id, which))
  await made(subscriptions.pause(userId, { resumesAt: until, subscriptionId }))
  await made(subscriptions.resume(userId, which))
  await made(subscriptions.cancel(userId, { reason: "too_expensive", comment: "Adieu", subscriptionId }))
  await made(subscriptions.uncancel(userId, which))
  await made(subscriptions.pause(userId, which))
  await simulator.advance("400 days")
  await simulator.flush()
  await made(subscriptions.resume(userId, which))
  await made(subscriptions.revoke(userId, { reason: "unused", comment: "Not used", subscriptionId }))
  expect(sent).toEqual([
    { product_id: team.id, proration_behavior: "next_period" },
    { pending_update: null },
    { product_id: team.id, proration_behavior: "invoice" },
    { discount_id: half.id },
    { discount_id: null },
    { discount_id: half.id },
    { pause_at_period_end: true, resumes_at: until.toISOString() },
    { pause_at_period_end: false },
    {
      cancel_at_period_end: true,
      customer_cancellation_reason: "too_expensive",
      customer_cancellation_comment: "Adieu"
    },
    { cancel_at_period_end: false },
    { pause_at_period_end: true },
    { resume: true },
    { revoke: true, customer_cancellation_reason: "unused", customer_cancellation_comment: "Not used" }
  ])
  judged(exchanges)
  await billing.dispose()
})

test("quantities and trials", async () => {
  const { billing, buy, exchanges } = await billingOn()
  const { subscriptions } = billing
  const bySeats = await buy(seats.id, { seats: 3 })
  expect(await subscriptions.preview(userId, { seats: 5, subscriptionId: bySeats })).toMatchObject({ available: true })
  const five = await subscriptions.change(userId, { seats: 5, prorationBehavior: "invoice", subscriptionId: bySeats })
  expect(five).toMatchObject({ seats: 5, amount: 5000 })
  const byUnits = await buy(units.id)
  expect(await subscriptions.preview(userId, { units: 4, subscriptionId: byUnits })).toMatchObject({ available: true })
  expect(await subscriptions.change(userId, { units: 4, subscriptionId: byUnits })).toMatchObject({ units: 4 })
  const tried = await buy(trial.id)
  await subscriptions.extendTrial(userId, new Date("2028-01-01T00:00:00.000Z"), { subscriptionId: tried })
  expect(await subscriptions.endTrial(userId, { subscriptionId: tried })).toMatchObject({ status: "active" })
  judged(exchanges)
  await billing.dispose()
})

test("checkouts, with all options", async () => {
  const { billing, exchanges, last } = await billingOn()
  await billing.createCheckout(userId, seats.id, {
    customerEmail: email,
    customerName: "Ada",
    successUrl: "https://app.acme-mail.dev/welcome?checkout={CHECKOUT_ID}",
    returnUrl: "https://app.acme-mail.dev/plans",
    discountId: half.id,
    allowDiscountCodes: false,
    seats: 3,
    locale: "fr",
    embedOrigin: "https://app.acme-mail.dev",
    metadata: { campaign: "spring" }
  })
  expect(JSON.parse(last("POST", /\/v1\/checkouts\//)?.body ?? "null")).toMatchObject({
    products: [seats.id],
    discount_id: half.id,
    allow_discount_codes: false,
    seats: 3,
    locale: "fr",
    embed_origin: "https://app.acme-mail.dev"
  })
  judged(exchanges)
  await billing.dispose()
})

describe("the judge", () => {
  const request = (method: string, path: string, body: object) =>
    judgeRequest({ method, url: `https://api.polar.sh${path}`, body: JSON.stringify(body), status: 200, answer: "" })
  const path = "/v1/subscriptions/3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67"

  test.each<readonly [string, string, object]>([
    ["two kinds of changes at once", path, { seats: 3, product_id: pro }],
    ["a field that no kind has", path, { cancel_at_period_end: true, reason: "unused" }],
    ["a reason that Polar does not know", path, { cancel_at_period_end: true, customer_cancellation_reason: "bored" }],
    ["a time that is none", path, { trial_end: "tomorrow" }],
    ["another pending update", path, { pending_update: {} }]
  ])("finds %s", (_, url, body) => {
    expect(request("PATCH", url, body)).not.toEqual([])
  })

  test("finds a field of a checkout that Polar would take no notice of", () => {
    expect(request("POST", "/v1/checkouts/", { products: [pro], discount: half.id })).toEqual([
      "field discount is not documented"
    ])
    expect(request("POST", "/v1/checkouts/", { products: [pro], units: 3 })).toEqual([])
    expect(request("POST", `${path}/change-preview`, { units: 3, proration_behavior: "now" })).not.toEqual([])
  })
})
