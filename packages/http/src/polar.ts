/** `polar()`: billing for people who write promises, and the KavachOS plugin. */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { BillingService } from "@kavach-polar/core/Billing"
import { StoreError } from "@kavach-polar/core/StoreError"
import { CustomerId, OrderId, ProductId, UserId } from "@kavach-polar/core/Subscription"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { PolarConfig } from "./config/PolarConfig.ts"
import { checkedSettings, type PolarSettings } from "./config/settings.ts"
import { adapterFor } from "./host/adapters.ts"
import type { PluginContext } from "./host/KavachPlugin.ts"
import { pluginEndpoints } from "./host/pluginEndpoints.ts"
import { sendResponse } from "./node/answer.ts"
import type { Polar, PolarBilling, PolarPluginContext } from "./PolarBilling.ts"
import { InvalidRequest, respondWith } from "./routes/errorResponse.ts"
import { checkRedirectUrl } from "./routes/redirectUrl.ts"
import { AlreadyInitialized, NotConnected } from "./runtime/lifecycleErrors.ts"
import { makeRuntime, type Runtime } from "./runtime/Runtime.ts"

export type { Polar, PolarBilling } from "./PolarBilling.ts"
export { polarOf } from "./polarOf.ts"
export { AlreadyInitialized, NotConnected } from "./runtime/lifecycleErrors.ts"

/**
 * Makes the billing. Throws a `PolarConfigError` that names the field when the configuration cannot be used.
 *
 * In a KavachOS host the host's own database is used; elsewhere give a `store`.
 */
export const polar = (config: PolarConfig): Polar => polarWith(checkedSettings(config))

/** The same, with a configuration that was checked. */
export const polarWith = (settings: PolarSettings): Polar => {
  let runtime: Runtime | undefined = settings.store === undefined ? undefined : makeRuntime(settings, settings.store)

  const connected = (): Runtime => {
    if (runtime === undefined) throw new NotConnected()
    return runtime
  }

  const call = async <A, E>(use: (billing: BillingService) => Effect.Effect<A, E>): Promise<A> => connected().run(use)

  const redirectUrl = (field: string, url: string | undefined) =>
    url === undefined ? Effect.succeed(undefined) : checkRedirectUrl(field, url, settings.trustedOrigins)

  const billing: PolarBilling = {
    createCheckout: (userId, productId, options = {}) =>
      call((billing) =>
        Effect.gen(function* () {
          const { id, url } = yield* billing.createCheckout(
            yield* decodeId(UserId, "userId", userId),
            yield* decodeId(ProductId, "productId", productId),
            {
              ...options,
              successUrl: yield* redirectUrl("successUrl", options.successUrl),
              returnUrl: yield* redirectUrl("returnUrl", options.returnUrl)
            }
          )
          return { url, id }
        })
      ),
    getSubscription: (userId) =>
      call((billing) =>
        decodeId(UserId, "userId", userId).pipe(
          Effect.flatMap(billing.currentSubscription),
          Effect.map(Option.getOrNull)
        )
      ),
    listSubscriptions: (userId) =>
      call((billing) => Effect.flatMap(decodeId(UserId, "userId", userId), billing.listSubscriptions)),
    orders: {
      list: (userId, query) =>
        call((billing) =>
          Effect.flatMap(decodeId(UserId, "userId", userId), (user) => billing.orders.list(user, query))
        ),
      get: (orderId) =>
        call((billing) =>
          decodeId(OrderId, "orderId", orderId).pipe(Effect.flatMap(billing.orders.get), Effect.map(Option.getOrNull))
        )
    },
    access: (userId, options) =>
      call((billing) => Effect.flatMap(decodeId(UserId, "userId", userId), (user) => billing.access(user, options))),
    createPortalSession: (userId, options = {}) =>
      call((billing) =>
        Effect.gen(function* () {
          const session = yield* billing.createPortalSession(yield* decodeId(UserId, "userId", userId), {
            returnUrl: yield* redirectUrl("returnUrl", options.returnUrl)
          })
          return { url: session.customerPortalUrl, expiresAt: session.expiresAt }
        })
      ),
    linkCustomer: (userId, customerId) =>
      call((billing) =>
        Effect.gen(function* () {
          yield* billing.linkCustomer(
            yield* decodeId(UserId, "userId", userId),
            yield* decodeId(CustomerId, "customerId", customerId)
          )
        })
      ),
    linkWaiting: () => call((billing) => billing.linkWaiting),
    replay: (query = {}) => call((billing) => billing.replay(query)),
    reconcile: (userId, options) =>
      call((billing) => Effect.flatMap(decodeId(UserId, "userId", userId), (user) => billing.reconcile(user, options))),
    reconcileAll: ({ dryRun, since } = {}) => call((billing) => billing.reconcileAll({ dryRun, since })),
    webhook: async (request) =>
      runtime === undefined ? HttpServerResponse.toWeb(notConnectedYet) : runtime.answer("webhook", request),
    webhookListener: async (incoming, outgoing) => {
      if (runtime === undefined) return sendResponse(incoming, outgoing, notConnectedYet)
      return runtime.listen(incoming, outgoing)
    },
    dispose: async () => runtime?.dispose()
  }

  const init = async (context: PluginContext): Promise<{ context: PolarPluginContext }> => {
    const store = settings.store ?? (await adapterFor(context.config.database.provider)).onDrizzle(context.db)
    runtime = connect(runtime, () => makeRuntime(settings, store))
    for (const endpoint of pluginEndpoints(runtime)) context.addEndpoint(endpoint)
    try {
      await runtime.start()
    } catch (error) {
      // Tables that do not fit stay so until somebody acts, and that is best said at start. Anything else may pass: a
      // billing outage must not keep the host from starting, and the next use tries again.
      if (!(error instanceof StoreError) || error.reason === "schema") {
        await runtime.dispose()
        throw error
      }
      await Effect.runPromise(Logger.withMinimumLogLevel(logAtStart(error), settings.logLevel))
    }
    return { context: { polar: billing } }
  }

  let initialized = false
  const connect = (existing: Runtime | undefined, make: () => Runtime): Runtime => {
    if (initialized) throw new AlreadyInitialized()
    initialized = true
    return existing ?? make()
  }

  return { ...billing, id: "kavach-polar", init, [Symbol.asyncDispose]: billing.dispose }
}

const decodeId = <A>(schema: Schema.Schema<A, string>, field: string, value: string) =>
  isPlainId(value)
    ? // What every schema of an id takes, and nearly every id is.
      Effect.succeed(value as A & string)
    : Effect.mapError(
        Schema.decode(schema)(value),
        () => new InvalidRequest({ problem: `Invalid ${field}: it must be a non-empty id` })
      )

const isPlainId = (value: unknown): boolean => typeof value === "string" && /^[\w-]{1,64}$/.test(value)

const notConnectedYet = respondWith({ status: 503, error: "Billing is temporarily unavailable", retryAfter: 5 })

const logAtStart = (error: StoreError): Effect.Effect<void> =>
  Effect.logError(`Billing starts without its storage and will try again: ${error.message}`)
