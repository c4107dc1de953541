/** Replay and reconciliation as a user of `polar()` calls them. */
import { PolarUnavailable } from "@kavach-polar/core/PolarError"
import { Subscription } from "@kavach-polar/core/Subscription"
import * as Option from "effect/Option"
import { expect, test } from "vitest"
import { subscriptionKind } from "../../core/src/records/subscriptionKind.ts"
import { anonymousCustomer, deliveryOf, fixture, vary } from "../../core/test/deliveries.ts"
import { startHost } from "./host.ts"

const ofAda = (() => {
  const { content } = deliveryOf("any", fixture("subscription.active"))
  if (content._tag !== "RecordEvent") throw new Error("no subscription")
  return Option.getOrThrow(subscriptionKind.fromStored(content.report.data))
})()

test("a buyer who is back before the webhook has access after reconcile", async () => {
  const told: Array<string> = []
  await using host = await startHost({
    onSubscriptionChange: (userId, { status }) => void told.push(`${userId} ${status}`)
  })
  host.memory.putSubscription(ofAda)
  expect(await host.billing.reconcile("usr_1042", { dryRun: true })).toMatchObject({ compared: 1, discrepancyCount: 1 })
  expect(await host.billing.getSubscription("usr_1042")).toBeNull()
  await host.billing.reconcile("usr_1042")
  expect(await host.billing.getSubscription("usr_1042")).toMatchObject({ id: ofAda.id, status: "active" })
  // The webhook, when it comes, changes nothing that anybody is told of.
  expect((await host.deliver(fixture("subscription.active"))).status).toBe(200)
  await expect.poll(() => told).toEqual(["usr_1042 active"])
})

test("reconcileAll sets right what an outage left, and reports it as plain data", async () => {
  await using host = await startHost()
  await host.deliver(fixture("subscription.active"))
  const end = new Date(Date.now() - 1000)
  host.memory.putSubscription(Subscription.make({ ...ofAda, status: "canceled", endedAt: end, modifiedAt: end }))
  const report = await host.billing.reconcileAll()
  expect(JSON.parse(JSON.stringify(report))).toMatchObject({
    dryRun: false,
    compared: 1,
    discrepancies: [
      { kind: "subscription", id: ofAda.id, userId: "usr_1042", finding: "outdated", fields: ["status", "live"] }
    ]
  })
  expect(await host.billing.getSubscription("usr_1042")).toBeNull()
  expect(await host.billing.reconcileAll({ since: new Date() })).toMatchObject({ compared: 0, discrepancyCount: 0 })
})

test("an outage of Polar's is an error that says so", async () => {
  await using host = await startHost()
  host.memory.failNext(
    new PolarUnavailable({
      operation: "list subscriptions",
      status: 503,
      reason: "it answered 503",
      retryAfterSeconds: null,
      mayHaveActed: false
    })
  )
  await expect(host.billing.reconcileAll()).rejects.toMatchObject({ _tag: "PolarUnavailable" })
  await expect(host.billing.reconcile(" ")).rejects.toThrow(/userId/)
})

test("replay runs what failed again, and linkWaiting finds a user who came later", async () => {
  // Also while the users' table is empty.
  await using host = await startHost({ externalIds: "known" })
  await host.deliver(vary("subscription.active", { data: { status: 7 } }), { id: "evt_failed" })
  const waiting = vary("subscription.active", {
    data: { ...anonymousCustomer("cus_1"), id: "sub_1", metadata: { kavach_user_id: "usr_late" } }
  })
  await host.deliver(waiting, { id: "evt_waiting" })
  expect(await host.billing.replay({ states: ["failed"] })).toMatchObject({
    replayed: 1,
    changed: 0,
    states: { failed: 1 }
  })
  expect(await host.billing.replay({}, { dryRun: true })).toMatchObject({ replayed: 2, changed: 0 })
  expect(await host.billing.replay()).toMatchObject({ replayed: 2, changed: 0 })
  expect(await host.billing.linkWaiting()).toBe(0)
  expect(await host.billing.getSubscription("usr_late")).toBeNull()
  // With a checkout of theirs the app is seen to have this user.
  await host.billing.createCheckout("usr_late", ofAda.productId)
  expect(await host.billing.linkWaiting()).toBe(1)
  expect(await host.billing.getSubscription("usr_late")).toMatchObject({ id: "sub_1" })
})
