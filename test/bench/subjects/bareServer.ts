/** A webhook endpoint on bare `node:http`, as one writes it by hand. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** Rejects when the delivery is to be refused. */
export type Receive = (body: string, headers: IncomingHttpHeaders) => Promise<void> | void

/** The delivery is not Polar's. */
export class Forged extends Error {}

export const bareServer = async (
  receive: Receive
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> => {
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => answer(receive, Buffer.concat(chunks).toString("utf8"), request, response))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

const received = JSON.stringify({ received: true })

const answer = async (receive: Receive, body: string, request: IncomingMessage, response: ServerResponse) => {
  try {
    await receive(body, request.headers)
    response.writeHead(200, { "content-type": "application/json", "content-length": received.length }).end(received)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    response.writeHead(error instanceof Forged ? 403 : 500).end(JSON.stringify({ error: detail }))
  }
}
