/** `userExists` that asks the same server, over the only connection that the app and billing have between them. */
import { randomUUID } from "node:crypto"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { signedHeaders } from "@kavach-polar/core/WebhookVerifier"
import { polar } from "@kavach-polar/http"
import { Effect, Exit, Scope } from "effect"
import type pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { anonymousCustomer, vary } from "../../packages/core/test/deliveries.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import { newDatabase, newPool } from "../store/PostgresHarness.ts"

const admin = serverUrl("postgres")
const secret = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="

const deliveryOf = (body: Uint8Array) =>
  new Request("http://app.example/auth/polar/webhook", {
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

describe.skipIf(admin === undefined)("on a pool of one connection", () => {
  if (admin === undefined) return
  const scope = Effect.runSync(Scope.make())
  let pool: pg.Pool
  beforeAll(async () => {
    const opening = Effect.flatMap(newDatabase(admin), ({ url }) => newPool(url, 1))
    pool = await Effect.runPromise(Effect.provideService(opening, Scope.Scope, scope))
    await pool.query("CREATE TABLE members (id TEXT PRIMARY KEY); CREATE TABLE questions (id TEXT)")
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  /** A transaction of its own: within one of billing's it would wait for the connection that this one holds. */
  const userExists = async (userId: string) => {
    const client = await pool.connect()
    try {
      await client.query("BEGIN")
      await client.query("INSERT INTO questions VALUES ($1)", [userId])
      const { rowCount } = await client.query("SELECT 1 FROM members WHERE id = $1", [userId])
      await client.query("COMMIT")
      return rowCount === 1
    } finally {
      client.release()
    }
  }

  test("deliveries that come at once are all applied, what waits is, and nothing waits for itself", async () => {
    const billing = polar({
      accessToken: "polar_oat_nobody",
      webhookSecret: secret,
      reconcileEveryHours: false,
      logLevel: "none",
      store: PostgresStore.fromClient(pool, { users: false }),
      userExists
    })
    const at = new Date("2026-10-06T00:00:00Z")
    const members = Array.from({ length: 8 }, (_, index) => `member-${index}`)
    const deliverAll = () =>
      Promise.all(
        members.map((id, index) =>
          billing.webhook(
            deliveryOf(
              vary("subscription.active", {
                data: { ...anonymousCustomer(`cus_${index}`), id: `sub_${index}`, metadata: { kavach_user_id: id } }
              })
            )
          )
        )
      )
    const entitlements = async () => {
      const all = await Promise.all(members.map((id) => billing.access(id, { at })))
      return new Set(all.map(({ entitlement }) => entitlement))
    }

    expect((await deliverAll()).map(({ status }) => status)).toEqual(members.map(() => 200))
    expect(await entitlements()).toEqual(new Set(["denied"]))
    expect(await billing.linkWaiting()).toBe(0)
    await pool.query("INSERT INTO members SELECT unnest($1::text[])", [members])
    expect(await billing.linkWaiting()).toBe(members.length)
    expect(await entitlements()).toEqual(new Set(["granted"]))
    const { rows } = await pool.query("SELECT count(*)::int AS asked FROM questions")
    expect(rows).toEqual([{ asked: 3 * members.length }])
    await billing.dispose()
  })
})
