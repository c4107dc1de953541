/** The routes as a KavachOS plugin adds them to its host, which knows who is signed in. */
import type * as Api from "../routes/Api.ts"
import type { Runtime } from "../runtime/Runtime.ts"
import type { PluginEndpoint } from "./KavachPlugin.ts"

export const pluginEndpoints = (runtime: Runtime): ReadonlyArray<PluginEndpoint> => [
  {
    method: "POST" satisfies typeof Api.checkout.method,
    path: "/auth/polar/checkout",
    handler: (request, host) => runtime.answer("checkout", request, () => host.getUser(request)),
    metadata: { description: "Creates a Polar checkout session for the signed-in user" }
  },
  {
    method: "GET" satisfies typeof Api.subscription.method,
    path: "/auth/polar/subscription",
    handler: (request, host) => runtime.answer("subscription", request, () => host.getUser(request)),
    metadata: { description: "The signed-in user's current Polar subscription" }
  },
  {
    method: "POST" satisfies typeof Api.webhook.method,
    path: "/auth/polar/webhook",
    handler: (request) => runtime.answer("webhook", request),
    metadata: { description: "Receives Polar's webhook deliveries" }
  }
]
