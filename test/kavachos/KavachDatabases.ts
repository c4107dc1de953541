/** The databases of a KavachOS 0.2 host on SQLite, with what is peculiar about them. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import Database from "better-sqlite3"
import { drizzle as onBetterSqlite3 } from "drizzle-orm/better-sqlite3"
import { drizzle as onSqlJs } from "drizzle-orm/sql-js"
import initSqlJs from "sql.js"
import * as schema from "./KavachSchema.ts"
import type { KavachDatabase } from "./KavachTypes.ts"

export interface OpenDatabase {
  readonly db: KavachDatabase
  readonly exec: (statement: string) => void
}

export const openDatabase = async (provider: string, url = ":memory:"): Promise<OpenDatabase> => {
  switch (provider) {
    case "sqlite":
      return openSqlJs(url)
    case "sqlite-native": {
      const client = new Database(url)
      client.pragma("journal_mode = WAL")
      client.pragma("foreign_keys = ON")
      return { db: onBetterSqlite3(client, { schema }), exec: (statement) => void client.exec(statement) }
    }
    default:
      throw new Error(`unsupported database provider: ${provider}`)
  }
}

const openSqlJs = async (url: string): Promise<OpenDatabase> => {
  const SqlJs = await initSqlJs()
  const inMemory = url === ":memory:"
  const client = new SqlJs.Database(!inMemory && existsSync(url) ? readFileSync(url) : undefined)
  client.run("PRAGMA foreign_keys = ON")
  if (!inMemory) {
    // The host saves the whole file after a writing statement that goes through `run`, and only then. Exporting closes
    // the database and opens it again.
    const run = client.run.bind(client)
    client.run = (statement, parameters) => {
      const result = run(statement, parameters)
      if (/^\s*(INSERT|UPDATE|DELETE|CREATE|ALTER|DROP)\b/i.test(statement)) writeFileSync(url, client.export())
      return result
    }
  }
  return { db: onSqlJs(client, { schema }), exec: (statement) => void client.exec(statement) }
}
