import { polar } from "kavach-polar"

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  routes: { pause: false, resume: false },
  authorize: (action, { asked, subscription }) =>
    action !== "change" || (subscription?.status === "active" && (asked.seats ?? 0) <= 50)
})
