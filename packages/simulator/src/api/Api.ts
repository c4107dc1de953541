/** Polar's API over a web request: versions, tokens, lengths and limits, the route, and the four shapes of error. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { Engine } from "../Engine.ts"
import { malformed, notFound, Refusal, refused } from "../Refusal.ts"
import * as BenefitRoutes from "./BenefitRoutes.ts"
import * as CheckoutRoutes from "./CheckoutRoutes.ts"
import * as CustomerRoutes from "./CustomerRoutes.ts"
import * as DiscountRoutes from "./DiscountRoutes.ts"
import * as LicenseKeyRoutes from "./LicenseKeyRoutes.ts"
import * as ListenRoute from "./ListenRoute.ts"
import * as OrderRoutes from "./OrderRoutes.ts"
import * as OrganizationRoutes from "./OrganizationRoutes.ts"
import * as ProductRoutes from "./ProductRoutes.ts"
import * as RefundRoutes from "./RefundRoutes.ts"
import { type Answer, matching, type Route } from "./Route.ts"
import * as SubscriptionRoutes from "./SubscriptionRoutes.ts"
import * as WebhookRoutes from "./WebhookRoutes.ts"

/** A token and what it may do; a token without a list may do everything. */
export interface AccessToken {
  readonly token: Redacted.Redacted
  readonly scopes?: ReadonlyArray<string> | undefined
}

export interface Options {
  readonly accessTokens: ReadonlyArray<AccessToken>
  /** Requests that a minute takes before Polar answers 429; no limit unless given. */
  readonly requestsPerMinute?: number | undefined
  /**
   * Whether a body without a length is refused, as Polar does. A server must say yes; a `Request` that never was on a
   * wire has no such header.
   */
  readonly lengthRequired?: boolean | undefined
  /** Whether there are previews of changes, of the next charge and of an end, which Polar documents nowhere; yes unless given. */
  readonly previews?: boolean | undefined
}

/** The versions that Polar answers to; the first is the one for who does not ask for any. */
export const versions: ReadonlyArray<string> = ["2026-10", "2026-04", "2027-01"]

export const routes: ReadonlyArray<Route> = [
  ...CheckoutRoutes.routes,
  ...CustomerRoutes.routes,
  ...SubscriptionRoutes.routes,
  ...OrderRoutes.routes,
  ...RefundRoutes.routes,
  ...LicenseKeyRoutes.routes,
  ...ProductRoutes.routes,
  ...BenefitRoutes.routes,
  ...DiscountRoutes.routes,
  ...OrganizationRoutes.routes,
  ...WebhookRoutes.routes
]

const bodyLimit = 10 * 1024 * 1024
const minute = 60_000

const nothingHere = new Refusal({ status: 404, error: null, detail: "Not Found" })

export const make = (engine: Engine, options: Options): Effect.Effect<(request: Request) => Effect.Effect<Response>> =>
  Effect.sync(() => {
    const tokens = new Map(options.accessTokens.map(({ scopes, token }) => [Redacted.value(token), scopes ?? null]))
    const there = routes.filter(({ path }) => options.previews !== false || !path.endsWith("-preview"))
    let window = { start: 0, used: 0 }

    const limited = Effect.map(Clock.currentTimeMillis, (now) => {
      const limit = options.requestsPerMinute
      if (limit === undefined) return undefined
      if (now - window.start >= minute) window = { start: now, used: 0 }
      window.used += 1
      return window.used <= limit ? undefined : Math.max(1, Math.ceil((window.start + minute - now) / 1000))
    })

    /** Who sends a token, sends a good one, also where none is needed. */
    const scopesOf = (request: Request): Either.Either<ReadonlyArray<string> | null | undefined, Refusal> => {
      const token = /^bearer\s+(\S+)\s*$/i.exec(request.headers.get("authorization") ?? "")?.[1]
      if (token === undefined) return Either.right(undefined)
      const scopes = tokens.get(token)
      return scopes === undefined ? Either.left(badToken) : Either.right(scopes)
    }

    const handle = (request: Request, url: URL): Effect.Effect<Answer, Refusal> =>
      Effect.gen(function* () {
        const scopes = yield* scopesOf(request)
        const path = routed(url.pathname)
        const matches = matching(there, path)
        if (matches.length === 0) return yield* redirect(url, path)
        const match = matches.find(({ route }) => route.method === request.method)
        if (match === undefined) {
          return yield* new Refusal({ status: 405, error: null, detail: "Method Not Allowed" })
        }
        yield* allowed(match.route.scopes, scopes)
        const body = yield* bodyOf(request, options.lengthRequired === true)
        const params = Object.fromEntries(Object.entries(match.params).map(([name, value]) => [name, decoded(value)]))
        return yield* engine.run((step) => match.route.handle(step, { params, query: url.searchParams, body }))
      })

    const listened = (request: Request, url: URL): Effect.Effect<Response, Refusal> =>
      Effect.gen(function* () {
        yield* allowed(ListenRoute.scopes, yield* scopesOf(request))
        const id = yield* engine.read(({ organization }) => organization.id)
        if (ListenRoute.organizationIn(url.pathname) !== id) return yield* notFound
        return ListenRoute.listen(engine, id)
      })

    return (request) =>
      Effect.gen(function* () {
        const url = new URL(request.url)
        const version = request.headers.get("polar-version") ?? versions[0] ?? ""
        if (!versions.includes(version)) return respond(refusalAnswer(nothingHere), {})
        const wait = yield* limited
        if (wait !== undefined) {
          return new Response("Too Many Requests", { status: 429, headers: { "retry-after": `${wait}` } })
        }
        const headers = { "polar-version": version }
        const answered = Effect.map(handle(request, url), (answer) => respond(answer, headers))
        return yield* (isListening(request, url) ? listened(request, url) : answered).pipe(
          Effect.catchAll((refusal) =>
            Effect.succeed(respond(refusalAnswer(refusal), { ...headers, ...refusal.headers }))
          ),
          Effect.catchAllDefect((defect) =>
            Effect.as(
              Effect.logError("The simulator failed; this is a bug of its own.", defect),
              new Response("Internal Server Error", { status: 500 })
            )
          )
        )
      })
  })

