/** What a user has by what they bought, asked of the app's own database while the simulator is Polar. */
import { Seed, type ServeOptions } from "@kavach-polar/simulator"
import { HashMap } from "effect"
import { describe, expect, test } from "vitest"
import { type Scene, userId, withScene } from "./BillingScene.ts"

const flag: Seed.BenefitInput = {
  id: "7a8b9c0d-f241-4a6f-9e8d-9b0c1d2e3f71",
  type: "feature_flag",
  description: "Exports",
  metadata: { key: "exports", rows: 100 }
}
const role: Seed.BenefitInput = {
  id: "25867994-392f-450d-b585-6f45f00bbf34",
  type: "discord",
  description: "Members Discord"
}
const pack = { ...Seed.products.lifetime, benefits: [flag, role] }
const plan = { ...Seed.products.pro, benefits: [flag] }
const options: ServeOptions = { products: [pack, plan], allowMultipleSubscriptions: true }

const orderOf = async ({ billing }: Scene): Promise<string> => {
  const [order] = await billing.orders.list(userId)
  return order?.id ?? expect.fail("no order")
}

const grantOf = async ({ simulator }: Scene, benefitId: string) =>
  (await simulator.read(({ tables }) => Array.from(HashMap.values(tables.grants)))).find(
    ({ benefit_id }) => benefit_id === benefitId
  ) ?? expect.fail("no grant")

const types = async ({ simulator }: Scene) => (await simulator.emitted()).map(({ type }) => type)

describe("a product that is bought once", () => {
  test("gives its feature flag with its values, and with newer ones when the merchant edits them", async () => {
    await withScene(options, {}, async (scene) => {
      const { benefits, orders } = scene.billing
      expect(await benefits.has(userId, "exports")).toBe(false)
      await scene.buy(pack.id)
      expect(await benefits.has(userId, "exports")).toBe(true)
      expect(await benefits.has(userId, flag.id)).toBe(true)
      expect(await benefits.has("mallory", "exports")).toBe(false)
      expect(await orders.owns(userId, pack.id)).toBe(true)
      expect(await benefits.get(userId, "exports")).toMatchObject({
        benefitId: flag.id,
        type: "feature_flag",
        metadata: { rows: 100 },
        source: { orderId: await orderOf(scene) }
      })
      await scene.simulator.updateBenefit(flag.id, { metadata: { key: "exports", rows: 1000 } })
      await scene.simulator.flush()
      expect((await benefits.get(userId, "exports"))?.metadata).toEqual({ key: "exports", rows: 1000 })
    })
  })

  test("is refunded and stays the buyer's benefit, until a refund takes the benefits back", async () => {
    await withScene(options, {}, async (scene) => {
      const { benefits, orders } = scene.billing
      await scene.buy(pack.id)
      const order = await orderOf(scene)
      await scene.simulator.refund(order, { amount: 100 })
      await scene.simulator.flush()
      expect(await benefits.has(userId, "exports")).toBe(true)
      await scene.simulator.refund(order, { amount: 100, revoke_benefits: true })
      await scene.simulator.flush()
      expect(await benefits.has(userId, "exports")).toBe(false)
      expect(await benefits.get(userId, "exports")).toBeNull()
      expect(await orders.owns(userId, pack.id)).toBe(true)
      // It comes back under its id, whatever was refunded, when the merchant edits what the product gives.
      const { id } = await grantOf(scene, flag.id)
      await scene.simulator.setProductBenefits(pack.id, [flag.id])
      await scene.simulator.flush()
      expect((await grantOf(scene, flag.id)).id).toBe(id)
      expect(await benefits.has(userId, "exports")).toBe(true)
    })
  })

  test("has a benefit that needs the buyer: it is theirs when they have done it, and not before", async () => {
    await withScene(options, {}, async (scene) => {
      const { benefits } = scene.billing
      await scene.buy(pack.id)
      expect(await benefits.has(userId, role.id)).toBe(false)
      expect((await types(scene)).filter((type) => type === "benefit_grant.created")).toHaveLength(2)
      await scene.simulator.connectAccount((await grantOf(scene, role.id)).id, "42")
      await scene.simulator.flush()
      expect(await benefits.get(userId, role.id)).toMatchObject({ properties: { account_id: "42" } })
    })
  })
})

describe("a subscription", () => {
  test("gives its benefits through a renewal, takes them back while it is past due, and when it is revoked", async () => {
    await withScene(options, {}, async (scene) => {
      const { billing, simulator } = scene
      await scene.buy(plan.id)
      const bought = await billing.getSubscription(userId)
      const id = bought?.id ?? expect.fail("no subscription")
      expect(await billing.benefits.get(userId, "exports")).toMatchObject({ source: { subscriptionId: id } })
      await simulator.advance("32 days")
      expect(await types(scene)).toContain("benefit_grant.cycled")
      expect(await billing.benefits.has(userId, "exports")).toBe(true)
      await simulator.failNextPayment()
      await simulator.advanceTo((await billing.getSubscription(userId))?.currentPeriodEnd ?? new Date())
      expect(await billing.benefits.has(userId, "exports")).toBe(false)
      await simulator.advance("3 days")
      expect(await billing.benefits.has(userId, "exports")).toBe(true)
      await scene.api("DELETE", `/v1/subscriptions/${id}`)
      await simulator.flush()
      expect(await billing.benefits.has(userId, "exports")).toBe(false)
      expect(await billing.benefits.list(userId)).toEqual([])
    })
  })
})

describe("webhooks that were lost", () => {
  test("reconciliation finds grants, and the values of a feature flag", async () => {
    await withScene(options, {}, async (scene) => {
      const { benefits, orders } = scene.billing
      await scene.silently(() => scene.buy(pack.id))
      expect(await benefits.has(userId, "exports")).toBe(false)
      await scene.simulator.updateBenefit(flag.id, { metadata: { key: "exports", rows: 7 } })
      await scene.billing.reconcileAll()
      expect((await benefits.get(userId, "exports"))?.metadata).toMatchObject({ rows: 7 })
      expect(await benefits.has(userId, role.id)).toBe(false)
      expect(await orders.owns(userId, pack.id)).toBe(true)
      await scene.simulator.connectAccount((await grantOf(scene, role.id)).id)
      await scene.billing.reconcileAll()
      expect(await benefits.has(userId, role.id)).toBe(true)
    })
  })

  test("reconciliation finds that grants were taken back, and for one user alone", async () => {
    await withScene(options, {}, async (scene) => {
      const { benefits } = scene.billing
      await scene.buy(pack.id)
      await scene.buy(plan.id)
      const [subscription] = await scene.billing.listSubscriptions(userId)
      const order = (await scene.billing.orders.list(userId)).find(({ subscriptionId }) => subscriptionId === null)
      await scene.silently(() => scene.api("DELETE", `/v1/subscriptions/${subscription?.id}`))
      await scene.simulator.refund(order?.id ?? "", { revoke_benefits: true })
      expect(await benefits.list(userId)).toHaveLength(2)
      await scene.billing.reconcile(userId)
      expect(await benefits.list(userId)).toEqual([])
      expect(await benefits.has(userId, "exports")).toBe(false)
    })
  })
})
