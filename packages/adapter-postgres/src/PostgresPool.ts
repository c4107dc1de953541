/** A pool of this process's own. */
import { StoreError } from "@kavach-polar/core/StoreError"
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Options, PostgresType } from "postgres"
import { explain } from "./PostgresProblem.ts"

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:5432/database`, with `?sslmode=require` where the server wants it. */
  readonly url: Redacted.Redacted | string
  /** At most so many connections at once; 10 unless given. */
  readonly maxConnections?: number | undefined
  /** What else postgres.js takes, such as `ssl` (its readme, "Connection details"). */
  readonly client?: Options<Record<string, PostgresType>> | undefined
}

/**
 * A pool of postgres.js until the scope ends. It connects at the first query. The driver is loaded by this call and not
 * by importing the module.
 */
export const open = ({
  client: options,
  maxConnections,
  url
}: PostgresStoreOptions): Effect.Effect<PostgresJsDatabase, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { default: postgres } = yield* Effect.tryPromise({ try: () => import("postgres"), catch: notInstalled })
    const { drizzle } = yield* Effect.tryPromise({
      try: () => import("drizzle-orm/postgres-js"),
      catch: notInstalled
    })
    const client = yield* Effect.acquireRelease(
      Effect.try({
        try: () =>
          postgres(Redacted.isRedacted(url) ? Redacted.value(url) : url, {
            // Polar waits ten seconds for its answer.
            connect_timeout: 5,
            max: maxConnections ?? 10,
            // Its default prints them.
            onnotice: () => {},
            ...options,
            connection: { application_name: "kavach-polar", ...options?.connection }
          }),
        catch: (error) =>
          error instanceof TypeError
            ? new StoreError({ operation: "open", reason: "unavailable", detail: "the database's url cannot be read" })
            : new StoreError({ operation: "open", ...explain(error) })
      }),
      // What is under way gets so many seconds to end.
      (client) => Effect.promise(() => client.end({ timeout: 5 }))
    )
    return drizzle(client)
  })

const notInstalled = (error: unknown) =>
  new StoreError({
    operation: "open",
    reason: "unavailable",
    detail: `postgres cannot be loaded (${codeOf(error)}); run npm install postgres drizzle-orm`
  })

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no code"
