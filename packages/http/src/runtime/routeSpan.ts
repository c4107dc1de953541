/** The span of a request, by OpenTelemetry's conventions for HTTP. */
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { annotate, traced } from "@kavach-polar/core/Traced"
import * as Effect from "effect/Effect"
import { type BrowserRoute, browserRoutes, healthRoute } from "../routes/routeTable.ts"

type RouteName = BrowserRoute | "webhook" | "health"

const entryOf = (name: RouteName): { readonly method: string; readonly path: string } =>
  name === "webhook" ? { method: "POST", path: "/webhook" } : name === "health" ? healthRoute : browserRoutes[name]

/** The route with what stands before it in this app; none where the app has given it another path. */
const routeIn = (pathname: string, path: string): string | undefined => {
  const end = new RegExp(`${path.replaceAll(/:\w+/g, "[^/]+")}/?$`).exec(pathname)
  return end === null ? undefined : `${pathname.slice(0, end.index)}${path}`
}

/** What a host gives by mistake for a request is answered by the route, and has none. */
const pathnameOf = (request: unknown): string | undefined => {
  const url: unknown = request instanceof Object ? Reflect.get(request, "url") : undefined
  const base = "http://localhost"
  return typeof url === "string" && URL.canParse(url, base) ? new URL(url, base).pathname : undefined
}

/**
 * `request`: a web request, or Node's. Where the app traces its requests, its span is the server's and this one is inside; else
 * this is the server's.
 */
export const routeSpan =
  (name: RouteName, request: unknown) =>
  <E, R>(
    answer: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> => {
    const { method, path } = entryOf(name)
    return Effect.withFiberRuntime((fiber) =>
      Effect.tap(answer, ({ status }) => annotate({ "http.response.status_code": status })).pipe(
        traced(`${method} ${path}`, () => {
          const pathname = pathnameOf(request)
          const route = pathname === undefined ? undefined : routeIn(pathname, path)
          return {
            kind: fiber.currentSpan === undefined ? "server" : "internal",
            attributes: { "http.request.method": method, ...(route === undefined ? {} : { "http.route": route }) }
          }
        })
      )
    )
  }
