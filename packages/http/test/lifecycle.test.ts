import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { StoreError, type StoreErrorReason } from "@kavach-polar/core/StoreError"
import {
  AlreadyInitialized,
  createKavach,
  Disposed,
  InvalidDatabase,
  NotConnected,
  type PluginEndpoint,
  type PolarConfig,
  polar,
  polarOf,
  UnsupportedDatabase
} from "@kavach-polar/http"
import Database from "better-sqlite3"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { Effect, Layer } from "effect"
import { afterEach, describe, expect, test, vi } from "vitest"
import { fixture } from "../../core/test/deliveries.ts"
import { deliveryOf, memoryPolar, product, requestOf, secret, startHost, userOf } from "./host.ts"

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** A store in memory, some of whose operations are replaced. */
const storeWith = (change: (store: BillingStore.BillingStoreService) => Partial<BillingStore.BillingStoreService>) =>
  Layer.effect(
    BillingStore.BillingStore,
    Effect.map(BillingStore.BillingStore, (store) => ({ ...store, ...change(store) }))
  ).pipe(Layer.provide(BillingStore.layerMemory))

const billingOf = (options: Partial<PolarConfig> = {}) =>
  polar({ webhookSecret: secret, client: memoryPolar().client, logLevel: "none", ...options })

const hostOf = (billing: ReturnType<typeof polar>) =>
  createKavach({ database: { provider: "sqlite", url: ":memory:" }, plugins: [billing], getUser: userOf })

const storeError = (reason: StoreErrorReason) =>
  new StoreError({ operation: "migrate", reason, detail: "SQLITE_X: of no concern to anybody" })

