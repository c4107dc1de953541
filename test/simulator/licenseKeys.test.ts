/** License keys, from Polar's many shapes of "no" to an outage that locks nobody out. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { type PolarConfig, polar } from "@kavach-polar/http"
import { Seed, type Served, serve } from "@kavach-polar/simulator"
import Database from "better-sqlite3"
import { describe, expect, test } from "vitest"
import { email, userId, webhookSecret } from "./BillingScene.ts"

const organizationId = "0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01"
const unknownId = "0f0e0d0c-0b0a-4908-8706-0504030201ff"
const lifetime = Seed.products.lifetime.id

interface Scene {
  readonly simulator: Served
  readonly billing: ReturnType<typeof polar>
  readonly lines: ReadonlyArray<string>
  readonly orderId: string
}

const settingsOf = (simulator: Served): PolarConfig => ({
  accessToken: simulator.accessToken,
  apiBaseUrl: simulator.url,
  webhookSecret,
  organizationId,
  emailVerified: () => true,
  buyerTimeoutSeconds: 5,
  store: SqliteStore.layer({ filename: ":memory:" })
})

/** Ada has bought once, and nothing of what is logged is lost. */
const withBuyer = async (config: Partial<PolarConfig>, use: (scene: Scene) => Promise<void>) => {
  const simulator = await serve()
  const lines: Array<string> = []
  const write = (line: string) => void lines.push(line)
  const logger = { debug: write, info: write, warn: write, error: write }
  const billing = polar({ ...settingsOf(simulator), logLevel: "debug", logger, ...config })
  try {
    await simulator.connect((request) => billing.webhook(request), { secret: webhookSecret })
    const { id } = await billing.createCheckout(userId, lifetime, { customerEmail: email })
    const { order } = await simulator.pay(id, { customer_email: email })
    await simulator.flush()
    await use({ simulator, billing, lines, orderId: order?.id ?? expect.fail("no order") })
  } finally {
    await billing.dispose()
    await simulator.close()
  }
}

/** It is granted, and told. */
const granted = async ({ orderId, simulator }: Scene, options: Parameters<Served["grantLicenseKey"]>[1] = {}) => {
  const key = await simulator.grantLicenseKey(orderId, options)
  await simulator.flush()
  return key
}

