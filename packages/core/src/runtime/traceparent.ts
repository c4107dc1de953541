/**
 * The trace context of a span as one text of 55 characters, as it stands in the header `traceparent` (W3C Trace Context, level 1):
 * for what is told later, perhaps by another process, and is to name what it came from.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { currentSpan } from "./traced.ts"

const pattern = /^00-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/

/** `null` of a span whose ids are not those of the W3C's: a tracer may make others. */
export const traceparentOf = ({ sampled, spanId, traceId }: Tracer.AnySpan): string | null => {
  const text = `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`
  return pattern.test(text) ? text : null
}

/** Of the span that this runs in; `null` where it goes nowhere. */
export const currentTraceparent: Effect.Effect<string | null> = Effect.map(currentSpan, (span) =>
  span === undefined ? null : traceparentOf(span)
)

/** The span that it names; none where it is no trace context. */
export const spanNamed = (traceparent: string | null): Option.Option<Tracer.ExternalSpan> => {
  const [, traceId, spanId, flags] = pattern.exec(traceparent ?? "") ?? []
  return traceId === undefined || spanId === undefined
    ? Option.none()
    : Option.some(Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags ?? "0", 16) & 1) === 1 }))
}
