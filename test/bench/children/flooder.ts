/** A stranger who does nothing else: as many requests as one core can send. */
import { connect, type Socket } from "node:net"
import { webhookPath } from "../deliveries.ts"
import { answerQuestions } from "./channel.ts"

export const floods = ["unsigned", "forged", "slow", "chunked", "huge"] as const
export type Flood = (typeof floods)[number]

export type FlooderQuestion =
  | { readonly what: "start"; readonly flood: Flood; readonly port: number }
  /** Answers with how many requests were sent, and how much of a core that took. */
  | { readonly what: "stop" }

export interface Flooded {
  readonly requests: number
  readonly share: number
}

const connections: Readonly<Record<Flood, number>> = { unsigned: 64, forged: 64, slow: 400, chunked: 16, huge: 16 }

const likely = () =>
  `webhook-id: made_up\r\nwebhook-timestamp: ${Math.floor(Date.now() / 1000)}\r\nwebhook-signature: v1,${"A".repeat(43)}=\r\n`

const head = (lines: string) => Buffer.from(`POST ${webhookPath} HTTP/1.1\r\nhost: a\r\n${lines}\r\n`)

const megabyte = Buffer.alloc(1024 * 1024, 0x20)
const forgedBody = Buffer.alloc(200 * 1024, 0x20)
const bytes = Buffer.concat(Array.from({ length: 10_000 }, () => Buffer.from("1\r\nx\r\n")))

/** One request, in the parts in which it is written. */
const parts: Readonly<Record<Flood, () => ReadonlyArray<Buffer>>> = {
  unsigned: () => [Buffer.concat([head("content-length: 2\r\n"), Buffer.from("{}")])],
  forged: () => [head(`${likely()}content-length: ${forgedBody.length}\r\n`), forgedBody],
  slow: () => [head(`${likely()}content-length: ${megabyte.length}\r\n`), megabyte.subarray(0, 200_000)],
  chunked: () => [head(`${likely()}transfer-encoding: chunked\r\n`), ...Array.from({ length: 10 }, () => bytes)],
  huge: () => [head(`content-length: ${64 * megabyte.length}\r\n`), ...Array.from({ length: 64 }, () => megabyte)]
}

let stop: () => Flooded = () => ({ requests: 0, share: 0 })

const start = (flood: Flood, port: number): void => {
  let running = true
  let requests = 0
  const sockets = new Set<Socket>()
  const open = () => {
    if (!running) return
    const socket = connect({ port, host: "127.0.0.1", noDelay: true })
    sockets.add(socket)
    let queue: Array<Buffer> = []
    const write = () => {
      for (let part = queue.shift(); part !== undefined; part = queue.shift()) if (!socket.write(part)) return
    }
    const send = () => {
      requests += 1
      queue = [...parts[flood]()]
      write()
    }
    socket.once("connect", send)
    socket.on("drain", write)
    // Whatever the answer is, the next.
    socket.on("data", () => {
      if (running && !socket.destroyed && queue.length === 0) send()
    })
    socket.on("error", () => {})
    socket.on("end", () => socket.destroy())
    socket.once("close", () => {
      sockets.delete(socket)
      setImmediate(open)
    })
  }
  for (let index = 0; index < connections[flood]; index++) open()
  const began = performance.now()
  const before = process.cpuUsage()
  stop = () => {
    running = false
    const { system, user } = process.cpuUsage(before)
    for (const socket of sockets) socket.destroy()
    return { requests, share: (system + user) / 1000 / (performance.now() - began) }
  }
}

answerQuestions<FlooderQuestion>(
  (question) => (question.what === "start" ? start(question.flood, question.port) : stop()),
  () => {}
)