describe("a key", () => {
  test("is listed for its user, itself and all, and asked of Polar once", async () => {
    await withBuyer({}, async (scene) => {
      const { billing, simulator } = scene
      expect(await billing.licenseKeys.list(userId)).toEqual([])
      const { benefit_id, id, key } = await granted(scene, { prefix: "ACME", limitActivations: 2 })
      const [listed] = await billing.licenseKeys.list(userId)
      expect(listed).toMatchObject({
        licenseKeyId: id,
        benefitId: benefit_id,
        key,
        displayKey: `****-${key.slice(-6)}`,
        details: { status: "granted", limitActivations: 2, activations: [] }
      })
      expect(structuredClone(listed)).toEqual(listed)
      expect(await billing.licenseKeys.list("mallory")).toEqual([])
      await simulator.close()
      expect(await billing.licenseKeys.list(userId)).toEqual([listed])
    })
  })

  test("whose webhook was lost is found by reconciliation", async () => {
    await withBuyer({}, async (scene) => {
      await scene.simulator.setChaos({ drops: 1 })
      const { key } = await granted(scene)
      expect(await scene.billing.licenseKeys.list(userId)).toEqual([])
      await scene.billing.reconcile(userId)
      expect(await scene.billing.licenseKeys.list(userId)).toMatchObject([{ key }])
    })
  })

  test("is listed by its last characters while Polar cannot be asked for it", async () => {
    await withBuyer({}, async (scene) => {
      const { key } = await granted(scene)
      await scene.simulator.close()
      expect(await scene.billing.licenseKeys.list(userId)).toMatchObject([
        { key: null, displayKey: `****-${key.slice(-6)}`, details: null }
      ])
    })
  })

  test("is activated, is good there and nowhere else, and is deactivated", async () => {
    await withBuyer({ licenseKeys: { maxAgeSeconds: 0 } }, async (scene) => {
      const { licenseKeys } = scene.billing
      const { benefit_id, id, key } = await granted(scene, { limitActivations: 1 })
      const conditions = { major: 2, os: "linux" }
      const activated = await licenseKeys.activate(key, { label: "Ada's desk", conditions, meta: { cpu: "x" } })
      if (!activated.activated) expect.fail(activated.reason)
      const { activationId } = activated
      expect(await licenseKeys.validate(key, { activationId, conditions, benefitId: benefit_id })).toMatchObject({
        valid: true,
        reason: null,
        licenseKeyId: id,
        isStale: false,
        activation: { id: activationId, label: "Ada's desk", meta: { cpu: "x" } }
      })
      expect(await licenseKeys.validate(key, { activationId, conditions: { ...conditions, major: 3 } })).toMatchObject({
        valid: false,
        reason: "not valid"
      })
      expect(await licenseKeys.activate(key, { label: "Another desk" })).toEqual({
        activated: false,
        reason: "not permitted"
      })
      expect(await licenseKeys.deactivate(key, activationId)).toBe(true)
      expect(await licenseKeys.deactivate(key, activationId)).toBe(false)
      expect(await licenseKeys.validate(key, { activationId, conditions })).toMatchObject({ valid: false })
      expect(await licenseKeys.activate(key, { label: "Another desk" })).toMatchObject({ activated: true })
    })
  })

  test("that is not good gets one answer, whatever the reason", async () => {
    await withBuyer({ licenseKeys: { maxAgeSeconds: 0 } }, async (scene) => {
      const { licenseKeys } = scene.billing
      const { id, key } = await granted(scene, { limitUsage: 2 })
      const short = await granted(scene, { days: 1 })
      const no = { valid: false, reason: "not valid", isStale: false }
      expect(await licenseKeys.validate(key, { benefitId: unknownId })).toMatchObject(no)
      expect(await licenseKeys.validate(key, { activationId: unknownId })).toMatchObject(no)
      expect(await licenseKeys.validate(key, { activationId: "no uuid" })).toMatchObject(no)
      for (const text of ["nothing", "", " ", "x".repeat(600)]) {
        expect(await licenseKeys.validate(text)).toMatchObject(no)
        expect(await licenseKeys.activate(text, { label: "desk" })).toEqual({ activated: false, reason: "not valid" })
        expect(await licenseKeys.deactivate(text, unknownId)).toBe(false)
      }
      expect(await licenseKeys.validate(key, { incrementUsage: 2 })).toMatchObject({
        valid: true,
        usage: 2,
        limitUsage: 2
      })
      expect(await licenseKeys.validate(key, { incrementUsage: 1 })).toMatchObject({ reason: "usage limit reached" })
      expect(await licenseKeys.activate(key, { label: "desk" })).toMatchObject({ reason: "not permitted" })
      await scene.simulator.advance("2 days")
      expect(await licenseKeys.validate(short.key)).toMatchObject(no)
      await scene.simulator.revokeLicenseKey(id)
      expect(await licenseKeys.validate(key)).toMatchObject(no)
    })
  })

  test("that was good stays so while Polar is out of order, until a webhook has said that it was taken back", async () => {
    await withBuyer({ licenseKeys: { maxAgeSeconds: 0.1 } }, async (scene) => {
      const { billing, simulator } = scene
      const { id, key } = await granted(scene)
      const other = await granted(scene)
      expect(await billing.licenseKeys.validate(key)).toMatchObject({ valid: true, isStale: false })
      expect(await billing.licenseKeys.validate("nothing")).toMatchObject({ valid: false })
      await simulator.revokeLicenseKey(other.id)
      await simulator.flush()
      await simulator.close()
      await new Promise((resolve) => setTimeout(resolve, 150))
      expect(await billing.licenseKeys.validate(key)).toMatchObject({ valid: true, isStale: true, licenseKeyId: id })
      // Of what was never asked for nothing is known, and a "no" is not kept for so long.
      await expect(billing.licenseKeys.validate(other.key)).rejects.toMatchObject({ _tag: "PolarUnavailable" })
      await expect(billing.licenseKeys.validate("nothing")).rejects.toMatchObject({ _tag: "PolarUnavailable" })
      // What is to be counted is not taken for counted.
      await expect(billing.licenseKeys.validate(key, { incrementUsage: 1 })).rejects.toMatchObject({
        _tag: "PolarUnavailable"
      })
    })
  })

  test("is asked about once while its answer is fresh, and taken back at once by its webhook", async () => {
    await withBuyer({}, async (scene) => {
      const { billing, simulator } = scene
      const { id, key } = await granted(scene)
      for (let round = 0; round < 5; round++) {
        expect(await billing.licenseKeys.validate(key, { conditions: { b: 1, a: 2 } })).toMatchObject({ valid: true })
        expect(await billing.licenseKeys.validate(key, { conditions: { a: 2, b: 1 } })).toMatchObject({ valid: true })
      }
      expect(await simulator.read(({ tables }) => [...tables.licenseKeys].map(([, one]) => one.validations))).toEqual([
        1
      ])
      await simulator.revokeLicenseKey(id)
      await simulator.flush()
      expect(await billing.licenseKeys.validate(key)).toMatchObject({ valid: false, reason: "not valid" })
    })
  })

  test("is in no line of the log, and in no error", async () => {
    await withBuyer({ licenseKeys: { maxAgeSeconds: 0 } }, async (scene) => {
      const { billing, lines, simulator } = scene
      const { key } = await granted(scene, { limitActivations: 1 })
      await billing.licenseKeys.list(userId)
      await billing.licenseKeys.validate(key)
      await billing.licenseKeys.activate(key, { label: "desk" })
      await simulator.close()
      await billing.licenseKeys.validate(key)
      const error: unknown = await billing.licenseKeys
        .activate(key, { label: "desk" })
        .catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ _tag: "PolarUnavailable" })
      expect(`${error} ${JSON.stringify(error)} ${lines.join("\n")}`).not.toContain(key)
      expect(lines.join("\n")).toContain("What was said before is good until then.")
    })
  })
})

