/** Every change of a subscription, on the database servers. */
import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, test } from "vitest"
import { hasSqld } from "../servers/hasSqld.ts"
import { serverUrl } from "../servers/serverUrl.ts"
import { everyChangeOn } from "../simulator/everyChange.ts"
import { newServer } from "../store/LibsqlHarness.ts"
import { temporaryDatabase } from "../store/MysqlHarness.ts"
import { newDatabase } from "../store/PostgresHarness.ts"

const postgres = serverUrl("postgres")
if (postgres === undefined) describe.skip("PostgreSQL", () => test("needs a server"))
else {
  everyChangeOn("PostgreSQL", (use) =>
    Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(newDatabase(postgres), ({ url }) =>
          Effect.promise(() => use(PostgresStore.layer({ url: Redacted.make(url) })))
        )
      )
    )
  )
}

for (const server of ["mysql", "mariadb"] as const) {
  const name = { mysql: "MySQL", mariadb: "MariaDB" }[server]
  const admin = serverUrl(server)
  if (admin === undefined) {
    describe.skip(name, () => test("needs a server"))
    continue
  }
  everyChangeOn(name, (use) =>
    Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(temporaryDatabase(admin), ({ url }) =>
          Effect.promise(() => use(MysqlStore.layer({ url: Redacted.make(url) })))
        )
      )
    )
  )
}

if (!hasSqld) describe.skip("libSQL's server", () => test("needs a server"))
else {
  everyChangeOn("libSQL's server", (use) =>
    Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(newServer, ({ authToken, url }) =>
          Effect.promise(() => use(LibsqlStore.layer({ url, authToken: Redacted.make(authToken) })))
        )
      )
    )
  )
}
