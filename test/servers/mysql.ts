/** MySQL and MariaDB: two servers that speak one protocol. */
import { execFile } from "node:child_process"
import { chownSync, existsSync, mkdirSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { promisify } from "node:util"
import { install, unpackFromUnstable } from "./debian.ts"
import {
  type Account,
  freePort,
  inFolder,
  runAs,
  type ServerOptions,
  startServer,
  type ThrowAwayServer
} from "./ThrowAwayServer.ts"

const run = promisify(execFile)

const common = (folder: string, port: number, { waitsForDisk }: ServerOptions): ReadonlyArray<string> => [
  "--no-defaults",
  `--datadir=${join(folder, "data")}`,
  `--port=${port}`,
  "--bind-address=127.0.0.1",
  `--socket=${join(folder, "socket")}`,
  `--pid-file=${join(folder, "pid")}`,
  // MariaDB deletes at its start what other servers have in a folder that they share.
  `--tmpdir=${folder}`,
  "--max-connections=300",
  // It measures what nobody reads here.
  "--performance-schema=OFF",
  ...(waitsForDisk
    ? []
    : [
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-flush-method=nosync",
        "--innodb-doublewrite=OFF",
        "--sync-binlog=0"
      ])
]

export const startMariaDb = async (
  account: Account,
  options: ServerOptions
): Promise<ThrowAwayServer & { readonly url: string }> => {
  const program = "/usr/sbin/mariadbd"
  if (!existsSync(program)) await install("mariadb-server")
  return inFolder("mariadb", account, async (folder) => {
    const port = await freePort()
    await runAs(
      account,
      "/usr/bin/mariadb-install-db",
      [
        "--no-defaults",
        `--datadir=${join(folder, "data")}`,
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve"
      ],
      folder
    )
    const server = await startServer(
      { command: program, args: common(folder, port, options), folder, stopSignal: "SIGTERM" },
      account,
      () => greets(port)
    )
    return { ...server, url: `mysql://root@127.0.0.1:${port}/` }
  })
}

export const startMySql = async (
  account: Account,
  options: ServerOptions
): Promise<ThrowAwayServer & { readonly url: string }> => {
  const root = await unpackFromUnstable("mysql-server-core")
  return inFolder("mysql", account, async (folder) => {
    const port = await freePort()
    // Built for a newer C library than the machine's: it brings its own, with the program that loads it.
    const loader = join(root, "usr/lib64/ld-linux-x86-64.so.2")
    const command = existsSync(loader) ? loader : join(root, "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    await reachable(root)
    const program = [
      "--library-path",
      `${join(root, "usr/lib/x86_64-linux-gnu")}:${join(root, "usr/lib/mysql/private")}`,
      join(root, "usr/sbin/mysqld")
    ]
    const settings = [
      ...common(folder, port, options),
      `--basedir=${join(root, "usr")}`,
      `--lc-messages-dir=${join(root, "usr/share/mysql")}`,
      "--secure-file-priv=NULL",
      "--mysqlx=OFF"
    ]
    mkdirSync(join(folder, "data"))
    chownSync(join(folder, "data"), account.uid, account.gid)
    await runAs(account, command, [...program, ...settings, "--initialize-insecure"], folder)
    const server = await startServer(
      { command, args: [...program, ...settings], folder, stopSignal: "SIGTERM" },
      account,
      () => greets(port)
    )
    return { ...server, url: `mysql://root@127.0.0.1:${port}/` }
  })
}

/** The server runs as somebody else than root: let others read the unpacked files. */
const reachable = async (root: string): Promise<void> => {
  if (process.getuid?.() !== 0) return
  await run("chmod", ["-R", "a+rX", root])
}

/** Whether the server sends its greeting. */
const greets = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("data", (packet) => {
      socket.destroy()
      // The fifth byte: 10 for a greeting, 255 for an error.
      if (packet[4] === 10) resolve()
      else reject(new Error("the server is not up yet"))
    })
    socket.once("error", reject)
    socket.setTimeout(2000, () => socket.destroy(new Error("no answer")))
  })
