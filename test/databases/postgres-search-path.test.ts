/**
 * Connections whose settings change after the start: another search path, in front of which somebody has put tables of the same
 * names, and strings that read backslashes. The store stays on its tables and on the app's table of users.
 */
import { randomUUID } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import type { UsersOption } from "@kavach-polar/core/adapter"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import { UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { serverUrl } from "../servers/serverUrl.ts"
import { endConnections, newDatabase, newPool, newPostgresJs, type Query } from "../store/PostgresHarness.ts"

const admin = serverUrl("postgres")

describe.skipIf(admin === undefined)("PostgreSQL whose search path changes after the start", () => {
  if (admin === undefined) return

  const run = (query: Query, ...parameters: Parameters<Query>) => Effect.promise(() => query(...parameters))

  const people = { id: "who", email: "address", name: "called" }
  /** Which table of users, where it is, and its columns. */
  const tables: ReadonlyArray<{
    readonly users: UsersOption
    readonly schema: string
    readonly table: string
    readonly id: string
    readonly email: string
  }> = [
    { users: "kavach_users", schema: "app", table: "kavach_users", id: "id", email: "email" },
    { users: "ifThere", schema: "auth", table: "kavach_users", id: "id", email: "email" },
    { users: { ...people, table: "people" }, schema: "app", table: "people", id: "who", email: "address" },
    { users: { ...people, table: "auth.people" }, schema: "auth", table: "people", id: "who", email: "address" }
  ]

  /** What the app hands over, or has the store open; and what changes the settings of its connections. */
  const opened = {
    "a pool of its own": (driver: "pg" | "postgres") => (url: string, name: string, users: UsersOption) =>
      Effect.map(Layer.build(PostgresStore.layer({ url: Redacted.make(url), driver }, { users })), (context) => ({
        store: Context.get(context, BillingStore),
        // As after a failover, or by a pooler: the connections that come next have others.
        set: (query: Query, setting: string, value: string) =>
          Effect.gen(function* () {
            yield* run(query, `ALTER DATABASE ${name} SET ${setting} = ${value}`)
            yield* endConnections(query, "application_name <> 'looks on'")
          })
      })),
    "a lent pool": (driver: "pg" | "postgres") => (url: string, _name: string, users: UsersOption) =>
      Effect.gen(function* () {
        const lent =
          driver === "pg"
            ? yield* Effect.map(newPool(url, 1), (pool) => ({
                client: pool as unknown,
                execute: (text: string): Promise<unknown> => pool.query(text)
              }))
            : yield* Effect.map(newPostgresJs(url, { max: 1 }), (client) => ({
                client: client as unknown,
                execute: (text: string): Promise<unknown> => client.unsafe(text)
              }))
        const context = yield* Layer.build(PostgresStore.fromClient(lent.client, { users }))
        return {
          store: Context.get(context, BillingStore),
          set: (_query: Query, setting: string, value: string) =>
            Effect.promise(() => lent.execute(`SET ${setting} = ${value}`)).pipe(Effect.asVoid)
        }
      })
  }

  for (const [whose, open] of Object.entries(opened)) {
    for (const driver of ["pg", "postgres"] as const) {
      for (const { email, id, schema, table, users } of tables) {
        it.scopedLive(`${whose} by ${driver}: the users are those of ${schema}.${table}`, () =>
          Effect.gen(function* () {
            const { name, query: onAny, url } = yield* newDatabase(admin)
            yield* run(onAny, "CREATE SCHEMA app")
            yield* run(onAny, "CREATE SCHEMA auth")
            yield* run(onAny, "CREATE SCHEMA decoy")
            yield* run(onAny, `ALTER DATABASE ${name} SET search_path = app, auth`)
            const watching = yield* newPool(`${url}?application_name=looks%20on`, 1)
            const query: Query = async (text, ...values) => (await watching.query(text, [...values])).rows
            const declared = `(${id} text PRIMARY KEY, ${email} text, called text, name text, created_at timestamptz, updated_at timestamptz)`
            yield* run(query, `CREATE TABLE ${schema}.${table} ${declared}`)
            const { set, store } = yield* open(driver)(url, name, users)
            yield* store.migrate

            // Marks that end or escape a text, where one is ever built.
            const userId = UserId.make(`o'brien \\' " \\\\ $1 ? ${randomUUID()}`)
            const address = `o'brien\\'${randomUUID()}@example.test`
            yield* run(query, `INSERT INTO ${schema}.${table} (${id}, ${email}) VALUES ($1, $2)`, userId, address)
            const own = yield* run(query, "SELECT tablename FROM pg_tables WHERE schemaname = 'app'")
            expect(own.map(({ tablename }) => tablename)).toContain("kavach_polar_records")
            for (const { tablename } of own) {
              yield* run(query, `CREATE TABLE decoy.${tablename} (LIKE app.${tablename} INCLUDING ALL)`)
            }
            if (schema === "auth") yield* run(query, `CREATE TABLE decoy.${table} (LIKE auth.${table} INCLUDING ALL)`)
            yield* run(query, `INSERT INTO decoy.${table} (${id}, ${email}) VALUES ($1, 'decoy@example.test')`, userId)

            const buys = Effect.gen(function* () {
              const delivery = subscriptionDelivery(newScene(), "created", {
                externalId: userId,
                email: address,
                patch: { customer_cancellation_comment: "\\'); DROP TABLE kavach_users; --" }
              })
              const [outcome] = yield* store.applyDeliveries([delivery], defaultPolicy)
              expect(outcome).toMatchObject({ state: "applied", userId })
              expect((yield* store.deliveries({ ids: [delivery.id] }))[0]?.body).toBe(delivery.body)
              expect(Option.getOrThrow(yield* store.findUser(userId))).toMatchObject({ email: Option.some(address) })
              if (table === "kavach_users") {
                const rows = yield* run(query, `SELECT * FROM ${schema}.kavach_users`)
                expect(rows).toMatchObject([{ polar_subscription_status: "active" }])
              }
            })
            yield* buys
            for (const [setting, value] of [
              ["search_path", "decoy, app, auth"],
              ["search_path", "decoy, pg_catalog"],
              ["standard_conforming_strings", "off"],
              ["search_path", "decoy"]
            ] as const) {
              yield* set(query, setting, value)
              yield* buys
            }
            for (const { tablename } of own.filter((row) => row["tablename"] !== table)) {
              expect(yield* run(query, `SELECT * FROM decoy.${tablename}`)).toEqual([])
            }
            const decoys = yield* run(query, `SELECT * FROM decoy.${table}`)
            expect(decoys).toMatchObject([{ [id]: userId, [email]: "decoy@example.test" }])
            if (table === "kavach_users") expect(decoys).toMatchObject([{ polar_subscription_id: null }])
          })
        )
      }
    }
  }
})
