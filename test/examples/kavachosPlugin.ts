import { createKavach, polar } from "kavach-polar"

const kavach = await createKavach({
  database: { provider: "sqlite", url: "billing.sqlite" },
  plugins: [
    polar({ accessToken: process.env["POLAR_ACCESS_TOKEN"], webhookSecret: process.env["POLAR_WEBHOOK_SECRET"] })
  ]
})

export const subscription = await kavach.plugins.polar.getSubscription("user_1")
