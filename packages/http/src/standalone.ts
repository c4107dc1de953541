/**
 * `@kavach-polar/http` for apps that call `polar()` and never hear of Effect: the build makes one file of it, with Effect
 * and the adapters inside, which starts several times as fast. Drizzle and the driver stay the app's own.
 *
 * It takes no layers: a layer belongs to the app's own copy of Effect, and this one has another.
 */
import * as Either from "effect/Either"
import { type PolarConfig as ConfigWithLayers, PolarConfigError } from "./config/PolarConfig.ts"
import { checkedSettings } from "./config/settings.ts"
import { addressOf, type DatabaseConfig, storeAt } from "./host/database.ts"
import type { Polar } from "./PolarBilling.ts"

export { PolarConfigError, type PolarSubscription } from "./config/PolarConfig.ts"
export { MissingPackage, UnsupportedDatabase } from "./host/adapters.ts"
export { createKavach, InvalidDatabase, type Kavach, type KavachConfig } from "./host/createKavach.ts"
export type { DatabaseConfig } from "./host/database.ts"
export type {
  EndpointContext,
  KavachLike,
  KavachPlugin,
  PluginContext,
  PluginEndpoint
} from "./host/KavachPlugin.ts"
export type { Polar, PolarBilling } from "./PolarBilling.ts"
export { polarOf } from "./polarOf.ts"
export { AlreadyInitialized, Disposed, NotConnected } from "./runtime/lifecycleErrors.ts"

export interface PolarConfig extends Omit<ConfigWithLayers, "store" | "client"> {
  /**
   * Where subscriptions are kept, for apps without KavachOS or with a database of their own for billing. It is opened on
   * first use, and closed by `dispose()`.
   */
  readonly database?: DatabaseConfig | undefined
}

/**
 * Makes the billing. Throws a `PolarConfigError` that names the field when the configuration cannot be used.
 *
 * In a KavachOS host the host's own database is used; elsewhere give a `database`.
 */
export const polar = (config: PolarConfig): Polar => {
  const { database, ...options } = { ...config }
  for (const [field, value] of Object.entries(options)) {
    if ((field === "store" || field === "client") && value !== undefined) throw layerRefused(field)
  }
  const settings = checkedSettings({ ...options, store: database === undefined ? undefined : storeIn(database) })
  let loaded: Promise<Polar> | undefined
  return later(() => {
    loaded ??= import("./polar.ts").then(({ polarWith }) => polarWith(settings))
    return loaded
  })
}

const storeIn = (database: DatabaseConfig) =>
  storeAt(Either.getOrThrowWith(addressOf(database), (problem) => new PolarConfigError({ field: "database", problem })))

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
    createCheckout: async (...given) => (await load()).createCheckout(...given),
    getSubscription: async (userId) => (await load()).getSubscription(userId),
    listSubscriptions: async (userId) => (await load()).listSubscriptions(userId),
    orders: {
      list: async (...given) => (await load()).orders.list(...given),
      get: async (orderId) => (await load()).orders.get(orderId)
    },
    access: async (...given) => (await load()).access(...given),
    createPortalSession: async (...given) => (await load()).createPortalSession(...given),
    linkCustomer: async (...given) => (await load()).linkCustomer(...given),
    linkWaiting: async () => (await load()).linkWaiting(),
    replay: async (query) => (await load()).replay(query),
    reconcile: async (...given) => (await load()).reconcile(...given),
    reconcileAll: async (options) => (await load()).reconcileAll(options),
    webhook: async (request) => (await load()).webhook(request),
    webhookListener: async (incoming, outgoing) => (await load()).webhookListener(incoming, outgoing),
    dispose,
    [Symbol.asyncDispose]: dispose
  }
}
