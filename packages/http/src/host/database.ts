/** The databases that are opened and closed here: our own host's, and that of a `polar()` without a host. */
import type { BillingStore } from "@kavach-polar/core/BillingStore"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { adapterFor, type Location } from "./adapters.ts"

export interface DatabaseConfig {
  /** `sqlite` and `sqlite-native` are the same here: better-sqlite3. So are `libsql` and `turso`. */
  readonly provider: "sqlite" | "sqlite-native" | "libsql" | "turso" | "postgres" | "mysql"
  /** For SQLite the path of the file, or `:memory:`. For libSQL `libsql://…`, `https://…` or `file:…`. */
  readonly url: string | undefined
  /** What a libSQL server lets one in by. */
  readonly authToken?: string | undefined
}

/** A `DatabaseConfig` that says where. */
export interface DatabaseAddress extends Location {
  readonly provider: DatabaseConfig["provider"]
}

/** Tells the address from what cannot be one, which it explains in a sentence. */
export const addressOf = ({ authToken, provider, url }: DatabaseConfig): Either.Either<DatabaseAddress, string> => {
  if (typeof url !== "string" || url.trim() === "") return Either.left("url is missing")
  if (isServer(provider) && !URL.canParse(url)) {
    return Either.left(`url is not an address such as ${provider}://user:password@host/database`)
  }
  if (isLibsql(provider) && !/^(libsql:|https?:|wss?:|file:|:memory:$)/i.test(url)) {
    return Either.left("url is not an address such as libsql://host or file:billing.db")
  }
  if (authToken === undefined) return Either.right({ provider, url })
  if (!isLibsql(provider)) return Either.left(`authToken is for libsql and turso, and ${provider} takes none`)
  if (typeof authToken !== "string" || authToken.trim() === "") return Either.left("authToken is blank")
  return Either.right({ provider, url, authToken: Redacted.make(authToken) })
}

const isServer = (provider: DatabaseConfig["provider"]): boolean => provider === "postgres" || provider === "mysql"

const isLibsql = (provider: DatabaseConfig["provider"]): boolean => provider === "libsql" || provider === "turso"

export interface HostDatabase {
  /** A drizzle database. */
  readonly db: unknown
  readonly close: () => Promise<void>
}

/** Rejects with a `StoreError` when the database cannot be opened. */
export const openDatabase = async ({ provider, ...location }: DatabaseAddress): Promise<HostDatabase> => {
  const adapter = await adapterFor(provider)
  const scope = Effect.runSync(Scope.make())
  const opened = await Effect.runPromise(Effect.either(Scope.extend(adapter.open(location), scope)))
  if (opened._tag === "Left") throw opened.left
  return { db: opened.right, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

/** The store on a database that is opened when the store is first used, and closed with it. */
export const storeAt = ({ provider, ...location }: DatabaseAddress): Layer.Layer<BillingStore, unknown> =>
  Layer.unwrapEffect(
    Effect.map(Effect.tryPromise({ try: () => adapterFor(provider), catch: (error) => error }), (adapter) =>
      adapter.layer(location)
    )
  )
