/** The store on a host's own database: the adapter that fits its provider, loaded only then. */
import type { SubscriptionStore } from "@kavach-polar/core/SubscriptionStore"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { PluginContext } from "./KavachPlugin.ts"

/** Nothing here can keep subscriptions in the host's database. */
export class UnsupportedDatabase extends Schema.TaggedError<UnsupportedDatabase>()("UnsupportedDatabase", {
  provider: Schema.String
}) {
  override get message(): string {
    return `polar() cannot use the database provider "${this.provider}" yet. It works with "sqlite" and "sqlite-native"; elsewhere give polar() a \`store\` of its own.`
  }
}

/** The package of an adapter, or something that it needs, is not installed. */
export class MissingPackage extends Schema.TaggedError<MissingPackage>()("MissingPackage", {
  name: Schema.String,
  cause: Schema.Defect
}) {
  override get message(): string {
    return `polar() needs the package ${this.name} for this database: npm install ${this.name}`
  }
}

export const storeOf = async ({ config, db }: PluginContext): Promise<Layer.Layer<SubscriptionStore, unknown>> => {
  switch (config.database.provider) {
    case "sqlite":
    case "sqlite-native": {
      const { SqliteStore } = await loadSqlite()
      return SqliteStore.fromDrizzle(db as Parameters<typeof SqliteStore.fromDrizzle>[0])
    }
    default:
      throw new UnsupportedDatabase({ provider: config.database.provider })
  }
}

export const loadSqlite = () =>
  import("@kavach-polar/adapter-sqlite").catch((cause) => {
    throw new MissingPackage({ name: "@kavach-polar/adapter-sqlite", cause })
  })
