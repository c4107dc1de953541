/** All routes in one function from a web request to its answer, for a host that has no plugins. */
import * as Options from "@kavach-polar/core/Options"
import * as Schema from "effect/Schema"
import { originOf } from "../routes/redirectUrl.ts"
import { prefix, type RoutesOption } from "../routes/routeTable.ts"
import type { WaitUntil } from "../routes/Session.ts"
import type { Runtime } from "../runtime/Runtime.ts"
import { type HostUser, withTextId } from "./HostUser.ts"
import { pluginEndpoints } from "./pluginEndpoints.ts"
import { endpointsAt, methodNotAllowed, pathBelow } from "./router.ts"

/** `Context` is what else the mount hands over: `req` of Express, `c` of Hono. */
export interface HandlerOptions<Context = unknown> {
  /**
   * Who is signed in, by your own sessions; `null` for nobody. An id that is a number is taken as its text. If it throws, the
   * answer is 503, and the log has the error.
   *
   * @example
   * billing.handler({ getUser: (request) => ({ id: request.headers.get("x-user") ?? "" }) })
   */
  readonly getUser: (
    request: Request,
    context: Context
  ) => HostUser | null | undefined | Promise<HostUser | null | undefined>
  /**
   * The path of the routes. Default `/auth/polar`. With another, tell `polar()` the `webhookUrl`.
   *
   * @example
   * billing.handler({ getUser: () => null, basePath: "/api/billing" })
   */
  readonly basePath?: string | undefined
  /**
   * Where the app is, such as `https://app.example.com`. Default: where each request came to.
   *
   * @example
   * billing.handler({ getUser: () => null, baseUrl: "https://app.example.com" })
   */
  readonly baseUrl?: string | undefined
  /**
   * Of a platform that stops the process after the answer: it is given what the callback still does then, such as `after` of
   * Next or `waitUntil` of `@vercel/functions`.
   *
   * @example
   * billing.handler({ getUser: () => null, waitUntil: (promise) => void promise })
   */
  readonly waitUntil?: ((promise: Promise<unknown>) => void) | undefined
}

/** Answers a request for one of the routes, and 404 to any other. Never rejects. */
export type BillingHandler<Context = unknown> = (
  request: Request,
  ...context: unknown extends Context ? [context?: unknown] : [context: Context]
) => Promise<Response>

const handlerOptions: Schema.Schema<HandlerOptions<never>> = Schema.Struct({
  getUser: Options.callback<HandlerOptions<never>["getUser"]>(),
  basePath: Options.optional(
    Options.said(Schema.String.pipe(Schema.pattern(/^(?:\/[^?#]*)?$/)), 'it must be a path, such as "/auth/polar"')
  ),
  baseUrl: Options.optional(
    Options.said(
      Schema.String.pipe(Schema.filter((value) => originOf(value) !== undefined)),
      "it must be an http(s) URL, such as https://app.example.com"
    )
  ),
  waitUntil: Options.optional(Options.callback<WaitUntil>())
})

const check = Options.optionsCheck("handler()", Options.shaped(handlerOptions, "it must be an object with getUser"))

/** Throws an `InvalidOption`. */
export const checkHandlerOptions = (options: unknown): void => check(options ?? {})

export interface HandlerHost {
  readonly answer: Runtime["answer"]
  readonly routes: RoutesOption | undefined
  /** Logs what nobody can be told. */
  readonly logFailure: (what: string, error: unknown) => void
}

export const makeHandler = <Context>(
  { basePath = prefix, baseUrl, getUser, waitUntil }: HandlerOptions<Context>,
  { answer, logFailure, routes }: HandlerHost
): BillingHandler<Context> => {
  const origin = baseUrl === undefined ? undefined : originOf(baseUrl)
  const endpoints = pluginEndpoints({ answer }, { origin, routes })

  const respond = async (request: Request, context: Context): Promise<Response> => {
    const path = pathBelow(new URL(request.url).pathname, basePath)
    const there = path === undefined ? [] : endpointsAt(endpoints, `${prefix}${path}`)
    if (there.length === 0) return Response.json({ error: "Not found" }, { status: 404 })
    const methods = there.map(({ method }) => method)
    const allowed = [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"]
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: { allow: allowed.join(", ") } })
    const wanted = request.method === "HEAD" ? "GET" : request.method
    const endpoint = there.find(({ method }) => method === wanted)
    if (endpoint === undefined) return methodNotAllowed(allowed)
    return endpoint.handler(request, {
      getUser: async () => {
        const signedIn = (await getUser(request, context)) ?? null
        return signedIn === null ? null : withTextId(signedIn)
      },
      waitUntil
    })
  }

  const handler = async (request: Request, context?: unknown): Promise<Response> => {
    try {
      const response = await respond(request, context as Context)
      return request.method === "HEAD" ? new Response(null, response) : response
    } catch (error) {
      logFailure("A request to billing's handler could not be read; it was answered 500.", error)
      return Response.json({ error: "Internal error" }, { status: 500 })
    }
  }
  return handler as BillingHandler<Context>
}

/** The same of a billing that is loaded by the first request. */
export const laterHandler = <Context>(
  options: HandlerOptions<Context>,
  load: () => Promise<{ readonly handler: (options: HandlerOptions<Context>) => BillingHandler<Context> }>
): BillingHandler<Context> => {
  checkHandlerOptions(options)
  let made: BillingHandler<Context> | undefined
  const handler = async (...given: Parameters<BillingHandler<Context>>): Promise<Response> => {
    made ??= (await load()).handler(options)
    return made(...given)
  }
  return handler as BillingHandler<Context>
}
