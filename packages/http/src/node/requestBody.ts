/** Reading a web request's body: the bytes as they came, never more of them than is allowed, and within its time. */
import { IncomingMessage } from "node:http"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { lostBody, stillComes } from "./bodyStream.ts"
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
import { readIncoming } from "./incomingBody.ts"
import { ranOff, turn } from "./runOff.ts"

/**
 * The body's bytes, as they were sent. A body that announces or turns out to hold more than `limit` bytes is not read to its
 * end.
 */
export const readBody = (
  request: HttpServerRequest.HttpServerRequest,
  limits: BodyLimits
): Effect.Effect<Uint8Array, BodyError> =>
  Effect.suspend(() => {
    const lost = request.source instanceof Request ? lostBody(request.source.body) : undefined
    return lost === undefined ? readAnyBody(request, limits) : Effect.fail(new BodyUnreadable({ reason: lost }))
  })

/** The same; or, where a parser has read the body before and kept no bytes, what it made of it, as JSON. */
export const readAnyBody = (
  request: HttpServerRequest.HttpServerRequest,
  limits: BodyLimits
): Effect.Effect<Uint8Array, BodyError> =>
  Effect.suspend(() => {
    const { source } = request
    const announced = lengthIn(request.headers["content-length"])
    if (announced !== undefined && announced > limits.limit) {
      return Effect.fail(new BodyTooLarge({ limit: limits.limit }))
    }
    if (source instanceof Request) return readWeb(source, announced, limits)
    // As Effect's own server for Node has it.
    return source instanceof IncomingMessage ? readIncoming(source, limits) : readStream(request, announced, limits)
  })

/**
 * Tells whoever sends it that nobody wants the body; succeeds with whether anything of it may yet come. What is another's
 * is let be.
 */
export const refuseBody = ({ source }: HttpServerRequest.HttpServerRequest): Effect.Effect<boolean> =>
  Effect.promise(async () => {
    if (!(source instanceof Request)) return source instanceof IncomingMessage ? !(await ranOff(source)) : true
    if (source.body === null || source.bodyUsed) return false
    if (!source.body.locked) source.body.cancel().catch(() => {})
    await turn()
    return stillComes(source.body) ?? true
  })

/** By the web's own reader, which takes a fifth of the time of a stream around it. */
const readWeb = (
  request: Request,
  announced: number | undefined,
  limits: BodyLimits
): Effect.Effect<Uint8Array, BodyError> =>
  Effect.async((resume) => {
    if (request.bodyUsed || request.body?.locked === true || lostBody(request.body) === "used") {
      // The reader of another would be in the way, or there is nothing left.
      return resume(Effect.fail(new BodyUnreadable({ reason: "used" })))
    }
    if (request.body === null) return resume(Effect.succeed(new Uint8Array(0)))
    const reader = request.body.getReader()
    const { millis = defaultBodyMillis } = limits
    let settled = false
    const settle = (outcome: Effect.Effect<Uint8Array, BodyError>) => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      body.end()
      resume(outcome)
    }
    const fail = (why: BodyError) => {
      settle(Effect.fail(why))
      // Whoever sends the rest is told that nobody wants it.
      reader.cancel().catch(() => {})
    }
    const body = collectBody(limits, announced, fail)
    const timer = setTimeout(() => fail(new BodyTooSlow({ seconds: millis / 1000 })), millis)
    const readOn = (): void => {
      reader.read().then(
        ({ done, value }) => {
          if (settled) return
          if (done) return settle(Effect.succeed(body.bytes()))
          const wrong = value instanceof Uint8Array ? body.take(value) : new BodyUnreadable({ reason: "broken" })
          if (wrong === undefined) readOn()
          else fail(wrong)
        },
        () => settle(Effect.fail(new BodyUnreadable({ reason: "broken" })))
      )
    }
    readOn()
    return Effect.sync(() => {
      settled = true
      clearTimeout(timer)
      body.end()
      reader.cancel().catch(() => {})
    })
  })

const readStream = (
  request: HttpServerRequest.HttpServerRequest,
  announced: number | undefined,
  limits: BodyLimits
): Effect.Effect<Uint8Array, BodyError> =>
  Effect.gen(function* () {
    const { millis = defaultBodyMillis } = limits
    const givenUp = yield* Deferred.make<never, BodyError>()
    const body = yield* Effect.acquireRelease(
      Effect.sync(() => collectBody(limits, announced, (why) => Deferred.unsafeDone(givenUp, Effect.fail(why)))),
      ({ end }) => Effect.sync(end)
    )
    const whole = request.stream.pipe(
      Stream.mapError(() => new BodyUnreadable({ reason: "broken" })),
      Stream.runForEach((piece) => {
        const wrong = body.take(piece)
        return wrong === undefined ? Effect.void : Effect.fail(wrong)
      }),
      Effect.timeoutFail({ duration: millis, onTimeout: () => new BodyTooSlow({ seconds: millis / 1000 }) })
    )
    yield* Effect.raceFirst(whole, Deferred.await(givenUp))
    return body.bytes()
  }).pipe(Effect.scoped)
