/** Every change of a subscription, on the stores that need no server. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { BillingStore } from "@kavach-polar/core"
import { everyChangeOn } from "./everyChange.ts"

everyChangeOn("the store in memory", (use) => use(BillingStore.layerMemory))

everyChangeOn("SQLite", (use) => use(SqliteStore.layer({ filename: ":memory:" })))

everyChangeOn("libSQL", async (use) => {
  const folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  try {
    await use(LibsqlStore.layer({ url: `file:${folder}/app.db` }))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
