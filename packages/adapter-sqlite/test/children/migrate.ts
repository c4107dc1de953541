/** Migrates the file that it is given, and says what came of it. */
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import * as Effect from "effect/Effect"

const [filename = ""] = process.argv.slice(2)

const migrate = Effect.flatMap(BillingStore, (store) => store.migrate).pipe(
  Effect.provide(SqliteStore.layer({ filename })),
  Effect.match({ onFailure: (error) => error.message, onSuccess: () => "migrated" })
)

process.stdout.write(await Effect.runPromise(migrate))
