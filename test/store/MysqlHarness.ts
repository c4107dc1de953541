/** Databases of MySQL and MariaDB behind stores under test: each layer has a new one, which is dropped at the end. */
import { randomUUID } from "node:crypto"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import type { User } from "@kavach-polar/core/Subscription"
import { StoreDatabase } from "@kavach-polar/core/testing/StoreDatabase"
import { drizzle } from "drizzle-orm/mysql2"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import mysql from "mysql2/promise"

export type Row = Readonly<Record<string, unknown>>
export type Values = ReadonlyArray<string | number | null>
/** Runs plain SQL on a connection of its own, past drizzle and the store. Times come as text. */
export type Query = (sql: string, ...values: Values) => Promise<ReadonlyArray<Row>>

export interface TestDatabase {
  /** With the administrator's name, and the database in it. */
  readonly url: string
  readonly name: string
  readonly query: Query
}

/** A new database that goes away with the scope. */
export const temporaryDatabase = (adminUrl: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const name = `kavach_${randomUUID().replaceAll("-", "").slice(0, 20)}`
      await queryOn(adminUrl)(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`)
      const url = new URL(adminUrl)
      url.pathname = `/${name}`
      return { url: url.href, name, query: queryOn(url.href) } satisfies TestDatabase
    }),
    ({ name }) => Effect.promise(() => queryOn(adminUrl)(`DROP DATABASE ${name}`))
  )

export const queryOn =
  (url: string): Query =>
  async (sql, ...values) => {
    const connection = await mysql.createConnection({ uri: url, dateStrings: true, timezone: "Z" })
    try {
      const [rows] = await connection.query(sql, [...values])
      return Array.isArray(rows) ? rows.map((row) => ({ ...row })) : []
    } finally {
      await connection.end()
    }
  }

/** The same over connections that stay open until the scope ends: for those who look often. */
const openQuery = (url: string) =>
  Effect.map(
    temporaryPool({ uri: url, dateStrings: true, timezone: "Z", connectionLimit: 2 }),
    (pool): Query =>
      async (sql, ...values) => {
        const [rows] = await pool.query(sql, [...values])
        return Array.isArray(rows) ? rows.map((row) => ({ ...row })) : []
      }
  )

/** A pool that goes away with the scope. */
export const temporaryPool = (options: mysql.PoolOptions) =>
  Effect.acquireRelease(
    Effect.sync(() => mysql.createPool(options)),
    // What is just being connected fails now.
    (pool) => Effect.promise(() => pool.end().catch(() => {}))
  )

export const ownPool = (adminUrl: string) => (users: ReadonlyArray<User>) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const { url } = yield* temporaryDatabase(adminUrl)
      return prepared(MysqlStore.layer({ url: Redacted.make(url) }), yield* openQuery(url), users)
    })
  )

/** On a pool of the app's, with options of its own. `session` runs on each of its connections. */
export const lentPool =
  (adminUrl: string, options: mysql.PoolOptions, session: ReadonlyArray<string>) => (users: ReadonlyArray<User>) =>
    Layer.unwrapScoped(
      Effect.gen(function* () {
        const { url } = yield* temporaryDatabase(adminUrl)
        const pool = yield* temporaryPool({ uri: url, ...options })
        pool.pool.on("connection", (connection) => {
          for (const statement of session) connection.query(statement)
        })
        return prepared(MysqlStore.fromDrizzle(drizzle(pool)), yield* openQuery(url), users)
      })
    )

/** On one connection of the app's, in place of a pool. */
export const lentConnection = (adminUrl: string) => (users: ReadonlyArray<User>) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const { url } = yield* temporaryDatabase(adminUrl)
      const connection = yield* Effect.acquireRelease(
        Effect.promise(() => mysql.createConnection(url)),
        (opened) => Effect.promise(() => opened.end())
      )
      return prepared(MysqlStore.fromDrizzle(drizzle(connection)), yield* openQuery(url), users)
    })
  )

export const insertUser = (query: Query, user: User) =>
  query(
    "INSERT INTO kavach_users (id, email, name, created_at, updated_at) VALUES (?, ?, ?, '2026-01-01', '2026-01-01')",
    user.id,
    Option.getOrNull(user.email),
    Option.getOrNull(user.name)
  )

/** A store with its database: migrated, and with a row for each user. */
export const prepared = <E>(store: Layer.Layer<BillingStore, E>, query: Query, users: ReadonlyArray<User>) => {
  const seeded = Layer.effectDiscard(
    Effect.gen(function* () {
      yield* (yield* BillingStore).migrate
      if (users.length === 0) return
      const values = users.flatMap(({ email, id, name }) => [id, Option.getOrNull(email), Option.getOrNull(name)])
      const rows = users.map(() => "(?, ?, ?, '2026-01-01', '2026-01-01')").join(", ")
      yield* Effect.promise(() =>
        query(`INSERT INTO kavach_users (id, email, name, created_at, updated_at) VALUES ${rows}`, ...values)
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
      const periodEnd = textOrNull(row["polar_current_period_end"])
      return {
        customerId: textOrNull(row["polar_customer_id"]),
        subscriptionId: textOrNull(row["polar_subscription_id"]),
        status: textOrNull(row["polar_subscription_status"]),
        productId: textOrNull(row["polar_product_id"]),
        currentPeriodEnd: periodEnd === null ? null : Date.parse(`${periodEnd.slice(0, 19).replace(" ", "T")}Z`),
        cancelAtPeriodEnd: row["polar_cancel_at_period_end"] === 1
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
            `CREATE TRIGGER broken_${verb} BEFORE ${verb} ON ${table} FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'broken'`
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
