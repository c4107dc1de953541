/** A database server of the tests' own: on a free port, in a temporary folder, as an unprivileged user. */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)

/** Who runs the servers: PostgreSQL refuses to run as root, and the others should not. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

export interface ServerOptions {
  /**
   * Whether a commit waits for the disk, as that of an app's server does. What is measured does. A machine that loses its power
   * is no part of any test, so nothing else does: what is committed is handed to the operating system all the same, and a server
   * that is stopped, or killed, finds it there when it starts again.
   */
  readonly waitsForDisk: boolean
}

export const unprivileged = async (): Promise<Account> => {
  const uid = process.getuid?.() ?? 0
  const gid = process.getgid?.() ?? 0
  if (uid !== 0) return { uid, gid }
  const idOf = async (flag: string) => Number((await run("id", [flag, "nobody"])).stdout)
  return { uid: await idOf("-u"), gid: await idOf("-g") }
}

/** A new folder that belongs to the account. It goes away again if what is built in it does not come up. */
export const inFolder = async <A>(
  name: string,
  { gid, uid }: Account,
  build: (folder: string) => Promise<A>
): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), `kavach-polar-${name}-`))
  try {
    chmodSync(folder, 0o700)
    chownSync(folder, uid, gid)
    return await build(folder)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })

/** Runs a program as the account, to its end. */
export const runAs = async (
  account: Account,
  command: string,
  args: ReadonlyArray<string>,
  folder: string
): Promise<void> => {
  await run(command, [...args], { ...account, cwd: folder, maxBuffer: 64 * 1024 * 1024 })
}

export interface ServerCommand {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly folder: string
  /** The signal at which the server closes connections and stops. */
  readonly stopSignal: "SIGINT" | "SIGTERM"
}

export interface RunningServer {
  readonly stop: () => Promise<void>
}

/** `stop` is for good: the folder goes away. */
export interface ThrowAwayServer extends RunningServer {
  /** Stops it for a while. What it has stored stays. */
  readonly halt: () => Promise<void>
  /** Starts it again after `halt`, on the same port. Resolves once it answers. */
  readonly resume: () => Promise<void>
  /** Takes all of its processes the processor away: connections stay open, and nothing is answered. */
  readonly freeze: () => Promise<void>
  /** Lets it go on where it stood. */
  readonly thaw: () => Promise<void>
}

const patienceMillis = 60_000

/** Starts the server and waits until `ready` succeeds. */
export const startServer = async (
  { args, command, folder, stopSignal }: ServerCommand,
  account: Account,
  ready: () => Promise<unknown>
): Promise<ThrowAwayServer> => {
  const keeper = spawn(
    process.execPath,
    [join(import.meta.dirname, "supervisor.mjs"), JSON.stringify({ command, args, folder, stopSignal, ...account })],
    // A session of its own: an interrupt from the terminal reaches the tests, and they stop it.
    { detached: true, stdio: ["pipe", "ignore", "pipe", "ipc"] }
  )
  let said = ""
  keeper.stderr?.on("data", (chunk) => {
    said = (said + chunk).slice(-4000)
  })
  const exited = new Promise<void>((resolve) => keeper.once("close", () => resolve()))
  const stop = async () => {
    keeper.ref()
    keeper.stdin?.end()
    await exited
  }
  const answers = async () => {
    const deadline = Date.now() + patienceMillis
    for (;;) {
      try {
        await ready()
        return
      } catch (error) {
        if (keeper.exitCode !== null || Date.now() > deadline) {
          await stop()
          throw new Error(`${command} did not come up: ${said || String(error)}`)
        }
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
  }
  await answers()
  release(keeper)
  /** Resolves once the keeper says that it is done. */
  const tell = async (what: "halt" | "freeze" | "thaw") => {
    keeper.ref()
    const done = new Promise<void>((resolve) => keeper.once("message", () => resolve()))
    keeper.send(what)
    await Promise.race([done, exited])
    keeper.unref()
  }
  return {
    stop,
    halt: () => tell("halt"),
    freeze: () => tell("freeze"),
    thaw: () => tell("thaw"),
    resume: async () => {
      keeper.send("resume")
      await answers()
    }
  }
}

/** Lets the test run end although the server still runs: the end is what stops it. */
const release = (keeper: ChildProcess) => {
  keeper.unref()
  keeper.channel?.unref()
  for (const stream of [keeper.stdin, keeper.stderr]) {
    if (stream !== null && "unref" in stream && typeof stream.unref === "function") stream.unref()
  }
}
