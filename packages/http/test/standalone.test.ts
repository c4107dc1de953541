/** The bundle, as it is built: `npm run build` first. Programs of their own, so that nothing of this process helps them. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import type * as Full from "@kavach-polar/http"
import * as Standalone from "@kavach-polar/http/standalone"
import { build } from "esbuild"
import { afterAll, describe, expect, expectTypeOf, test } from "vitest"
import { fixture } from "../../core/test/deliveries.ts"
import { memoryPolar, secret } from "./host.ts"
import { runOn } from "./runOn.ts"

const folder = mkdtempSync(join(tmpdir(), "standalone-"))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (program: string, input: object = {}) =>
  runOn("built", `const input = JSON.parse(process.env.INPUT)\n${program}`, JSON.stringify(input))

const config = { accessToken: "polar_oat_x", webhookSecret: secret, logLevel: "none" } as const

/** A delivery of an active subscription of usr_1042, signed now, for a process that has no signer. */
const delivery = () => {
  const body = fixture("subscription.active")
  const headers = WebhookVerifier.signedHeaders({
    secret,
    id: "evt_standalone",
    timestampSeconds: Math.floor(Date.now() / 1000),
    body
  })
  return { headers: { ...headers }, body: new TextDecoder().decode(body) }
}

const active = {
  id: "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67",
  status: "active",
  productId: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60",
  currentPeriodEnd: "2026-11-05T14:22:08.412Z",
  cancelAtPeriodEnd: false
}

/** What the bundle brings along: of these nothing is loaded from anywhere else. */
const inside = /node_modules\/(effect|@effect)\/|\/packages\/(core|adapter-[a-z]+)\//
const drivers = /node_modules\/(better-sqlite3|sql\.js|@libsql|libsql|pg|pg-[a-z]+|postgres|mysql2)\//
const drizzle = /node_modules\/drizzle-orm\//
const bundle = /\/dist\/standalone\//

const matching = (loaded: ReadonlyArray<string>, what: RegExp) => loaded.filter((module) => what.test(module))

