/** The plugin in a host of KavachOS 0.2's shape, on both of its SQLite drivers, in memory and in a file. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { type PolarBilling, type PolarConfig, polar, polarOf, UnsupportedDatabase } from "@kavach-polar/http"
import Database from "better-sqlite3"
import { Effect, Layer } from "effect"
import { Webhook } from "standardwebhooks"
import { afterAll, describe, expect, expectTypeOf, test } from "vitest"
import * as PolarClientMemory from "../../packages/core/src/polar/PolarClientMemory.ts"
import { vary } from "../../packages/core/test/deliveries.ts"
import { users } from "./KavachSchema.ts"
import type { Kavach, KavachConfig, KavachPlugin } from "./KavachTypes.ts"
import { createKavach } from "./StructuralHost.ts"

const product = "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60"
const subscriptionId = "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67"
const customerId = "6b1f3c52-8f0a-4a5e-8d1b-7c9e2f4a1042"
const periodEnd = "2026-11-05T14:22:08.412Z"

const secret = "polar_whs_InventedInventedInventedInvented0123AbCdEf"
const session = { secret: "a secret of thirty-two characters or more" }

const folder = mkdtempSync(join(tmpdir(), "kavachos-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let counter = 0
const freshFile = () => join(folder, `${counter++}.sqlite`)

/** Signed by the package that Polar itself uses, with the key of the whole secret. */
const deliveryOf = (body: Uint8Array, { basePath = "", id = `evt_${counter++}` } = {}): Request => {
  const text = new TextDecoder().decode(body)
  const at = new Date()
  return new Request(`http://app.test${basePath}/auth/polar/webhook`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": `${Math.floor(at.getTime() / 1000)}`,
      "webhook-signature": new Webhook(Buffer.from(secret).toString("base64")).sign(id, at, text)
    },
    body: text
  })
}

const billingOf = (options: Partial<PolarConfig> = {}) => {
  const { client, polar: memory } = Effect.runSync(PolarClientMemory.make)
  const billing = polar({
    webhookSecret: secret,
    client: Layer.succeed(PolarClient.PolarClient, client),
    logLevel: "none",
    ...options
  })
  return { billing, checkouts: () => Effect.runPromise(memory.checkouts) }
}

interface Options {
  readonly url?: string
  readonly auth?: KavachConfig["auth"]
  readonly polar?: Partial<PolarConfig>
  readonly others?: Array<KavachPlugin>
}

const start = async (provider: "sqlite" | "sqlite-native", options: Options = {}) => {
  const { billing, checkouts } = billingOf(options.polar)
  const kavach = await createKavach({
    database: { provider, url: options.url ?? ":memory:" },
    auth: options.auth ?? { session },
    plugins: [...(options.others ?? []), billing]
  })
  return { kavach, billing, checkouts }
}

const addUser = async (kavach: Kavach, id = "usr_1042", email = "ada.martin@acme-mail.dev") => {
  const now = new Date()
  kavach.db.insert(users).values({ id, email, name: "Ada Martin", createdAt: now, updatedAt: now }).run()
  const created = await kavach.auth.session?.create(id)
  return created?.token ?? expect.fail("the host has no sessions")
}

const ask = async (kavach: Kavach, request: Request, basePath?: string) => {
  const response = await kavach.plugins.handleRequest(request, basePath)
  return response === null
    ? expect.fail(`no route for ${request.url}`)
    : { status: response.status, body: await response.json() }
}

const subscriptionRequest = (headers: Record<string, string> = {}) =>
  new Request("http://app.test/auth/polar/subscription", { headers })

const checkoutRequest = (token: string, body: unknown) =>
  new Request("http://app.test/auth/polar/checkout", {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body)
  })

