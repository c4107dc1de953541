/**
 * Metrics of Effect's that also tell a listener of each update, so that another library of metrics can show the same. They are
 * described with what such a library asks for: a unit, and the names of their labels.
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import type { MetricKeyType } from "effect/MetricKeyType"
import * as MetricLabel from "effect/MetricLabel"
import type { MetricState } from "effect/MetricState"

export type Labels = Readonly<Record<string, string>>

/** What a metric is, for whoever shows it elsewhere. */
export interface Description {
  readonly kind: "counter" | "histogram" | "gauge"
  /** Such as `kavach_polar.deliveries`. */
  readonly name: string
  /** By UCUM, as OpenTelemetry has it: `s`, or what is counted as in `{delivery}`. */
  readonly unit: string
  readonly description: string
  readonly labels: ReadonlyArray<string>
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly boundaries?: ReadonlyArray<number> | undefined
}

/** Hears of an update; it must not throw. */
export type Listener = (metric: Description, value: number, labels: Labels) => void

const currentListener = FiberRef.unsafeMake<Listener | undefined>(undefined)

/** Tells the listener of the updates that are made in layers to which this is provided, and by whatever they start. */
export const layerListener = (listener: Listener): Layer.Layer<never> =>
  Layer.scopedDiscard(Effect.locallyScoped(currentListener, listener))

/** Whether somebody hears of what this fiber counts, beside Effect's own registry. */
export const hasListener: Effect.Effect<boolean> = Effect.map(
  FiberRef.get(currentListener),
  (listener) => listener !== undefined
)

export interface Instrument<Label extends string, Type, Out> extends Description {
  /** Effect's metric, with these labels. */
  readonly with: (labels: Readonly<Record<Label, string>>) => Metric.Metric<Type, number, Out>
  /** Adds to a counter, observes in a histogram, sets a gauge. */
  readonly update: (value: number, labels: Readonly<Record<Label, string>>) => Effect.Effect<void>
}

type Given<Label extends string> = Pick<Description, "name" | "unit" | "description"> & {
  readonly labels?: ReadonlyArray<Label>
}

/** `labelledBy`: the metric with all of these in its key. One that is tagged afterwards makes a key for each update. */
const make = <Label extends string, Type, Out>(
  description: Description,
  labelledBy: (labels: ReadonlyArray<MetricLabel.MetricLabel>) => Metric.Metric<Type, number, Out>
): Instrument<Label, Type, Out> => {
  // Labels have few values each: that is whoever describes a metric to see to.
  const made = new Map<string, Metric.Metric<Type, number, Out>>()
  const labelled = (labels: Labels) => {
    const key = description.labels.map((name) => labels[name]).join("\n")
    const known = made.get(key)
    if (known !== undefined) return known
    const one = labelledBy([
      // Where exporters of Effect's metrics look for a unit.
      MetricLabel.make("unit", description.unit),
      ...description.labels.map((name) => MetricLabel.make(name, labels[name] ?? ""))
    ])
    made.set(key, one)
    return one
  }
  return {
    ...description,
    with: labelled,
    update: (value, labels) =>
      Effect.withFiberRuntime((fiber) => {
        labelled(labels).unsafeUpdate(value, fiber.getFiberRef(FiberRef.currentMetricLabels))
        fiber.getFiberRef(currentListener)?.(description, value, labels)
        return Effect.void
      })
  }
}

/** It only ever grows. */
export const counter = <Label extends string = never>({
  labels = [],
  ...given
}: Given<Label>): Instrument<Label, MetricKeyType.Counter<number>, MetricState.Counter<number>> => {
  const key = MetricKey.counter(given.name, { description: given.description, incremental: true })
  return make({ ...given, labels, kind: "counter" }, (all) =>
    Metric.fromMetricKey(MetricKey.taggedWithLabels(key, all))
  )
}

/** How often a value was how large. `boundaries`: in its unit. */
export const histogram = <Label extends string = never>({
  boundaries,
  labels = [],
  ...given
}: Given<Label> & { readonly boundaries: ReadonlyArray<number> }): Instrument<
  Label,
  MetricKeyType.Histogram,
  MetricState.Histogram
> => {
  const key = MetricKey.histogram(given.name, MetricBoundaries.fromIterable(boundaries), given.description)
  return make({ ...given, labels, boundaries, kind: "histogram" }, (all) =>
    Metric.fromMetricKey(MetricKey.taggedWithLabels(key, all))
  )
}

/** How it stands. */
export const gauge = <Label extends string = never>({
  labels = [],
  ...given
}: Given<Label>): Instrument<Label, MetricKeyType.Gauge<number>, MetricState.Gauge<number>> => {
  const key = MetricKey.gauge(given.name, { description: given.description })
  return make({ ...given, labels, kind: "gauge" }, (all) => Metric.fromMetricKey(MetricKey.taggedWithLabels(key, all)))
}
