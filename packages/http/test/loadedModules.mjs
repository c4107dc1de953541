/**
 * For a child process: `node --conditions=kavach-polar-source --import this entry`. Reads the packages' sources, and
 * prints the address of each module that is loaded, one to a line, on file descriptor 3.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, writeFileSync, writeSync } from "node:fs"
import { register } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { isMainThread } from "node:worker_threads"

if (isMainThread) register(import.meta.url)

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
