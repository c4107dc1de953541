/** PostgreSQL databases behind stores under test: new ones on a server, or PGlite's in this process's memory. */
import { randomUUID } from "node:crypto"
import { PGlite } from "@electric-sql/pglite"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import type { User } from "@kavach-polar/core/Subscription"
import { StoreDatabase } from "@kavach-polar/core/testing/StoreDatabase"
import { drizzle as drizzleNodePostgres } from "drizzle-orm/node-postgres"
import { drizzle as drizzlePGlite } from "drizzle-orm/pglite"
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import pg from "pg"
import postgres from "postgres"

/** Runs plain SQL, past drizzle and the store. */
export type Query = (sql: string, ...parameters: ReadonlyArray<unknown>) => Promise<ReadonlyArray<Row>>
export type Row = Readonly<Record<string, unknown>>

/** A new database that goes away with the scope, and a way to look into it. `options` as CREATE DATABASE takes them. */
export const newDatabase = (admin: string, options = "") =>
  Effect.gen(function* () {
    const name = `kavach_polar_${randomUUID().replaceAll("-", "")}`
    const onServer = (sql: string) =>
      Effect.promise(async () => {
        const client = new pg.Client({ connectionString: admin })
        await client.connect()
        try {
          await client.query(sql)
        } finally {
          await client.end()
        }
      })
    yield* Effect.acquireRelease(onServer(`CREATE DATABASE ${name} ${options}`), () =>
      onServer(`DROP DATABASE ${name} WITH (FORCE)`)
    )
    const url = new URL(admin)
    url.pathname = `/${name}`
    const pool = yield* newPool(url.href, 4)
    const query: Query = async (sql, ...parameters) => (await pool.query<Row>(sql, [...parameters])).rows
    return { name, url: url.href, query }
  })

/** A pool of node-postgres's, until the scope ends. */
export const newPool = (url: string, max = 10) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const pool = new pg.Pool({ connectionString: url, max })
      // Idle connections that the server ends. Without a listener they would end the process.
      pool.on("error", () => {})
      return pool
    }),
    (pool) => Effect.promise(() => pool.end())
  )

/** With a pool of its own. */
export const onLayer = (admin: string, driver: "pg" | "postgres") => (users: ReadonlyArray<User>) =>
  Layer.unwrapScoped(
    Effect.map(newDatabase(admin), ({ query, url }) =>
      prepared(PostgresStore.layer({ url: Redacted.make(url), driver }), query, users)
    )
  )

export const onNodePostgres = (admin: string) => (users: ReadonlyArray<User>) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const { query, url } = yield* newDatabase(admin)
      return prepared(PostgresStore.fromDrizzle(drizzleNodePostgres(yield* newPool(url))), query, users)
    })
  )

export const onPostgresJs = (admin: string) => (users: ReadonlyArray<User>) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const { query, url } = yield* newDatabase(admin)
      return prepared(PostgresStore.fromDrizzle(drizzlePostgresJs(yield* newPostgresJs(url))), query, users)
    })
  )

/** A pool of postgres.js's, until the scope ends. */
export const newPostgresJs = (url: string, options: Parameters<typeof postgres>[1] = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => postgres(url, options)),
    (client) => Effect.promise(() => client.end())
  )

export const onPGlite = (users: ReadonlyArray<User>) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const client = yield* newPGlite
      return prepared(PostgresStore.fromDrizzle(drizzlePGlite(client)), queryPGlite(client), users)
    })
  )

export const newPGlite = Effect.acquireRelease(
  Effect.promise(() => PGlite.create()),
  (client) => Effect.promise(() => client.close())
)

export const queryPGlite =
  (client: PGlite): Query =>
  async (sql, ...parameters) =>
    (await client.query<Row>(sql, [...parameters])).rows

/**
 * Ends the database's other connections, as a failover does; `which` leaves some of them alone. They have ended by then, and
 * this process has heard of it: on a busy machine one pause may be over before it has listened.
 */
export const endConnections = (query: Query, which: string): Effect.Effect<void> =>
  Effect.promise(() =>
    query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND ${which}`
    )
  ).pipe(Effect.zipRight(Effect.repeatN(Effect.sleep("50 millis"), 2)))

export const insertUser = (query: Query, user: Pick<User, "id">): Promise<unknown> =>
  insertUsers(query, [{ ...user, email: Option.some(`${user.id}@example.test`), name: Option.none() }])

const insertUsers = (query: Query, users: ReadonlyArray<User>): Promise<unknown> =>
  query(
    `INSERT INTO kavach_users (id, email, name, created_at, updated_at)
      SELECT id, email, name, now(), now() FROM json_to_recordset($1::json) AS users (id text, email text, name text)`,
    JSON.stringify(
      users.map(({ email, id, name }) => ({ id, email: Option.getOrNull(email), name: Option.getOrNull(name) }))
    )
  )

/** A store with its database: migrated, and with a row for each user. */
export const prepared = <E>(store: Layer.Layer<BillingStore, E>, query: Query, users: ReadonlyArray<User>) => {
  const seeded = Layer.effectDiscard(
    Effect.gen(function* () {
      yield* (yield* BillingStore).migrate
      yield* Effect.promise(() => insertUsers(query, users))
    })
  )
  return Layer.provideMerge(Layer.merge(seeded, Layer.succeed(StoreDatabase, databaseOf(query))), store)
}

const databaseOf = (query: Query): StoreDatabase["Type"] => ({
  projection: (userId) =>
    Effect.promise(async () => {
      const [row] = await query("SELECT * FROM kavach_users WHERE id = $1", userId)
      if (row === undefined) return undefined
      const periodEnd = row["polar_current_period_end"]
      return {
        customerId: textOrNull(row["polar_customer_id"]),
        subscriptionId: textOrNull(row["polar_subscription_id"]),
        status: textOrNull(row["polar_subscription_status"]),
        productId: textOrNull(row["polar_product_id"]),
        currentPeriodEnd: periodEnd instanceof Date ? Math.floor(periodEnd.getTime() / 1000) * 1000 : null,
        cancelAtPeriodEnd: row["polar_cancel_at_period_end"] === true
      }
    }),
  rows: (table) => Effect.promise(() => query(`SELECT * FROM ${table}`)),
  showCustomer: (userId, customerId) =>
    Effect.promise(() => query("UPDATE kavach_users SET polar_customer_id = $1 WHERE id = $2", customerId, userId)),
  breakTable: (table) =>
    Effect.acquireRelease(
      Effect.promise(async () => {
        await query(
          `CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''broken''; END'`
        )
        await query(
          `CREATE TRIGGER broken BEFORE INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION broken()`
        )
      }),
      () => Effect.promise(() => query(`DROP TRIGGER broken ON ${table}`))
    )
})

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null)
