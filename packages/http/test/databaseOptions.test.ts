import { createKavach } from "@kavach-polar/http"
import { polar } from "@kavach-polar/http/standalone"
import { Either } from "effect"
import { describe, expect, test } from "vitest"
import { addressOf, type DatabaseConfig } from "../src/host/databaseOptions.ts"
import { secret } from "./host.ts"

const url = "postgres://app@127.0.0.1/app"

const billingOn = (database: unknown) =>
  polar({ accessToken: "polar_oat_x", webhookSecret: secret, logLevel: "none", database: database as DatabaseConfig })

describe("what a database takes", () => {
  test.each<[config: DatabaseConfig]>([
    [{ provider: "sqlite", url: ":memory:" }],
    [{ provider: "turso", url: "libsql://x.turso.io", authToken: "token" }],
    [
      {
        provider: "postgres",
        url,
        maxConnections: 3,
        ssl: { ca: "…" },
        prepare: false,
        driver: "postgres",
        driverOptions: { idle_timeout: 5 }
      }
    ],
    [
      {
        provider: "mysql",
        url: "mysql://x/y",
        maxConnections: 3,
        ssl: { ca: "…" },
        driverOptions: { charset: "utf8mb4" }
      }
    ]
  ])("%j", (config) => {
    const { authToken: _, ...rest } = Either.getOrThrow(addressOf(config))
    const { authToken: __, ...given } = config
    expect(rest).toEqual(given)
  })

  test.each<[field: string, problem: string, database: unknown]>([
    ["database.maxConection", "Did you mean maxConnections?", { provider: "postgres", url, maxConection: 3 }],
    ["database.perpare", "Did you mean prepare?", { provider: "postgres", url, perpare: false }],
    [
      "database.prepare",
      "sqlite has no such option. It is for postgres",
      { provider: "sqlite", url: "x", prepare: false }
    ],
    ["database.driver", "mysql has no such option", { provider: "mysql", url: "mysql://x/y", driver: "pg" }],
    [
      "database.authToken",
      "postgres has no such option. It is for libsql and turso",
      { provider: "postgres", url, authToken: "x" }
    ],
    ["database.maxConnections", "1 or more", { provider: "postgres", url, maxConnections: 0 }],
    ["database.prepare", "true or false", { provider: "postgres", url, prepare: "false" }],
    ["database.driver", '"pg" or "postgres"', { provider: "postgres", url, driver: "postgres.js" }],
    ["database.ssl", "true, false, or an object", { provider: "postgres", url, ssl: "require" }],
    ["database.provider", '"postgres"', { provider: "postgresql", url }],
    ["database.provider", "is missing", { url }],
    ["database.url", "not an address", { provider: "postgres", url: "billing.sqlite" }],
    ["database", "an object", "postgres://x/y"]
  ])("%s: %s", (field, problem, database) => {
    expect(() => billingOn(database)).toThrow(`polar(): ${field}: `)
    expect(() => billingOn(database)).toThrow(problem)
  })

  test("an address that is not there yet is told by the first use", async () => {
    for (const missing of [undefined, "", '""']) {
      await using billing = billingOn({ provider: "postgres", url: missing })
      await expect(billing.access("usr_1")).rejects.toThrow("polar(): database.url: it is missing")
    }
  })

  test("in a host the fault names the host", async () => {
    const host = (database: unknown) => createKavach({ database: database as DatabaseConfig, plugins: [] })
    await expect(host({ provider: "postgres", url, poolSize: 4 })).rejects.toThrow(
      "createKavach(): database: poolSize: there is no such option"
    )
    await expect(host({ provider: "postgres", url, driver: "postgres" })).rejects.toThrow('through "pg" only')
    await expect(host({ provider: "postgres", url: undefined })).rejects.toThrow(
      "createKavach(): database: url is missing"
    )
  })
})
