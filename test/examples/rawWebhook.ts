import { polar } from "kavach-polar"

const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  database: { provider: "sqlite", url: "billing.sqlite" }
})

// Mount this before any middleware that parses JSON, for example in Hono:
// app.post("/webhooks/polar", (c) => receive(c.req.raw))
export const receive = (request: Request): Promise<Response> => billing.webhook(request)
