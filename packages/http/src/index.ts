export { MissingPackage, UnsupportedDatabase } from "./Adapters.ts"
export { createKavach, InvalidDatabase, type Kavach, type KavachConfig } from "./createKavach.ts"
export { Disposed } from "./Engine.ts"
export type {
  EndpointContext,
  KavachLike,
  KavachPlugin,
  PluginContext,
  PluginEndpoint
} from "./KavachPlugin.ts"
export { type PolarConfig, PolarConfigError, type PolarSubscription } from "./PolarConfig.ts"
export { AlreadyInitialized, NotConnected, type Polar, type PolarBilling, polar, polarOf } from "./polar.ts"
