/** A poisoned row in the databases that need no server. */
import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import Database from "better-sqlite3"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { Effect } from "effect"
import { newClient, newFile, queryOn } from "./LibsqlHarness.ts"
import { poisonableSqlite, poisonCases } from "./poison.ts"

poisonCases(
  "SQLite",
  Effect.sync(() => {
    const client = new Database(":memory:")
    return poisonableSqlite(SqliteStore.fromDrizzle(drizzle(client)), async (sql) => {
      const statement = client.prepare(sql)
      if (statement.reader) return statement.all() as Array<Record<string, unknown>>
      statement.run()
      return []
    })
  })
)

poisonCases(
  "libSQL",
  Effect.gen(function* () {
    const address = yield* newFile
    return poisonableSqlite(LibsqlStore.layer({ url: address.url }), queryOn(yield* newClient(address)))
  })
)
