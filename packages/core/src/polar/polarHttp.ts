/**
 * Calls to Polar's API over HTTP: the token, the version pin, the limit of requests, time-outs, retries and errors.
 *
 * Sources: Polar docs, api-reference/introduction and integrate/sandbox; the behaviour of Polar's published server.
 */
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { annotate, traced } from "../runtime/traced.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { pastedText } from "../values/pastedText.ts"
import { accessTokenProblem } from "./accessToken.ts"
import { type ApiOutcome, outcomeOf } from "./apiOutcome.ts"
import { currentCaller, longestWaitMillis } from "./caller.ts"
import { describeLoss } from "./connectionFailure.ts"
import { Failure, refusal } from "./errorFromResponse.ts"
import {
  type PolarError,
  PolarNotConfigured,
  PolarRateLimited,
  PolarRejected,
  PolarTimeout,
  PolarUnauthorized,
  PolarUnavailable,
  PolarUnexpectedAnswer
} from "./PolarError.ts"
import * as RequestLimit from "./requestLimit.ts"
import { type Answer, isTokenKnown, isVersionGone, readAnswer } from "./responseReader.ts"

export interface Options {
  /** An organization access token (`polar_oat_…`). Space and quotation marks around it are ignored. */
  readonly accessToken: Redacted.Redacted
  /** Whether to call Polar's sandbox, which has tokens, products and customers of its own. False unless given. */
  readonly sandbox?: boolean | undefined
  /** Where the API is, without `/v1`; for a simulator or a gateway. It takes the place of both environments. */
  readonly apiBaseUrl?: string | undefined
  /** The API version to pin; `2026-10` unless given. When Polar has removed it, calls go on without a pin. */
  readonly apiVersion?: string | undefined
  /** For one attempt, until the end of the answer; 15 seconds unless given. */
  readonly timeout?: Duration.DurationInput | undefined
  /**
   * What this client allows itself; 500 unless given, 100 in the sandbox. A call that would wait for longer than
   * `timeout` fails. All processes and tokens of an organization share what Polar allows.
   */
  readonly requestsPerMinute?: number | undefined
  /** How often a call that changes nothing is tried again; 3 unless given. */
  readonly maxRetries?: number | undefined
  /**
   * Whether to ask Polar's other environment, once, if it knows a token that was not accepted. True unless given, but
   * it never happens with `apiBaseUrl`: the token goes to nobody but Polar.
   */
  readonly detectOtherEnvironment?: boolean | undefined
  /**
   * A last change to the HTTP client, such as a proxy or a tracer. By default requests have no spans of their own,
   * because their addresses hold users' ids. It must leave answers with an error status as they are.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
}

export interface Call {
  /** For errors, such as `create checkout`. */
  readonly operation: string
  /** Only a GET is safe to repeat: Polar has no idempotency keys. */
  readonly method: "GET" | "POST" | "PATCH" | "DELETE"
  /** The exact path: a missing or an extra slash at the end is a redirect. */
  readonly path: string
  /** The path without ids, for traces; `path` unless given. */
  readonly template?: string | undefined
  readonly query?: ReadonlyArray<readonly [string, string]> | undefined
  readonly body?: object | undefined
  /** Whether Polar documents no more than 204. Anywhere else an answer without a body was lost on its way. */
  readonly answersNothing?: boolean | undefined
}

export interface PolarHttp {
  readonly call: <A, I>(call: Call, schema: Schema.Schema<A, I>) => Effect.Effect<A, PolarError>
  /** By how many milliseconds this clock is ahead of Polar's, by the last answer that said what time it is there. */
  readonly clockAhead: Effect.Effect<Option.Option<number>>
}

const hosts = { production: "https://api.polar.sh", sandbox: "https://sandbox-api.polar.sh" } as const

/** Where the API is, without `/v1` and a slash at the end. */
export const apiAddress = ({ apiBaseUrl, sandbox = false }: Pick<Options, "apiBaseUrl" | "sandbox">): string =>
  (apiBaseUrl ?? (sandbox ? hosts.sandbox : hosts.production)).replace(/\/+$/, "")

