/** `replay` and `reconcile`, as an operator types them beside a running server. */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import Database from "better-sqlite3"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import {
  deliver,
  eventually,
  program,
  readSubscription,
  runCommand,
  type ServerProcess,
  signer,
  startAndFail,
  startServer,
  statusForHost,
  temporaryFolder
} from "./serverProcess.ts"

const fixture = (name: string): { readonly data: Record<string, unknown> } =>
  JSON.parse(readFileSync(new URL(`../fixtures/polar-webhooks/${name}.json`, import.meta.url), "utf8"))

const subscription = fixture("subscription.active").data
const endpoint = {
  id: "endpoint-1",
  url: "https://app.example.com/auth/polar/webhook",
  enabled: false,
  format: "raw",
  events: ["subscription.updated"],
  secret: "whsec_not_for_anybody"
}

const emptyLists = new Set([
  "/v1/orders/",
  "/v1/refunds/",
  "/v1/benefits/",
  "/v1/benefit-grants/",
  "/v1/products/",
  "/v1/discounts/",
  "/v1/checkouts/",
  "/v1/customers/",
  "/v1/members/"
])

/** As much of Polar as reconciliation asks. */
interface FakePolar {
  readonly server: Server
  readonly url: string
  subscriptions: ReadonlyArray<unknown>
  endpoint: object
  /** Events that the endpoint has never taken. */
  undelivered: ReadonlyArray<unknown>
}

const polar = (): Promise<FakePolar> =>
  new Promise((resolve) => {
    const state: Omit<FakePolar, "server" | "url"> = { subscriptions: [], endpoint, undelivered: [] }
    const page = (items: ReadonlyArray<unknown>) => ({ items, pagination: { total_count: items.length, max_page: 1 } })
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://polar.test")
      const body =
        pathname === "/v1/subscriptions/"
          ? page(state.subscriptions)
          : emptyLists.has(pathname)
            ? page([])
            : pathname === "/v1/webhooks/endpoints"
              ? page([state.endpoint])
              : pathname === "/v1/webhooks/deliveries"
                ? page(state.undelivered)
                : pathname.endsWith("/redeliver")
                  ? {}
                  : undefined
      response.writeHead(body === undefined ? 404 : 200, {
        "content-type": "application/json",
        "polar-version": "2026-10"
      })
      response.end(JSON.stringify(body ?? { error: "ResourceNotFound", detail: "Not found" }))
    }).listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      resolve(Object.assign(state, { server, url: `http://127.0.0.1:${port}` }))
    })
  })

