/** `polar()` on libSQL: in our own host, in a host that has a drizzle database on it, and what is refused. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createKavach, type KavachConfig, type PluginEndpoint, polar } from "@kavach-polar/http"
import { createClient } from "@libsql/client"
import { drizzle } from "drizzle-orm/libsql"
import { afterAll, expect, test } from "vitest"
import { fixture } from "../../core/test/deliveries.ts"
import { deliveryOf, memoryPolar, requestOf, secret, userOf } from "./host.ts"

const folder = mkdtempSync(join(tmpdir(), "kavach-polar-libsql-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const billingOf = () => polar({ webhookSecret: secret, client: memoryPolar().client, logLevel: "none" })

const active = {
  subscription: expect.objectContaining({ id: "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67", status: "active" })
}

test.each(["libsql", "turso"] as const)(
  "createKavach() with %s, on a file that is there when it starts again",
  async (provider) => {
    const url = `file:${join(folder, `${provider}.db`)}`
    const start = () => createKavach({ database: { provider, url }, plugins: [billingOf()], getUser: userOf })
    const ask = requestOf("GET", "/auth/polar/subscription", { user: "usr_1042" })
    {
      await using kavach = await start()
      await insertUser(url)
      const response = await kavach.plugins.handleRequest(deliveryOf(fixture("subscription.active")))
      expect(response?.status).toBe(200)
      expect(await (await kavach.plugins.handleRequest(ask))?.json()).toEqual(active)
    }
    await using kavach = await start()
    expect(await (await kavach.plugins.handleRequest(ask))?.json()).toEqual(active)
  }
)

const insertUser = async (url: string) => {
  const client = createClient({ url, timeout: 1000 })
  await client.execute(
    "INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES ('usr_1042', 'ada.martin@acme-mail.dev', 0, 0)"
  )
  client.close()
}

test("in a host that has a drizzle database on libSQL, which stays the host's", async () => {
  const client = createClient({ url: `file:${join(folder, "host.db")}` })
  const endpoints: Array<PluginEndpoint> = []
  const billing = billingOf()
  await billing.init({
    db: drizzle(client),
    config: { database: { provider: "turso" } },
    addEndpoint: (endpoint) => void endpoints.push(endpoint)
  })
  expect((await billing.webhook(deliveryOf(fixture("subscription.active")))).status).toBe(200)
  await billing.dispose()
  expect(client.closed).toBe(false)
  const { rows } = await client.execute("SELECT count(*) AS n FROM kavach_polar_subscriptions")
  expect(rows[0]?.["n"]).toBe(1)
  client.close()
})

test("what cannot be an address or a token is said before anything is opened", async () => {
  const open = (database: KavachConfig<[]>["database"]) => createKavach({ database, plugins: [] })
  const refused = (database: KavachConfig<[]>["database"]) => expect(open(database)).rejects
  await refused({ provider: "libsql", url: undefined }).toThrow("database: url is missing")
  await refused({ provider: "turso", url: "billing.db" }).toThrow("url is not an address such as libsql://host")
  await refused({ provider: "libsql", url: "libsql://host", authToken: " " }).toThrow("authToken is blank")
  await refused({ provider: "sqlite", url: ":memory:", authToken: "x" }).toThrow(
    "authToken: sqlite has no such option. It is for libsql and turso"
  )
  await refused({ provider: "libsql", url: "file:/no/such/folder/x.db" }).toThrow("/no/such/folder")
})