// An old mount of the checkouts, and an old prefix of everything. A slash that was encoded is a slash again before Polar
// routes, so an external id with one is found nowhere.
const routed = (pathname: string): string =>
  pathname
    .replace(/%2f/gi, "/")
    .replace(/^\/api\/v1\//, "/v1/")
    .replace(/^\/v1\/checkouts\/custom\//, "/v1/checkouts/")

// What is no encoding is what it looks like.
const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** A path that is right but for the slash at its end leads there. */
const redirect = (url: URL, path: string): Either.Either<never, Refusal> => {
  const other = (text: string) => (text.endsWith("/") ? text.slice(0, -1) : `${text}/`)
  if (matching(routes, other(path)).length === 0) return Either.left(nothingHere)
  const location = `${url.origin}${other(url.pathname)}${url.search}`
  return Either.left(new Refusal({ status: 307, error: null, detail: "", headers: { location } }))
}

const realm = 'Bearer realm="polar"'

const badToken = new Refusal({
  status: 401,
  error: "invalid_token",
  detail: "The access token provided is expired, revoked, malformed, or invalid for other reasons.",
  headers: {
    "www-authenticate": `${realm}, error="invalid_token", error_description="The access token provided is expired, revoked, malformed, or invalid for other reasons."`
  }
})

const noToken = new Refusal({
  status: 401,
  error: "Unauthorized",
  detail: "Unauthorized",
  headers: { "www-authenticate": realm }
})

const isListening = (request: Request, url: URL): boolean =>
  request.method === "GET" && ListenRoute.organizationIn(url.pathname) !== undefined

const allowed = (
  anyOf: ReadonlyArray<string>,
  scopes: ReadonlyArray<string> | null | undefined
): Either.Either<void, Refusal> => {
  if (anyOf.length === 0 || scopes === null) return Either.void
  if (scopes === undefined) return Either.left(noToken)
  if (anyOf.some((scope) => scopes.includes(scope))) return Either.void
  const needed = anyOf.join(" ")
  const description = "The request requires higher privileges than provided by the access token."
  return Either.left(
    new Refusal({
      status: 403,
      error: "insufficient_scope",
      detail: description,
      headers: {
        "www-authenticate": `${realm}, scope="${needed}", error="insufficient_scope", error_description="${description}"`
      }
    })
  )
}

const bodyOf = (request: Request, lengthRequired: boolean): Effect.Effect<unknown, Refusal> =>
  Effect.gen(function* () {
    if (request.method === "GET" || request.method === "DELETE") return undefined
    const length = request.headers.get("content-length")
    if (length === null && lengthRequired) {
      return yield* refused(411, "LengthRequired", "Content-Length header is required.")
    }
    const tooLarge = refused(413, "RequestBodyTooLarge", "The request body is too large.")
    if (Number(length) > bodyLimit) return yield* tooLarge
    const text = yield* Effect.tryPromise({
      try: () => request.text(),
      catch: () => refused(400, "BadRequest", "The body ended too early.")
    })
    if (text.length > bodyLimit) return yield* tooLarge
    if (text === "") return undefined
    return yield* Either.try({
      try: (): unknown => JSON.parse(text),
      catch: () => malformed([{ type: "json_invalid", loc: ["body", 0], msg: "JSON decode error", input: {} }])
    })
  })

const refusalAnswer = ({ detail, error, status }: Refusal): Answer => {
  if (status === 307) return { status, body: undefined }
  if (error === null) return { status, body: { detail } }
  return error === "invalid_token" || error === "insufficient_scope"
    ? { status, body: { error, error_description: detail } }
    : { status, body: { error, detail } }
}

const respond = ({ body, status }: Answer, headers: Readonly<Record<string, string>>): Response => {
  const all = { "cache-control": "private, no-store", "x-polar-sandbox": "1", ...headers }
  return body === undefined
    ? new Response(null, { status, headers: all })
    : Response.json(body, { status, headers: all })
}
