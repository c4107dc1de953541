/** libSQL databases behind stores under test: a file, memory, or a server's. */
import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import type { User } from "@kavach-polar/core/Subscription"
import { StoreDatabase } from "@kavach-polar/core/testing/StoreDatabase"
import { type Client, createClient } from "@libsql/client"
import { drizzle } from "drizzle-orm/libsql"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { startSqld } from "../servers/sqld.ts"
import { temporaryFolder } from "./SqliteHarness.ts"

export type Row = Readonly<Record<string, unknown>>
/** Runs plain SQL, past drizzle and the store. */
export type Query = (sql: string, ...values: ReadonlyArray<string | number | null>) => Promise<ReadonlyArray<Row>>

export interface LibsqlAddress {
  readonly url: string
  readonly authToken?: string | undefined
}

/** With the token in it, where only one text is handed on. */
export const wholeUrl = ({ authToken, url }: LibsqlAddress): string =>
  authToken === undefined ? url : `${url}&authToken=${authToken}`

export const queryOn =
  (client: Client): Query =>
  async (sql, ...values) =>
    (await client.execute({ sql, args: [...values] })).rows.map((row) => ({ ...row }))

/** A client until the scope ends. */
export const newClient = ({ authToken, url }: LibsqlAddress) =>
  Effect.acquireRelease(
    Effect.sync(() => createClient({ url, timeout: 5000, ...(authToken === undefined ? {} : { authToken }) })),
    (client) => Effect.sync(() => client.close())
  )

/** A new file that goes away with the scope. */
export const newFile = Effect.map(temporaryFolder, (folder): LibsqlAddress => ({ url: `file:${folder}/app.db` }))

/** A new server with an empty database, until the scope ends. */
export const newServer = Effect.acquireRelease(
  Effect.promise(() => startSqld()),
  (server) => Effect.promise(() => server.stop())
)

export const onFile = (users: ReadonlyArray<User>) => onLayer(newFile, users)

export const onServer = (users: ReadonlyArray<User>) => onLayer(newServer, users)

const onLayer = <R>(address: Effect.Effect<LibsqlAddress, never, R>, users: ReadonlyArray<User>) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const { authToken, url } = yield* address
      const token = authToken === undefined ? {} : { authToken: Redacted.make(authToken) }
      const query = queryOn(yield* newClient({ url, authToken }))
      return prepared(LibsqlStore.layer({ url, ...token }), query, users)
    })
  )

/** An app's own client, whose integers come as `bigint`. */
export const onLentMemory = (users: ReadonlyArray<User>) =>
  Layer.unwrapScoped(
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => createClient({ url: ":memory:", intMode: "bigint" })),
        (client) => Effect.sync(() => client.close())
      ),
      (client) => prepared(LibsqlStore.fromDrizzle(drizzle(client)), queryOn(client), users)
    )
  )

export const insertUser = (query: Query, user: User) =>
  query(
    "INSERT INTO kavach_users (id, email, name, created_at, updated_at) VALUES (?, ?, ?, 1700000000, 1700000000)",
    user.id,
    Option.getOrNull(user.email),
    Option.getOrNull(user.name)
  )

/** A store with its database: migrated, and with a row for each user. */
export const prepared = <E>(store: Layer.Layer<BillingStore, E>, query: Query, users: ReadonlyArray<User>) => {
  const seeded = Layer.effectDiscard(
    Effect.gen(function* () {
      yield* (yield* BillingStore).migrate
      const rows = users.map(({ email, id, name }) => [id, Option.getOrNull(email), Option.getOrNull(name)])
      yield* Effect.promise(() =>
        query(
          `INSERT INTO kavach_users (id, email, name, created_at, updated_at)
            SELECT value ->> 0, value ->> 1, value ->> 2, 1700000000, 1700000000 FROM json_each(?)`,
          JSON.stringify(rows)
        )
      )
    })
  )
  return Layer.provideMerge(Layer.merge(seeded, Layer.succeed(StoreDatabase, databaseOf(query))), store)
}

const verbs = ["INSERT", "UPDATE", "DELETE"]

const databaseOf = (query: Query): StoreDatabase["Type"] => ({
  projection: (userId) =>
    Effect.promise(async () => {
      const [row] = await query("SELECT * FROM kavach_users WHERE id = ?", userId)
      if (row === undefined) return undefined
      const periodEnd = row["polar_current_period_end"]
      return {
        customerId: textOrNull(row["polar_customer_id"]),
        subscriptionId: textOrNull(row["polar_subscription_id"]),
        status: textOrNull(row["polar_subscription_status"]),
        productId: textOrNull(row["polar_product_id"]),
        currentPeriodEnd: periodEnd === null ? null : Number(periodEnd) * 1000,
        cancelAtPeriodEnd: Number(row["polar_cancel_at_period_end"]) === 1
      }
    }),
  rows: (table) => Effect.promise(() => query(`SELECT * FROM ${table}`)),
  showCustomer: (userId, customerId) =>
    Effect.promise(() => query("UPDATE kavach_users SET polar_customer_id = ? WHERE id = ?", customerId, userId)),
  breakTable: (table) =>
    Effect.acquireRelease(
      Effect.promise(async () => {
        for (const verb of verbs) {
          await query(
            `CREATE TRIGGER broken_${verb} BEFORE ${verb} ON ${table} BEGIN SELECT RAISE(ABORT, 'broken'); END`
          )
        }
      }),
      () =>
        Effect.promise(async () => {
          for (const verb of verbs) await query(`DROP TRIGGER broken_${verb}`)
        })
    )
})

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null)
