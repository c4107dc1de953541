/** A host of the shape and the habits of KavachOS 0.2, to prove the plugin on; its faults are kept. */
import { randomUUID } from "node:crypto"
import { eq } from "drizzle-orm"
import { openDatabase } from "./KavachDatabases.ts"
import { createTables, sessions, users } from "./KavachSchema.ts"
import type {
  Kavach,
  KavachConfig,
  KavachDatabase,
  KavachPlugin,
  PluginContext,
  PluginEndpoint,
  PluginHooks,
  ResolvedUser,
  Session,
  SessionManager
} from "./KavachTypes.ts"

export const createKavach = async (config: KavachConfig): Promise<Kavach> => {
  const { provider, skipMigrations, url } = config.database
  const { db, exec } = await openDatabase(provider, url)
  if (skipMigrations !== true) for (const statement of createTables) exec(statement)

  const sessionManager = config.auth?.session === undefined ? null : makeSessions(db, config.auth.session.secret)
  const registry = { hooks: [] as Array<PluginHooks>, pluginContext: {} as Record<string, unknown> }
  const endpoints: Array<PluginEndpoint> = []
  for (const plugin of config.plugins ?? []) {
    await initialize(plugin, { config, db, endpoints, exec, registry, sessionManager })
  }

  const getUser = async (request: Request): Promise<ResolvedUser | null> => {
    try {
      const adapted = await config.auth?.adapter?.resolveUser(request)
      if (adapted !== undefined && adapted !== null) return adapted
      const token = tokenOf(request)
      if (sessionManager === null || token === undefined) return null
      const session = await sessionManager.validate(token)
      if (session === null) return null
      const [user] = db.select().from(users).where(eq(users.id, session.userId)).all()
      return user === undefined
        ? null
        : { id: user.id, email: user.email, ...(user.name === null ? {} : { name: user.name }) }
    } catch {
      return null
    }
  }
  const getSession = async (token: string) => (await sessionManager?.validate(token)) ?? null

  if (sessionManager !== null) endpoints.push(...sessionEndpoints(sessionManager))

  return {
    db,
    auth: { session: sessionManager },
    plugins: {
      handleRequest: route(endpoints, { db, getUser, getSession }),
      getEndpoints: () => endpoints,
      getContext: () => ({ ...registry.pluginContext }),
      registry
    }
  }
}

interface Surroundings {
  readonly config: KavachConfig
  readonly db: KavachDatabase
  readonly endpoints: Array<PluginEndpoint>
  readonly exec: (statement: string) => void
  readonly registry: Kavach["plugins"]["registry"]
  readonly sessionManager: SessionManager | null
}

/** A plugin's migrations run only after it has started, and not at all on some providers. */
const initialize = async (
  plugin: KavachPlugin,
  { config, db, endpoints, exec, registry, sessionManager }: Surroundings
) => {
  const migrations: Array<string> = []
  const context: PluginContext = {
    db,
    config,
    sessionManager,
    addEndpoint: (endpoint) => void endpoints.push(endpoint),
    addMigration: (statement) => void migrations.push(statement)
  }
  const result = await plugin.init?.(context)
  if (migrations.length > 0 && config.database.provider !== "sqlite") {
    throw new Error(`runMigrations: unsupported provider "${config.database.provider}"`)
  }
  for (const statement of migrations) exec(statement)
  Object.assign(registry.pluginContext, result?.context)
  // They are collected, and nobody ever calls them.
  if (plugin.hooks !== undefined) registry.hooks.push(plugin.hooks)
}

const weekMillis = 7 * 24 * 3_600_000

