/**
 * `@kavach-polar/http` for apps that call `polar()` and never hear of Effect: the build makes one file of it, with Effect
 * and the adapters inside, which starts several times as fast. Drizzle and the driver stay the app's own.
 *
 * It takes no layers: a layer belongs to the app's own copy of Effect, and this one has another.
 */
import type { CheckoutOptions } from "@kavach-polar/core/Billing"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { type PolarConfig as ConfigWithLayers, PolarConfigError } from "./config/PolarConfig.ts"
import { checkedSettings } from "./config/settings.ts"
import { storeAt } from "./host/database.ts"
import { addressOf, type DatabaseConfig } from "./host/databaseOptions.ts"
import { laterHandler } from "./host/handler.ts"
import type { Polar, PolarBilling } from "./PolarBilling.ts"
import type { NamesIn } from "./productNames.ts"

export type { PolarBodies, PolarLogger, PolarSubscription, PolarSubscriptionChange } from "./config/PolarConfig.ts"
export type { ConsoleAction, ConsoleOptions, ConsoleViewer } from "./console/ConsoleOptions.ts"
export * from "./errors.ts"
export { createKavach, type Kavach, type KavachConfig } from "./host/createKavach.ts"
export type { DatabaseConfig } from "./host/databaseOptions.ts"
export type { HostUser } from "./host/HostUser.ts"
export type { BillingHandler, HandlerOptions } from "./host/handler.ts"
export type {
  EndpointContext,
  KavachLike,
  KavachPlugin,
  PluginContext,
  PluginEndpoint
} from "./host/KavachPlugin.ts"
export type {
  BuryQuery,
  CheckoutOutcome,
  CheckoutResult,
  CreateCheckoutCall,
  DeadNotification,
  DeadNotificationQuery,
  LicenseKey,
  OpenedCheckout,
  Polar,
  PolarBilling,
  Settled,
  SubscriptionDetails
} from "./PolarBilling.ts"
export { polarOf } from "./polarOf.ts"
export type * from "./results.ts"

export interface PolarConfig extends Omit<ConfigWithLayers, "store" | "client"> {
  /**
   * Where subscriptions are kept, for apps without KavachOS or with a database of their own for billing. It is opened on
   * first use, and closed by `dispose()`.
   *
   * @example
   * polar({ accessToken, webhookSecret, database: { provider: "postgres", url: process.env["DATABASE_URL"] } })
   */
  readonly database?: DatabaseConfig | undefined
}

/**
 * Makes the billing. Throws a `PolarConfigError` that names the field when the configuration cannot be used.
 *
 * In a KavachOS host the host's own database is used; elsewhere give a `database`.
 *
 * @example
 * import { polar } from "kavach-polar"
 *
 * export const billing = polar({
 *   accessToken: process.env["POLAR_ACCESS_TOKEN"],
 *   webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
 *   database: { provider: "postgres", url: process.env["DATABASE_URL"] }
 * })
 */
export const polar = <const Sold extends PolarConfig["products"] = undefined>(
  config: PolarConfig & { readonly products?: Sold }
): Polar<NamesIn<Sold>> => {
  const { database, ...options } = { ...config }
  for (const [field, value] of Object.entries(options)) {
    if ((field === "store" || field === "client") && value !== undefined) throw layerRefused(field)
  }
  const { missing, store } =
    database === undefined ? { missing: undefined, store: undefined } : storeIn(database, options.users)
  const checked = checkedSettings({ ...options, store })
  const settings = { ...checked, missing: checked.missing ?? missing }
  let loaded: Promise<Polar> | undefined
  // It takes any text; which names there are is for the compiler.
  return later(() => {
    loaded ??= import("./polar.ts").then(({ polarWith }) => polarWith(settings))
    return loaded
  }) as unknown as Polar<NamesIn<Sold>>
}

const storeIn = (database: DatabaseConfig, users: PolarConfig["users"]) =>
  Either.match(addressOf(database), {
    onRight: (address) => ({ missing: undefined, store: storeAt(address, { users: users ?? "ifThere" }) }),
    onLeft: ({ isMissing, option, problem }) => {
      const error = new PolarConfigError({ field: option === "" ? "database" : `database.${option}`, problem })
      if (!isMissing) throw error
      return { missing: error, store: Layer.fail(error) }
    }
  })

const layerRefused = (field: "store" | "client") =>
  new PolarConfigError({
    field,
    problem: `a layer belongs to your own copy of Effect, and this polar() has another: import polar from "@kavach-polar/http"`
  })