const longestRetryAfterSeconds = 10
const probeTimeout = Duration.seconds(3)

export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<PolarHttp, never, HttpClient.HttpClient> {
  const sandbox = options.sandbox ?? false
  const token = Redacted.make(pastedText(Redacted.value(options.accessToken)))
  const base = apiAddress(options)
  const origin = httpOrigin(base)
  const server = origin === null ? {} : serverOf(new URL(origin))
  const environment = options.apiBaseUrl === undefined ? (sandbox ? "sandbox" : "production") : (origin ?? "nowhere")
  const problem = configurationProblem(token, origin)
  const version = options.apiVersion ?? "2026-10"
  const timeout = Duration.decode(options.timeout ?? "15 seconds")
  const maxRetries = options.maxRetries ?? 3

  const plain = yield* HttpClient.HttpClient
  const client = HttpClient.withTracerDisabledWhen(options.transformClient?.(plain) ?? plain, () => true)
  const limit = yield* RequestLimit.make(options.requestsPerMinute ?? (sandbox ? 100 : 500))
  const pinned = yield* Ref.make(true)
  const probing = yield* Effect.makeSemaphore(1)
  const probed = yield* Ref.make<boolean | null>(null)
  const ahead = yield* Ref.make(Option.none<number>())

  const scrub = (text: string) => text.replaceAll(Redacted.value(token), "<redacted>")

  const send = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Answer, HttpClientError.HttpClientError> =>
    client
      .execute(
        request.pipe(
          HttpClientRequest.acceptJson,
          HttpClientRequest.setHeader("user-agent", "kavach-polar"),
          HttpClientRequest.bearerToken(token)
        )
      )
      .pipe(
        Effect.flatMap(readAnswer),
        Effect.tap(({ headers }) => {
          const there = Date.parse(headers["date"] ?? "")
          return Number.isNaN(there)
            ? Effect.void
            : Effect.flatMap(Clock.currentTimeMillis, (here) => Ref.set(ahead, Option.some(here - there)))
        }),
        Effect.locallyWith(Headers.currentRedactedNames, (names) => [...names, "authorization"])
      )

  const attempt = (call: Call, pin: boolean, resend: number): Effect.Effect<Answer, Failure> => {
    const { operation } = call
    const mayHaveActed = call.method !== "GET"
    const unsent = (error: PolarError) => new Failure({ error, transient: false, retryAfterSeconds: null })
    const lost = (error: PolarError) => new Failure({ error, transient: true, retryAfterSeconds: null })

    const request = HttpClientRequest.make(call.method)(`${base}${call.path}`, {
      urlParams: call.query,
      headers: pin ? { "polar-version": version } : undefined
    })
    return Effect.gen(function* () {
      const complete =
        call.body === undefined
          ? request
          : yield* Effect.mapError(HttpClientRequest.bodyJson(request, call.body), () =>
              unsent(
                new PolarRejected({
                  operation,
                  status: null,
                  code: null,
                  detail: "what is asked cannot be written as JSON",
                  issues: []
                })
              )
            )
      const caller = yield* FiberRef.get(currentCaller)
      const longestWait = Math.min(Duration.toMillis(timeout), longestWaitMillis[caller])
      yield* limit.take(longestWait, caller).pipe(
        Effect.tapError(() => counted(call, "not_sent")),
        Effect.mapError((wait) =>
          unsent(new PolarRateLimited({ operation, limitedBy: "client", retryAfterSeconds: Math.ceil(wait / 1000) }))
        )
      )
      const left = yield* limit.left
      if (Number.isFinite(left)) yield* Metrics.apiRequestsLeft.update(left, {})
      const answer = yield* send(complete).pipe(
        Effect.mapError((error) => {
          const { connected, reason } = describeLoss(error)
          return lost(
            new PolarUnavailable({
              operation,
              status: error._tag === "ResponseError" ? error.response.status : null,
              reason: `${reason} (${environment})`,
              retryAfterSeconds: null,
              mayHaveActed: mayHaveActed && connected
            })
          )
        }),
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () => lost(new PolarTimeout({ operation, seconds: Duration.toSeconds(timeout), mayHaveActed }))
        }),
        measured(call)
      )
      yield* annotate({ "http.response.status_code": answer.status })
      return answer
    }).pipe(
      Effect.tapError(({ error }) => annotate({ "error.type": error._tag })),
      traced(operationOf(call), () => ({
        kind: "client",
        // No address: it holds users' ids.
        attributes: {
          "http.request.method": call.method,
          ...(resend === 0 ? {} : { "http.request.resend_count": resend }),
          "url.template": call.template ?? call.path,
          ...server
        }
      }))
    )
  }

  const answerOf = Effect.fnUntraced(function* (call: Call, resend: number) {
    const pin = yield* Ref.get(pinned)
    const first = yield* attempt(call, pin, resend)
    if (!pin || !isVersionGone(first)) return first

    // No route ran, so that even a call that is not safe can be sent again.
    const second = yield* attempt(call, false, resend)
    if (!isVersionGone(second) && (yield* Ref.getAndSet(pinned, false))) {
      yield* Effect.logWarning(
        `Polar no longer has API version ${version}. Calls go on without a pinned version, as Polar's current one: upgrade this package, or set \`apiVersion\`.`
      )
    }
    return second
  })

  const once = Effect.fnUntraced(function* <A, I>(call: Call, schema: Schema.Schema<A, I>) {
    const { recurrence } = yield* Schedule.CurrentIterationMetadata
    const answer = yield* answerOf(call, recurrence)
    if (answer.status < 200 || answer.status > 299) {
      const asked = { operation: call.operation, environment, acts: call.method !== "GET", scrub }
      return yield* Effect.fail(refusal(asked, answer, yield* Clock.currentTimeMillis))
    }
    // "Accepted" comes with nothing to read, in whichever way; so does "no content", where it is what was asked for.
    const isEmpty = answer.status === 202 || (answer.status === 204 && call.answersNothing === true)
    const read = isEmpty && Option.isNone(answer.json) ? { ...answer, json: Option.some(null) } : answer
    return yield* Effect.mapError(
      decode(call, read, schema),
      (error) => new Failure({ error, transient: false, retryAfterSeconds: null })
    )
  })

  const again = pauses.pipe(
    Schedule.intersect(Schedule.recurs(maxRetries)),
    // Whoever asks waits for no more than a minute, or four attempts, whatever Polar says each time.
    Schedule.upTo(Duration.max(Duration.minutes(1), Duration.times(timeout, 4)))
  )

  const persist = <A, I>(call: Call, schema: Schema.Schema<A, I>): Effect.Effect<A, Failure> =>
    Effect.retry(once(call, schema), {
      schedule: again,
      while: ({ retryAfterSeconds, transient }) =>
        call.method === "GET" && transient && (retryAfterSeconds ?? 0) <= longestRetryAfterSeconds
    })

  const otherEnvironmentKnowsToken: Effect.Effect<boolean> = probing.withPermits(1)(
    Effect.gen(function* () {
      const known = yield* Ref.get(probed)
      if (known !== null) return known
      // Before the answer, so that the token goes there once even if this call is interrupted.
      yield* Ref.set(probed, false)
      const elsewhere = sandbox ? hosts.production : hosts.sandbox
      const found = yield* send(HttpClientRequest.get(`${elsewhere}/v1/products/?limit=1`)).pipe(
        Effect.timeout(probeTimeout),
        Effect.match({ onFailure: () => false, onSuccess: isTokenKnown })
      )
      yield* Ref.set(probed, found)
      return found
    })
  )

  const explain = (error: PolarError): Effect.Effect<never, PolarError> =>
    error._tag === "PolarUnauthorized" &&
    error.code === "invalid_token" &&
    options.apiBaseUrl === undefined &&
    options.detectOtherEnvironment !== false
      ? Effect.flatMap(
          otherEnvironmentKnowsToken,
          (otherEnvironment) =>
            new PolarUnauthorized({
              operation: error.operation,
              environment: error.environment,
              code: error.code,
              otherEnvironment
            })
        )
      : Effect.fail(error)

  return {
    clockAhead: Ref.get(ahead),
    call: (call, schema) =>
      problem === null
        ? Effect.catchAll(persist(call, schema), ({ error }) => explain(error))
        : Effect.fail(new PolarNotConfigured({ operation: call.operation, reason: problem }))
  }
})

