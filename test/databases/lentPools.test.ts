/** Pools of the app's own, with a users' table of the app's own: what is written, what is not, and what stays open. */
import { randomUUID } from "node:crypto"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import { signedHeaders } from "@kavach-polar/core/WebhookVerifier"
import { type PolarConfig, polar } from "@kavach-polar/http/standalone"
import { Effect, type Scope } from "effect"
import { describe, expect, test } from "vitest"
import { serverUrl } from "../servers/serverUrl.ts"
import { temporaryDatabase, temporaryPool } from "../store/MysqlHarness.ts"
import { newDatabase, newPool, newPostgresJs } from "../store/PostgresHarness.ts"

const secret = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="

const requestOf = (body: string) =>
  new Request("http://app.example/webhooks/polar", {
    method: "POST",
    headers: signedHeaders({
      secret,
      id: randomUUID(),
      timestampSeconds: Math.floor(Date.now() / 1000),
      body,
      key: "standard"
    }),
    body
  })

interface Lent {
  readonly provider: "postgres" | "mysql"
  /** The app's own. */
  readonly client: object
  /** Asks by the app's own pool. */
  readonly query: (sql: string) => Promise<ReadonlyArray<Readonly<Record<string, unknown>>>>
}

const onNodePostgres = (admin: string) =>
  Effect.gen(function* () {
    const client = yield* newPool((yield* newDatabase(admin)).url)
    return { provider: "postgres", client, query: async (sql) => (await client.query(sql)).rows } satisfies Lent
  })

const onPostgresJs = (admin: string) =>
  Effect.gen(function* () {
    const client = yield* newPostgresJs((yield* newDatabase(admin)).url, { onnotice: () => {} })
    return { provider: "postgres", client, query: async (sql) => [...(await client.unsafe(sql))] } satisfies Lent
  })

const onMysql2 = (admin: string) =>
  Effect.gen(function* () {
    const client = yield* temporaryPool({ uri: (yield* temporaryDatabase(admin)).url })
    const query: Lent["query"] = async (sql) => {
      const [rows] = await client.query(sql)
      return Array.isArray(rows) ? rows.map((row) => ({ ...row })) : []
    }
    return { provider: "mysql", client, query } satisfies Lent
  })

const pools: ReadonlyArray<
  readonly [name: string, admin: string | undefined, open: (admin: string) => Effect.Effect<Lent, unknown, Scope.Scope>]
> = [
  ["a pool of node-postgres", serverUrl("postgres"), onNodePostgres],
  ["a client of postgres.js", serverUrl("postgres"), onPostgresJs],
  ["a pool of mysql2 on MySQL", serverUrl("mysql"), onMysql2],
  ["a pool of mysql2 on MariaDB", serverUrl("mariadb"), onMysql2]
]

const members = `CREATE TABLE members (
  member_no INT PRIMARY KEY, mail VARCHAR(200), name VARCHAR(200), polar_customer_id VARCHAR(64))`
const kavachUsers = "CREATE TABLE kavach_users (id VARCHAR(255) PRIMARY KEY, email VARCHAR(255))"

for (const [name, admin, open] of pools) {
  describe.skipIf(admin === undefined)(name, () => {
    /** Delivers a subscription of user 7's to billing on the app's pool, and then closes billing and not the pool. */
    const deliverOn = async (lent: Lent, users: PolarConfig["users"]) => {
      const billing = polar({
        accessToken: "polar_oat_nobody",
        webhookSecret: secret,
        reconcileEveryHours: false,
        logLevel: "none",
        database: { provider: lent.provider, client: lent.client },
        ...(users === undefined ? {} : { users })
      })
      const scene = newScene()
      const send = async (externalId: string, of = newScene()) => {
        const { body } = subscriptionDelivery(of, "active", {
          externalId: UserId.make(externalId),
          email: "ada@acme-mail.dev",
          patch: { current_period_end: "2999-01-01T00:00:00Z" }
        })
        return (await billing.webhook(requestOf(body ?? ""))).status
      }
      const statuses = [await send("7", scene), await send("8")]
      const access = [(await billing.access("7")).entitlement, (await billing.access("8")).entitlement]
      await billing.dispose()
      return { scene, statuses, access }
    }

    const run = (use: (lent: Lent) => Promise<void>) =>
      Effect.runPromise(Effect.scoped(Effect.flatMap(open(admin ?? ""), (lent) => Effect.promise(() => use(lent)))))

    test("the app's own users' table is read and never written, and the pool stays open", () =>
      run(async (lent) => {
        await lent.query(members)
        await lent.query("INSERT INTO members VALUES (7, 'ada@acme-mail.dev', 'Ada', 'before')")
        const users = { table: "members", id: "member_no", email: "mail" }
        const { access, statuses } = await deliverOn(lent, users)
        expect(statuses).toEqual([200, 200])
        // Of somebody whom the app does not have.
        expect(access).toEqual(["granted", "denied"])
        expect(await lent.query("SELECT * FROM members")).toEqual([
          { member_no: 7, mail: "ada@acme-mail.dev", name: "Ada", polar_customer_id: "before" }
        ])
        expect(await lent.query("SELECT count(*) AS n FROM kavach_polar_deliveries")).toEqual([
          { n: expect.toSatisfy((count) => Number(count) === 2) }
        ])
        await expect(lent.query("SELECT * FROM kavach_users")).rejects.toThrowError()
        // And a second time on the same pool: the tables are there.
        expect((await deliverOn(lent, users)).statuses).toEqual([200, 200])
        expect(await lent.query("SELECT 1 AS one")).toEqual([{ one: 1 }])
      }))

    test("without users a kavach_users that is there gets the columns, and shows the subscription", () =>
      run(async (lent) => {
        await lent.query(kavachUsers)
        await lent.query("INSERT INTO kavach_users VALUES ('7', 'ada@acme-mail.dev')")
        const { access, scene, statuses } = await deliverOn(lent, undefined)
        expect(statuses).toEqual([200, 200])
        expect(access).toEqual(["granted", "denied"])
        expect(
          await lent.query(
            "SELECT id, polar_customer_id, polar_subscription_id, polar_subscription_status FROM kavach_users"
          )
        ).toEqual([
          {
            id: "7",
            polar_customer_id: scene.customerId,
            polar_subscription_id: scene.subscriptionId,
            polar_subscription_status: "active"
          }
        ])
        expect(await lent.query("SELECT 1 AS one")).toEqual([{ one: 1 }])
      }))
  })
}
