import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { StoreError } from "@kavach-polar/core/StoreError"
import { type PolarConfig, PolarConfigError, polar } from "@kavach-polar/http"
import { Duration, Effect, Either, Layer, LogLevel, Redacted } from "effect"
import { describe, expect, test } from "vitest"
import { settingsOf } from "../src/config/settings.ts"

const token = "polar_oat_InventedInventedInvented"
const secret = "whsec_SW52ZW50ZWRJbnZlbnRlZA=="
const good = { accessToken: token, webhookSecret: secret }

/** As from JavaScript, where nobody checks types. */
const untyped = (config: unknown) => polar(config as PolarConfig)

const faultOf = (config: unknown): PolarConfigError => {
  try {
    untyped(config)
  } catch (error) {
    if (error instanceof PolarConfigError) return error
    throw error
  }
  throw new Error("polar() took the configuration")
}

describe("a fault is named by its field", () => {
  test.each<[field: string, problem: string, config: unknown]>([
    ["accessToken", "is missing", { webhookSecret: secret }],
    ["accessToken", "is missing", { ...good, accessToken: undefined }],
    ["accessToken", "blank or no text", { ...good, accessToken: "" }],
    ["accessToken", "blank or no text", { ...good, accessToken: " \n" }],
    ["accessToken", "blank or no text", { ...good, accessToken: null }],
    ["accessToken", "blank or no text", { ...good, accessToken: 7 }],
    ["webhookSecret", "is missing", { accessToken: token }],
    ["webhookSecret", "is missing", { ...good, webhookSecret: undefined }],
    ["webhookSecret", "empty or blank", { ...good, webhookSecret: "" }],
    ["webhookSecret", "empty or blank", { ...good, webhookSecret: "  " }],
    ["webhookSecret", "only a prefix", { ...good, webhookSecret: "whsec_" }],
    ["webhookSecret", "only a prefix", { ...good, webhookSecret: " polar_whs_ " }],
    ["webhookSecret", "At least one|at least one", { ...good, webhookSecret: [] }],
    ["webhookSecret", "Webhook secret 2 is empty", { ...good, webhookSecret: [secret, ""] }],
    ["webhookSecret", "or a list of secrets", { ...good, webhookSecret: [secret, undefined] }],
    ["webhookSecret", "or a list of secrets", { ...good, webhookSecret: null }],
    ["webhookSecret", "or a list of secrets", { ...good, webhookSecret: 7 }],
    ["organizationId", "blank or no text", { ...good, organizationId: "" }],
    ["organizationId", "blank or no text", { ...good, organizationId: 7 }],
    ["sandbox", "true or false", { ...good, sandbox: "true" }],
    ["sandbox", "true or false", { ...good, sandbox: 1 }],
    ["onSubscriptionChange", "a function", { ...good, onSubscriptionChange: "log" }],
    ["trustedOrigins", "a list of origins", { ...good, trustedOrigins: "https://app.example.com" }],
    ["trustedOrigins.0", "an origin such as", { ...good, trustedOrigins: [""] }],
    ["trustedOrigins.0", "an origin such as", { ...good, trustedOrigins: ["app.example.com"] }],
    ["trustedOrigins.0", "an origin such as", { ...good, trustedOrigins: ["*"] }],
    ["trustedOrigins.0", "an origin such as", { ...good, trustedOrigins: ["https://*.example.com/x"] }],
    [
      "trustedOrigins.1",
      "an origin such as",
      { ...good, trustedOrigins: ["https://a.example", "https://a.example/x"] }
    ],
    ["trustedOrigins.0", "an origin such as", { ...good, trustedOrigins: ["https://a.example?x"] }],
    ["trustedOrigins.0", "an origin such as", { ...good, trustedOrigins: ["https://u@a.example"] }],
    ["trustedOrigins.0", "an origin such as", { ...good, trustedOrigins: ["javascript:alert(1)"] }],
    ["trustedOrigins.0", "an origin such as", { ...good, trustedOrigins: [7] }],
    ["accessPolicy", "an object", { ...good, accessPolicy: "lenient" }],
    ["accessPolicy.gracePeriodDays", "number of days", { ...good, accessPolicy: { gracePeriodDays: -1 } }],
    ["accessPolicy.gracePeriodDays", "number of days", { ...good, accessPolicy: { gracePeriodDays: "7" } }],
    ["accessPolicy.gracePeriodDays", "number of days", { ...good, accessPolicy: { gracePeriodDays: Number.NaN } }],
    ["accessPolicy.gracePeriodDays", "number of days", { ...good, accessPolicy: { gracePeriodDays: Infinity } }],
    ["accessPolicy.gracePeriodDays", "number of days", { ...good, accessPolicy: { gracePeriodDays: 1e12 } }],
    ["accessPolicy.statuses", "say of statuses", { ...good, accessPolicy: { statuses: "all" } }],
    ["accessPolicy.statuses.paused", '"granted"', { ...good, accessPolicy: { statuses: { paused: "yes" } } }],
    ["accessPolicy.statuses.actve", "no such option", { ...good, accessPolicy: { statuses: { actve: "granted" } } }],
    ["accessPolicy.graceDays", "no such option", { ...good, accessPolicy: { graceDays: 3 } }],
    ["store", "a Layer", { ...good, store: {} }],
    ["store", "a Layer", { ...good, store: null }],
    ["client", "a Layer", { ...good, client: () => {} }],
    ["apiBaseUrl", "http(s) URL", { ...good, apiBaseUrl: "api.polar.sh" }],
    ["apiBaseUrl", "http(s) URL", { ...good, apiBaseUrl: "file:///x" }],
    ["webhookUrl", "http(s) URL", { ...good, webhookUrl: "/auth/polar/webhook" }],
    ["reconcileEveryHours", "number of hours, from 0.25", { ...good, reconcileEveryHours: 0 }],
    ["reconcileEveryHours", "number of hours, from 0.25", { ...good, reconcileEveryHours: Number.POSITIVE_INFINITY }],
    ["reconcileEveryHours", "number of hours, from 0.25", { ...good, reconcileEveryHours: "24" }],
    ["retentionDays", "number of days", { ...good, retentionDays: 0 }],
    ["retentionDays", "number of days", { ...good, retentionDays: -90 }],
    ["retentionDays", "number of days", { ...good, retentionDays: "90" }],
    ["migrate", "true or false", { ...good, migrate: "no" }],
    ["webhookBodyLimit", "number of bytes", { ...good, webhookBodyLimit: 0 }],
    ["webhookBodyLimit", "number of bytes", { ...good, webhookBodyLimit: 1.5 }],
    ["webhookBodyLimit", "number of bytes", { ...good, webhookBodyLimit: "1mb" }],
    ["logLevel", "debug, info", { ...good, logLevel: "verbose" }],
    ["acessToken", "no such option", { ...good, acessToken: token }],
    ["server", "no such option", { ...good, server: "sandbox" }],
    ["the configuration", "an object", undefined],
    ["the configuration", "an object", null],
    ["the configuration", "an object", token],
    ["the configuration", "an object", () => good]
  ])("%s: %s", (field, problem, config) => {
    const fault = faultOf(config)
    expect(fault.field).toBe(field)
    if (problem.includes("|")) expect(fault.message).toMatch(new RegExp(problem))
    else expect(fault.message).toContain(problem)
    expect(fault.message.startsWith(`polar(): ${field}: `)).toBe(true)
    // A message ends up in logs and on screens.
    for (const text of [fault.message, String(fault), JSON.stringify(fault)]) {
      expect(text).not.toContain("Invented")
      expect(text).not.toContain("SW52")
    }
  })

  test("nothing of a refused secret is repeated, wherever it was put", () => {
    for (const config of [
      { ...good, sandbox: token },
      { ...good, organizationId: { token } },
      { ...good, trustedOrigins: [secret] },
      { ...good, trustedOrigins: secret },
      { ...good, accessPolicy: token },
      { ...good, accessPolicy: { statuses: token } },
      { ...good, accessPolicy: { statuses: { active: token } } },
      { ...good, apiBaseUrl: `nonsense ${token}` },
      { ...good, store: { token } },
      { ...good, logLevel: secret },
      { ...good, webhookSecret: [[secret]] },
      { ...good, webhookSecret: { secret } },
      { ...good, accessToken: [token] },
      [token, secret]
    ]) {
      expect(JSON.stringify([faultOf(config).message, faultOf(config)])).not.toMatch(/Invented|SW52/)
    }
  })
})

