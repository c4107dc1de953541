import { polar } from "kavach-polar"

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  database: { provider: "postgres", url: process.env["DATABASE_URL"] },
  telemetry: { traces: true, metrics: true }
})
