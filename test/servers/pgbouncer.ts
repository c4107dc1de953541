/**
 * A pooler of the kind that many hosts put in front of PostgreSQL: Debian's PgBouncer, lending a connection for one
 * transaction at a time. Debian 12 has 1.18, which keeps no prepared statements; a later one is told to keep none.
 */
import { execFile } from "node:child_process"
import { chownSync, existsSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { promisify } from "node:util"
import { install } from "./debian.ts"
import { freePort, inFolder, startServer, type ThrowAwayServer, unprivileged } from "./ThrowAwayServer.ts"

const run = promisify(execFile)
const program = "/usr/sbin/pgbouncer"

/** In front of the server at `url`, whose user needs no password. */
export const startPgBouncer = async (url: string): Promise<ThrowAwayServer & { readonly url: string }> => {
  if (!existsSync(program)) await install("pgbouncer")
  const account = await unprivileged()
  const server = new URL(url)
  return inFolder("pgbouncer", account, async (folder) => {
    const port = await freePort()
    const users = join(folder, "users.txt")
    writeFileSync(users, `"${server.username}" ""\n`)
    const config = join(folder, "pgbouncer.ini")
    const lines = [
      "[databases]",
      `* = host=${server.hostname} port=${server.port || 5432} user=${server.username}`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = trust",
      `auth_file = ${users}`,
      "pool_mode = transaction",
      "default_pool_size = 3",
      "ignore_startup_parameters = extra_float_digits",
      ...((await keepsStatements()) ? ["max_prepared_statements = 0"] : [])
    ]
    writeFileSync(config, `${lines.join("\n")}\n`)
    for (const file of [users, config]) chownSync(file, account.uid, account.gid)
    const started = await startServer(
      { command: program, args: ["-q", config], folder, stopSignal: "SIGINT" },
      account,
      () => listens(port)
    )
    return { ...started, url: `postgres://${server.username}@127.0.0.1:${port}${server.pathname}` }
  })
}

/** From 1.21 on it can keep them. */
const keepsStatements = async (): Promise<boolean> => {
  const { stdout } = await run(program, ["--version"])
  const [, major = "1", minor = "0"] = /PgBouncer (\d+)\.(\d+)/i.exec(stdout) ?? []
  return Number(major) > 1 || Number(minor) >= 21
}

const listens = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve()
    })
    socket.once("error", reject)
  })
