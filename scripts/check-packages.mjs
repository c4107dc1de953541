/**
 * Packs every published package as npm would, and asks publint and Are The Types Wrong whether strangers can use it.
 * Both read the very archive that would be published.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs"

const out = ".package-check"
rmSync(out, { recursive: true, force: true })
mkdirSync(out)

let failed = false
for (const folder of readdirSync("packages")) {
  const manifest = JSON.parse(readFileSync(`packages/${folder}/package.json`, "utf8"))
  if (manifest.private) continue
  // What cannot be checked one by one is not to be had: a wildcard would publish whatever lies there.
  for (const entry of Object.keys(manifest.exports)) {
    if (!entry.includes("*")) continue
    process.stderr.write(`${manifest.name}: the export ${entry} is to be listed one by one\n`)
    failed = true
  }
  for (const name of manifest.files) {
    if (existsSync(`packages/${folder}/${name}`)) continue
    process.stderr.write(`${manifest.name}: there is no ${name}, which "files" names\n`)
    failed = true
  }
  const packed = execFileSync(
    "npm",
    ["pack", "--json", "--ignore-scripts", "--pack-destination", out, "--workspace", manifest.name],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }
  )
  // npm 11 answers with a list, npm 12 with an object by name.
  const [archive] = Object.values(JSON.parse(packed))
  const file = `${out}/${archive.filename}`
  for (const [tool, ...args] of [
    ["publint", "--strict", file],
    // Packages are ESM only.
    ["attw", "--profile", "esm-only", "--no-emoji", file]
  ]) {
    try {
      execFileSync("npx", ["--no-install", tool, ...args], { stdio: "inherit" })
    } catch {
      failed = true
    }
  }
}
process.exitCode = failed ? 1 : 0
