/** A database as a KavachOS host of its provider "sqlite" has it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { drizzle } from "drizzle-orm/sql-js"
import initSqlJs from "sql.js"

/**
 * sql.js keeps the database in memory. The host's client saves the whole file whenever a writing statement goes through
 * its own `run`, and only then. `export` closes the database and opens it again: an open transaction is lost, prepared
 * statements die, and pragmas fall back.
 */
export const openHostFile = async (filename: string) => {
  const { Database } = await initSqlJs()
  const client = new Database(existsSync(filename) ? readFileSync(filename) : undefined)
  client.run("PRAGMA foreign_keys = ON")
  const disk = { saves: 0, save: (bytes: Uint8Array) => writeFileSync(filename, bytes) }
  const run = client.run.bind(client)
  client.run = (statement, parameters) => {
    const result = run(statement, parameters)
    if (/^\s*(INSERT|UPDATE|DELETE|CREATE|ALTER|DROP)\b/i.test(statement)) {
      disk.save(client.export())
      disk.saves++
    }
    return result
  }
  return { client, db: drizzle(client), disk }
}
