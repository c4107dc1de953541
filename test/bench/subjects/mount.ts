/** How our billing is put behind Node's HTTP: as the product itself does it. */
import type { Polar } from "@kavach-polar/http"
import { serve } from "@kavach-polar/http/NodeServer"

export interface Mounted {
  readonly port: number
  readonly close: () => Promise<void>
}

/** `answered` is called with the request's `webhook-id` as soon as the billing has its answer. */
export const mount = async (billing: Polar, answered: (deliveryId: string | null) => void): Promise<Mounted> => {
  const { close, url } = await serve({
    host: "127.0.0.1",
    port: 0,
    handle: async (request) => {
      const response = await billing.webhook(request)
      answered(request.headers.get("webhook-id"))
      return response
    }
  })
  return { port: Number(new URL(url).port), close }
}
