/**
 * The examples in the documentation of public functions and options compile: all of them as one program. One that imports
 * something is a file by itself; a shorter one may use the names of `prelude`.
 */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, test } from "vitest"
import { prelude } from "./examplePrelude.ts"

const run = promisify(execFile)
const root = join(import.meta.dirname, "..")
const tsc = join(root, "node_modules/typescript/bin/tsc")

const sources = readdirSync(join(root, "packages"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name }) => {
    const folder = join(root, "packages", name, "src")
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => join(folder, file))
  })

/** The code of each `@example`, without the stars of its comment. */
const examplesOf = (file: string): ReadonlyArray<string> =>
  [...readFileSync(file, "utf8").matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap(([comment]) => {
    const [, ...examples] = comment.replace(/\*\/$/, "").split(/^\s*\* @example *$/m)
    return examples.map((text) => text.replace(/^\s*\* ?/gm, "").replace(/^@\w+[\s\S]*/m, ""))
  })

test("every @example compiles", { timeout: 300_000 }, async () => {
  const parent = join(import.meta.dirname, "node_modules/.examples")
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, "jsdoc-"))
  try {
    const files = sources.flatMap((source) =>
      examplesOf(source).map((code, index) => {
        const file = join(folder, `${source.slice(root.length + 1).replaceAll(/[^\w]/g, "_")}_${index}.ts`)
        writeFileSync(file, `${/^import /m.test(code) ? "" : prelude(code)}${code}\nexport {}\n`)
        return file
      })
    )
    assert.isAtLeast(files.length, 3)
    // So that it is seen whether anything is looked at.
    const wrong = join(folder, "wrong.ts")
    writeFileSync(wrong, 'export const count: number = "none"\n')
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(root, "tsconfig.json"),
        // What an example gives a name need not be used by it.
        compilerOptions: { noUnusedLocals: false },
        include: ["*.ts"],
        exclude: []
      })
    )
    // In a process of its own: the test runner waits for an answer meanwhile.
    const { stdout } = await run(process.execPath, [tsc, "-p", folder, "--pretty", "false"]).catch(
      (failed: { readonly stdout: string }) => failed
    )
    const faults = stdout.trim().split("\n")
    assert.lengthOf(faults, 1, stdout)
    assert.match(stdout, /wrong\.ts.*Type 'string' is not assignable to type 'number'/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
