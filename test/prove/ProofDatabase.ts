/** The database of a proof: new, gone afterwards, and looked at with plain SQL over connections of its own. */
import { join } from "node:path"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import mysql from "mysql2/promise"
import pg from "pg"
import { startMariaDb, startMySql } from "../servers/mysql.ts"
import { startPostgres } from "../servers/postgres.ts"
import { startSqld } from "../servers/sqld.ts"
import { type ThrowAwayServer, unprivileged } from "../servers/ThrowAwayServer.ts"
import * as LibsqlHarness from "../store/LibsqlHarness.ts"
import { queryOn, temporaryDatabase } from "../store/MysqlHarness.ts"
import { newDatabase } from "../store/PostgresHarness.ts"
import type { StoreName } from "./Proof.ts"

export type Row = Readonly<Record<string, unknown>>

export interface ProofDatabase {
  readonly store: Exclude<StoreName, "memory">
  /** As the product takes it: an address, or SQLite's file. */
  readonly url: string
  /** The server and its version. */
  readonly version: string
  readonly read: (sql: string) => Promise<ReadonlyArray<Row>>
  /** Rows in the app's own table. */
  readonly addUsers: (ids: ReadonlyArray<string>) => Promise<void>
  /** The server behind it; none for SQLite. */
  readonly server: ThrowAwayServer | undefined
  /** Ends every connection of the product's from the server's side; no server, no connections. */
  readonly endConnections: () => Promise<void>
  /** Locks a user's row over a connection of its own, until the answer is called. Not where a lock is the whole database's. */
  readonly lockUser: ((id: string) => Promise<() => Promise<void>>) | undefined
}

const starters = { postgres: startPostgres, mysql: startMySql, mariadb: startMariaDb, libsql: startSqld }

/** For the time of `use`. SQLite's file lies in `folder`. */
export const withDatabase = async <A>(
  store: StoreName,
  folder: string,
  use: (database: ProofDatabase) => Promise<A>
): Promise<A> => {
  if (store === "memory") throw new Error("memory is gone with its process: there is nothing to prove")
  if (store === "sqlite") return use(onFile(join(folder, "billing.sqlite")))
  const server = await starters[store](await unprivileged(), { waitsForDisk: false })
  const scope = await Effect.runPromise(Scope.make())
  try {
    const open =
      store === "postgres"
        ? onPostgres(server)
        : store === "libsql"
          ? onLibsql({ authToken: undefined, ...server })
          : onMysql(store, server)
    return await use(await Effect.runPromise(Scope.extend(open, scope)))
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await server.stop()
  }
}

const onFile = (filename: string): ProofDatabase => {
  const withClient = <A>(use: (client: Database.Database) => A): A => {
    const client = new Database(filename, { timeout: 20_000 })
    try {
      return use(client)
    } finally {
      client.close()
    }
  }
  return {
    store: "sqlite",
    url: filename,
    version: `SQLite ${new Database(":memory:").prepare<[], string>("SELECT sqlite_version()").pluck().get()}`,
    read: async (sql) => withClient((client) => client.prepare<[], Row>(sql).all()),
    addUsers: async (ids) =>
      withClient((client) => {
        const insert = client.prepare(
          "INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES (?, ?, 1700000000, 1700000000)"
        )
        client.transaction(() => {
          for (const id of ids) insert.run(id, `${id}@acme-mail.dev`)
        })()
      }),
    server: undefined,
    endConnections: async () => {},
    lockUser: undefined
  }
}

const onLibsql = (server: ThrowAwayServer & LibsqlHarness.LibsqlAddress) =>
  Effect.gen(function* () {
    const url = LibsqlHarness.wholeUrl(server)
    const query = LibsqlHarness.queryOn(yield* LibsqlHarness.newClient({ url }))
    const [row] = yield* Effect.promise(() => query("SELECT sqlite_version() AS version"))
    return {
      store: "libsql",
      url,
      version: `libSQL server, SQLite ${row?.["version"]}`,
      read: (sql) => query(sql),
      addUsers: async (ids) => {
        await query(
          `INSERT INTO kavach_users (id, email, created_at, updated_at)
            SELECT value, value || '@acme-mail.dev', 1700000000, 1700000000 FROM json_each(?)`,
          JSON.stringify(ids)
        )
      },
      server,
      // Each message has its own.
      endConnections: async () => {},
      lockUser: undefined
    } satisfies ProofDatabase as ProofDatabase
  })

const onPostgres = (server: ThrowAwayServer & { readonly url: string }) =>
  Effect.gen(function* () {
    const { query, url } = yield* newDatabase(server.url)
    const [row] = yield* Effect.promise(() => query("SHOW server_version"))
    return {
      store: "postgres",
      url,
      version: `PostgreSQL ${row?.["server_version"]}`,
      read: (sql) => query(sql),
      addUsers: async (ids) => {
        await query(
          `INSERT INTO kavach_users (id, email, created_at, updated_at)
             SELECT id, id || '@acme-mail.dev', now(), now() FROM json_array_elements_text($1::json) AS users (id)`,
          JSON.stringify(ids)
        )
      },
      server,
      endConnections: async () => {
        await query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kavach-polar' AND datname = current_database()"
        )
      },
      lockUser: async (id) => {
        const client = new pg.Client({ connectionString: url })
        await client.connect()
        await client.query("BEGIN")
        await client.query("SELECT id FROM kavach_users WHERE id = $1 FOR UPDATE", [id])
        return async () => {
          await client.query("ROLLBACK")
          await client.end()
        }
      }
    } satisfies ProofDatabase as ProofDatabase
  })

const onMysql = (store: "mysql" | "mariadb", server: ThrowAwayServer & { readonly url: string }) =>
  Effect.gen(function* () {
    const { name, query, url } = yield* temporaryDatabase(server.url)
    const [row] = yield* Effect.promise(() => query("SELECT version() AS version"))
    return {
      store,
      url,
      version: `${store === "mysql" ? "MySQL" : "MariaDB"} ${row?.["version"]}`,
      read: (sql) => query(sql),
      addUsers: async (ids) => {
        const rows = ids.map(() => "(?, ?, '2026-01-01', '2026-01-01')").join(", ")
        await query(
          `INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES ${rows}`,
          ...ids.flatMap((id) => [id, `${id}@acme-mail.dev`])
        )
      },
      server,
      endConnections: async () => {
        const admin = queryOn(server.url)
        const connections = await admin(
          `SELECT id FROM information_schema.processlist WHERE db = '${name}' AND id <> connection_id()`
        )
        for (const { id } of connections) {
          // It may be gone by now.
          await admin(`KILL ${Number(id)}`).catch(() => {})
        }
      },
      lockUser: async (id) => {
        const connection = await mysql.createConnection({ uri: url })
        await connection.query("START TRANSACTION")
        await connection.query("SELECT id FROM kavach_users WHERE id = ? FOR UPDATE", [id])
        return async () => {
          await connection.query("ROLLBACK")
          await connection.end()
        }
      }
    } satisfies ProofDatabase as ProofDatabase
  })

/** Milliseconds since 1970 of what a driver makes of a time; whole seconds where it is a number. */
export const millisOf = (value: unknown): number | null => {
  if (value === null || value === undefined) return null
  if (value instanceof Date) return value.getTime()
  if (typeof value === "number") return value * 1000
  const text = String(value).slice(0, 23).replace(" ", "T").replace(/Z$/, "")
  return Date.parse(`${text}Z`)
}

export const textOf = (value: unknown): string | null => (value === null || value === undefined ? null : String(value))

export const flagOf = (value: unknown): boolean => value === true || value === 1
