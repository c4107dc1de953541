/** `polar()`: billing for people who write promises, and the KavachOS plugin. */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { Access } from "@kavach-polar/core/AccessPolicy"
import type { BillingService } from "@kavach-polar/core/Billing"
import type { CheckoutOptions } from "@kavach-polar/core/Checkout"
import type { ReconcileCounts, ReconcileReport } from "@kavach-polar/core/ReconcileReport"
import type { ReplayQuery, ReplayReport } from "@kavach-polar/core/Replay"
import { StoreError } from "@kavach-polar/core/StoreError"
import { CustomerId, ProductId, type Subscription, UserId, visible } from "@kavach-polar/core/Subscription"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { adapterFor } from "./Adapters.ts"
import type * as Api from "./Api.ts"
import { type Engine, makeEngine } from "./Engine.ts"
import type { PluginContext, PluginEndpoint } from "./KavachPlugin.ts"
import { AlreadyInitialized, NotConnected } from "./LifecycleErrors.ts"
import { endWith } from "./NodeAnswer.ts"
import { checkedSettings, type PolarConfig, type PolarSettings, type PolarSubscription } from "./PolarConfig.ts"
import { checkRedirectUrl } from "./RedirectUrl.ts"
import { InvalidRequest, respond } from "./Refusal.ts"

export { AlreadyInitialized, NotConnected } from "./LifecycleErrors.ts"
export { polarOf } from "./polarOf.ts"

/** Billing in promises. Every method rejects with an error whose message says what was wrong and what to do. */
export interface PolarBilling {
  /**
   * A checkout session: send the buyer to its `url`. Options that name the buyer must come from the app's own records.
   */
  readonly createCheckout: (
    userId: string,
    productId: string,
    options?: CheckoutOptions
  ) => Promise<{ readonly url: string; readonly id: string }>
  /** The user's current subscription, or null when none is live. */
  readonly getSubscription: (userId: string) => Promise<PolarSubscription | null>
  /** All subscriptions the user ever had, the newest first, with every field. */
  readonly listSubscriptions: (userId: string) => Promise<ReadonlyArray<Subscription>>
  /**
   * Whether the user has access, why, and until when. `at` asks for another time than now: for a clock of your own, such as
   * a simulator's.
   */
  readonly access: (userId: string, options?: { readonly at?: Date | undefined }) => Promise<Access>
  /** A short-lived address at which the user manages what they bought. */
  readonly createPortalSession: (
    userId: string,
    options?: { readonly returnUrl?: string | undefined }
  ) => Promise<{ readonly url: string; readonly expiresAt: Date }>
  /** Says whose customer it is, for customers that no checkout of this app made. */
  readonly linkCustomer: (userId: string, customerId: string) => Promise<void>
  /**
   * Gives subscriptions that waited for a user who exists by now to that user, and says how many. It is done every few
   * minutes anyhow: call it when your app has made a user who may have bought before.
   */
  readonly linkWaiting: () => Promise<number>
  /** Applies recorded deliveries again, for example after an upgrade. What is known already changes nothing. */
  readonly replay: (query?: ReplayQuery) => Promise<ReplayReport>
  /**
   * Makes what is stored of the user equal to what Polar's API says now: for a buyer who is back from a checkout before its
   * webhook, or for support.
   */
  readonly reconcile: (userId: string, options?: { readonly dryRun?: boolean | undefined }) => Promise<ReconcileCounts>
  /**
   * The same for all users. Also reports when Polar has disabled the webhook endpoint, and asks Polar for events that it
   * could not deliver. One process at a time does it.
   */
  readonly reconcileAll: (options?: {
    /** Only subscriptions that Polar has changed since. */
    readonly since?: Date | undefined
    /** Look and report, and change nothing. */
    readonly dryRun?: boolean | undefined
  }) => Promise<ReconcileReport>
  /**
   * Receives a delivery: to mount by itself, before any middleware that parses bodies. Never rejects.
   */
  readonly webhook: (request: Request) => Promise<Response>
  /**
   * The same for a server of `node:http`, Express or another on Node, and faster there: `createServer(billing.webhookListener)`,
   * `app.post("/polar/webhook", billing.webhookListener)`. Before any middleware that parses bodies.
   */
  readonly webhookListener: (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>
  /** Lets callbacks under way finish and closes what was opened. The host's database stays open. */
  readonly dispose: () => Promise<void>
}

/** What a host's plugin context gains. */
export type PolarPluginContext = { readonly polar: PolarBilling }

/** The plugin, which also is the billing. */
export interface Polar extends PolarBilling, AsyncDisposable {
  readonly id: "kavach-polar"
  readonly init: (context: PluginContext) => Promise<{ context: PolarPluginContext }>
}

/**
 * Makes the billing. Throws a `PolarConfigError` that names the field when the configuration cannot be used.
 *
 * In a KavachOS host the host's own database is used; elsewhere give a `store`.
 */
export const polar = (config: PolarConfig): Polar => polarWith(checkedSettings(config))

/** The same, with a configuration that was checked. */
export const polarWith = (settings: PolarSettings): Polar => {
  let engine: Engine | undefined = settings.store === undefined ? undefined : makeEngine(settings, settings.store)

  const connected = (): Engine => {
    if (engine === undefined) throw new NotConnected()
    return engine
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
          Effect.flatMap(billing.getSubscription),
          Effect.map((subscription) => Option.getOrNull(Option.map(subscription, visible)))
        )
      ),
    listSubscriptions: (userId) =>
      call((billing) => Effect.flatMap(decodeId(UserId, "userId", userId), billing.listSubscriptions)),
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
      engine === undefined ? HttpServerResponse.toWeb(notConnectedYet) : engine.answer("webhook", request),
    webhookListener: async (incoming, outgoing) => {
      if (engine === undefined) return endWith(incoming, outgoing, notConnectedYet)
      return engine.listen(incoming, outgoing)
    },
    dispose: async () => engine?.dispose()
  }

  const init = async (context: PluginContext): Promise<{ context: PolarPluginContext }> => {
    const store = settings.store ?? (await adapterFor(context.config.database.provider)).onDrizzle(context.db)
    engine = connect(engine, () => makeEngine(settings, store))
    for (const endpoint of endpointsOf(engine)) context.addEndpoint(endpoint)
    try {
      await engine.start()
    } catch (error) {
      // Tables that do not fit stay so until somebody acts, and that is best said at start. Anything else may pass: a
      // billing outage must not keep the host from starting, and the next use tries again.
      if (!(error instanceof StoreError) || error.reason === "schema") {
        await engine.dispose()
        throw error
      }
      await Effect.runPromise(Logger.withMinimumLogLevel(logAtStart(error), settings.logLevel))
    }
    return { context: { polar: billing } }
  }

  let initialized = false
  const connect = (existing: Engine | undefined, make: () => Engine): Engine => {
    if (initialized) throw new AlreadyInitialized()
    initialized = true
    return existing ?? make()
  }

  return { ...billing, id: "kavach-polar", init, [Symbol.asyncDispose]: billing.dispose }
}

