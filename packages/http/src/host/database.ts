/** The databases that are opened and closed here: our own host's, and that of a `polar()` without a host. */
import type { BillingStore } from "@kavach-polar/core/BillingStore"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { adapterFor } from "./adapters.ts"

export interface DatabaseConfig {
  /** `sqlite` and `sqlite-native` are the same here: better-sqlite3. */
  readonly provider: "sqlite" | "sqlite-native" | "postgres" | "mysql"
  /** For SQLite the path of the file, or `:memory:`. */
  readonly url: string | undefined
}

/** A `DatabaseConfig` that says where. */
export interface DatabaseAddress extends DatabaseConfig {
  readonly url: string
}

/** Tells the address from what cannot be one, which it explains in a sentence. */
export const addressOf = ({ provider, url }: DatabaseConfig): Either.Either<DatabaseAddress, string> => {
  if (typeof url !== "string" || url.trim() === "") return Either.left("url is missing")
  if (isServer(provider) && !URL.canParse(url)) {
    return Either.left(`url is not an address such as ${provider}://user:password@host/database`)
  }
  return Either.right({ provider, url })
}

const isServer = (provider: DatabaseConfig["provider"]): boolean => provider === "postgres" || provider === "mysql"

export interface HostDatabase {
  /** A drizzle database. */
  readonly db: unknown
  readonly close: () => Promise<void>
}

/** Rejects with a `StoreError` when the database cannot be opened. */
export const openDatabase = async ({ provider, url }: DatabaseAddress): Promise<HostDatabase> => {
  const adapter = await adapterFor(provider)
  const scope = Effect.runSync(Scope.make())
  const opened = await Effect.runPromise(Effect.either(Scope.extend(adapter.open(url), scope)))
  if (opened._tag === "Left") throw opened.left
  return { db: opened.right, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

/** The store on a database that is opened when the store is first used, and closed with it. */
export const storeAt = ({ provider, url }: DatabaseAddress): Layer.Layer<BillingStore, unknown> =>
  Layer.unwrapEffect(
    Effect.map(Effect.tryPromise({ try: () => adapterFor(provider), catch: (error) => error }), (adapter) =>
      adapter.layer(url)
    )
  )
