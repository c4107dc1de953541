/**
 * The database servers of a test run: those that the environment names, else throw-away ones of its own. A server that
 * cannot be had is said loudly at the end; in CI that is a failure.
 */
import type { TestProject } from "vitest/node"
import { type ObtainedServer, obtainServer, type ServerName } from "./obtainServer.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Addresses of an administrator; `null` where there is no such server. */
    readonly servers: Readonly<Record<ServerName, string | null>>
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const running: Array<ObtainedServer> = []
  const missing: Array<string> = []
  const servers: Record<ServerName, string | null> = { postgres: null, mariadb: null, mysql: null }
  const obtain = async (name: ServerName) => {
    try {
      const server = await obtainServer(name)
      running.push(server)
      servers[name] = server.url
    } catch (error) {
      missing.push(error instanceof Error ? error.message : String(error))
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
    for (const line of missing) process.stderr.write(`\nNOT RUN: ${line}\n`)
  }
}
