/**
 * The contract between a KavachOS host and its plugins, as far as it is used here.
 *
 * Structural, so that nothing of KavachOS is imported: a plugin of these types fits the real host (KavachOS 0.2).
 */
import type { SessionUser, WaitUntil } from "../routes/Session.ts"

/** What an endpoint can ask the host during a request. */
export interface EndpointContext {
  readonly getUser: (request: Request) => Promise<SessionUser | null>
  /** Of a host that stops the process after the answer, and knows how to keep it. KavachOS 0.2 has none. */
  readonly waitUntil?: WaitUntil | undefined
}

export interface PluginEndpoint {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  /** Starts with a slash; relative to the base path. */
  path: string
  handler: (request: Request, context: EndpointContext) => Promise<Response>
  metadata?: {
    requireAuth?: boolean
    description?: string
  }
}

/** What a plugin gets at start. */
export interface PluginContext {
  /** The host's drizzle database. */
  readonly db: unknown
  readonly config: {
    readonly database: { readonly provider: string }
    /** Where the app is, such as `https://app.example.com`. */
    readonly baseUrl?: string | undefined
  }
  readonly addEndpoint: (endpoint: PluginEndpoint) => void
}

/** A plugin that adds `Context` to the host's plugin context. */
export interface KavachPlugin<Context extends object = object> {
  readonly id: string
  readonly init?: (context: PluginContext) => Promise<{ context?: Context } | undefined>
}

/** A host, as far as `polarOf` looks at it. */
export interface KavachLike {
  readonly plugins: { readonly getContext: () => object }
}