describe("at start", () => {
  test("storage that fails in passing does not keep the host from starting; the next call tries again", async () => {
    for (const reason of ["unavailable", "busy", "readOnly", "full", "denied", "unknown"] as const) {
      let failures = 2
      const store = storeWith(({ migrate }) => ({
        migrate: Effect.suspend(() => (failures-- > 0 ? storeError(reason) : migrate))
      }))
      await using kavach = await hostOf(billingOf({ store }))
      const ask = () => kavach.plugins.handleRequest(requestOf("GET", "/auth/polar/subscription", { user: "usr_1042" }))
      const first = await ask()
      expect([first?.status, first?.headers.get("retry-after")]).toEqual([503, "5"])
      expect(await first?.json()).toEqual({ error: "Billing is temporarily unavailable" })
      const second = await ask()
      expect([second?.status, await second?.json()]).toEqual([200, { subscription: null }])
      expect(await kavach.plugins.polar.getSubscription("usr_1042")).toBeNull()
    }
  })

  test("tables that take long to be ready keep nobody waiting, and are used once they are", async () => {
    let ready = () => {}
    const made = new Promise<void>((resolve) => {
      ready = resolve
    })
    const store = storeWith(({ migrate }) => ({
      migrate: Effect.zipRight(
        Effect.promise(() => made),
        migrate
      )
    }))
    const billing = billingOf({ store })
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    const call = billing.access("usr_1042").catch((error: unknown) => error)
    const request = billing.webhook(deliveryOf(fixture("subscription.active")))
    await vi.advanceTimersByTimeAsync(5000)
    vi.useRealTimers()
    expect(await call).toMatchObject({ _tag: "StoreError", reason: "unavailable" })
    const refused = await request
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"])
    ready()
    expect(await billing.getSubscription("usr_1042")).toBeNull()
    await billing.dispose()
  })

  test("the promise API rejects with the StoreError meanwhile, and works afterwards", async () => {
    let failures = 2
    const store = storeWith(({ migrate }) => ({
      migrate: Effect.suspend(() => (failures-- > 0 ? storeError("busy") : migrate))
    }))
    const billing = billingOf({ store })
    await expect(billing.getSubscription("usr_1042")).rejects.toMatchObject({ _tag: "StoreError", reason: "busy" })
    const together = await Promise.allSettled([1, 2, 3].map(() => billing.getSubscription("usr_1042")))
    expect(together.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"])
    expect(failures).toBe(0)
    expect(await billing.getSubscription("usr_1042")).toBeNull()
    await billing.dispose()
  })

  test("a store that cannot be opened is opened again by the next call", async () => {
    let opened = 0
    const store = Layer.unwrapEffect(
      Effect.suspend(() =>
        opened++ < 2 ? Effect.fail(storeError("unavailable")) : Effect.succeed(BillingStore.layerMemory)
      )
    )
    await using kavach = await hostOf(billingOf({ store }))
    const response = await kavach.plugins.handleRequest(deliveryOf(fixture("subscription.active")))
    expect(response?.status).toBe(503)
    expect((await kavach.plugins.handleRequest(deliveryOf(fixture("subscription.active"))))?.status).toBe(200)
    expect((await kavach.plugins.polar.getSubscription("usr_1042"))?.status).toBe("active")
    expect(opened).toBe(3)
  })

  test("tables that do not fit do not keep the host from starting: every call of billing says so", async () => {
    const store = storeWith(() => ({ migrate: storeError("schema") }))
    await using kavach = await hostOf(billingOf({ store }))
    for (const attempt of [1, 2]) {
      const response = await kavach.plugins.handleRequest(
        requestOf("GET", "/auth/polar/subscription", { user: "usr_1042" })
      )
      expect([attempt, response?.status]).toEqual([attempt, 503])
      await expect(kavach.plugins.polar.getSubscription("usr_1042")).rejects.toMatchObject({
        _tag: "StoreError",
        reason: "schema"
      })
    }
  })

  test("a defect keeps the host from starting", async () => {
    const store = storeWith(() => ({ migrate: Effect.die(new TypeError("a bug")) }))
    await expect(hostOf(billingOf({ store }))).rejects.toThrow("a bug")
  })

  test("without a database, calls say what to do", async () => {
    const billing = billingOf()
    await expect(billing.getSubscription("usr_1042")).rejects.toThrow(NotConnected)
    const response = await billing.webhook(deliveryOf(fixture("subscription.active")))
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"])
    await billing.dispose()
  })

  test("a database that nothing can open, or nothing fits, is said clearly", async () => {
    const open = (provider: string, url: string | undefined) =>
      createKavach({ database: { provider: provider as "sqlite", url }, plugins: [billingOf()] })
    await expect(open("sqlite", undefined)).rejects.toThrow(InvalidDatabase)
    await expect(open("sqlite", "  ")).rejects.toThrow("createKavach(): database: url is missing")
    await expect(open("abacus", "abacus://x")).rejects.toThrow(UnsupportedDatabase)
    await expect(open("abacus", "abacus://x")).rejects.toThrow('the database provider "abacus"')
    await expect(open("sqlite", "/no/such/folder/x.sqlite")).rejects.toThrow("/no/such/folder")
  })

  test("one polar() belongs to one host, and a second host does that one no harm", async () => {
    const billing = billingOf()
    await using kavach = await hostOf(billing)
    await expect(hostOf(billing)).rejects.toThrow(AlreadyInitialized)
    expect(await kavach.plugins.polar.getSubscription("usr_1042")).toBeNull()
  })

  test("nothing is logged at level none, whatever fails", async () => {
    const lines: Array<unknown> = []
    for (const method of ["log", "info", "warn", "error", "debug"] as const) {
      vi.spyOn(globalThis.console, method).mockImplementation(
        (...line: ReadonlyArray<unknown>) => void lines.push(...line)
      )
    }
    const store = storeWith(() => ({
      migrate: storeError("busy"),
      claimNotifications: () => storeError("busy")
    }))
    const fail = async (logLevel: "none" | "error") => {
      await using kavach = await hostOf(billingOf({ store, logLevel }))
      await kavach.plugins.handleRequest(deliveryOf(fixture("subscription.active")))
      await using other = await startHost({
        logLevel,
        store: storeWith(() => ({
          liveSubscriptionsOf: () => storeError("busy"),
          claimNotifications: () => storeError("busy")
        }))
      })
      await other.subscription()
    }
    await fail("none")
    expect(lines).toEqual([])
    await fail("error")
    expect(lines.length).toBeGreaterThanOrEqual(3)
    expect(lines.join("\n")).toContain("SQLITE_X")
  })

  test("a new database is started without a word at level warning", async () => {
    const lines: Array<unknown> = []
    vi.spyOn(globalThis.console, "log").mockImplementation((line) => void lines.push(line))
    await using host = await startHost({ logLevel: "warning", products: [product], onSubscriptionChange: () => {} })
    await host.deliver(fixture("subscription.active"))
    await host.checkout({ productId: product })
    expect(lines).toEqual([])
  })
})

describe("dispose()", () => {
  const slowStore = (millis: number) =>
    storeWith(({ liveSubscriptionsOf }) => ({
      liveSubscriptionsOf: (userId) => Effect.delay(liveSubscriptionsOf(userId), millis)
    }))

  test("calls under way finish, later ones are refused, and twice is safe", async () => {
    const billing = billingOf({ store: slowStore(100) })
    const call = billing.getSubscription("usr_1042")
    await new Promise((resolve) => setTimeout(resolve, 20))
    const [first, second] = [billing.dispose(), billing.dispose()]
    await expect(billing.getSubscription("usr_1042")).rejects.toThrow(Disposed)
    const refused = await billing.webhook(deliveryOf(fixture("subscription.active")))
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"])
    expect(await call).toBeNull()
    await first
    await second
    await billing.dispose()
    await expect(billing.access("usr_1042")).rejects.toThrow(Disposed)
  })

  test("calls that hang end with Disposed, requests with 503, within ten seconds", async () => {
    const billing = billingOf({ store: storeWith(() => ({ liveSubscriptionsOf: () => Effect.never })) })
    await using kavach = await hostOf(billing)
    const call = billing.getSubscription("usr_1042").catch((error: unknown) => error)
    const request = kavach.plugins.handleRequest(requestOf("GET", "/auth/polar/subscription", { user: "usr_1042" }))
    const [endpoint] = kavach.plugins.getEndpoints()
    const stuckHost = endpoint?.handler(requestOf("POST", "/auth/polar/checkout"), {
      getUser: () => new Promise(() => {})
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    let over = false
    const disposed = billing.dispose().then(() => {
      over = true
    })
    await vi.advanceTimersByTimeAsync(7_900)
    expect(over).toBe(false)
    await vi.advanceTimersByTimeAsync(2_100)
    vi.useRealTimers()
    expect(await call).toBeInstanceOf(Disposed)
    expect((await request)?.status).toBe(503)
    expect((await stuckHost)?.status).toBe(503)
    await disposed
  })

  test("ends within ten seconds, whatever does not end", async () => {
    const never = Effect.uninterruptible(Effect.never)
    const open = Layer.scoped(
      BillingStore.BillingStore,
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => never)
        return { ...(yield* BillingStore.BillingStore), liveSubscriptionsOf: () => never }
      })
    ).pipe(Layer.provide(BillingStore.layerMemory))
    const billing = billingOf({ store: open, onSubscriptionChange: () => new Promise(() => {}) })
    await billing.linkCustomer("usr_1042", "6b1f3c52-8f0a-4a5e-8d1b-7c9e2f4a1042")
    expect((await billing.webhook(deliveryOf(fixture("subscription.active")))).status).toBe(200)
    billing.getSubscription("usr_1042").catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 20))
    const from = performance.now()
    await billing.dispose()
    expect(performance.now() - from).toBeLessThan(10_100)
  }, 15_000)

  test("a callback under way finishes", async () => {
    let finished = false
    let start = () => {}
    const started = new Promise<void>((resolve) => {
      start = resolve
    })
    const billing = billingOf({
      store: BillingStore.layerMemory,
      onSubscriptionChange: async () => {
        start()
        await new Promise((resolve) => setTimeout(resolve, 100))
        finished = true
      }
    })
    await billing.linkCustomer("usr_1042", "6b1f3c52-8f0a-4a5e-8d1b-7c9e2f4a1042")
    expect((await billing.webhook(deliveryOf(fixture("subscription.active")))).status).toBe(200)
    await started
    await billing.dispose()
    expect(finished).toBe(true)
  })

  test("a start under way is not left behind", async () => {
    const billing = billingOf({ store: storeWith(({ migrate }) => ({ migrate: Effect.delay(migrate, 50) })) })
    const init = billing.init({ db: undefined, config: { database: { provider: "none" } }, addEndpoint: () => {} })
    await billing.dispose()
    await init
    await expect(billing.getSubscription("usr_1042")).rejects.toThrow(Disposed)
  })

  test("before any use, and before a host starts it", async () => {
    const billing = billingOf({ store: BillingStore.layerMemory })
    await billing.dispose()
    await expect(billing.getSubscription("usr_1042")).rejects.toThrow(Disposed)
    await expect(hostOf(billing)).rejects.toThrow(Disposed)
  })

  test("the host's own database stays open, with what is in it", async () => {
    const client = new Database(":memory:")
    const endpoints: Array<PluginEndpoint> = []
    const billing = billingOf()
    await billing.init({
      db: drizzle(client),
      config: { database: { provider: "sqlite-native" } },
      addEndpoint: (endpoint) => void endpoints.push(endpoint)
    })
    expect((await billing.webhook(deliveryOf(fixture("subscription.active")))).status).toBe(200)
    await billing.dispose()
    expect(client.open).toBe(true)
    expect(client.prepare("SELECT count(*) AS n FROM kavach_polar_subscriptions").get()).toEqual({ n: 1 })
    for (const endpoint of endpoints) {
      const method = endpoint.method
      const response = await endpoint.handler(requestOf(method, endpoint.path), { getUser: async () => null })
      expect(response.status).toBe(503)
    }
    client.close()
  })

  test("a store of its own is closed, once", async () => {
    let closed = 0
    const store = Layer.scoped(
      BillingStore.BillingStore,
      Effect.acquireRelease(BillingStore.BillingStore, () =>
        Effect.sync(() => {
          closed += 1
        })
      )
    ).pipe(Layer.provide(BillingStore.layerMemory))
    {
      await using billing = billingOf({ store })
      expect(await billing.getSubscription("usr_1042")).toBeNull()
      expect(closed).toBe(0)
    }
    expect(closed).toBe(1)
  })
})

