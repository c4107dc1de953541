import { BillingStore } from "@kavach-polar/core"
import { polar } from "@kavach-polar/http"
import { Seed, type Served, serve } from "@kavach-polar/simulator"

const deployment = async (simulator: Served, webhookSecret: string) => {
  const billing = polar({
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret,
    externalIds: "known",
    store: BillingStore.layerMemory
  })
  await simulator.connect((request) => billing.webhook(request), { secret: webhookSecret })
  return billing
}

export const whoHasWhat = async () => {
  const simulator = await serve({ allowMultipleSubscriptions: true })
  const production = await deployment(simulator, "whsec_cHJvZHVjdGlvbiBpbiBhIHRlc3QgMDEyMzQ1Njc4OTA=")
  const staging = await deployment(simulator, "whsec_c3RhZ2luZyBpbiBhIHRlc3QgMDEyMzQ1Njc4OTAxMjM=")

  // Whoever has the address first is Polar's customer; who pays is somebody else.
  const first = await production.createCheckout("workspace_1", Seed.products.pro.id)
  await simulator.pay(first.id, { customer_email: "ada@acme-mail.dev" })
  const second = await production.createCheckout("workspace_2", Seed.products.team.id)
  await simulator.pay(second.id, { customer_email: "ada@acme-mail.dev" })
  await simulator.flush()

  const team = { product: Seed.products.team.id }
  const answers = {
    payer: (await production.access("workspace_2", team)).entitlement,
    holderOfTheAddress: (await production.access("workspace_1", team)).entitlement,
    sameIdInStaging: (await staging.access("workspace_2", team)).entitlement
  }
  await Promise.all([production.dispose(), staging.dispose()])
  await simulator.close()
  return answers
}
