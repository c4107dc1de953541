/** What users own and were granted, as a user of `polar()` asks for it. */
import { expect, test } from "vitest"
import { fixture, vary } from "../../core/test/deliveries.ts"
import { startHost } from "./host.ts"

const soldOnce = "e149a7bc-ef99-44ac-8929-50de326aabf7"

test("a benefit is asked for by its key or its id, until it is revoked", async () => {
  await using host = await startHost()
  const { benefits } = host.billing
  expect(await benefits.list("usr_1042")).toEqual([])
  await host.deliver(fixture("benefit_grant.created.license_keys.order"))
  const id = "45609ab2-3fe0-4df5-b3e3-b3b1e942e3fd"
  expect(await benefits.has("usr_1042", id)).toBe(true)
  const granted = await benefits.get("usr_1042", id)
  expect(granted).toEqual({
    benefitId: id,
    key: id,
    type: "license_keys",
    description: "Lifetime licence key",
    metadata: {},
    properties: { license_key_id: "a3a06f08-f7cc-4fa5-b25d-f4ae302bb159", display_key: "****-77D2AC" },
    grantedAt: new Date("2026-10-08T09:30:17.199Z"),
    source: { orderId: "c14778fc-2d9b-4c86-b953-25720c626cfb" }
  })
  expect(structuredClone(granted)).toEqual(granted)
  expect(await benefits.has("usr_1042", "Lifetime licence key")).toBe(false)
  expect(await benefits.has("usr_1043", id)).toBe(false)
  expect(await benefits.get("usr_1043", id)).toBeNull()
  await expect(benefits.has(" ", id)).rejects.toThrow(/userId/)
})

test("who bought a product once owns it, until it is wholly refunded", async () => {
  await using host = await startHost()
  const { orders } = host.billing
  expect(await orders.owns("usr_1042", soldOnce)).toBe(false)
  await host.deliver(fixture("order.paid.purchase"))
  expect(await orders.owns("usr_1042", soldOnce)).toBe(true)
  expect(await orders.owns("usr_1043", soldOnce)).toBe(false)
  await host.deliver(vary("order.paid.purchase", { timestamp: "2027-01-01T00:00:00Z", data: { status: "refunded" } }))
  expect(await orders.owns("usr_1042", soldOnce)).toBe(false)
})

test("a subscription's orders are no purchase", async () => {
  await using host = await startHost()
  await host.deliver(fixture("order.paid.subscription_cycle"))
  const [order] = await host.billing.orders.list("usr_1042")
  expect(order?.status).toBe("paid")
  expect(await host.billing.orders.owns("usr_1042", String(order?.productId))).toBe(false)
})