describe("closing a host", () => {
  test("await using closes billing and database; twice, at once, is safe", async () => {
    const billing = billingOf()
    let kavach: Awaited<ReturnType<typeof hostOf>>
    {
      await using scoped = await hostOf(billing)
      kavach = scoped
      expect(await billing.getSubscription("usr_1042")).toBeNull()
    }
    await expect(billing.getSubscription("usr_1042")).rejects.toThrow(Disposed)
    await Promise.all([kavach.close(), kavach.close()])
  })

  test("the database stays open until the last plugin is done, also for who closes a second time", async () => {
    const order: Array<string> = []
    const kavach = await createKavach({
      database: { provider: "sqlite", url: ":memory:" },
      plugins: [
        { id: "first", init: async () => undefined, dispose: async () => void order.push("first") },
        {
          id: "second",
          dispose: async () => {
            await new Promise((resolve) => setTimeout(resolve, 50))
            order.push("second")
          }
        }
      ]
    })
    const closing = kavach.close()
    await kavach.close()
    expect(order).toEqual(["second", "first"])
    await closing
  })

  test("a plugin that fails to start has those before it disposed of", async () => {
    const billing = billingOf()
    await expect(
      createKavach({
        database: { provider: "sqlite", url: ":memory:" },
        plugins: [billing, { id: "bad", init: () => Promise.reject(new Error("no")) }]
      })
    ).rejects.toThrow("no")
    await expect(billing.getSubscription("usr_1042")).rejects.toThrow(Disposed)
  })
})