/** The user's row as anybody else sees it: plain SQL, over another connection to the file. */
const rowIn = (file: string, id = "usr_1042"): Record<string, unknown> => {
  const client = new Database(file, { readonly: true })
  try {
    return Object(
      client
        .prepare(
          `SELECT polar_customer_id, polar_subscription_id, polar_subscription_status, polar_product_id,
            polar_current_period_end, typeof(polar_current_period_end) AS type_of_period_end,
            polar_cancel_at_period_end, typeof(polar_cancel_at_period_end) AS type_of_cancel
          FROM kavach_users WHERE id = ?`
        )
        .get(id)
    )
  } finally {
    client.close()
  }
}

describe.each(["sqlite", "sqlite-native"] as const)("on %s", (provider) => {
  test("starts through the host's database, without addMigration, and adds what it promises", async () => {
    const { kavach } = await start(provider)
    expect(kavach.plugins.getEndpoints().map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /auth/polar/checkout",
      "GET /auth/polar/checkout/:id",
      "GET /auth/polar/subscription",
      "GET /auth/polar/access",
      "POST /auth/polar/subscription/change",
      "POST /auth/polar/subscription/preview",
      "POST /auth/polar/subscription/cancel",
      "POST /auth/polar/subscription/uncancel",
      "POST /auth/polar/subscription/pause",
      "POST /auth/polar/subscription/resume",
      "GET /auth/polar/portal",
      "POST /auth/polar/portal",
      "GET /auth/polar/benefits",
      "GET /auth/polar/orders",
      "POST /auth/polar/webhook",
      "POST /auth/sign-out",
      "GET /auth/session"
    ])
    expect(Object.keys(kavach.plugins.getContext())).toEqual(["polar"])
    expect(kavach.plugins.registry.hooks).toEqual([])
    // The host itself never makes this available; see polarOf.
    expect("polar" in kavach.plugins).toBe(false)
    expect(await polarOf(kavach).getSubscription("usr_1042")).toBeNull()
    expectTypeOf(polarOf(kavach)).toEqualTypeOf<PolarBilling>()
  })

  test("checkout, delivery, reading: for the user of the session, by bearer token and by cookie", async () => {
    const { checkouts, kavach } = await start(provider)
    const token = await addUser(kavach)
    const other = await addUser(kavach, "usr_1043", "lin.osei@acme-mail.dev")

    const bought = await ask(
      kavach,
      checkoutRequest(token, { productId: product, successUrl: "http://app.test/thanks" })
    )
    const [{ input, session } = expect.fail("no checkout")] = await checkouts()
    expect(bought).toEqual({ status: 200, body: { url: session.url, id: session.id } })
    expect(input.metadata).toEqual({ kavach_user_id: "usr_1042", kavach_checkout: "recorded" })

    expect(await ask(kavach, deliveryOf(vary("subscription.active")))).toEqual({
      status: 200,
      body: { received: true }
    })
    const mine = {
      status: 200,
      body: {
        subscription: {
          id: subscriptionId,
          status: "active",
          productId: product,
          currentPeriodEnd: periodEnd,
          cancelAtPeriodEnd: false
        }
      }
    }
    const read = (headers: Record<string, string>) => ask(kavach, subscriptionRequest(headers))
    expect(await read({ authorization: `Bearer ${token}` })).toEqual(mine)
    expect(await read({ cookie: `theme=dark; kavach_session=${token}` })).toEqual(mine)
    expect(await read({ authorization: `Bearer ${other}` })).toEqual({ status: 200, body: { subscription: null } })
    for (const headers of [{}, { authorization: `bearer ${token}` }, { authorization: "Bearer nobody" }]) {
      expect(await read(headers)).toEqual({ status: 401, body: { error: "Authentication required" } })
    }
    expect(await polarOf(kavach).getSubscription("usr_1042")).toMatchObject({ status: "active" })
    expect(await polarOf(kavach).access("usr_1042")).toMatchObject({ entitlement: "granted" })
  })

  test("the host's own columns hold what the host's own code reads there", async () => {
    const url = freshFile()
    const { kavach } = await start(provider, { url })
    await addUser(kavach)
    await addUser(kavach, "usr_1043", "lin.osei@acme-mail.dev")
    await ask(kavach, deliveryOf(vary("subscription.active", { timestamp: "2026-10-05T14:22:09Z" })))
    const active = {
      polar_customer_id: customerId,
      polar_subscription_id: subscriptionId,
      polar_subscription_status: "active",
      polar_product_id: product,
      polar_current_period_end: Math.floor(Date.parse(periodEnd) / 1000),
      type_of_period_end: "integer",
      polar_cancel_at_period_end: 0,
      type_of_cancel: "integer"
    }
    expect(rowIn(url)).toEqual(active)

    // To end on a day that has not come: of one that has passed, the columns show the end.
    const canceled = { timestamp: "2026-10-06T00:00:00Z", data: { ends_at: "2126-11-05T14:22:08.412Z" } }
    await ask(kavach, deliveryOf(vary("subscription.canceled", canceled)))
    expect(rowIn(url)).toEqual({ ...active, polar_cancel_at_period_end: 1 })

    await ask(kavach, deliveryOf(vary("subscription.revoked", { timestamp: "2026-11-05T14:22:09Z" })))
    expect(rowIn(url)).toMatchObject({ polar_subscription_status: "canceled" })
    expect(await polarOf(kavach).getSubscription("usr_1042")).toBeNull()
    expect(await polarOf(kavach).access("usr_1042")).toMatchObject({ entitlement: "denied" })
    expect(await polarOf(kavach).listSubscriptions("usr_1042")).toHaveLength(1)

    // Late, and older than the end: it brings nothing back.
    await ask(kavach, deliveryOf(vary("subscription.updated", { timestamp: "2026-10-05T14:22:10Z" })))
    expect(await polarOf(kavach).getSubscription("usr_1042")).toBeNull()
    expect(rowIn(url)).toMatchObject({ polar_subscription_status: "canceled" })
    expect(rowIn(url, "usr_1043")).toMatchObject({ polar_customer_id: null, polar_subscription_status: null })
  })

  test("a file survives the process, with all that was acknowledged", async () => {
    const url = freshFile()
    const first = await start(provider, { url })
    const token = await addUser(first.kavach)
    const delivery = vary("subscription.active")
    expect((await ask(first.kavach, deliveryOf(delivery, { id: "evt_kept" }))).status).toBe(200)
    // As a crash would leave it: whatever the host has not saved by now is lost.
    const bytes = readFileSync(url)
    await first.billing.dispose()
    expect(bytes.subarray(0, 15).toString()).toBe("SQLite format 3")

    const told: Array<string> = []
    const { kavach } = await start(provider, {
      url,
      polar: { onSubscriptionChange: (userId, { status }) => void told.push(`${userId} ${status}`) }
    })
    expect(await ask(kavach, subscriptionRequest({ authorization: `Bearer ${token}` }))).toMatchObject({
      status: 200,
      body: { subscription: { id: subscriptionId, status: "active" } }
    })
    expect((await ask(kavach, deliveryOf(delivery, { id: "evt_kept" }))).status).toBe(200)
    expect(await polarOf(kavach).listSubscriptions("usr_1042")).toHaveLength(1)
    expect(rowIn(url)).toMatchObject({ polar_subscription_status: "active" })
    await polarOf(kavach).dispose()
    expect(told.filter((line) => line === "usr_1042 active").length).toBeLessThanOrEqual(1)
  })

  test("the app is told of a change, once, with the documented fields", async () => {
    const told: Array<unknown> = []
    const { billing, kavach } = await start(provider, {
      url: freshFile(),
      polar: { onSubscriptionChange: async (userId, subscription) => void told.push({ userId, ...subscription }) }
    })
    await addUser(kavach)
    for (const id of ["evt_once", "evt_once", "evt_other"]) {
      await ask(kavach, deliveryOf(vary("subscription.active"), { id }))
    }
    await expect.poll(() => told.length).toBeGreaterThan(0)
    await billing.dispose()
    expect(told).toEqual([
      {
        userId: "usr_1042",
        id: subscriptionId,
        status: "active",
        productId: product,
        currentPeriodEnd: new Date(periodEnd),
        cancelAtPeriodEnd: false,
        seats: null,
        amount: 1900,
        currency: "usd",
        trialEndsAt: null,
        access: { entitlement: "granted", reason: "The subscription is active.", until: null }
      }
    ])
  })

  test("without sessions nobody is signed in, and deliveries work all the same", async () => {
    const { kavach } = await start(provider, { auth: {} })
    expect(await ask(kavach, subscriptionRequest({ authorization: "Bearer x", cookie: "kavach_session=x" }))).toEqual({
      status: 401,
      body: { error: "Authentication required" }
    })
    expect((await ask(kavach, checkoutRequest("x", { productId: product }))).status).toBe(401)
    expect((await ask(kavach, deliveryOf(vary("subscription.active")))).status).toBe(200)
    expect(await polarOf(kavach).getSubscription("usr_1042")).toMatchObject({ status: "active" })
  })

  test("a user of an auth adapter, who has no row in the users' table", async () => {
    const { checkouts, kavach } = await start(provider, {
      auth: { adapter: { resolveUser: async () => ({ id: "ext_1", email: "eve@acme-mail.dev", name: "Eve" }) } }
    })
    expect((await ask(kavach, checkoutRequest("none", { productId: product }))).status).toBe(200)
    const [{ input } = expect.fail("no checkout")] = await checkouts()
    expect(input.metadata).toEqual({ kavach_user_id: "ext_1", kavach_checkout: "recorded" })
  })

  test("behind a base path, with and without it; other paths and methods are left to the app", async () => {
    const { kavach } = await start(provider)
    const basePath = "/api/kavach"
    const delivery = () => deliveryOf(vary("subscription.active"), { basePath })
    expect((await ask(kavach, delivery(), basePath)).status).toBe(200)
    expect((await ask(kavach, deliveryOf(vary("subscription.active")), basePath)).status).toBe(200)
    expect(await kavach.plugins.handleRequest(delivery())).toBeNull()
    for (const method of ["GET", "HEAD", "OPTIONS"]) {
      const request = new Request("http://app.test/auth/polar/webhook", { method })
      expect(await kavach.plugins.handleRequest(request)).toBeNull()
    }
  })

  test("a delivery whose bytes were changed on the way says where to look", async () => {
    const { kavach } = await start(provider)
    const genuine = deliveryOf(vary("subscription.active"))
    const reencoded = JSON.stringify(await genuine.clone().json(), null, 1)
    const changed = new Request(genuine.url, { method: "POST", headers: genuine.headers, body: reencoded })
    expect(await ask(kavach, changed)).toEqual({ status: 403, body: { error: expect.stringContaining("signature") } })
  })

  test("hundreds of deliveries at once, doubled and shuffled, and a host that writes in between", async () => {
    const url = freshFile()
    const { kavach } = await start(provider, { url })
    await addUser(kavach)
    const names = ["created", "active", "updated", "canceled", "uncanceled"]
    const deliveries = Array.from({ length: 100 }, (_, index) =>
      deliveryOf(
        vary(`subscription.${names[index % names.length]}`, {
          timestamp: `2026-10-05T14:23:${String(index % 50).padStart(2, "0")}Z`
        }),
        { id: `evt_storm_${index % 50}` }
      )
    )
    const answers = await Promise.all(
      deliveries.reverse().map(async (delivery, index) => {
        if (index % 10 === 0) await addUser(kavach, `usr_${index}`, `user${index}@acme-mail.dev`)
        return ask(kavach, delivery)
      })
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    // The newest is the 50th: uncanceled.
    expect(rowIn(url)).toMatchObject({ polar_subscription_status: "active", polar_cancel_at_period_end: 0 })
    expect(await polarOf(kavach).listSubscriptions("usr_1042")).toHaveLength(1)
  })

  test("users' tables of another age: polar_* columns are added, and foreign keys stay as they were", async () => {
    const url = freshFile()
    const client = new Database(url)
    client.exec(`CREATE TABLE kavach_users (id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT,
      metadata TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)`)
    client.exec("INSERT INTO kavach_users VALUES ('usr_1042', 'ada.martin@acme-mail.dev', NULL, NULL, 1, 1)")
    client.close()
    const { kavach } = await start(provider, { url })
    expect((await ask(kavach, deliveryOf(vary("subscription.active")))).status).toBe(200)
    expect(rowIn(url)).toMatchObject({ polar_subscription_status: "active", polar_customer_id: customerId })
    expect(kavach.db.all("PRAGMA foreign_keys")).toEqual([{ foreign_keys: 1 }])
  })
})

