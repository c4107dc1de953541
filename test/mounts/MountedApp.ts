/** An app that mounts billing's routes: a process of its own, on a database of its own, seen only from outside. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { build } from "esbuild"

const root = join(import.meta.dirname, "../..")

export const webhookSecret = "whsec_bW91bnRzOiBhIHNlY3JldCBmb3IgdGVzdHMgb25seQ=="

export interface MountedApp {
  readonly url: string
  /** What it said so far, on either stream. */
  readonly said: () => string
  readonly isRunning: () => boolean
  readonly kill: () => Promise<void>
}

/** How to start the app anew, each time on the same database. */
export interface AppCommand {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd?: string
}

export interface BuiltApps {
  readonly commandOf: (script: string) => AppCommand
  /** For its databases. */
  readonly folder: string
  readonly remove: () => void
}

/** Makes scripts of TypeScript, and the sources that they use, into files that Node runs as they are. */
export const buildApps = async (scripts: Readonly<Record<string, string>>): Promise<BuiltApps> => {
  const cache = join(root, "node_modules/.cache")
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, "mounts-"))
  await build({
    entryPoints: Object.fromEntries(Object.entries(scripts).map(([name, file]) => [name, join(root, file)])),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    target: "node20",
    format: "esm",
    conditions: ["kavach-polar-source"],
    external: [
      ...["better-sqlite3", "sql.js", "pg", "postgres", "mysql2", "@libsql/client"],
      ...["express", "fastify", "hono", "@hono/node-server"]
    ],
    logLevel: "error"
  })
  return {
    commandOf: (name) => ({ command: process.execPath, args: [join(folder, `${name}.mjs`)] }),
    folder,
    remove: () => rmSync(folder, { recursive: true, force: true })
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  if (address === null || typeof address === "string") throw new Error("There is no port.")
  return address.port
}

/** Starts it, and waits until it answers. */
export const startApp = async (
  { args, command, cwd }: AppCommand,
  env: Readonly<Record<string, string>>
): Promise<MountedApp> => {
  const port = await freePort()
  const child = spawn(command, args, {
    cwd: cwd ?? root,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], PORT: String(port), ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let said = ""
  child.stdout.on("data", (chunk) => {
    said += chunk
  })
  child.stderr.on("data", (chunk) => {
    said += chunk
  })
  const isRunning = () => child.exitCode === null && child.signalCode === null
  const app: MountedApp = { url: `http://127.0.0.1:${port}`, said: () => said, isRunning, kill: () => kill(child) }
  for (let attempt = 0; attempt < 400; attempt++) {
    if (!isRunning()) throw new Error(`The app ended: ${said}`)
    const answers = await fetch(`${app.url}/auth/polar/subscription`).then(
      () => true,
      () => false
    )
    if (answers) return app
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await app.kill()
  throw new Error(`The app does not answer: ${said}`)
}

const kill = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, "exit")
  child.kill("SIGKILL")
  await exited
}
