/** The adapters, each loaded only when a host's database is of its kind. */

import type { BillingStore } from "@kavach-polar/core/BillingStore"
import type { StoreError } from "@kavach-polar/core/StoreError"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** Where a database is, and what it lets one in by. */
export interface Location {
  readonly url: string
  /** For libSQL only: the others have it in their URL. */
  readonly authToken?: Redacted.Redacted | undefined
}

/** An adapter, as a host uses it. */
export interface Adapter {
  /** The store on a drizzle database of the adapter's kind, which stays the host's. */
  readonly onDrizzle: (db: unknown) => Layer.Layer<BillingStore>
  /** The store on a database that nobody else uses: it need not look at what others might have set, and is faster. */
  readonly layer: (location: Location) => Layer.Layer<BillingStore, StoreError>
  /** A drizzle database of our own, open as long as the scope. */
  readonly open: (location: Location) => Effect.Effect<unknown, StoreError, Scope.Scope>
}

/** Nothing here can keep subscriptions in such a database. */
export class UnsupportedDatabase extends Schema.TaggedError<UnsupportedDatabase>()("UnsupportedDatabase", {
  provider: Schema.String
}) {
  override get message(): string {
    return `polar() cannot use the database provider "${this.provider}": it works with sqlite, sqlite-native, libsql, turso, postgres and mysql. Elsewhere give the polar() of "@kavach-polar/http" a \`store\` of its own.`
  }
}

/** The adapter for the database, or drizzle-orm, is not installed. */
export class MissingPackage extends Schema.TaggedError<MissingPackage>()("MissingPackage", {
  name: Schema.String,
  driver: Schema.String,
  cause: Schema.Defect
}) {
  override get message(): string {
    return `polar() needs ${this.name} for this database: npm install ${this.name} ${this.driver}`
  }
}

/** Rejects with `UnsupportedDatabase` or `MissingPackage`. */
export const adapterFor = async (provider: string): Promise<Adapter> => {
  switch (provider) {
    case "sqlite":
    case "sqlite-native": {
      const { SqliteStore } = await import("@kavach-polar/adapter-sqlite").catch(missing("sqlite", "better-sqlite3"))
      return {
        onDrizzle: (db) => SqliteStore.fromDrizzle(trusted<Parameters<typeof SqliteStore.fromDrizzle>[0]>(db)),
        layer: ({ url }) => SqliteStore.layer({ filename: fileOf(url) }),
        open: ({ url }) => SqliteStore.open(fileOf(url))
      }
    }
    case "libsql":
    case "turso": {
      const { LibsqlStore } = await import("@kavach-polar/adapter-libsql").catch(missing("libsql", "@libsql/client"))
      return {
        onDrizzle: (db) => LibsqlStore.fromDrizzle(trusted<Parameters<typeof LibsqlStore.fromDrizzle>[0]>(db)),
        layer: LibsqlStore.layer,
        open: LibsqlStore.open
      }
    }
    case "postgres": {
      const { PostgresStore } = await import("@kavach-polar/adapter-postgres").catch(missing("postgres", "pg"))
      return {
        onDrizzle: (db) => PostgresStore.fromDrizzle(trusted<Parameters<typeof PostgresStore.fromDrizzle>[0]>(db)),
        layer: ({ url }) => PostgresStore.layer({ url }),
        open: ({ url }) => PostgresStore.open({ url })
      }
    }
    case "mysql": {
      const { MysqlStore } = await import("@kavach-polar/adapter-mysql").catch(missing("mysql", "mysql2"))
      return {
        onDrizzle: (db) => MysqlStore.fromDrizzle(trusted<Parameters<typeof MysqlStore.fromDrizzle>[0]>(db)),
        layer: ({ url }) => MysqlStore.layer({ url }),
        open: ({ url }) => MysqlStore.open({ url })
      }
    }
    default:
      throw new UnsupportedDatabase({ provider })
  }
}

const missing =
  (adapter: string, driver: string) =>
  (cause: unknown): never => {
    throw new MissingPackage({ name: absentPackage(cause) ?? `@kavach-polar/adapter-${adapter}`, driver, cause })
  }

/** What Node says it did not find. It is drizzle-orm where the adapters are inside, as in the bundle. */
const absentPackage = (cause: unknown): string | undefined =>
  cause instanceof Error ? /^Cannot find package '([^']+)'/.exec(cause.message)?.[1] : undefined

/** A host says of its database only which provider it is: that is what the type rests on. */
const trusted = <Database>(db: unknown): Database => db as Database

const fileOf = (url: string): string => url.replace(/^file:/, "")
