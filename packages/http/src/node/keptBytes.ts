/** A body that something has read before the request came here. */
import { Buffer } from "node:buffer"
import type { IncomingMessage } from "node:http"

interface ReadBefore {
  readonly body?: unknown
  readonly rawBody?: unknown
}

/** The bytes, where whoever read them has kept them: `rawBody` of Google's functions, `body` of `express.raw()`. */
export const keptBytes = (incoming: IncomingMessage): Uint8Array | undefined => {
  const { body, rawBody } = incoming as ReadBefore
  for (const kept of [rawBody, body]) {
    if (kept instanceof Uint8Array) return kept
    if (typeof kept === "string") return Buffer.from(kept, "utf8")
  }
  return undefined
}

// Some parsers leave an empty object where they have read nothing.
export const wasRead = (incoming: IncomingMessage): boolean => incoming.readableDidRead || incoming.readableEnded

/** What a parser made of the body. */
export const parsedBody = (incoming: IncomingMessage): unknown => (incoming as ReadBefore).body

export const howItWasLost = (incoming: IncomingMessage): "parsed" | "used" =>
  parsedBody(incoming) === undefined ? "used" : "parsed"
