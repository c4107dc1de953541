/** The OpenTelemetry of an app: real SDKs, as the app registers them, that keep what they are given. */
import { context, metrics, type Span, SpanKind, trace } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { AggregationTemporality, MeterProvider, type MetricData, MetricReader } from "@opentelemetry/sdk-metrics"
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor
} from "@opentelemetry/sdk-trace-base"

/** Collects when it is asked to. */
class AskedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

export class TelemetrySdk {
  readonly exporter = new InMemorySpanExporter()
  readonly tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.exporter)] })
  readonly reader: MetricReader
  readonly meterProvider: MeterProvider

  constructor(temporality = AggregationTemporality.CUMULATIVE) {
    this.reader = new AskedReader({ aggregationTemporalitySelector: () => temporality })
    this.meterProvider = new MeterProvider({ readers: [this.reader] })
  }

  register(): this {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    trace.setGlobalTracerProvider(this.tracerProvider)
    metrics.setGlobalMeterProvider(this.meterProvider)
    return this
  }

  async close(): Promise<void> {
    trace.disable()
    metrics.disable()
    context.disable()
    await this.tracerProvider.shutdown()
    await this.meterProvider.shutdown()
  }

  /** Inside of a span of the app's own, such as its HTTP server's instrumentation makes. */
  within<A>(name: string, use: (span: Span) => Promise<A>): Promise<A> {
    return this.tracerProvider.getTracer("shop").startActiveSpan(name, { kind: SpanKind.SERVER }, async (span) => {
      try {
        return await use(span)
      } finally {
        span.end()
      }
    })
  }

  get spans(): ReadonlyArray<ReadableSpan> {
    return this.exporter.getFinishedSpans()
  }

  async collected(): Promise<ReadonlyArray<MetricData>> {
    const { errors, resourceMetrics } = await this.reader.collect()
    if (errors.length > 0) throw errors[0]
    return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)
  }

  /** Counters and gauges, and of histograms how often, by name and labels: `kavach_polar.deliveries{order.paid applied}`. */
  async values(): Promise<ReadonlyMap<string, number>> {
    return new Map(
      (await this.collected()).flatMap(({ dataPoints, descriptor }) =>
        dataPoints.map(({ attributes, value }) => [
          `${descriptor.name}{${Object.values(attributes).join(" ")}}`,
          typeof value === "number" ? value : value.count
        ])
      )
    )
  }
}

/** All that a span says, for a search in it. */
export const textOf = ({ attributes, events, links, name, resource, status }: ReadableSpan): string =>
  JSON.stringify({ name, attributes, events, links, status, resource: resource.attributes })
