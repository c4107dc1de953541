/** Starts `children/notified.ts` and hears the calls that it makes. */
import { spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { type Bundle, bundled } from "../bundled.ts"
import type { StoreName } from "./Proof.ts"

export interface HeardCall {
  readonly id: string
  /** Epoch milliseconds. */
  readonly at: number
}

export interface NotifiedProcess {
  readonly calls: ReadonlyArray<HeardCall>
  /** Resolves with the signal that ended it, if one did. */
  readonly ended: Promise<NodeJS.Signals | null>
  readonly stop: () => Promise<void>
}

/** The program that `startNotified` starts. */
export const bundleNotified = (): Promise<Bundle> => bundled(join(import.meta.dirname, "children/notified.ts"))

export const startNotified = (
  { file }: Bundle,
  store: StoreName,
  address: string,
  mode: "dies" | "lives"
): NotifiedProcess => {
  const child = spawn(process.execPath, [file, store, address, mode], { stdio: ["pipe", "pipe", "inherit"] })
  const calls: Array<HeardCall> = []
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) calls.push(JSON.parse(line))
  })
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once("close", (_code, signal) => resolve(signal)))
  return {
    calls,
    ended,
    stop: async () => {
      child.stdin.end()
      await ended
    }
  }
}