const operationOf = ({ method, path, template = path }: Call): string => `${method} ${template}`

const counted = (call: Call, outcome: ApiOutcome): Effect.Effect<void> =>
  Metrics.apiCalls.update(1, { operation: operationOf(call), outcome })

/** One that is interrupted has no outcome. */
const measured =
  (call: Call) =>
  <R>(request: Effect.Effect<Answer, Failure, R>): Effect.Effect<Answer, Failure, R> =>
    Effect.flatMap(Clock.currentTimeNanos, (begun) => {
      const ended = (outcome: ApiOutcome) =>
        Effect.flatMap(Clock.currentTimeNanos, (now) =>
          Effect.zipRight(
            counted(call, outcome),
            Metrics.apiDuration.update(Number(now - begun) / 1e9, { operation: operationOf(call) })
          )
        )
      return Effect.tapBoth(request, {
        onSuccess: ({ status }) => ended(outcomeOf(status)),
        onFailure: ({ error }) => ended(error._tag === "PolarTimeout" ? "timeout" : "unreachable")
      })
    })

const serverOf = ({ hostname, port, protocol }: URL) => ({
  "server.address": hostname,
  "server.port": port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
  "url.scheme": protocol.slice(0, -1)
})

const httpOrigin = (base: string): string | null => {
  if (!URL.canParse(base)) return null
  const { origin, protocol } = new URL(base)
  return protocol === "https:" || protocol === "http:" ? origin : null
}

