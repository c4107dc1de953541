/** Bodies of deliveries: encrypted by the app, or not kept. */
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { type PolarConfig, polar } from "@kavach-polar/http"
import Database from "better-sqlite3"
import { afterEach, beforeEach, expect, test } from "vitest"
import { encryptedWith } from "../examples/encryptedBodies.ts"
import { email, type Scene, userId, withScene } from "./BillingScene.ts"
import { kavachPolar } from "./commandLine.ts"

/** As docs/privacy.md shows it. */
const aes = () => encryptedWith(randomBytes(32))

let folder = ""
let filename = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  filename = join(folder, "app.db")
})

afterEach(() => rmSync(folder, { recursive: true }))

const storedBodies = (): ReadonlyArray<{ readonly id: string; readonly body: string | null }> => {
  const database = new Database(filename, { readonly: true })
  try {
    return database
      .prepare<[], { readonly id: string; readonly body: string | null }>(
        "SELECT id, body FROM kavach_polar_deliveries"
      )
      .all()
  } finally {
    database.close()
  }
}

const withBodies = (config: Partial<PolarConfig>, use: (scene: Scene) => Promise<void>) =>
  withScene({}, { store: SqliteStore.layer({ filename }), ...config }, use)

test("the app's cipher reads what the database does not show", async () => {
  const told: Array<unknown> = []
  const bodies = aes()
  await withBodies(
    {
      bodies,
      on: { "order.paid": ({ event }) => void told.push(Reflect.get(Object(event.data["customer"]), "email")) }
    },
    async (scene) => {
      await scene.buy()
      await scene.billing.settled()
      expect(told).toEqual([email])
      const stored = storedBodies()
      expect(stored.length).toBeGreaterThan(3)
      expect(stored.filter(({ body }) => body === null || body.includes(email) || body.includes("{"))).toEqual([])

      const { deliveries } = await scene.billing.privacy.export(userId)
      expect(JSON.stringify(deliveries.map(({ body }) => body))).toContain(email)
      expect(await scene.billing.replay({ types: ["order.paid"] }, { tellAgain: true })).toMatchObject({
        replayed: 1,
        encrypted: 0
      })
      await scene.billing.settled()
      expect(told).toEqual([email, email])

      const page = await scene.billing.console(
        new Request(`http://localhost/?page=delivery&id=${encodeURIComponent(stored[0]?.id ?? "")}`),
        { authorize: () => ({ who: "Lin", may: "read" }) }
      )
      expect(await page.text()).toContain("Show it with personal data")

      // The command line has no key: it says so, and breaks nothing.
      const file = `file:${filename}`
      const replayed = await kavachPolar(scene, file, ["replay", "--type", "order.paid"])
      expect(replayed.out).toContain("encrypted, and this command has no key")
      const shown = await kavachPolar(scene, file, ["events", "show", stored[0]?.id ?? ""])
      expect(shown.out).toContain("Its body is encrypted")
      const exported = await kavachPolar(scene, file, ["export", userId])
      expect(exported.out).toContain('"isEncrypted"')
      expect(storedBodies().every(({ body }) => body?.startsWith("encrypted:") === true)).toBe(true)

      await scene.billing.privacy.erase(userId, { polar: "delete", subscriptions: "revoke" })
      const left = new Set((await scene.billing.privacy.export(userId)).deliveries.map(({ id }) => id))
      expect(left.size).toBe(0)
    }
  )
})

test("while encrypt fails Polar is asked to come again, and nothing is lost", async () => {
  let isAway = true
  const { decrypt, encrypt } = aes()
  const bodies = {
    decrypt,
    encrypt: async (body: string, owner: { readonly deliveryId: string }) => {
      if (isAway) throw new Error(`the key service is away: ${body}`)
      return encrypt(body, owner)
    }
  }
  const lines: Array<string> = []
  const line = (text: string) => void lines.push(text)
  const logger = { debug: line, info: line, warn: line, error: line }
  await withBodies({ bodies, logger, logLevel: "debug" }, async (scene) => {
    await scene.buy()
    expect((await scene.billing.access(userId)).entitlement).toBe("denied")
    expect(storedBodies()).toEqual([])
    isAway = false
    await scene.simulator.advance("1 hour")
    await scene.simulator.flush()
    expect((await scene.billing.access(userId)).entitlement).toBe("granted")
    // What the app's function threw may quote what it was given.
    expect(lines.join("\n")).toContain("bodies.encrypt() failed")
    expect(lines.join("\n")).not.toContain(email)
  })
})

test("without bodies everything works but what needs them", async () => {
  const told: Array<string> = []
  await withBodies(
    { bodies: "none", onPurchase: (_, { productId }) => void told.push(productId ?? "") },
    async (scene) => {
      await scene.buy()
      await scene.billing.settled()
      expect(told).toHaveLength(1)
      expect((await scene.billing.access(userId)).entitlement).toBe("granted")
      const stored = storedBodies()
      expect(stored.length).toBeGreaterThan(3)
      expect(stored.every(({ body }) => body === null)).toBe(true)
      expect(await scene.billing.replay({})).toMatchObject({ replayed: 0, withoutBody: stored.length })
    }
  )
})

test("handlers of events without bodies are refused, and so is half a cipher", () => {
  const config = { accessToken: "polar_oat_x", webhookSecret: "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE=" }
  expect(() => polar({ ...config, bodies: "none", on: { "order.paid": () => {} } })).toThrow(
    'polar(): bodies: with "none" handlers in `on` could not be given what their event says'
  )
  expect(() => polar({ ...config, bodies: { encrypt: (body: string) => body } as never })).toThrow(
    'polar(): bodies: it must be { encrypt, decrypt }, both functions, or "none"'
  )
})
