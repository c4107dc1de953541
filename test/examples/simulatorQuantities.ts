import { BillingStore } from "@kavach-polar/core"
import { polar } from "@kavach-polar/http"
import { Seed, serve } from "@kavach-polar/simulator"

export const aTeamThatGrows = async () => {
  const simulator = await serve({ discounts: [{ ...Seed.discounts.half, months: "forever" }] })
  const webhookSecret = "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE="
  const billing = polar({
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret,
    store: BillingStore.layerMemory
  })
  await simulator.connect((request) => billing.webhook(request), { secret: webhookSecret })

  const checkout = await billing.createCheckout("user_1", Seed.products.seats.id, { seats: 4 })
  await simulator.pay(checkout.id, { customer_email: "ada@acme-mail.dev", discount_code: "half3" })
  await simulator.flush()
  const change = { seats: 12, prorationBehavior: "invoice" } as const
  const preview = await billing.subscriptions.preview("user_1", change)
  const { amount, seats } = await billing.subscriptions.change("user_1", change)

  await billing.dispose()
  await simulator.close()
  return { seats, amount, prorations: preview.available ? preview.prorations.length : 0 }
}
