import { BillingStore } from "@kavach-polar/core"
import { polar } from "@kavach-polar/http"
import { type Seed, serve } from "@kavach-polar/simulator"

const flag: Seed.BenefitInput = {
  id: "7a8b9c0d-f241-4a6f-9e8d-9b0c1d2e3f71",
  type: "feature_flag",
  description: "Exports",
  metadata: { key: "exports", rows: 100 }
}
const licence: Seed.BenefitInput = {
  id: "45609ab2-3fe0-4df5-b3e3-b3b1e942e3fd",
  type: "license_keys",
  description: "Desktop licence",
  prefix: "ACME",
  limitActivations: 2
}
const pack: Seed.ProductInput = {
  id: "5d6e7f8a-9b0c-4d1e-8f2a-3b4c5d6e7f80",
  name: "Template pack",
  amount: 4900,
  interval: null,
  benefits: [flag, licence]
}

export const whatABuyerHas = async () => {
  const simulator = await serve({ products: [pack] })
  const webhookSecret = "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE="
  const billing = polar({
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret,
    store: BillingStore.layerMemory
  })
  await simulator.connect((request) => billing.webhook(request), { secret: webhookSecret })

  const checkout = await billing.createCheckout("user_1", pack.id)
  const { order } = await simulator.pay(checkout.id, { customer_email: "ada@acme-mail.dev" })
  await simulator.updateBenefit(flag.id, { metadata: { key: "exports", rows: 1000 } })
  await simulator.flush()
  const bought = await billing.benefits.get("user_1", "exports")

  await simulator.refund(order?.id ?? "", { revoke_benefits: true })
  await simulator.flush()
  const refunded = await billing.benefits.has("user_1", "exports")

  await billing.dispose()
  await simulator.close()
  return { rows: bought?.metadata["rows"], refunded }
}