describe("beside a running server on SQLite", () => {
  const folder = temporaryFolder()
  let running: ServerProcess
  let fake: Awaited<ReturnType<typeof polar>>
  const env = () => ({
    DATABASE_URL: `${folder.path}/billing.sqlite`,
    POLAR_ACCESS_TOKEN: "polar_oat_InventedInventedInvented",
    POLAR_API_URL: fake.url
  })

  beforeAll(async () => {
    fake = await polar()
    running = await startServer({ data: folder.path, by: "npm run serve" })
  }, 120_000)

  afterAll(async () => {
    await running.stop()
    fake.server.close()
    folder.remove()
  })

  test("reconcile: a dry run tells, a real one stores, and the app's own process tells the callback", async () => {
    fake.subscriptions = [subscription]
    const dry = await runCommand(["reconcile", "--dry-run"], env())
    expect(dry.code).toBe(3)
    expect(dry.stdout).toContain("Compared 1 records with Polar; 1 differ.")
    expect(dry.stdout).toContain(`${subscription["id"]} (user usr_1042): it was not stored`)
    expect(dry.stdout).toContain("Polar has DISABLED it")
    expect(await readSubscription(running, "usr_1042")).toBeNull()

    const real = await runCommand(["reconcile", "--json"], env())
    expect(JSON.parse(real.stdout)).toMatchObject({
      compared: 1,
      discrepancyCount: 1,
      notified: 1,
      webhooks: { notChecked: null, endpoints: [{ isOwn: true, enabled: false }] }
    })
    expect(`${real.stdout}${real.stderr}${dry.stdout}`).not.toMatch(/whsec_not_for_anybody|polar_oat_/)
    expect(await readSubscription(running, "usr_1042")).toMatchObject({ id: subscription["id"], status: "active" })
    await eventually(() => running.notifications().length > 0, 40)
    expect(running.notifications()).toEqual(["usr_1042 active"])

    const again = await runCommand(["reconcile", "--user", "usr_1042", "--json"], env())
    expect(JSON.parse(again.stdout)).toMatchObject({ discrepancyCount: 0, notified: 0 })
    expect(again.code).toBe(0)
  }, 120_000)

  test("reconcile: what no run can set right has exit code 3, also where all records are equal", async () => {
    fake.subscriptions = [subscription]
    const run = async (...options: ReadonlyArray<string>) => {
      const { code, stdout } = await runCommand(["reconcile", "--json", ...options], env())
      return { code, report: JSON.parse(stdout) }
    }
    await run()
    const [{ missingTypes }] = (await run("--dry-run")).report.webhooks.endpoints
    const right = { ...endpoint, enabled: true, events: [...endpoint.events, ...missingTypes] }
    for (const [wrong, dry, real] of [
      [right, 0, 0],
      [{ ...right, enabled: false }, 3, 3],
      [{ ...right, format: "slack" }, 3, 3],
      [{ ...right, events: endpoint.events }, 3, 3],
      [{ ...right, enabled: false, url: "https://another.example.com/hooks" }, 0, 0]
    ] as const) {
      fake.endpoint = wrong
      const ends = { dry: await run("--dry-run"), real: await run() }
      expect([ends.dry.report.discrepancyCount, ends.real.report.discrepancyCount]).toEqual([0, 0])
      expect([ends.dry.code, ends.real.code], JSON.stringify(wrong)).toEqual([dry, real])
    }
    fake.endpoint = right

    // A real run has these delivered again.
    fake.undelivered = [
      {
        id: "d",
        succeeded: false,
        webhook_event: { id: "evt_lost", type: "order.paid", succeeded: false, skipped: false, payload: "{}" }
      }
    ]
    expect([(await run("--dry-run")).code, (await run()).code]).toEqual([3, 0])
    fake.undelivered = []

    fake.subscriptions = [subscription, { ...subscription, id: "5f7d5a36-6b2c-4c1f-8a0e-1b8f1f3f9a10", status: 7 }]
    const unreadable = await runCommand(["reconcile"], env())
    expect(unreadable.code).toBe(3)
    expect(unreadable.stdout).toContain("Not compared: subscription 5f7d5a36-6b2c-4c1f-8a0e-1b8f1f3f9a10.")
    fake.subscriptions = []
    const unknown = await run("--user", "usr_1042")
    expect(unknown).toMatchObject({ code: 3, report: { unknownToPolar: [subscription["id"]] } })
  }, 180_000)

  test("replay: what the options name, and nothing that is known is told again", async () => {
    const webhook = signer(running.webhookSecret ?? "", "utf8")
    const end = { ...fixture("subscription.revoked"), timestamp: new Date(Date.now() - 1000).toISOString() }
    expect((await deliver(running, webhook, "evt_end", JSON.stringify(end))).status).toBe(200)
    // As a version that did not know the type would have recorded it.
    const database = new Database(`${folder.path}/billing.sqlite`)
    database.prepare("UPDATE kavach_polar_deliveries SET state = 'ignored' WHERE id = 'evt_end'").run()
    const replayed = await runCommand(["replay", "--state", "ignored", "--type", "subscription.revoked"], env())
    expect(replayed.stdout).toContain("Replayed 1 deliveries; 1 of them are in another state than before.")
    expect(replayed.stdout).toContain("1 applied")
    expect(database.prepare("SELECT state, attempts FROM kavach_polar_deliveries WHERE id = 'evt_end'").get()).toEqual({
      state: "applied",
      attempts: 2
    })
    database.close()
    expect(await readSubscription(running, "usr_1042")).toBeNull()
    await eventually(() => running.notifications().length > 1)
    expect(running.notifications()).toEqual(["usr_1042 active", "usr_1042 canceled"])
    const dry = await runCommand(["replay", "--state", "applied", "--dry-run"], env())
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining("1 deliveries would be replayed; 0 of them") })
    const attempts = new Database(`${folder.path}/billing.sqlite`, { readonly: true })
    expect(attempts.prepare("SELECT attempts FROM kavach_polar_deliveries").all()).toEqual([{ attempts: 2 }])
    attempts.close()
    const none = await runCommand(["replay", "--id", "nobody"], env())
    expect(none).toMatchObject({ code: 4, stdout: expect.stringContaining("nothing was replayed") })
    const all = await runCommand(["replay", "--all", "--json"], env())
    expect(JSON.parse(all.stdout)).toMatchObject({ changed: 0, notified: 0 })
  }, 120_000)

  test("notifications: what was given up is listed, and told again by the app's own process", async () => {
    expect(await runCommand(["notifications", "list"], env())).toMatchObject({
      code: 0,
      stdout: "Nothing was given up.\n"
    })
    expect(await runCommand(["notifications", "retry", "--all"], env())).toMatchObject({ code: 4 })
    const database = new Database(`${folder.path}/billing.sqlite`)
    database
      .prepare("UPDATE kavach_polar_notifications SET state = 'dead', attempts = 15, last_error = 'it broke'")
      .run()
    const { number } = database
      .prepare<[], { readonly number: number }>("SELECT count(*) AS number FROM kavach_polar_notifications")
      .get() ?? { number: 0 }
    expect(number).toBeGreaterThan(0)
    const listed = await runCommand(["notifications", "list", "--user", "usr_1042", "--json"], env())
    expect(
      listed.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
    ).toHaveLength(number)
    expect(listed.stdout).toContain("it broke")
    const dry = await runCommand(["notifications", "retry", "--all", "--dry-run", "--json"], env())
    expect([dry.code, JSON.parse(dry.stdout)]).toEqual([3, { matched: number }])
    expect(database.prepare("SELECT DISTINCT state, attempts FROM kavach_polar_notifications").all()).toEqual([
      { state: "dead", attempts: 15 }
    ])
    const told = running.notifications().length
    expect(await runCommand(["notifications", "retry", "--user", "usr_1042"], env())).toMatchObject({ code: 0 })
    await eventually(() => running.notifications().length > told, 60)
    expect(running.notifications().length).toBeGreaterThan(told)
    database.close()
  }, 120_000)

  test("notifications bury: after a question what was given up is put aside, for good and in the trail", async () => {
    const database = new Database(`${folder.path}/billing.sqlite`)
    database.prepare("UPDATE kavach_polar_notifications SET state = 'dead', last_error = 'it broke'").run()
    const ids = database
      .prepare<[], string>("SELECT id FROM kavach_polar_notifications WHERE state = 'dead'")
      .pluck()
      .all()
    expect(ids.length).toBeGreaterThan(0)
    const bury = ["notifications", "bury", ...ids]
    // Nobody can be asked here.
    expect(await runCommand(bury, env())).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") })
    const buried = await runCommand([...bury, "--yes", "--by", "Lin", "--json"], env())
    expect([buried.code, JSON.parse(buried.stdout)]).toEqual([0, { buried: ids.length }])
    expect(await runCommand([...bury, "--yes"], env())).toMatchObject({ code: 4 })
    expect(await runCommand(["notifications", "list"], env())).toMatchObject({ stdout: "Nothing was given up.\n" })
    expect(await runCommand(["notifications", "retry", "--all"], env())).toMatchObject({ code: 4 })
    expect(
      database.prepare("SELECT who, action, result FROM kavach_polar_actions ORDER BY at, id").all()
    ).toMatchObject([
      { who: "Lin", action: "notification.bury", result: `done: ${ids.length} of ${ids.length} were put aside.` },
      { who: "command line", action: "notification.bury", result: `done: 0 of ${ids.length} were put aside.` }
    ])
    database.close()
  }, 120_000)

  test("customers: a customer is moved to another user, and its link ended; a dry run changes nothing", async () => {
    const customer = String(subscription["customer_id"])
    const move = ["customers", "move", customer, "--user", "usr_7", "--by", "Lin"]
    const dry = await runCommand([...move, "--dry-run"], env())
    expect(dry).toMatchObject({ code: 3, stdout: expect.stringContaining("user usr_1042's so far, would be moved") })
    const moved = await runCommand([...move, "--json"], env())
    expect([moved.code, JSON.parse(moved.stdout)]).toMatchObject([
      0,
      { changed: true, from: "usr_1042", records: [{ kind: "subscription", id: subscription["id"] }] }
    ])
    expect(await runCommand(["customers", "unlink", customer, "--dry-run"], env())).toMatchObject({ code: 3 })
    expect(await runCommand(["customers", "unlink", "00000000-0000-4000-8000-000000000000"], env())).toMatchObject({
      code: 4
    })
    expect(await runCommand(["customers", "waiting"], env())).toMatchObject({
      code: 0,
      stdout: "Nothing waits for its user.\n"
    })
    expect(await runCommand(["customers", "move", customer, "--user", "usr_1042"], env())).toMatchObject({ code: 0 })
  }, 120_000)

  test.each([
    [["customers", "link", "cus_1", "--user", "x"], 2, /is no id of Polar's/],
    [["customers", "move", "cus_1"], 2, /--user/],
    [["notifications", "retry"], 2, /needs to know which/],
    [["notifications", "bury"], 2, /<id>/],
    [["notifications", "retry", "--all", "--user", "x"], 2, /--all means every one/],
    [["notifications", "list", "--all"], 2, /notifications list takes no option --all/],
    [["replay"], 2, /needs to know which deliveries/],
    [["replay", "--state", "lost"], 2, /"lost" is no state of a delivery/],
    [["replay", "--since", "yesterday"], 2, /--since "yesterday" is no time/],
    [["replay", "evt_1"], 2, /takes no argument "evt_1"/],
    [["reconcile", "usr_1"], 2, /takes no argument "usr_1"/],
    [["reconcile", "--user", " "], 2, /is no user id/]
  ])("%j: exit code %i", async (args, code, sentence) => {
    const refused = await runCommand(args, env())
    expect(refused.code).toBe(code)
    expect(refused.stderr).toMatch(sentence)
  })

  test("reconcile without a token says what to set, and a Polar that is away is a sentence", async () => {
    const without = await runCommand(["reconcile"], { DATABASE_URL: env().DATABASE_URL })
    expect(without.code).toBe(2)
    expect(without.stderr).toContain("POLAR_ACCESS_TOKEN is not set")
    const away = await runCommand(["reconcile", "--json"], { ...env(), POLAR_API_URL: "http://127.0.0.1:1" })
    expect(away.code).toBe(1)
    expect(JSON.parse(away.stderr.trim().split("\n").at(-1) ?? "")).toEqual({ error: expect.stringMatching(/Polar/) })
  }, 60_000)
})

