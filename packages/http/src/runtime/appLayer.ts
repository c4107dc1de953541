/** Everything behind one `polar()`, wired from its settings. */
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as Handlers from "@kavach-polar/core/Handlers"
import * as Maintenance from "@kavach-polar/core/Maintenance"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { AuthorizeAction } from "../config/PolarConfig.ts"
import type { PolarSettings } from "../config/settings.ts"
import { AuthorizationFailed, type Authorize } from "../routes/authorize.ts"
import * as Endpoints from "../routes/Endpoints.ts"
import * as Session from "../routes/Session.ts"
import type { Telemetry } from "../telemetry/Telemetry.ts"
import { loggingLayer } from "./logging.ts"
import { plainSubscription } from "./plainSubscription.ts"
import { polarFetch } from "./polarFetch.ts"

/** What a runtime runs: the use cases, and the routes in front of them. */
export type App = Billing.Billing | Endpoints.Endpoints

export const appLayer = (
  settings: PolarSettings,
  ownStore: Layer.Layer<BillingStore.BillingStore, unknown>,
  telemetry: Telemetry
): Layer.Layer<App, unknown> => {
  const store = withBodies(settings.bodies, ownStore)
  const { emailVerified, onSubscriptionChange, userExists } = settings
  const { on, onAccessChange, onBenefitGranted, onBenefitRevoked, onPurchase, onRefund } = settings
  const listener =
    onSubscriptionChange === undefined
      ? SubscriptionListener.layerNoop
      : SubscriptionListener.layerCallback(({ id, subscription, userId }, signal) =>
          onSubscriptionChange(userId, subscription, { id, signal })
        )
  const handlers = Handlers.layerCallbacks({
    on,
    onAccessChange,
    onBenefitGranted,
    onBenefitRevoked,
    onPurchase,
    onRefund
  })
  const dispatcher = Layer.provide(
    NotificationDispatcher.layer(settings.dispatcher),
    Layer.mergeAll(store, listener, handlers)
  )
  const billing = Layer.provide(
    Billing.layer({
      policy: settings.policy,
      organizationId: settings.organizationId,
      // Not before it is whole: until then every call fails with what is missing.
      products: settings.missing === undefined ? settings.products : undefined,
      migrate: settings.migrate,
      webhookUrl: settings.webhookUrl,
      answer: settings.answer,
      buyerTimeout:
        settings.buyerTimeoutSeconds === undefined ? undefined : Duration.seconds(settings.buyerTimeoutSeconds),
      sessionsPerMinute: settings.sessionsPerMinute,
      trialOncePerUser: settings.trialOncePerUser,
      // Without a token there is nobody to ask.
      refreshWhenDenied:
        settings.accessToken === undefined && settings.client === undefined ? false : settings.refreshWhenDenied,
      accessCache:
        settings.accessCache === undefined
          ? undefined
          : { maxAge: Duration.seconds(settings.accessCache.maxAgeSeconds) },
      licenseKeys: {
        maxAge: seconds(settings.licenseKeys?.maxAgeSeconds),
        staleIfError: seconds(settings.licenseKeys?.staleIfErrorSeconds)
      },
      externalIds: settings.externalIds,
      userExists:
        userExists === undefined
          ? undefined
          : (userId) => Effect.tryPromise(async () => Boolean(await userExists(userId))),
      emailVerified:
        emailVerified === undefined
          ? undefined
          : ({ email, emailVerified: known = false, id, name }) =>
              emailVerified({
                id,
                email: Option.getOrNull(email),
                name: Option.getOrNull(name),
                emailVerified: known
              }) === true
    }),
    Layer.mergeAll(
      store,
      dispatcher,
      clientLayer(settings),
      WebhookVerifier.layer({
        secrets: settings.webhookSecrets,
        tolerance: settings.toleranceSeconds === undefined ? undefined : Duration.seconds(settings.toleranceSeconds)
      })
    )
  )
  const endpoints = Layer.provide(
    Endpoints.layer({
      trustedOrigins: settings.trustedOrigins,
      webhookBodyLimitBytes: settings.webhookBodyLimitBytes,
      routes: settings.routes,
      authorize: settings.authorize === undefined ? undefined : asEffect(settings.authorize)
    }),
    Layer.merge(billing, Session.layerHost)
  )
  const maintenance = Layer.provide(Maintenance.layer(settings.maintenance), Layer.merge(billing, store))
  return Layer.provide(
    Layer.mergeAll(billing, endpoints, maintenance),
    Layer.merge(loggingLayer(settings), telemetry.layer)
  )
}

const withBodies = (
  bodies: PolarSettings["bodies"],
  store: Layer.Layer<BillingStore.BillingStore, unknown>
): Layer.Layer<BillingStore.BillingStore, unknown> => {
  if (bodies === undefined) return store
  if (bodies === "none") return BillingStore.withoutBodies(store)
  const { decrypt, encrypt } = bodies
  return BillingStore.encryptBodies({
    encrypt: (body, owner) => Effect.tryPromise(async () => encrypt(body, owner)),
    decrypt: (encrypted, owner) => Effect.tryPromise(async () => decrypt(encrypted, owner))
  })(store)
}

/** The body has been read; whoever reads it again would fail. */
const withoutBody = ({ headers, method, url }: Request): Request => new Request(url, { headers, method })

/** The app's own `authorize`, which is given a web request. */
const asEffect =
  (authorize: AuthorizeAction): Authorize =>
  (action, { asked, request, subscription, user }) =>
    Effect.tryPromise({
      try: async () =>
        (await authorize(action, {
          user,
          request: withoutBody(request.source as Request),
          asked,
          subscription: subscription === null ? null : plainSubscription(subscription)
        })) === true,
      catch: (cause) => new AuthorizationFailed({ cause })
    })

const seconds = (given: number | undefined) => (given === undefined ? undefined : Duration.seconds(given))

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
    polarFetch
  )
}
