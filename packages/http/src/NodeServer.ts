/** A Node server in front of a function from `Request` to `Response`. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Schema from "effect/Schema"
import { sendWeb } from "./node/answer.ts"
import { badRequest, internalError, requestOf } from "./node/webRequest.ts"

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

/**
 * @example
 * const server = await NodeServer.serve({ host: "127.0.0.1", port: 0, handle: async () => new Response("hello") })
 * await server.close()
 */
export interface ServeOptions {
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  readonly handle: (request: Request) => Promise<Response>
}

/**
 * Whether a request asks for this machine, or for one of the hosts. A page elsewhere whose name was made to lead here (DNS
 * rebinding) does not: it is of one origin with what answers it, and could read all of it with the user's cookies.
 *
 * @example
 * if (!NodeServer.asksForThisMachine(request)) NodeServer.misdirected()
 */
export const asksForThisMachine = (request: Request, hosts: ReadonlyArray<string> = []): boolean => {
  const { host, hostname } = new URL(request.url)
  return (
    /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname) || hosts.includes(host) || hosts.includes(hostname)
  )
}

/**
 * What such a request is answered with.
 *
 * @example
 * NodeServer.misdirected().status === 421
 */
export const misdirected = (): Response =>
  Response.json({ error: "This is not the host that was asked for" }, { status: 421 })

const drainMillis = 10_000

/**
 * Rejects with `CannotListen`.
 *
 * @example
 * const { url } = await NodeServer.serve({ host: "127.0.0.1", port: 0, handle: async () => new Response("hello") })
 */
export const serve = ({ handle, host, port }: ServeOptions): Promise<NodeServer> =>
  new Promise((resolve, reject) => {
    let closing = false
    const server = createServer((incoming, outgoing) => {
      answer(incoming, outgoing, handle, () => closing).catch(() => outgoing.destroy())
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
            closing = true
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
  handle: (request: Request) => Promise<Response>,
  isClosing: () => boolean
): Promise<void> => {
  const request = requestOf(incoming)
  const response = request === undefined ? badRequest() : await handle(request).catch(internalError)
  if (isClosing()) outgoing.setHeader("connection", "close")
  return sendWeb(incoming, outgoing, response)
}
