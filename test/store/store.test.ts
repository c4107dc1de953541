/** The store contract, against every store that needs no server. */
import * as BillingStore from "@kavach-polar/core/BillingStore"
import { storeContract } from "@kavach-polar/core/testing"
import { betterSqlite3File, betterSqlite3Memory, sqlJsMemory } from "./SqliteHarness.ts"

storeContract({ name: "memory", layer: BillingStore.layerMemoryWith, hasDatabase: false })

storeContract({ name: "SQLite file (better-sqlite3)", layer: betterSqlite3File, hasDatabase: true })

storeContract({ name: "SQLite in memory (better-sqlite3)", layer: betterSqlite3Memory, hasDatabase: true })

storeContract({ name: "SQLite in memory (sql.js)", layer: sqlJsMemory, hasDatabase: true, sharesClock: true })
