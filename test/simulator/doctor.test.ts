/** What else `doctor` finds than the twelve bad days of drills.test.ts, and what it leaves alone. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import type { PolarConfig } from "@kavach-polar/http"
import type { ServeOptions } from "@kavach-polar/simulator"
import Database from "better-sqlite3"
import { Redacted } from "effect"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { email, pro, type Scene, userId, withScene } from "./BillingScene.ts"
import { type Ran, kavachPolar as run } from "./kavachPolar.ts"

let folder = ""
let filename = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  filename = join(folder, "app.db")
})

afterEach(() => {
  vi.useRealTimers()
  rmSync(folder, { recursive: true, force: true })
})

/** Beside the app. */
const kavachPolar = (
  { simulator }: Scene,
  line: string,
  env: Readonly<Record<string, string | undefined>> = {}
): Promise<Ran> =>
  run(line.split(" "), {
    env: {
      DATABASE_URL: filename,
      POLAR_ACCESS_TOKEN: simulator.accessToken,
      POLAR_API_URL: simulator.url,
      POLAR_WEBHOOK_URL: "http://in-process.invalid/",
      ...env
    }
  })

interface Found {
  readonly check: string
  readonly level: string
  readonly what: string
  readonly help: string | null
}

const findings = async (scene: Scene, env?: Readonly<Record<string, string | undefined>>) => {
  const { exitCode, out } = await kavachPolar(scene, "doctor --json", env)
  const { findings: found, status } = JSON.parse(out) as {
    readonly status: string
    readonly findings: ReadonlyArray<Found>
  }
  expect(exitCode).toBe({ fine: 0, broken: 1, warning: 3 }[status])
  return { status, wrong: found.filter(({ level }) => level !== "fine"), found }
}

const withApp = (use: (scene: Scene) => Promise<void>, config: Partial<PolarConfig> = {}, options: ServeOptions = {}) =>
  withScene(options, { store: SqliteStore.layer({ filename }), refreshWhenDenied: false, ...config }, async (scene) => {
    await scene.billing.start()
    await use(scene)
  })

const isFine = async (scene: Scene) => {
  const { status, wrong } = await findings(scene)
  expect(wrong).toEqual([])
  expect(status).toBe("fine")
}

const allEvents = async (scene: Scene, change: object = {}) => {
  const { items } = (await scene.api("GET", "/v1/webhooks/endpoints")) as unknown as {
    readonly items: ReadonlyArray<{ readonly id: string; readonly events: ReadonlyArray<string> }>
  }
  await scene.api("PATCH", `/v1/webhooks/endpoints/${items[0]?.id}`, change)
  return items[0]
}

test("on a good day nothing is wrong, and no secret is said", async () => {
  await withApp(async (scene) => {
    await scene.buy()
    await isFine(scene)
    const { exitCode, out } = await kavachPolar(scene, "doctor")
    expect(exitCode).toBe(0)
    expect(out).toContain("Nothing is wrong.")
    for (const check of ["database", "users", "token", "scopes", "endpoint", "clock", "waiting", "drift", "links"]) {
      expect(out).toMatch(new RegExp(`^ok +${check} `, "m"))
    }
    expect(out).not.toContain(scene.simulator.accessToken)
  })
})

test("an address that is none is named", async () => {
  await withApp(async (scene) => {
    const { err, exitCode } = await kavachPolar(scene, "doctor --send", {
      POLAR_WEBHOOK_URL: "app.example.com/webhook",
      POLAR_WEBHOOK_SECRET: "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE="
    })
    expect(exitCode).toBe(2)
    expect(err).toContain('POLAR_WEBHOOK_URL is "app.example.com/webhook", which is no http(s) address.')
  })
})

test("indexes that somebody has dropped are missed, with the SQL that makes them", async () => {
  await withApp(async (scene) => {
    await scene.buy()
    const database = new Database(filename)
    database.exec("DROP INDEX kavach_polar_deliveries_state")
    const { status, wrong } = await findings(scene)
    expect(status).toBe("warning")
    expect(wrong).toMatchObject([
      { check: "database", level: "warning", what: expect.stringContaining("kavach_polar_deliveries_state") }
    ])
    database.exec(wrong[0]?.help?.replace("Run in the database: ", "") ?? "")
    database.close()
    await isFine(scene)
  })
})

