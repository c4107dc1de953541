import { polar } from "kavach-polar"

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  database: { provider: "postgres", url: process.env["DATABASE_URL"] },
  products: { templates: process.env["POLAR_TEMPLATES"] }
})

/** Where to send who does not have it yet; `null` for who does. */
export const buyTemplates = async (user: { id: string; email: string }) => {
  if (await billing.orders.owns(user.id, "templates")) return null
  const { url } = await billing.createCheckout(user.id, "templates", {
    customerEmail: user.email,
    successUrl: "https://app.example.com/templates?checkout_id={CHECKOUT_ID}"
  })
  return url
}

/** For the page that they come back to: the webhook may be on its way still. */
export const hasTemplates = async (userId: string, isBackFromCheckout: boolean) => {
  if (await billing.orders.owns(userId, "templates")) return true
  if (isBackFromCheckout) await billing.reconcile(userId)
  return billing.orders.owns(userId, "templates")
}
