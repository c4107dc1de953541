/**
 * A wire between the product and its database that can be cut, each connection after a number of bytes of its own; and that
 * can swallow what is sent, as a network does that has lost a route: nothing arrives, and nobody is told.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import type { Random } from "./seeded.ts"

export interface CuttingProxy {
  /** The database's address, by way of the proxy. */
  readonly url: string
  /** From now on connections break, old ones and new ones, each once so many bytes went through it in either direction. */
  readonly cutAfter: (least: number, most: number) => void
  /**
   * From now on nothing goes through the connections that there are, nor through new ones unless `others` pass: no byte, and
   * not that the other side has closed its end.
   */
  readonly swallow: (others: "pass" | "are swallowed too") => void
  /** From now on none does. A connection that was swallowed stays so, and whose one side is gone ends. */
  readonly mend: () => void
  /** How many connections were cut so far. */
  readonly cuts: () => number
  readonly close: () => Promise<void>
}

interface Wire {
  /** How many bytes go through before it is cut. */
  left: number
  isSwallowed: boolean
  /** Swallowed, and one side is gone. */
  isHalf: boolean
  readonly end: () => void
  readonly cut: () => void
}

export const cuttingProxy = async (databaseUrl: string, random: Random): Promise<CuttingProxy> => {
  const target = new URL(databaseUrl)
  const wires = new Set<Wire>()
  let budget: (() => number) | undefined
  let isSwallowing = false
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
    /** One side is gone, and the other one hears of it if anything is heard. */
    const half = () => {
      if (wire.isSwallowed) wire.isHalf = true
      else end()
    }
    const wire: Wire = {
      left: budget?.() ?? Infinity,
      isSwallowed: isSwallowing,
      isHalf: false,
      end,
      cut: () => {
        if (isOpen) cuts += 1
        end()
      }
    }
    wires.add(wire)
    const pass = (from: Socket, to: Socket) => {
      from.on("data", (chunk: Buffer) => {
        if (!isOpen || wire.isSwallowed) return
        if (chunk.length > wire.left) {
          // What came before the cut arrives, so that it falls in the middle of a message.
          to.write(chunk.subarray(0, wire.left), () => wire.cut())
          wire.left = 0
          return
        }
        wire.left -= chunk.length
        to.write(chunk)
      })
      from.on("error", half).on("close", half)
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
    swallow: (others) => {
      isSwallowing = others === "are swallowed too"
      for (const wire of wires) wire.isSwallowed = true
    },
    mend: () => {
      budget = undefined
      isSwallowing = false
      for (const wire of [...wires]) {
        wire.left = Infinity
        if (wire.isHalf) wire.end()
      }
    },
    cuts: () => cuts,
    close: async () => {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()))
      for (const wire of [...wires]) wire.cut()
      await closed
    }
  }
}
