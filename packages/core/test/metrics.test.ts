/** What is counted, as a listener hears it: the registry of Effect's metrics is one for all tests of a process. */
import { FetchHttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import { layerListener } from "@kavach-polar/core/Instrument"
import * as Metrics from "@kavach-polar/core/Metrics"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { type User, UserId } from "@kavach-polar/core/Subscription"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Effect, Layer, Metric, Option, Redacted, TestClock } from "effect"
import { fixture, vary } from "./deliveries.ts"
import * as ScriptedServer from "./ScriptedServer.ts"

const start = Date.parse("2026-12-01T12:00:00Z")

const ada: User = {
  id: UserId.make("usr_1042"),
  email: Option.some("ada.martin@acme-mail.dev"),
  name: Option.some("Ada Martin"),
  emailVerified: true
}

/** What was heard, as `name{labels}`; counters summed, of all others the last value. */
const listening = () => {
  const heard = new Map<string, number>()
  const listener = layerListener(({ kind, name }, value, labels) => {
    const key = `${name.replace("kavach_polar.", "")}{${Object.values(labels).join(" ")}}`
    heard.set(key, kind === "counter" ? (heard.get(key) ?? 0) + value : value)
  })
  return { heard, listener }
}

const billing = (listener: Layer.Layer<never>, told: () => Effect.Effect<void>) => {
  const ports = Layer.mergeAll(
    BillingStore.layerMemoryWith([ada]),
    PolarClient.layerMemory,
    WebhookVerifier.layerMemory,
    SubscriptionListener.layer(() => Effect.orDie(told()))
  )
  const layers = Layer.provideMerge(Billing.layer(), Layer.provideMerge(NotificationDispatcher.layer(), ports)).pipe(
    Layer.provideMerge(listener)
  )
  return Layer.unwrapEffect(Effect.as(TestClock.setTime(start), layers))
}

const signed = (id: string, body: Uint8Array, secret = WebhookVerifier.memorySecret) =>
  Effect.flatMap(Effect.clock, (clock) =>
    Effect.sync(() =>
      WebhookVerifier.signedHeaders({
        secret,
        id,
        timestampSeconds: Math.floor(clock.unsafeCurrentTimeMillis() / 1000),
        body
      })
    )
  )

const deliver = (id: string, body: Uint8Array, secret?: string) =>
  Effect.gen(function* () {
    const { receiveWebhook } = yield* Billing.Billing
    return yield* receiveWebhook(yield* signed(id, body, secret), body)
  })

