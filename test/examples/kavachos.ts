import { createKavach, polar } from "kavach-polar"

const kavach = await createKavach({
  database: { provider: "sqlite", url: "billing.sqlite" },
  plugins: [
    polar({
      accessToken: process.env["POLAR_ACCESS_TOKEN"],
      webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
      sandbox: process.env["NODE_ENV"] !== "production",
      onSubscriptionChange: async (userId, subscription) => {
        process.stdout.write(`${userId} is now ${subscription.status}\n`)
      }
    })
  ]
})

const { url } = await kavach.plugins.polar.createCheckout("user_1", "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60", {
  customerEmail: "ada@example.com",
  successUrl: "https://app.example.com/welcome?checkout={CHECKOUT_ID}"
})

const subscription = await kavach.plugins.polar.getSubscription("user_1")
const { entitlement, reason, until } = await kavach.plugins.polar.access("user_1")

export { entitlement, reason, subscription, until, url }
