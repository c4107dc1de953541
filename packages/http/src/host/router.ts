/** How a host finds the endpoint for a request, and keeps its failures from the server around it. */
import { causeLine } from "@kavach-polar/core/logText"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { EndpointContext, PluginEndpoint } from "./KavachPlugin.ts"

/**
 * Answers a request whose path, after the base path, is that of an endpoint; `null` for any other, so that an app can go
 * on to its own routes. A known path with another method is answered 405. Never rejects.
 */
export const route = async (
  endpoints: ReadonlyArray<PluginEndpoint>,
  request: Request,
  basePath: string,
  context: EndpointContext
): Promise<Response | null> => {
  const path = pathBelow(new URL(request.url).pathname, basePath)
  if (path === undefined) return null
  const candidates = endpointsAt(endpoints, path)
  if (candidates.length === 0) return null
  const endpoint = candidates.find(({ method }) => method === request.method)
  if (endpoint === undefined) return methodNotAllowed(candidates.map(({ method }) => method))
  try {
    if (endpoint.metadata?.requireAuth === true && (await context.getUser(request)) === null) {
      return Response.json({ error: "Authentication required" }, { status: 401 })
    }
    return await endpoint.handler(request, context)
  } catch (error) {
    logFailure(`The plugin's endpoint ${endpoint.method} ${endpoint.path} failed; it was answered 500.`, error)
    return Response.json({ error: "Internal error" }, { status: 500 })
  }
}

export const endpointsAt = (endpoints: ReadonlyArray<PluginEndpoint>, path: string): ReadonlyArray<PluginEndpoint> =>
  endpoints.filter((endpoint) => matches(endpoint.path, path))

export const methodNotAllowed = (allowed: ReadonlyArray<string>): Response =>
  Response.json({ error: "Method not allowed" }, { status: 405, headers: { allow: allowed.join(", ") } })

/** A segment such as `:id` stands for any one. */
const matches = (pattern: string, path: string): boolean => {
  if (!pattern.includes("/:")) return pattern === path
  const wanted = pattern.split("/")
  const given = path.split("/")
  return (
    wanted.length === given.length &&
    wanted.every((segment, index) => (segment.startsWith(":") ? given[index] !== "" : segment === given[index]))
  )
}

/** For what is caught where nobody can be told. */
export const logFailure = (what: string, error: unknown): void => {
  Effect.runFork(Effect.logError(what, causeLine(Cause.die(error))))
}

/** The path below the base, without a trailing slash; `undefined` when it is not below it. */
export const pathBelow = (pathname: string, basePath: string): string | undefined => {
  const base = basePath.replace(/\/+$/, "")
  if (base !== "" && pathname !== base && !pathname.startsWith(`${base}/`)) return undefined
  const path = pathname.slice(base.length)
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path
}
