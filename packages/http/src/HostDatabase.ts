/** The database that our own host opens and closes. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { adapterFor } from "./Adapters.ts"

export interface HostDatabase {
  /** A drizzle database. */
  readonly db: unknown
  readonly close: () => Promise<void>
}

/** Rejects with a `StoreError` when the database cannot be opened. */
export const openDatabase = async (provider: string, url: string): Promise<HostDatabase> => {
  const adapter = await adapterFor(provider)
  const scope = Effect.runSync(Scope.make())
  const opened = await Effect.runPromise(Effect.either(Scope.extend(adapter.open(url), scope)))
  if (opened._tag === "Left") throw opened.left
  return { db: opened.right, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}
