import { FetchHttpClient } from "@effect/platform"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { StoreError } from "@kavach-polar/core/StoreError"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
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
    ["accessToken", "must be text", { ...good, accessToken: null }],
    ["accessToken", "must be text", { ...good, accessToken: 7 }],
    ["webhookSecret", "only a prefix", { ...good, webhookSecret: "whsec_" }],
    ["webhookSecret", "only a prefix", { ...good, webhookSecret: " polar_whs_ " }],
    ["webhookSecret", 'such as "undefined"', { ...good, webhookSecret: `${undefined}` }],
    ["webhookSecret", "so short that it can be guessed", { ...good, webhookSecret: "polar_whs_x" }],
    ["webhookSecret", "the public one", { ...good, webhookSecret: WebhookVerifier.memorySecret }],
    ["webhookSecret", "At least one|at least one", { ...good, webhookSecret: [] }],
    ["webhookSecret", "or a list of secrets", { ...good, webhookSecret: null }],
    ["webhookSecret", "or a list of secrets", { ...good, webhookSecret: 7 }],
    ["organizationId", "must be text", { ...good, organizationId: 7 }],
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
    ["telemetry", "an object", { ...good, telemetry: true }],
    ["telemetry.trace", "Did you mean traces", { ...good, telemetry: { trace: true } }],
    ["telemetry.metrics", "true or false", { ...good, telemetry: { metrics: "on" } }],
    ["telemetry.tracerProvider", "the function getTracer", { ...good, telemetry: { tracerProvider: {} } }],
    ["telemetry", "it does nothing", { ...good, telemetry: { traces: false, metrics: false } }],
    [
      "telemetry.meterProvider",
      "metrics are off",
      { ...good, telemetry: { metrics: false, meterProvider: { getMeter: () => ({}) } } }
    ],
    ["accessPolicy", "an object", { ...good, accessPolicy: "lenient" }],
    ["accessPolicy.gracePeriodDays", "number of days", { ...good, accessPolicy: { gracePeriodDays: -1 } }],
    ["accessPolicy.gracePeriodDays", "number of days", { ...good, accessPolicy: { gracePeriodDays: "7" } }],
    ["accessPolicy.gracePeriodDays", "number of days", { ...good, accessPolicy: { gracePeriodDays: Number.NaN } }],
    ["accessPolicy.gracePeriodDays", "number of days", { ...good, accessPolicy: { gracePeriodDays: Infinity } }],
    ["accessPolicy.gracePeriodDays", "number of days", { ...good, accessPolicy: { gracePeriodDays: 1e12 } }],
    ["accessPolicy.statuses", "say of statuses", { ...good, accessPolicy: { statuses: "all" } }],
    ["accessPolicy.statuses.paused", '"granted"', { ...good, accessPolicy: { statuses: { paused: "yes" } } }],
    [
      "accessPolicy.statuses.actve",
      "Did you mean active?",
      { ...good, accessPolicy: { statuses: { actve: "granted" } } }
    ],
    ["accessPolicy.gracePeriod", "Did you mean gracePeriodDays?", { ...good, accessPolicy: { gracePeriod: 3 } }],
    [
      "accessPolicy.days",
      "There is gracePeriodDays, endToleranceMinutes, statuses.",
      { ...good, accessPolicy: { days: 3 } }
    ],
    ["store", "a Layer", { ...good, store: {} }],
    ["store", "a Layer", { ...good, store: null }],
    ["client", "a Layer", { ...good, client: () => {} }],
    ["apiBaseUrl", "http(s) URL", { ...good, apiBaseUrl: "api.polar.sh" }],
    ["apiBaseUrl", "http(s) URL", { ...good, apiBaseUrl: "file:///x" }],
    ["webhookUrl", "http(s) URL", { ...good, webhookUrl: "/auth/polar/webhook" }],
    ["reconcileEveryHours", "number of hours, from 0.25", { ...good, reconcileEveryHours: 0.1 }],
    ["reconcileEveryHours", "0 or false for never", { ...good, reconcileEveryHours: true }],
    ["accessPolicy.endToleranceMinutes", "number of minutes", { ...good, accessPolicy: { endToleranceMinutes: -1 } }],
    ["accessPolicy.endToleranceMinutes", "number of minutes", { ...good, accessPolicy: { endToleranceMinutes: 1e6 } }],
    ["accessPolicy.statuses.canceled", "it is over", { ...good, accessPolicy: { statuses: { canceled: "granted" } } }],
    ["accessPolicy.statuses.unpaid", "given up", { ...good, accessPolicy: { statuses: { unpaid: "grace" } } }],
    [
      "accessPolicy.statuses.incomplete",
      "not come",
      { ...good, accessPolicy: { statuses: { incomplete: "granted" } } }
    ],
    [
      "accessPolicy.statuses.incomplete_expired",
      "never came",
      { ...good, accessPolicy: { statuses: { incomplete_expired: "granted" } } }
    ],
    ["accessPolicy.statuses.active", "grace is counted", { ...good, accessPolicy: { statuses: { active: "grace" } } }],
    ["reconcileEveryHours", "number of hours, from 0.25", { ...good, reconcileEveryHours: Number.POSITIVE_INFINITY }],
    ["reconcileEveryHours", "number of hours, from 0.25", { ...good, reconcileEveryHours: "24" }],
    ["retentionDays", "number of days", { ...good, retentionDays: 0 }],
    ["retentionDays", "number of days", { ...good, retentionDays: -90 }],
    ["retentionDays", "number of days", { ...good, retentionDays: "90" }],
    ["migrate", "true or false", { ...good, migrate: "no" }],
    ["webhookBodyLimitBytes", "number of bytes", { ...good, webhookBodyLimitBytes: 0 }],
    ["webhookBodyLimitBytes", "number of bytes", { ...good, webhookBodyLimitBytes: 1.5 }],
    ["webhookBodyLimitBytes", "number of bytes", { ...good, webhookBodyLimitBytes: "1mb" }],
    ["accessToken", "a webhook secret", { ...good, accessToken: "whsec_SW52ZW50ZWQ=" }],
    ["accessToken", "give the token alone", { ...good, accessToken: `Bearer ${token}` }],
    ["accessToken", "a quotation mark", { ...good, accessToken: `"${token}` }],
    ["accessToken", "a line break", { ...good, accessToken: `${token}\nPORT=3000` }],
    ["webhookSecret", "a quotation mark", { ...good, webhookSecret: `${secret}'` }],
    ["webhookSecret", "a line break", { ...good, webhookSecret: `${secret}\n${secret}` }],
    ["toleranceSeconds", "from 1 to 604800", { ...good, toleranceSeconds: 0 }],
    ["toleranceSeconds", "from 1 to 604800", { ...good, toleranceSeconds: 604_801 }],
    ["toleranceSeconds", "from 1 to 604800", { ...good, toleranceSeconds: "300" }],
    ["toleranceSeconds", "from 1 to 604800", { ...good, toleranceSeconds: Number.NaN }],
    ["logLevel", '"debug", "info"', { ...good, logLevel: "verbose" }],
    ["acessToken", "no such option. Did you mean accessToken?", { ...good, acessToken: token }],
    ["webhook_secret", "Did you mean webhookSecret?", { ...good, webhook_secret: secret }],
    ["onSubscriptionChanged", "Did you mean onSubscriptionChange?", { ...good, onSubscriptionChanged: () => {} }],
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

  test("a name that is near to none is not guessed at", () => {
    expect(faultOf({ ...good, server: "sandbox" }).problem).toBe("there is no such option")
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
      { ...good, accessToken: `${token}"` },
      { ...good, webhookSecret: `"${secret}` },
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
    expect(settings(good).maintenance).toEqual({ retention: undefined, reconcileEvery: Duration.days(1) })
  })

  test("everything is compared daily where there is a token, unless it is turned off", () => {
    const { accessToken: _, ...others } = good
    const every = (config: PolarConfig) => settings(config).maintenance.reconcileEvery
    expect(every({ ...others, client: PolarClient.layerMemory })).toBeUndefined()
    expect(every({ ...good, reconcileEveryHours: false })).toBeUndefined()
    expect(every({ ...good, reconcileEveryHours: 0 })).toBeUndefined()
    expect(every({ ...good, reconcileEveryHours: 1 })).toEqual(Duration.hours(1))
  })

  test("what each status gives, and for how long", () => {
    const { policy } = settings({ ...good, accessPolicy: { endToleranceMinutes: 0, statuses: { canceled: "denied" } } })
    expect(Duration.toMillis(policy.endTolerance)).toBe(0)
    expect(policy.statuses).toEqual({ trialing: "granted", active: "granted", past_due: "grace", paused: "denied" })
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
      toleranceSeconds: undefined,
      reconcileEveryHours: undefined,
      retentionDays: undefined,
      migrate: undefined,
      webhookBodyLimitBytes: undefined,
      logLevel: undefined
    }
    expect(settings({ ...good, ...absent }).policy).toEqual(settings(good).policy)
    expect(() => polar({ ...good, ...absent })).not.toThrow()
  })

  test.each(['"', "'", "`"])("quotation marks around what an environment hands over: %s", (mark) => {
    const quoted = (text: string) => ` ${mark}${text}${mark}\n`
    const all = settings({
      accessToken: quoted(token),
      webhookSecret: [quoted(secret), secret],
      organizationId: quoted("0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01")
    })
    expect(all.accessToken && Redacted.value(all.accessToken)).toBe(token)
    expect(all.webhookSecrets.map(Redacted.value)).toEqual([secret, secret])
    expect(all.organizationId).toBe("0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01")
  })

  test("several secrets in one variable: the new one and the old one", () => {
    const old = "polar_whs_AnotherAnotherAnother"
    const { webhookSecrets } = settings({ ...good, webhookSecret: `${secret},${old}` })
    expect(webhookSecrets.map(Redacted.value)).toEqual([secret, old])
    expect(() => polar({ ...good, webhookSecret: `${secret},short` })).toThrow("Webhook secret 2")
  })

  test("several secrets, space around a token, origins in any case", () => {
    const all = settings({
      accessToken: ` ${token}\n`,
      webhookSecret: [secret, "polar_whs_AnotherAnotherAnother"],
      trustedOrigins: ["https://App.Example.com/", "http://localhost:3000"],
      accessPolicy: { gracePeriodDays: 0, statuses: { paused: "granted" } },
      webhookBodyLimitBytes: 2048,
      logLevel: "none"
    })
    expect(all.accessToken && Redacted.value(all.accessToken)).toBe(token)
    expect(all.webhookSecrets).toHaveLength(2)
    expect(all.trustedOrigins).toEqual(["https://app.example.com", "http://localhost:3000"])
    expect(all.policy.statuses).toMatchObject({ paused: "granted", active: "granted" })
    expect(Duration.toMillis(all.policy.gracePeriod)).toBe(0)
    expect(all.logLevel).toBe(LogLevel.None)
  })

  test("a client of one's own needs no token", () => {
    expect(() => polar({ webhookSecret: secret, client: PolarClient.layerMemory })).not.toThrow()
  })
})

