/** The demo writes only into a database that it made itself: it would put its users among an app's. */
import type { KavachPlugin, PluginContext } from "../host/KavachPlugin.ts"
import { demoUsers } from "./demoUsers.ts"
import { CommandFailed } from "./Terminal.ts"

/** Plugins around that of billing: the first refuses a database that is somebody else's, the last makes the demo's users. */
export const onlyOwnDatabase = (shown: string): { readonly before: KavachPlugin; readonly after: KavachPlugin } => {
  let isNew = false
  return {
    before: {
      id: "demo-database",
      init: async (context) => {
        const tables = await query(context, tableNames)
        isNew = tables.length === 0
        if (!isNew && !(tables.includes("kavach_users") && (await hasDemoUsers(context)))) {
          throw new CommandFailed(
            `The database ${shown} is not the demo's own. Give it an empty one, or none: it makes a file for itself.`
          )
        }
        return undefined
      }
    },
    after: {
      id: "demo-users",
      init: async (context) => {
        if (isNew) await addDemoUsers(context)
        return undefined
      }
    }
  }
}

const tableNames = {
  sqlite: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  postgres: "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()",
  mysql: "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"
}

const hasDemoUsers = async (context: PluginContext): Promise<boolean> => {
  const ids = demoUsers.map(({ id }) => `'${id}'`).join(", ")
  const statement = `SELECT id FROM kavach_users WHERE id IN (${ids})`
  const found = await query(context, { sqlite: statement, postgres: statement, mysql: statement })
  return found.length === demoUsers.length
}

/** Puts the demo users into `kavach_users`, where an auth framework would have put them. */
const addDemoUsers = async ({ config, db }: PluginContext): Promise<void> => {
  const { sql } = await import("drizzle-orm")
  const dialect = dialectOf(config.database.provider)
  const now = { sqlite: sql`unixepoch()`, postgres: sql`now()`, mysql: sql`utc_timestamp()` }[dialect]
  const unlessThere =
    dialect === "mysql" ? sql`ON DUPLICATE KEY UPDATE id = kavach_users.id` : sql`ON CONFLICT DO NOTHING`
  for (const { email, id, name } of demoUsers) {
    const insert = sql`INSERT INTO kavach_users (id, email, name, created_at, updated_at)
      VALUES (${id}, ${email}, ${name}, ${now}, ${now}) ${unlessThere}`
    if (can("run", db)) await db.run(insert)
    else if (can("execute", db)) await db.execute(insert)
  }
}

/** The first column of the rows, as texts. */
const query = async (
  { config, db }: PluginContext,
  statements: Readonly<Record<Dialect, string>>
): Promise<ReadonlyArray<string>> => {
  const { sql } = await import("drizzle-orm")
  const statement = sql.raw(statements[dialectOf(config.database.provider)])
  const answer = can("all", db) ? await db.all(statement) : can("execute", db) ? await db.execute(statement) : undefined
  return rowsOf(answer).flatMap((row) =>
    typeof row === "object" && row !== null ? Object.values(row).slice(0, 1).map(String) : []
  )
}

/** SQLite answers with rows, node-postgres with an object that has them, mysql2 with rows and a description of them. */
const rowsOf = (answer: unknown): ReadonlyArray<unknown> => {
  if (Array.isArray(answer)) return Array.isArray(answer[0]) && answer.length === 2 ? answer[0] : answer
  if (typeof answer === "object" && answer !== null && "rows" in answer && Array.isArray(answer.rows)) {
    return answer.rows
  }
  throw new Error("The database did not answer with rows.")
}

type Dialect = keyof typeof tableNames

const dialectOf = (provider: string): Dialect => (provider === "postgres" || provider === "mysql" ? provider : "sqlite")

/** Whether a drizzle database runs statements by this method: SQLite's by `run` and `all`, the others by `execute`. */
const can = <Method extends string>(
  method: Method,
  db: unknown
): db is { readonly [M in Method]: (query: unknown) => unknown } =>
  typeof db === "object" && db !== null && method in db && typeof Reflect.get(db, method) === "function"
