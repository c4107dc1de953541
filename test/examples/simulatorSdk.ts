import { Seed, serve } from "@kavach-polar/simulator"
import { createPolar } from "@polar-sh/sdk/2026-10"

export const withPolarsOwnSdk = async () => {
  const simulator = await serve()
  const polar = createPolar({ accessToken: simulator.accessToken, baseUrl: simulator.url })
  const checkout = await polar.checkouts.create({ products: [Seed.products.trial.id], external_customer_id: "user_1" })
  await simulator.pay(checkout.id, { customer_email: "ada@acme-mail.dev" })
  const { active_subscriptions } = await polar.customers.getStateExternal("user_1")
  await simulator.close()
  return active_subscriptions.map(({ id, status }) => `${id} ${status}`)
}
