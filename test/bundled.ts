/**
 * A script as one file of JavaScript, for processes of their own. Loading the sources module by module would be most of what
 * a process does, and tests and proofs start hundreds.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"

export interface Bundle {
  readonly file: string
  readonly remove: () => void
}

export const bundled = async (script: string): Promise<Bundle> => {
  // Within the repository, so that what stays outside is found.
  const cache = join(import.meta.dirname, "../node_modules/.cache/kavach-polar")
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, "bundle-"))
  // Some processes run under another account than the tests.
  chmodSync(folder, 0o755)
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const file = join(folder, "script.mjs")
  try {
    await build({
      entryPoints: [script],
      outfile: file,
      bundle: true,
      platform: "node",
      target: "node20",
      format: "esm",
      conditions: ["kavach-polar-source"],
      external: ["better-sqlite3", "sql.js", "pg", "postgres", "mysql2", "@libsql/client", "@electric-sql/pglite"],
      logLevel: "error"
    })
  } catch (error) {
    remove()
    throw error
  }
  return { file, remove }
}
