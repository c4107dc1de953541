/** What one part found, on one store, and under which conditions: as it is kept in docs/performance.json. */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { resolve } from "node:path"
import { promisify } from "node:util"
import type { Findings, StoreName } from "./Bench.ts"

const run = promisify(execFile)

/** The same for all of a run. */
export interface Conditions {
  readonly date: string
  readonly command: string
  /** Of the repository; what the packages had beyond it is said too. */
  readonly commit: string
  readonly machine: string
  /** Of Node, Effect, the drivers and the yardsticks. */
  readonly versions: Readonly<Record<string, string>>
}

export interface PartRecord extends Findings, Conditions {
  readonly part: string
  /** `null` where no database was needed. */
  readonly store: StoreName | null
  /** The database's version, and the settings that decide when a commit is on disk. */
  readonly server: string | null
  readonly durability: string | null
}

const packages = [
  "effect",
  "drizzle-orm",
  "better-sqlite3",
  "pg",
  "postgres",
  "mysql2",
  "standardwebhooks",
  "@polar-sh/sdk"
] as const

export const conditionsOf = async (root: string, args: ReadonlyArray<string>): Promise<Conditions> => {
  const versionOf = (name: string): string =>
    JSON.parse(readFileSync(resolve(root, "node_modules", name, "package.json"), "utf8")).version
  return {
    date: new Date().toISOString().slice(0, 10),
    command: ["npm run bench", ...(args.length === 0 ? [] : ["--", ...args])].join(" "),
    commit: await commitOf(root),
    machine: `${cpus().length} cores, ${cpus()[0]?.model.trim() ?? "unknown"}, ${Math.round(totalmem() / 2 ** 30)} GB`,
    versions: { node: process.versions.node, ...Object.fromEntries(packages.map((name) => [name, versionOf(name)])) }
  }
}

const commitOf = async (root: string): Promise<string> => {
  try {
    const { stdout: commit } = await run("git", ["rev-parse", "--short", "HEAD"], { cwd: root })
    const { stdout: changed } = await run("git", ["status", "--porcelain", "--", "packages"], { cwd: root })
    return changed.trim() === "" ? commit.trim() : `${commit.trim()} with changes`
  } catch {
    return "unknown"
  }
}
