/** Answering on a Node server. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { ReadableStream } from "node:stream/web"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { ranOff, runOff } from "./runOff.ts"

/** Sends an answer whose head is set already. */
export const sendBody = async (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  body: Uint8Array
): Promise<void> => {
  const isHead = incoming.method === "HEAD"
  // Of a status that has no body, it must not be there (RFC 9110, 8.6).
  if (!isHead && outgoing.statusCode !== 204) outgoing.setHeader("content-length", body.length)
  if (incoming.complete || (await ranOff(incoming))) {
    outgoing.end(isHead ? undefined : body)
    return
  }
  // A body that nobody read to its end, because it is too large, would stand in the way of the next request. The client
  // sees a whole answer, stops sending, and only then the connection ends.
  outgoing.setHeader("connection", "close")
  if (isHead || body.length === 0) outgoing.flushHeaders()
  else outgoing.write(body)
  await runOff(incoming)
  outgoing.end()
}

const empty = new Uint8Array(0)

/** Sends a web response, beside headers that are set already. */
export const sendWeb = async (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  response: Response
): Promise<void> => {
  outgoing.statusCode = response.status
  for (const [name, value] of response.headers) {
    if (name !== "set-cookie") outgoing.setHeader(name, value)
  }
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) outgoing.appendHeader("set-cookie", cookies)
  if (incoming.complete && response.body !== null && incoming.method !== "HEAD") {
    return pipeline(Readable.fromWeb(response.body as ReadableStream), outgoing)
  }
  return sendBody(incoming, outgoing, new Uint8Array(await response.arrayBuffer()))
}

/**
 * Sends an answer of a route, which is never a stream. Not where something else has answered, or nobody listens any more.
 */
export const sendResponse = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { body, headers, status }: HttpServerResponse.HttpServerResponse
): Promise<void> => {
  if (outgoing.headersSent || outgoing.writableEnded || outgoing.destroyed) return Promise.resolve()
  const hasBody = body._tag === "Uint8Array"
  const bytes = hasBody ? body.body : empty
  const head = hasBody ? { ...headers, "content-type": body.contentType } : headers
  if (incoming.complete && incoming.method !== "HEAD") {
    // All of it in one call: header by header, Node takes half as long again for an answer.
    outgoing.writeHead(status, { ...head, "content-length": bytes.length }).end(bytes)
    return Promise.resolve()
  }
  outgoing.statusCode = status
  for (const [name, value] of Object.entries(head)) outgoing.setHeader(name, value)
  return sendBody(incoming, outgoing, bytes)
}