/** A file that several billings have one after the other, or beside each other. */
const withFile = async (
  config: Partial<PolarConfig>,
  use: (
    scene: Scene & {
      readonly filename: string
      /** Another process's, as far as anybody can tell. */
      readonly beside: (more: Partial<PolarConfig>, use: (billing: Scene["billing"]) => Promise<void>) => Promise<void>
    }
  ) => Promise<void>
) => {
  const directory = mkdtempSync(join(tmpdir(), "license-keys-"))
  const filename = join(directory, "app.db")
  const store = () => SqliteStore.layer({ filename })
  try {
    await withBuyer({ ...config, store: store() }, (scene) =>
      use({
        ...scene,
        filename,
        beside: async (more, act) => {
          const billing = polar({ ...settingsOf(scene.simulator), ...config, ...more, store: store() })
          try {
            await act(billing)
          } finally {
            await billing.dispose()
          }
        }
      })
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const endOf = (micros: number | null): string => new Date((micros ?? 0) / 1000).toISOString()

const validations = (simulator: Served) =>
  simulator.read(({ tables }) => [...tables.licenseKeys].map(([, one]) => one.validations))

describe("what is known of keys", () => {
  test("is known to a process that starts while Polar is out of order", async () => {
    await withFile({ licenseKeys: { maxAgeSeconds: 0 } }, async (scene) => {
      const { beside, billing, simulator } = scene
      const asked = await granted(scene, { limitUsage: 2 })
      const listed = await granted(scene, { limitActivations: 1 })
      const disabled = await granted(scene)
      const other = await granted(scene)
      await billing.licenseKeys.validate(asked.key)
      const conditions = { major: 2 }
      const activated = await billing.licenseKeys.activate(listed.key, { label: "desk", conditions })
      if (!activated.activated) expect.fail(activated.reason)
      const { activationId } = activated
      await billing.licenseKeys.validate(disabled.key)
      await billing.licenseKeys.validate(other.key)
      const shown = await billing.licenseKeys.list(userId)
      await simulator.revokeLicenseKey(disabled.id)
      await simulator.flush()
      await simulator.close()
      await billing.dispose()
      await beside({}, async ({ licenseKeys }) => {
        expect(await licenseKeys.validate(asked.key)).toMatchObject({
          valid: true,
          isStale: true,
          licenseKeyId: asked.id,
          displayKey: `****-${asked.key.slice(-6)}`,
          limitUsage: 2
        })
        expect(await licenseKeys.validate(asked.key, { benefitId: other.benefit_id })).toMatchObject({
          valid: false,
          reason: "not valid",
          isStale: true
        })
        // What its user has only looked at, and what was only activated.
        expect(await licenseKeys.validate(listed.key)).toMatchObject({ valid: true, isStale: true })
        expect(await licenseKeys.validate(listed.key, { activationId, conditions })).toMatchObject({
          valid: true,
          isStale: true,
          activation: { id: activationId, label: "desk" }
        })
        // Of other conditions, and other activations, nothing is known.
        for (const options of [
          { activationId },
          { activationId, conditions: { major: 3 } },
          { activationId: unknownId }
        ]) {
          await expect(licenseKeys.validate(listed.key, options)).rejects.toMatchObject({ _tag: "PolarUnavailable" })
        }
        expect(await licenseKeys.validate(disabled.key)).toMatchObject({ valid: false, reason: "not valid" })
        // What would be too much in any case is refused; the rest is not taken for counted.
        expect(await licenseKeys.validate(asked.key, { incrementUsage: 3 })).toMatchObject({
          valid: false,
          reason: "usage limit reached",
          isStale: true
        })
        await expect(licenseKeys.validate(asked.key, { incrementUsage: 1 })).rejects.toMatchObject({
          _tag: "PolarUnavailable"
        })
        expect(await licenseKeys.list(userId)).toEqual(shown.filter(({ licenseKeyId }) => licenseKeyId !== disabled.id))
        expect(await licenseKeys.list("mallory")).toEqual([])
      })
    })
  })

  test("is asked of Polar once by all processes, and what one of them ends is over for all", async () => {
    await withFile({}, async (scene) => {
      const { beside, billing, simulator } = scene
      const { key } = await granted(scene, { limitActivations: 1 })
      const activated = await billing.licenseKeys.activate(key, { label: "desk" })
      if (!activated.activated) expect.fail(activated.reason)
      const { activationId } = activated
      await billing.licenseKeys.validate(key)
      await beside({}, async (other) => {
        expect(await other.licenseKeys.validate(key)).toMatchObject({ valid: true, isStale: false })
        expect(await other.licenseKeys.validate(key, { activationId })).toMatchObject({ valid: true, isStale: false })
        expect(await validations(simulator)).toEqual([1])
        expect(await other.licenseKeys.deactivate(key, activationId)).toBe(true)
        expect(await billing.licenseKeys.validate(key, { activationId })).toMatchObject({ valid: false })
        expect(await billing.licenseKeys.validate(key)).toMatchObject({ valid: true, isStale: false })
        // What was counted is seen by all.
        await other.licenseKeys.validate(key, { incrementUsage: 2 })
        expect(await billing.licenseKeys.validate(key)).toMatchObject({ usage: 2, isStale: false })
      })
    })
  })

  test("ends with its time, with the key's own, and with a no", async () => {
    await withFile({ licenseKeys: { maxAgeSeconds: 0, staleIfErrorSeconds: 0.2 } }, async (scene) => {
      const { beside, billing, filename, simulator } = scene
      const [short, refused, old] = [await granted(scene, { days: 1 }), await granted(scene), await granted(scene)]
      for (const { key } of [short, refused, old]) await billing.licenseKeys.validate(key)
      await simulator.setChaos({ drops: 1 })
      await simulator.revokeLicenseKey(refused.id)
      await simulator.flush()
      expect(await billing.licenseKeys.validate(refused.key)).toMatchObject({ valid: false })
      await simulator.close()
      await new Promise((resolve) => setTimeout(resolve, 250))
      await beside({}, async ({ licenseKeys }) => {
        await expect(licenseKeys.validate(old.key)).rejects.toMatchObject({ _tag: "PolarUnavailable" })
      })
      await beside({ licenseKeys: { maxAgeSeconds: 0 } }, async ({ licenseKeys }) => {
        expect(await licenseKeys.validate(old.key)).toMatchObject({ valid: true, isStale: true })
        expect(await licenseKeys.validate(short.key)).toMatchObject({ valid: true, isStale: true })
        // A day later.
        const file = new Database(filename)
        file
          .prepare("UPDATE kavach_polar_records SET data = replace(data, ?, ?) WHERE kind = 'license_answer'")
          .run(`"expires_at":"${endOf(short.expires_at)}"`, `"expires_at":"2026-01-01T00:00:00.000Z"`)
        file.close()
        expect(await licenseKeys.validate(short.key)).toMatchObject({ valid: false, reason: "expired", isStale: true })
        await expect(licenseKeys.validate(refused.key)).rejects.toMatchObject({ _tag: "PolarUnavailable" })
      })
    })
  })

  test("is in no file as it is, and is read with the access token alone", async () => {
    await withFile({ licenseKeys: { maxAgeSeconds: 0 } }, async (scene) => {
      const { beside, billing, filename, simulator } = scene
      const { id, key } = await granted(scene, { limitActivations: 1 })
      await billing.licenseKeys.validate(key)
      await billing.licenseKeys.activate(key, { label: "desk" })
      expect(await billing.licenseKeys.list(userId)).toMatchObject([{ licenseKeyId: id, key }])
      await simulator.close()
      await billing.dispose()
      const file = readFileSync(filename).toString("latin1")
      expect(file).toContain(id)
      for (const secret of [key, key.toLowerCase(), key.slice(0, -6)]) expect(file).not.toContain(secret)
      await beside({ accessToken: "polar_oat_another" }, async ({ licenseKeys }) => {
        expect(await licenseKeys.list(userId)).toMatchObject([
          { licenseKeyId: id, key: null, displayKey: `****-${key.slice(-6)}`, details: { status: "granted" } }
        ])
      })
      await beside({}, async ({ licenseKeys }) => {
        expect(await licenseKeys.list(userId)).toMatchObject([{ licenseKeyId: id, key }])
      })
    })
  })

  test("goes with a customer whom Polar deletes", async () => {
    await withFile({ licenseKeys: { maxAgeSeconds: 0 } }, async (scene) => {
      const { beside, billing, simulator } = scene
      const { customer_id, key } = await granted(scene)
      await billing.licenseKeys.validate(key)
      await billing.licenseKeys.list(userId)
      const deleted = await fetch(`${simulator.url}/v1/customers/${customer_id}`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${simulator.accessToken}` }
      })
      expect(deleted.status).toBe(204)
      await simulator.flush()
      await simulator.close()
      await billing.dispose()
      await beside({}, async ({ licenseKeys }) => {
        await expect(licenseKeys.validate(key)).rejects.toMatchObject({ _tag: "PolarUnavailable" })
        expect(await licenseKeys.list(userId)).toEqual([])
      })
    })
  })
})