/** The same billing, loaded by its first call: most of the code is of no use before. */
const later = (load: () => Promise<Polar>): Polar => {
  const dispose = async () => (await load()).dispose()
  return {
    id: "kavach-polar",
    init: async (context) => (await load()).init(context),
    // Overloads cannot be passed on by a rest parameter.
    createCheckout: (async (userId: string, product: string, options: CheckoutOptions) =>
      (await load()).createCheckout(userId, product, options)) as PolarBilling["createCheckout"],
    getSubscription: async (userId) => (await load()).getSubscription(userId),
    listSubscriptions: async (userId) => (await load()).listSubscriptions(userId),
    checkouts: {
      get: async (...given) => (await load()).checkouts.get(...given),
      complete: async (...given) => (await load()).checkouts.complete(...given)
    },
    subscriptions: {
      change: async (...given) => (await load()).subscriptions.change(...given),
      preview: async (...given) => (await load()).subscriptions.preview(...given),
      cancel: async (...given) => (await load()).subscriptions.cancel(...given),
      uncancel: async (...given) => (await load()).subscriptions.uncancel(...given),
      revoke: async (...given) => (await load()).subscriptions.revoke(...given),
      pause: async (...given) => (await load()).subscriptions.pause(...given),
      resume: async (...given) => (await load()).subscriptions.resume(...given),
      extendTrial: async (...given) => (await load()).subscriptions.extendTrial(...given),
      endTrial: async (...given) => (await load()).subscriptions.endTrial(...given),
      applyDiscount: async (...given) => (await load()).subscriptions.applyDiscount(...given),
      undoPending: async (...given) => (await load()).subscriptions.undoPending(...given)
    },
    portal: {
      url: async (...given) => (await load()).portal.url(...given)
    },
    products: {
      get: async (idOrKey) => (await load()).products.get(idOrKey),
      list: async () => (await load()).products.list()
    },
    orders: {
      list: async (...given) => (await load()).orders.list(...given),
      owns: async (...given) => (await load()).orders.owns(...given),
      get: async (orderId) => (await load()).orders.get(orderId),
      invoice: async (...given) => (await load()).orders.invoice(...given),
      receipt: async (...given) => (await load()).orders.receipt(...given),
      refund: async (...given) => (await load()).orders.refund(...given)
    },
    benefits: {
      has: async (...given) => (await load()).benefits.has(...given),
      get: async (...given) => (await load()).benefits.get(...given),
      list: async (userId) => (await load()).benefits.list(userId)
    },
    licenseKeys: {
      list: async (userId) => (await load()).licenseKeys.list(userId),
      validate: async (...given) => (await load()).licenseKeys.validate(...given),
      activate: async (...given) => (await load()).licenseKeys.activate(...given),
      deactivate: async (...given) => (await load()).licenseKeys.deactivate(...given)
    },
    access: async (...given) => (await load()).access(...given),
    createPortalSession: async (...given) => (await load()).createPortalSession(...given),
    customers: {
      waiting: async (options) => (await load()).customers.waiting(options),
      of: async (userId) => (await load()).customers.of(userId),
      timeline: async (...given) => (await load()).customers.timeline(...given),
      link: async (...given) => (await load()).customers.link(...given),
      move: async (...given) => (await load()).customers.move(...given),
      unlink: async (...given) => (await load()).customers.unlink(...given)
    },
    health: async () => (await load()).health(),
    privacy: {
      export: async (userId) => (await load()).privacy.export(userId),
      erase: async (...given) => (await load()).privacy.erase(...given),
      erasures: async () => (await load()).privacy.erasures(),
      resume: async () => (await load()).privacy.resume()
    },
    linkCustomer: async (...given) => (await load()).linkCustomer(...given),
    linkWaiting: async () => (await load()).linkWaiting(),
    replay: async (...given) => (await load()).replay(...given),
    reconcile: async (...given) => (await load()).reconcile(...given),
    reconcileAll: async (options) => (await load()).reconcileAll(options),
    notifications: {
      dead: async (query) => (await load()).notifications.dead(query),
      retry: async (query) => (await load()).notifications.retry(query),
      bury: async (query) => (await load()).notifications.bury(query)
    },
    settled: async () => (await load()).settled(),
    start: async () => (await load()).start(),
    handler: (options) => laterHandler(options, load),
    console: async (request, options) => (await load()).console(request, options),
    webhook: async (request, options) => (await load()).webhook(request, options),
    webhookListener: async (incoming, outgoing) => (await load()).webhookListener(incoming, outgoing),
    dispose,
    [Symbol.asyncDispose]: dispose
  }
}
