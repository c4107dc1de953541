/** SQLite databases behind stores under test: a file with better-sqlite3, or memory with it or with sql.js. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import type { User } from "@kavach-polar/core/Subscription"
import { StoreDatabase } from "@kavach-polar/core/testing/StoreDatabase"
import Database from "better-sqlite3"
import { drizzle as drizzleBetterSqlite3 } from "drizzle-orm/better-sqlite3"
import { drizzle as drizzleSqlJs } from "drizzle-orm/sql-js"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import initSqlJs from "sql.js"

/** Runs plain SQL, past drizzle and the store. */
export type Query = (sql: string, ...parameters: ReadonlyArray<string | number | null>) => ReadonlyArray<Row>
export type Row = Readonly<Record<string, unknown>>

/** A new folder that goes away with the scope. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "kavach-polar-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** A path for a new database file, and a way to look into it: by a connection of its own, opened for each look. */
export const newFile = Effect.map(temporaryFolder, (folder) => {
  const address = join(folder, "app.db")
  const query: Query = (sql, ...parameters) => {
    const client = new Database(address, { timeout: 5000 })
    try {
      return queryBetterSqlite3(client)(sql, ...parameters)
    } finally {
      client.close()
    }
  }
  return { address, query }
})

export const betterSqlite3File = (users: ReadonlyArray<User>) =>
  Layer.unwrapScoped(
    Effect.map(newFile, ({ address, query }) => prepared(SqliteStore.layer({ filename: address }), query, users))
  )

export const betterSqlite3Memory = (users: ReadonlyArray<User>) =>
  Layer.unwrapEffect(
    Effect.sync(() => {
      const client = new Database(":memory:")
      return prepared(SqliteStore.fromDrizzle(drizzleBetterSqlite3(client)), queryBetterSqlite3(client), users)
    })
  )

export const sqlJsMemory = (users: ReadonlyArray<User>) =>
  Layer.unwrapEffect(
    Effect.promise(async () => {
      const { Database } = await initSqlJs()
      const client = new Database()
      return prepared(SqliteStore.fromDrizzle(drizzleSqlJs(client)), querySqlJs(client), users)
    })
  )

export const queryBetterSqlite3 =
  (client: Database.Database): Query =>
  (sql, ...parameters) => {
    const statement = client.prepare<Array<string | number | null>, Row>(sql)
    if (statement.reader) return statement.all(...parameters)
    statement.run(...parameters)
    return []
  }

export const querySqlJs =
  (client: InstanceType<Awaited<ReturnType<typeof initSqlJs>>["Database"]>): Query =>
  (sql, ...parameters) => {
    const statement = client.prepare(sql)
    try {
      const rows: Array<Row> = []
      statement.bind([...parameters])
      while (statement.step()) rows.push(statement.getAsObject())
      return rows
    } finally {
      statement.free()
    }
  }

export const insertUser = (query: Query, user: User): void => {
  query(
    "INSERT INTO kavach_users (id, email, name, created_at, updated_at) VALUES (?, ?, ?, 1700000000, 1700000000)",
    user.id,
    Option.getOrNull(user.email),
    Option.getOrNull(user.name)
  )
}

/** A store with its database: migrated, and with a row for each user. */
export const prepared = <E>(store: Layer.Layer<BillingStore, E>, query: Query, users: ReadonlyArray<User>) => {
  const seeded = Layer.effectDiscard(
    Effect.gen(function* () {
      yield* (yield* BillingStore).migrate
      for (const user of users) insertUser(query, user)
    })
  )
  return Layer.provideMerge(Layer.merge(seeded, Layer.succeed(StoreDatabase, databaseOf(query))), store)
}

const databaseOf = (query: Query): StoreDatabase["Type"] => ({
  projection: (userId) =>
    Effect.sync(() => {
      const [row] = query("SELECT * FROM kavach_users WHERE id = ?", userId)
      if (row === undefined) return undefined
      const periodEnd = row["polar_current_period_end"]
      return {
        customerId: textOrNull(row["polar_customer_id"]),
        subscriptionId: textOrNull(row["polar_subscription_id"]),
        status: textOrNull(row["polar_subscription_status"]),
        productId: textOrNull(row["polar_product_id"]),
        currentPeriodEnd: typeof periodEnd === "number" ? periodEnd * 1000 : null,
        cancelAtPeriodEnd: row["polar_cancel_at_period_end"] === 1
      }
    }),
  rows: (table) => Effect.sync(() => query(`SELECT * FROM ${table}`)),
  showCustomer: (userId, customerId) =>
    Effect.sync(() => query("UPDATE kavach_users SET polar_customer_id = ? WHERE id = ?", customerId, userId)),
  breakTable: (table) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        for (const verb of ["INSERT", "UPDATE", "DELETE"]) {
          query(`CREATE TRIGGER broken_${verb} BEFORE ${verb} ON ${table} BEGIN SELECT RAISE(ABORT, 'broken'); END`)
        }
      }),
      () =>
        Effect.sync(() => {
          for (const verb of ["INSERT", "UPDATE", "DELETE"]) query(`DROP TRIGGER broken_${verb}`)
        })
    )
})

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null)
