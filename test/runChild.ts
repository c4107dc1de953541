/** Scripts in processes of their own. */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { build } from "esbuild"

const root = join(import.meta.dirname, "..")
const execute = promisify(execFile)

/** Runs a script of TypeScript on the sources, module by module, and answers what it printed. */
export const runChild = async (script: URL, ...args: ReadonlyArray<string>): Promise<string> => {
  const runner = join(dirname(createRequire(import.meta.url).resolve("vite-node/package.json")), "vite-node.mjs")
  const config = join(root, "vitest.config.ts")
  const { stdout } = await execute(process.execPath, [runner, "--config", config, fileURLToPath(script), ...args])
  return stdout
}

/**
 * Runs a script in so many processes at once, and answers what each printed. It is made one file before: loading modules
 * one by one would be most of what they do, and they would hardly meet.
 */
export const runChildren = async (
  count: number,
  script: URL,
  ...args: ReadonlyArray<string>
): Promise<ReadonlyArray<string>> => {
  const cache = join(root, "node_modules/.cache")
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, "children-"))
  try {
    const file = join(folder, "child.mjs")
    await build({
      entryPoints: [fileURLToPath(script)],
      outfile: file,
      bundle: true,
      platform: "node",
      target: "node20",
      format: "esm",
      conditions: ["kavach-polar-source"],
      external: ["better-sqlite3", "sql.js", "pg", "postgres", "mysql2", "@libsql/client", "@electric-sql/pglite"],
      logLevel: "error"
    })
    const running = Array.from({ length: count }, () => execute(process.execPath, [file, ...args]))
    return (await Promise.all(running)).map(({ stdout }) => stdout)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