describe("what is taken", () => {
  const settings = (config: PolarConfig) => Either.getOrThrow(settingsOf(config))

  test("the documented minimum, with defaults", () => {
    const { accessToken, webhookSecrets, ...rest } = settings(good)
    expect(accessToken && Redacted.value(accessToken)).toBe(token)
    expect(webhookSecrets.map(Redacted.value)).toEqual([secret])
    expect(rest).toMatchObject({ sandbox: false, migrate: true, logLevel: LogLevel.Info, trustedOrigins: undefined })
    expect(Duration.toDays(rest.policy.gracePeriod)).toBe(7)
    expect(String(accessToken)).not.toContain("Invented")
    expect(JSON.stringify(settings(good))).not.toMatch(/Invented|SW52/)
  })

  test("retention and the schedule of reconciliation, as durations", () => {
    expect(settings({ ...good, retentionDays: 30, reconcileEveryHours: 24 }).maintenance).toEqual({
      retention: Duration.days(30),
      reconcileEvery: Duration.hours(24)
    })
    const { retention } = settings({ ...good, retentionDays: Number.POSITIVE_INFINITY }).maintenance
    expect(retention !== undefined && Duration.isFinite(Duration.decode(retention))).toBe(false)
    expect(settings(good).maintenance).toEqual({ retention: undefined, reconcileEvery: undefined })
  })

  test("options that are undefined are options that are absent", () => {
    const absent = {
      organizationId: undefined,
      sandbox: undefined,
      onSubscriptionChange: undefined,
      trustedOrigins: undefined,
      accessPolicy: { gracePeriodDays: undefined, statuses: { paused: undefined } },
      store: undefined,
      client: undefined,
      apiBaseUrl: undefined,
      webhookUrl: undefined,
      reconcileEveryHours: undefined,
      retentionDays: undefined,
      migrate: undefined,
      webhookBodyLimit: undefined,
      logLevel: undefined
    }
    expect(settings({ ...good, ...absent }).policy).toEqual(settings(good).policy)
    expect(() => polar({ ...good, ...absent })).not.toThrow()
  })

  test("several secrets, space around a token, origins in any case", () => {
    const all = settings({
      accessToken: ` ${token}\n`,
      webhookSecret: [secret, "polar_whs_Another"],
      trustedOrigins: ["https://App.Example.com/", "http://localhost:3000"],
      accessPolicy: { gracePeriodDays: 0, statuses: { paused: "granted" } },
      webhookBodyLimit: 2048,
      logLevel: "none"
    })
    expect(all.accessToken && Redacted.value(all.accessToken)).toBe(token)
    expect(all.webhookSecrets).toHaveLength(2)
    expect(all.trustedOrigins).toEqual(["https://app.example.com", "http://localhost:3000"])
    expect(all.policy.statuses).toMatchObject({ paused: "granted", active: "granted", canceled: "denied" })
    expect(Duration.toMillis(all.policy.gracePeriod)).toBe(0)
    expect(all.logLevel).toBe(LogLevel.None)
  })

  test("a client of one's own needs no token", () => {
    expect(() => polar({ webhookSecret: secret, client: PolarClient.layerMemory })).not.toThrow()
  })
})

test("making it opens nothing and calls nothing", () => {
  let built = 0
  const store = Layer.unwrapEffect(
    Effect.sync(() => {
      built += 1
      return BillingStore.layerMemory
    })
  )
  polar({ ...good, store })
  polar({ ...good, store: Layer.fail(new StoreError({ operation: "open", reason: "unavailable", detail: "away" })) })
  expect(built).toBe(0)
})
