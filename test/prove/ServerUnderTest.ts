/** The processes that a proof kills, starves and cuts off: started, watched from outside, and their diaries. */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { type Bundle, bundled } from "../bundled.ts"
import type { StoreName } from "./Proof.ts"
import type { Entitlement, Shown } from "./Story.ts"

/** What the child is told. */
export interface ServerSettings {
  readonly store: Exclude<StoreName, "memory">
  /** PostgreSQL's; node-postgres unless given. */
  readonly driver?: "pg" | "postgres" | undefined
  /** The database's address, or SQLite's file. */
  readonly url: string
  readonly secret: string
  /** Where it writes down what its callback is told. */
  readonly diary: string
  /** 0 for any free one. */
  readonly port: number
  /** The callback takes up to so long. */
  readonly callMillis: number
  readonly accessToken?: string
  readonly apiBaseUrl?: string
  /** Whether it has a handler of changes of access, and looks at the clock twice a second. */
  readonly hearsAccess?: boolean
}

/** A change of access, as `onAccessChange` is told it. */
export interface Flip {
  readonly before: Entitlement
  readonly after: Entitlement
  /** Of its cause. */
  readonly by: string
}

/** A line of a diary. Milliseconds since 1970. */
export type CallRecord =
  | { readonly what: "begun"; readonly id: string; readonly userId: string; readonly shown: Shown; readonly at: number }
  | { readonly what: "flipped"; readonly id: string; readonly userId: string; readonly flip: Flip; readonly at: number }
  | { readonly what: "ended" | "settled" | "not settled"; readonly id: string; readonly at: number }

export interface ServerUnderTest {
  readonly diary: string
  /** Where it answers; rejects if it exits before. */
  readonly listening: Promise<string>
  /** Resolves when the process is gone, with what it said last. */
  readonly exited: Promise<string>
  readonly isRunning: () => boolean
  /** SIGKILL: no time for a last word. */
  readonly kill: () => Promise<void>
  /** SIGTERM, after which the server closes everything. Resolves when it is gone, with its exit code. */
  readonly terminate: () => Promise<number | null>
  /** Just before the SIGKILL, or once it was gone after a SIGTERM. */
  readonly killedAt: () => number | undefined
}

const root = resolve(import.meta.dirname, "../..")

export const bundleServer = (): Promise<Bundle> => bundled(join(import.meta.dirname, "children/server.ts"))

export interface LaunchOptions {
  /** As whom; the harness's own account unless given. */
  readonly account?: { readonly uid: number; readonly gid: number }
}

export const launch = (file: string, settings: ServerSettings, { account }: LaunchOptions = {}): ServerUnderTest => {
  const child: ChildProcess = spawn(process.execPath, ["--expose-gc", file, JSON.stringify(settings)], {
    cwd: root,
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] },
    ...account
  })
  let said = ""
  let killedAt: number | undefined
  const exited = new Promise<string>((gone) => {
    child.once("close", (code, signal) => gone(`it exited with ${code ?? signal}: ${said.slice(-2000)}`))
  })
  const listening = new Promise<string>((listens, fails) => {
    let found = false
    const hear = (chunk: Buffer) => {
      said = (said + chunk).slice(-20_000)
      const url = found ? undefined : /^listening (\S+)$/m.exec(said)?.[1]
      if (url === undefined) return
      found = true
      listens(url)
    }
    child.stdout?.on("data", hear)
    child.stderr?.on("data", hear)
    void exited.then((why) => fails(new Error(`the server did not start, ${why}`)))
  })
  // A process that is killed while it starts is no failure of the proof's.
  listening.catch(() => {})
  return {
    diary: settings.diary,
    listening,
    exited,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    kill: async () => {
      killedAt ??= Date.now()
      child.kill("SIGKILL")
      await exited
    },
    terminate: async () => {
      child.kill("SIGTERM")
      await exited
      killedAt ??= Date.now()
      return child.exitCode
    },
    killedAt: () => killedAt
  }
}

/** What a process wrote down. A kill can cut its last line short, and then that had not happened yet. */
export const readDiary = (diary: string): ReadonlyArray<CallRecord> =>
  existsSync(diary)
    ? readFileSync(diary, "utf8")
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line))
    : []