describe("what the host does to plugins", () => {
  test("addMigration works on one of the two providers only, so that nothing here may use it", async () => {
    const other: KavachPlugin = {
      id: "other",
      init: async ({ addMigration }) => void addMigration("CREATE TABLE other (id TEXT)")
    }
    await expect(start("sqlite-native", { others: [other] })).rejects.toThrow("runMigrations: unsupported provider")
    await start("sqlite", { others: [other] })
  })

  test("a provider that it does not know keeps the host from starting; tables that do not fit, only billing", async () => {
    for (const provider of ["d1", "abacus"] as const) {
      const { billing } = billingOf()
      const init = billing.init({ db: {}, config: { database: { provider } }, addEndpoint: () => {} })
      await expect(init).rejects.toThrow(UnsupportedDatabase)
      await expect(init).rejects.toThrow(`the database provider "${provider}"`)
    }
    const broken = freshFile()
    const client = new Database(broken)
    client.exec("CREATE TABLE kavach_users (id INTEGER PRIMARY KEY, email TEXT)")
    client.close()
    for (const provider of ["sqlite", "sqlite-native"] as const) {
      const { billing, kavach } = await start(provider, { url: broken })
      const answer = await kavach.plugins.handleRequest(new Request("http://app.test/auth/polar/subscription"))
      expect(answer?.status).toBe(503)
      await expect(billing.getSubscription("usr_1042")).rejects.toMatchObject({ _tag: "StoreError", reason: "schema" })
    }
  })

  test("a handler that rejects rejects the host: ours never do, whatever comes", async () => {
    const { kavach } = await start("sqlite", {
      auth: { adapter: { resolveUser: async () => null } },
      others: [
        {
          id: "rude",
          init: async ({ addEndpoint }) =>
            void addEndpoint({ method: "GET", path: "/rude", handler: () => Promise.reject(new Error("rude")) })
        }
      ]
    })
    await expect(kavach.plugins.handleRequest(new Request("http://app.test/rude"))).rejects.toThrow("rude")
    for (const endpoint of kavach.plugins.getEndpoints().filter(({ path }) => path.startsWith("/auth/polar/"))) {
      for (const body of ["null", "[]", "{", "7", '"x"', "\u0000"]) {
        const request = new Request("http://app.test/x", { method: "POST", body })
        const response = await endpoint.handler(request, {
          db: kavach.db,
          getUser: () => Promise.reject(new Error("the session store is gone")),
          getSession: async () => null
        })
        expect([400, 503]).toContain(response.status)
      }
    }
  })

  test("the plugin is one of the host's type, as it stands", () => {
    expectTypeOf(billingOf().billing).toExtend<KavachPlugin>()
    expectTypeOf(polar).returns.toExtend<KavachPlugin>()
  })
})
