/** KavachOS 0.2's contract with plugins, declared anew from its documentation: nothing of ours is used here. */
import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core"
import type * as schema from "./KavachSchema.ts"

export type KavachDatabase = BaseSQLiteDatabase<"sync", unknown, typeof schema>

export interface ResolvedUser {
  id: string
  email?: string
  name?: string
  image?: string
  metadata?: Record<string, unknown>
}

export interface Session {
  id: string
  userId: string
  expiresAt: Date
  metadata?: Record<string, unknown>
}

export interface SessionManager {
  create(userId: string): Promise<{ session: Session; token: string }>
  validate(token: string): Promise<Session | null>
  revoke(sessionId: string): Promise<void>
}

export interface EndpointContext {
  db: KavachDatabase
  getUser: (request: Request) => Promise<ResolvedUser | null>
  getSession: (token: string) => Promise<Session | null>
}

export interface PluginEndpoint {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  path: string
  handler: (request: Request, context: EndpointContext) => Promise<Response>
  metadata?: {
    rateLimit?: { window: number; max: number }
    requireAuth?: boolean
    description?: string
  }
}

export interface PluginContext {
  db: KavachDatabase
  config: KavachConfig
  addEndpoint: (endpoint: PluginEndpoint) => void
  addMigration: (sql: string) => void
  sessionManager: SessionManager | null
}

export interface PluginInitResult {
  context?: Record<string, unknown>
}

export interface PluginHooks {
  onRequest?: (request: Request) => Promise<Request | Response | undefined>
  onAuthenticate?: (user: ResolvedUser) => Promise<void>
  onSessionCreate?: (session: Session) => Promise<void>
  onSessionRevoke?: (sessionId: string) => Promise<void>
}

export interface KavachPlugin {
  id: string
  init?: (context: PluginContext) => Promise<PluginInitResult | undefined>
  schema?: Record<string, unknown>
  hooks?: PluginHooks
}

export interface KavachConfig {
  database: {
    provider: "sqlite" | "sqlite-native" | "d1" | "postgres" | "mysql"
    url?: string
    skipMigrations?: boolean
  }
  auth?: {
    adapter?: { resolveUser: (request: Request) => Promise<ResolvedUser | null> }
    session?: { secret: string; maxAge?: number; cookieName?: string }
  }
  plugins?: Array<KavachPlugin>
  baseUrl?: string
}

export interface Kavach {
  db: KavachDatabase
  auth: { session: SessionManager | null }
  plugins: {
    handleRequest: (request: Request, basePath?: string) => Promise<Response | null>
    getEndpoints: () => Array<PluginEndpoint>
    getContext: () => Record<string, unknown>
    registry: { hooks: Array<PluginHooks>; pluginContext: Record<string, unknown> }
  }
}
