/** The body of a request to a Node server, for handlers that may not want all of it. */
import type { IncomingMessage } from "node:http"

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
