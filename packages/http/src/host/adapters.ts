/** The adapters, each loaded only when a host's database is of its kind. */

import type { UsersOptions } from "@kavach-polar/core/adapter"
import type { BillingStore } from "@kavach-polar/core/BillingStore"
import type { StoreError } from "@kavach-polar/core/StoreError"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Location } from "./databaseOptions.ts"

/** An adapter, as a host uses it. */
export interface Adapter {
  /** The store on a database of the app's, of drizzle or of a driver, recognised by looking. It stays the app's. */
  readonly onClient: (client: unknown, users?: UsersOptions) => Layer.Layer<BillingStore, StoreError>
  /** The store on a database that nobody else uses: it need not look at what others might have set, and is faster. */
  readonly layer: (location: Location, users?: UsersOptions) => Layer.Layer<BillingStore, StoreError>
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
      const { SqliteStore } = await load.sqlite()
      return {
        onClient: SqliteStore.fromClient,
        layer: ({ asItIs, url }, users) =>
          SqliteStore.layer({ filename: fileOf(url), keepsJournalMode: asItIs }, users),
        open: ({ url }) => SqliteStore.open(fileOf(url))
      }
    }
    case "libsql":
    case "turso": {
      const { LibsqlStore } = await load.libsql()
      return {
        onClient: LibsqlStore.fromClient,
        layer: ({ authToken, url }, users) => LibsqlStore.layer({ url, authToken }, users),
        open: ({ authToken, url }) => LibsqlStore.open({ url, authToken })
      }
    }
    case "postgres": {
      const { PostgresStore } = await load.postgres()
      return {
        onClient: PostgresStore.fromClient,
        layer: ({ driver, prepare, ...location }, users) =>
          driver === "postgres"
            ? PostgresStore.layer({ ...poolOf(location), prepare, driver }, users)
            : PostgresStore.layer({ ...poolOf(location), prepare, driver }, users),
        open: ({ driver, ...location }) => PostgresStore.open(poolOf(location))
      }
    }
    case "mysql": {
      const { MysqlStore } = await load.mysql()
      return {
        onClient: MysqlStore.fromClient,
        layer: (location, users) => MysqlStore.layer(poolOf(location), users),
        open: (location) => MysqlStore.open(poolOf(location))
      }
    }
    default:
      throw new UnsupportedDatabase({ provider })
  }
}

/** As the stores with pools take it. */
const poolOf = ({ driverOptions, maxConnections, ssl, url }: Location) => ({
  url,
  maxConnections,
  client: ssl === undefined ? driverOptions : { ...driverOptions, ssl }
})

/** Each in a `try`, so that bundlers let those be absent that are not installed. */
const load = {
  sqlite: async () => {
    try {
      return await import("@kavach-polar/adapter-sqlite")
    } catch (cause) {
      throw missing("sqlite", "better-sqlite3", cause)
    }
  },
  libsql: async () => {
    try {
      return await import("@kavach-polar/adapter-libsql")
    } catch (cause) {
      throw missing("libsql", "@libsql/client", cause)
    }
  },
  postgres: async () => {
    try {
      return await import("@kavach-polar/adapter-postgres")
    } catch (cause) {
      throw missing("postgres", "pg", cause)
    }
  },
  mysql: async () => {
    try {
      return await import("@kavach-polar/adapter-mysql")
    } catch (cause) {
      throw missing("mysql", "mysql2", cause)
    }
  }
}

const missing = (adapter: string, driver: string, cause: unknown): MissingPackage =>
  new MissingPackage({ name: absentPackage(cause) ?? `@kavach-polar/adapter-${adapter}`, driver, cause })

/** What Node says it did not find. It is drizzle-orm where the adapters are inside, as in the bundle. */
const absentPackage = (cause: unknown): string | undefined =>
  cause instanceof Error ? /^Cannot find package '([^']+)'/.exec(cause.message)?.[1] : undefined

const fileOf = (url: string): string => url.replace(/^file:/, "")
