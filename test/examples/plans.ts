import { polar } from "kavach-polar"

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  database: { provider: "postgres", url: process.env["DATABASE_URL"] },
  products: { free: process.env["POLAR_FREE"], pro: process.env["POLAR_PRO"], team: process.env["POLAR_TEAM"] }
})

export const buyTeam = (user: { id: string; email: string }) =>
  billing.createCheckout(user.id, "team", { customerEmail: user.email })

// The free plan is a subscription, too, and would do for `access(userId)`.
export const mayInvite = async (userId: string) => {
  const { entitlement } = await billing.access(userId, { products: ["pro", "team"] })
  return entitlement !== "denied"
}
