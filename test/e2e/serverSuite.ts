/** The main job on real input, on one database: genuine deliveries over HTTP, read back over HTTP and with plain SQL. */
import { randomUUID } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, describe, test } from "vitest"
import { isKeptAs } from "../prove/keptBody.ts"
import {
  deliver,
  eventually,
  readSubscription,
  type ServerProcess,
  signer,
  startServer,
  temporaryFolder
} from "./serverProcess.ts"

/** A new, empty database, seen over a connection of its own. Booleans come as 0 and 1, counts as numbers. */
export interface TestDatabase {
  /** What the server is told of it; none for the SQLite file in its data folder. */
  readonly env: Readonly<Record<string, string>>
  readonly query: (sql: string) => Promise<ReadonlyArray<Readonly<Record<string, unknown>>>>
  readonly drop: () => Promise<void>
}

export interface DatabaseUnderTest {
  readonly name: string
  /** The data folder is where the server keeps its SQLite file. */
  readonly create: (dataFolder: string) => Promise<TestDatabase>
  /** The period's end in the user's row, as seconds since 1970. */
  readonly periodEndSeconds: string
}

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
  { scheme: "utf8", secret: "polar_whs_InventedInventedInventedInvented0123AbCdEf", by: "npm run serve" },
  { scheme: "utf8", secret: "whsec_Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Z", by: "node" },
  { scheme: "standard", secret: "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", by: "node" }
] as const

/** A customer of another deployment in the same organization, or of an app's own organizations: none of the demo's users. */
const stranger = "org_77"

const expectedState = (name: string): string => {
  const { data } = JSON.parse(fixture(name))
  const customer = name.startsWith("customer.") ? data : data.customer
  return customer?.external_id === stranger ? "unlinked" : "applied|stale"
}

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

const now = Date.now()

/** Every time in a text by so much later. Polar's have microseconds, of which a `Date` knows nothing. */
const later = (json: string, milliseconds: number): string =>
  json.replace(/"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})(\d{3}Z")/g, (_, time: string, rest: string) => {
    const moved = new Date(Date.parse(`${time}Z`) + milliseconds).toISOString().slice(0, -1)
    return `"${moved}${rest}`
  })

/** What was last heard of the period in which a body was sent. */
const newestOf: Readonly<Record<string, string>> = {
  "subscription.past_due": "subscription.past_due",
  "subscription.revoked": "subscription.revoked"
}

/**
 * The lifecycle as one story that goes on now, because the clock decides as well: a period that was canceled is over at its end.
 * The newest event of a period was sent just now, and in the story each comes a second after the one before.
 */
const story = lifecycle.map(([name, status], index) => {
  const newest: { readonly timestamp: string } = JSON.parse(fixture(newestOf[name] ?? "subscription.uncanceled"))
  const { data, ...envelope } = JSON.parse(later(fixture(name), now - Date.parse(newest.timestamp)))
  const timestamp = new Date(now - (lifecycle.length - index) * 1000).toISOString().replace("Z", "091Z")
  return { id: randomUUID(), status, body: JSON.stringify({ ...envelope, timestamp, data }) }
})

const secret = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="

