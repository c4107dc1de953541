/** The routes as a KavachOS plugin adds them to its host, which knows who is signed in. */
import type * as Api from "../routes/Api.ts"
import {
  type BrowserRoute,
  browserRoutes,
  healthRoute,
  isHealthOn,
  isOn,
  prefix,
  type RouteEntry,
  type RoutesOption
} from "../routes/routeTable.ts"
import type { Runtime } from "../runtime/Runtime.ts"
import type { PluginEndpoint } from "./KavachPlugin.ts"

export interface HostRoutes {
  /** The host's own, where it says one. */
  readonly origin: string | undefined
  /** Those that are off are not there. */
  readonly routes: RoutesOption | undefined
}

const entries = Object.entries(browserRoutes) as ReadonlyArray<readonly [BrowserRoute, RouteEntry]>

export const pluginEndpoints = (
  { answer }: Pick<Runtime, "answer">,
  { origin, routes }: HostRoutes
): ReadonlyArray<PluginEndpoint> => [
  ...entries
    .filter(([name]) => isOn(name, routes))
    .map(
      ([name, { description, method, path }]): PluginEndpoint => ({
        method,
        path: `${prefix}${path}`,
        handler: (request, host) => answer(name, request, { getUser: () => host.getUser(request), origin }),
        metadata: { description }
      })
    ),
  ...(isHealthOn(routes)
    ? [
        {
          method: healthRoute.method,
          path: `${prefix}${healthRoute.path}`,
          handler: (request: Request) => answer("health", request, { getUser: async () => null }),
          metadata: { description: healthRoute.description }
        }
      ]
    : []),
  {
    method: "POST" satisfies typeof Api.webhook.method,
    path: `${prefix}/webhook`,
    handler: (request, host) => answer("webhook", request, { getUser: async () => null, waitUntil: host?.waitUntil }),
    metadata: { description: "Receives Polar's webhook deliveries" }
  }
]
