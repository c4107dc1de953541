/** The main job on real input: genuine deliveries over HTTP to the server that the README starts. */
import { randomUUID } from "node:crypto"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, assert, describe, test } from "vitest"
import {
  deliver,
  eventually,
  query,
  readSubscription,
  type ServerProcess,
  signer,
  startAndFail,
  startServer,
  temporaryFolder
} from "./serverProcess.ts"

const fixtures = join(import.meta.dirname, "../fixtures/polar-webhooks")
const names = readdirSync(fixtures).map((file) => file.replace(/\.json$/, ""))
const fixture = (name: string): string => readFileSync(join(fixtures, `${name}.json`), "utf8")
const subscriptionId = "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67"

const cleanups: Array<() => unknown> = []
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

const folder = (): string => {
  const { path, remove } = temporaryFolder()
  cleanups.push(remove)
  return path
}

const start = async (options: Parameters<typeof startServer>[0]): Promise<ServerProcess> => {
  const server = await startServer(options)
  cleanups.push(server.stop)
  return server
}

const schemes = [
  { scheme: "utf8", secret: "polar_whs_InventedInventedInventedInvented0123AbCdEf", by: "npm start" },
  { scheme: "utf8", secret: "whsec_Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Z", by: "node" },
  { scheme: "standard", secret: "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", by: "node" }
] as const

const expectedState = (name: string): string =>
  name.startsWith("subscription.") || name.startsWith("customer.") ? "applied|stale" : "ignored"

describe("genuine deliveries over HTTP", () => {
  test.each(schemes)(
    "all 26 bodies, signed with $scheme keys of $secret",
    { timeout: 120_000 },
    async ({ by, scheme, secret }) => {
      const data = folder()
      const server = await start({ data, by, env: { POLAR_WEBHOOK_SECRET: secret } })
      assert.isNull(server.webhookSecret, "a secret from the environment is not printed")
      const webhook = signer(secret, scheme)
      const ids = new Map(names.map((name) => [name, randomUUID()]))
      for (const [name, id] of ids) {
        const answer = await deliver(server, webhook, id, fixture(name))
        assert.strictEqual(answer.status, 200, `${name}: ${await answer.clone().text()}`)
        assert.deepStrictEqual(await answer.json(), { received: true })
      }

      // The newest of the story is `subscription.resumed`, whatever order the files come in.
      assert.deepStrictEqual(await readSubscription(server, "usr_1042"), {
        id: subscriptionId,
        status: "active",
        productId: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60",
        currentPeriodEnd: "2027-02-05T00:00:08.900Z",
        cancelAtPeriodEnd: false
      })
      assert.isNull(await readSubscription(server, "usr_1043"))

      const inbox = query(data, "SELECT id, type, state, attempts, body FROM kavach_polar_deliveries")
      assert.lengthOf(inbox, 26)
      for (const [name, id] of ids) {
        const row = inbox.find((row) => (row as { id: string }).id === id) as Record<string, unknown>
        assert.include(expectedState(name), String(row["state"]), name)
        assert.strictEqual(row["body"], fixture(name), name)
        assert.strictEqual(row["attempts"], 1)
      }
      assert.deepStrictEqual(query(data, "SELECT id, user_id, status, live FROM kavach_polar_subscriptions"), [
        { id: subscriptionId, user_id: "usr_1042", status: "active", live: 1 }
      ])
      assert.deepStrictEqual(
        query(
          data,
          `SELECT polar_customer_id, polar_subscription_id, polar_subscription_status, polar_product_id,
          polar_current_period_end, typeof(polar_current_period_end) AS type, polar_cancel_at_period_end
         FROM kavach_users WHERE id = 'usr_1042'`
        ),
        [
          {
            polar_customer_id: "6b1f3c52-8f0a-4a5e-8d1b-7c9e2f4a1042",
            polar_subscription_id: subscriptionId,
            polar_subscription_status: "active",
            polar_product_id: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60",
            polar_current_period_end: Math.floor(Date.parse("2027-02-05T00:00:08.900Z") / 1000),
            type: "integer",
            polar_cancel_at_period_end: 0
          }
        ]
      )

      // The same deliveries once more, as after a crash of Polar's worker: nothing runs again.
      for (const [name, id] of ids) assert.strictEqual((await deliver(server, webhook, id, fixture(name))).status, 200)
      assert.deepStrictEqual(
        query(data, "SELECT max(attempts) AS most, count(*) AS rows FROM kavach_polar_deliveries"),
        [{ most: 1, rows: 26 }]
      )
      await server.stop()
    }
  )
})

