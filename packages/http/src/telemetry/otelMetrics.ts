/** Effect's metrics as instruments of the app's OpenTelemetry. */
import type { Description, Labels, Listener } from "@kavach-polar/core/Instrument"
import * as Metrics from "@kavach-polar/core/Metrics"
import type * as Otel from "@opentelemetry/api"
import type { Api } from "./otelTracer.ts"
import { scopeName, scopeVersion } from "./scope.ts"

export interface OtelMetrics {
  readonly listener: Listener
  /** Takes all of it away from where it is collected. */
  readonly close: () => void
}

interface Connection {
  readonly provider: Otel.MeterProvider
  readonly record: ReadonlyMap<string, (value: number, labels: Labels) => void>
  readonly close: () => void
}

/** What only the store knows. */
const observed: ReadonlySet<string> = new Set(Metrics.observed.map(({ name }) => name))

/**
 * `provider`: the app's own, where it gave one; else the global one, whenever that is registered. `refresh` reads anew what only the
 * store knows, and succeeds with whether that could be done: it is called when metrics are collected, and only then.
 */
export const otelMetrics = (
  api: Api,
  { provider, refresh }: { readonly provider: Otel.MeterProvider | undefined; readonly refresh: () => Promise<boolean> }
): OtelMetrics => {
  // How each gauge stands, by its labels.
  const levels = new Map<string, Map<string, { readonly value: number; readonly labels: Labels }>>()
  let connection: Connection | undefined
  let isClosed = false

  const connect = (to: Otel.MeterProvider): Connection => {
    const meter = to.getMeter(scopeName, scopeVersion)
    const record = new Map<string, (value: number, labels: Labels) => void>()
    const gauges = new Map<string, Otel.ObservableGauge>()
    for (const description of Metrics.all) {
      const { boundaries, kind, name, unit } = description
      const options = { description: description.description, unit }
      if (kind === "gauge") {
        gauges.set(name, meter.createObservableGauge(name, options))
      } else if (kind === "counter") {
        const counter = meter.createCounter(name, options)
        record.set(name, (value, labels) => counter.add(value, labels))
      } else {
        const advice = boundaries === undefined ? {} : { explicitBucketBoundaries: [...boundaries] }
        const histogram = meter.createHistogram(name, { ...options, advice })
        record.set(name, (value, labels) => histogram.record(value, labels))
      }
    }
    const observe: Otel.BatchObservableCallback = async (result) => {
      const isFresh = await refresh()
      for (const [name, gauge] of gauges) {
        // What is not known now is not shown as it was some time ago.
        if (observed.has(name) && !isFresh) continue
        for (const { labels, value } of levels.get(name)?.values() ?? []) result.observe(gauge, value, labels)
      }
    }
    const all = [...gauges.values()]
    meter.addBatchObservableCallback(observe, all)
    return { provider: to, record, close: () => meter.removeBatchObservableCallback(observe, all) }
  }

  /** An SDK may be registered later than billing begins, or be replaced. */
  const connected = (): Connection => {
    const current = provider ?? api.metrics.getMeterProvider()
    if (connection?.provider === current) return connection
    connection?.close()
    connection = connect(current)
    return connection
  }

  const setLevel = ({ labels: names, name }: Description, value: number, labels: Labels) => {
    const known = levels.get(name) ?? new Map<string, { readonly value: number; readonly labels: Labels }>()
    known.set(names.map((label) => labels[label]).join("\n"), { value, labels })
    levels.set(name, known)
  }

  connected()
  return {
    listener: (description, value, labels) => {
      if (isClosed) return
      const { record } = connected()
      if (description.kind === "gauge") setLevel(description, value, labels)
      else record.get(description.name)?.(value, labels)
    },
    close: () => {
      isClosed = true
      connection?.close()
    }
  }
}
