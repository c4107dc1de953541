export type {
  PolarBodies,
  PolarConfig,
  PolarLogger,
  PolarSubscription,
  PolarSubscriptionChange
} from "./config/PolarConfig.ts"
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
  Settled,
  SubscriptionDetails
} from "./PolarBilling.ts"
export { type Polar, type PolarBilling, polar, polarOf } from "./polar.ts"
export type * from "./results.ts"