const lifecycle = [
  ["subscription.created", "active"],
  ["subscription.active", "active"],
  ["subscription.updated", "active"],
  ["subscription.canceled", "active"],
  ["subscription.uncanceled", "active"],
  ["subscription.past_due", "past_due"],
  ["subscription.active", "active"],
  ["subscription.revoked", "canceled"]
] as const

/** The lifecycle as one story, each event a second after the one before. */
const story = lifecycle.map(([name, status], index) => {
  const { data, ...envelope } = JSON.parse(fixture(name))
  const timestamp = `2026-11-19T10:00:0${index}.310091Z`
  return { id: randomUUID(), status, body: JSON.stringify({ ...envelope, timestamp, data }) }
})

const secret = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="

describe("a subscription's life", () => {
  const orders = {
    forwards: story,
    backwards: [...story].reverse(),
    doubled: story.flatMap((event) => [event, event])
  }

  test.each(Object.entries(orders))("%s", { timeout: 60_000 }, async (order, events) => {
    const data = folder()
    const server = await start({ data, env: { POLAR_WEBHOOK_SECRET: secret } })
    const webhook = signer(secret, "standard")
    for (const { body, id, status } of events) {
      assert.strictEqual((await deliver(server, webhook, id, body)).status, 200)
      if (order === "forwards") {
        const subscription = (await readSubscription(server, "usr_1042")) as { readonly status: string } | null
        assert.strictEqual(subscription?.status ?? null, status === "canceled" ? null : status)
      }
    }
    assert.isNull(await readSubscription(server, "usr_1042"))
    assert.deepStrictEqual(query(data, "SELECT status, live, user_id FROM kavach_polar_subscriptions"), [
      { status: "canceled", live: 0, user_id: "usr_1042" }
    ])
    assert.deepStrictEqual(
      query(
        data,
        `SELECT polar_subscription_id, polar_subscription_status, polar_product_id, polar_current_period_end,
          polar_cancel_at_period_end FROM kavach_users WHERE id = 'usr_1042'`
      ),
      [
        {
          polar_subscription_id: null,
          polar_subscription_status: "canceled",
          polar_product_id: null,
          polar_current_period_end: null,
          polar_cancel_at_period_end: 0
        }
      ]
    )
    const told = {
      // created, canceled and uncanceled (the scheduled end), past_due (period and status), active again, revoked
      forwards: ["active", "active", "active", "past_due", "active", "canceled"],
      backwards: ["canceled"],
      doubled: ["active", "active", "active", "past_due", "active", "canceled"]
    }[order]
    await eventually(() => server.notifications().length >= (told?.length ?? 0))
    assert.deepStrictEqual(
      server.notifications(),
      told?.map((status) => `usr_1042 ${status}`)
    )
    assert.strictEqual(await server.stop(), 0)

    const restarted = await start({ data, env: { POLAR_WEBHOOK_SECRET: secret } })
    assert.isNull(await readSubscription(restarted, "usr_1042"))
    await restarted.stop()
    assert.deepStrictEqual(restarted.notifications(), [], "nothing is told twice")
  })
})

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
      body: JSON.stringify({ productId: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60" })
    })
    assert.strictEqual(checkout.status, 503)
    assert.isNotNull(checkout.headers.get("retry-after"))
    await second.stop()
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
      assert.strictEqual(blank.code, 1)
      assert.include(blank.stderr, `${variable} is set but blank`)
    }
    const prefix = await startAndFail({ data: folder(), env: { POLAR_WEBHOOK_SECRET: "whsec_" } })
    assert.strictEqual(prefix.code, 1)
    assert.include(prefix.stderr, "webhookSecret")
  })
})