/** The real host's token is a signed one of the session's id; here it is the id. */
const makeSessions = (db: KavachDatabase, secret: string): SessionManager => {
  if (secret.length < 32) throw new Error("session secret must have at least 32 characters")
  return {
    create: async (userId) => {
      const session = { id: randomUUID(), userId, expiresAt: new Date(Date.now() + weekMillis) }
      db.insert(sessions)
        .values({ ...session, createdAt: new Date() })
        .run()
      return { session, token: session.id }
    },
    validate: async (token): Promise<Session | null> => {
      const [row] = db.select().from(sessions).where(eq(sessions.id, token)).all()
      return row === undefined || row.expiresAt.getTime() < Date.now()
        ? null
        : { id: row.id, userId: row.userId, expiresAt: row.expiresAt }
    },
    revoke: async (sessionId) => {
      db.delete(sessions).where(eq(sessions.id, sessionId)).run()
    }
  }
}

/** The scheme is compared with its case, and the cookie's name is fixed, whatever is configured. */
const tokenOf = (request: Request): string | undefined => {
  const authorization = request.headers.get("authorization")
  if (authorization?.startsWith("Bearer ") === true) return authorization.slice("Bearer ".length)
  return /(?:^|;\s*)kavach_session=([^;]*)/.exec(request.headers.get("cookie") ?? "")?.[1]
}

const sessionEndpoints = (manager: SessionManager): ReadonlyArray<PluginEndpoint> => [
  {
    method: "POST",
    path: "/auth/sign-out",
    handler: async (request) => {
      const session = await manager.validate(tokenOf(request) ?? "")
      if (session !== null) await manager.revoke(session.id)
      return Response.json({ success: true })
    }
  },
  {
    method: "GET",
    path: "/auth/session",
    handler: async (request) => Response.json({ session: await manager.validate(tokenOf(request) ?? "") })
  }
]

/** The first endpoint that fits is asked; what its handler rejects with, the caller gets. */
const route = (
  endpoints: ReadonlyArray<PluginEndpoint>,
  context: Parameters<PluginEndpoint["handler"]>[1]
): Kavach["plugins"]["handleRequest"] => {
  const windows = new Map<string, { count: number; endsAt: number }>()

  return async (request, basePath = "") => {
    const url = new URL(request.url)
    const below = url.pathname.startsWith(basePath) ? url.pathname.slice(basePath.length) : url.pathname
    const path = below.length > 1 && below.endsWith("/") ? below.slice(0, -1) : below
    for (const endpoint of endpoints) {
      const captured = endpoint.method === request.method ? capture(endpoint.path, path) : undefined
      if (captured === undefined) continue
      const { rateLimit, requireAuth } = endpoint.metadata ?? {}
      if (rateLimit !== undefined && isLimited(windows, `${clientOf(request)}${endpoint.path}`, rateLimit)) {
        return Response.json({ error: "Rate limit exceeded" }, { status: 429 })
      }
      if (requireAuth === true && (await context.getUser(request)) === null) {
        return Response.json({ error: "Authentication required" }, { status: 401 })
      }
      for (const [name, value] of captured) url.searchParams.set(`_param_${name}`, value)
      return endpoint.handler(
        new Request(url, {
          method: request.method,
          headers: request.headers,
          ...(request.body === null ? {} : { body: request.body, duplex: "half" })
        }),
        context
      )
    }
    return null
  }
}

const capture = (pattern: string, path: string): ReadonlyArray<readonly [string, string]> | undefined => {
  const expected = pattern.split("/")
  const actual = path.split("/")
  if (expected.length !== actual.length) return undefined
  const captured: Array<readonly [string, string]> = []
  for (const [index, part] of expected.entries()) {
    const value = actual[index] ?? ""
    if (part.startsWith(":")) captured.push([part.slice(1), decodeURIComponent(value)])
    else if (part !== value) return undefined
  }
  return captured
}

const clientOf = (request: Request): string =>
  request.headers.get("x-forwarded-for")?.split(",", 1)[0]?.trim() ?? request.headers.get("x-real-ip") ?? "unknown"

const isLimited = (
  windows: Map<string, { count: number; endsAt: number }>,
  key: string,
  { max, window }: { readonly max: number; readonly window: number }
): boolean => {
  const now = Date.now()
  const current = windows.get(key)
  if (current === undefined || current.endsAt <= now) {
    windows.set(key, { count: 1, endsAt: now + window * 1000 })
    return false
  }
  current.count += 1
  return current.count > max
}
