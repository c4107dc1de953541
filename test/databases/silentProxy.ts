/** A wire to a database that can fall silent: connections stay open, and nothing goes through any more. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export interface SilentProxy {
  /** The database's address, by way of the proxy. */
  readonly url: string
  /** What was sent on connections of this time never arrives, also later. */
  readonly fallSilent: () => void
  /** New connections go through again. */
  readonly speak: () => void
  readonly close: () => Promise<void>
}

export const silentProxy = async (databaseUrl: string): Promise<SilentProxy> => {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  const mute = new Set<Socket>()
  let isSilent = false
  const join = (client: Socket) => {
    const server = connect(Number(target.port), target.hostname)
    for (const [from, to] of [
      [client, server],
      [server, client]
    ] as const) {
      sockets.add(from)
      if (isSilent) mute.add(from)
      from.on("data", (chunk: Buffer) => {
        if (!mute.has(from)) to.write(chunk)
      })
      // That the one side is gone is told the other one only where anything is.
      from.on("error", () => {})
      from.on("close", () => {
        if (from === client || !mute.has(from)) to.destroy()
        sockets.delete(from)
      })
    }
  }
  const listener = createServer(join)
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve))
  const url = new URL(databaseUrl)
  url.port = String((listener.address() as AddressInfo).port)
  return {
    url: url.href,
    fallSilent: () => {
      isSilent = true
      for (const socket of sockets) mute.add(socket)
    },
    speak: () => {
      isSilent = false
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    }
  }
}
