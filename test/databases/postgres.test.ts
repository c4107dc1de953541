/** The store contract on a PostgreSQL server, through the drivers that apps have. */
import { describe } from "@effect/vitest"
import { serverUrl } from "../servers/serverUrl.ts"
import { onNodePostgres, onPostgresJs } from "../store/PostgresHarness.ts"
import { storeContract } from "../store/storeContract.ts"

const admin = serverUrl("postgres")

describe.skipIf(admin === undefined)("with a server", () => {
  if (admin === undefined) return
  storeContract({ name: "PostgreSQL (postgres.js)", layer: onPostgresJs(admin), hasDatabase: true })
  storeContract({ name: "PostgreSQL (node-postgres)", layer: onNodePostgres(admin), hasDatabase: true })
})
