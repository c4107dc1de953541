import { polar } from "kavach-polar"

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  database: { provider: "sqlite", url: process.env["BILLING_DATABASE"] },
  // Only where it is set: a simulator's address.
  apiBaseUrl: process.env["POLAR_API_URL"]
})
