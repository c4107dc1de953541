/** From a host to its billing. */
import type { KavachLike } from "./host/KavachPlugin.ts"
import type { PolarBilling, PolarPluginContext } from "./PolarBilling.ts"

/**
 * The billing of a host that has the plugin: a typed way to `kavach.plugins.getContext().polar`.
 *
 * @example
 * const kavach = await createKavach({ database, plugins: [polar({ accessToken, webhookSecret })] })
 * await polarOf(kavach).access("user_1")
 */
export const polarOf = (kavach: KavachLike): PolarBilling => {
  const context = kavach.plugins.getContext()
  if (!hasPolar(context)) {
    throw new TypeError("This host has no polar() plugin: add it to createKavach({ plugins: [polar({ ... })] }).")
  }
  return context.polar
}

const hasPolar = (context: object): context is PolarPluginContext =>
  "polar" in context &&
  typeof context.polar === "object" &&
  context.polar !== null &&
  "createCheckout" in context.polar &&
  "getSubscription" in context.polar
