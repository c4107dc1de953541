import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import { storeContract } from "@kavach-polar/core/testing"
import Database from "better-sqlite3"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { Effect, Layer, Option } from "effect"

storeContract({
  name: "SQLite in memory",
  hasDatabase: false,
  layer: (users) => {
    const client = new Database(":memory:")
    const usersWithRows = Effect.gen(function* () {
      yield* (yield* BillingStore).migrate
      const insert = client.prepare(
        "INSERT INTO kavach_users (id, email, name, created_at, updated_at) VALUES (?, ?, ?, 0, 0)"
      )
      for (const { email, id, name } of users) insert.run(id, Option.getOrNull(email), Option.getOrNull(name))
    })
    return Layer.provideMerge(Layer.effectDiscard(usersWithRows), SqliteStore.fromDrizzle(drizzle(client)))
  }
})
