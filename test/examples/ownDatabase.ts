import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { drizzle } from "drizzle-orm/node-postgres"
import pg from "pg"

// A drizzle database of your own: it is used, and never closed. Any PgDatabase will do: node-postgres, postgres.js, PGlite.
const db = drizzle(new pg.Pool({ connectionString: process.env["DATABASE_URL"] }))

export const Store = PostgresStore.fromDrizzle(db)
