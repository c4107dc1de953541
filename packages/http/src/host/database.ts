/** The databases that are opened and closed here: our own host's, and that of a `polar()` without a host. */
import type { UsersOptions } from "@kavach-polar/core/adapter"
import type { BillingStore } from "@kavach-polar/core/BillingStore"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { adapterFor } from "./adapters.ts"
import type { DatabaseAddress } from "./databaseOptions.ts"

export interface HostDatabase {
  /** A drizzle database. */
  readonly db: unknown
  readonly close: () => Promise<void>
}

/** Rejects with a `StoreError` when the database cannot be opened. */
export const openDatabase = async ({ client, provider, ...location }: DatabaseAddress): Promise<HostDatabase> => {
  // It stays the app's, and it is the adapter that looks whether it is one of drizzle's.
  if (client !== undefined) return { db: client, close: async () => {} }
  const adapter = await adapterFor(provider)
  const scope = Effect.runSync(Scope.make())
  const opened = await Effect.runPromise(Effect.either(Scope.extend(adapter.open(location), scope)))
  if (opened._tag === "Left") {
    // What was opened before it failed, such as the file's handle.
    await Effect.runPromise(Scope.close(scope, Exit.void))
    throw opened.left
  }
  return { db: opened.right, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

/** The store on a database that is opened when the store is first used, and closed with it. */
export const storeAt = (
  { client, provider, ...location }: DatabaseAddress,
  users: UsersOptions = { users: "ifThere" }
): Layer.Layer<BillingStore, unknown> =>
  Layer.unwrapEffect(
    Effect.map(Effect.tryPromise({ try: () => adapterFor(provider), catch: (error) => error }), (adapter) =>
      client === undefined ? adapter.layer(location, users) : adapter.onClient(client, users)
    )
  )
