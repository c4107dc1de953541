/** The body of a request to a Node server, as a web request has it. */
import type { IncomingMessage } from "node:http"
import { howItWasLost, keptBytes, parsedBody, wasRead } from "./keptBytes.ts"
import { runOff } from "./runOff.ts"

/** What the routes ask about such a stream. */
interface BodySource {
  readonly stillComes: () => boolean
  /** The bytes as they were sent are gone: the stream has what a parser made of them, or nothing. */
  readonly lost?: "parsed" | "used"
}

// By a symbol of all copies of this module: a mount is bundled by itself, and so has another than the routes.
const bodySource = Symbol.for("kavach-polar.bodySource")

const withSource = <Stream extends ReadableStream<Uint8Array>>(stream: Stream, source: BodySource): Stream =>
  Object.defineProperty(stream, bodySource, { value: source })

const sourceOf = (stream: ReadableStream | null): BodySource | undefined =>
  stream === null ? undefined : (stream as { readonly [bodySource]?: BodySource })[bodySource]

/** Whether anything of the body may yet come; `undefined` where this is no body of a server of ours. */
export const stillComes = (stream: ReadableStream): boolean | undefined => sourceOf(stream)?.stillComes()

export const lostBody = (stream: ReadableStream | null): BodySource["lost"] => sourceOf(stream)?.lost

/** The body, also where something has read it before: its bytes if they were kept, else what was made of them. */
export const anyBodyOf = (incoming: IncomingMessage): Uint8Array | ReadableStream<Uint8Array> => {
  const kept = keptBytes(incoming)
  if (kept !== undefined) return kept
  if (!wasRead(incoming)) return bodyOf(incoming)
  const lost = howItWasLost(incoming)
  const text = lost === "parsed" ? (JSON.stringify(parsedBody(incoming)) ?? "") : ""
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      if (text !== "") controller.enqueue(new TextEncoder().encode(text))
      controller.close()
    }
  })
  return withSource(stream, { stillComes: () => false, lost })
}

/**
 * The body as it comes, and only as fast as it is read. Who gives it up leaves the rest to `runOff`: Node's own conversion
 * destroys the request then, and nothing can take what the client still sends.
 */
export const bodyOf = (incoming: IncomingMessage): ReadableStream<Uint8Array> => {
  let settled = false
  let goOn = () => {}
  const onReadable = () => goOn()
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const settle = (finish: () => void) => () => {
          if (settled) return
          settled = true
          finish()
          goOn()
        }
        const fail = settle(() => controller.error(new Error("The client went away in the middle of the body")))
        incoming.once(
          "end",
          settle(() => controller.close())
        )
        incoming.once("error", fail)
        incoming.once("close", fail)
      },
      pull(controller) {
        return new Promise((resolve) => {
          const readOn = () => {
            const piece: Uint8Array | null = settled ? null : incoming.read()
            if (piece !== null) controller.enqueue(piece)
            if (piece === null && !settled) return
            goOn = () => {}
            resolve()
          }
          goOn = readOn
          if (incoming.listenerCount("readable") === 0) incoming.on("readable", onReadable)
          readOn()
        })
      },
      cancel() {
        settled = true
        incoming.off("readable", onReadable)
        goOn()
        // Not until it is over: whoever gives a body up has an answer to make.
        void runOff(incoming)
      }
    },
    { highWaterMark: 0 }
  )
  return withSource(stream, { stillComes: () => !incoming.complete })
}
