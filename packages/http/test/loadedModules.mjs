/**
 * For a child process: `node --import this entry`. Prints the address of each module that is loaded, and at the end the
 * path of each that was required, one to a line, on file descriptor 3. With `--conditions=kavach-polar-source` it reads
 * the packages' sources.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, writeFileSync, writeSync } from "node:fs"
import { createRequire, register } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { isMainThread } from "node:worker_threads"

if (isMainThread) {
  register(import.meta.url)
  process.on("exit", () => {
    for (const path of Object.keys(createRequire(import.meta.url).cache)) writeSync(3, `${path}\n`)
  })
}

export const load = async (url, context, next) => {
  writeSync(3, `${url}\n`)
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context)
  return { format: "module", shortCircuit: true, source: await javaScriptOf(readFileSync(fileURLToPath(url), "utf8")) }
}

// Kept, so that a second run takes as long as one on the built package.
const javaScriptOf = async (source) => {
  const folder = process.env.LOADED_MODULES_CACHE
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${createHash("sha256").update(source).digest("hex")}.mjs`)
  if (!existsSync(file)) {
    const { default: ts } = await import("typescript")
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true }
    writeFileSync(file, ts.transpileModule(source, { compilerOptions }).outputText)
  }
  return readFileSync(file, "utf8")
}
