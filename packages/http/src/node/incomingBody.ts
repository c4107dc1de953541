/** The body of a request to a Node server, for handlers that may not want all of it. */
import { Buffer } from "node:buffer"
import type { IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import {
  type BodyError,
  type BodyLimits,
  BodyTooLarge,
  BodyTooSlow,
  BodyUnreadable,
  collectBody,
  defaultBodyMillis,
  lengthIn
} from "./collectBody.ts"

/*
 * Everywhere by `read`, which gives in one piece what Node's parser has got ready: as "data" it is a piece for each chunk
 * on the wire, of which a sender can make ten thousand of one packet.
 */

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
  sources.set(stream, incoming)
  return stream
}

const sources = new WeakMap<ReadableStream, IncomingMessage>()

/** Whether anything of the body may yet come; `undefined` where this is no body of a server of ours. */
export const stillComes = (stream: ReadableStream): boolean | undefined => {
  const incoming = sources.get(stream)
  return incoming && !incoming.complete
}

/** All of the body at once. What is left of one that cannot be had is left as it is, for `runOff`. */
export const readIncoming = (incoming: IncomingMessage, limits: BodyLimits): Effect.Effect<Uint8Array, BodyError> =>
  Effect.async((resume) => {
    const { limit, millis = defaultBodyMillis } = limits
    const announced = lengthIn(incoming.headers["content-length"])
    if (announced !== undefined && announced > limit) return resume(Effect.fail(new BodyTooLarge({ limit })))
    if (incoming.readableDidRead || incoming.readableEncoding !== null) {
      return resume(Effect.fail(new BodyUnreadable({ reason: "used" })))
    }
    if (incoming.destroyed) return resume(Effect.fail(new BodyUnreadable({ reason: "broken" })))

    const settle = (outcome: Effect.Effect<Uint8Array, BodyError>) => {
      clearTimeout(timer)
      body.end()
      incoming.off("readable", take).off("end", finish).off("error", fail).off("close", fail)
      resume(outcome)
    }
    const body = collectBody(limits, announced, (why) => settle(Effect.fail(why)))
    const timer = setTimeout(() => settle(Effect.fail(new BodyTooSlow({ seconds: millis / 1000 }))), millis)
    const take = () => {
      for (let piece: Uint8Array | null = incoming.read(); piece !== null; piece = incoming.read()) {
        const wrong = body.take(piece)
        if (wrong !== undefined) return settle(Effect.fail(wrong))
      }
    }
    const finish = () => settle(Effect.succeed(body.bytes()))
    const fail = () => settle(Effect.fail(new BodyUnreadable({ reason: "broken" })))
    incoming.on("readable", take).on("end", finish).on("error", fail).on("close", fail)
    return Effect.sync(() => {
      clearTimeout(timer)
      body.end()
      incoming.off("readable", take).off("end", finish).off("error", fail).off("close", fail)
    })
  })

/**
 * A body that was read before the request came here, if whoever read it has kept its bytes: `rawBody` of Google's and
 * Firebase's functions, `body` of `express.raw()`. `undefined` where nobody has read it.
 */
export const keptBody = (incoming: IncomingMessage): Uint8Array | BodyUnreadable | undefined => {
  const { body, rawBody } = incoming as { readonly body?: unknown; readonly rawBody?: unknown }
  for (const kept of [rawBody, body]) {
    if (kept instanceof Uint8Array) return kept
    if (typeof kept === "string") return Buffer.from(kept, "utf8")
  }
  // Some parsers leave an empty object where they have read nothing.
  if (!incoming.readableDidRead && !incoming.readableEnded) return undefined
  return new BodyUnreadable({ reason: body === undefined ? "used" : "parsed" })
}

const longestMillis = 1000
const mostBytes = 64 * 1024
const mostPieces = 256
/** So many connections at once wait for their client to have seen the answer. */
const mostLingering = 32

const running = new WeakMap<IncomingMessage, Promise<void>>()
let lingering = 0

/**
 * Lets what is left of the body run off, for a moment and up to a size. A connection that is closed with bytes of the
 * client's unread is reset, and the answer may be lost with it: so a client that sends more is not read any further, and
 * gets the rest of the moment to see the answer. Where many do so at once, they are strangers and get none.
 */
export const runOff = (incoming: IncomingMessage): Promise<void> => {
  const begun = running.get(incoming)
  if (begun !== undefined) return begun
  const over = new Promise<void>((resolve) => {
    if (incoming.complete || incoming.destroyed || lingering >= mostLingering) return resolve()
    lingering += 1
    let size = 0
    let pieces = 0
    const stop = () => {
      clearTimeout(timer)
      incoming.off("readable", drop).off("end", stop).off("close", stop)
      lingering -= 1
      resolve()
    }
    const drop = () => {
      for (let piece: Uint8Array | null = incoming.read(); piece !== null; piece = incoming.read()) {
        size += piece.length
        pieces += 1
        if (size > mostBytes) return void incoming.off("readable", drop)
        if (pieces > mostPieces) return stop()
      }
    }
    const timer = setTimeout(stop, longestMillis)
    incoming.on("readable", drop).once("end", stop).once("close", stop)
  })
  running.set(incoming, over)
  return over
}

/** Begins to, and says whether the end has come as soon as Node has gone through what was there already. */
export const ranOff = async (incoming: IncomingMessage): Promise<boolean> => {
  void runOff(incoming)
  await turn()
  return incoming.complete
}

/** One turn of Node's loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
