/** The plugin in a host with a database server: through the host's own connection, and when there is no database. */
import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { signedHeaders } from "@kavach-polar/core/WebhookVerifier"
import { createKavach, type PluginEndpoint, polar } from "@kavach-polar/http"
import { drizzle as drizzleMysql } from "drizzle-orm/mysql2"
import { drizzle as drizzlePostgres } from "drizzle-orm/node-postgres"
import mysql from "mysql2/promise"
import pg from "pg"
import { afterAll, assert, describe, test } from "vitest"
import { serverUrl } from "../servers/serverUrl.ts"
import { freePort } from "../servers/ThrowAwayServer.ts"

const secret = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="

const delivery = (name: string): Request => {
  const body = readFileSync(join(import.meta.dirname, `../fixtures/polar-webhooks/${name}.json`))
  const id = randomUUID()
  return new Request("http://app.example/api/auth/polar/webhook", {
    method: "POST",
    headers: {
      ...signedHeaders({ secret, id, timestampSeconds: Math.floor(Date.now() / 1000), body, key: "standard" })
    },
    body
  })
}

const billing = () =>
  polar({ webhookSecret: secret, client: PolarClient.layerDisabled("No network in this test."), logLevel: "none" })

/** What KavachOS hands to a plugin, and what it does with what it gets. */
const host = async (provider: string, db: unknown) => {
  const endpoints: Array<PluginEndpoint> = []
  const plugin = billing()
  cleanups.push(plugin.dispose)
  await plugin.init({ db, config: { database: { provider } }, addEndpoint: (endpoint) => endpoints.push(endpoint) })
  const call = (path: string, request: Request) => {
    const endpoint = endpoints.find((candidate) => candidate.path === path)
    if (endpoint === undefined) throw new Error(`no endpoint ${path}`)
    return endpoint.handler(request, { getUser: async () => ({ id: "usr_1042" }) })
  }
  return {
    plugin,
    webhook: (name: string) => call("/auth/polar/webhook", delivery(name)),
    subscription: async () => (await call("/auth/polar/subscription", new Request("http://app.example/"))).json()
  }
}

const cleanups: Array<() => unknown> = []
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

const databaseName = (): string => `kavach_polar_${randomUUID().replaceAll("-", "")}`

const withDatabase = (url: string, database: string): string => {
  const address = new URL(url)
  address.pathname = `/${database}`
  return address.href
}

const expected = {
  subscription: {
    id: "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67",
    status: "active",
    productId: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60",
    currentPeriodEnd: "2026-11-05T14:22:08.412Z",
    cancelAtPeriodEnd: false
  }
}

const postgres = serverUrl("postgres")

describe.skipIf(postgres === undefined)("a host on PostgreSQL", () => {
  test("keeps subscriptions over the host's own pool and opens no other connection", async () => {
    const name = databaseName()
    const admin = new pg.Client({ connectionString: postgres })
    await admin.connect()
    await admin.query(`CREATE DATABASE ${name}`)
    const pool = new pg.Pool({ connectionString: withDatabase(postgres ?? "", name), max: 3, application_name: "host" })
    // Dropping the database may end a connection that is just closing, and node-postgres tells of it by an event.
    pool.on("error", () => {})
    cleanups.push(
      () => admin.end(),
      () => admin.query(`DROP DATABASE ${name} WITH (FORCE)`),
      () => pool.end()
    )
    // As the host makes it there, and as it was before the polar_* columns existed.
    await pool.query(
      "CREATE TABLE kavach_users (id text PRIMARY KEY, email text UNIQUE NOT NULL, name text, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL)"
    )
    await pool.query("INSERT INTO kavach_users VALUES ('usr_1042', 'ada.martin@acme-mail.dev', 'Ada', now(), now())")
    const { plugin, subscription, webhook } = await host("postgres", drizzlePostgres(pool))
    assert.strictEqual((await webhook("subscription.created")).status, 200)
    assert.deepStrictEqual(await subscription(), expected)
    const { rows: users } = await pool.query(
      "SELECT polar_subscription_status, polar_current_period_end, polar_cancel_at_period_end FROM kavach_users"
    )
    assert.deepStrictEqual(users, [
      {
        polar_subscription_status: "active",
        polar_current_period_end: new Date("2026-11-05T14:22:08.412Z"),
        polar_cancel_at_period_end: false
      }
    ])
    const { rows: connections } = await admin.query(
      "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = $1",
      [name]
    )
    assert.deepStrictEqual(connections, [{ application_name: "host" }])
    await plugin.dispose()
    assert.lengthOf((await pool.query("SELECT 1")).rows, 1, "the host's pool stays open")
  })
})

describe.each(["mysql", "mariadb"] as const)("a host on %s", (server) => {
  const url = serverUrl(server)
  test.skipIf(url === undefined)("keeps subscriptions over the host's own pool, in whatever time zone", async () => {
    const name = databaseName()
    const admin = await mysql.createConnection({ uri: url ?? "" })
    await admin.query(`CREATE DATABASE ${name}`)
    const pool = mysql.createPool({ uri: withDatabase(url ?? "", name), timezone: "+05:30", connectionLimit: 2 })
    cleanups.push(
      () => admin.end(),
      () => admin.query(`DROP DATABASE ${name}`),
      () => pool.end()
    )
    // Made by hand, as it must be there: the host's own statement is refused by MySQL.
    await pool.query(
      "CREATE TABLE kavach_users (id VARCHAR(64) PRIMARY KEY, email VARCHAR(255) UNIQUE NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, polar_current_period_end DATETIME(3))"
    )
    await pool.query(
      "INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES ('usr_1042', 'ada.martin@acme-mail.dev', 1, 1)"
    )
    const { subscription, webhook } = await host("mysql", drizzleMysql(pool))
    assert.strictEqual((await webhook("subscription.created")).status, 200)
    assert.deepStrictEqual(await subscription(), expected)
    const [rows] = await admin.query(
      `SELECT polar_subscription_status AS status, CAST(polar_current_period_end AS CHAR) AS period_end, updated_at > 1 AS touched FROM ${name}.kavach_users`
    )
    assert.deepStrictEqual(JSON.parse(JSON.stringify(rows)), [
      { status: "active", period_end: "2026-11-05 14:22:08.412", touched: 1 }
    ])
  })
})

describe.each(["postgres", "mysql"] as const)("without a %s database", (provider) => {
  test("the host starts, and billing answers 503 until there is one", async () => {
    const kavach = await createKavach({
      database: { provider, url: `${provider}://app:s3cret@127.0.0.1:${await freePort()}/app` },
      plugins: [billing()]
    })
    cleanups.push(kavach.close)
    const answer = await kavach.plugins.handleRequest(delivery("subscription.created"), "/api")
    assert.strictEqual(answer?.status, 503)
    assert.isNotNull(answer?.headers.get("retry-after"))
    assert.deepStrictEqual(await answer?.json(), { error: "Billing is temporarily unavailable" })
    const error = await kavach.plugins.polar.getSubscription("usr_1042").catch((reason: Error) => reason)
    assert.instanceOf(error, Error)
    assert.include(String(error), "unavailable")
    assert.notInclude(String(error), "s3cret")
  })

  test("an address that is none is said at once", async () => {
    for (const url of [undefined, " ", "not a url"]) {
      const error = await createKavach({ database: { provider, url }, plugins: [] }).catch((reason: Error) => reason)
      assert.instanceOf(error, Error, String(url))
    }
  })
})
