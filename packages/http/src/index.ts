export { type PolarConfig, PolarConfigError, type PolarSubscription } from "./config/PolarConfig.ts"
export { MissingPackage, UnsupportedDatabase } from "./host/adapters.ts"
export { createKavach, InvalidDatabase, type Kavach, type KavachConfig } from "./host/createKavach.ts"
export type {
  EndpointContext,
  KavachLike,
  KavachPlugin,
  PluginContext,
  PluginEndpoint
} from "./host/KavachPlugin.ts"
export { AlreadyInitialized, NotConnected, type Polar, type PolarBilling, polar, polarOf } from "./polar.ts"
export { Disposed } from "./runtime/lifecycleErrors.ts"
