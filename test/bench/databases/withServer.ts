import type { StoreName } from "../Bench.ts"
import type { BenchServer } from "./BenchDatabase.ts"
import { startMysql } from "./mysql.ts"
import { startPostgres } from "./postgres.ts"
import { startSqlite } from "./sqlite.ts"

const starters: Record<StoreName, () => Promise<BenchServer>> = {
  sqlite: () => startSqlite("sqlite"),
  libsql: () => startSqlite("libsql"),
  postgres: () => startPostgres("postgres"),
  "postgres-js": () => startPostgres("postgres-js"),
  mysql: () => startMysql("mysql"),
  mariadb: () => startMysql("mariadb")
}

/** A server for the time of `use`. */
export const withServer = async <A>(store: StoreName, use: (server: BenchServer) => Promise<A>): Promise<A> => {
  const server = await starters[store]()
  try {
    return await use(server)
  } finally {
    await server.stop()
  }
}
