/**
 * A small host of the same shape as KavachOS: for apps that want the plugin and have sessions of their own, and for the
 * demo and the tests.
 */
import * as Options from "@kavach-polar/core/Options"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { SessionUser, WaitUntil } from "../routes/Session.ts"
import { UnsupportedDatabase } from "./adapters.ts"
import { type HostDatabase, openDatabase } from "./database.ts"
import { addressOf, type DatabaseConfig, described } from "./databaseOptions.ts"
import { type HostUser, withTextId } from "./HostUser.ts"
import type { KavachPlugin, PluginContext, PluginEndpoint } from "./KavachPlugin.ts"
import { logFailure, route } from "./router.ts"

export type { DatabaseConfig } from "./databaseOptions.ts"

export interface KavachConfig<Plugins extends ReadonlyArray<KavachPlugin>> {
  /**
   * @example
   * await createKavach({ database: { provider: "sqlite", url: "app.sqlite" }, plugins: [] })
   */
  readonly database: DatabaseConfig
  /**
   * @example
   * await createKavach({ database, plugins: [polar({ accessToken, webhookSecret })] })
   */
  readonly plugins: Plugins
  /**
   * Where the app is, such as `https://app.example.com`. Default: where each request came to.
   *
   * @example
   * await createKavach({ database, plugins: [], baseUrl: "https://app.example.com" })
   */
  readonly baseUrl?: string | undefined
  /**
   * Who is signed in, by your own sessions. Default: nobody.
   *
   * @example
   * await createKavach({ database, plugins: [], getUser: (request) => ({ id: request.headers.get("x-user") ?? "" }) })
   */
  readonly getUser?: ((request: Request) => Promise<HostUser | null> | HostUser | null) | undefined
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
  readonly handleRequest: (
    request: Request,
    basePath?: string,
    /** `waitUntil`: of a platform that stops the process after the answer; callbacks are handed to it. */
    options?: { readonly waitUntil?: WaitUntil | undefined }
  ) => Promise<Response | null>
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

const kavachOptions: Schema.Schema<Options.Given<KavachConfig<ReadonlyArray<KavachPlugin>>>> = Schema.Struct({
  // Looked into by itself.
  database: Options.optional(Options.foreign<DatabaseConfig>("it must be an object")),
  plugins: Options.optional(
    Options.said(Schema.Array(Options.foreign<KavachPlugin>("it must be a plugin")), "it must be a list of plugins")
  ),
  baseUrl: Options.optional(Options.anyText),
  getUser: Options.optional(Options.callback<NonNullable<KavachConfig<[]>["getUser"]>>())
})

const checkOptions = Options.optionsCheck("createKavach()", kavachOptions)

/**
 * Opens the database, starts the plugins one after the other, and rejects if one of them does.
 *
 * @example
 * const kavach = await createKavach({ database, plugins: [polar({ accessToken, webhookSecret })] })
 * await kavach.plugins.handleRequest(request, "/api/kavach")
 */
export const createKavach = async <const Plugins extends ReadonlyArray<KavachPlugin>>(
  config: KavachConfig<Plugins>
): Promise<Kavach<PluginsContext<Plugins>>> => {
  checkOptions(config)
  const address = Either.getOrThrowWith(addressOf(config.database), (problem) => {
    const { provider } = config.database
    // What KavachOS may have and no adapter knows.
    return problem.option === "provider" && typeof provider === "string"
      ? new UnsupportedDatabase({ provider })
      : new InvalidDatabase({ problem: described(problem) })
  })
  if (address.driver === "postgres") {
    throw new InvalidDatabase({ problem: 'driver: the host lends its database to all plugins, through "pg" only' })
  }
  const database = await openDatabase(address)
  const endpoints: Array<PluginEndpoint> = []
  const added = {}
  const started: Array<KavachPlugin> = []

  const shutDown = async () => {
    const failures: Array<unknown> = []
    // One that cannot be disposed of keeps neither the others nor the database open.
    const attempt = async (close: () => Promise<void>) => {
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    }
    for (const plugin of [...started].reverse()) {
      if (isDisposable(plugin)) await attempt(async () => plugin.dispose())
    }
    await attempt(async () => database.close())
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, "Plugins could not be disposed of")
  }
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= shutDown()
    return closing
  }

  try {
    for (const plugin of config.plugins) {
      const result = await plugin.init?.(contextOf(config, database, endpoints))
      // Only now: one that refuses to start, because it already belongs to another host, is that host's to dispose of.
      started.push(plugin)
      Object.assign(added, result?.context)
    }
  } catch (error) {
    // What stopped the start is what the caller has to know.
    await close().catch((closing) => logFailure("The host could not be closed after a failed start.", closing))
    throw error
  }

  // The plugins' types say what their contexts hold; that it is all there was seen to by the loop above.
  const context = added as PluginsContext<Plugins>
  const getUser = async (request: Request): Promise<SessionUser | null> => {
    const user = (await config.getUser?.(request)) ?? null
    return user === null ? null : withTextId(user)
  }
  const runner: PluginRunner<PluginsContext<Plugins>> = {
    handleRequest: (request, basePath = "", { waitUntil } = {}) =>
      route(endpoints, request, basePath, { getUser, waitUntil }),
    getEndpoints: () => [...endpoints],
    getContext: () => ({ ...context })
  }
  return { db: database.db, plugins: { ...context, ...runner }, close, [Symbol.asyncDispose]: close }
}

const contextOf = (
  { baseUrl, database: { provider } }: Pick<KavachConfig<ReadonlyArray<KavachPlugin>>, "baseUrl" | "database">,
  database: HostDatabase,
  endpoints: Array<PluginEndpoint>
): PluginContext => ({
  db: database.db,
  config: { database: { provider }, baseUrl },
  addEndpoint: (endpoint) => {
    endpoints.push(endpoint)
  }
})

const isDisposable = (plugin: object): plugin is { readonly dispose: () => Promise<void> } =>
  "dispose" in plugin && typeof plugin.dispose === "function"
