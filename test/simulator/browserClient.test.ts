/** `@kavach-polar/client` over HTTP: every route of the app, which sells at the simulator. */
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { createPolarClient, type PolarClient, PolarClientError } from "@kavach-polar/client"
import { createKavach, type Polar, polar } from "@kavach-polar/http"
import { serve as serveHttp } from "@kavach-polar/http/NodeServer"
import { Seed, type Served, serve } from "@kavach-polar/simulator"
import { expect, test } from "vitest"
import { pro, webhookSecret } from "./BillingScene.ts"

const { team } = Seed.products

interface App {
  readonly simulator: Served
  readonly billing: Polar<"pro" | "team">
  readonly clientOf: (user?: string) => PolarClient
}

const withApp = async (use: (app: App) => Promise<void>) => {
  const simulator = await serve({ allowMultipleSubscriptions: true })
  const billing = polar({
    emailVerified: () => true,
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret,
    logLevel: "none",
    products: { pro, team: team.id },
    store: SqliteStore.layer({ filename: ":memory:" })
  })
  const kavach = await createKavach({
    database: { provider: "sqlite", url: ":memory:" },
    plugins: [billing],
    getUser: async (request) => {
      const id = request.headers.get("authorization")
      return id === null ? null : { id, email: `${id}@acme-mail.dev` }
    }
  })
  const server = await serveHttp({
    host: "127.0.0.1",
    port: 0,
    handle: async (request) =>
      (await kavach.plugins.handleRequest(request, "/api/kavach")) ??
      new Response("<h1>Not found</h1>", { status: 404 })
  })
  try {
    await simulator.connect((request) => billing.webhook(request), { secret: webhookSecret })
    await use({
      simulator,
      billing,
      clientOf: (user) =>
        createPolarClient({
          baseUrl: `${server.url}/api/kavach/`,
          ...(user === undefined ? {} : { headers: async () => ({ authorization: user }) })
        })
    })
  } finally {
    await server.close()
    await kavach.close()
    await simulator.close()
  }
}

const failure = (call: Promise<unknown>): Promise<PolarClientError> =>
  call.then(
    (answer) => expect.fail(`answered ${JSON.stringify(answer)}`),
    (error) => {
      expect(error).toBeInstanceOf(PolarClientError)
      return error
    }
  )

test("a user buys, upgrades, cancels, comes back and pauses", async () => {
  await withApp(async ({ billing, clientOf, simulator }) => {
    const client = clientOf("ada")
    expect(await client.subscription.get()).toBeNull()
    expect(await client.access()).toMatchObject({ hasAccess: false, entitlement: "denied" })

    const created = await client.checkout({ productId: "pro", successUrl: "/welcome?checkout={CHECKOUT_ID}" })
    expect(created).toEqual({ id: expect.any(String), url: expect.stringMatching(/^http/), outcome: "created" })
    expect(await client.completeCheckout(created.id)).toMatchObject({ status: "open", subscription: null })
    await simulator.pay(created.id, { customer_email: "ada@acme-mail.dev" })
    // What Polar said a moment ago is said again for a second.
    await expect
      .poll(() => client.completeCheckout(created.id).then(({ status }) => status), { timeout: 10_000 })
      .toBe("succeeded")
    expect(await client.completeCheckout(created.id)).toMatchObject({
      status: "succeeded",
      subscription: { productId: pro },
      order: { status: "paid" },
      access: { entitlement: "granted" }
    })
    await simulator.flush()

    const current = await client.subscription.get()
    expect(current).toMatchObject({ productId: pro, status: "active" })
    // Times are texts.
    const stored = (await billing.getSubscription("ada"))?.currentPeriodEnd
    expect(current?.currentPeriodEnd).toBe(stored?.toISOString())
    expect(await client.access({ product: ["team", "pro"] })).toMatchObject({ hasAccess: true })
    expect(await client.access({ product: "team" })).toMatchObject({ hasAccess: false })
    expect(await client.orders.list()).toEqual([expect.objectContaining({ status: "paid", productId: pro })])
    expect(await client.benefits.list()).toEqual(JSON.parse(JSON.stringify(await billing.benefits.list("ada"))))

    let changes = 0
    const stop = client.onChange(() => {
      changes++
    })
    const preview = await client.subscription.preview({ productId: "team" })
    expect(preview).toMatchObject({ available: true, currency: "usd" })
    expect(preview.available && preview.due).toBeGreaterThan(0)
    expect(changes).toBe(0)
    expect(await client.subscription.change({ productId: "team" })).toMatchObject({ productId: team.id })
    expect(await client.subscription.cancel({ reason: "unused", comment: "later" })).toMatchObject({
      cancelAtPeriodEnd: true
    })
    const ends = (await client.access()).until
    expect(ends).toBe((await client.subscription.get())?.currentPeriodEnd)
    expect(await client.subscription.uncancel()).toMatchObject({ cancelAtPeriodEnd: false })
    expect(await client.subscription.pause({ resumesAt: "2028-01-01T00:00:00Z" })).toMatchObject({
      pauseAtPeriodEnd: true,
      resumesAt: "2028-01-01T00:00:00.000Z"
    })
    expect(await client.subscription.resume()).toMatchObject({ pauseAtPeriodEnd: false })
    expect(changes).toBe(5)
    stop()
    expect((await failure(client.subscription.change({ productId: "enterprise" }))).message).toBe(
      "Invalid productId: there is no such product"
    )
    expect(changes).toBe(5)
    expect((await client.portal({ returnUrl: created.url }).catch((error) => error)).status).toBe(400)
    expect(await client.portal()).toEqual({ url: expect.stringMatching(/^http.*token=/) })
  })
})

test("what goes wrong has a status, a code and the server's sentence", async () => {
  await withApp(async ({ billing, clientOf, simulator }) => {
    expect(await failure(clientOf().subscription.get())).toMatchObject({
      name: "PolarClientError",
      status: 401,
      code: "not_signed_in",
      message: "Authentication required"
    })
    const ada = clientOf("ada")
    expect(await failure(ada.subscription.cancel())).toMatchObject({ status: 404, code: "not_found" })
    expect(await failure(ada.checkout({ productId: "enterprise" }))).toMatchObject({
      status: 400,
      code: "invalid_request",
      message: "Invalid productId: there is no such product"
    })
    expect(await failure(ada.access({ product: "a&b" }))).toMatchObject({ status: 400, code: "invalid_request" })

    const { id } = await billing.createCheckout("ada", "pro", { customerEmail: "ada@acme-mail.dev" })
    await simulator.pay(id, { customer_email: "ada@acme-mail.dev" })
    await simulator.flush()
    const [mine] = await billing.listSubscriptions("ada")
    expect(await failure(ada.subscription.change({ productId: "pro", seats: 2 } as never))).toMatchObject({
      status: 400,
      message: "Say one of productId, seats and units"
    })
    await ada.subscription.cancel()
    expect(await failure(ada.subscription.change({ productId: "team" }))).toMatchObject({
      status: 409,
      code: "conflict",
      message: "Your subscription is scheduled to end: undo that first"
    })
    // Another user's ids lead nowhere.
    const mallory = clientOf("mallory")
    const theirs = { subscriptionId: String(mine?.id) }
    expect(await failure(mallory.subscription.uncancel(theirs))).toMatchObject({ status: 404, code: "not_found" })
    expect(await failure(mallory.completeCheckout(id))).toMatchObject({ status: 404, code: "not_found" })
    expect(await failure(mallory.completeCheckout("../subscription"))).toMatchObject({ status: 400 })
  })
})
