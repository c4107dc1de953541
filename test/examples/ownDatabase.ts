import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { drizzle } from "drizzle-orm/node-postgres"
import pg from "pg"

// A drizzle database of your own: it is used, and never closed. Any PgDatabase will do: node-postgres, postgres.js, PGlite.
const pool = new pg.Pool({ connectionString: process.env["DATABASE_URL"] })
// Without a listener node-postgres ends the process when an idle connection breaks.
pool.on("error", (error) => process.stderr.write(`PostgreSQL: ${error.message}\n`))

export const Store = PostgresStore.fromDrizzle(drizzle(pool))
