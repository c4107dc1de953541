/** The simulator on a port of this machine: every client of Polar's can talk to it. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The port cannot be listened on. */
export class CannotListen extends Data.TaggedError("CannotListen")<{
  readonly port: number
  readonly code: string
}> {
  override get message(): string {
    const why =
      this.code === "EADDRINUSE"
        ? "another program uses it. Stop that program, or choose another port."
        : `the system says ${this.code}.`
    return `Cannot listen on 127.0.0.1:${this.port}: ${why}`
  }
}

// Loopback only: it accepts a token that everybody knows.
const host = "127.0.0.1"

/** Listens until the scope is closed; 0 is any free port. Gives the address, such as `http://127.0.0.1:4010`. */
export const listen = (
  port: number,
  handle: (request: Request) => Promise<Response>
): Effect.Effect<string, CannotListen, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<ReturnType<typeof createServer>, CannotListen>((resume) => {
        const server = createServer((incoming, outgoing) => {
          answer(incoming, outgoing, handle).catch(() => outgoing.destroy())
        })
        server.once("error", (error: NodeJS.ErrnoException) =>
          resume(Effect.fail(new CannotListen({ port, code: error.code ?? error.message })))
        )
        server.listen(port, host, () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    ),
    (server) => `http://${host}:${(server.address() as AddressInfo).port}`
  )

const bytesLimit = 11 * 1024 * 1024

const answer = async (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handle: (request: Request) => Promise<Response>
): Promise<void> => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Uint8Array>) {
    size += chunk.length
    // What is too large is refused by its length alone.
    if (size <= bytesLimit) chunks.push(chunk)
  }
  const method = incoming.method ?? "GET"
  const headers = new Headers()
  for (const [name, value] of Object.entries(incoming.headers)) headers.set(name, String(value))
  const response = await handle(
    new Request(`http://${incoming.headers.host ?? host}${incoming.url ?? "/"}`, {
      method,
      headers,
      ...(method === "GET" || method === "HEAD" ? {} : { body: Buffer.concat(chunks) })
    })
  )
  if (response.headers.get("content-type")?.startsWith("text/event-stream") === true) {
    await streamed(response, outgoing)
    return
  }
  const body = new Uint8Array(await response.arrayBuffer())
  outgoing.writeHead(response.status, {
    ...Object.fromEntries(response.headers),
    ...(response.status === 204 ? {} : { "content-length": body.length })
  })
  outgoing.end(body)
}

/** Piece by piece, until whoever listens has gone. */
const streamed = async (response: Response, outgoing: ServerResponse): Promise<void> => {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  const reader = response.body?.getReader()
  outgoing.once("close", () => void reader?.cancel())
  for (;;) {
    const piece = await reader?.read()
    if (piece === undefined || piece.done) break
    outgoing.write(piece.value)
  }
  outgoing.end()
}