test("polarOf finds the billing of a host, and says when there is none", async () => {
  await using host = await startHost()
  expect(polarOf(host.kavach)).toBe(host.kavach.plugins.polar)
  expect(await polarOf(host.kavach).getSubscription("usr_1042")).toBeNull()
  for (const context of [{}, { polar: null }, { polar: "yes" }, { polar: { createCheckout: 1 } }]) {
    expect(() => polarOf({ plugins: { getContext: () => context } })).toThrow("has no polar() plugin")
  }
})

test("ids that no user or customer can have are refused by name", async () => {
  await using host = await startHost()
  const { billing } = host
  for (const [field, call] of [
    ["userId", () => billing.getSubscription("")],
    ["userId", () => billing.getSubscription(undefined as unknown as string)],
    ["userId", () => billing.listSubscriptions("x".repeat(256))],
    ["userId", () => billing.access("")],
    ["userId", () => billing.createPortalSession("")],
    ["userId", () => billing.createCheckout("", product)],
    ["productId", () => billing.createCheckout("usr_1042", "")],
    ["customerId", () => billing.linkCustomer("usr_1042", "")]
  ] as const) {
    await expect(call()).rejects.toMatchObject({ _tag: "InvalidRequest", message: expect.stringContaining(field) })
  }
})

test("the client for a server without a token refuses checkouts and nothing else", async () => {
  await using host = await startHost({ client: PolarClient.layerDisabled("No token.") })
  expect(await host.checkout({ productId: product })).toMatchObject({ status: 503 })
  expect((await host.deliver(fixture("subscription.active"))).status).toBe(200)
  expect((await host.subscription()).status).toBe(200)
})
