/**
 * A poisoned row on the servers. In CI some tables of all but PostgreSQL are sampled, which takes minutes and not a quarter of an
 * hour.
 */
import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { Effect, Redacted } from "effect"
import { describe } from "vitest"
import { hasSqld } from "../servers/hasSqld.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import { newClient, newServer, queryOn } from "../store/LibsqlHarness.ts"
import { temporaryDatabase } from "../store/MysqlHarness.ts"
import { newDatabase } from "../store/PostgresHarness.ts"
import { poisonableServer, poisonableSqlite, poisonCases } from "../store/poison.ts"

const form = {
  sampled:
    process.env["CI"] === undefined ? [] : (["deliveries", "records", "checkouts", "notifications", "jobs"] as const)
}
const postgres = serverUrl("postgres")

describe.skipIf(postgres === undefined)("PostgreSQL", () => {
  if (postgres === undefined) return
  poisonCases(
    "PostgreSQL",
    Effect.map(newDatabase(postgres), ({ query, url }) =>
      poisonableServer(
        PostgresStore.layer({ url: Redacted.make(url) }),
        query,
        (table, change, condition) =>
          `UPDATE ${table} SET ${change} WHERE ctid = (SELECT ctid FROM ${table} WHERE ${condition} LIMIT 1)`
      )
    )
  )
})

for (const [server, name] of [
  ["mysql", "MySQL"],
  ["mariadb", "MariaDB"]
] as const) {
  const admin = serverUrl(server)

  describe.skipIf(admin === undefined)(name, () => {
    if (admin === undefined) return
    poisonCases(
      name,
      Effect.map(temporaryDatabase(admin), ({ query, url }) =>
        poisonableServer(
          MysqlStore.layer({ url: Redacted.make(url) }),
          query,
          (table, change, condition) => `UPDATE ${table} SET ${change} WHERE ${condition} LIMIT 1`
        )
      ),
      form
    )
  })
}

describe.skipIf(!hasSqld)("libSQL server", () => {
  poisonCases(
    "libSQL server",
    Effect.gen(function* () {
      const address = yield* newServer
      const { authToken, url } = address
      return poisonableSqlite(
        LibsqlStore.layer({ url, authToken: Redacted.make(authToken) }),
        queryOn(yield* newClient(address))
      )
    }),
    form
  )
})
