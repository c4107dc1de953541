/** The app's OpenTelemetry, as the option `telemetry` asks for it. Without the option nothing of it is loaded or asked. */
import * as Instrument from "@kavach-polar/core/Instrument"
import type * as Otel from "@opentelemetry/api"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Tracer from "effect/Tracer"
import { PolarConfigError, type PolarTelemetry } from "../config/PolarConfig.ts"
import { otelMetrics } from "./otelMetrics.ts"
import { type Api, activeSpan, otelTracer } from "./otelTracer.ts"

export interface Telemetry {
  /** Gives what it is provided to a tracer and a listener. Fails where the API is not installed. */
  readonly layer: Layer.Layer<never, PolarConfigError>
  /** The span in which the app calls; none without one, or while nobody listens. */
  readonly callersSpan: () => Tracer.ExternalSpan | undefined
  /** Whether whoever collects metrics is to hear what only the store knows: reads it, and says whether it could. */
  readonly refreshWith: (refresh: () => Promise<boolean>) => void
}

const silent: Telemetry = { layer: Layer.empty, callersSpan: () => undefined, refreshWith: () => {} }

const notInstalled = new PolarConfigError({
  field: "telemetry",
  problem: "it needs OpenTelemetry's API, which is not installed: npm install @opentelemetry/api"
})

const loadApi: Effect.Effect<Api, PolarConfigError> = Effect.tryPromise({
  try: async () => {
    // In a `try`: so bundlers take it for one that may be absent, and make a bundle of an app without it.
    try {
      return await import("@opentelemetry/api")
    } catch {
      throw notInstalled
    }
  },
  catch: () => notInstalled
})

export const makeTelemetry = (option: PolarTelemetry | undefined): Telemetry => {
  if (option === undefined) return silent
  const { meterProvider, metrics = true, tracerProvider, traces = true } = option
  let refresh = async () => false
  let api: Api | undefined

  const metricsLayer = (loaded: Api) =>
    Layer.unwrapScoped(
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() =>
            // What the app gave has the functions that it has to have, by the check of the options.
            otelMetrics(loaded, {
              provider: meterProvider as Otel.MeterProvider | undefined,
              refresh: () => refresh()
            })
          ),
          ({ close }) => Effect.sync(close)
        ),
        ({ listener }) => Instrument.layerListener(listener)
      )
    )

  const layer = Layer.unwrapEffect(
    Effect.map(loadApi, (loaded) => {
      if (traces) api = loaded
      const tracer = otelTracer(loaded, tracerProvider as Otel.TracerProvider | undefined)
      return Layer.merge(traces ? Layer.setTracer(tracer) : Layer.empty, metrics ? metricsLayer(loaded) : Layer.empty)
    })
  )

  return {
    layer,
    callersSpan: () => (api === undefined ? undefined : activeSpan(api)),
    refreshWith: (given) => {
      refresh = given
    }
  }
}
