/** A Node server in front of a function from `Request` to `Response`. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { ReadableStream } from "node:stream/web"
import * as Schema from "effect/Schema"

/** The port cannot be listened on. */
export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", {
  host: Schema.String,
  port: Schema.Number,
  code: Schema.String
}) {
  override get message(): string {
    const why =
      this.code === "EADDRINUSE"
        ? "another program uses it. Stop that program, or choose another port with PORT=…"
        : this.code === "EACCES"
          ? "this user may not use it. Choose a port above 1023 with PORT=…"
          : `the system says ${this.code}`
    return `Cannot listen on ${this.host}:${this.port}: ${why}`
  }
}

export interface NodeServer {
  /** Where the server answers, such as `http://127.0.0.1:3000`. */
  readonly url: string
  /** Takes no new requests, lets those under way finish up to ten seconds, then closes. */
  readonly close: () => Promise<void>
}

export interface ServeOptions {
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  readonly handle: (request: Request) => Promise<Response>
}

const drainMillis = 10_000

/** Rejects with `CannotListen`. */
export const serve = ({ handle, host, port }: ServeOptions): Promise<NodeServer> =>
  new Promise((resolve, reject) => {
    const server = createServer((incoming, outgoing) => {
      answer(incoming, outgoing, handle).catch(() => outgoing.destroy())
    })
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(new CannotListen({ host, port, code: error.code ?? error.message }))
    )
    server.listen(port, host, () => {
      const address = server.address() as AddressInfo
      const name = host.includes(":") ? `[${host}]` : host
      resolve({
        url: `http://${name}:${address.port}`,
        close: () =>
          new Promise((closed) => {
            const force = setTimeout(() => server.closeAllConnections(), drainMillis)
            server.close(() => {
              clearTimeout(force)
              closed()
            })
            server.closeIdleConnections()
          })
      })
    })
  })

const answer = async (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handle: (request: Request) => Promise<Response>
): Promise<void> => {
  const request = requestOf(incoming)
  const response = request === undefined ? badRequest() : await handle(request).catch(internalError)
  outgoing.statusCode = response.status
  for (const [name, value] of response.headers) {
    if (name !== "set-cookie") outgoing.setHeader(name, value)
  }
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) outgoing.setHeader("set-cookie", cookies)
  // A body that nobody read to its end, because it is too large, would stand in the way of the next request.
  if (!incoming.complete) outgoing.setHeader("connection", "close")
  if (response.body === null || incoming.method === "HEAD") {
    outgoing.end()
  } else {
    await pipeline(Readable.fromWeb(response.body as ReadableStream), outgoing)
  }
}

const requestOf = (incoming: IncomingMessage): Request | undefined => {
  const headers = new Headers()
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    headers.append(incoming.rawHeaders[index] ?? "", incoming.rawHeaders[index + 1] ?? "")
  }
  const method = incoming.method ?? "GET"
  const hasBody = method !== "GET" && method !== "HEAD"
  try {
    return new Request(new URL(incoming.url ?? "/", `http://${incoming.headers.host ?? "localhost"}`), {
      method,
      headers,
      ...(hasBody ? { body: Readable.toWeb(incoming) as globalThis.ReadableStream, duplex: "half" as const } : {})
    })
  } catch {
    // A host header or a method that no web request can have.
    return undefined
  }
}

const badRequest = () => Response.json({ error: "Bad request" }, { status: 400 })

const internalError = () => Response.json({ error: "Internal error" }, { status: 500 })
