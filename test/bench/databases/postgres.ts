import { randomUUID } from "node:crypto"
import pg from "pg"
import { obtainServer } from "../../servers/obtainServer.ts"
import type { BenchDatabase, BenchServer, Row } from "./BenchDatabase.ts"

export const startPostgres = async (store: "postgres" | "postgres-js"): Promise<BenchServer> => {
  const server = await obtainServer("postgres", { waitsForDisk: true })
  const admin = new pg.Client({ connectionString: server.url })
  await admin.connect()
  const show = async (setting: string): Promise<string> => {
    const { rows } = await admin.query<{ readonly value: string }>(`SELECT current_setting('${setting}') AS value`)
    return rows[0]?.value ?? "unknown"
  }
  const durability: Array<string> = []
  for (const name of ["fsync", "synchronous_commit", "full_page_writes", "wal_sync_method"]) {
    durability.push(`${name}=${await show(name)}`)
  }
  return {
    store,
    version: `PostgreSQL ${await show("server_version")}`,
    durability: durability.join(" "),
    enlarge: async () => async () => {},
    writeDown: async () => {},
    newDatabase: async () => {
      const name = `kavach_polar_bench_${randomUUID().replaceAll("-", "")}`
      await admin.query(`CREATE DATABASE ${name}`)
      const url = new URL(server.url)
      url.pathname = `/${name}`
      const database = await onDatabase(store, url.href)
      return {
        ...database,
        drop: async () => {
          await database.drop()
          await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
        }
      }
    },
    stop: async () => {
      await admin.end()
      await server.stop()
    }
  }
}

const onDatabase = async (store: "postgres" | "postgres-js", url: string): Promise<BenchDatabase> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return {
    store,
    url,
    run: async (sql) => (await client.query<Row>(sql)).rows,
    addUsers: async (ids) => {
      await client.query(
        `INSERT INTO kavach_users (id, email, created_at, updated_at)
           SELECT id, id || '@acme-mail.dev', now(), now() FROM unnest($1::text[]) AS users (id)`,
        [ids]
      )
    },
    empty: async (tables) => {
      await client.query(`TRUNCATE ${tables.join(", ")}`)
      await client.query("CHECKPOINT")
    },
    drop: () => client.end()
  }
}