const endpointsOf = (engine: Engine): ReadonlyArray<PluginEndpoint> => [
  {
    method: "POST" satisfies typeof Api.checkout.method,
    path: "/auth/polar/checkout",
    handler: (request, host) => engine.answer("checkout", request, () => host.getUser(request)),
    metadata: { description: "Creates a Polar checkout session for the signed-in user" }
  },
  {
    method: "GET" satisfies typeof Api.subscription.method,
    path: "/auth/polar/subscription",
    handler: (request, host) => engine.answer("subscription", request, () => host.getUser(request)),
    metadata: { description: "The signed-in user's current Polar subscription" }
  },
  {
    method: "POST" satisfies typeof Api.webhook.method,
    path: "/auth/polar/webhook",
    handler: (request) => engine.answer("webhook", request),
    metadata: { description: "Receives Polar's webhook deliveries" }
  }
]

const decodeId = <A>(schema: Schema.Schema<A, string>, field: string, value: string) =>
  isPlainId(value)
    ? // What every schema of an id takes, and nearly every id is.
      Effect.succeed(value as A & string)
    : Effect.mapError(
        Schema.decode(schema)(value),
        () => new InvalidRequest({ problem: `Invalid ${field}: it must be a non-empty id` })
      )

const isPlainId = (value: unknown): boolean => typeof value === "string" && /^[\w-]{1,64}$/.test(value)

const notConnectedYet = respond({ status: 503, error: "Billing is temporarily unavailable", retryAfter: 5 })

const logAtStart = (error: StoreError): Effect.Effect<void> =>
  Effect.logError(`Billing starts without its storage and will try again: ${error.message}`)
