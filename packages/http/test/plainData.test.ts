import { expect, test } from "vitest"
import { fixture, vary } from "../../core/test/deliveries.ts"
import { startHost } from "./host.ts"

const isPlain = (value: unknown): boolean =>
  typeof value !== "object" ||
  value === null ||
  value instanceof Date ||
  (Array.isArray(value)
    ? value.every(isPlain)
    : Object.getPrototypeOf(value) === Object.prototype &&
      Object.getOwnPropertySymbols(value).length === 0 &&
      Object.values(value).every(isPlain))

test("what the billing returns is plain data: it survives JSON and structuredClone", async () => {
  await using host = await startHost()
  await host.deliver(fixture("subscription.active"))
  await host.deliver(fixture("order.paid"))
  const { billing } = host
  const [order] = await billing.orders.list("usr_1042")
  const results = {
    checkout: await billing.createCheckout("usr_1042", "b7e2c5d8-40f1-4a6b-8c93-9d0e1f2a3b61", {
      customerEmail: "ada.martin@acme-mail.dev"
    }),
    current: await billing.getSubscription("usr_1042"),
    all: await billing.listSubscriptions("usr_1042"),
    orders: await billing.orders.list("usr_1042"),
    order: order === undefined ? null : await billing.orders.get(order.id),
    access: await billing.access("usr_1042"),
    replayed: await billing.replay({}),
    reconciled: await billing.reconcile("usr_1042"),
    all_reconciled: await billing.reconcileAll()
  }
  expect(results.all).toHaveLength(1)
  expect(results.all[0]).toMatchObject({ isLive: true, isPaused: false })
  for (const [name, value] of Object.entries(results)) {
    expect(isPlain(value), name).toBe(true)
    expect(structuredClone(value), name).toEqual(value)
  }
  const json = JSON.parse(JSON.stringify(results.all[0]))
  expect(json).toMatchObject({ isLive: true, isPaused: false })
})

test("a paused subscription says so", async () => {
  await using host = await startHost()
  await host.deliver(vary("subscription.active", { data: { status: "paused" } }))
  expect(await host.billing.getSubscription("usr_1042")).toMatchObject({ status: "paused" })
  expect(await host.billing.listSubscriptions("usr_1042")).toMatchObject([{ isLive: true, isPaused: true }])
  expect((await host.billing.access("usr_1042")).entitlement).toBe("denied")
})
