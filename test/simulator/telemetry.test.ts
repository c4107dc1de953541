/** What an app's OpenTelemetry is told, read back from the SDKs as any stranger reads it. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { type PolarConfig, polar } from "@kavach-polar/http"
import { serve } from "@kavach-polar/simulator"
import { metrics, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api"
import { AggregationTemporality } from "@opentelemetry/sdk-metrics"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import Database from "better-sqlite3"
import { Webhook } from "standardwebhooks"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { outOfOrder } from "../prove/arrival.ts"
import { historyOf } from "../prove/history.ts"
import { expectedOf } from "../prove/model.ts"
import { randomOf } from "../prove/seeded.ts"
import { email, outcome, pro, type Scene, userId, webhookSecret, withScene } from "./BillingScene.ts"
import { TelemetrySdk, textOf } from "./TelemetrySdk.ts"

let sdk: TelemetrySdk
let folder = ""
let filename = ""

beforeEach(() => {
  sdk = new TelemetrySdk()
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  filename = join(folder, "app.db")
})

afterEach(async () => {
  await sdk.close()
  rmSync(folder, { recursive: true, force: true })
})

const withApp = (config: Partial<PolarConfig>, use: (scene: Scene) => Promise<void>) =>
  withScene({}, { store: SqliteStore.layer({ filename }), refreshWhenDenied: false, telemetry: {}, ...config }, use)

const rows = (sql: string): ReadonlyArray<Record<string, unknown>> => {
  const database = new Database(filename, { readonly: true })
  try {
    return database.prepare<[], Record<string, unknown>>(sql).all()
  } finally {
    database.close()
  }
}

const webhook = new Webhook(webhookSecret)

const signed = (id: string, body: string): Request => {
  const now = new Date()
  return new Request("https://app.example.com/auth/polar/webhook", {
    method: "POST",
    body,
    headers: {
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
      "webhook-signature": webhook.sign(id, now, body)
    }
  })
}

const one = (spans: ReadonlyArray<ReadableSpan>, is: (span: ReadableSpan) => boolean): ReadableSpan => {
  const [found, ...others] = spans.filter(is)
  if (found === undefined || others.length > 0) throw new Error(`${others.length + (found ? 1 : 0)} spans`)
  return found
}

const idsOf = (span: ReadableSpan) => ({ traceId: span.spanContext().traceId, spanId: span.spanContext().spanId })

const isChild = (parent: ReadableSpan) => (span: ReadableSpan) =>
  span.parentSpanContext?.spanId === parent.spanContext().spanId

describe("traces", () => {
  test("of one webhook: from the app's request through the step, and linked the callback with what the app does in it", async () => {
    sdk.register()
    const simulator = await serve()
    const billing = polar({
      accessToken: simulator.accessToken,
      apiBaseUrl: simulator.url,
      webhookSecret,
      logLevel: "none",
      store: SqliteStore.layer({ filename }),
      telemetry: {},
      onPurchase: () => sdk.within("send receipt", async () => {})
    })
    try {
      await simulator.connect((request) => sdk.within("shop webhook", () => billing.webhook(request)), {
        secret: webhookSecret
      })
      const { id } = await sdk.within("shop checkout", () =>
        billing.createCheckout(userId, pro, { customerEmail: email })
      )
      await simulator.pay(id, { customer_email: email })
      await simulator.flush()
      await billing.settled()
    } finally {
      await billing.dispose()
      await simulator.close()
    }
    const callback = one(
      sdk.spans,
      ({ attributes, name }) =>
        name === "NotificationDispatcher.deliver" && attributes["messaging.destination.name"] === "onPurchase"
    )
    const receipt = one(sdk.spans, ({ name }) => name === "send receipt")
    expect(receipt.parentSpanContext?.spanId).toBe(callback.spanContext().spanId)
    expect(callback.parentSpanContext).toBeUndefined()
    expect(callback.kind).toBe(SpanKind.CONSUMER)
    expect(callback.attributes).toMatchObject({
      "messaging.system": "kavach_polar",
      "messaging.operation.type": "process",
      "messaging.message.id": expect.stringMatching(/^onPurchase:/),
      "kavach_polar.notification.attempt": 1
    })

    const [link, ...others] = callback.links
    expect(others).toEqual([])
    const delivery = one(sdk.spans, (span) => span.spanContext().spanId === link?.context.spanId)
    expect(link?.context.traceId).toBe(delivery.spanContext().traceId)
    expect(callback.spanContext().traceId).not.toBe(delivery.spanContext().traceId)
    expect(delivery.name).toBe("Billing.receiveWebhook")
    expect(delivery.kind).toBe(SpanKind.CONSUMER)
    expect(delivery.attributes).toMatchObject({
      "messaging.system": "polar",
      "messaging.operation.type": "process",
      "messaging.destination.name": expect.stringMatching(/^order\.(created|paid)$/),
      "messaging.message.id": expect.any(String),
      "messaging.message.body.size": expect.any(Number),
      "kavach_polar.delivery.state": "applied",
      "kavach_polar.delivery.duplicate": false
    })

    const route = one(sdk.spans, (span) => span.spanContext().spanId === delivery.parentSpanContext?.spanId)
    expect([route.name, route.kind]).toEqual(["POST /webhook", SpanKind.INTERNAL])
    expect(route.attributes).toMatchObject({ "http.request.method": "POST", "http.response.status_code": 200 })
    const request = one(sdk.spans, (span) => span.spanContext().spanId === route.parentSpanContext?.spanId)
    expect(request.name).toBe("shop webhook")
    const commit = one(sdk.spans, (span) => span.name === "Billing.commit" && isChild(delivery)(span))
    const step = one(sdk.spans, isChild(commit))
    expect([step.name, step.kind]).toEqual(["BillingStore.receiveDeliveries", SpanKind.CLIENT])
    expect(step.attributes).toMatchObject({
      "db.system.name": "sqlite",
      "db.operation.name": "receiveDeliveries"
    })
    const ofOneTrace = [request, route, delivery, commit, step].map((span) => span.spanContext().traceId)
    expect(new Set(ofOneTrace).size).toBe(1)

    const asked = one(sdk.spans, ({ name }) => name === "POST /v1/checkouts/")
    expect(asked.kind).toBe(SpanKind.CLIENT)
    expect(asked.attributes).toEqual({
      "http.request.method": "POST",
      "http.response.status_code": 201,
      "url.template": "/v1/checkouts/",
      "url.scheme": "http",
      "server.address": "127.0.0.1",
      "server.port": expect.any(Number)
    })
    const checkout = one(sdk.spans, ({ name }) => name === "shop checkout")
    expect(asked.spanContext().traceId).toBe(checkout.spanContext().traceId)
  })

  test("nothing in them names a person, and no secret is in them or in a metric", async () => {
    sdk.register()
    const buyer = "usr_secret_of_the_app"
    let token = ""
    await withApp(
      {
        onSubscriptionChange: () => {
          throw new Error(`no mail to ${email}`)
        }
      },
      async (scene) => {
        const { billing, simulator } = scene
        token = simulator.accessToken
        await billing.start()
        await scene.buy(pro, buyer)
        await billing.access(buyer)
        await billing.reconcile(buyer)
        await billing.customers.timeline(email)
        await billing.orders.list(buyer)
        // What a stranger sends is no better than what Polar does.
        await billing.webhook(new Request("https://x.test/hook", { method: "POST", body: email }))
        const handle = billing.handler({ getUser: () => ({ id: buyer, email, emailVerified: true }) })
        await handle(new Request(`https://x.test/auth/polar/access?email=${email}`))
        await billing.createCheckout(buyer, "no such product").catch(() => {})
      }
    )
    const text = [...sdk.spans.map(textOf), JSON.stringify(await sdk.collected())].join("\n")
    expect(sdk.spans.length).toBeGreaterThan(30)
    for (const secret of [email, "ada", buyer, token, webhookSecret, "Bearer", "checkout_client_secret"]) {
      expect(secret).not.toBe("")
      expect(text).not.toContain(secret)
    }
  })

  test("what fails is said by its tag, and a server's answer by its status", async () => {
    sdk.register()
    await withApp({}, async ({ billing }) => {
      const stranger = {
        "webhook-id": "evt_1",
        "webhook-timestamp": "1",
        "webhook-signature": new Webhook("whsec_c29tZWJvZHkgZWxzZQ==").sign("evt_1", new Date(1000), "{}")
      }
      const request = (headers: Record<string, string>) =>
        new Request("https://app.example.com/billing/webhook?x=1", { method: "POST", body: "{}", headers })
      expect((await billing.webhook(request(stranger))).status).toBe(403)
      const now = String(Math.floor(Date.now() / 1000))
      expect((await billing.webhook(request({ ...stranger, "webhook-timestamp": now }))).status).toBe(403)
      expect(await outcome(billing.createCheckout(userId, "b0f0a3c1-0000-4000-8000-00000000dead"))).not.toBe("made")
    })
    const routes = sdk.spans.filter(({ name }) => name === "POST /webhook")
    expect(routes.map(({ attributes, kind, status }) => [attributes, kind, status.code])).toEqual(
      [0, 1].map(() => [
        { "http.request.method": "POST", "http.route": "/billing/webhook", "http.response.status_code": 403 },
        SpanKind.SERVER,
        SpanStatusCode.UNSET
      ])
    )
    const verified = one(sdk.spans, ({ name }) => name === "WebhookVerifier.verify")
    expect(verified.status).toEqual({ code: SpanStatusCode.ERROR })
    expect(verified.attributes).toMatchObject({ "error.type": "SignatureMismatch" })
    const asked = one(sdk.spans, ({ name }) => name === "POST /v1/checkouts/")
    expect(asked.status).toEqual({ code: SpanStatusCode.ERROR })
    expect(asked.attributes).toMatchObject({ "error.type": "422", "http.response.status_code": 422 })
  })

  test("of a burst: a step is of the first delivery's trace, and linked with the others both ways", async () => {
    sdk.register()
    const { events } = historyOf(1, 0)
    await withApp({}, async ({ billing }) => {
      await billing.start()
      await Promise.all(
        events.slice(0, 12).map(({ delivery }) => billing.webhook(signed(delivery.id, delivery.body ?? "")))
      )
    })
    const deliveries = sdk.spans.filter(({ name }) => name === "Billing.receiveWebhook")
    expect(deliveries).toHaveLength(Math.min(12, events.length))
    const shared = sdk.spans.filter(
      ({ attributes, name }) => name === "Billing.commit" && attributes["messaging.batch.message_count"] !== undefined
    )
    expect(shared.length).toBeGreaterThan(0)
    for (const commit of shared) {
      const first = one(deliveries, (span) => span.spanContext().spanId === commit.parentSpanContext?.spanId)
      expect(first.links).toEqual([])
      expect(commit.links).toHaveLength(Number(commit.attributes["messaging.batch.message_count"]) - 1)
      for (const { context } of commit.links) {
        const other = one(deliveries, (span) => span.spanContext().spanId === context.spanId)
        expect(other.links.map(({ context }) => context)).toMatchObject([idsOf(commit)])
      }
    }
  })

  test("a callback that fails: each call is a trace, linked with the same delivery", async () => {
    sdk.register()
    let failures = 0
    await withApp(
      {
        onPurchase: async () => {
          if (failures++ === 0) throw new Error("not today")
        }
      },
      async (scene) => {
        await scene.buy()
        await expect.poll(() => failures, { timeout: 20_000, interval: 100 }).toBe(2)
        await scene.billing.settled()
        const values = await sdk.values()
        expect(values.get("kavach_polar.notification_calls{onPurchase failed}")).toBe(1)
        expect(values.get("kavach_polar.notification_retries{onPurchase}")).toBe(1)
        expect(values.get("kavach_polar.notification_calls{onPurchase told}")).toBe(1)
        expect(values.get("kavach_polar.notification_lag_seconds{onPurchase}")).toBe(1)
        expect(values.get("kavach_polar.outbox_lag_seconds{}")).toBe(0)
      }
    )
    const calls = sdk.spans.filter(
      ({ attributes, name }) =>
        name === "NotificationDispatcher.deliver" && attributes["messaging.destination.name"] === "onPurchase"
    )
    expect(calls.map(({ attributes }) => attributes["kavach_polar.notification.attempt"])).toEqual([1, 2])
    expect(calls.map(({ status }) => status.code)).toEqual([SpanStatusCode.ERROR, SpanStatusCode.UNSET])
    expect(calls[0]?.attributes["error.type"]).toBe("ListenerFailed")
    expect(calls[0]?.links.map(({ context }) => context.spanId)).toEqual(
      calls[1]?.links.map(({ context }) => context.spanId)
    )
    expect(new Set(calls.map((span) => span.spanContext().traceId)).size).toBe(2)
  })
})

describe("metrics", () => {
  test.each([1, 2, 3])("of a shuffle equal what the model counts, history %i", async (place) => {
    sdk.register()
    const seed = 20_261_201
    const indexes = Array.from({ length: 60 }, (_, index) => index)
    const index = indexes.filter((index) => historyOf(seed, index).identity === "external_id")[place] ?? 0
    const history = historyOf(seed, index)
    const calls = { subscriptions: 0, events: 0 }
    const arrivals = outOfOrder(history, randomOf(seed, index)).flatMap((arrival) =>
      arrival._tag === "Deliver" ? [arrival.deliveries] : []
    )
    await withApp(
      {
        externalIds: "trust",
        onSubscriptionChange: () => {
          calls.subscriptions++
        },
        on: {
          "*": () => {
            calls.events++
          }
        }
      },
      async ({ billing }) => {
        await billing.start()
        const receive = async ({ body, id }: (typeof history.events)[number]["delivery"]) =>
          expect((await billing.webhook(signed(id, body ?? ""))).status).toBe(200)
        for (const together of arrivals) await Promise.all(together.map(receive))
        await billing.settled()
        const values = await sdk.values()
        const counted = [...values].flatMap(([key, value]) => {
          const [, type, state] = /^kavach_polar\.deliveries\{(\S+) (\S+)\}$/.exec(key) ?? []
          return type === undefined || state === undefined ? [] : [{ type, state, value }]
        })
        const sum = (some: typeof counted) => some.reduce((total, { value }) => total + value, 0)
        const news = counted.filter(({ state }) => state !== "duplicate")

        // Each event is told of once, whatever it was taken for.
        const byType = (type: string) => history.events.filter((event) => event.type === type).length
        const types = [...new Set(history.events.map(({ type }) => type))].sort()
        expect(types.map((type) => [type, sum(news.filter((one) => one.type === type))])).toEqual(
          types.map((type) => [type, byType(type)])
        )
        expect(sum(counted)).toBe(arrivals.flat().length)
        expect(sum(counted.filter(({ state }) => state === "duplicate"))).toBe(
          arrivals.flat().length - history.events.length
        )
        const stored = rows("SELECT type, state, count(*) AS value FROM kavach_polar_deliveries GROUP BY 1, 2")
        expect(stored).toEqual(expect.arrayContaining(news))
        expect(news).toHaveLength(stored.length)
        expect(values.get("kavach_polar.delivery_lag_seconds{}")).toBe(history.events.length)

        // What the app was told is what it was called for, and what the model says that it is told last of is among it.
        const told = (handler: string) => values.get(`kavach_polar.notification_calls{${handler} told}`) ?? 0
        expect(told("*")).toBe(history.events.length)
        expect([told("onSubscriptionChange"), told("*")]).toEqual([calls.subscriptions, calls.events])
        expect(calls.subscriptions).toBeGreaterThanOrEqual(expectedOf(history, Date.now()).told.size)
        expect(values.get("kavach_polar.notifications_waiting{}")).toBe(0)
        expect(values.get("kavach_polar.notifications_dead{}")).toBe(0)
        expect(values.get("kavach_polar.newest_delivery_age_seconds{}")).toBeLessThan(60)
      }
    )
  })

  test("in Polar's order: the app is told as often as the model says", async () => {
    sdk.register()
    const seed = 20_261_201
    const index = Array.from({ length: 60 }, (_, index) => index).find(
      (index) => historyOf(seed, index).identity === "external_id"
    )
    const history = historyOf(seed, index ?? 0)
    await withApp({ externalIds: "trust", onSubscriptionChange: () => {} }, async ({ billing }) => {
      await billing.start()
      for (const { delivery } of history.events) await billing.webhook(signed(delivery.id, delivery.body ?? ""))
      await billing.settled()
      const expected = [...(expectedOf(history, Date.now()).calls?.values() ?? [])].reduce(
        (sum, calls) => sum + calls,
        0
      )
      expect(expected).toBeGreaterThan(0)
      const values = await sdk.values()
      expect(values.get("kavach_polar.notification_calls{onSubscriptionChange told}")).toBe(expected)
    })
  })

  test("what only the store knows is not shown as it was, once billing has ended", async () => {
    await sdk.close()
    sdk = new TelemetrySdk(AggregationTemporality.DELTA).register()
    await withApp({}, async (scene) => {
      await scene.buy()
      expect((await sdk.values()).has("kavach_polar.outbox_lag_seconds{}")).toBe(true)
    })
    expect((await sdk.values()).has("kavach_polar.outbox_lag_seconds{}")).toBe(false)
  })
})

describe("who does not listen", () => {
  test("without the option nothing is recorded, and the app's OpenTelemetry is asked for nothing", async () => {
    let asked = 0
    const counting = <A extends object>(provider: A): A =>
      new Proxy(provider, {
        get: (target, name) => {
          asked++
          return Reflect.get(target, name)
        }
      })
    sdk.register()
    trace.disable()
    metrics.disable()
    trace.setGlobalTracerProvider(counting(sdk.tracerProvider))
    metrics.setGlobalMeterProvider(counting(sdk.meterProvider))
    asked = 0
    await withApp({ telemetry: undefined, onPurchase: () => {} }, async (scene) => {
      await scene.buy()
      await scene.billing.settled()
    })
    expect([asked, sdk.spans.length, (await sdk.values()).size]).toEqual([0, 0, 0])
    expect(rows("SELECT DISTINCT traceparent FROM kavach_polar_notifications")).toEqual([{ traceparent: null }])
  })

  test("with the option, and without an SDK, billing works; an SDK that comes later is told from then on", async () => {
    await withApp({ onPurchase: () => {} }, async (scene) => {
      await scene.buy()
      await scene.billing.settled()
      expect(rows("SELECT DISTINCT traceparent FROM kavach_polar_notifications")).toEqual([{ traceparent: null }])
      sdk.register()
      const [event] = historyOf(1, 0).events
      await scene.billing.webhook(signed(event?.delivery.id ?? "", event?.delivery.body ?? ""))
      expect(sdk.spans.map(({ name }) => name)).toContain("Billing.receiveWebhook")
      expect([...(await sdk.values()).keys()].filter((key) => key.startsWith("kavach_polar.deliveries"))).toHaveLength(
        1
      )
    })
  })

  test("traces alone, or metrics alone, and by providers of the app's own", async () => {
    await withApp({ telemetry: { metrics: false, tracerProvider: sdk.tracerProvider } }, (scene) => scene.buy())
    expect(sdk.spans.length).toBeGreaterThan(0)
    expect((await sdk.values()).size).toBe(0)
    sdk.exporter.reset()
    rmSync(filename)
    await withApp({ telemetry: { traces: false, meterProvider: sdk.meterProvider } }, (scene) => scene.buy())
    expect(sdk.spans).toEqual([])
    expect((await sdk.values()).size).toBeGreaterThan(0)
  })
})
