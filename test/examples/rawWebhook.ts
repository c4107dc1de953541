import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { polar } from "@kavach-polar/http"

const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  store: SqliteStore.layer({ filename: "billing.sqlite" })
})

// Mount this before any middleware that parses JSON, for example in Hono:
// app.post("/webhooks/polar", (c) => receive(c.req.raw))
export const receive = (request: Request): Promise<Response> => billing.webhook(request)