export const serverSuite = ({ create, name, periodEndSeconds }: DatabaseUnderTest): void => {
  const database = async (dataFolder: string): Promise<TestDatabase> => {
    const created = await create(dataFolder)
    cleanups.push(created.drop)
    return created
  }

  describe(name, () => {
    describe("genuine deliveries over HTTP", () => {
      test.each(schemes)(
        "all bodies, signed with $scheme keys of $secret",
        { timeout: 120_000 },
        async ({ by, scheme, secret }) => {
          const data = folder()
          const { env, query } = await database(data)
          const server = await start({ data, by, env: { ...env, POLAR_WEBHOOK_SECRET: secret } })
          assert.isNull(server.webhookSecret, "a secret from the environment is kept nowhere")
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

          const deletedCustomerId: string = JSON.parse(fixture("customer.deleted")).data.id
          const inbox = await query("SELECT id, type, state, attempts, customer_id, body FROM kavach_polar_deliveries")
          assert.lengthOf(inbox, names.length)
          for (const [name, id] of ids) {
            const row = inbox.find((row) => row["id"] === id)
            assert.include(expectedState(name), String(row?.["state"]), name)
            // One of them says that the customer was deleted: nothing of theirs is kept, whatever comes before or after it.
            const isForgotten = row?.["customer_id"] === deletedCustomerId
            assert.isTrue(isKeptAs(row?.["body"], fixture(name), isForgotten || row?.["state"] === "ignored"), name)
            assert.strictEqual(row?.["attempts"], 1)
          }
          assert.deepStrictEqual(await query("SELECT id, user_id, status, live FROM kavach_polar_subscriptions"), [
            { id: subscriptionId, user_id: "usr_1042", status: "active", live: 1 }
          ])
          assert.deepStrictEqual(
            await query(
              `SELECT polar_customer_id, polar_subscription_id, polar_subscription_status, polar_product_id,
          ${periodEndSeconds} AS period_end, polar_cancel_at_period_end
         FROM kavach_users WHERE id = 'usr_1042'`
            ),
            [
              {
                // Polar has deleted the customer: there is nothing to ask it for by that id.
                polar_customer_id: null,
                polar_subscription_id: subscriptionId,
                polar_subscription_status: "active",
                polar_product_id: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60",
                period_end: Math.floor(Date.parse("2027-02-05T00:00:08.900Z") / 1000),
                polar_cancel_at_period_end: 0
              }
            ]
          )

          assert.deepStrictEqual(
            await query("SELECT DISTINCT user_id FROM kavach_polar_records WHERE user_id IS NOT NULL"),
            [{ user_id: "usr_1042" }],
            "the stranger's purchases are nobody's here"
          )

          // The same deliveries once more, as after a crash of Polar's worker: nothing runs again but what waits for its user.
          for (const [name, id] of ids)
            assert.strictEqual((await deliver(server, webhook, id, fixture(name))).status, 200)
          const again = await query("SELECT id, attempts FROM kavach_polar_deliveries")
          assert.lengthOf(again, names.length)
          for (const [name, id] of ids) {
            const attempts = again.find((row) => row["id"] === id)?.["attempts"]
            assert.strictEqual(attempts, expectedState(name) === "unlinked" ? 2 : 1, name)
          }
          await server.stop()
        }
      )
    })

    test("a newer version's tables: worked with where it says so, and otherwise only billing is out of service", {
      timeout: 60_000
    }, async () => {
      const data = folder()
      const { env, query } = await database(data)
      const ask = (server: ServerProcess) =>
        fetch(`${server.url}/auth/polar/subscription`, { headers: { "x-demo-user": "usr_1042" } })
      const first = await start({ data, env })
      assert.strictEqual((await ask(first)).status, 200)
      await first.stop()
      await query(
        `INSERT INTO kavach_polar_migrations (version, name, checksum, requires, applied_at)
         SELECT 999, '0999_from_the_future', checksum, version, applied_at FROM kavach_polar_migrations
         ORDER BY version DESC LIMIT 1`
      )
      const beside = await start({ data, env })
      assert.strictEqual((await ask(beside)).status, 200)
      await eventually(() => beside.said().includes("0999_from_the_future of a newer version"))
      assert.include(beside.said(), "0999_from_the_future of a newer version")
      await beside.stop()
      await query("UPDATE kavach_polar_migrations SET requires = 999 WHERE version = 999")
      const behind = await start({ data, env })
      assert.strictEqual((await fetch(`${behind.url}/anything-else`)).status, 404, "the host itself answers")
      assert.strictEqual((await ask(behind)).status, 503)
      const refused = await deliver(
        behind,
        signer(behind.webhookSecret ?? "", "standard"),
        "evt",
        fixture("order.paid")
      )
      assert.strictEqual(refused.status, 503)
      assert.include(behind.said(), "BILLING DOES NOT WORK")
      assert.include(behind.said(), "0999_from_the_future, which this version does not know and cannot work with")
      await behind.stop()
    })

    describe("a subscription's life", () => {
      const orders = {
        forwards: story,
        backwards: [...story].reverse(),
        doubled: story.flatMap((event) => [event, event])
      }

      test.each(Object.entries(orders))("%s", { timeout: 60_000 }, async (order, events) => {
        const data = folder()
        const { env, query } = await database(data)
        const server = await start({ data, env: { ...env, POLAR_WEBHOOK_SECRET: secret } })
        const webhook = signer(secret, "standard")
        for (const { body, id, status } of events) {
          assert.strictEqual((await deliver(server, webhook, id, body)).status, 200)
          if (order === "forwards") {
            const subscription = (await readSubscription(server, "usr_1042")) as { readonly status: string } | null
            assert.strictEqual(subscription?.status ?? null, status === "canceled" ? null : status)
          }
        }
        assert.isNull(await readSubscription(server, "usr_1042"))
        assert.deepStrictEqual(await query("SELECT status, live, user_id FROM kavach_polar_subscriptions"), [
          { status: "canceled", live: 0, user_id: "usr_1042" }
        ])
        assert.deepStrictEqual(
          await query(
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

        const restarted = await start({ data, env: { ...env, POLAR_WEBHOOK_SECRET: secret } })
        assert.isNull(await readSubscription(restarted, "usr_1042"))
        await restarted.stop()
        assert.deepStrictEqual(restarted.notifications(), [], "nothing is told twice")
      })
    })
  })
}
