/**
 * Twelve bad days. On each `doctor` names what is wrong and what helps, that is done and nothing else, and `doctor` is green. Where
 * it is done by hand (a variable, a clock, a deployment) the test does what `doctor` said.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Seed } from "@kavach-polar/simulator"
import Database from "better-sqlite3"
import { Redacted } from "effect"
import { afterEach, describe, expect, test, vi } from "vitest"
import { migratePreviously } from "../../packages/adapter-sqlite/test/previousTables.ts"
import { type OperatedApp, withOperatedApp } from "./OperatedApp.ts"

afterEach(() => {
  vi.useRealTimers()
})

/** Polar tries again what it has not given up on. */
const later = async ({ simulator }: OperatedApp, duration: "1 day" | "20 minutes") => {
  await simulator.advance(duration)
  await simulator.flush()
}

const finding = (check: string, level: string, what: string, help: string) =>
  expect.objectContaining({
    check,
    level,
    what: expect.stringContaining(what),
    help: expect.stringContaining(help)
  })

describe("a bad day", () => {
  test("1. Polar has disabled the endpoint, after a night without the app", () =>
    withOperatedApp(async (app) => {
      await app.simulator.setChaos({ drops: 1 })
      await app.buy("ada")
      await later(app, "1 day")
      await app.simulator.setChaos({ drops: 0 })
      expect((await app.endpoints())[0]).toMatchObject({ enabled: false })

      const { status, wrong } = await app.doctor()
      expect(status).toBe("broken")
      expect(wrong).toContainEqual(
        finding("endpoint", "broken", "disabled", "kavach-polar setup, then: kavach-polar reconcile")
      )
      expect(await app.run("setup --yes")).toMatchObject({ exitCode: 0 })
      expect(await app.run("reconcile")).toMatchObject({ exitCode: 0 })
      await app.simulator.flush()
      expect(await app.hasAccess("ada")).toBe(true)
      await app.isGreen()
    }))

  test("2. the app has another secret than the endpoint", () =>
    withOperatedApp(async (app) => {
      app.set({ POLAR_WEBHOOK_SECRET: "whsec_b2YgdGhlIHNhbmRib3gsIGFuZCBub3Qgb2YgcHJvZHVjdGlvbg==" })
      await app.restart()
      await app.buy("ada")
      const { wrong } = await app.doctor()
      expect(wrong).toContainEqual(
        finding("secret", "broken", "is not the secret that Polar signs with", "kavach-polar setup --env-file .env")
      )
      expect(wrong).toContainEqual(
        finding("endpoint", "broken", "as to a wrong signature", "kavach-polar setup --env-file .env")
      )
      expect(await app.run("setup --yes --env-file .env")).toMatchObject({ exitCode: 0 })
      await app.restart()
      await later(app, "20 minutes")
      expect(await app.hasAccess("ada")).toBe(true)
      await app.isGreen()
    }))

  test("3. a colleague has made a new secret at Polar, and told nobody", () =>
    withOperatedApp(async (app) => {
      await app.buy("ada")
      const [endpoint] = await app.endpoints()
      await app.api("PATCH", `/v1/webhooks/endpoints/${endpoint?.id}/secret`, {})
      // Before the first delivery that is refused.
      expect((await app.doctor()).wrong).toEqual([
        finding("secret", "broken", "is not the secret that Polar signs with", "kavach-polar setup --env-file .env")
      ])
      expect(await app.run("setup --yes --env-file .env")).toMatchObject({ exitCode: 0 })
      await app.restart()
      await app.buy("bob")
      expect(await app.hasAccess("bob")).toBe(true)
      await app.isGreen()
    }))

  test("4. the token is of the other environment", () =>
    withOperatedApp(async (app) => {
      const token = app.env["POLAR_ACCESS_TOKEN"] ?? ""
      app.set({ POLAR_ACCESS_TOKEN: "polar_oat_OfTheOtherEnvironment" })
      const { wrong } = await app.doctor()
      expect(wrong[0]).toEqual(finding("token", "broken", "does not accept the access token", "Set POLAR_ACCESS_TOKEN"))
      app.set({ POLAR_ACCESS_TOKEN: token })
      await app.isGreen()
    }))

  test("5. the token lacks scopes, those for writing too", () => {
    const [all, limited] = ["polar_oat_all", "polar_oat_limited"]
    return withOperatedApp(
      async (app) => {
        await app.buy("ada")
        app.set({ POLAR_ACCESS_TOKEN: limited })
        const { status, wrong } = await app.doctor()
        expect(status).toBe("broken")
        const help = "Make a token that has it at Polar"
        expect(wrong.filter(({ check }) => check === "scopes")).toEqual([
          finding("scopes", "broken", "lacks orders:read", help),
          finding("scopes", "broken", "lacks checkouts:write", help),
          finding("scopes", "warning", "lacks customer_sessions:write", help)
        ])
        // Looking for a scope has made nothing.
        expect(await app.api("GET", "/v1/checkouts/")).toMatchObject({ items: [expect.anything()] })
        app.set({ POLAR_ACCESS_TOKEN: all })
        await app.isGreen()
      },
      {},
      {
        accessTokens: [
          { token: Redacted.make(all) },
          {
            token: Redacted.make(limited),
            scopes: [
              ..."organizations:read webhooks:read subscriptions:read customers:write checkouts:read members:read".split(
                " "
              ),
              ..."refunds:read benefits:read products:read discounts:read".split(" ")
            ]
          }
        ]
      }
    )
  })

  test("6. the database is behind the code", () =>
    withOperatedApp(async (app) => {
      const old = join(app.folder, "old.db")
      makeOldDatabase(old)
      app.set({ DATABASE_URL: old })
      const { wrong } = await app.doctor()
      expect(wrong[0]).toEqual(finding("database", "broken", "The database has yet to have", "kavach-polar migrate"))
      expect(await app.run("migrate")).toMatchObject({ exitCode: 0 })
      await app.isGreen()
    }))

  test("7. callbacks failed for a weekend", async () => {
    let isDown = true
    const told: Array<string> = []
    await withOperatedApp(
      async (app) => {
        await app.buy("ada")
        await vi.waitFor(async () => expect((await app.billing.settled()).dead).toBe(1), { timeout: 10_000 })
        isDown = false
        const { wrong } = await app.doctor()
        expect(wrong).toEqual([finding("waiting", "broken", "did not take 1 notification", "notifications retry")])
        expect(await app.run("notifications list")).toMatchObject({ exitCode: 0 })
        expect(await app.run("notifications retry --all")).toMatchObject({ exitCode: 0 })
        await app.restart()
        await app.billing.settled()
        expect(told).toEqual(["ada active"])
        await app.isGreen()
      },
      {
        callback: { attempts: 1 },
        onSubscriptionChange: (user, { status }) => {
          if (isDown) throw new Error("the mail server is away")
          told.push(`${user} ${status}`)
        }
      }
    )
  })

  test("8. a customer is linked to the wrong user", async () => {
    const users = new Set(["bob"])
    await withOperatedApp(
      async (app) => {
        // Somebody sold to Ada at Polar before she was a user, and linked what waited to Bob.
        const { id: customer } = await app.api("POST", "/v1/customers/", {
          email: "ada@acme-mail.dev",
          external_id: "ada"
        })
        const { id } = await app.api("POST", "/v1/checkouts/", {
          products: [Seed.products.pro.id],
          customer_id: customer
        })
        await app.simulator.pay(id)
        await app.simulator.flush()
        expect(await app.run(`customers link ${customer} --user bob`)).toMatchObject({ exitCode: 0, err: "" })
        users.add("ada")
        await app.billing.createCheckout("ada", Seed.products.team.id, { ifSubscribed: "buy" })
        await app.simulator.flush()

        const { wrong } = await app.doctor()
        const help = `kavach-polar customers move ${customer} --user ada`
        expect(wrong).toEqual([finding("links", "warning", "is linked to user bob", help)])
        expect(await app.run(help.replace("kavach-polar ", ""))).toMatchObject({ exitCode: 0 })
        expect([await app.hasAccess("ada"), await app.hasAccess("bob")]).toEqual([true, false])
        await app.isGreen()
        // Moved on purpose it is no mistake.
        await app.run(`customers move ${customer} --user bob`)
        await app.isGreen()
      },
      { userExists: async (id) => users.has(id) }
    )
  })

  test("9. webhooks were lost for a day", () =>
    withOperatedApp(async (app) => {
      await app.buy("ada")
      await app.simulator.setChaos({ drops: 1 })
      const [subscription] = await app.billing.listSubscriptions("ada")
      await app.api("PATCH", `/v1/subscriptions/${subscription?.id}`, { cancel_at_period_end: true })
      await later(app, "1 day")
      await app.simulator.setChaos({ drops: 0 })

      const { wrong } = await app.doctor()
      expect(wrong).toContainEqual(
        finding("endpoint", "broken", "events of the last 30 days did not arrive", "kavach-polar reconcile")
      )
      expect(wrong).toContainEqual(finding("drift", "broken", "not as Polar has them", "kavach-polar reconcile"))
      expect(await app.run("reconcile")).toMatchObject({ exitCode: 0 })
      await app.simulator.flush()
      expect((await app.billing.getSubscription("ada"))?.cancelAtPeriodEnd).toBe(true)
      await app.isGreen()
    }))

  test("10. the clock is off by six minutes", () =>
    withOperatedApp(async (app) => {
      await app.buy("ada")
      const now = Date.now()
      vi.useFakeTimers({ toFake: ["Date"] })
      vi.setSystemTime(now + 6 * 60_000)
      const { wrong } = await app.doctor()
      expect(wrong).toContainEqual(finding("clock", "broken", "seconds ahead of Polar's", "by a time server (NTP)"))
      expect(wrong.find(({ check }) => check === "clock")?.what).toMatch(/3[56]\d seconds ahead/)
      vi.useRealTimers()
      await app.isGreen()
    }))

  test("11. the tables are of a newer version than the code", () =>
    withOperatedApp(async (app) => {
      await app.buy("ada")
      const database = new Database(join(app.folder, "app.db"))
      database.exec(
        "INSERT INTO kavach_polar_migrations (version, name, checksum, requires, applied_at) SELECT 9999, 'of_tomorrow', 'x', 9999, max(applied_at) FROM kavach_polar_migrations"
      )
      const { wrong } = await app.doctor()
      expect(wrong[0]).toEqual(
        finding(
          "database",
          "broken",
          "does not know and cannot work with",
          "deploy the version that has made the tables"
        )
      )
      // That version is deployed: to it the migration is one that it knows.
      database.exec("UPDATE kavach_polar_migrations SET requires = 1 WHERE version = 9999")
      database.close()
      await app.isGreen()
    }))

  test("12. our events go to somebody else's endpoint", () =>
    withOperatedApp(async (app) => {
      const [endpoint] = await app.endpoints()
      await app.api("PATCH", `/v1/webhooks/endpoints/${endpoint?.id}`, {
        url: "https://preview-42.example.com/auth/polar/webhook"
      })
      await app.simulator.setChaos({ drops: 1 })
      await app.buy("ada")
      await app.simulator.setChaos({ drops: 0 })
      const { wrong } = await app.doctor()
      expect(wrong).toContainEqual(
        finding(
          "endpoint",
          "broken",
          "https://preview-42.example.com",
          "kavach-polar setup --url https://YOUR-APP/auth/polar/webhook"
        )
      )
      expect(await app.run(`setup --yes --url ${app.url} --env-file .env`)).toMatchObject({ exitCode: 0 })
      await app.restart()
      expect((await app.doctor()).wrong).toEqual([
        finding("drift", "broken", "not as Polar has them", "kavach-polar reconcile")
      ])
      expect(await app.run("reconcile")).toMatchObject({ exitCode: 0 })
      expect(await app.hasAccess("ada")).toBe(true)
      await app.buy("bob")
      expect(await app.hasAccess("bob")).toBe(true)
      expect(await app.endpoints()).toHaveLength(2)
      await app.isGreen()
    }))
})

