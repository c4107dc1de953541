/** Answers from memory: right at once where this process has stored something, and soon where another has. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { Seed } from "@kavach-polar/simulator"
import Database from "better-sqlite3"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { runChildren } from "../runChild.ts"
import { pro, type Scene, userId, withScene } from "./BillingScene.ts"

const flag = {
  id: "1b3f9f0e-5b0d-4c6e-9c55-2a7b5d0c1e11",
  type: "feature_flag" as const,
  description: "Exports",
  metadata: { key: "export", rows: 10 }
}
const plan = { ...Seed.products.pro, benefits: [flag] }

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

const withCache = (use: (scene: Scene) => Promise<void>, maxAgeSeconds = 600) =>
  withScene(
    { products: [plan] },
    { accessCache: { maxAgeSeconds }, refreshWhenDenied: false, store: SqliteStore.layer({ filename }) },
    use
  )

const pass = (millis: number) => {
  const now = Date.now() + millis
  vi.useFakeTimers({ toFake: ["Date"] })
  vi.setSystemTime(now)
}

const entitlement = async ({ billing }: Scene) => (await billing.access(userId)).entitlement

const revoke = async (scene: Scene) => {
  const [subscription] = await scene.billing.listSubscriptions(userId)
  await scene.api("DELETE", `/v1/subscriptions/${subscription?.id}`)
  await scene.simulator.flush()
}

test("what this process stores is seen at once", async () => {
  await withCache(async (scene) => {
    const { billing, simulator } = scene
    expect(await entitlement(scene)).toBe("denied")
    expect(await billing.benefits.has(userId, "export")).toBe(false)
    expect(await billing.getSubscription(userId)).toBeNull()
    await scene.buy()
    expect(await entitlement(scene)).toBe("granted")
    expect(await billing.benefits.has(userId, "export")).toBe(true)
    expect(await billing.getSubscription(userId)).toMatchObject({ productId: pro, status: "active" })
    await simulator.updateBenefit(flag.id, { metadata: { key: "export", rows: 20 } })
    await simulator.flush()
    expect((await billing.benefits.get(userId, "export"))?.metadata).toMatchObject({ rows: 20 })
    await revoke(scene)
    expect(await entitlement(scene)).toBe("denied")
    expect(await billing.benefits.has(userId, "export")).toBe(false)
    expect(await billing.getSubscription(userId)).toBeNull()
  })
})

test("an answer does not read the database again", async () => {
  await withCache(async (scene) => {
    await scene.buy()
    expect(await entitlement(scene)).toBe("granted")
    expect(await scene.billing.benefits.has(userId, "export")).toBe(true)
    // Behind its back.
    const other = new Database(filename)
    other.exec("UPDATE kavach_polar_records SET live = 0")
    other.close()
    expect(await entitlement(scene)).toBe("granted")
    expect(await scene.billing.benefits.has(userId, "export")).toBe(true)
    pass(601_000)
    expect(await entitlement(scene)).toBe("denied")
    expect(await scene.billing.benefits.has(userId, "export")).toBe(false)
  })
})

test("what another process stores is seen within the age", async () => {
  await withCache(async (scene) => {
    await scene.buy()
    expect(await entitlement(scene)).toBe("granted")
    await scene.silently(() => revoke(scene))
    const { accessToken, url } = scene.simulator
    const child = new URL("./children/reconcileUser.ts", import.meta.url)
    const [differing] = await runChildren(1, child, filename, url, accessToken, userId)
    expect(Number(differing)).toBeGreaterThan(0)
    expect(await entitlement(scene)).toBe("granted")
    pass(500_000)
    expect(await entitlement(scene)).toBe("granted")
    pass(101_000)
    expect(await entitlement(scene)).toBe("denied")
  })
}, 60_000)

test("the clock has its word on what is kept", async () => {
  await withCache(async (scene) => {
    await scene.buy()
    const { currentPeriodEnd } = (await scene.billing.subscriptions.cancel(userId)) ?? {}
    if (currentPeriodEnd == null) throw new Error("It has no end.")
    expect(await entitlement(scene)).toBe("granted")
    // What has ended is given for an hour more.
    pass(currentPeriodEnd.getTime() - Date.now() + 59 * 60_000)
    expect(await entitlement(scene)).toBe("granted")
    pass(2 * 60_000)
    expect(await entitlement(scene)).toBe("denied")
  }, 3600)
})
