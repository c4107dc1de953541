/** What a monitor is told, on the days when nobody looks. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import type { Health } from "@kavach-polar/core/Billing"
import { type Polar, type PolarConfig, polar } from "@kavach-polar/http"
import Database from "better-sqlite3"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { pro, type Scene, tokenWithout, userId, withScene } from "./BillingScene.ts"

/** The simulator's, of an app in the same process. */
const endpointUrl = "http://in-process.invalid/"

let folder = ""
let filename = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  filename = join(folder, "app.db")
})

afterEach(() => {
  vi.useRealTimers()
  rmSync(folder, { recursive: true, force: true })
})

const withApp = (use: (scene: Scene) => Promise<void>, config: Partial<PolarConfig> = {}, options = {}) =>
  withScene(
    options,
    {
      store: SqliteStore.layer({ filename }),
      refreshWhenDenied: false,
      webhookUrl: endpointUrl,
      routes: { health: true },
      ...config
    },
    async (scene) => {
      await scene.billing.start()
      await use(scene)
    }
  )

/** A billing beside it that has asked nothing yet: answers are kept for five seconds. */
const healthOf = async ({ simulator }: Scene, use: (billing: Polar) => Promise<Health>): Promise<Health> => {
  const billing = polar({
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret: "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE=",
    logLevel: "none",
    store: SqliteStore.layer({ filename }),
    webhookUrl: endpointUrl
  })
  try {
    return await use(billing)
  } finally {
    await billing.dispose()
  }
}

const seen = (scene: Scene) => healthOf(scene, (billing) => billing.health())

const statusesIn = ({ checks }: Health) =>
  Object.fromEntries(Object.entries(checks).map(([name, { status }]) => [name, status]))

const ask = (billing: Polar) =>
  billing.handler({ getUser: () => null })(new Request("https://app.example.com/auth/polar/health"))

test("all is well; and before anything was compared with Polar, that is said", async () => {
  await withApp(async (scene) => {
    await scene.buy()
    const before = await seen(scene)
    expect([before.status, statusesIn(before)]).toEqual([
      "ok",
      { database: "ok", endpoint: "unknown", deliveries: "ok", notifications: "ok" }
    ])
    await scene.billing.reconcileAll()
    expect(statusesIn(await seen(scene))).toMatchObject({ endpoint: "ok" })
  })
})

test("an endpoint that Polar has disabled is degraded, from the next comparison on", async () => {
  await withApp(async (scene) => {
    await scene.buy()
    const [endpoint] = (
      (await scene.api("GET", "/v1/webhooks/endpoints")) as unknown as {
        readonly items: ReadonlyArray<{ readonly id: string }>
      }
    ).items
    await scene.api("PATCH", `/v1/webhooks/endpoints/${endpoint?.id}`, { enabled: false })
    await scene.billing.reconcileAll()
    const found = await seen(scene)
    expect(found).toMatchObject({ status: "degraded", checks: { endpoint: { status: "degraded" } } })
    expect(found.checks.endpoint.message).toMatch(/disabled .* Run: kavach-polar setup/)
    // A monitor goes by the status; only "down" is none.
    const response = await ask(scene.billing)
    expect([response.status, ((await response.json()) as Health).status]).toEqual([200, "degraded"])
  })
})

test("silence is noticed: a day without a delivery, though Polar had something to tell", async () => {
  vi.useFakeTimers({ toFake: ["Date"] })
  await withApp(async (scene) => {
    await scene.buy()
    vi.setSystemTime(Date.now() + 26 * 3_600_000)
    await scene.billing.reconcileAll()
    expect(statusesIn(await seen(scene))).toMatchObject({ deliveries: "ok" })
    await scene.silently(async () => {
      const { id } = await scene.billing.createCheckout("lin", pro, {
        customerEmail: "lin@acme-mail.dev"
      })
      await scene.simulator.pay(id, { customer_email: "lin@acme-mail.dev" })
    })
    await scene.billing.reconcileAll()
    const found = await seen(scene)
    expect(found.checks.deliveries.status).toBe("degraded")
    expect(found.checks.deliveries.message).toMatch(/^Nothing was delivered since .* Run: kavach-polar doctor$/)
  })
})

test("what the app did not take, and what could not be applied", async () => {
  await withApp(
    async (scene) => {
      await scene.buy()
      await scene.billing.settled()
      const database = new Database(filename)
      database.prepare("UPDATE kavach_polar_notifications SET state = 'dead'").run()
      expect(await seen(scene)).toMatchObject({ status: "degraded", checks: { notifications: { status: "degraded" } } })
      database.prepare("UPDATE kavach_polar_deliveries SET state = 'failed' WHERE type = 'order.paid'").run()
      expect(await seen(scene)).toMatchObject({ checks: { deliveries: { status: "degraded" } } })
      database.close()
    },
    { onSubscriptionChange: () => {} }
  )
})

test("a database without tables, or that does not answer, is down: 503, and nothing else is looked at", async () => {
  await withApp(async (scene) => {
    const database = new Database(filename)
    database.exec("ALTER TABLE kavach_polar_jobs RENAME TO gone; DROP TABLE kavach_polar_migrations")
    database.close()
    const response = await ask(scene.billing)
    const found = (await response.json()) as Health
    expect([response.status, found.status]).toEqual([503, "down"])
    expect(found.checks.endpoint.status).toBe("unknown")
  })
})

test("the route is off unless asked for; anybody may ask, and no id and no secret is told", async () => {
  await withApp(async (scene) => {
    await scene.buy()
    await scene.billing.reconcileAll()
    const text = await (await ask(scene.billing)).text()
    for (const secret of [userId, "acme-mail", "polar_oat", "whsec", "in-process"]) expect(text).not.toContain(secret)
    const off = await healthOf(scene, async (billing) => {
      expect((await ask(billing)).status).toBe(404)
      return billing.health()
    })
    expect(off.status).toBe("ok")
  })
  await withApp(
    async (scene) => {
      await scene.billing.reconcileAll()
      expect((await seen(scene)).checks.endpoint.status).toBe("unknown")
    },
    {},
    tokenWithout()
  )
})
