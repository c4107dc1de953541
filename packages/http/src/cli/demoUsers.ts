/** The users of the demo server, and how a request says which of them it is from. */
import type { SessionUser } from "../routes/Session.ts"
import type { Provider } from "./database.ts"

/** The first one is the customer of the example deliveries. */
export const demoUsers = [
  { id: "usr_1042", email: "ada.martin@acme-mail.dev", name: "Ada Martin" },
  { id: "usr_1043", email: "lin.osei@acme-mail.dev", name: "Lin Osei" }
] as const satisfies ReadonlyArray<SessionUser>

/** By the header `x-demo-user` or the cookie `demo_user`. No security at all: for a demo on this machine. */
export const demoUserOf = (request: Request): SessionUser | null => {
  const id = request.headers.get("x-demo-user") ?? cookieOf(request, "demo_user")
  return demoUsers.find((user) => user.id === id) ?? null
}

const cookieOf = (request: Request, name: string): string | undefined => {
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const [key, value] = pair.trim().split("=")
    if (key === name) return value
  }
  return undefined
}

/** Puts the demo users into `kavach_users`, where an auth framework would have put them. */
export const addDemoUsers = async (provider: Provider, db: unknown): Promise<void> => {
  const { sql } = await import("drizzle-orm")
  const now = { sqlite: sql`unixepoch()`, libsql: sql`unixepoch()`, postgres: sql`now()`, mysql: sql`utc_timestamp()` }[
    provider
  ]
  const unlessThere =
    provider === "mysql" ? sql`ON DUPLICATE KEY UPDATE id = kavach_users.id` : sql`ON CONFLICT DO NOTHING`
  for (const { email, id, name } of demoUsers) {
    const insert = sql`INSERT INTO kavach_users (id, email, name, created_at, updated_at)
      VALUES (${id}, ${email}, ${name}, ${now}, ${now}) ${unlessThere}`
    if (can("run", db)) await db.run(insert)
    else if (can("execute", db)) await db.execute(insert)
  }
}

/** Whether a drizzle database runs statements by this method: SQLite's by `run`, the others by `execute`. */
const can = <Method extends string>(
  method: Method,
  db: unknown
): db is { readonly [M in Method]: (query: unknown) => unknown } =>
  typeof db === "object" && db !== null && method in db && typeof Reflect.get(db, method) === "function"
