/** A person is given all that is stored of them, and is erased: here, at Polar, and after an outage. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import Database from "better-sqlite3"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { email, type Scene, userId } from "./BillingScene.ts"
import { kavachPolar } from "./commandLine.ts"
import {
  breakablePolar,
  customerOfAda,
  withAda as onStore,
  pro,
  type Told,
  tracesIn,
  tracesOfAda
} from "./erasureScene.ts"

let polar = { isAway: false }

beforeEach(() => {
  polar = breakablePolar()
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** All rows of all own tables, as text. */
const everythingIn = (filename: string): string => {
  const database = new Database(filename, { readonly: true })
  try {
    const tables = database
      .prepare<[], { readonly name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'kavach_polar%'"
      )
      .all()
    return JSON.stringify(tables.map(({ name }) => database.prepare(`SELECT * FROM ${name}`).all()))
  } finally {
    database.close()
  }
}

const withAda = async (use: (scene: Scene, filename: string, told: Told) => Promise<void>) => {
  const folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  const filename = join(folder, "app.db")
  try {
    await onStore(SqliteStore.layer({ filename }), (scene, told) => use(scene, filename, told))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const expectNothingOfAda = (filename: string) => expect(tracesOfAda(everythingIn(filename))).toEqual([])

const subscriptionsOf = async (scene: Scene, customerId: string) =>
  (
    (await scene.api("GET", `/v1/subscriptions/?customer_id=${customerId}`)) as unknown as {
      readonly items: ReadonlyArray<{
        readonly id: string
        readonly status: string
        readonly cancel_at_period_end: boolean
      }>
    }
  ).items

test("the export has everything that is stored, the license key too, and of nobody else", async () => {
  await withAda(async ({ billing }) => {
    const given = await billing.privacy.export(userId)
    expect(JSON.parse(JSON.stringify(given))).toEqual(given)
    const kinds = new Set(given.records.map(({ kind }) => kind))
    expect([...kinds]).toEqual(
      expect.arrayContaining(["subscription", "order", "benefit_grant", "checkout", "customer", "license_key"])
    )
    const [key] = await billing.licenseKeys.list(userId)
    expect(given.records.find(({ kind }) => kind === "license_key")?.licenseKey).toBe(key?.key)
    expect(JSON.stringify(given)).not.toContain("sealed")
    expect(given.customers).toMatchObject([{ linkedBy: "external_id", isShared: false }])
    expect(given.checkouts).toHaveLength(2)
    expect(given.notifications.length).toBeGreaterThan(2)
    const bodies = given.deliveries.map(({ body }) => body as { readonly type: string })
    expect(bodies.map(({ type }) => type)).toEqual(expect.arrayContaining(["order.paid", "subscription.active"]))
    expect(JSON.stringify(given)).not.toContain("bob@")
    const nobody = await billing.privacy.export("nobody-at-all")
    expect(nobody).toMatchObject({ customers: [], records: [], deliveries: [], notifications: [] })
  })
})

test("erased and anonymized: nothing leads to the person, here or at Polar, and no webhook brings it back", async () => {
  await withAda(async (scene, filename, told) => {
    const { billing, simulator } = scene
    const id = await customerOfAda(scene)
    const before = everythingIn(filename)
    expect(before).toContain(email)
    told.users.length = 0
    const erasure = await billing.privacy.erase(userId, { polar: "anonymize" })
    expect(erasure).toMatchObject({ state: "done", lastError: null, customerIds: [id], sharedCustomerIds: [] })
    expect(erasure.endedSubscriptionIds).toHaveLength(1)
    expect(erasure.erased.records).toBeGreaterThan(5)
    expect(erasure.erased.deliveries).toBeGreaterThan(5)
    expectNothingOfAda(filename)
    // What Polar tells of the deletion, of the subscription that ended and of the benefits that are gone.
    await simulator.flush()
    await billing.settled()
    expectNothingOfAda(filename)
    expect(told.users).toEqual([])
    expect((await scene.customers()).map(({ external_id }) => external_id)).toEqual(["bob"])
    expect(await subscriptionsOf(scene, id)).toMatchObject([{ status: "canceled" }])

    expect(await billing.getSubscription(userId)).toBeNull()
    expect((await billing.access(userId)).entitlement).toBe("denied")
    expect(await billing.orders.list(userId)).toEqual([])
    // Accounting has what it needs, under the pseudonym.
    const orders = await billing.orders.list(erasure.pseudonym)
    expect(orders.length).toBeGreaterThan(1)
    expect(orders[0]?.totalAmount).toBeGreaterThan(0)
    expect((await billing.getSubscription("bob"))?.status).toBe("active")
    // A comparison of everything finds nothing to bring back.
    await billing.reconcileAll()
    expectNothingOfAda(filename)
    expect(await billing.privacy.erasures()).toEqual([erasure])
    // A second time finds nothing, here or there.
    expect(await billing.privacy.erase(userId, { polar: "delete" })).toMatchObject({
      state: "done",
      customerIds: [],
      erased: { records: 0, deliveries: 0, checkouts: 0, notifications: 0 }
    })
  })
})

test("while Polar is away the rest waits, and goes on when it is back", async () => {
  await withAda(async (scene, filename) => {
    const { billing, simulator } = scene
    const id = await customerOfAda(scene)
    polar.isAway = true
    const waiting = await billing.privacy.erase(userId, { polar: "delete" })
    expect(waiting).toMatchObject({ state: "waiting", customerIds: [id], endedSubscriptionIds: [], attempts: 1 })
    expect(waiting.lastError).toMatch(/Polar/)
    expect((await billing.access(userId)).entitlement).toBe("denied")
    // Only the erasure itself still says whom it is of: who is not known here has to be looked for at Polar.
    const text = everythingIn(filename)
    expect(tracesIn(text, [email])).toEqual([])
    expect(text.split(`\\"${userId}\\"`).length - 1).toBe(1)
    expect(await billing.privacy.resume()).toBe(0)
    polar.isAway = false
    expect(await billing.privacy.resume()).toBe(1)
    expect(await billing.privacy.erasures()).toMatchObject([{ id: waiting.id, state: "done", lastError: null }])
    await simulator.flush()
    expectNothingOfAda(filename)
    expect((await scene.customers()).map(({ external_id }) => external_id)).toEqual(["bob"])
    expect(await subscriptionsOf(scene, id)).toMatchObject([{ status: "canceled" }])
    expect(await billing.privacy.resume()).toBe(0)
  })
}, 60_000)

test("kept at Polar: the subscription ends with its period, and who comes back begins anew", async () => {
  await withAda(async (scene, filename) => {
    const { billing, simulator } = scene
    const id = await customerOfAda(scene)
    const erasure = await billing.privacy.erase(userId, { polar: "keep", subscriptions: "cancel" })
    expect(erasure.state).toBe("done")
    await simulator.flush()
    expectNothingOfAda(filename)
    expect(await subscriptionsOf(scene, id)).toMatchObject([{ status: "active", cancel_at_period_end: true }])
    expect((await scene.customers()).map(({ external_id }) => external_id)).toContain(userId)
    expect((await billing.getSubscription(userId))?.status).toBeUndefined()

    await simulator.advance("40 days")
    await simulator.flush()
    await scene.buy(pro.id)
    expect((await billing.access(userId)).entitlement).toBe("granted")
    // What was theirs before is not.
    expect(await billing.orders.list(userId)).toHaveLength(1)
  })
})

test("a customer and a subscription of which no webhook has come are found at Polar", async () => {
  await withAda(async (scene, filename) => {
    const { billing, simulator } = scene
    let customerId = ""
    await scene.silently(async () => {
      const customer = await scene.api("POST", "/v1/customers/", { email: "eve@acme-mail.dev", external_id: "eve" })
      customerId = customer.id
      const checkout = await scene.api("POST", "/v1/checkouts/", { products: [pro.id], customer_id: customer.id })
      await simulator.pay(checkout.id, { customer_email: "eve@acme-mail.dev" })
    })
    const erasure = await billing.privacy.erase("eve", { polar: "keep", subscriptions: "revoke" })
    expect(erasure).toMatchObject({ state: "done", customerIds: [customerId] })
    expect(erasure.endedSubscriptionIds).toHaveLength(1)
    expect(await subscriptionsOf(scene, customerId)).toMatchObject([{ status: "canceled" }])
    await simulator.setChaos({ drops: 0 })
    await simulator.flush()
    expect(tracesIn(everythingIn(filename), ['"eve"', "eve@", '\\"eve\\"'])).toEqual([])
  })
})

test("what nobody can want, or nobody can do, is refused before anything is done", async () => {
  await withAda(async (scene, filename) => {
    const { billing } = scene
    const before = everythingIn(filename)
    const wrong = (options: object) => billing.privacy.erase(userId, options as { readonly polar: "delete" })
    await expect(wrong({ polar: "keep" })).rejects.toThrow(/subscriptions/)
    await expect(wrong({ polar: "delete", subscriptions: "cancel" })).rejects.toThrow(/Polar ends all subscriptions/)
    await expect(wrong({})).rejects.toThrow(/polar/)
    // Without a token nothing could ever be done at Polar.
    const tokenless = (...args: ReadonlyArray<string>) =>
      kavachPolar(scene, filename, ["erase", userId, "--yes", ...args], { POLAR_ACCESS_TOKEN: undefined })
    const refused = await tokenless("--polar", "delete")
    expect([refused.exitCode, refused.err]).toEqual([1, expect.stringContaining("POLAR_ACCESS_TOKEN is not set")])
    expect(everythingIn(filename) === before).toBe(true)
    expect((await tokenless("--polar", "keep", "--subscriptions", "keep")).exitCode).toBe(0)
    expectNothingOfAda(filename)
  })
})

test("the command line: export, erase with a question and its consequences, and what waits", async () => {
  await withAda(async (scene, filename) => {
    const exported = await kavachPolar(scene, filename, ["export", userId])
    expect(exported.exitCode).toBe(0)
    expect(JSON.parse(exported.out)).toMatchObject({ format: "kavach-polar/personal-data/1", userId })
    const unknown = await kavachPolar(scene, filename, ["export", "nobody-at-all"])
    expect([unknown.exitCode, unknown.err]).toEqual([4, "Nothing is stored of the user nobody-at-all."])

    const erase = (...args: ReadonlyArray<string>) => kavachPolar(scene, filename, ["erase", userId, ...args])
    const before = everythingIn(filename)
    for (const args of [
      ["--polar", "keep"],
      ["--polar", "everything"],
      ["--polar", "delete", "--subscriptions", "cancel", "--yes"],
      // Nobody can be asked.
      ["--polar", "delete"]
    ])
      expect([args, (await erase(...args)).exitCode]).toEqual([args, 2])
    expect(everythingIn(filename) === before).toBe(true)
    polar.isAway = true
    const waiting = await erase("--polar", "anonymize", "--yes")
    expect(waiting.exitCode).toBe(3)
    expect(waiting.out).toContain("All of its subscriptions and benefits end now.")
    expect(waiting.out).toMatch(/Erased \d+ records, .*The rest waits for Polar/s)
    polar.isAway = false
    const sick = await kavachPolar(scene, filename, ["doctor"])
    expect(sick.out).toMatch(/1 erasure waits for Polar\.\n.*\n +Do: kavach-polar erasures --resume/)
    const list = await kavachPolar(scene, filename, ["erasures"])
    expect([list.exitCode, list.out]).toEqual([3, expect.stringMatching(/ waiting, tried 1 times: /)])
    const resumed = await kavachPolar(scene, filename, ["erasures", "--resume", "--json"])
    expect([resumed.exitCode, JSON.parse(resumed.out)]).toMatchObject([0, { state: "done", polar: "anonymize" }])
    await scene.simulator.flush()
    expectNothingOfAda(filename)
    expect((await erase("--polar", "keep", "--subscriptions", "keep", "--yes")).exitCode).toBe(4)
  })
}, 60_000)
