/** Spans on what runs often. */
import * as Context from "effect/Context"
import { currentServices } from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"

/** What is there when nobody has provided a tracer: it forgets every span. */
const unheard: Tracer.Tracer = Effect.runSync(Effect.tracer)

/** Whether somebody listens to the spans of this fiber. */
export const isHeard = (fiber: Fiber.RuntimeFiber<unknown, unknown>): boolean =>
  Context.get(fiber.getFiberRef(currentServices), Tracer.Tracer) !== unheard

/**
 * A span, if anybody listens. One costs some 20 µs, more than the verification of a signature, and Effect's own tracer
 * keeps nothing of it.
 */
export const traced =
  (name: string, options?: () => Tracer.SpanOptions) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiberRuntime<A, E, R>((fiber) =>
      isHeard(fiber)
        ? // What a span provides is more than anybody here asks for.
          (Effect.withSpan(effect, name, { captureStackTrace: false, ...options?.() }) as Effect.Effect<A, E, R>)
        : effect
    )

/** What is known only later, for the span around, if anybody listens. */
export const annotate = (attributes: () => Readonly<Record<string, unknown>>): Effect.Effect<void> =>
  Effect.withFiberRuntime<void>((fiber) => (isHeard(fiber) ? Effect.annotateCurrentSpan(attributes()) : Effect.void))
