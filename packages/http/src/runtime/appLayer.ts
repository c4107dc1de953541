/** Everything behind one `polar()`, wired from its settings. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Billing from "@kavach-polar/core/Billing"
import type { BillingStore } from "@kavach-polar/core/BillingStore"
import * as Maintenance from "@kavach-polar/core/Maintenance"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { PolarSettings } from "../config/settings.ts"
import * as Endpoints from "../routes/Endpoints.ts"
import * as Session from "../routes/Session.ts"

/** What a runtime runs: the use cases, and the routes in front of them. */
export type App = Billing.Billing | Endpoints.Endpoints

export const appLayer = (
  settings: PolarSettings,
  store: Layer.Layer<BillingStore, unknown>
): Layer.Layer<App, unknown> => {
  const { onSubscriptionChange } = settings
  const listener =
    onSubscriptionChange === undefined
      ? SubscriptionListener.layerNoop
      : SubscriptionListener.layerCallback(({ id, subscription, userId }, signal) =>
          onSubscriptionChange(userId, subscription, { id, signal })
        )
  const dispatcher = Layer.provide(NotificationDispatcher.layer(), Layer.merge(store, listener))
  const billing = Layer.provide(
    Billing.layer({
      policy: settings.policy,
      organizationId: settings.organizationId,
      migrate: settings.migrate,
      webhookUrl: settings.webhookUrl
    }),
    Layer.mergeAll(
      store,
      dispatcher,
      clientLayer(settings),
      WebhookVerifier.layer({ secrets: settings.webhookSecrets })
    )
  )
  const endpoints = Layer.provide(
    Endpoints.layer({ trustedOrigins: settings.trustedOrigins, webhookBodyLimit: settings.webhookBodyLimit }),
    Layer.merge(billing, Session.layerHost)
  )
  const maintenance = Layer.provide(Maintenance.layer(settings.maintenance), Layer.merge(billing, store))
  return Layer.provide(Layer.mergeAll(billing, endpoints, maintenance), Logger.minimumLogLevel(settings.logLevel))
}

const clientLayer = (settings: PolarSettings): Layer.Layer<PolarClient.PolarClient> => {
  if (settings.client !== undefined) return settings.client
  if (settings.accessToken === undefined) return PolarClient.layerDisabled("No access token is configured.")
  return Layer.provide(
    PolarClient.layer({
      accessToken: settings.accessToken,
      sandbox: settings.sandbox,
      ...(settings.apiBaseUrl === undefined ? {} : { apiBaseUrl: settings.apiBaseUrl }),
      ...(settings.organizationId === undefined ? {} : { organizationId: settings.organizationId })
    }),
    FetchHttpClient.layer
  )
}
