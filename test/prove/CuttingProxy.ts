/** A wire between the product and its database that can be cut: each connection after a number of bytes of its own. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import type { Random } from "./seeded.ts"

export interface CuttingProxy {
  /** The database's address, by way of the proxy. */
  readonly url: string
  /** From now on connections break, old ones and new ones, each once so many bytes went through it in either direction. */
  readonly cutAfter: (least: number, most: number) => void
  /** From now on none does. */
  readonly mend: () => void
  /** How many connections were cut so far. */
  readonly cuts: () => number
  readonly close: () => Promise<void>
}

export const cuttingProxy = async (databaseUrl: string, random: Random): Promise<CuttingProxy> => {
  const target = new URL(databaseUrl)
  const wires = new Set<{ left: number; readonly cut: () => void }>()
  let budget: (() => number) | undefined
  let cuts = 0

  const join = (client: Socket) => {
    const server = connect(Number(target.port), target.hostname)
    const sockets = [client, server] as const
    let isOpen = true
    const end = () => {
      if (!isOpen) return
      isOpen = false
      wires.delete(wire)
      for (const socket of sockets) socket.destroy()
    }
    const wire = {
      left: budget?.() ?? Infinity,
      cut: () => {
        if (isOpen) cuts += 1
        end()
      }
    }
    wires.add(wire)
    const pass = (from: Socket, to: Socket) => {
      from.on("data", (chunk: Buffer) => {
        if (!isOpen) return
        if (chunk.length > wire.left) {
          // What came before the cut arrives, so that it falls in the middle of a message.
          to.write(chunk.subarray(0, wire.left), () => wire.cut())
          wire.left = 0
          return
        }
        wire.left -= chunk.length
        to.write(chunk)
      })
      from.on("error", end).on("close", end)
    }
    pass(client, server)
    pass(server, client)
  }

  const listener = createServer(join)
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve))
  const url = new URL(databaseUrl)
  url.port = String((listener.address() as AddressInfo).port)
  return {
    url: url.href,
    cutAfter: (least, most) => {
      budget = () => least + random.int(most - least)
      for (const wire of wires) wire.left = budget()
    },
    mend: () => {
      budget = undefined
      for (const wire of wires) wire.left = Infinity
    },
    cuts: () => cuts,
    close: async () => {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()))
      for (const wire of [...wires]) wire.cut()
      await closed
    }
  }
}
