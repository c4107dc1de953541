/** The store contract on a PostgreSQL server, through the drivers that apps have. */
import { describe } from "@effect/vitest"
import { storeContract } from "@kavach-polar/core/testing"
import { serverUrl } from "../servers/serverUrl.ts"
import { onLayer, onNodePostgres, onPostgresJs } from "../store/PostgresHarness.ts"

const admin = serverUrl("postgres")

describe.skipIf(admin === undefined)("with a server", () => {
  if (admin === undefined) return
  storeContract({ name: "PostgreSQL (a pool of its own)", layer: onLayer(admin, "pg"), hasDatabase: true })
  storeContract({
    name: "PostgreSQL (a pool of its own, by postgres.js)",
    layer: onLayer(admin, "postgres"),
    hasDatabase: true
  })
  storeContract({ name: "PostgreSQL (node-postgres)", layer: onNodePostgres(admin), hasDatabase: true })
  storeContract({ name: "PostgreSQL (postgres.js)", layer: onPostgresJs(admin), hasDatabase: true })
})
