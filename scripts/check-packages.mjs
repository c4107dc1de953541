/**
 * Packs every published package as npm would, and asks publint and Are The Types Wrong whether strangers can use it.
 * Both read the very archive that would be published.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { satisfies } from "semver"

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
  // npm packs these by themselves where they are.
  for (const name of ["README.md", "LICENSE"]) {
    if (existsSync(`packages/${folder}/${name}`)) continue
    process.stderr.write(`${manifest.name}: there is no ${name}\n`)
    failed = true
  }
  for (const field of ["description", "keywords", "repository", "homepage"]) {
    if (manifest[field] !== undefined) continue
    process.stderr.write(`${manifest.name}: package.json has no "${field}"\n`)
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
    // Packages are ESM only. kavach-polar has types for `require` all the same, which Node answers with the ES module.
    ["attw", file, "--profile", "esm-only", "--no-emoji", "--ignore-rules", "false-cjs"]
  ]) {
    try {
      execFileSync("npx", ["--no-install", tool, ...args], { stdio: "inherit" })
    } catch {
      failed = true
    }
  }
}

// `npm ci` warns of packages that want a newer Node than ours. What the tests show to run all the same, such as
// @polar-sh/sdk, has no "engines" in package-lock.json: take them out there when it comes back with an update.
const { engines } = JSON.parse(readFileSync("package.json", "utf8"))
const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"))
const oldest = /\d+(\.\d+)*/.exec(engines.node)[0].split(".")
const version = [0, 1, 2].map((index) => oldest[index] ?? "0").join(".")
for (const [name, { engines: wanted }] of Object.entries(packages)) {
  if (wanted?.node === undefined || satisfies(version, wanted.node)) continue
  process.stderr.write(`${name} wants Node ${wanted.node}, and we promise ${version}\n`)
  failed = true
}
process.exitCode = failed ? 1 : 0
