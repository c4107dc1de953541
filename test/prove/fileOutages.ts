/** How SQLite's file can be out of reach: another process writes for too long, or nobody may write it. */
import { randomUUID } from "node:crypto"
import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import { unprivileged } from "../servers/ThrowAwayServer.ts"
import { makeSender } from "./PolarSender.ts"
import { launch } from "./ServerUnderTest.ts"
import { storyOf } from "./Story.ts"
import { randomOf } from "./seeded.ts"
import { secret } from "./settle.ts"

/** A write transaction of another process's; the answer ends it. */
export const holdLock = async (filename: string): Promise<() => Promise<void>> => {
  const client = new Database(filename, { timeout: 20_000 })
  client.exec("BEGIN IMMEDIATE")
  return async () => {
    client.exec("ROLLBACK")
    client.close()
  }
}

/**
 * A server whose file becomes one that it may only read: it starts, refuses what it cannot store, answers what needs no
 * storage, and takes what comes again once it may write and was started again. It runs as an account to which the file's mode matters.
 */
export const proveReadOnlyFile = async (file: string, round: number): Promise<ReadonlyArray<string>> => {
  const account = await unprivileged()
  const folder = mkdtempSync(join(tmpdir(), "kavach-polar-read-only-"))
  const violations: Array<string> = []
  const story = storyOf(`reader_${round}`, randomOf(round, 0))
  let url: string | undefined
  let last: { readonly status: number; readonly retryAfter: string | null } | undefined
  const sender = makeSender({
    secret,
    random: randomOf(round, 1),
    target: () => url,
    onAnswer: (answer) => {
      last = answer
    }
  })
  const started = async () => {
    const settings = { store: "sqlite", url: join(folder, "billing.sqlite"), secret, port: 0, callMillis: 0 } as const
    const server = launch(file, { ...settings, diary: join(folder, `diary-${randomUUID()}.jsonl`) }, { account })
    url = await server.listening
    return server
  }
  const allow = (mayWrite: boolean) => {
    for (const name of readdirSync(folder)) {
      if (name.startsWith("billing")) chmodSync(join(folder, name), mayWrite ? 0o600 : 0o400)
    }
  }
  try {
    chownSync(folder, account.uid, account.gid)
    const first = await started()
    await sender.deliver(story.next())
    if (last?.status !== 200) violations.push(`A server on a new file answered ${last?.status}.`)
    await first.kill()

    allow(false)
    const second = await started()
    const refused = story.next()
    await sender.deliver(refused)
    if (last?.status !== 503 || last.retryAfter === null) {
      violations.push(
        `A server on a file that it may only read answered ${last?.status}, Retry-After ${last?.retryAfter}.`
      )
    }
    const nobody = await fetch(`${url}/auth/polar/subscription`)
    if (nobody.status !== 401)
      violations.push(`A server on a file that it may only read answered ${nobody.status} to nobody.`)
    if (!second.isRunning()) violations.push(`A server on a file that it may only read ended: ${await second.exited}`)
    await second.kill()

    // SQLite opened the file for reading, and that stays so as long as it is open.
    allow(true)
    const third = await started()
    await sender.quiet()
    if (sender.sent.get(refused.id)?.acknowledgedAt === undefined) {
      violations.push("A server that was started again on a file that may be written again did not take a delivery.")
    }
    await third.kill()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return violations
}
