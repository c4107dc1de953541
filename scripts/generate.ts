/**
 * `npm run generate`: writes what is made of something else, namely drizzle's definitions of the description of the tables,
 * and the bodies of the store contract of Polar's webhooks. `--check` only says whether all of it is up to date.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { schemaCode, schemaFiles } from "./drizzleSchema.ts"
import { bodiesCode, bodiesFile } from "./polarBodies.ts"

const checks = process.argv.includes("--check")

/** Biome goes by the folder, so a file is formatted beside where it belongs. */
const formatted = (code: string, folder: string): string => {
  const own = mkdtempSync(join(folder, ".generated-"))
  try {
    const file = join(own, "schema.ts")
    writeFileSync(file, code)
    execFileSync("npx", ["--no-install", "biome", "check", "--write", "--vcs-enabled=false", file], { stdio: "pipe" })
    return readFileSync(file, "utf8")
  } finally {
    rmSync(own, { recursive: true, force: true })
  }
}

const files = [
  ...schemaFiles.map(([file, writing]) => [file, schemaCode(writing)] as const),
  [bodiesFile, bodiesCode()] as const
]

let stale = 0
for (const [file, unformatted] of files) {
  if (!existsSync(dirname(file))) continue
  const code = formatted(unformatted, dirname(file))
  if (existsSync(file) && readFileSync(file, "utf8") === code) continue
  stale++
  if (checks) process.stderr.write(`${file} is not what npm run generate makes.\n`)
  else {
    writeFileSync(file, code)
    process.stdout.write(`${file}\n`)
  }
}
process.exitCode = checks && stale > 0 ? 1 : 0