describe("doctor --send", () => {
  test("sends what the app takes, and does nothing with", () =>
    withOperatedApp(async (app) => {
      await app.buy("ada")
      for (const _ of [1, 2]) {
        const { exitCode, out } = await app.run("doctor --send")
        expect([exitCode, out]).toEqual([
          0,
          expect.stringContaining("accepted a delivery that was signed with POLAR_WEBHOOK_SECRET")
        ])
      }
      const sent = await app.run("events list --type kavach_polar.doctor --json")
      expect(sent.out.split("\n").map((line) => JSON.parse(line))).toMatchObject([{ state: "ignored", attempts: 1 }])
    }))

  test("finds an app that runs with another secret, and one that is not there", () =>
    withOperatedApp(async (app) => {
      const right = app.env["POLAR_WEBHOOK_SECRET"] ?? ""
      app.set({ POLAR_WEBHOOK_SECRET: "whsec_b2YgdGhlIHNhbmRib3gsIGFuZCBub3Qgb2YgcHJvZHVjdGlvbg==" })
      await app.restart()
      app.set({ POLAR_WEBHOOK_SECRET: right })
      const refused = await app.run("doctor --send")
      expect(refused).toMatchObject({ exitCode: 1, out: expect.stringContaining("refused a delivery") })
      expect(refused.out).not.toContain(right)
      const away = await app.run("doctor --send", { POLAR_WEBHOOK_URL: "http://127.0.0.1:9/auth/polar/webhook" })
      expect(away).toMatchObject({ exitCode: 1, out: expect.stringContaining("did not answer") })
      writeFileSync(join(app.folder, ".env"), "")
      expect(await app.run("doctor --send")).toMatchObject({ exitCode: 2 })
    }))
})

/** Of the first release. */
const makeOldDatabase = (filename: string): void => {
  const database = new Database(filename)
  database.exec(
    "CREATE TABLE kavach_users (id TEXT PRIMARY KEY, email TEXT, name TEXT, created_at INTEGER, updated_at INTEGER)"
  )
  migratePreviously((sql, ...parameters) => {
    const statement = database.prepare(sql)
    if (!statement.reader) statement.run(...parameters)
    return []
  }, 1)
  database.close()
}