describe("what is not there is told by the first use, and not by an import", () => {
  const store = BillingStore.layerMemory
  test.each<[field: string, problem: string, config: unknown]>([
    ["accessToken", "is missing", { webhookSecret: secret }],
    ["accessToken", "is missing", { ...good, accessToken: undefined }],
    ["accessToken", "empty or blank", { ...good, accessToken: "" }],
    ["accessToken", "empty or blank", { ...good, accessToken: " \n" }],
    ["accessToken", "empty or blank", { ...good, accessToken: '""' }],
    ["webhookSecret", "is missing", { accessToken: token }],
    ["webhookSecret", "is missing", { ...good, webhookSecret: undefined }],
    ["webhookSecret", "empty or blank", { ...good, webhookSecret: "" }],
    ["webhookSecret", "empty or blank", { ...good, webhookSecret: "  " }],
    ["webhookSecret.1", "empty or blank", { ...good, webhookSecret: [secret, ""] }],
    ["webhookSecret.1", "is missing", { ...good, webhookSecret: [secret, undefined] }],
    ["organizationId", "empty or blank", { ...good, organizationId: "" }],
    ["apiBaseUrl", "empty or blank", { ...good, apiBaseUrl: "" }],
    ["webhookUrl", "empty or blank", { ...good, webhookUrl: " " }]
  ])("%s: %s", async (field, problem, config) => {
    await using billing = untyped({ ...(config as object), store, logLevel: "none" })
    const uses = [
      () => billing.getSubscription("usr_1"),
      () => billing.access("usr_1"),
      () => billing.linkWaiting(),
      () => billing.init({ db: undefined, config: { database: { provider: "sqlite" } }, addEndpoint: () => {} })
    ]
    for (const use of uses) {
      const error = await use().then(
        () => undefined,
        (error: unknown) => error
      )
      expect(error).toBeInstanceOf(PolarConfigError)
      expect(error).toMatchObject({ field, message: expect.stringContaining(problem) })
    }
    const answer = await billing.webhook(new Request("http://x/webhook", { method: "POST", body: "{}" }))
    expect(answer.status).toBe(503)
    expect(await answer.json()).toEqual({ error: "Payments are not configured on this server" })
  })

  test("layers are made without secrets too, and say what is missing when they are built or called", async () => {
    const { POLAR_SECRET_THAT_IS_NOT_SET: unset } = process.env
    const Verifier = WebhookVerifier.layer({ secrets: [Redacted.make(unset as string)] })
    const built = await Effect.runPromise(Effect.either(Effect.scoped(Layer.build(Verifier))))
    expect(Either.getOrThrow(Either.flip(built)).message).toContain("Webhook secret 1 is empty or blank")
    const Client = PolarClient.layer({ accessToken: Redacted.make(unset as string) })
    const called = Effect.flatMap(PolarClient.PolarClient, (client) => client.webhookEndpoints).pipe(
      Effect.provide(Layer.provide(Client, FetchHttpClient.layer)),
      Effect.either
    )
    expect(Either.getOrThrow(Either.flip(await Effect.runPromise(called)))).toMatchObject({
      _tag: "PolarNotConfigured",
      message: expect.stringContaining("the access token is empty")
    })
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
