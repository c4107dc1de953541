/** `npm run generate`: writes what is made of the description of the tables. `--check` only says whether it is up to date. */
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { schemaCode, schemaFiles } from "./drizzleSchema.ts"

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

let stale = 0
for (const [file, writing] of schemaFiles) {
  if (!existsSync(dirname(file))) continue
  const code = formatted(schemaCode(writing), dirname(file))
  if (existsSync(file) && readFileSync(file, "utf8") === code) continue
  stale++
  if (checks) process.stderr.write(`${file} is not what npm run generate makes of the description of the tables.\n`)
  else {
    writeFileSync(file, code)
    process.stdout.write(`${file}\n`)
  }
}
process.exitCode = checks && stale > 0 ? 1 : 0
