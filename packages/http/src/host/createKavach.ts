/**
 * A small host of the same shape as KavachOS: for apps that want the plugin and have sessions of their own, and for the
 * demo and the tests.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { SessionUser } from "../routes/Session.ts"
import { addressOf, type DatabaseConfig, type HostDatabase, openDatabase } from "./database.ts"
import type { KavachPlugin, PluginContext, PluginEndpoint } from "./KavachPlugin.ts"
import { route } from "./router.ts"

export type { DatabaseConfig } from "./database.ts"

export interface KavachConfig<Plugins extends ReadonlyArray<KavachPlugin>> {
  readonly database: DatabaseConfig
  readonly plugins: Plugins
  /** Who is signed in, by your own sessions. Default: nobody. */
  readonly getUser?: ((request: Request) => Promise<SessionUser | null> | SessionUser | null) | undefined
}

/** What the plugins add to the host, all together. */
export type PluginsContext<Plugins extends ReadonlyArray<KavachPlugin>> = Extract<
  UnionToIntersection<object | { [Index in keyof Plugins]: ContextOf<Plugins[Index]> }[number]>,
  object
>

type ContextOf<Plugin> = Plugin extends { readonly init: (context: PluginContext) => Promise<infer Result> }
  ? NonNullable<Result> extends { context: infer Context }
    ? Context
    : object
  : object

type UnionToIntersection<Union> = (Union extends unknown ? (member: Union) => void : never) extends (
  member: infer Intersection
) => void
  ? Intersection
  : never

export interface PluginRunner<Context> {
  /** Answers a request for one of the plugins' endpoints, or gives `null`. Never rejects. `basePath` as in `/api/kavach`. */
  readonly handleRequest: (request: Request, basePath?: string) => Promise<Response | null>
  readonly getEndpoints: () => ReadonlyArray<PluginEndpoint>
  /** What the plugins added. */
  readonly getContext: () => Context
}

export interface Kavach<Context> extends AsyncDisposable {
  /** The drizzle database. */
  readonly db: unknown
  readonly plugins: PluginRunner<Context> & Context
  /** Disposes of the plugins, then closes the database. */
  readonly close: () => Promise<void>
}

/** The database cannot be opened. */
export class InvalidDatabase extends Schema.TaggedError<InvalidDatabase>()("InvalidDatabase", {
  problem: Schema.String
}) {
  override get message(): string {
    return `createKavach(): database: ${this.problem}`
  }
}

/** Opens the database, starts the plugins one after the other, and rejects if one of them does. */
export const createKavach = async <const Plugins extends ReadonlyArray<KavachPlugin>>(
  config: KavachConfig<Plugins>
): Promise<Kavach<PluginsContext<Plugins>>> => {
  const address = Either.getOrThrowWith(addressOf(config.database), (problem) => new InvalidDatabase({ problem }))
  const database = await openDatabase(address)
  const endpoints: Array<PluginEndpoint> = []
  const added = {}
  const started: Array<KavachPlugin> = []

  const shutDown = async () => {
    try {
      for (const plugin of [...started].reverse()) {
        if (isDisposable(plugin)) await plugin.dispose()
      }
    } finally {
      await database.close()
    }
  }
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= shutDown()
    return closing
  }

  try {
    for (const plugin of config.plugins) {
      const result = await plugin.init?.(contextOf(address.provider, database, endpoints))
      // Only now: one that refuses to start, because it already belongs to another host, is that host's to dispose of.
      started.push(plugin)
      Object.assign(added, result?.context)
    }
  } catch (error) {
    await close()
    throw error
  }

  // The plugins' types say what their contexts hold; that it is all there was seen to by the loop above.
  const context = added as PluginsContext<Plugins>
  const getUser = async (request: Request) => (await config.getUser?.(request)) ?? null
  const runner: PluginRunner<PluginsContext<Plugins>> = {
    handleRequest: (request, basePath = "") => route(endpoints, request, basePath, { getUser }),
    getEndpoints: () => [...endpoints],
    getContext: () => ({ ...context })
  }
  return { db: database.db, plugins: { ...context, ...runner }, close, [Symbol.asyncDispose]: close }
}

const contextOf = (
  provider: DatabaseConfig["provider"],
  database: HostDatabase,
  endpoints: Array<PluginEndpoint>
): PluginContext => ({
  db: database.db,
  config: { database: { provider } },
  addEndpoint: (endpoint) => {
    endpoints.push(endpoint)
  }
})

const isDisposable = (plugin: object): plugin is { readonly dispose: () => Promise<void> } =>
  "dispose" in plugin && typeof plugin.dispose === "function"
