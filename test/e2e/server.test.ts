/** The server that the README starts, on SQLite, and what it says when it cannot start. */
import { randomUUID } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import Database from "better-sqlite3"
import { afterAll, assert, describe, test } from "vitest"
import {
  deliver,
  readSubscription,
  runCommand,
  signer,
  startAndFail,
  startServer,
  temporaryFolder
} from "./serverProcess.ts"
import { serverSuite } from "./serverSuite.ts"

serverSuite({
  name: "SQLite",
  periodEndSeconds: "CASE typeof(polar_current_period_end) WHEN 'integer' THEN polar_current_period_end END",
  create: async (dataFolder) => ({
    env: {},
    query: async (sql) => {
      const database = new Database(join(dataFolder, "billing.sqlite"))
      try {
        const statement = database.prepare<[], Record<string, unknown>>(sql)
        if (statement.reader) return statement.all()
        statement.run()
        return []
      } finally {
        database.close()
      }
    },
    drop: async () => {}
  })
})

const cleanups: Array<() => unknown> = []
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

const folder = (): string => {
  const { path, remove } = temporaryFolder()
  cleanups.push(remove)
  return path
}

const start = async (options: Parameters<typeof startServer>[0]) => {
  const server = await startServer(options)
  cleanups.push(server.stop)
  return server
}

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, `../fixtures/polar-webhooks/${name}.json`), "utf8")

const secret = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="

describe("the server for a stranger", () => {
  test("makes a secret, keeps it, and refuses what is signed with another", { timeout: 60_000 }, async () => {
    const data = folder()
    const first = await start({ data })
    assert.match(first.webhookSecret ?? "", /^whsec_/)
    await first.stop()
    const second = await start({ data })
    assert.strictEqual(second.webhookSecret, first.webhookSecret)
    const body = fixture("subscription.active")
    const forged = await deliver(second, signer(secret, "standard"), randomUUID(), body)
    assert.strictEqual(forged.status, 403)
    assert.deepStrictEqual(Object.keys((await forged.json()) as object), ["error"])
    assert.isNull(await readSubscription(second, "usr_1042"))
    const genuine = await deliver(second, signer(second.webhookSecret ?? "", "standard"), randomUUID(), body)
    assert.strictEqual(genuine.status, 200)
    const checkout = await fetch(`${second.url}/auth/polar/checkout`, {
      method: "POST",
      headers: { "x-demo-user": "usr_1042" },
      body: JSON.stringify({ productId: "b7e2c5d8-40f1-4a6b-8c93-9d0e1f2a3b61" })
    })
    assert.strictEqual(checkout.status, 503)
    assert.isNotNull(checkout.headers.get("retry-after"))
    await second.stop()
  })

  test("send delivers bodies as Polar does, and says what was answered", { timeout: 60_000 }, async () => {
    const data = folder()
    const server = await start({ data })
    const file = "test/fixtures/polar-webhooks/subscription.created.json"
    const to = ["--url", `${server.url}/auth/polar/webhook`, "--json"]
    const sent = await runCommand(["send", file, ...to], { KAVACH_POLAR_DATA: data })
    assert.deepInclude(sent, { code: 0, stderr: "" })
    assert.deepInclude(JSON.parse(sent.stdout), { file, status: 200, answer: '{"received":true}' })
    assert.isNotNull(await readSubscription(server, "usr_1042"))

    const refused = await runCommand(["send", file, ...to, "--secret", secret])
    assert.strictEqual(refused.code, 1)
    assert.deepInclude(JSON.parse(refused.stdout), { status: 403 })
    assert.strictEqual(JSON.parse(refused.stderr).error, "1 of 1 deliveries were refused.")
    await server.stop()
    const nobody = await runCommand(["send", file, ...to, "--secret", secret])
    assert.strictEqual(nobody.code, 1)
    assert.include(nobody.stderr, "Nothing answers at")
  })

  test("a command that is wrong is told what is right, and exits with 2", async () => {
    const help = await runCommand(["--help"])
    assert.deepInclude(help, { code: 0, stderr: "" })
    assert.include(help.stdout, "kavach-polar")
    for (const args of [["fly"], ["--fly"], ["send"], ["demo", "there"], ["demo", "--port", "many"]]) {
      const wrong = await runCommand(args)
      assert.strictEqual(wrong.code, 2, args.join(" "))
      assert.match(wrong.stderr, /^kavach-polar: ./)
      assert.strictEqual(wrong.stdout, "")
    }
  })

  test("says in a sentence why it cannot start, and exits with 1", { timeout: 60_000 }, async () => {
    const occupied = createServer()
    await new Promise<void>((resolve) => occupied.listen(0, "127.0.0.1", resolve))
    const port = String((occupied.address() as AddressInfo).port)
    const taken = await startAndFail({ data: folder(), env: { PORT: port } })
    occupied.close()
    assert.deepInclude(taken, { code: 1 })
    assert.include(taken.stderr, `Cannot listen on 127.0.0.1:${port}: another program uses it`)

    // Below a file no folder can be made, not even by root.
    const file = join(folder(), "file")
    writeFileSync(file, "")
    const unwritable = await startAndFail({ data: join(file, "data") })
    assert.strictEqual(unwritable.code, 1)
    assert.include(unwritable.stderr, `${join(file, "data")} cannot be written`)

    for (const variable of ["POLAR_WEBHOOK_SECRET", "POLAR_ACCESS_TOKEN"]) {
      const blank = await startAndFail({ data: folder(), env: { [variable]: "  " } })
      assert.strictEqual(blank.code, 2)
      assert.include(blank.stderr, `${variable} is set but blank`)
    }
    const prefix = await startAndFail({ data: folder(), env: { POLAR_WEBHOOK_SECRET: "whsec_" } })
    assert.strictEqual(prefix.code, 1)
    assert.include(prefix.stderr, "webhookSecret")
  })
})