const token = { POLAR_ACCESS_TOKEN: "polar_oat_InventedInventedInvented" }

const emptyFolder = (): string => {
  const { path, remove } = temporaryFolder()
  cleanups.push(remove)
  return path
}

const cleanups: Array<() => unknown> = []
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

/** A database of an app that has never heard of billing. */
const appDatabase = (): string => {
  const file = join(emptyFolder(), "app.sqlite")
  const database = new Database(file)
  database.exec("CREATE TABLE users (id TEXT PRIMARY KEY); INSERT INTO users VALUES ('u1')")
  database.close()
  return file
}

const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex")

describe("it does only what it was told", () => {
  test("without a command it prints its help, as with --help and help", async () => {
    const where = emptyFolder()
    const helps = await Promise.all([[], ["--help"], ["help"]].map((args) => runCommand(args, {}, where)))
    for (const help of helps) {
      expect(help).toMatchObject({ code: 0, stderr: "" })
      expect(help.stdout).toBe(helps[0]?.stdout)
    }
    for (const command of ["reconcile", "replay", "notifications list", "migrate", "send", "demo"]) {
      expect(helps[0]?.stdout).toMatch(new RegExp(`^  ${command} +\\S`, "m"))
      const help = await runCommand([...command.split(" "), "--help"], {}, where)
      expect(help).toMatchObject({ code: 0, stderr: "" })
      expect(help.stdout).toContain(`Usage: kavach-polar ${command} `)
      expect(help.stdout).toMatch(/^ {2}--json +\S/m)
    }
    expect(readdirSync(where)).toEqual([])
  }, 60_000)

  test("a file .env where it is started is read, and whoever reads the help is told", async () => {
    const where = emptyFolder()
    const database = appDatabase()
    writeFileSync(join(where, ".env"), `DATABASE_URL=${database}\nKAVACH_POLAR_JSON=1\n`)
    const { code, stdout } = await runCommand(["migrate", "--status"], {}, where)
    expect([code, JSON.parse(stdout)]).toMatchObject([3, { applied: [] }])
    expect((await runCommand(["--help"])).stdout).toContain("--env-file FILE")
  })

  test("simulator: starts the one that is installed, and ends when it is told to", async () => {
    const child = spawn(process.execPath, [program, "simulator", "--port", "0", "--json"], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const exited = new Promise<number | null>((resolve) => child.once("close", resolve))
    const line = await new Promise<string>((resolve) => child.stdout.once("data", (chunk) => resolve(String(chunk))))
    const { accessToken, url } = JSON.parse(line)
    const products = await fetch(`${url}/v1/products/`, { headers: { authorization: `Bearer ${accessToken}` } })
    expect(await products.json()).toMatchObject({ items: expect.arrayContaining([expect.anything()]) })
    child.kill("SIGTERM")
    expect(await exited).toBe(0)
  }, 30_000)

  test("--version is the package's", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../packages/http/package.json", import.meta.url), "utf8"))
    expect(await runCommand(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n` })
  })

  test.each([
    [["reconcile"]],
    [["reconcile", "--dry-run"]],
    [["reconcile", "--user", "u1"]],
    [["replay", "--all"]],
    [["replay", "--all", "--dry-run"]],
    [["migrate"]],
    [["migrate", "--status"]]
  ])("%j without a database: 2, and none is made", async (args) => {
    const where = emptyFolder()
    const refused = await runCommand([...args, "--json"], { ...token, KAVACH_POLAR_DATA: join(where, "data") }, where)
    expect(refused).toMatchObject({ code: 2, stdout: "" })
    expect(JSON.parse(refused.stderr)).toEqual({ error: expect.stringContaining("DATABASE_URL") })
    expect(readdirSync(where)).toEqual([])
  })

  test.each([
    [["replay", "--all", "--user", "x"], /replay takes no option --user/],
    [["replay", "--all", "--port", "1"], /replay takes no option --port/],
    [["replay", "--all", "--state", "failed"], /--all means every delivery/],
    [["reconcile", "--state", "failed"], /reconcile takes no option --state/],
    [["reconcile", "--all"], /reconcile takes no option --all/],
    [["reconcile", "--dry-ru"], /reconcile takes no option --dry-ru/],
    [["reconcile", "--user"], /--user was given twice, or without its value/],
    [["migrate", "--dry-run"], /migrate takes no option --dry-run/],
    [["send", "--user", "x"], /send takes no option --user/],
    [["send"], /Missing argument <FILE>/],
    [["send", "body.json", "--url", "nowhere"], /--url is no address/],
    [["demo", "--dry-run"], /demo takes no option --dry-run/],
    [["demo", "--port", "many"], /"many" is no port/],
    [["fly"], /There is no command "fly"/],
    [["--json"], /./],
    [["--wizard"], /no option --wizard/]
  ])("%j: 2", async (args, sentence) => {
    const where = emptyFolder()
    const database = appDatabase()
    const before = digest(database)
    const refused = await runCommand(args, { ...token, DATABASE_URL: database }, where)
    expect(refused).toMatchObject({ code: 2, stdout: "" })
    expect(refused.stderr).toMatch(sentence)
    expect(refused.stderr.trim().split("\n")).toHaveLength(1)
    expect(readdirSync(where)).toEqual([])
    expect(digest(database)).toBe(before)
  })

  test.each([[["reconcile", "--dry-run"]], [["reconcile"]], [["replay", "--all", "--dry-run"]], [["replay", "--all"]]])(
    "%j on a database without our tables: not a byte of it changes",
    async (args) => {
      const database = appDatabase()
      const before = digest(database)
      const refused = await runCommand(args, { ...token, DATABASE_URL: database, POLAR_API_URL: "http://127.0.0.1:1" })
      expect(refused.code).toBe(1)
      expect(refused.stderr).toContain("Run: kavach-polar migrate")
      expect(digest(database)).toBe(before)
      expect(existsSync(`${database}-wal`)).toBe(false)
    }
  )

  test("migrate --status only tells, migrate migrates, and a file that is missing is made by nothing else", async () => {
    const database = appDatabase()
    const before = digest(database)
    const env = { DATABASE_URL: database }
    const pending = await runCommand(["migrate", "--status", "--json"], env)
    expect(pending.code).toBe(3)
    const status = JSON.parse(pending.stdout)
    expect(status).toMatchObject({ applied: [], pending: expect.arrayContaining(["0004_records"]), newer: [] })
    expect(digest(database)).toBe(before)
    const migrated = await runCommand(["migrate", "--json"], env)
    expect(migrated.code).toBe(0)
    expect(JSON.parse(migrated.stdout)).toEqual({ applied: status.pending, newer: [] })
    const done = await runCommand(["migrate", "--status", "--json"], env)
    expect(done.code).toBe(0)
    expect(JSON.parse(done.stdout)).toEqual({ applied: status.pending, pending: [], newer: [] })
    expect(JSON.parse((await runCommand(["migrate", "--json"], env)).stdout)).toEqual({ applied: [], newer: [] })

    const where = emptyFolder()
    const missing = { ...token, DATABASE_URL: join(where, "missing.sqlite") }
    for (const args of [["migrate", "--status"], ["replay", "--all"], ["reconcile"]]) {
      expect(await runCommand(args, missing)).toMatchObject({ code: 1, stderr: expect.stringContaining("no file") })
    }
    expect(readdirSync(where)).toEqual([])
  }, 60_000)

  test("what lets one into a database is never printed", async () => {
    const addresses = [
      "postgres://app:hunter2@127.0.0.1:1/billing?password=hunter2",
      "mysql://app:hunter2@127.0.0.1:1/billing",
      "libsql://127.0.0.1:1?authToken=hunter2",
      "postgres:/app:hunter2@127.0.0.1/billing",
      "app:hunter2@127.0.0.1/billing",
      "oracle://app:hunter2@127.0.0.1/billing"
    ]
    const commands = [["migrate"], ["migrate", "--status"], ["replay", "--all"], ["demo", "--port", "0"]]
    for (const DATABASE_URL of addresses) {
      for (const args of commands) {
        const where = emptyFolder()
        const refused = await runCommand(args, { ...token, DATABASE_URL }, where)
        expect(refused.code).not.toBe(0)
        expect(`${refused.stdout}${refused.stderr}`).not.toContain("hunter2")
        expect(refused.stderr).not.toMatch(/^ +at /m)
      }
    }
    const sent = await runCommand([
      "send",
      "test/fixtures/polar-webhooks/order.paid.json",
      "--secret",
      "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
      "--url",
      "http://app:hunter2@127.0.0.1:1/"
    ])
    expect(sent.code).not.toBe(0)
    expect(sent.stderr).not.toContain("hunter2")
  }, 240_000)

  test("a reader that goes away is no error", async () => {
    const code = await new Promise<readonly [number | null, string]>((resolve) => {
      const child = spawn(process.execPath, [program, "replay", "--help"], { stdio: ["ignore", "pipe", "pipe"] })
      child.stdout.destroy()
      let stderr = ""
      child.stderr.on("data", (chunk) => {
        stderr += chunk
      })
      child.once("close", (exitCode) => resolve([exitCode, stderr]))
    })
    expect(code).toEqual([0, ""])
  })
})

describe("demo", () => {
  test.each([
    ["POLAR_ENVIRONMENT", "production", "not for production"],
    ["NODE_ENV", "production", "not for production"],
    ["HOST", "0.0.0.0", "--host 0.0.0.0"]
  ])("%s=%s: 2, and nothing is made", async (name, value, sentence) => {
    const where = emptyFolder()
    const refused = await startAndFail({ data: join(where, "data"), env: { [name]: value } })
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain(sentence)
    expect(readdirSync(where)).toEqual([])
  })

  test("writes nothing into a database that it did not make", async () => {
    const database = appDatabase()
    const before = readTables(database)
    const refused = await startAndFail({ data: emptyFolder(), env: { DATABASE_URL: database } })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain("is not the demo's own")
    expect(readTables(database)).toEqual(before)

    // One that has our tables, and other users.
    await runCommand(["migrate"], { DATABASE_URL: database })
    const migrated = readTables(database)
    expect((await startAndFail({ data: emptyFolder(), env: { DATABASE_URL: database } })).code).toBe(1)
    expect(readTables(database)).toEqual(migrated)
  }, 60_000)

  test("prints no secret, keeps what it makes from other users, and answers to no other name", async () => {
    const data = join(emptyFolder(), "data")
    const server = await startServer({ data })
    cleanups.push(server.stop)
    expect(server.said()).not.toMatch(/whsec_/)
    const { mode } = statSync(data)
    expect(mode & 0o077).toBe(0)
    const files = readdirSync(data)
    expect(files).toEqual(expect.arrayContaining(["billing.sqlite", "webhook-secret"]))
    for (const file of files) expect([file, statSync(join(data, file)).mode & 0o077]).toEqual([file, 0])
    const { port } = new URL(server.url)
    const path = "/auth/polar/subscription"
    expect(await statusForHost(server.url, `evil.example:${port}`, path)).toBe(421)
    expect(await statusForHost(server.url, `127.0.0.1.evil.example:${port}`, path)).toBe(421)
    expect(await statusForHost(server.url, `localhost:${port}`, path)).toBe(401)
  }, 30_000)

  test("several first starts at once agree on one secret, also where a blank one is left", async () => {
    for (const left of [undefined, "\n"]) {
      const data = join(emptyFolder(), "data")
      if (left !== undefined) {
        mkdirSync(data)
        writeFileSync(join(data, "webhook-secret"), left)
      }
      const database = () => join(emptyFolder(), "billing.sqlite")
      const servers = await Promise.all(
        [1, 2, 3, 4].map(() => startServer({ data, env: { DATABASE_URL: database() } }))
      )
      for (const server of servers) {
        const webhook = signer(server.webhookSecret ?? "", "standard")
        const body = JSON.stringify(fixture("subscription.active"))
        expect((await deliver(server, webhook, "evt", body)).status).toBe(200)
        await server.stop()
      }
      expect(readdirSync(data)).toEqual(["webhook-secret"])
    }
  }, 60_000)
})

/** The rows of all tables. */
const readTables = (file: string): unknown => {
  const database = new Database(file, { readonly: true })
  try {
    return database
      .prepare<[], { readonly name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
      .all()
      .map(({ name }) => [name, database.prepare(`SELECT * FROM ${name}`).all()])
  } finally {
    database.close()
  }
}
