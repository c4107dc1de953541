/** What is done about the tables at start: they are migrated, or only looked at. */
import * as Effect from "effect/Effect"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"

/**
 * A database that a newer version has migrated is worked on with a warning, so that an old process may start again during a
 * deployment, and after one that was taken back. Where the newer version said that this one cannot, it fails.
 */
export const prepareTables = (store: BillingStoreService, migrate = true): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const { newer, pending, warnings } = migrate
      ? { warnings: [], ...(yield* store.migrate), pending: [] }
      : { ...(yield* store.migrationStatus), warnings: [] }
    yield* Effect.forEach(warnings, (warning) => Effect.logWarning(warning), { discard: true })
    if (newer.length > 0) {
      yield* Effect.logWarning(
        `The database has had ${newer.join(", ")} of a newer version. This version works with it, as they allow; deploy the newer one when you can.`
      )
    }
    if (pending.length > 0) {
      yield* Effect.logWarning(
        `The database has yet to have ${pending.join(", ")}, and this app was told not to migrate. Run: kavach-polar migrate`
      )
    }
  })
