import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import type { BenchDatabase, BenchServer, Row } from "./BenchDatabase.ts"

/** Of libSQL too: its local files are SQLite's. */
export const startSqlite = async (store: "sqlite" | "libsql"): Promise<BenchServer> => {
  const folder = mkdtempSync(join(tmpdir(), "kavach-polar-bench-"))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once("exit", remove)
  let files = 0
  return {
    store,
    version: `SQLite ${new Database(":memory:").prepare<[], string>("SELECT sqlite_version()").pluck().get()}`,
    // Each subject sets them itself; better-sqlite3's own default is NORMAL.
    durability: "journal_mode=WAL synchronous=FULL",
    enlarge: async () => async () => {},
    writeDown: async () => {},
    newDatabase: async () => {
      files += 1
      return onFile(store, join(folder, `${files}.sqlite`))
    },
    stop: async () => {
      remove()
      process.off("exit", remove)
    }
  }
}

const onFile = (store: "sqlite" | "libsql", filename: string): BenchDatabase => {
  const client = new Database(filename, { timeout: 20_000 })
  client.pragma("journal_mode = WAL")
  return {
    store,
    url: filename,
    run: async (sql) => {
      const statement = client.prepare<[], Row>(sql)
      if (statement.reader) return statement.all()
      statement.run()
      return []
    },
    addUsers: async (ids) => {
      const insert = client.prepare(
        "INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES (?, ?, 1700000000, 1700000000)"
      )
      client.transaction(() => {
        for (const id of ids) insert.run(id, `${id}@acme-mail.dev`)
      })()
    },
    empty: async (tables) => {
      client.transaction(() => {
        for (const table of tables) client.prepare(`DELETE FROM ${table}`).run()
      })()
      client.pragma("wal_checkpoint(TRUNCATE)")
    },
    drop: async () => {
      client.close()
      for (const suffix of ["", "-wal", "-shm"]) rmSync(`${filename}${suffix}`, { force: true })
    }
  }
}
