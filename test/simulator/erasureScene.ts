/** Ada, who has a subscription, an order, benefits and a license key, is to be erased; Bob has a subscription. */
import type { PolarConfig } from "@kavach-polar/http"
import { Seed } from "@kavach-polar/simulator"
import { expect, vi } from "vitest"
import { email, type Scene, userId, withScene } from "./BillingScene.ts"

export const { lifetime, pro } = Seed.products
const benefits = [
  {
    id: "1b3f9f0e-5b0d-4c6e-9c55-2a7b5d0c1e11",
    type: "feature_flag" as const,
    description: "Exports",
    metadata: { key: "export" }
  },
  {
    id: "1b3f9f0e-5b0d-4c6e-9c55-2a7b5d0c1e22",
    type: "license_keys" as const,
    description: "A key",
    metadata: { key: "app" },
    prefix: "ADA"
  }
]

/** While `isAway`, no call of billing's reaches Polar. Ends with `vi.restoreAllMocks()`. */
export const breakablePolar = (): { isAway: boolean } => {
  const polar = { isAway: false }
  const realFetch = globalThis.fetch
  vi.spyOn(globalThis, "fetch").mockImplementation((input, init) =>
    // Tests ask with texts, and billing with addresses.
    polar.isAway && input instanceof URL ? Promise.reject(new TypeError("fetch failed")) : realFetch(input, init)
  )
  return polar
}

export interface Told {
  readonly users: Array<string>
}

export const withAda = (
  store: PolarConfig["store"],
  use: (scene: Scene, told: Told) => Promise<void>
): Promise<void> => {
  const users: Array<string> = []
  return withScene(
    { products: [{ ...pro, benefits }, lifetime] },
    {
      store,
      refreshWhenDenied: false,
      onSubscriptionChange: (id) => void users.push(id),
      onPurchase: (id) => void users.push(id),
      on: { "*": (received) => void users.push(received.userId ?? "nobody") }
    },
    async (scene) => {
      await scene.buy(pro.id)
      await scene.buy(lifetime.id)
      const bob = await scene.billing.createCheckout("bob", pro.id, { customerEmail: "bob@acme-mail.dev" })
      await scene.simulator.pay(bob.id, { customer_email: "bob@acme-mail.dev" })
      await scene.simulator.flush()
      await scene.billing.settled()
      const [key] = await scene.billing.licenseKeys.list(userId)
      expect(key?.key).toMatch(/^ADA/)
      await scene.billing.licenseKeys.validate(key?.key ?? "")
      await use(scene, { users })
    }
  )
}

/** Where something leads to the person; not with all of the tables in the message. */
export const tracesIn = (text: string, traces: ReadonlyArray<string>): ReadonlyArray<string> =>
  traces.flatMap((trace) => {
    const place = text.indexOf(trace)
    return place < 0 ? [] : [text.slice(Math.max(place - 200, 0), place + 50)]
  })

export const tracesOfAda = (everything: string): ReadonlyArray<string> =>
  tracesIn(everything, [email, `"${userId}"`, `\\"${userId}\\"`, "ADA-"])

export const customerOfAda = async (scene: Scene): Promise<string> =>
  (await scene.customers()).find(({ external_id }) => external_id === userId)?.id ?? expect.fail()
