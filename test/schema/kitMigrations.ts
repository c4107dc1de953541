/** What `drizzle-kit generate` writes for a schema, as a folder that drizzle-orm's own migrator takes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Kit from "drizzle-kit/api"

type Schema = Record<string, unknown>

const dialects = {
  sqlite: async (schema: Schema) =>
    Kit.generateSQLiteMigration(await Kit.generateSQLiteDrizzleJson({}), await Kit.generateSQLiteDrizzleJson(schema)),
  postgresql: async (schema: Schema) =>
    Kit.generateMigration(Kit.generateDrizzleJson({}), Kit.generateDrizzleJson(schema)),
  mysql: async (schema: Schema) =>
    Kit.generateMySQLMigration(await Kit.generateMySQLDrizzleJson({}), await Kit.generateMySQLDrizzleJson(schema))
}

export interface Folder {
  readonly path: string
  readonly remove: () => void
}

export const generate = async (dialect: keyof typeof dialects, schema: Schema): Promise<Folder> => {
  const statements = await dialects[dialect](schema)
  const path = mkdtempSync(join(tmpdir(), "kavach-polar-kit-"))
  mkdirSync(join(path, "meta"))
  const entries = [{ idx: 0, version: "7", when: 1, tag: "0000_billing", breakpoints: true }]
  writeFileSync(join(path, "meta/_journal.json"), JSON.stringify({ version: "7", dialect, entries }))
  writeFileSync(join(path, "0000_billing.sql"), statements.join("\n--> statement-breakpoint\n"))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
