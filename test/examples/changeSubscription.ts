import { polar } from "kavach-polar"

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  database: { provider: "postgres", url: process.env["DATABASE_URL"] },
  products: { pro: process.env["POLAR_PRO"], team: process.env["POLAR_TEAM"] }
})

/** For the button "Upgrade": what it costs, if Polar says, and then the upgrade. */
export const costOfTeam = async (userId: string) => {
  const preview = await billing.subscriptions.preview(userId, { product: "team" })
  if (!preview.available) return null
  const money = new Intl.NumberFormat("en", { style: "currency", currency: preview.currency ?? "usd" })
  return money.format(preview.due / 10 ** (money.resolvedOptions().maximumFractionDigits ?? 2))
}
export const upgrade = (userId: string) =>
  billing.subscriptions.change(userId, { product: "team", prorationBehavior: "invoice" })

/** For the page that buyers come back to: `?checkout_id={CHECKOUT_ID}` in `successUrl`. */
export const welcome = async (userId: string, checkoutId: string) => {
  const { access, status } = await billing.checkouts.complete(userId, checkoutId)
  if (status === "succeeded") return access.entitlement === "denied" ? "Thank you!" : "Thank you: it is all yours."
  return status === "confirmed" ? "Your payment is on its way." : "Nothing was paid."
}
