/** What an app's support puts right about whose a customer is, as a user of `polar()` calls it. */
import { expect, test } from "vitest"
import { fixture } from "../../core/test/deliveries.ts"
import { startHost } from "./host.ts"

const active = fixture("subscription.active")
const { customer_id: customerId, id: subscriptionId } = JSON.parse(new TextDecoder().decode(active)).data as {
  readonly customer_id: string
  readonly id: string
}

test("a customer is moved, and access and the callback follow; the app sees why", async () => {
  const told: Array<string> = []
  await using host = await startHost({
    onSubscriptionChange: (userId, { status }) => void told.push(`${userId} ${status}`)
  })
  const { customers, access, linkCustomer } = host.billing
  await host.deliver(active)
  await expect.poll(() => told).toEqual(["usr_1042 active"])
  expect(await customers.waiting()).toEqual([])
  const refused = await linkCustomer("usr_7", customerId).catch((error: unknown) => error)
  expect(refused).toMatchObject({ _tag: "CustomerLinkedToAnotherUser", message: /customers\.move/ })

  const change = {
    changed: true,
    from: "usr_1042",
    records: [{ kind: "subscription", id: subscriptionId }]
  }
  expect(await customers.move(customerId, { to: "usr_7", dryRun: true })).toMatchObject(change)
  expect((await access("usr_7")).entitlement).toBe("denied")
  expect(await customers.move(customerId, { to: "usr_7", by: "Lin" })).toMatchObject(change)
  expect((await access("usr_1042")).entitlement).toBe("denied")
  expect((await access("usr_7")).entitlement).toBe("granted")
  await expect
    .poll(() => told, { timeout: 10_000 })
    .toEqual(expect.arrayContaining(["usr_7 active", "usr_1042 canceled"]))

  const { changes, customers: linked, records } = await customers.of("usr_7")
  expect(linked).toMatchObject([{ customerId, linkedBy: "operator" }])
  expect(records).toMatchObject([{ kind: "subscription", id: subscriptionId, ownedBy: "operator" }])
  expect(changes).toMatchObject([{ action: "move", from: "usr_1042", to: "usr_7", by: "Lin" }])
  expect(structuredClone(changes)).toEqual(changes)
})

test("what a link gave waits when the link ends, and is listed", async () => {
  await using host = await startHost()
  const { customers } = host.billing
  await host.deliver(active)
  expect(await customers.unlink(customerId)).toMatchObject({ changed: true, from: "usr_1042" })
  expect(await customers.waiting()).toMatchObject([{ kind: "subscription", id: subscriptionId, customerId }])
  expect(await customers.waiting({ limit: 1 })).toHaveLength(1)
  expect(await customers.link("usr_7", customerId)).toMatchObject({ changed: true, from: null })
  expect(await customers.link("usr_7", customerId)).toMatchObject({ changed: false })
  expect(await customers.waiting()).toEqual([])
})

test("an id of which nothing is known is refused with where to find the right one", async () => {
  await using host = await startHost()
  const stranger = "00000000-0000-4000-8000-000000000000"
  await expect(host.billing.customers.move(stranger, { to: "usr_7" })).rejects.toMatchObject({
    _tag: "NothingKnown",
    message: /customers\.waiting/
  })
  await expect(host.billing.customers.link("usr_7", "cus_1")).rejects.toThrow(/customerId/)
})
