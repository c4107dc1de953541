import { polar } from "kavach-polar"

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  sandbox: process.env["NODE_ENV"] !== "production",
  database: { provider: "postgres", url: process.env["DATABASE_URL"] },
  onSubscriptionChange: async (userId, subscription) => {
    process.stdout.write(`${userId} is now ${subscription.status}\n`)
  }
})

// Your signed-in user wants to buy: send the browser to `url`. Id and e-mail come from your own records.
export const buy = (user: { id: string; email: string }, productId: string) =>
  billing.createCheckout(user.id, productId, {
    customerEmail: user.email,
    successUrl: "https://app.example.com/welcome?checkout={CHECKOUT_ID}"
  })

// The route that Polar delivers to. It reads the body itself: mount it before anything that parses JSON.
export const POST = (request: Request): Promise<Response> => billing.webhook(request)
