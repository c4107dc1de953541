/**
 * A store on connections that are lent, and whose settings somebody changes after the start: another part of the app, a proxy,
 * a failover. Whatever they are then, a value stays a value and the store stays on its tables.
 */
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import type { BillingStoreService } from "@kavach-polar/core/BillingStore"
import { drizzle as drizzleMysql } from "drizzle-orm/mysql2"
import { drizzle as drizzlePostgres } from "drizzle-orm/node-postgres"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as MysqlHarness from "../store/MysqlHarness.ts"
import * as PostgresHarness from "../store/PostgresHarness.ts"
import type { Cluster } from "./Cluster.ts"
import type { StoreName } from "./Proof.ts"
import type { Random } from "./seeded.ts"

/** What `sql_mode` may be. */
export const mysqlModes: ReadonlyArray<string> = [
  "",
  "NO_BACKSLASH_ESCAPES",
  "ANSI_QUOTES",
  "PIPES_AS_CONCAT",
  "NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE,STRICT_ALL_TABLES",
  "ANSI,TRADITIONAL"
]

/** What goes after SET. */
export const mysqlCharsets: ReadonlyArray<string> = [
  "NAMES utf8mb4",
  "NAMES gbk",
  "NAMES sjis",
  "NAMES big5",
  "NAMES latin1",
  "NAMES ascii",
  "NAMES binary",
  "NAMES cp932, character_set_results = koi8r",
  "character_set_results = NULL, character_set_connection = utf16",
  "CHARACTER SET gb2312"
]

/** What goes after SET. In the schema `decoy` are tables of the same names. */
const postgresSettings: ReadonlyArray<string> = [
  "standard_conforming_strings = off",
  "standard_conforming_strings = on",
  "backslash_quote = on",
  "search_path = decoy, public",
  "search_path = decoy, pg_catalog",
  "search_path = decoy",
  "search_path = public",
  "DateStyle = 'SQL, DMY'",
  "TimeZone = 'Asia/Kathmandu'",
  "IntervalStyle = sql_standard",
  "transform_null_equals = on",
  "extra_float_digits = -15"
]

export interface LentStore {
  readonly store: BillingStoreService
  /** Changes the settings of the connections that there are; succeeds with what they are now. */
  readonly change: (random: Random) => Promise<string>
}

export const lentStore = (
  name: StoreName,
  { address, query, stores }: Cluster
): Effect.Effect<LentStore, never, Scope.Scope> => {
  switch (name) {
    case "mysql":
    case "mariadb":
      return Effect.map(MysqlHarness.temporaryPool({ uri: address, connectionLimit: 1 }), (pool) => ({
        store: MysqlStore.make(drizzleMysql(pool)),
        change: async (random) => {
          const mode = mysqlModes[random.int(mysqlModes.length)] ?? ""
          const charset = mysqlCharsets[random.int(mysqlCharsets.length)] ?? ""
          // Said so that it can be read whatever was set before.
          await pool.query("SET NAMES utf8mb4")
          await pool.query(`SET SESSION sql_mode = '${mode}'`)
          await pool.query(`SET ${charset}`)
          return `sql_mode '${mode}', ${charset}`
        }
      }))
    case "postgres":
      return Effect.gen(function* () {
        yield* query("CREATE SCHEMA decoy")
        const tables = yield* query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (const { tablename } of tables) {
          yield* query(`CREATE TABLE decoy.${String(tablename)} (LIKE public.${String(tablename)} INCLUDING ALL)`)
        }
        const pool = yield* PostgresHarness.newPool(address, 1)
        const store = PostgresStore.make(drizzlePostgres(pool))
        // The tables are looked up before the path changes.
        yield* Effect.orDie(store.deliveries({ limit: 1 }))
        yield* Effect.orDie(store.knownUsers([]))
        return {
          store,
          change: async (random) => {
            const setting = postgresSettings[random.int(postgresSettings.length)] ?? ""
            await pool.query(`SET ${setting}`)
            return setting
          }
        }
      })
    case "memory":
    case "sqlite":
    case "libsql":
      return Effect.succeed({ store: stores[0], change: async () => "none that a connection has" })
  }
}