test("a table of users that does not fit is named, and one without an index", async () => {
  const database = new Database(filename)
  database.exec(
    "CREATE TABLE kavach_users (id TEXT PRIMARY KEY, email TEXT, polar_customer_id TEXT, polar_subscription_id TEXT, polar_subscription_status TEXT, polar_product_id TEXT, polar_current_period_end INTEGER, polar_cancel_at_period_end INTEGER)"
  )
  await withApp(async (scene) => {
    await scene.buy()
    expect(await findings(scene)).toMatchObject({ status: "fine" })
    database.exec("DROP INDEX kavach_users_polar_customer_id")
    expect(await findings(scene)).toMatchObject({
      status: "warning",
      wrong: [{ check: "users", what: "kavach_users has no index on polar_customer_id.", help: "kavach-polar migrate" }]
    })
    await kavachPolar(scene, "migrate")
    await isFine(scene)
    database.exec("ALTER TABLE kavach_users DROP COLUMN polar_product_id")
    expect(await findings(scene)).toMatchObject({
      status: "broken",
      wrong: expect.arrayContaining([
        expect.objectContaining({ check: "users", what: expect.stringContaining("has no column polar_product_id") })
      ])
    })
    await kavachPolar(scene, "migrate")
    await isFine(scene)
  })
  database.close()
})

test("what an app need not be allowed is said, and is nothing wrong", async () => {
  const scopes = [
    ..."organizations:read webhooks:read checkouts:write customers:write customer_sessions:write".split(" "),
    ..."subscriptions:read orders:read refunds:read benefits:read products:read discounts:read members:read".split(" ")
  ]
  await withApp(
    async (scene) => {
      const { found, status } = await findings(scene)
      expect(status).toBe("fine")
      for (const scope of ["subscriptions:write", "refunds:write"]) {
        expect(found).toContainEqual(
          expect.objectContaining({
            check: "scopes",
            level: "fine",
            what: `The access token lacks ${scope}.`,
            help: null
          })
        )
      }
    },
    {},
    { accessTokens: [{ token: Redacted.make("polar_oat_limited"), scopes }] }
  )
})

describe("a bad day", () => {
  test("the endpoint lacks an event", async () => {
    await withApp(async (scene) => {
      const endpoint = await allEvents(scene)
      const events = endpoint?.events ?? []
      await allEvents(scene, { events: events.filter((type) => type !== "order.paid") })
      const { status, wrong } = await findings(scene)
      expect(status).toBe("warning")
      expect(wrong).toMatchObject([
        {
          check: "endpoint",
          what: expect.stringContaining("does not get order.paid."),
          help: "kavach-polar setup"
        }
      ])
      expect((await kavachPolar(scene, "setup --yes")).exitCode).toBe(0)
      await isFine(scene)
    })
  })

  test("the endpoint is somebody else's", async () => {
    await withApp(async (scene) => {
      const { wrong } = await findings(scene, { POLAR_WEBHOOK_URL: undefined })
      expect(wrong).toMatchObject([
        {
          check: "endpoint",
          level: "broken",
          what: expect.stringContaining("http://in-process.invalid/"),
          help: expect.stringContaining("POLAR_WEBHOOK_URL")
        }
      ])
    })
  })

  test("a token of another environment, and none", async () => {
    await withApp(async (scene) => {
      for (const token of ["polar_oat_of_another_environment", undefined]) {
        const { status, wrong } = await findings(scene, { POLAR_ACCESS_TOKEN: token })
        expect(status).toBe("broken")
        expect(wrong[0]).toMatchObject({
          check: "token",
          level: "broken",
          help: expect.stringContaining("POLAR_ACCESS_TOKEN")
        })
        expect(wrong.slice(1).every(({ level }) => level === "unknown")).toBe(true)
        expect(JSON.stringify(wrong)).not.toContain("polar_oat_of_another_environment")
      }
    })
  })

  test("another organization than the token's", async () => {
    await withApp(async (scene) => {
      const { wrong } = await findings(scene, { POLAR_ORGANIZATION_ID: "9f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e09" })
      expect(wrong).toMatchObject([{ check: "organization", level: "broken" }])
    })
  })

  test("the database cannot be opened", async () => {
    await withApp(async (scene) => {
      const { wrong } = await findings(scene, { DATABASE_URL: "postgres://nobody@127.0.0.1:9/app" })
      expect(wrong[0]).toMatchObject({ check: "database", level: "broken" })
    })
  })

  test("a customer of whom nobody knows whose it is: customers link puts it right", async () => {
    await withApp(async (scene) => {
      const { id: customerId } = await scene.api("POST", "/v1/customers/", { email })
      const { id } = await scene.api("POST", "/v1/checkouts/", { products: [pro], customer_id: customerId })
      await scene.simulator.pay(id)
      await scene.simulator.flush()
      const { status, wrong } = await findings(scene)
      expect(status).toBe("warning")
      expect(wrong).toMatchObject([
        { check: "waiting", level: "warning", help: expect.stringContaining("customers link") }
      ])
      expect((await kavachPolar(scene, `customers link ${customerId} --user ${userId}`)).exitCode).toBe(0)
      await isFine(scene)
    })
  })
})
