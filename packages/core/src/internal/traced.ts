/** Spans on what runs often. */
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"

/** What is there when nobody has provided a tracer: it forgets every span. */
const unheard: Tracer.Tracer = Effect.runSync(Effect.tracer)

/**
 * A span, if anybody listens. One costs some 20 µs, more than the verification of a signature, and Effect's own tracer
 * keeps nothing of it.
 */
export const traced =
  (name: string, options?: () => Tracer.SpanOptions) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Effect.tracer, (tracer) =>
      tracer === unheard
        ? effect
        : // What a span provides is more than anybody here asks for.
          (Effect.withSpan(effect, name, { captureStackTrace: false, ...options?.() }) as Effect.Effect<A, E, R>)
    )

/** What is known only later, for the span around, if anybody listens. */
export const annotate = (attributes: () => Readonly<Record<string, unknown>>): Effect.Effect<void> =>
  Effect.flatMap(Effect.tracer, (tracer) =>
    tracer === unheard ? Effect.void : Effect.annotateCurrentSpan(attributes())
  )
