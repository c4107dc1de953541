/** `listen`: events reach an app that Polar cannot, also after the connection was lost. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { type Polar, polar } from "@kavach-polar/http"
import * as NodeServer from "@kavach-polar/http/NodeServer"
import { Seed, type Served, type ServeOptions, serve } from "@kavach-polar/simulator"
import { Redacted } from "effect"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { kavachPolar, type Ran } from "./kavachPolar.ts"

const secret = "whsec_b24gdGhpcyBtYWNoaW5lIGFsb25lLCBub3QgUG9sYXIncw=="

let folder = ""
let simulator: Served
let app: Polar
let server: NodeServer.NodeServer

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  simulator = await serve()
  app = polar({
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret: secret,
    emailVerified: () => true,
    refreshWhenDenied: false,
    logLevel: "none",
    store: SqliteStore.layer({ filename: join(folder, "app.db") })
  })
  await app.start()
  server = await NodeServer.serve({ host: "127.0.0.1", port: 0, handle: (request) => app.webhook(request) })
})

afterEach(async () => {
  await server.close()
  await app.dispose()
  await simulator.close()
  rmSync(folder, { recursive: true, force: true })
})

const listening = async (
  use: (connections: (times: number) => Promise<void>, printed: ReadonlyArray<string>) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
  ...options: ReadonlyArray<string>
): Promise<Ran> => {
  let stop = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  const heard: Array<string> = []
  const printed: Array<string> = []
  const ran = kavachPolar(["listen", "--to", server.url, ...options], {
    env: {
      POLAR_ACCESS_TOKEN: simulator.accessToken,
      POLAR_API_URL: simulator.url,
      POLAR_WEBHOOK_SECRET: secret,
      ...env
    },
    onErr: (line) => heard.push(line),
    onOut: (line) => printed.push(line),
    stopped
  })
  const connections = (times: number) =>
    expect.poll(() => heard.filter((line) => line.startsWith("Listening.")).length, { timeout: 20_000 }).toBe(times)
  try {
    await connections(1)
    await use(connections, printed)
  } finally {
    stop()
  }
  return ran
}

const buy = async (user: string) => {
  const customer_email = `${user}@acme-mail.dev`
  const { id } = await app.createCheckout(user, Seed.products.pro.id, { customerEmail: customer_email })
  await simulator.pay(id, { customer_email })
}

const hasAccess = (user: string) =>
  expect.poll(async () => (await app.access(user)).entitlement, { timeout: 20_000 }).toBe("granted")

describe("listen", () => {
  test("forwards every event, signed with the local secret, though Polar has no endpoint", async () => {
    const { err, exitCode, out } = await listening(
      async (_, printed) => {
        await buy("ada")
        await hasAccess("ada")
        await expect.poll(() => app.orders.list("ada"), { timeout: 20_000 }).toMatchObject([{ status: "paid" }])
        // It is stored before it is answered, and printed after.
        await expect.poll(() => printed.join(), { timeout: 20_000 }).toContain("order.paid")
      },
      {},
      "--json"
    )
    expect(exitCode).toBe(0)
    const lines = out.split("\n").map((line): { readonly type: string; readonly status: number } => JSON.parse(line))
    expect(lines.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["checkout.created", "subscription.active", "order.created"])
    )
    expect(lines.every(({ status }) => status === 200)).toBe(true)
    for (const told of [secret, simulator.accessToken]) expect(`${out}${err}`).not.toContain(told)
  }, 60_000)

  test("connects again when Polar was away", async () => {
    const { port } = new URL(simulator.url)
    const { err, exitCode } = await listening(async (connections) => {
      await simulator.close()
      simulator = await serve({ port: Number(port) })
      await connections(2)
      await buy("bob")
      await hasAccess("bob")
    })
    expect(exitCode).toBe(0)
    expect(err).toContain("Connecting again in 1 seconds.")
  }, 60_000)

  test("an app that is away for a moment is waited for, and what it refuses is said", async () => {
    const { out } = await listening(async () => {
      const { port } = new URL(server.url)
      await server.close()
      const bought = buy("eve")
      await new Promise((resolve) => setTimeout(resolve, 1500))
      server = await NodeServer.serve({
        host: "127.0.0.1",
        port: Number(port),
        handle: (request) => app.webhook(request)
      })
      await bought
      await hasAccess("eve")
    })
    expect(out).toMatch(/checkout\.created +200/)
    const refused = await listening(
      async () => {
        await buy("mallory")
        await new Promise((resolve) => setTimeout(resolve, 500))
      },
      { POLAR_WEBHOOK_SECRET: "whsec_b2Ygc29tZXdoZXJlIGVsc2UgYWx0b2dldGhlciwgbm8/" }
    )
    expect(refused.out).toMatch(/subscription\.active +403/)
  }, 60_000)

  test.each([
    [{ POLAR_ACCESS_TOKEN: "polar_oat_of_nobody" }, 1, "access token"],
    [{ POLAR_ORGANIZATION_ID: "9f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e09" }, 1, "listen to events"],
    [{ POLAR_ACCESS_TOKEN: undefined }, 2, "POLAR_ACCESS_TOKEN"]
  ])("%j: %i", async (env, exitCode, sentence) => {
    const ran = await kavachPolar(["listen"], {
      env: {
        POLAR_ACCESS_TOKEN: simulator.accessToken,
        POLAR_API_URL: simulator.url,
        POLAR_WEBHOOK_SECRET: secret,
        ...env
      }
    })
    expect(ran).toMatchObject({ exitCode, err: expect.stringContaining(sentence) })
  })

  test("a token that may not look at webhooks is told which scope it lacks", async () => {
    const limited: ServeOptions = {
      accessTokens: [{ token: Redacted.make("polar_oat_limited"), scopes: ["organizations:read"] }]
    }
    const other = await serve(limited)
    const ran = await kavachPolar(["listen"], {
      env: { POLAR_ACCESS_TOKEN: other.accessToken, POLAR_API_URL: other.url, POLAR_WEBHOOK_SECRET: secret }
    })
    await other.close()
    expect(ran).toMatchObject({ exitCode: 1, err: expect.stringContaining("webhooks:read") })
  })
})
