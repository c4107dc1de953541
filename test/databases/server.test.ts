/** The server that the README starts, on every database server there is. */
import { randomUUID } from "node:crypto"
import { createClient } from "@libsql/client"
import mysql from "mysql2/promise"
import pg from "pg"
import { describe, test } from "vitest"
import { serverSuite } from "../e2e/serverSuite.ts"
import { hasSqld } from "../servers/hasSqld.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import { startSqld } from "../servers/sqld.ts"

const databaseName = (): string => `kavach_polar_${randomUUID().replaceAll("-", "")}`

const addressOf = (url: string, database: string): string => {
  const address = new URL(url)
  address.pathname = `/${database}`
  return address.href
}

/** What the databases call a boolean, as 0 or 1. */
const plain = (row: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === "boolean" ? Number(value) : value])
  )

const postgres = serverUrl("postgres")
if (postgres === undefined) describe.skip("PostgreSQL", () => test("needs a server"))
else {
  serverSuite({
    name: "PostgreSQL",
    periodEndSeconds: "floor(extract(epoch FROM polar_current_period_end))::float8",
    create: async () => {
      const name = databaseName()
      const admin = new pg.Client({ connectionString: postgres })
      await admin.connect()
      await admin.query(`CREATE DATABASE ${name}`)
      const client = new pg.Client({ connectionString: addressOf(postgres, name) })
      // Dropping the database may end it while it is just closing, and node-postgres tells of it by an event.
      client.on("error", () => {})
      await client.connect()
      return {
        env: { DATABASE_URL: addressOf(postgres, name) },
        // Counts are 64-bit there, which the driver gives as text.
        query: async (sql) => (await client.query(sql.replace("count(*)", "count(*)::int"))).rows.map(plain),
        drop: async () => {
          await client.end()
          await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
          await admin.end()
        }
      }
    }
  })
}

for (const server of ["mysql", "mariadb"] as const) {
  const name = { mysql: "MySQL", mariadb: "MariaDB" }[server]
  const url = serverUrl(server)
  if (url === undefined) {
    describe.skip(name, () => test("needs a server"))
    continue
  }
  serverSuite({
    name,
    periodEndSeconds: "floor(timestampdiff(SECOND, '1970-01-01', polar_current_period_end))",
    create: async () => {
      const database = databaseName()
      const client = await mysql.createConnection({ uri: url })
      await client.query(`CREATE DATABASE ${database}`)
      await client.query(`USE ${database}`)
      return {
        env: { DATABASE_URL: addressOf(url, database) },
        query: async (sql) => {
          const [rows] = await client.query<Array<mysql.RowDataPacket>>(sql)
          // Of a statement that reads nothing it is not a list.
          return Array.isArray(rows) ? rows.map((row) => plain({ ...row })) : []
        },
        drop: async () => {
          await client.query(`DROP DATABASE ${database}`)
          await client.end()
        }
      }
    }
  })
}

if (!hasSqld) describe.skip("libSQL", () => test("needs a server"))
else {
  serverSuite({
    name: "libSQL",
    periodEndSeconds: "polar_current_period_end",
    create: async () => {
      const { authToken, stop, url } = await startSqld()
      const client = createClient({ url, authToken })
      return {
        env: { DATABASE_URL: url, DATABASE_AUTH_TOKEN: authToken },
        query: async (sql) => (await client.execute(sql)).rows.map((row) => ({ ...row })),
        drop: async () => {
          client.close()
          await stop()
        }
      }
    }
  })
}