describe("loads no more than it needs", { timeout: 60_000 }, () => {
  test("imported, and with a polar() that nobody has used yet: no driver, no drizzle, no adapter", async () => {
    const { loaded } = await run(
      `
      import { createKavach, polar } from "@kavach-polar/http/standalone"
      polar(input)
      polar({ ...input, database: { provider: "postgres", url: "postgres://x/y" } })`,
      config
    )
    expect(matching(loaded, bundle).length).toBeGreaterThan(0)
    expect(matching(loaded, inside)).toEqual([])
    expect(matching(loaded, drivers)).toEqual([])
    expect(matching(loaded, drizzle)).toEqual([])
    expect(matching(loaded, /standalone\/(adapter|polar)-/)).toEqual([])
    // The package's unbundled modules are another copy of all this.
    expect(matching(loaded, /\/packages\/http\/dist\/(?!standalone\/)/)).toEqual([])
  })

  test("on SQLite: its adapter and its driver, and nothing of PostgreSQL or MySQL", async () => {
    const { loaded, printed } = await run(
      `
      import { createKavach, polar } from "@kavach-polar/http/standalone"
      const database = { provider: "sqlite", url: ":memory:" }
      const kavach = await createKavach({ database, plugins: [polar(input)] })
      console.log(await kavach.plugins.polar.getSubscription("usr_1042"))
      await kavach.close()`,
      config
    )
    expect(printed.trim()).toBe("null")
    expect(matching(loaded, /standalone\/adapter-/)).toEqual([expect.stringMatching(/adapter-sqlite-/)])
    expect(matching(loaded, /node_modules\/better-sqlite3\//).length).toBeGreaterThan(0)
    expect(matching(loaded, drizzle)).toEqual([])
    expect(matching(loaded, /standalone\/(node-postgres|mysql2|libsql)-/)).toEqual([])
    expect(matching(loaded, inside)).toEqual([])
    expect(matching(loaded, drivers)).toEqual(matching(loaded, /node_modules\/better-sqlite3\//))
  })

  test("on libSQL: its adapter and its driver, and not SQLite's", async () => {
    const { loaded, printed } = await run(
      `
      import { polar } from "@kavach-polar/http/standalone"
      const billing = polar({ ...input, database: { provider: "turso", url: ":memory:" } })
      console.log(await billing.getSubscription("usr_1042"))
      await billing.dispose()`,
      config
    )
    expect(printed.trim()).toBe("null")
    expect(matching(loaded, /standalone\/adapter-/)).toEqual([expect.stringMatching(/adapter-libsql-/)])
    expect(matching(loaded, /node_modules\/@libsql\/client\//).length).toBeGreaterThan(0)
    expect(matching(loaded, inside)).toEqual([])
    expect(matching(loaded, drivers)).toEqual(matching(loaded, /node_modules\/(@libsql|libsql)\//))
  })

  test("with telemetry: the app's own copy of OpenTelemetry's API, and without the option none", async () => {
    const program = `
      import { polar } from "@kavach-polar/http/standalone"
      const { telemetry, ...config } = input
      if (telemetry) {
        const { trace } = await import("@opentelemetry/api")
        const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = await import("@opentelemetry/sdk-trace-base")
        globalThis.exporter = new InMemorySpanExporter()
        trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
      }
      const billing = polar({ ...input, database: { provider: "sqlite", url: ":memory:" } })
      await billing.getSubscription("usr_1042")
      await billing.dispose()
      console.log(JSON.stringify(globalThis.exporter?.getFinishedSpans().map(({ name }) => name) ?? []))`
    const otel = /node_modules\/@opentelemetry\//
    const silent = await run(program, config)
    expect(matching(silent.loaded, otel)).toEqual([])
    const heard = await run(program, { ...config, telemetry: {} })
    expect(JSON.parse(heard.printed)).toContain("Billing.currentSubscription")
  })

  test("with telemetry where the API is not installed, it says what to install", async () => {
    const elsewhere = join(folder, "without-api")
    cpSync(new URL("../dist/standalone", import.meta.url), elsewhere, { recursive: true })
    mkdirSync(join(elsewhere, "node_modules"))
    const driver = dirname(createRequire(import.meta.url).resolve("better-sqlite3/package.json"))
    symlinkSync(driver, join(elsewhere, "node_modules/better-sqlite3"))
    // An app is bundled without it, too.
    const { errors } = await build({
      entryPoints: [join(elsewhere, "index.js")],
      bundle: true,
      splitting: true,
      platform: "node",
      format: "esm",
      external: ["better-sqlite3"],
      outdir: join(folder, "bundled"),
      logLevel: "silent"
    })
    expect(errors).toEqual([])
    const { printed } = await run(
      `
      const { polar } = await import(input.entry)
      const billing = polar({ ...input.config, telemetry: {}, database: { provider: "sqlite", url: ":memory:" } })
      console.log(await billing.start().then(() => "started", ({ message, name }) => name + ": " + message))
      await billing.dispose()`,
      { config, entry: pathToFileURL(join(elsewhere, "index.js")).href }
    )
    expect(printed.trim()).toBe(
      "PolarConfigError: polar(): telemetry: it needs OpenTelemetry's API, which is not installed: npm install @opentelemetry/api"
    )
  })

  test("the entry for layers loads nothing of the bundle", async () => {
    const { loaded, printed } = await run(
      `
      import { createKavach, polar } from "@kavach-polar/http"
      const database = { provider: "sqlite", url: ":memory:" }
      const kavach = await createKavach({ database, plugins: [polar(input)] })
      console.log(await kavach.plugins.polar.getSubscription("usr_1042"))
      await kavach.close()`,
      config
    )
    expect(printed.trim()).toBe("null")
    expect(matching(loaded, inside).length).toBeGreaterThan(10)
    expect(matching(loaded, bundle)).toEqual([])
  })
})

describe("works", { timeout: 60_000 }, () => {
  test("as a plugin on the database of a host: routes, a signed delivery, the callback, the subscription", async () => {
    const { printed } = await run(
      `
      import { EventEmitter, once } from "node:events"
      import { polar, polarOf } from "@kavach-polar/http/standalone"
      import Database from "better-sqlite3"
      import { drizzle } from "drizzle-orm/better-sqlite3"

      const told = new EventEmitter()
      const plugin = polar({
        ...input.config,
        onSubscriptionChange: (userId, subscription) => void told.emit("change", userId, subscription.status)
      })
      const client = new Database(":memory:")
      const endpoints = []
      const { context } = await plugin.init({
        db: drizzle(client),
        config: { database: { provider: "sqlite-native" } },
        addEndpoint: (endpoint) => void endpoints.push(endpoint)
      })
      const billing = polarOf({ plugins: { getContext: () => context } })
      const endpoint = (path) => endpoints.find((endpoint) => endpoint.path === path)
      const host = { getUser: async () => ({ id: "usr_1042" }) }

      const changed = once(told, "change")
      const request = new Request("http://host.test/auth/polar/webhook", { method: "POST", ...input.delivery })
      const received = await endpoint("/auth/polar/webhook").handler(request, host)
      const forged = new Request("http://host.test/auth/polar/webhook", {
        method: "POST",
        headers: input.delivery.headers,
        body: input.delivery.body.replace("active", "paused")
      })
      const refused = await endpoint("/auth/polar/webhook").handler(forged, host)
      const shown = await endpoint("/auth/polar/subscription").handler(
        new Request("http://host.test/auth/polar/subscription"),
        host
      )
      console.log(JSON.stringify({
        routes: endpoints.map(({ method, path }) => method + " " + path),
        received: [received.status, await received.json()],
        refused: refused.status,
        change: await changed,
        subscription: await billing.getSubscription("usr_1042"),
        shown: await shown.json(),
        access: (await plugin.access("usr_1042", { at: new Date("2026-10-20") })).entitlement
      }))
      await plugin.dispose()
      // The host's database stays open.
      client.prepare("SELECT 1").get()
      client.close()`,
      { config, delivery: delivery() }
    )
    expect(JSON.parse(printed)).toEqual({
      routes: [
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
        "POST /auth/polar/webhook"
      ],
      received: [200, { received: true }],
      refused: 403,
      change: ["usr_1042", "active"],
      subscription: active,
      shown: { subscription: active },
      access: "granted"
    })
  })

  test("without a host, on a database of its own", async () => {
    const { printed } = await run(
      `
      import { Disposed, polar } from "@kavach-polar/http/standalone"
      const database = { provider: "sqlite", url: input.file }
      const first = polar({ ...input.config, database })
      const received = await first.webhook(new Request("http://app.test/", { method: "POST", ...input.delivery }))
      await first.dispose()
      const late = await first.getSubscription("usr_1042").catch((error) => error)
      const second = polar({ ...input.config, database })
      console.log(JSON.stringify({
        received: received.status,
        disposed: late instanceof Disposed,
        kept: await second.getSubscription("usr_1042")
      }))
      await second.dispose()`,
      {
        config,
        delivery: delivery(),
        file: join(folder, "billing.sqlite")
      }
    )
    expect(JSON.parse(printed)).toEqual({ received: 200, disposed: true, kept: active })
  })

  test("its errors are what they are called", async () => {
    const { printed } = await run(
      `
      import * as kavachPolar from "@kavach-polar/http/standalone"
      const { NotConnected, PolarConfigError, polar } = kavachPolar
      const thrown = (make) => { try { make() } catch (error) { return error } }
      const misspelt = thrown(() => polar({ ...input, acessToken: "x" }))
      const early = await polar(input).getSubscription("usr_1042").catch((error) => error)
      const missing = await polar({ ...input, database: { provider: "sqlite", url: "/no/such/folder/x.sqlite" } })
        .getSubscription("usr_1042").catch((error) => error)
      console.log(JSON.stringify({
        misspelt: [misspelt instanceof PolarConfigError, misspelt.name, misspelt._tag, misspelt.message],
        early: [early instanceof NotConnected, early.name, /standalone/.test(early.stack)],
        missing: [missing.name, missing.reason]
      }))`,
      config
    )
    expect(JSON.parse(printed)).toEqual({
      misspelt: [
        true,
        "PolarConfigError",
        "PolarConfigError",
        "polar(): acessToken: there is no such option. Did you mean accessToken?"
      ],
      early: [true, "NotConnected", true],
      missing: ["StoreError", "unavailable"]
    })
  })
})

describe("what it takes", () => {
  test("no layer: that is refused with what to do", () => {
    const refusal = (field: string) =>
      `polar(): ${field}: a layer belongs to your own copy of Effect, and this polar() has another: import polar from "@kavach-polar/http"`
    const withClient = { ...config, client: memoryPolar().client }
    expect(() => Standalone.polar(withClient)).toThrow(Standalone.PolarConfigError)
    expect(() => Standalone.polar(withClient)).toThrow(refusal("client"))
    const withStore = { ...config, store: {} }
    expect(() => Standalone.polar(withStore)).toThrow(refusal("store"))
    expect(() => Standalone.polar({ ...config, ...{ store: undefined, client: undefined } })).not.toThrow()
    expectTypeOf<Standalone.PolarConfig>().not.toHaveProperty("store")
    expectTypeOf<Standalone.PolarConfig>().not.toHaveProperty("client")
    expectTypeOf<Omit<Full.PolarConfig, "store" | "client">>().toExtend<Standalone.PolarConfig>()
  })

  test("a database with an address", () => {
    const on = (provider: Standalone.DatabaseConfig["provider"], url: string | undefined, authToken?: string) => () =>
      Standalone.polar({ ...config, database: { provider, url, authToken } })
    expect(on("libsql", "billing.db")).toThrow("polar(): database.url: it is not an address such as libsql://host")
    expect(on("postgres", "postgres://host/x", "token")).toThrow("It is for libsql and turso")
    expect(on("libsql", "libsql://host", "token")).not.toThrow()
    expect(on("mysql", "localhost")).toThrow("polar(): database.url: it is not an address such as mysql://")
  })

  test("whatever else the other entry has, this one has too", async () => {
    expect(Object.keys(Standalone).sort()).toEqual(Object.keys(await import("@kavach-polar/http")).sort())
  })
})
