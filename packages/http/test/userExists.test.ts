/** `userExists` of `polar()`: a function of the app's, which may well read the database that billing writes. */
import { UserLookupFailed } from "@kavach-polar/core/UserLookupFailed"
import { polar } from "@kavach-polar/http/standalone"
import Database from "better-sqlite3"
import { Cause, Effect, Logger } from "effect"
import { afterEach, describe, expect, test } from "vitest"
import { anonymousCustomer, vary } from "../../core/test/deliveries.ts"
import { orErrorResponse } from "../src/routes/errorResponse.ts"
import { deliveryOf, secret } from "./host.ts"

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** An app with a table of members of its own, in the database that billing has, too. */
const startApp = (userExists: (userId: string, client: Database.Database) => boolean | Promise<boolean>) => {
  const client = new Database(":memory:")
  client.exec("CREATE TABLE members (id TEXT PRIMARY KEY); CREATE TABLE questions (id TEXT)")
  const told: Array<string> = []
  const billing = polar({
    accessToken: "polar_oat_nobody",
    webhookSecret: secret,
    reconcileEveryHours: false,
    logLevel: "none",
    database: { provider: "sqlite", client },
    userExists: (userId) => userExists(userId, client),
    onSubscriptionChange: (userId, { status }) => void told.push(`${userId} ${status}`)
  })
  cleanups.push(
    () => client.close(),
    () => billing.dispose()
  )
  const now = new Date("2026-10-06T00:00:00Z")
  return {
    billing,
    client,
    told,
    deliver: (id: string, body: Uint8Array) => billing.webhook(deliveryOf(body, { id })),
    entitlement: async (userId: string) => (await billing.access(userId, { at: now })).entitlement,
    stored: () => client.prepare("SELECT id, state, attempts FROM kavach_polar_deliveries").all()
  }
}

const ofMember = vary("subscription.active", { data: anonymousCustomer("cus_1", "member-7") })
const inMetadata = vary("subscription.active", {
  data: { ...anonymousCustomer("cus_1"), metadata: { kavach_user_id: "member-7" } }
})

/** Reads and writes, in a transaction of its own: SQLite has one at a time, so this throws within one of billing's. */
const lookUp = (userId: string, client: Database.Database): boolean => {
  expect(client.inTransaction).toBe(false)
  return client
    .transaction(() => {
      client.prepare("INSERT INTO questions VALUES (?)").run(userId)
      return client.prepare("SELECT 1 FROM members WHERE id = ?").get(userId) !== undefined
    })
    .immediate()
}

test("it may read and write the database that billing has, and is never called within a transaction", async () => {
  const app = startApp(lookUp)
  app.client.prepare("INSERT INTO members VALUES ('member-7')").run()
  expect((await app.deliver("evt_1", ofMember)).status).toBe(200)
  expect(await app.entitlement("member-7")).toBe("granted")
  expect(app.client.prepare("SELECT id FROM questions").all()).toEqual([{ id: "member-7" }])
})

test("sixteen deliveries at once, each asked for, and all are applied", async () => {
  const app = startApp(async (userId, client) => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    return lookUp(userId, client)
  })
  const members = Array.from({ length: 16 }, (_, index) => `member-${index}`)
  for (const id of members) app.client.prepare("INSERT INTO members VALUES (?)").run(id)
  const answers = await Promise.all(
    members.map((id, index) =>
      app.deliver(
        `evt_${index}`,
        vary("subscription.active", { data: { ...anonymousCustomer(`cus_${index}`, id), id: `sub_${index}` } })
      )
    )
  )
  expect(answers.map(({ status }) => status)).toEqual(members.map(() => 200))
  for (const id of members) expect(await app.entitlement(id)).toBe("granted")
})

test("nobody has what waits, until the app has the user and linkWaiting is called", async () => {
  const app = startApp(lookUp)
  expect((await app.deliver("evt_1", inMetadata)).status).toBe(200)
  expect(await app.entitlement("member-7")).toBe("denied")
  expect(await app.billing.getSubscription("member-7")).toBeNull()
  expect(await app.billing.customers.waiting()).toMatchObject([{ evidence: { metadataUserId: "member-7" } }])
  expect(await app.billing.linkWaiting()).toBe(0)
  app.client.prepare("INSERT INTO members VALUES ('member-7')").run()
  expect(await app.billing.linkWaiting()).toBe(1)
  expect(await app.entitlement("member-7")).toBe("granted")
  await app.billing.settled()
  expect(app.told).toEqual(["member-7 active"])
})

describe("Polar is told to deliver again, and the delivery is applied once", () => {
  test.each([
    [
      "when it throws",
      () => {
        throw new Error("the members' service is away")
      }
    ],
    ["when it rejects", () => Promise.reject(new Error("the members' service is away"))],
    ["when it does not answer", () => new Promise<boolean>(() => {})]
  ])("%s", async (_name, failure: () => boolean | Promise<boolean>) => {
    let answer = failure
    const app = startApp(() => answer())
    const refused = await app.deliver("evt_1", ofMember)
    expect(refused.status).toBe(503)
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0)
    expect(await refused.json()).toEqual({ error: "Billing is temporarily unavailable" })
    expect(app.stored()).toEqual([])
    answer = () => true
    for (const _ of ["the next attempt", "one too many"]) {
      expect((await app.deliver("evt_1", ofMember)).status).toBe(200)
      expect(app.stored()).toEqual([{ id: "evt_1", state: "applied", attempts: 1 }])
    }
    expect(await app.entitlement("member-7")).toBe("granted")
    await app.billing.settled()
    expect(app.told).toEqual(["member-7 active"])
  })
})

test("a call that needs the answer is a UserLookupFailed that says what to do", async () => {
  let isAway = false
  const app = startApp(() => {
    if (isAway) throw new Error("the members' service is away")
    return false
  })
  await app.deliver("evt_1", inMetadata)
  isAway = true
  await expect(app.billing.linkWaiting()).rejects.toMatchObject({
    _tag: "UserLookupFailed",
    message: expect.stringMatching(/userExists\(\) failed .* nothing was written\. Try again\./)
  })
})

test("why it failed is logged with its stack, and is not in the answer", async () => {
  const logged: Array<string> = []
  const logger = Logger.make(({ message }) => void logged.push([message].flat().join(" ")))
  const failed = new UserLookupFailed({ cause: Cause.fail(new Error("the members' service is away")) })
  const answer = await Effect.runPromise(
    Effect.provide(orErrorResponse(Effect.fail(failed)), Logger.replace(Logger.defaultLogger, logger))
  )
  expect(answer.status).toBe(503)
  expect(JSON.stringify(answer)).not.toContain("members")
  expect(logged).toHaveLength(1)
  expect(logged[0]).toMatch(/^UserLookupFailed: .*the members' service is away.*userExists\.test\.ts/)
})
