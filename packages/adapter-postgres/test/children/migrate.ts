/** Migrates the database that it is given, and says what came of it. */
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import * as Effect from "effect/Effect"

const [url = ""] = process.argv.slice(2)

const migrate = Effect.flatMap(BillingStore, (store) => store.migrate).pipe(
  Effect.provide(PostgresStore.layer({ url })),
  Effect.match({ onFailure: (error) => error.message, onSuccess: () => "migrated" })
)

process.stdout.write(await Effect.runPromise(migrate))
