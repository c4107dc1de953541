import { execFile } from "node:child_process"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const here = dirname(fileURLToPath(import.meta.url))
const runner = join(dirname(createRequire(import.meta.url).resolve("vite-node/package.json")), "vite-node.mjs")

/** Runs a script of `children` in a process of its own, as TypeScript, and answers what it printed. */
export const runChild = async (script: string, ...args: ReadonlyArray<string>): Promise<string> => {
  const config = join(here, "../../../vitest.config.ts")
  const file = join(here, "children", `${script}.ts`)
  const { stdout } = await promisify(execFile)(process.execPath, [runner, "--config", config, file, ...args])
  return stdout
}
