/** `polar()`: billing for people who write promises, and the KavachOS plugin. */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import {
  type BillingService,
  type CheckoutOptions,
  type DocumentOptions,
  type Subscriptions,
  withoutDatabase
} from "@kavach-polar/core/Billing"
import { causeLine } from "@kavach-polar/core/logText"
import * as Options from "@kavach-polar/core/Options"
import { StoreError } from "@kavach-polar/core/StoreError"
import { CheckoutId, CustomerId, OrderId, ProductId, type Subscription, UserId } from "@kavach-polar/core/Subscription"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type PolarConfig, PolarConfigError } from "./config/PolarConfig.ts"
import { checkedSettings, type PolarSettings } from "./config/settings.ts"
import { type ConsoleOptions, checkConsoleOptions } from "./console/ConsoleOptions.ts"
import { adapterFor } from "./host/adapters.ts"
import { checkHandlerOptions, makeHandler } from "./host/handler.ts"
import type { PluginContext } from "./host/KavachPlugin.ts"
import { pluginEndpoints } from "./host/pluginEndpoints.ts"
import { sendResponse } from "./node/answer.ts"
import type { CheckoutOutcome, Polar, PolarBilling, PolarPluginContext, Settled } from "./PolarBilling.ts"
import type { NamesIn } from "./productNames.ts"
import { warnOfAnyProduct } from "./routes/anyProduct.ts"
import { InvalidRequest, respondWith } from "./routes/errorResponse.ts"
import { isPolarId } from "./routes/polarId.ts"
import { belowOrigin, checkRedirectUrl, originOf } from "./routes/redirectUrl.ts"
import { userIdOf } from "./routes/userId.ts"
import { AlreadyInitialized, NotConnected } from "./runtime/lifecycleErrors.ts"
import { loggingLayer } from "./runtime/logging.ts"
import { plainSubscription as plain } from "./runtime/plainSubscription.ts"
import { makeRuntime, type Runtime } from "./runtime/Runtime.ts"

export type { CheckoutOutcome, Polar, PolarBilling } from "./PolarBilling.ts"
export { polarOf } from "./polarOf.ts"

/**
 * Makes the billing. Throws a `PolarConfigError` that names the field when the configuration can never be right. What is
 * missing, such as a secret while a build imports the app, is told in the same words by the first use.
 *
 * In a KavachOS host the host's own database is used; elsewhere give a `store`.
 *
 * @example
 * import { PostgresStore } from "@kavach-polar/adapter-postgres"
 * import { polar } from "@kavach-polar/http"
 *
 * export const billing = polar({
 *   accessToken: process.env["POLAR_ACCESS_TOKEN"],
 *   webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
 *   store: PostgresStore.layer({ url: process.env["DATABASE_URL"] ?? "" }),
 *   logger: console
 * })
 */
export const polar = <const Sold extends PolarConfig["products"] = undefined>(
  config: PolarConfig & { readonly products?: Sold }
): Polar<NamesIn<Sold>> => {
  const settings = checkedSettings(config)
  if (settings.store !== undefined && settings.users !== undefined) {
    throw new PolarConfigError({ field: "users", problem: "the store has it: give it to the store's layer" })
  }
  // It takes any text; which names there are is for the compiler.
  return polarWith(settings) as unknown as Polar<NamesIn<Sold>>
}

