/** What an app on Effect exports with its own layers: the same names as `polar()` has. */
import { NodeSdk } from "@effect/opentelemetry"
import { expect, it } from "@effect/vitest"
import {
  Billing,
  BillingStore,
  Maintenance,
  Metrics,
  NotificationDispatcher,
  PolarClient,
  SubscriptionListener,
  WebhookVerifier
} from "@kavach-polar/core"
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  PeriodicExportingMetricReader
} from "@opentelemetry/sdk-metrics"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Clock, Effect, Layer } from "effect"
import { historyOf } from "../prove/history.ts"

it.live("spans and metrics come out of Effect's own layers for OpenTelemetry, with names, units and links", () => {
  const spans = new InMemorySpanExporter()
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 3_600_000 })
  const telemetry = NodeSdk.layer(() => ({
    resource: { serviceName: "shop" },
    spanProcessor: new SimpleSpanProcessor(spans),
    metricReader: reader
  }))
  const ports = Layer.mergeAll(
    BillingStore.layerMemory,
    PolarClient.layerMemory,
    WebhookVerifier.layerMemory,
    SubscriptionListener.layerMemory
  )
  const app = Billing.layer({ externalIds: "trust" }).pipe(
    Layer.provideMerge(NotificationDispatcher.layer()),
    Layer.provideMerge(ports)
  )
  return Effect.gen(function* () {
    const { observe, receiveWebhook, settled, start } = yield* Billing.Billing
    yield* start
    for (const { delivery } of historyOf(1, 0).events) {
      const body = new TextEncoder().encode(delivery.body ?? "")
      const headers = WebhookVerifier.signedHeaders({
        secret: WebhookVerifier.memorySecret,
        id: delivery.id,
        timestampSeconds: Math.floor((yield* Clock.currentTimeMillis) / 1000),
        body
      })
      yield* receiveWebhook(headers, body)
    }
    yield* settled
    yield* observe
    yield* Effect.promise(() => reader.forceFlush())
    const exported = metrics
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap(({ metrics }) => metrics)
    const units = new Map(exported.map(({ descriptor }) => [descriptor.name, descriptor.unit]))
    for (const { name, unit } of [
      Metrics.deliveries,
      Metrics.deliveryLag,
      Metrics.notificationLag,
      Metrics.outboxLag
    ]) {
      expect(units.get(name), name).toBe(unit)
    }
    const call = spans.getFinishedSpans().find(({ name }) => name === "NotificationDispatcher.deliver")
    const delivery = spans
      .getFinishedSpans()
      .find((span) => span.spanContext().spanId === call?.links[0]?.context.spanId)
    expect(delivery?.name).toBe("Billing.receiveWebhook")
  }).pipe(
    Effect.provide(Layer.provideMerge(Layer.merge(app, Layer.provide(Maintenance.layer(), app)), telemetry)),
    Effect.scoped
  )
})
