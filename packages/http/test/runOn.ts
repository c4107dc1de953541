/** Small programs in processes of their own, which tell what they loaded. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll } from "vitest"

export interface Finished {
  /** Addresses of modules, and paths of what was required. */
  readonly loaded: ReadonlyArray<string>
  readonly printed: string
}

const hooks = new URL("loadedModules.mjs", import.meta.url)
const cache = mkdtempSync(join(tmpdir(), "loaded-modules-"))

afterAll(() => rmSync(cache, { recursive: true, force: true }))

/** Runs the program on the packages' sources, or on what is built of them. `input` is what it reads as `process.env.INPUT`. */
export const runOn = (code: "sources" | "built", program: string, input = ""): Promise<Finished> =>
  new Promise((resolve, reject) => {
    const conditions = code === "sources" ? ["--conditions=kavach-polar-source"] : []
    const child = spawn(
      process.execPath,
      [...conditions, "--import", hooks.href, "--input-type=module", "--eval", program],
      {
        cwd: fileURLToPath(new URL("..", import.meta.url)),
        env: { ...process.env, LOADED_MODULES_CACHE: cache, NODE_OPTIONS: "", INPUT: input },
        stdio: ["ignore", "pipe", "pipe", "pipe"]
      }
    )
    const texts = [1, 2, 3].map((descriptor) => {
      const text = { value: "" }
      child.stdio[descriptor]?.on("data", (chunk) => {
        text.value += chunk
      })
      return text
    })
    child.once("error", reject)
    child.once("close", (code) => {
      const [printed = "", problems = "", loaded = ""] = texts.map(({ value }) => value)
      if (code === 0) resolve({ printed, loaded: loaded.trim().split("\n") })
      else reject(new Error(`The child ended with ${code}: ${problems}`))
    })
  })
