import { randomUUID } from "node:crypto"
import { totalmem } from "node:os"
import mysql from "mysql2/promise"
import { obtainServer } from "../../servers/obtainServer.ts"
import type { BenchDatabase, BenchServer, Row } from "./BenchDatabase.ts"

export const startMysql = async (store: "mysql" | "mariadb"): Promise<BenchServer> => {
  const server = await obtainServer(store, { waitsForDisk: true })
  const admin = await mysql.createConnection(server.url)
  const rowsOf = async (sql: string): Promise<ReadonlyArray<Row>> => {
    const [rows] = await admin.query(sql)
    return Array.isArray(rows) ? rows.map((row) => ({ ...row })) : []
  }
  const [version] = await rowsOf("SELECT version() AS version")
  const durability = await rowsOf(
    `SHOW GLOBAL VARIABLES WHERE variable_name IN
      ('innodb_flush_log_at_trx_commit', 'sync_binlog', 'log_bin', 'innodb_doublewrite', 'innodb_buffer_pool_size')`
  )
  const statusOf = async (name: string): Promise<number> => {
    const [row] = await rowsOf(`SHOW GLOBAL STATUS LIKE '${name}'`)
    return Number(row?.["Value"])
  }
  /** Settings of the server's, in this order. Answers with what sets them back, the last first. */
  const setAll = async (settings: ReadonlyArray<readonly [name: string, value: number]>) => {
    const before: Array<readonly [name: string, value: number]> = []
    const set = (name: string, value: number) => admin.query(`SET GLOBAL ${name} = ${value}`)
    for (const [name, value] of settings) {
      const [row] = await rowsOf(`SELECT @@GLOBAL.${name} AS value`)
      before.unshift([name, Number(row?.["value"])])
      await set(name, value)
    }
    return async () => {
      for (const [name, value] of before) await set(name, value)
    }
  }
  return {
    store,
    version: `${store === "mysql" ? "MySQL" : "MariaDB"} ${version?.["version"]}`,
    durability: durability.map((row) => `${row["Variable_name"]}=${row["Value"]}`).join(" "),
    enlarge: () =>
      setAll([
        ["innodb_buffer_pool_size", poolBytes],
        [logSetting[store], logBytes]
      ]),
    writeDown: async () => {
      // Of the server's own accord it writes some megabytes a second.
      const undo = await setAll([
        ["innodb_io_capacity_max", 40_000],
        ["innodb_io_capacity", 20_000],
        ["innodb_max_dirty_pages_pct", 0]
      ])
      const deadline = performance.now() + 300_000
      for (;;) {
        if ((await statusOf("Innodb_buffer_pool_pages_dirty")) < 500) break
        if (performance.now() > deadline) throw new Error(`${store} still has pages to write after five minutes`)
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
      await undo()
    },
    pagesRead: () => statusOf("Innodb_pages_read"),
    newDatabase: async () => {
      const name = `kavach_bench_${randomUUID().replaceAll("-", "").slice(0, 20)}`
      await admin.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`)
      const url = new URL(server.url)
      url.pathname = `/${name}`
      const database = await onDatabase(store, url.href)
      return {
        ...database,
        drop: async () => {
          await database.drop()
          await admin.query(`DROP DATABASE ${name}`)
        }
      }
    },
    stop: async () => {
      await admin.end()
      await server.stop()
    }
  }
}

const rowsAtOnce = 2000
/** What is recommended for a machine that has nothing else to do. The tables of five million are larger all the same. */
const poolBytes = Math.floor((totalmem() * 2) / 3)
const logBytes = 4 * 1024 ** 3
const logSetting = { mysql: "innodb_redo_log_capacity", mariadb: "innodb_log_file_size" } as const

const onDatabase = async (store: "mysql" | "mariadb", url: string): Promise<BenchDatabase> => {
  const connection = await mysql.createConnection({ uri: url, dateStrings: true, timezone: "Z" })
  return {
    store,
    url,
    run: async (sql) => {
      const [rows] = await connection.query(sql)
      return Array.isArray(rows) ? rows.map((row) => ({ ...row })) : []
    },
    addUsers: async (ids) => {
      for (let from = 0; from < ids.length; from += rowsAtOnce) {
        const some = ids.slice(from, from + rowsAtOnce)
        await connection.query("INSERT INTO kavach_users (id, email, created_at, updated_at) VALUES ?", [
          some.map((id) => [id, `${id}@acme-mail.dev`, "2026-01-01", "2026-01-01"])
        ])
      }
    },
    empty: async (tables) => {
      for (const table of tables) await connection.query(`TRUNCATE TABLE ${table}`)
    },
    drop: () => connection.end()
  }
}