describe("metrics", () => {
  it.effect("deliveries by type and state, and why others were refused", () => {
    const { heard, listener } = listening()
    return Effect.gen(function* () {
      const active = fixture("subscription.active")
      yield* deliver("evt_1", active)
      yield* deliver("evt_1", active)
      yield* deliver("evt_2", vary("subscription.active", { type: "invented.by.whoever.signs" }))
      yield* Effect.flip(deliver("evt_3", active, "whsec_c29tZWJvZHkgZWxzZQ=="))
      const { checkWebhookHeaders } = yield* Billing.Billing
      const headers = yield* signed("evt_4", active)
      yield* TestClock.adjust("1 hour")
      yield* Effect.flip(checkWebhookHeaders(headers))
      yield* Effect.flip(checkWebhookHeaders({}))
      const counts = Object.fromEntries([...heard].filter(([key]) => /^(deliveries|verification)/.test(key)))
      assert.deepStrictEqual(counts, {
        "deliveries{subscription.active applied}": 1,
        "deliveries{subscription.active duplicate}": 1,
        "deliveries{other ignored}": 1,
        "verification_failures{signature_mismatch}": 1,
        "verification_failures{too_old}": 1,
        "verification_failures{missing_header}": 1
      })
      const occurred = JSON.parse(new TextDecoder().decode(active)) as { readonly timestamp: string }
      const lag = (start - Date.parse(occurred.timestamp)) / 1000
      assert.closeTo(heard.get("delivery_lag_seconds{}") ?? Number.NaN, lag, 0.01)
    }).pipe(Effect.provide(billing(listener, () => Effect.void)))
  })

  it.effect("calls of handlers, and how it stands with what the app is told", () => {
    const { heard, listener } = listening()
    let failing = true
    return Effect.gen(function* () {
      const { observe } = yield* Billing.Billing
      yield* observe
      assert.isFalse(heard.has("newest_delivery_age_seconds{}"))
      assert.strictEqual(heard.get("outbox_lag_seconds{}"), 0)
      yield* deliver("evt_1", fixture("subscription.active"))
      yield* TestClock.adjust("12 seconds")
      yield* observe
      assert.strictEqual(heard.get("notifications_waiting{}"), 1)
      assert.strictEqual(heard.get("outbox_lag_seconds{}"), 12)
      assert.strictEqual(heard.get("newest_delivery_age_seconds{}"), 12)
      failing = false
      yield* TestClock.adjust("1 minute")
      yield* observe
      assert.strictEqual(heard.get("outbox_lag_seconds{}"), 0)
      assert.strictEqual(heard.get("notifications_waiting{}"), 0)
      assert.strictEqual(heard.get("notifications_dead{}"), 0)
      assert.strictEqual(heard.get("notification_calls{onSubscriptionChange told}"), 1)
      const failed = heard.get("notification_calls{onSubscriptionChange failed}") ?? 0
      assert.isAtLeast(failed, 1)
      assert.strictEqual(heard.get("notification_retries{onSubscriptionChange}"), failed)
      assert.isAtLeast(heard.get("notification_lag_seconds{onSubscriptionChange}") ?? 0, 12)
    }).pipe(Effect.provide(billing(listener, () => (failing ? Effect.die("no") : Effect.void))))
  })

  it.scoped("requests to Polar by what came of them, and what is left of the limit", () => {
    const { heard, listener } = listening()
    return Effect.gen(function* () {
      const server = yield* ScriptedServer.make
      const client = yield* PolarClient.make({
        accessToken: Redacted.make("polar_oat_InventedInventedInventedInvented0123456"),
        apiBaseUrl: server.origin,
        requestsPerMinute: 3,
        maxRetries: 0
      }).pipe(Effect.provide(FetchHttpClient.layer))
      const ask = Effect.flip(client.createCheckout({ products: ["a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60"] }))
      yield* server.script({ status: 422, body: { detail: [] } }, { fault: "reset" }, { status: 500, body: "" })
      for (let count = 0; count < 4; count++) yield* ask
      assert.deepStrictEqual(Object.fromEntries([...heard].filter(([key]) => !key.startsWith("api_duration"))), {
        "api_calls{POST /v1/checkouts/ rejected}": 1,
        "api_calls{POST /v1/checkouts/ unreachable}": 1,
        "api_calls{POST /v1/checkouts/ failed}": 1,
        "api_calls{POST /v1/checkouts/ not_sent}": 1,
        "api_requests_left{}": 0
      })
      assert.isTrue(heard.has("api_duration_seconds{POST /v1/checkouts/}"))
    }).pipe(Effect.provide(listener))
  })

  it.effect("are Effect's, each with its unit, and tell nobody who does not listen", () =>
    Effect.gen(function* () {
      yield* Metrics.unreadableRows.update(2, { row: "of this test" })
      const { count } = yield* Metric.value(Metrics.unreadableRows.with({ row: "of this test" }))
      assert.strictEqual(count, 2)
      const pairs = (yield* Metric.snapshot).filter(({ metricKey }) => metricKey.name === Metrics.unreadableRows.name)
      assert.deepStrictEqual(
        pairs.flatMap(({ metricKey }) => metricKey.tags.filter(({ key }) => key === "unit").map(({ value }) => value)),
        pairs.map(() => "{row}")
      )
      for (const { name, unit } of Metrics.all) {
        assert.match(name, /^kavach_polar\.[a-z_]+$/)
        assert.strictEqual(name.endsWith("_seconds"), unit === "s", name)
      }
    })
  )
})
