import { BillingStore } from "@kavach-polar/core"
import { polar } from "@kavach-polar/http"
import { Seed, serve } from "@kavach-polar/simulator"

export const aRenewalThatFails = async () => {
  const simulator = await serve()
  const webhookSecret = "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE="
  const billing = polar({
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret,
    store: BillingStore.layerMemory
  })
  await simulator.connect((request) => billing.webhook(request), { secret: webhookSecret })

  const checkout = await billing.createCheckout("user_1", Seed.products.pro.id)
  await simulator.pay(checkout.id, { customer_email: "ada@acme-mail.dev" })
  await simulator.flush()
  const bought = await billing.getSubscription("user_1")

  await simulator.failNextPayment()
  await simulator.advanceTo(bought?.currentPeriodEnd ?? new Date())
  const unpaid = await billing.getSubscription("user_1")

  await billing.dispose()
  await simulator.close()
  return { bought, unpaid }
}
