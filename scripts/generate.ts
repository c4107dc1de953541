/**
 * `npm run generate`: writes what is made of something else, namely drizzle's definitions of the description of the tables,
 * and the bodies of the store contract of Polar's webhooks. `--check` only says whether all of it is up to date.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { schemaCode, schemaFiles } from "./drizzleSchema.ts"
import { bodiesCode, bodiesFile } from "./polarBodies.ts"

const checks = process.argv.includes("--check")

/** Biome goes by where a file belongs. Nothing is written there: others may be reading the folder. */
const formatted = (code: string, file: string): string =>
  execFileSync("npx", ["--no-install", "biome", "check", "--write", `--stdin-file-path=${file}`], {
    input: code,
    encoding: "utf8",
    stdio: ["pipe", "pipe", "pipe"]
  })

const files = [
  ...schemaFiles.map(([file, writing]) => [file, schemaCode(writing)] as const),
  [bodiesFile, bodiesCode()] as const
]

let stale = 0
for (const [file, unformatted] of files) {
  if (!existsSync(dirname(file))) continue
  const code = formatted(unformatted, file)
  if (existsSync(file) && readFileSync(file, "utf8") === code) continue
  stale++
  if (checks) process.stderr.write(`${file} is not what npm run generate makes.\n`)
  else {
    writeFileSync(file, code)
    process.stdout.write(`${file}\n`)
  }
}
process.exitCode = checks && stale > 0 ? 1 : 0
