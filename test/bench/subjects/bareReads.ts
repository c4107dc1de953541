/**
 * The yardstick for `has` and `owns`: what a careful developer writes for the same questions and the same tables, a prepared
 * statement that finds one row or none, on the bare driver. No time limit is kept and no error is explained.
 */
import { createClient } from "@libsql/client"
import Database from "better-sqlite3"
import mysql, { type RowDataPacket } from "mysql2/promise"
import pg from "pg"
import type { StoreName } from "../Bench.ts"
import { boughtProduct, grantedKey } from "../deliveries.ts"
import type { Subject, SubjectSettings } from "./Subject.ts"

type Read = (userId: string) => boolean | Promise<boolean>

interface BareReads {
  readonly has: Read
  readonly owns: Read
  readonly close: () => Promise<void>
}

/** The key is the benefit's own, or where the benefit is not stored, the one that came with the grant. */
const sqlite = {
  has: `SELECT 1 FROM kavach_polar_records AS granted
    LEFT JOIN kavach_polar_records AS benefit ON benefit.record_key = 'benefit ' || granted.benefit_id
    WHERE granted.user_id = ? AND granted.record_key > 'benefit_grant ' AND granted.record_key < 'benefit_grant!' AND granted.live = 1 AND (granted.benefit_id = ? OR
      coalesce(benefit.data ->> '$.metadata.key', granted.data ->> '$.benefit.metadata.key') = ?) LIMIT 1`,
  owns: `SELECT 1 FROM kavach_polar_records
    WHERE user_id = ? AND record_key > 'order ' AND record_key < 'order!' AND live = 1 AND product_id = ? AND subscription_id IS NULL
      AND summary ->> '$.billing_reason' = 'purchase' LIMIT 1`
} as const

const postgres = {
  has: `SELECT 1 FROM kavach_polar_records AS granted
    LEFT JOIN kavach_polar_records AS benefit ON benefit.record_key = 'benefit ' || granted.benefit_id
    WHERE granted.user_id = $1 AND granted.record_key > 'benefit_grant ' AND granted.record_key < 'benefit_grant!' AND granted.live AND (granted.benefit_id = $2 OR
      coalesce(benefit.data::json #>> '{metadata,key}', granted.data::json #>> '{benefit,metadata,key}') = $2) LIMIT 1`,
  owns: `SELECT 1 FROM kavach_polar_records
    WHERE user_id = $1 AND record_key > 'order ' AND record_key < 'order!' AND live AND product_id = $2 AND subscription_id IS NULL
      AND summary::json ->> 'billing_reason' = 'purchase' LIMIT 1`
} as const

const mysqlSql = {
  has: `SELECT 1 FROM kavach_polar_records AS granted
    LEFT JOIN kavach_polar_records AS benefit ON benefit.record_key = CONCAT('benefit ', granted.benefit_id)
    WHERE granted.user_id = ? AND granted.record_key > 'benefit_grant ' AND granted.record_key < 'benefit_grant!' AND granted.live = 1 AND (granted.benefit_id = ? OR
      COALESCE(JSON_VALUE(benefit.data, '$.metadata.key'), JSON_VALUE(granted.data, '$.benefit.metadata.key')) = ?) LIMIT 1`,
  owns: `SELECT 1 FROM kavach_polar_records
    WHERE user_id = ? AND record_key > 'order ' AND record_key < 'order!' AND live = 1 AND product_id = ? AND subscription_id IS NULL
      AND JSON_VALUE(summary, '$.billing_reason') = 'purchase' LIMIT 1`
} as const

const openSqlite = (filename: string): BareReads => {
  const client = new Database(filename, { timeout: 5000 })
  const has = client.prepare<[string, string, string], number>(sqlite.has).pluck()
  const owns = client.prepare<[string, string], number>(sqlite.owns).pluck()
  return {
    has: (userId) => has.get(userId, grantedKey, grantedKey) === 1,
    owns: (userId) => owns.get(userId, boughtProduct) === 1,
    close: async () => {
      client.close()
    }
  }
}

const openLibsql = (filename: string): BareReads => {
  const client = createClient({ url: `file:${filename}`, intMode: "number" })
  const isFound = async (sql: string, ...args: ReadonlyArray<string>) =>
    (await client.execute({ sql, args: [...args] })).rows.length === 1
  return {
    has: (userId) => isFound(sqlite.has, userId, grantedKey, grantedKey),
    owns: (userId) => isFound(sqlite.owns, userId, boughtProduct),
    close: async () => client.close()
  }
}

const openPostgres = (url: string): BareReads => {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  const isFound = async (name: keyof typeof postgres, ...values: ReadonlyArray<string>) =>
    (await pool.query({ name, text: postgres[name], values: [...values] })).rowCount === 1
  return {
    has: (userId) => isFound("has", userId, grantedKey),
    owns: (userId) => isFound("owns", userId, boughtProduct),
    close: () => pool.end()
  }
}

const openMysql = (url: string): BareReads => {
  const pool = mysql.createPool({ uri: url, connectionLimit: 10 })
  const isFound = async (sql: string, ...values: ReadonlyArray<string>) =>
    (await pool.execute<Array<RowDataPacket>>(sql, [...values]))[0].length === 1
  return {
    has: (userId) => isFound(mysqlSql.has, userId, grantedKey, grantedKey),
    owns: (userId) => isFound(mysqlSql.owns, userId, boughtProduct),
    close: () => pool.end()
  }
}

const openers: Readonly<Record<StoreName, (url: string) => BareReads>> = {
  sqlite: openSqlite,
  libsql: openLibsql,
  postgres: openPostgres,
  "postgres-js": openPostgres,
  mysql: openMysql,
  mariadb: openMysql
}

/** On a database that ours has filled. It receives nothing. */
export const startBareReads = ({ store, url }: SubjectSettings): Subject => ({ port: 0, ...openers[store](url) })
