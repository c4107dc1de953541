import { polar } from "kavach-polar"
import pg from "pg"

const pool = new pg.Pool({ connectionString: process.env["DATABASE_URL"] })
// Without a listener node-postgres ends the process when an idle connection breaks.
pool.on("error", (error) => process.stderr.write(`PostgreSQL: ${error.message}\n`))

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  // Or postgres.js, mysql2, better-sqlite3, @libsql/client, or a drizzle database on one of them. It is never closed.
  database: { provider: "postgres", client: pool },
  // Read, to know whether a user exists and what their address is; never written.
  users: { table: "users", id: "id", email: "email" }
})
