/**
 * Effect's spans as spans of the app's OpenTelemetry.
 *
 * There is a package that does this, `@effect/opentelemetry`; it has the SDKs for peers, and an app that only wants its billing in
 * its traces has chosen its SDK already. This needs the API alone.
 */

import { type AttentiveTracer, errorName } from "@kavach-polar/core/Traced"
import type * as Otel from "@opentelemetry/api"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { scopeName, scopeVersion } from "./scope.ts"

export type Api = typeof Otel

/** OpenTelemetry's context of a span: what else the app has put there goes on with it, such as baggage. */
class OtelContext extends Context.Tag("@kavach-polar/http/OtelContext")<OtelContext, Otel.Context>() {}

/** The span that the app's code is in, such as its server's of the request, as a parent for spans of Effect. */
export const activeSpan = (api: Api): Tracer.ExternalSpan | undefined => {
  const active = api.context.active()
  const span = api.trace.getSpanContext(active)
  if (span === undefined || !api.isSpanContextValid(span)) return undefined
  const { spanId, traceFlags, traceId } = span
  return Tracer.externalSpan({
    spanId,
    traceId,
    sampled: isSampled(api, traceFlags),
    context: Context.make(OtelContext, active)
  })
}

/** `provider`: the app's own, where it gave one; else the global one, whenever that is registered. */
export const otelTracer = (api: Api, provider?: Otel.TracerProvider): AttentiveTracer => {
  /** None while no SDK is there: the API's stand-in would make spans that go nowhere. */
  const current = (): Otel.Tracer | undefined => {
    if (provider !== undefined) return provider.getTracer(scopeName, scopeVersion)
    const registered = api.trace.getTracerProvider()
    // Not `instanceof`: the app may have another copy of the API.
    return "getDelegateTracer" in registered && typeof registered.getDelegateTracer === "function"
      ? (registered as Otel.ProxyTracerProvider).getDelegateTracer(scopeName, scopeVersion)
      : registered.getTracer(scopeName, scopeVersion)
  }

  const contextOf = (span: Tracer.AnySpan): Otel.Context =>
    span instanceof OtelSpan
      ? span.otelContext
      : Option.getOrElse(Context.getOption(span.context, OtelContext), () =>
          api.trace.setSpanContext(api.ROOT_CONTEXT, spanContextOf(api, span))
        )

  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind, options) => {
      const parentContext = Option.match(parent, { onNone: () => api.ROOT_CONTEXT, onSome: contextOf })
      const settings: Otel.SpanOptions = {
        kind: api.SpanKind[kindNames[kind]],
        startTime: timeOf(startTime),
        // A sampler decides by these.
        attributes: attributesOf(options?.attributes ?? {}),
        links: links.map((link) => linkOf(api, link))
      }
      const span = (current() ?? api.trace.getTracer(scopeName)).startSpan(name, settings, parentContext)
      return new OtelSpan(api, span, parentContext, { name, parent, context, links, startTime, kind })
    },
    // What the app's code does here, and its database's driver, is of our span.
    context: (run, { currentSpan }) => {
      if (currentSpan === undefined || (currentSpan._tag === "Span" && !(currentSpan instanceof OtelSpan))) return run()
      const context = contextOf(currentSpan)
      return context === api.context.active() ? run() : api.context.with(context, run)
    }
  })
  return Object.assign(tracer, { isHeard: () => current() !== undefined })
}

class OtelSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly name: string
  readonly spanId: string
  readonly traceId: string
  readonly sampled: boolean
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly context: Context.Context<never>
  readonly kind: Tracer.SpanKind
  readonly links: Array<Tracer.SpanLink>
  readonly attributes = new Map<string, unknown>()
  readonly otelContext: Otel.Context
  status: Tracer.SpanStatus
  readonly #api: Api
  readonly #span: Otel.Span

  constructor(
    api: Api,
    span: Otel.Span,
    parentContext: Otel.Context,
    {
      context,
      kind,
      links,
      name,
      parent,
      startTime
    }: Pick<Tracer.Span, "name" | "parent" | "context" | "links" | "kind"> & { readonly startTime: bigint }
  ) {
    const { spanId, traceFlags, traceId } = span.spanContext()
    this.#api = api
    this.#span = span
    this.name = name
    this.spanId = spanId
    this.traceId = traceId
    this.sampled = isSampled(api, traceFlags)
    this.parent = parent
    this.context = context
    this.kind = kind
    this.links = [...links]
    this.otelContext = api.trace.setSpan(parentContext, span)
    this.status = { _tag: "Started", startTime }
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
    const attribute = attributeOf(value)
    if (attribute !== undefined) this.#span.setAttribute(key, attribute)
  }

  event(name: string, startTime: bigint, attributes: Record<string, unknown> = {}): void {
    this.#span.addEvent(name, attributesOf(attributes), timeOf(startTime))
  }

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.links.push(...links)
    this.#span.addLinks(links.map((link) => linkOf(this.#api, link)))
  }

  /** What was only given up is no error. */
  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.status = { _tag: "Ended", startTime: this.status.startTime, endTime, exit }
    const error =
      this.attributes.get("error.type") ??
      (Exit.isSuccess(exit) ? this.#refusal() : Cause.isInterruptedOnly(exit.cause) ? undefined : errorName(exit.cause))
    if (error !== undefined) {
      this.attribute("error.type", error)
      this.#span.setStatus({ code: this.#api.SpanStatusCode.ERROR })
    }
    this.#span.end(timeOf(endTime))
  }

  /** An answer that is an error, by OpenTelemetry's conventions for HTTP: to a client from 400 on, of a server from 500 on. */
  #refusal(): string | undefined {
    const status = this.attributes.get("http.response.status_code")
    return typeof status === "number" && status >= (this.kind === "client" ? 400 : 500) ? String(status) : undefined
  }
}

const kindNames = {
  internal: "INTERNAL",
  server: "SERVER",
  client: "CLIENT",
  producer: "PRODUCER",
  consumer: "CONSUMER"
} as const

const isSampled = ({ TraceFlags }: Api, flags: number): boolean => (flags & TraceFlags.SAMPLED) === TraceFlags.SAMPLED

const spanContextOf = ({ TraceFlags }: Api, { sampled, spanId, traceId }: Tracer.AnySpan): Otel.SpanContext => ({
  spanId,
  traceId,
  traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
  isRemote: true
})

const linkOf = (api: Api, { attributes, span }: Tracer.SpanLink): Otel.Link => ({
  context: spanContextOf(api, span),
  attributes: attributesOf(attributes)
})

/** Seconds and nanoseconds. */
const timeOf = (nanos: bigint): Otel.HrTime => [Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n)]

const attributeOf = (value: unknown): string | number | boolean | undefined =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : undefined

const attributesOf = (given: Readonly<Record<string, unknown>>): Otel.Attributes => {
  const attributes: Otel.Attributes = {}
  for (const [key, value] of Object.entries(given)) {
    const attribute = attributeOf(value)
    if (attribute !== undefined) attributes[key] = attribute
  }
  return attributes
}
