/** How our billing is put behind Node's HTTP: with its own listener, on the same bare server as the yardsticks have. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Polar } from "@kavach-polar/http"

export interface Mounted {
  readonly port: number
  readonly close: () => Promise<void>
}

/** `answered` is called with the request's `webhook-id` as soon as the billing has its answer. */
export const mount = async (billing: Polar, answered: (deliveryId: string | undefined) => void): Promise<Mounted> => {
  const server = createServer(async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    await billing.webhookListener(incoming, outgoing)
    answered(incoming.headers["webhook-id"]?.toString())
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
