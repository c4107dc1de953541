/** A client of this process's own. */
import { existsSync } from "node:fs"
import { dirname } from "node:path"
import { DriverError, loadedBy, retryConflicts } from "@kavach-polar/core/adapter"
import * as Options from "@kavach-polar/core/Options"
import { StoreError } from "@kavach-polar/core/StoreError"
import type { Client } from "@libsql/client"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { libsqlClient } from "./drivers.ts"
import { explain, isConflict } from "./libsqlProblem.ts"

/**
 * @example
 * LibsqlStore.layer({ url: "libsql://app-acme.turso.io", authToken: Redacted.make("eyJ…") })
 */
export interface LibsqlStoreOptions {
  /** `libsql://…` or `https://…` of a server, or `file:app.db`, whose folder must exist; or `:memory:`. */
  readonly url: string
  /** What the server lets one in by. */
  readonly authToken?: Redacted.Redacted | string | undefined
}

const storeOptions: Schema.Schema<Options.Given<LibsqlStoreOptions>> = Schema.Struct({
  url: Options.optional(Options.anyText),
  authToken: Options.optional(Options.secretText)
})

export const checkOptions = Options.optionsCheck("LibsqlStore.layer()", storeOptions)

/**
 * A client until the scope ends. It connects to a server at the first query. A file is in WAL mode, with every commit on
 * disk before it returns. The driver is loaded by this call and not by importing the module.
 */
export const openClient = ({ authToken, url }: LibsqlStoreOptions): Effect.Effect<Client, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { createClient } = yield* loadedBy(libsqlClient)
    const client = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          const folder = folderOf(url)
          if (folder !== undefined && !existsSync(folder)) {
            throw new DriverError("unavailable", `the folder ${folder} does not exist`)
          }
          const token = Redacted.isRedacted(authToken) ? Redacted.value(authToken) : authToken
          return createClient({
            url,
            ...(token === undefined ? {} : { authToken: token }),
            // As numbers, one integer beyond 2^53 would make everything that is read with it fail.
            intMode: "bigint",
            timeout: blockMillis,
            fetch: fetchInTime
          })
        },
        catch: failed
      }),
      (opened) => Effect.sync(() => opened.close())
    )
    // As a script: see the transactions of `libsqlConnection`. It is the file's own setting, for all connections. What else the store needs of them is what libSQL has by itself:
    // synchronous = FULL, foreign_keys = ON.
    if (client.protocol === "file") {
      yield* Effect.tryPromise({
        try: () => retryConflicts(() => client.executeMultiple("PRAGMA journal_mode = WAL"), { isConflict }),
        catch: failed
      })
    }
    return client
  })

/**
 * How long SQLite itself may wait for another writer of the same file, in milliseconds: that wait holds up the whole
 * process. The rest of it is between attempts.
 */
const blockMillis = 5

/** A socket that nobody answers on is given up some time after the call that waited for it. */
const requestMillis = 60_000

const fetchInTime = (request: Request): Promise<Response> =>
  fetch(request, { signal: AbortSignal.timeout(requestMillis) })

/** Of a file; `undefined` for a server and for memory. */
const folderOf = (url: string): string | undefined => {
  const [, path = ""] = /^file:(?:\/\/(?:localhost)?(?=\/))?([^?]*)/i.exec(url) ?? []
  return path === "" || path === ":memory:" ? undefined : dirname(decodeURIComponent(path))
}

const failed = (error: unknown): StoreError => new StoreError({ operation: "open", ...explain(error) })
