/** Puts a body together from pieces, in one buffer: what it costs is what it weighs, however it comes. */
import { Buffer } from "node:buffer"
import * as Schema from "effect/Schema"
import { beginBody } from "./bodiesInFlight.ts"

export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>()("BodyTooLarge", { limit: Schema.Number }) {
  override get message(): string {
    return `Request body is larger than ${this.limit} bytes`
  }
}

/** The sender went away in the middle of the body, somebody has read it before, or it came in too many pieces. */
export class BodyUnreadable extends Schema.TaggedError<BodyUnreadable>()("BodyUnreadable", {
  reason: Schema.Literal("broken", "used", "parsed", "pieces")
}) {
  override get message(): string {
    return explanations[this.reason]
  }
}

const explanations: Readonly<Record<BodyUnreadable["reason"], string>> = {
  broken: "Request body could not be read",
  used: "Request body was read before it came here: mount this route before whatever parses bodies",
  parsed:
    "Request body was parsed before it came here, and a signature covers its bytes: mount this route before whatever parses bodies, or keep the bytes in request.rawBody",
  pieces: "Request body came in too many small pieces"
}

/** The sender took too long. */
export class BodyTooSlow extends Schema.TaggedError<BodyTooSlow>()("BodyTooSlow", { seconds: Schema.Number }) {
  override get message(): string {
    return `Request body did not arrive within ${this.seconds} seconds`
  }
}

/** This body was given up for newer ones: the process holds no more at once. */
export class TooManyBodies extends Schema.TaggedError<TooManyBodies>()("TooManyBodies", {}) {
  override get message(): string {
    return "Too many request bodies are being received at once."
  }
}

export type BodyError = BodyTooLarge | BodyUnreadable | BodyTooSlow | TooManyBodies

export interface BodyLimits {
  /** In bytes. */
  readonly limit: number
  /** For all of it. Ten seconds unless given: then Polar gives up too (Polar docs: webhooks/delivery). */
  readonly millis?: number | undefined
}

export const defaultBodyMillis = 10_000

/** More than any body needs that is sent in earnest; each costs as much as many bytes. */
const mostPieces = 8192
const firstCapacity = 8 * 1024

/** A body under way. Nothing of a piece is kept but its bytes. */
export interface BodyCollector {
  /** Says why there is no use in going on. */
  readonly take: (piece: Uint8Array) => BodyError | undefined
  readonly bytes: () => Uint8Array
  /** The body is there, or nobody wants it any more. */
  readonly end: () => void
}

/** `giveUp` is called when others need the room: the body is lost then. */
export const collectBody = (
  { limit }: BodyLimits,
  announced: number | undefined,
  giveUp: (why: TooManyBodies) => void
): BodyCollector => {
  const inFlight = beginBody(() => giveUp(new TooManyBodies()))
  let buffer = nothing
  let size = 0
  let pieces = 0

  const makeRoom = (needed: number): void => {
    // Not all that was announced at once: to announce costs nothing.
    const capacity = Math.min(Math.max(needed, 2 * buffer.length, firstCapacity), Math.max(announced ?? limit, needed))
    const larger = Buffer.allocUnsafeSlow(capacity)
    larger.set(buffer.subarray(0, size))
    inFlight.grow(capacity - buffer.length)
    buffer = larger
  }

  return {
    take: (piece) => {
      pieces += 1
      const needed = size + piece.length
      if (needed > limit) return new BodyTooLarge({ limit })
      if (pieces > mostPieces) return new BodyUnreadable({ reason: "pieces" })
      if (size === 0 && piece.length === announced) {
        // All of it in one piece, as nearly every one comes: nothing to copy.
        inFlight.grow(piece.length)
        buffer = piece
      } else {
        if (needed > buffer.length) makeRoom(needed)
        buffer.set(piece, size)
      }
      size = needed
      return undefined
    },
    bytes: () => (buffer.length === size ? buffer : buffer.subarray(0, size)),
    end: inFlight.end
  }
}

const nothing: Uint8Array = new Uint8Array(0)

/** What a `content-length` says; `undefined` where there is none, or none that means anything. */
export const lengthIn = (header: string | undefined): number | undefined =>
  header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined
