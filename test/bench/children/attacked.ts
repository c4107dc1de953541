/** What is flooded: our listener, our whole server, or a bare handler that verifies with the package `standardwebhooks`. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { layerMemory } from "@kavach-polar/core/BillingStore"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { createKavach, polar } from "@kavach-polar/http"
import { serve } from "@kavach-polar/http/NodeServer"
import { Webhook } from "standardwebhooks"
import { webhookPath } from "../deliveries.ts"
import { answerQuestions, settingsOf } from "./channel.ts"

export const attackedNames = ["listener", "server", "bare"] as const

export interface AttackedSettings {
  readonly which: (typeof attackedNames)[number]
  readonly secret: string
}

export type AttackedQuestion = { readonly what: "port" } | { readonly what: "rss" }

const { secret, which } = settingsOf<AttackedSettings>()

const listening = async (server: ReturnType<typeof createServer>): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return (server.address() as AddressInfo).port
}

const options = {
  webhookSecret: secret,
  client: PolarClient.layerDisabled("The benchmark asks nothing of Polar."),
  logLevel: "error"
} as const

const starters: Readonly<Record<AttackedSettings["which"], () => Promise<number>>> = {
  listener: async () => {
    const billing = polar({ ...options, store: layerMemory })
    await billing.access("usr_1042")
    return listening(
      createServer(async (incoming, outgoing) => {
        if (incoming.method === "POST") {
          await billing.webhookListener(incoming, outgoing)
          return
        }
        outgoing.end(JSON.stringify({ subscription: await billing.getSubscription("usr_1042") }))
      })
    )
  },
  server: async () => {
    const kavach = await createKavach({
      database: { provider: "sqlite", url: ":memory:" },
      plugins: [polar(options)],
      getUser: () => ({ id: "usr_1042" })
    })
    const { url } = await serve({
      host: "127.0.0.1",
      port: 0,
      handle: async (request) =>
        (await kavach.plugins.handleRequest(request)) ?? new Response("not found", { status: 404 })
    })
    return Number(new URL(url).port)
  },
  // As one writes it by hand.
  bare: () => {
    const webhook = new Webhook(Buffer.from(secret).toString("base64"))
    return listening(
      createServer((incoming, outgoing) => {
        if (incoming.method !== "POST" || incoming.url !== webhookPath) {
          outgoing.end("{}")
          return
        }
        const pieces: Array<Buffer> = []
        incoming.on("data", (piece: Buffer) => pieces.push(piece))
        incoming.on("end", () => {
          try {
            const headers: Record<string, string> = {}
            for (const [name, value] of Object.entries(incoming.headers)) headers[name] = String(value)
            webhook.verify(Buffer.concat(pieces), headers)
            outgoing.end(JSON.stringify({ received: true }))
          } catch {
            outgoing.writeHead(403).end("{}")
          }
        })
      })
    )
  }
}

const port = await starters[which]()

answerQuestions<AttackedQuestion>(
  ({ what }) => (what === "port" ? port : process.memoryUsage.rss()),
  () => {}
)
