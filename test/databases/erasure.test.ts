/** A whole erasure, here, at Polar and after an outage, on every database: what privacy.test.ts shows on SQLite. */
import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import type { BillingStore } from "@kavach-polar/core/BillingStore"
import { Effect, type Layer, Redacted, type Scope } from "effect"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { hasSqld } from "../servers/hasSqld.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import { email, userId } from "../simulator/BillingScene.ts"
import { breakablePolar, customerOfAda, tracesIn, tracesOfAda, withAda } from "../simulator/erasureScene.ts"
import * as Libsql from "../store/LibsqlHarness.ts"
import { temporaryDatabase } from "../store/MysqlHarness.ts"
import { newDatabase } from "../store/PostgresHarness.ts"

interface Opened {
  readonly store: Layer.Layer<BillingStore, unknown>
  readonly query: (sql: string) => Promise<ReadonlyArray<Readonly<Record<string, unknown>>>>
}

type Opening = Effect.Effect<Opened, never, Scope.Scope>

const inSchema = (schema: string) =>
  `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ${schema} AND table_type = 'BASE TABLE' AND table_name LIKE 'kavach_polar%'`

const onPostgres = (admin: string, driver: "pg" | "postgres"): Opening =>
  Effect.map(newDatabase(admin), ({ query, url }) => ({
    store: PostgresStore.layer({ url: Redacted.make(url), driver }),
    query
  }))

const onMysql = (admin: string): Opening =>
  Effect.map(temporaryDatabase(admin), ({ query, url }) => ({
    store: MysqlStore.layer({ url: Redacted.make(url) }),
    query
  }))

const onSqld: Opening = Effect.gen(function* () {
  const { authToken, url } = yield* Libsql.newServer
  const token = authToken === undefined ? {} : { authToken: Redacted.make(authToken) }
  return {
    store: LibsqlStore.layer({ url, ...token }),
    query: Libsql.queryOn(yield* Libsql.newClient({ url, authToken }))
  }
})

const postgres = serverUrl("postgres")
const mysql = serverUrl("mysql")
const mariadb = serverUrl("mariadb")

const databases: ReadonlyArray<readonly [name: string, tables: string, opening: Opening | undefined]> = [
  ["PostgreSQL with pg", inSchema("current_schema()"), postgres === undefined ? undefined : onPostgres(postgres, "pg")],
  [
    "PostgreSQL with postgres",
    inSchema("current_schema()"),
    postgres === undefined ? undefined : onPostgres(postgres, "postgres")
  ],
  ["MySQL", inSchema("DATABASE()"), mysql === undefined ? undefined : onMysql(mysql)],
  ["MariaDB", inSchema("DATABASE()"), mariadb === undefined ? undefined : onMysql(mariadb)],
  [
    "libSQL's server",
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'kavach_polar%'",
    hasSqld ? onSqld : undefined
  ]
]

let polar = { isAway: false }

beforeEach(() => {
  polar = breakablePolar()
})

afterEach(() => {
  vi.restoreAllMocks()
})

describe.each(databases)("%s", (_name, tables, opening) => {
  test.skipIf(opening === undefined)(
    "nothing leads to who was erased, also while Polar is away and after",
    async () => {
      if (opening === undefined) return
      await Effect.runPromise(
        Effect.scoped(
          Effect.flatMap(opening, ({ query, store }) =>
            Effect.promise(() =>
              withAda(store, async (scene, told) => {
                const { billing, simulator } = scene
                const everything = async () => {
                  const names = (await query(tables)).map((row) => String(row["name"] ?? row["NAME"]))
                  expect(names.length).toBeGreaterThan(7)
                  return JSON.stringify(
                    await Promise.all(names.map(async (name) => [name, await query(`SELECT * FROM ${name}`)])),
                    (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value)
                  )
                }
                const exported = await billing.privacy.export(userId)
                expect(exported.records.map(({ kind }) => kind)).toEqual(
                  expect.arrayContaining([
                    "benefit_grant",
                    "checkout",
                    "customer",
                    "license_key",
                    "order",
                    "subscription"
                  ])
                )
                const id = await customerOfAda(scene)
                expect(tracesOfAda(await everything()).length).toBeGreaterThan(1)

                told.users.length = 0
                polar.isAway = true
                const waiting = await billing.privacy.erase(userId, { polar: "delete" })
                expect(waiting).toMatchObject({ state: "waiting", customerIds: [id] })
                // Only the erasure itself still says whom it is of.
                const meanwhile = await everything()
                expect(tracesIn(meanwhile, [email, "ADA-"])).toEqual([])
                expect(meanwhile.split(`\\"${userId}\\"`).length - 1).toBe(1)

                polar.isAway = false
                expect(await billing.privacy.resume()).toBe(1)
                await simulator.flush()
                await billing.settled()
                await billing.reconcileAll()
                expect(tracesOfAda(await everything())).toEqual([])
                expect(told.users).toEqual([])
                expect((await scene.customers()).map(({ external_id }) => external_id)).toEqual(["bob"])
                expect((await billing.access(userId)).entitlement).toBe("denied")
                expect((await billing.getSubscription("bob"))?.status).toBe("active")
              })
            )
          )
        )
      )
    },
    120_000
  )
})
