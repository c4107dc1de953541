/** The body of a request to a Node server, for handlers that may not want all of it. */
import type { IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import { BodyTooLarge, BodyUnreadable, joined } from "./requestBody.ts"

/**
 * The body as it comes, and only as fast as it is read. Who gives it up leaves the request as it is, for `runOff`:
 * Node's own conversion destroys it then, and nothing can take what the client still sends.
 */
export const bodyOf = (incoming: IncomingMessage): ReadableStream<Uint8Array> => {
  let settled = false
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const settle = (finish: () => void) => () => {
          if (settled) return
          settled = true
          finish()
        }
        const fail = settle(() => controller.error(new Error("The client went away in the middle of the body")))
        incoming.pause()
        incoming.on("data", (chunk: Uint8Array) => {
          if (settled) return
          incoming.pause()
          controller.enqueue(chunk)
        })
        incoming.once(
          "end",
          settle(() => controller.close())
        )
        incoming.once("error", fail)
        incoming.once("close", fail)
      },
      pull() {
        incoming.resume()
      },
      cancel() {
        settled = true
      }
    },
    { highWaterMark: 0 }
  )
}

/** All of the body at once. One that is larger than `limit` bytes is left as it is, for `runOff`. */
export const readIncoming = (
  incoming: IncomingMessage,
  limit: number
): Effect.Effect<Uint8Array, BodyTooLarge | BodyUnreadable> =>
  Effect.async((resume) => {
    if (Number(incoming.headers["content-length"]) > limit) return resume(Effect.fail(new BodyTooLarge({ limit })))
    if (incoming.readableDidRead) return resume(Effect.fail(new BodyUnreadable({ reason: "used" })))
    const chunks: Array<Uint8Array> = []
    let size = 0
    const settle = (outcome: Effect.Effect<Uint8Array, BodyTooLarge | BodyUnreadable>) => {
      incoming.off("data", take).off("end", finish).off("error", fail).off("close", fail)
      resume(outcome)
    }
    const take = (chunk: Uint8Array) => {
      size += chunk.length
      chunks.push(chunk)
      if (size <= limit) return
      incoming.pause()
      settle(Effect.fail(new BodyTooLarge({ limit })))
    }
    const finish = () => settle(Effect.succeed(joined(chunks, size)))
    const fail = () => settle(Effect.fail(new BodyUnreadable({ reason: "broken" })))
    incoming.on("data", take).on("end", finish).on("error", fail).on("close", fail)
  })

const longestMillis = 1000
const mostBytes = 16 * 1024 * 1024

/**
 * Lets what is left of the body run off, for a while and up to a size. A connection that is closed with bytes of the
 * client's unread is reset, and the answer may be lost with it.
 */
export const runOff = (incoming: IncomingMessage): Promise<void> =>
  new Promise((resolve) => {
    let size = 0
    const stop = () => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(stop, longestMillis)
    incoming.on("data", (chunk: Uint8Array) => {
      size += chunk.length
      if (size > mostBytes) stop()
    })
    incoming.once("end", stop)
    incoming.once("close", stop)
    incoming.resume()
  })
