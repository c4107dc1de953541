/** The body of a request to a Node server, for handlers that may not want all of it. */
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
import { howItWasLost, keptBytes, wasRead } from "./keptBytes.ts"

/*
 * Everywhere by `read`, which gives in one piece what Node's parser has got ready: as "data" it is a piece for each chunk
 * on the wire, of which a sender can make ten thousand of one packet.
 */

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

/** A body that was read before the request came here, where its bytes were kept; `undefined` where nobody has read it. */
export const keptBody = (incoming: IncomingMessage): Uint8Array | BodyUnreadable | undefined =>
  keptBytes(incoming) ?? (wasRead(incoming) ? new BodyUnreadable({ reason: howItWasLost(incoming) }) : undefined)