/** The same, with a configuration that was checked. */
export const polarWith = (settings: PolarSettings): Polar => {
  let runtime: Runtime | undefined = settings.store === undefined ? undefined : makeRuntime(settings, settings.store)

  const connected = (): Runtime => {
    if (settings.missing !== undefined) throw settings.missing
    if (runtime === undefined) throw new NotConnected()
    return runtime
  }

  const call = async <A, E>(use: (billing: BillingService) => Effect.Effect<A, E>): Promise<A> => connected().run(use)

  /** The host's own origin, where it says one. */
  let hostOrigin: string | undefined

  /**
   * The app's own code names the address, so any is taken unless trusted origins are configured; what a browser sent it must
   * not pass on unseen. A path is one of the app's own.
   */
  const redirectUrl = (field: string, url: string | undefined) =>
    url === undefined
      ? Effect.succeed(undefined)
      : checkRedirectUrl(field, belowOrigin(url, settings.trustedOrigins?.[0] ?? hostOrigin), settings.trustedOrigins)

  /** A change of a subscription, which it then is. */
  const changed = <E>(
    userId: string,
    change: (user: UserId, subscriptions: Subscriptions) => Effect.Effect<Subscription, E>
  ) =>
    call((billing) =>
      decodeUserId(userId).pipe(
        Effect.flatMap((user) => change(user, billing.subscriptions)),
        Effect.map(plain)
      )
    )

  const answer: Runtime["answer"] = async (...given) =>
    runtime === undefined ? HttpServerResponse.toWeb(notConnectedYet) : runtime.answer(...given)

  const logFailure = (what: string, error: unknown): void => {
    Effect.runFork(Effect.provide(Effect.logError(what, causeLine(Cause.die(error))), loggingLayer(settings)))
  }
  const createCheckout = (
    userId: string,
    product: string | ReadonlyArray<string>,
    options: CheckoutOptions = {}
  ): Promise<CheckoutOutcome> =>
    call((billing) =>
      Effect.gen(function* () {
        const outcome = yield* billing.createCheckout(
          yield* decodeUserId(userId),
          typeof product === "string"
            ? yield* decodeId(ProductId, "productId", product)
            : yield* Effect.forEach(product, (one, index) => decodeId(ProductId, `productId.${index}`, one)),
          {
            ...options,
            successUrl: yield* redirectUrl("successUrl", options.successUrl),
            returnUrl: yield* redirectUrl("returnUrl", options.returnUrl)
          }
        )
        return outcome.outcome === "changed"
          ? { outcome: "changed", subscription: plain(outcome.subscription) }
          : outcome
      })
    )

  /** Loaded by the first who asks for it: no other process needs its pages. */
  const consoleHost = async () => {
    const [{ consoleHandler }, { csrfKeyOf }] = await Promise.all([
      import("./console/consoleHandler.ts"),
      import("./console/csrfToken.ts")
    ])
    const secrets = [...settings.webhookSecrets, ...(settings.accessToken === undefined ? [] : [settings.accessToken])]
    const host = { run: call, csrfKey: csrfKeyOf(secrets), logFailure }
    return { handle: (request: Request, options: ConsoleOptions) => consoleHandler(host, request, options) }
  }

  const billing: PolarBilling = {
    // What comes of it, `ifSubscribed` says: `CreateCheckoutCall` has each in its type.
    createCheckout: createCheckout as PolarBilling["createCheckout"],
    getSubscription: (userId) =>
      call((billing) =>
        decodeUserId(userId).pipe(Effect.flatMap(billing.currentSubscription), Effect.map(Option.getOrNull))
      ),
    listSubscriptions: (userId) =>
      call((billing) =>
        decodeUserId(userId).pipe(
          Effect.flatMap(billing.listSubscriptions),
          Effect.map((subscriptions) => subscriptions.map(plain))
        )
      ),
    checkouts: {
      get: (checkoutId, options) =>
        call((billing) =>
          Effect.flatMap(decodeId(CheckoutId, "checkoutId", checkoutId), (id) => billing.checkouts.get(id, options))
        ),
      complete: (userId, checkoutId, options) =>
        call((billing) =>
          Effect.gen(function* () {
            const user = yield* decodeUserId(userId)
            const id = yield* decodeId(CheckoutId, "checkoutId", checkoutId)
            if (options !== undefined) checkCompleteOptions(options)
            const wait = options?.waitSeconds === undefined ? undefined : Duration.seconds(options.waitSeconds)
            const result = yield* billing.checkouts.complete(user, id, { wait })
            return { ...result, subscription: result.subscription === null ? null : plain(result.subscription) }
          })
        )
    },
    subscriptions: {
      change: (userId, options) => changed(userId, (user, { change }) => change(user, options)),
      preview: (userId, options) =>
        call((billing) => Effect.flatMap(decodeUserId(userId), (user) => billing.subscriptions.preview(user, options))),
      cancel: (userId, options) => changed(userId, (user, { cancel }) => cancel(user, options)),
      uncancel: (userId, options) => changed(userId, (user, { uncancel }) => uncancel(user, options)),
      revoke: (userId, options) => changed(userId, (user, { revoke }) => revoke(user, options)),
      pause: (userId, options) => changed(userId, (user, { pause }) => pause(user, options)),
      resume: (userId, options) => changed(userId, (user, { resume }) => resume(user, options)),
      extendTrial: (userId, until, options) =>
        changed(userId, (user, { extendTrial }) => extendTrial(user, until, options)),
      endTrial: (userId, options) => changed(userId, (user, { endTrial }) => endTrial(user, options)),
      applyDiscount: (userId, codeOrId, options) =>
        changed(userId, (user, { applyDiscount }) => applyDiscount(user, codeOrId, options)),
      undoPending: (userId, options) => changed(userId, (user, { undoPending }) => undoPending(user, options))
    },
    portal: {
      url: (userId, options = {}) =>
        call((billing) =>
          Effect.gen(function* () {
            return yield* billing.portal.url(yield* decodeUserId(userId), {
              ...options,
              returnUrl: yield* redirectUrl("returnUrl", options.returnUrl)
            })
          })
        )
    },
    products: {
      get: (idOrKey) =>
        call((billing) =>
          decodeId(Schema.NonEmptyString, "idOrKey", idOrKey).pipe(
            Effect.flatMap(billing.products.get),
            Effect.map(Option.getOrNull)
          )
        ),
      list: () => call((billing) => billing.products.list)
    },
    orders: {
      list: (userId, query) =>
        call((billing) => Effect.flatMap(decodeUserId(userId), (user) => billing.orders.list(user, query))),
      owns: (userId, productId) =>
        call((billing) =>
          Effect.flatMap(decodeId(UserId, "userId", userId), (user) =>
            Effect.flatMap(decodeId(ProductId, "productId", productId), (product) => billing.orders.owns(user, product))
          )
        ),
      get: (orderId) =>
        call((billing) =>
          decodeId(OrderId, "orderId", orderId).pipe(Effect.flatMap(billing.orders.get), Effect.map(Option.getOrNull))
        ),
      invoice: (orderId, options) =>
        call((billing) => Effect.flatMap(ofOrder(orderId, options), (asked) => billing.orders.invoice(...asked))),
      receipt: (orderId, options) =>
        call((billing) => Effect.flatMap(ofOrder(orderId, options), (asked) => billing.orders.receipt(...asked))),
      refund: (orderId, options) =>
        call((billing) =>
          Effect.flatMap(decodeId(OrderId, "orderId", orderId), (id) => billing.orders.refund(id, options))
        )
    },
    benefits: {
      has: (userId, key) =>
        call((billing) =>
          Effect.flatMap(decodeId(UserId, "userId", userId), (user) => billing.benefits.has(user, key))
        ),
      get: (userId, key) =>
        call((billing) =>
          decodeId(UserId, "userId", userId).pipe(
            Effect.flatMap((user) => billing.benefits.get(user, key)),
            Effect.map(Option.getOrNull)
          )
        ),
      list: (userId) => call((billing) => Effect.flatMap(decodeId(UserId, "userId", userId), billing.benefits.list))
    },
    licenseKeys: {
      list: (userId) =>
        call((billing) =>
          Effect.flatMap(decodeId(UserId, "userId", userId), billing.licenseKeys.list).pipe(
            Effect.map((keys) =>
              keys.map((one) => ({ ...one, key: one.key === null ? null : Redacted.value(one.key) }))
            )
          )
        ),
      validate: (key, options) =>
        call((billing) => Effect.flatMap(secretOf(key), (secret) => billing.licenseKeys.validate(secret, options))),
      activate: (key, options) =>
        call((billing) => Effect.flatMap(secretOf(key), (secret) => billing.licenseKeys.activate(secret, options))),
      deactivate: (key, activationId) =>
        call((billing) =>
          Effect.flatMap(secretOf(key), (secret) => billing.licenseKeys.deactivate(secret, activationId))
        )
    },
    access: (userId, options) =>
      call((billing) => Effect.flatMap(decodeUserId(userId), (user) => billing.access(user, options))),
    createPortalSession: (userId, options = {}) =>
      call((billing) =>
        Effect.gen(function* () {
          const session = yield* billing.createPortalSession(yield* decodeUserId(userId), {
            ...options,
            returnUrl: yield* redirectUrl("returnUrl", options.returnUrl)
          })
          return { url: session.customerPortalUrl, expiresAt: session.expiresAt }
        })
      ),
    customers: {
      waiting: (options) => call((billing) => billing.customers.waiting(options)),
      of: (userId) => call((billing) => Effect.flatMap(decodeUserId(userId), billing.customers.of)),
      timeline: (query, options) =>
        call((billing) =>
          Effect.flatMap(decodeId(Schema.NonEmptyString, "query", query), (text) =>
            billing.customers.timeline(text, options)
          )
        ),
      link: (userId, customerId, options) =>
        call((billing) =>
          Effect.gen(function* () {
            const user = yield* decodeUserId(userId)
            return yield* billing.customers.link(
              user,
              yield* decodePolarId(CustomerId, "customerId", customerId),
              options
            )
          })
        ),
      move: (id, options) =>
        call((billing) =>
          Effect.gen(function* () {
            const moved = yield* decodeId(Schema.NonEmptyString, "id", id)
            return yield* billing.customers.move(moved, { ...options, to: yield* decodeUserId(options.to) })
          })
        ),
      unlink: (customerId, options) =>
        call((billing) =>
          Effect.flatMap(decodeId(CustomerId, "customerId", customerId), (id) => billing.customers.unlink(id, options))
        )
    },
    health: () =>
      call((billing) => billing.health).catch((error: unknown) => {
        // It has not started, because its tables cannot be looked at.
        if (error instanceof StoreError) return withoutDatabase(error.reason)
        throw error
      }),
    privacy: {
      export: (userId) => call((billing) => Effect.flatMap(decodeUserId(userId), billing.privacy.export)),
      erase: (userId, options) =>
        call((billing) => Effect.flatMap(decodeUserId(userId), (id) => billing.privacy.erase(id, options))),
      erasures: () => call((billing) => billing.privacy.erasures),
      resume: () => call((billing) => billing.privacy.resume)
    },
    linkCustomer: (userId, customerId) =>
      call((billing) =>
        Effect.gen(function* () {
          yield* billing.linkCustomer(
            yield* decodeUserId(userId),
            yield* decodePolarId(CustomerId, "customerId", customerId)
          )
        })
      ),
    linkWaiting: () => call((billing) => billing.linkWaiting),
    replay: (query = {}, options) =>
      call((billing) => {
        if (options !== undefined) checkReplayOptions(options)
        return billing.replay(query, options)
      }),
    reconcile: (userId, options) =>
      call((billing) =>
        Effect.gen(function* () {
          if (options !== undefined) checkReconcileOptions(options)
          const { dryRun, timeoutSeconds } = options ?? {}
          const timeout = timeoutSeconds === undefined ? undefined : Duration.seconds(timeoutSeconds)
          return yield* billing.reconcile(yield* decodeUserId(userId), { dryRun, timeout })
        })
      ),
    reconcileAll: (options) => call((billing) => billing.reconcileAll(options)),
    notifications: {
      dead: (query) => call((billing) => billing.notifications.dead(query)),
      retry: (query) => call((billing) => billing.notifications.retry(query)),
      bury: (query) => call((billing) => billing.notifications.bury(query))
    },
    settled: () => call((billing) => Effect.map(billing.settled, ({ dead, waiting }): Settled => ({ waiting, dead }))),
    start: async () => {
      const connection = connected()
      try {
        await connection.start()
      } catch (error) {
        connection.keepStarting()
        throw error
      }
    },
    handler: (options) => {
      checkHandlerOptions(options)
      return makeHandler(options, { answer, logFailure, routes: settings.routes })
    },
    console: async (request, options) => {
      checkConsoleOptions(options)
      const host = await consoleHost()
      return host.handle(request, options ?? {})
    },
    webhook: (request, options) =>
      answer("webhook", request, { getUser: async () => null, waitUntil: options?.waitUntil }),
    webhookListener: async (incoming, outgoing) => {
      if (runtime === undefined) return sendResponse(incoming, outgoing, notConnectedYet)
      return runtime.listen(incoming, outgoing)
    },
    dispose: async () => runtime?.dispose()
  }

  const init = async (context: PluginContext): Promise<{ context: PolarPluginContext }> => {
    if (settings.missing !== undefined) throw settings.missing
    const store =
      settings.store ??
      (await adapterFor(context.config.database.provider)).onClient(context.db, { users: settings.users })
    runtime = connect(runtime, () => makeRuntime(settings, store))
    hostOrigin = context.config.baseUrl === undefined ? undefined : originOf(context.config.baseUrl)
    Effect.runFork(Effect.provide(warnOfAnyProduct(settings.products), loggingLayer(settings)))
    for (const endpoint of pluginEndpoints(runtime, { origin: hostOrigin, routes: settings.routes }))
      context.addEndpoint(endpoint)
    try {
      await runtime.start()
    } catch (error) {
      // Sign-in must not go down with billing: the host starts, and every call of billing tries again, and fails with this.
      // What is no failure of storage is a mistake in the program or its configuration, which is best said at once.
      if (!(error instanceof StoreError)) {
        await runtime.dispose()
        throw error
      }
      await Effect.runPromise(Effect.provide(logAtStart(error), loggingLayer(settings)))
      runtime.keepStarting()
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

const checkReplayOptions = Options.optionsCheck(
  "replay()",
  Schema.Struct({ dryRun: Options.optional(Options.boolean), tellAgain: Options.optional(Options.boolean) })
)

/** Calls whose options have a time: a number with its unit here, and a duration in the core. */
const checkReconcileOptions = Options.optionsCheck(
  "reconcile()",
  Schema.Struct({
    dryRun: Options.optional(Options.boolean),
    timeoutSeconds: Options.optional(Options.numberBetween(0.1, 600, "a number of seconds"))
  })
)

const checkCompleteOptions = Options.optionsCheck(
  "checkouts.complete()",
  Schema.Struct({ waitSeconds: Options.optional(Options.numberBetween(0, 30, "a number of seconds")) })
)

const decodeUserId = (value: string) => decodeId(UserId, "userId", userIdOf(value) as string)

/** A license key, which is in no message, also where it is none. */
const secretOf = (key: string) =>
  typeof key === "string"
    ? Effect.succeed(Redacted.make(key))
    : Effect.fail(new InvalidRequest({ problem: "Invalid key: it must be text" }))

/** An order, and for whom it is asked, where that is said. */
const ofOrder = (orderId: string, options: DocumentOptions | undefined) =>
  Effect.gen(function* () {
    const id = yield* decodeId(OrderId, "orderId", orderId)
    return options?.userId === undefined
      ? ([id, options] as const)
      : ([id, { ...options, userId: yield* decodeUserId(options.userId) }] as const)
  })

const decodeId = <A>(schema: Schema.Schema<A, string>, field: string, value: string) =>
  isPlainId(value)
    ? // What every schema of an id takes, and nearly every id is.
      Effect.succeed(value as A & string)
    : Effect.mapError(
        Schema.decode(schema)(value),
        () => new InvalidRequest({ problem: `Invalid ${field}: it must be a non-empty id` })
      )

/** An id that Polar made, which is a UUID: with any other one nothing would ever be found. */
const decodePolarId = <A>(schema: Schema.Schema<A, string>, field: string, value: string) =>
  isPolarId(value)
    ? decodeId(schema, field, value.toLowerCase())
    : Effect.fail(
        new InvalidRequest({
          problem: `Invalid ${field}: it must be an id of Polar's, a UUID, as its dashboard shows it`
        })
      )

const isPlainId = (value: unknown): boolean => typeof value === "string" && /^[\w-]{1,64}$/.test(value)

const notConnectedYet = respondWith({ status: 503, error: "Billing is temporarily unavailable", retryAfter: 5 })

const logAtStart = (error: StoreError): Effect.Effect<void> =>
  error.reason === "schema"
    ? // It stays so until somebody acts.
      Effect.logFatal(`BILLING DOES NOT WORK, and answers 503 until this is put right. ${error.message}`)
    : Effect.logError(`Billing starts without its storage and will try again: ${error.message}`)
