import { polar } from "kavach-polar"

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  database: { provider: "postgres", url: process.env["DATABASE_URL"] },
  products: { free: process.env["POLAR_FREE"], pro: process.env["POLAR_PRO"], team: process.env["POLAR_TEAM"] },
  trialOncePerUser: true
})

/** Where to send a user who clicks on "Team". Who is on Pro is changed to Team instead. */
export const upgradeToTeam = async (user: { id: string; email: string; ip: string }, seats: number) => {
  const result = await billing.createCheckout(user.id, "team", {
    customerEmail: user.email,
    customerIpAddress: user.ip,
    seats,
    maxSeats: 50,
    discountCode: "SPRING",
    externalReference: `upgrade-of-${user.id}`,
    successUrl: "https://app.example.com/welcome?checkout_id={CHECKOUT_ID}",
    ifSubscribed: "change"
  })
  return result.outcome === "changed" ? "https://app.example.com/welcome" : result.url
}
