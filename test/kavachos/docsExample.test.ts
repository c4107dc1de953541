/** The example of KavachOS's documentation for Polar, as it is printed there: it type-checks, and it runs. */
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { createKavach, type PolarSubscription, polar } from "@kavach-polar/http"
import { afterAll, beforeAll, expect, expectTypeOf, test, vi } from "vitest"
import { fixture } from "../../packages/core/test/deliveries.ts"

const product = "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60"
const customerId = "6b1f3c52-8f0a-4a5e-8d1b-7c9e2f4a1042"
const checkoutId = "4d5e6f7a-cf1e-4d3c-ab5a-6e7f8a9b0c68"
const secret = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="

interface Asked {
  readonly line: string
  readonly headers: IncomingMessage["headers"]
  readonly body: unknown
}

/** Answers what Polar does to the two calls that a checkout takes. */
let server: Server
let apiBaseUrl = ""
const asked: Array<Asked> = []

beforeAll(async () => {
  server = createServer((incoming, outgoing) => {
    const chunks: Array<Buffer> = []
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
    incoming.on("end", () => {
      const line = `${incoming.method} ${incoming.url}`
      const body = JSON.parse(Buffer.concat(chunks).toString() || "null")
      asked.push({ line, headers: incoming.headers, body })
      const [status, answer] = answerTo(line, body)
      outgoing.writeHead(status, { "content-type": "application/json", "polar-version": "2026-10" })
      outgoing.end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  apiBaseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  vi.stubEnv("POLAR_ACCESS_TOKEN", "polar_oat_InventedInventedInvented")
  vi.stubEnv("POLAR_WEBHOOK_SECRET", secret)
  vi.stubEnv("DATABASE_URL", ":memory:")
})

afterAll(() => {
  vi.unstubAllEnvs()
  server.closeAllConnections()
  server.close()
})

const answerTo = (line: string, body: Record<string, unknown>): [status: number, answer: unknown] => {
  switch (line) {
    case "POST /v1/customers/":
      return [
        201,
        {
          id: customerId,
          created_at: "2026-10-05T14:21:57.103482Z",
          modified_at: null,
          metadata: body["metadata"],
          external_id: body["external_id"],
          email: body["email"],
          email_verified: false,
          name: body["name"] ?? null,
          organization_id: "0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01",
          deleted_at: null
        }
      ]
    case "POST /v1/checkouts/":
      return [
        201,
        {
          id: checkoutId,
          created_at: "2026-10-05T14:21:58Z",
          url: "https://sandbox.polar.sh/checkout/polar_c_invented",
          expires_at: "2026-10-06T14:21:58Z",
          success_url: body["success_url"],
          customer_id: body["customer_id"] ?? null,
          status: "open"
        }
      ]
    default:
      return [404, { error: "ResourceNotFound", detail: "Not found" }]
  }
}

test("set up, check out, receive, read", async () => {
  const changes: Array<[userId: string, status: string]> = []
  const userId = "usr_1042"
  const successUrl = "https://app.example.com/thanks?checkout_id={CHECKOUT_ID}"

  const kavach = await createKavach({
    database: { provider: "sqlite", url: process.env["DATABASE_URL"] },
    plugins: [
      polar({
        accessToken: process.env["POLAR_ACCESS_TOKEN"],
        webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
        sandbox: true,
        apiBaseUrl,
        logLevel: "none",
        onSubscriptionChange: async (userId, sub) => {
          changes.push([userId, sub.status])
        }
      })
    ],
    getUser: () => ({ id: userId, email: "ada.martin@acme-mail.dev" })
  })

  const { url } = await kavach.plugins.polar.createCheckout(userId, "product_xxx", { successUrl })
  expect(url).toBe("https://sandbox.polar.sh/checkout/polar_c_invented")
  const [checkout] = asked
  expect(asked.map(({ line }) => line)).toEqual(["POST /v1/checkouts/"])
  expect(checkout?.headers).toMatchObject({
    authorization: "Bearer polar_oat_InventedInventedInvented",
    "polar-version": "2026-10",
    "content-type": expect.stringMatching(/^application\/json/)
  })
  expect(checkout?.body).toMatchObject({
    products: ["product_xxx"],
    success_url: successUrl,
    external_customer_id: userId,
    metadata: { kavach_user_id: userId }
  })

  // The same over HTTP, where the session knows the user's address. Nobody says that it is verified, so it only fills in the form.
  const response = await kavach.plugins.handleRequest(
    new Request("http://app.test/auth/polar/checkout", { method: "POST", body: JSON.stringify({ productId: product }) })
  )
  expect([response?.status, await response?.json()]).toEqual([200, { url, id: checkoutId }])
  expect(asked.slice(1).map(({ line, body }) => [line, body])).toMatchObject([
    [
      "POST /v1/checkouts/",
      { customer_email: "ada.martin@acme-mail.dev", external_customer_id: userId, products: [product] }
    ]
  ])

  const body = fixture("subscription.active")
  const headers = WebhookVerifier.signedHeaders({
    secret,
    id: "evt_docs",
    timestampSeconds: Math.floor(Date.now() / 1000),
    body
  })
  const received = await kavach.plugins.handleRequest(
    new Request("http://app.test/auth/polar/webhook", { method: "POST", headers: { ...headers }, body })
  )
  expect([received?.status, await received?.json()]).toEqual([200, { received: true }])

  const sub = await kavach.plugins.polar.getSubscription(userId)
  expectTypeOf(sub).toEqualTypeOf<PolarSubscription | null>()
  if (sub?.status === "active") {
    expectTypeOf(sub.currentPeriodEnd).toEqualTypeOf<Date | null>()
    expect(sub).toEqual({
      id: "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67",
      status: "active",
      productId: product,
      currentPeriodEnd: new Date("2026-11-05T14:22:08.412Z"),
      cancelAtPeriodEnd: false
    })
  } else {
    expect.fail("the subscription is not active")
  }

  await kavach.close()
  expect(changes).toEqual([[userId, "active"]])
})

test("the other documented shapes of the configuration type-check", () => {
  const onPostgres = () =>
    createKavach({
      database: { provider: "postgres", url: process.env["DATABASE_URL"] },
      plugins: [
        polar({
          accessToken: process.env["POLAR_ACCESS_TOKEN"],
          webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
          organizationId: process.env["POLAR_ORGANIZATION_ID"],
          sandbox: process.env["NODE_ENV"] !== "production",
          onSubscriptionChange: (userId, sub) => void [userId, sub.id, sub.status, sub.productId]
        })
      ]
    })
  expectTypeOf<Awaited<ReturnType<typeof onPostgres>>["plugins"]["polar"]["createCheckout"]>().toBeFunction()

  const withoutPlugins = () => createKavach({ database: { provider: "mysql", url: "mysql://x" }, plugins: [] })
  expectTypeOf<Awaited<ReturnType<typeof withoutPlugins>>["plugins"]>().not.toHaveProperty("polar")
  expectTypeOf<Awaited<ReturnType<typeof withoutPlugins>>["plugins"]>().toHaveProperty("handleRequest")

  // @ts-expect-error a misspelt option
  expect(() => polar({ acessToken: "x", webhookSecret: "y" })).toThrow("acessToken: there is no such option")
})
