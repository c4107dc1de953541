/**
 * The database servers of a test run: those that the environment names, else throw-away ones of its own. A server that
 * cannot be had is said loudly at the end; in CI that is a failure.
 */
import type { TestProject } from "vitest/node"
import { startMariaDb, startMySql } from "./mysql.ts"
import { startPostgres } from "./postgres.ts"
import { type Account, type RunningServer, unprivileged } from "./ThrowAwayServer.ts"

export const serverNames = ["postgres", "mariadb", "mysql"] as const
export type ServerName = (typeof serverNames)[number]

declare module "vitest" {
  interface ProvidedContext {
    /** Addresses of an administrator; `null` where there is no such server. */
    readonly servers: Readonly<Record<ServerName, string | null>>
  }
}

const variables = {
  postgres: "TEST_POSTGRES_URL",
  mariadb: "TEST_MARIADB_URL",
  mysql: "TEST_MYSQL_URL"
} as const satisfies Record<ServerName, string>

const starters: Record<ServerName, (account: Account) => Promise<RunningServer & { readonly url: string }>> = {
  postgres: startPostgres,
  mariadb: startMariaDb,
  mysql: startMySql
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const account = await unprivileged()
  const running: Array<RunningServer> = []
  const missing: Array<string> = []
  const servers: Record<ServerName, string | null> = { postgres: null, mariadb: null, mysql: null }
  const obtain = async (name: ServerName) => {
    const given = process.env[variables[name]]
    if (given !== undefined && given !== "") {
      servers[name] = given
      return
    }
    try {
      const server = await starters[name](account)
      running.push(server)
      servers[name] = server.url
    } catch (error) {
      missing.push(`${name} (or set ${variables[name]}): ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  // One after the other where both may install packages: apt allows one at a time.
  await Promise.all([obtain("postgres"), obtain("mariadb").then(() => obtain("mysql"))])
  project.provide("servers", servers)
  if (missing.length > 0 && process.env["CI"] === "true") {
    await Promise.all(running.map((server) => server.stop()))
    throw new Error(`in CI every server must be there:\n${missing.join("\n")}`)
  }
  return async () => {
    await Promise.all(running.map((server) => server.stop()))
    for (const line of missing) process.stderr.write(`\nNOT RUN: tests on ${line}\n`)
  }
}
