/** What is counted of the app's handlers, by the handler. */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"

const calls = Metric.counter("kavach_polar_notification_calls", {
  description: "Calls of the app's handlers that have ended, by how",
  incremental: true
})

const ends = Metric.counter("kavach_polar_notifications_given_up", {
  description: "Notifications that a handler never took, by what became of them",
  incremental: true
})

const lag = Metric.histogram(
  "kavach_polar_notification_lag",
  MetricBoundaries.fromIterable([1, 5, 10, 50, 100, 500, 1000, 5000, 60_000, 600_000]),
  "Milliseconds from the commit of a change to the first call that tells of it"
)

export interface HandlerMetrics {
  /** The handler took it. */
  readonly told: typeof calls
  /** It threw, or took too long and was ended. */
  readonly failed: typeof calls
  /** A newer state takes the place of one that failed. */
  readonly superseded: typeof calls
  /** It failed as often as it may. */
  readonly died: typeof calls
  readonly lag: typeof lag
}

/** Made once for each handler: an app has few. */
const made = new Map<string, HandlerMetrics>()

export const of = (handler: string): HandlerMetrics => {
  const known = made.get(handler)
  if (known !== undefined) return known
  const tagged = <Type, In, Out>(metric: Metric.Metric<Type, In, Out>) => Metric.tagged(metric, "handler", handler)
  const metrics: HandlerMetrics = {
    told: Metric.tagged(tagged(calls), "outcome", "told"),
    failed: Metric.tagged(tagged(calls), "outcome", "failed"),
    superseded: Metric.tagged(tagged(ends), "state", "superseded"),
    died: Metric.tagged(tagged(ends), "state", "dead"),
    lag: tagged(lag)
  }
  made.set(handler, metrics)
  return metrics
}

/** As of the last look: `Maintenance` looks every few minutes. */
export const dead = Metric.gauge("kavach_polar_notifications_dead", {
  description: "Notifications that were given up and nobody has retried"
})
