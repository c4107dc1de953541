import { connect } from "node:net"
import { join } from "node:path"
import { postgresPrograms } from "./postgresPrograms.ts"
import {
  type Account,
  freePort,
  inFolder,
  runAs,
  type ServerOptions,
  startServer,
  type ThrowAwayServer
} from "./ThrowAwayServer.ts"

const settings = ({ waitsForDisk }: ServerOptions): ReadonlyArray<string> =>
  ["max_connections=200", ...(waitsForDisk ? [] : ["fsync=off", "full_page_writes=off"])].flatMap((setting) => [
    "-c",
    setting
  ])

export const startPostgres = async (
  account: Account,
  options: ServerOptions
): Promise<ThrowAwayServer & { readonly url: string }> => {
  const bin = await postgresPrograms()
  return inFolder("postgres", account, async (folder) => {
    const port = await freePort()
    const data = join(folder, "data")
    await runAs(
      account,
      join(bin, "initdb"),
      ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
      folder
    )
    const server = await startServer(
      {
        command: join(bin, "postgres"),
        args: ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", folder, ...settings(options)],
        folder,
        stopSignal: "SIGINT"
      },
      account,
      () => accepts(port)
    )
    return { ...server, url: `postgres://postgres@127.0.0.1:${port}/postgres` }
  })
}

/** Whether PostgreSQL agrees to talk: it answers a request for encryption with one letter only once it is up. */
const accepts = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      const startup = Buffer.from("user\0postgres\0database\0postgres\0\0")
      const head = Buffer.alloc(8)
      head.writeInt32BE(startup.length + 8, 0)
      head.writeInt32BE(196608, 4)
      socket.write(Buffer.concat([head, startup]))
    })
    socket.once("data", (answer) => {
      socket.destroy()
      // "R": authentication; anything else is an error such as "the database system is starting up".
      if (answer[0] === 0x52) resolve()
      else reject(new Error("PostgreSQL is not up yet"))
    })
    socket.once("error", reject)
    socket.setTimeout(2000, () => socket.destroy(new Error("no answer")))
  })
