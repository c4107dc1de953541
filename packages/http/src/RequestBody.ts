/** Reading a request's body: the bytes as they came, and never more of them than is allowed. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>()("BodyTooLarge", { limit: Schema.Number }) {
  override get message(): string {
    return `Request body is larger than ${this.limit} bytes`
  }
}

/** The sender went away in the middle of the body, or somebody has read it before. */
export class BodyUnreadable extends Schema.TaggedError<BodyUnreadable>()("BodyUnreadable", {
  reason: Schema.Literal("broken", "used")
}) {
  override get message(): string {
    return this.reason === "broken"
      ? "Request body could not be read"
      : "Request body was read before it came here: mount this route before whatever parses bodies"
  }
}

/** The body's bytes. A body that announces or turns out to hold more than `limit` bytes is not read to its end. */
export const readBody = (
  request: HttpServerRequest.HttpServerRequest,
  limit: number
): Effect.Effect<Uint8Array, BodyTooLarge | BodyUnreadable> =>
  Effect.suspend(() => {
    const announced = Number(request.headers["content-length"])
    if (announced > limit) return Effect.fail(new BodyTooLarge({ limit }))
    if (isUsed(request)) return Effect.fail(new BodyUnreadable({ reason: "used" }))
    if (isWithoutBody(request)) return Effect.succeed(new Uint8Array(0))
    const chunks: Array<Uint8Array> = []
    let size = 0
    return request.stream.pipe(
      Stream.mapError(() => new BodyUnreadable({ reason: "broken" })),
      Stream.runForEach((chunk) => {
        size += chunk.length
        if (size > limit) return Effect.fail(new BodyTooLarge({ limit }))
        chunks.push(chunk)
        return Effect.void
      }),
      Effect.map(() => {
        const [only] = chunks
        if (only !== undefined && chunks.length === 1) return only
        const body = new Uint8Array(size)
        let offset = 0
        for (const chunk of chunks) {
          body.set(chunk, offset)
          offset += chunk.length
        }
        return body
      })
    )
  })

// The platform would wait for ever, or find an empty body.
const isUsed = ({ source }: HttpServerRequest.HttpServerRequest): boolean =>
  source instanceof Request && (source.bodyUsed || source.body?.locked === true)

// The platform's stream of a web request without a body is a failure, not an empty stream.
const isWithoutBody = ({ source }: HttpServerRequest.HttpServerRequest): boolean =>
  source instanceof Request && source.body === null
