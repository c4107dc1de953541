/**
 * Sends prepared requests over connections of its own, and does as little as it can besides: it shares the machine with
 * those whom it measures.
 */
import { connect, type Socket } from "node:net"
import { type Plan, requestsOf, webhookPath } from "../deliveries.ts"
import { percentile } from "../statistics.ts"
import { answerQuestions, settingsOf } from "./channel.ts"

export interface SenderSettings {
  readonly secret: string
  /** Where the repository is. */
  readonly root: string
}

export type SenderQuestion =
  | { readonly what: "prepare"; readonly plan: Plan }
  | {
      readonly what: "send"
      readonly port: number
      /** So many connections, each with one request under way. */
      readonly inFlight: number
      /** At this pace; as fast as they are answered unless given. */
      readonly perSecond?: number
    }

export interface Sent {
  readonly millis: number
  /** Answers that were not 2xx, and the first of them. */
  readonly refused: number
  readonly firstRefusal: string | undefined
  readonly p50: number
  readonly p99: number
  /** Microseconds of this process's CPU time for a request. */
  readonly cpuMicros: number
}

const { root, secret } = settingsOf<SenderSettings>()

let requests: ReadonlyArray<Buffer> = []

/** A connection: takes a request, calls back with the status once the whole answer is there. */
interface Line {
  readonly send: (request: Buffer, answered: (status: number, text: string) => void) => void
  readonly end: () => void
}

const open = (port: number): Promise<Line> =>
  new Promise((resolve, reject) => {
    let answered: ((status: number, text: string) => void) | undefined
    let text = ""
    const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true })
    socket.once("error", reject)
    socket.once("connect", () =>
      resolve({
        send: (request, then) => {
          answered = then
          socket.write(request)
        },
        end: () => socket.destroy()
      })
    )
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      if (!isWhole(text)) return
      const answer = text
      const then = answered
      text = ""
      answered = undefined
      then?.(Number(answer.slice(9, 12)), answer)
    })
    socket.once("close", () => answered?.(0, "the connection was closed"))
  })

const knock = Buffer.from(`GET ${webhookPath} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`)

/** Whether the answer is there to its end. */
const isWhole = (text: string): boolean => {
  const head = text.indexOf("\r\n\r\n")
  if (head === -1) return false
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)
  if (length !== null && length.index < head) return text.length >= head + 4 + Number(length[1])
  if (/\r\ntransfer-encoding: *chunked/i.test(text.slice(0, head + 2))) return text.endsWith("0\r\n\r\n")
  return true
}

const send = async (port: number, inFlight: number, perSecond: number | undefined): Promise<Sent> => {
  const lines = await Promise.all(Array.from({ length: inFlight }, () => open(port)))
  // Node takes one new connection for each round of its loop, and a busy server's rounds are long: only what was answered
  // once is surely there. What it says to a request that is no delivery does not matter.
  await Promise.all(lines.map((line) => new Promise<void>((resolve) => line.send(knock, () => resolve()))))
  const latencies: Array<number> = []
  let refused = 0
  let firstRefusal: string | undefined
  const sendOn = (line: Line, request: Buffer, then: () => void) => {
    const began = performance.now()
    line.send(request, (status, text) => {
      latencies.push(performance.now() - began)
      if (status < 200 || status > 299) {
        refused += 1
        firstRefusal ??= text
      }
      then()
    })
  }

  // The first goes alone: where all are about one user, that user's subscription exists from here on.
  const [first, ...rest] = requests
  const [line] = lines
  if (first === undefined || line === undefined) throw new Error("there is nothing to send")
  await new Promise<void>((resolve) => sendOn(line, first, resolve))
  latencies.length = 0

  const before = process.cpuUsage()
  const began = performance.now()
  await new Promise<void>((resolve) => {
    let next = 0
    let left = rest.length
    const idle = perSecond === undefined ? undefined : [...lines]
    const goOn = (line: Line) => {
      const request = rest[next]
      if (request === undefined) return
      next += 1
      sendOn(line, request, () => {
        left -= 1
        if (left === 0) resolve()
        if (idle === undefined) goOn(line)
        else idle.push(line)
      })
    }
    if (idle === undefined || perSecond === undefined) {
      for (const line of lines) goOn(line)
      return
    }
    const timer = setInterval(() => {
      const due = Math.min(((performance.now() - began) / 1000) * perSecond, rest.length)
      while (next < due) {
        const line = idle.pop()
        if (line === undefined) break
        goOn(line)
      }
      if (next === rest.length) clearInterval(timer)
    }, 1)
  })
  const millis = performance.now() - began
  const { system, user } = process.cpuUsage(before)
  for (const line of lines) line.end()
  return {
    millis,
    refused,
    firstRefusal,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    cpuMicros: (system + user) / rest.length
  }
}

answerQuestions<SenderQuestion>(
  (question) => {
    switch (question.what) {
      case "prepare":
        requests = requestsOf(question.plan, secret, root)
        globalThis.gc?.()
        return requests.length
      case "send":
        return send(question.port, question.inFlight, question.perSecond)
    }
  },
  () => {}
)
