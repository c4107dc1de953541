/** A database server for a run: the one that the environment names, else a throw-away one. */
import { startMariaDb, startMySql } from "./mysql.ts"
import { startPostgres } from "./postgres.ts"
import { type Account, type RunningServer, type ServerOptions, unprivileged } from "./ThrowAwayServer.ts"

export const serverNames = ["postgres", "mariadb", "mysql"] as const
export type ServerName = (typeof serverNames)[number]

/** The environment's variables that name servers. */
export const serverVariables = {
  postgres: "TEST_POSTGRES_URL",
  mariadb: "TEST_MARIADB_URL",
  mysql: "TEST_MYSQL_URL"
} as const satisfies Record<ServerName, string>

const starters: Record<ServerName, (account: Account, options: ServerOptions) => Promise<ObtainedServer>> = {
  postgres: startPostgres,
  mariadb: startMariaDb,
  mysql: startMySql
}

/** `stop` leaves a server that the environment named alone. */
export interface ObtainedServer extends RunningServer {
  /** The address of an administrator. */
  readonly url: string
}

export const obtainServer = async (
  name: ServerName,
  options: ServerOptions = { waitsForDisk: false }
): Promise<ObtainedServer> => {
  const given = process.env[serverVariables[name]]
  if (given !== undefined && given !== "") return { url: given, stop: async () => {} }
  try {
    return await starters[name](await unprivileged(), options)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    throw new Error(`no ${name} server can be had (or set ${serverVariables[name]}): ${detail}`)
  }
}