// A header that a platform refuses is quoted in its error, token and all; so such a token never gets there.
const configurationProblem = (token: Redacted.Redacted, origin: string | null): string | null => {
  if (origin === null) return "`apiBaseUrl` is not an http or https URL."
  const wrong = accessTokenProblem(Redacted.value(token))
  return wrong === null ? null : `the access token ${wrong}.`
}

/** Doubling pauses, unless Polar says how long; with some chance in them, so that many callers do not come back at once. */
const pauses = Schedule.exponential("250 millis").pipe(
  Schedule.union(Schedule.spaced("5 seconds")),
  Schedule.jitteredWith({ min: 0.5, max: 1.5 }),
  Schedule.zipRight(Schedule.identity<Failure>()),
  Schedule.modifyDelayEffect(({ retryAfterSeconds }, pause) =>
    Effect.map(Random.next, (random) =>
      Math.round(retryAfterSeconds === null ? Duration.toMillis(pause) : retryAfterSeconds * 1000 + random * 250)
    )
  )
)

const decode = <A, I>(
  { method, operation }: Call,
  { json, status }: Answer,
  schema: Schema.Schema<A, I>
): Effect.Effect<A, PolarError> =>
  Option.match(json, {
    onNone: () =>
      Effect.fail(
        new PolarUnavailable({
          operation,
          status,
          reason: `the answer ${status} is not JSON, so something between this server and Polar gave it or cut it off`,
          retryAfterSeconds: null,
          mayHaveActed: method !== "GET"
        })
      ),
    onSome: (body) =>
      Effect.mapError(Schema.decodeUnknown(schema)(body), (error) => unexpected(operation, status, error))
  })

/** What was answered is not what this version knows. */
export const unexpected = (operation: string, status: number, error: ParseResult.ParseError): PolarUnexpectedAnswer =>
  new PolarUnexpectedAnswer({
    operation,
    status,
    detail: `${places(error)}. Upgrade this package; if there is no newer version, report it`
  })

// Only where it went wrong: the parser's own message quotes the values.
const places = (error: ParseResult.ParseError): string =>
  ParseResult.ArrayFormatter.formatErrorSync(error)
    .slice(0, 5)
    .map(({ _tag, path }) => {
      const place = path.length === 0 ? "the body" : `"${path.join(".")}"`
      return _tag === "Missing" ? `${place} is missing` : `${place} is not what it should be`
    })
    .join(", ")
