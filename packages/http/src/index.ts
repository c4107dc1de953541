export { MissingPackage, UnsupportedDatabase } from "./Adapters.ts"
export { createKavach, InvalidDatabase, type Kavach, type KavachConfig } from "./createKavach.ts"
export type {
  EndpointContext,
  KavachLike,
  KavachPlugin,
  PluginContext,
  PluginEndpoint
} from "./KavachPlugin.ts"
export { Disposed } from "./LifecycleErrors.ts"
export { type PolarConfig, PolarConfigError, type PolarSubscription } from "./PolarConfig.ts"
export { AlreadyInitialized, NotConnected, type Polar, type PolarBilling, polar, polarOf } from "./polar.ts"
