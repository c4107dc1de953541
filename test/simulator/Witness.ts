/** What goes over the wire between strangers and the simulator, written down: API calls, and deliveries to an app. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { type Served, type ServeOptions, serve } from "@kavach-polar/simulator"
import type { Exchange } from "./polarDocument.ts"

export interface Delivered {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface Witness {
  readonly simulator: Served
  /** Where the app takes webhooks. */
  readonly appUrl: string
  readonly exchanges: ReadonlyArray<Exchange>
  readonly deliveries: ReadonlyArray<Delivered>
  /** What the app answers from now on. */
  readonly answerWith: (status: number) => void
  readonly close: () => Promise<void>
}

/** A simulator, an app beside it, and a `fetch` that writes down what is sent to the simulator. */
export const witness = async (options: ServeOptions = {}): Promise<Witness> => {
  const simulator = await serve(options)
  const exchanges: Array<Exchange> = []
  const deliveries: Array<Delivered> = []
  let status = 200

  const app = createServer((incoming, outgoing) => {
    const chunks: Array<Uint8Array> = []
    incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk))
    incoming.on("end", () => {
      const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]))
      deliveries.push({ headers, body: Buffer.concat(chunks) })
      outgoing.writeHead(status, status === 302 ? { location: "http://127.0.0.1:1/elsewhere" } : {}).end("as you say")
    })
  })
  await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve))

  const realFetch = globalThis.fetch
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    const body = await request.clone().text()
    const response = await realFetch(request)
    if (request.url.startsWith(simulator.url)) {
      const answer = await response.clone().text()
      exchanges.push({ method: request.method, url: request.url, body, status: response.status, answer })
    }
    return response
  }

  return {
    simulator,
    appUrl: `http://127.0.0.1:${(app.address() as AddressInfo).port}/webhooks/polar`,
    exchanges,
    deliveries,
    answerWith: (next) => {
      status = next
    },
    close: async () => {
      globalThis.fetch = realFetch
      await simulator.close()
      app.closeAllConnections()
      await new Promise((resolve) => app.close(resolve))
    }
  }
}
