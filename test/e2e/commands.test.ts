/** `replay` and `reconcile`, as an operator types them beside a running server. */
import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import Database from "better-sqlite3"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import {
  deliver,
  eventually,
  readSubscription,
  runCommand,
  type ServerProcess,
  signer,
  startServer,
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

/** As much of Polar as reconciliation asks. */
const polar = (): Promise<{ readonly server: Server; readonly url: string; subscriptions: ReadonlyArray<unknown> }> =>
  new Promise((resolve) => {
    const state = { subscriptions: [] as ReadonlyArray<unknown> }
    const page = (items: ReadonlyArray<unknown>) => ({ items, pagination: { total_count: items.length, max_page: 1 } })
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://polar.test")
      const body =
        pathname === "/v1/subscriptions/"
          ? page(state.subscriptions)
          : pathname === "/v1/orders/" || pathname === "/v1/refunds/"
            ? page([])
            : pathname === "/v1/webhooks/endpoints"
              ? page([endpoint])
              : pathname === "/v1/webhooks/deliveries"
                ? page([])
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
    KAVACH_POLAR_DATA: folder.path,
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
    expect(dry.code).toBe(0)
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
  }, 120_000)

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
    const all = await runCommand(["replay", "--all", "--json"], env())
    expect(JSON.parse(all.stdout)).toMatchObject({ changed: 0, notified: 0 })
  }, 120_000)

  test.each([
    [["replay"], 2, /needs to know which deliveries/],
    [["replay", "--state", "lost"], 2, /"lost" is no state of a delivery/],
    [["replay", "--since", "yesterday"], 2, /--since "yesterday" is no time/],
    [["replay", "evt_1"], 2, /use --id/],
    [["reconcile", "usr_1"], 2, /use --user/],
    [["reconcile", "--user", " "], 2, /is no user id/]
  ])("%j: exit code %i", async (args, code, sentence) => {
    const refused = await runCommand(args, env())
    expect(refused.code).toBe(code)
    expect(refused.stderr).toMatch(sentence)
  })

  test("reconcile without a token says what to set, and a Polar that is away is a sentence", async () => {
    const without = await runCommand(["reconcile"], { KAVACH_POLAR_DATA: folder.path })
    expect(without.code).toBe(1)
    expect(without.stderr).toContain("POLAR_ACCESS_TOKEN is not set")
    const away = await runCommand(["reconcile", "--json"], { ...env(), POLAR_API_URL: "http://127.0.0.1:1" })
    expect(away.code).toBe(1)
    expect(JSON.parse(away.stderr.trim().split("\n").at(-1) ?? "")).toEqual({ error: expect.stringMatching(/Polar/) })
  }, 60_000)
})
