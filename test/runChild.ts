/** Scripts in processes of their own. */
import { execFile } from "node:child_process"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { bundled } from "./bundled.ts"

const root = join(import.meta.dirname, "..")
const execute = promisify(execFile)

/** Runs a script of TypeScript module by module, for those who look at what is loaded; answers what it printed. */
export const runChild = async (script: URL, ...args: ReadonlyArray<string>): Promise<string> => {
  const runner = join(dirname(createRequire(import.meta.url).resolve("vite-node/package.json")), "vite-node.mjs")
  const config = join(root, "vitest.config.ts")
  const { stdout } = await execute(process.execPath, [runner, "--config", config, fileURLToPath(script), ...args])
  return stdout
}

/** Runs a script, made one file before, in so many processes at once, and answers what each printed. */
export const runChildren = async (
  count: number,
  script: URL,
  ...args: ReadonlyArray<string>
): Promise<ReadonlyArray<string>> => {
  const { file, remove } = await bundled(fileURLToPath(script))
  try {
    const running = Array.from({ length: count }, () => execute(process.execPath, [file, ...args]))
    return (await Promise.all(running)).map(({ stdout }) => stdout)
  } finally {
    remove()
  }
}
