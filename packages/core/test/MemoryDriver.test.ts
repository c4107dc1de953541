/** What a step finds in memory when rows have changed what they are looked up by: as if all rows were gone through. */

import type { DeliveryRow, LinkRow, ProjectionRow, SubscriptionRow } from "@kavach-polar/core/adapter/rows"
import { type Changes, type Facts, type Keys, noChanges } from "@kavach-polar/core/adapter/Step"
import type { DeliveryRowQuery } from "@kavach-polar/core/adapter/StoreDriver"
import { describe, expect, it } from "vitest"
import { makeMemoryDriver } from "../src/store/memoryDriver.ts"

const noKeys: Keys = { deliveryIds: [], customerIds: [], subscriptionIds: [], userIds: [] }

const driverWith = (...userIds: ReadonlyArray<string>) => {
  const driver = makeMemoryDriver(userIds.map((id) => ({ id, email: null, name: null })))
  return {
    driver,
    write: (changes: Partial<Changes>) => driver.atomically(noKeys, () => ({ ...noChanges, ...changes })),
    facts: (keys: Partial<Keys>): Facts => {
      let found: Facts | undefined
      void driver.atomically({ ...noKeys, ...keys }, (facts) => {
        found = facts
        return noChanges
      })
      if (found === undefined) throw new Error("the driver did not load at once")
      return found
    }
  }
}

const subscription = (row: Partial<SubscriptionRow>): SubscriptionRow => ({
  id: "s",
  userId: null,
  customerId: "c",
  organizationId: null,
  productId: "p",
  status: "active",
  live: true,
  currentPeriodEnd: null,
  cancelAtPeriodEnd: false,
  eventAt: 1,
  precedence: 1,
  deliveryId: "d",
  updatedAt: 1,
  data: "{}",
  ...row
})

const delivery = (row: Partial<DeliveryRow>): DeliveryRow => ({
  id: "d",
  type: "subscription.active",
  state: "unlinked",
  eventAt: 1,
  receivedAt: 1,
  updatedAt: 1,
  customerId: "c",
  subscriptionId: "s",
  userId: null,
  attempts: 1,
  lastError: null,
  body: "{}",
  ...row
})

const projection = (userId: string, polarCustomerId: string | undefined): ProjectionRow => ({
  userId,
  polarCustomerId,
  polarSubscriptionId: null,
  polarSubscriptionStatus: null,
  polarProductId: null,
  polarCurrentPeriodEnd: null,
  polarCancelAtPeriodEnd: false,
  updatedAt: 1
})

const link = (customerId: string, userId: string): LinkRow => ({
  customerId,
  userId,
  linkedBy: "host",
  linkedAt: 1,
  deletedAt: null
})

const everyDelivery: DeliveryRowQuery = {
  ids: undefined,
  states: undefined,
  types: undefined,
  receivedBefore: undefined,
  receivedAfter: undefined,
  order: "oldest",
  after: undefined,
  limit: 10
}

const idsOf = (rows: ReadonlyArray<{ readonly id: string }>) => rows.map(({ id }) => id).sort()

describe("what a step finds in memory", () => {
  it("is a subscription by the customer that it has now", () => {
    const { facts, write } = driverWith()
    void write({ subscriptions: [subscription({ customerId: "before" })] })
    void write({ subscriptions: [subscription({ customerId: "after" })] })
    expect(facts({ customerIds: ["before"] }).subscriptions).toEqual([])
    expect(idsOf(facts({ customerIds: ["after"] }).subscriptions)).toEqual(["s"])
  })

  it("is a subscription by the user that it has now, if it is live", () => {
    const { driver, facts, write } = driverWith()
    void write({ subscriptions: [subscription({})] })
    expect(facts({ userIds: ["u"] }).subscriptions).toEqual([])
    void write({ adoptions: [{ id: "s", userId: "u", updatedAt: 2 }] })
    expect(facts({ userIds: ["u"] }).subscriptions).toEqual([subscription({ userId: "u", updatedAt: 2 })])
    void write({ subscriptions: [subscription({ userId: "u", live: false })] })
    expect(facts({ userIds: ["u"] }).subscriptions).toEqual([])
    expect(driver.subscriptionsOf("u", "live")).toEqual([])
    expect(driver.subscriptionsOf("u", "all")).toHaveLength(1)
    void write({ subscriptions: [subscription({ userId: "another" })] })
    expect(driver.subscriptionsOf("u", "all")).toEqual([])
    expect(idsOf(facts({ userIds: ["another"] }).subscriptions)).toEqual(["s"])
  })

  it("is each subscription once, with the other live ones of its owner", () => {
    const { facts, write } = driverWith("u", "v")
    void write({
      subscriptions: [
        subscription({ id: "named", userId: "u", customerId: "c1" }),
        subscription({ id: "of the same customer", userId: "v", customerId: "c1", live: false }),
        subscription({ id: "live", userId: "u", customerId: "c2" }),
        subscription({ id: "ended", userId: "u", customerId: "c2", live: false }),
        subscription({ id: "of the other owner", userId: "v", customerId: "c3" }),
        subscription({ id: "nobody's", customerId: "c4" })
      ]
    })
    const found = facts({ subscriptionIds: ["named", "unknown"], customerIds: ["c1"], userIds: ["u"] })
    expect(idsOf(found.subscriptions)).toEqual(["live", "named", "of the other owner", "of the same customer"])
    expect(idsOf(found.users)).toEqual(["u", "v"])
  })

  it("is a user by the customer that the user's row shows now", () => {
    const { facts, write } = driverWith("u")
    void write({ projections: [projection("u", "before"), projection("has no row", "before")] })
    expect(facts({ customerIds: ["before"] }).users).toEqual([{ id: "u", polarCustomerId: "before" }])
    void write({ projections: [projection("u", "after")] })
    expect(facts({ customerIds: ["before"] }).users).toEqual([])
    void write({ projections: [projection("u", undefined)] })
    expect(facts({ customerIds: ["after"] }).users).toEqual([{ id: "u", polarCustomerId: "after" }])
  })

  it("is who is known by a link or a checkout now", () => {
    const { driver, facts, write } = driverWith()
    const known = () => facts({ userIds: ["u", "v", "w"] }).knownUserIds
    void write({ links: [link("c", "u")], checkouts: [{ id: "k", userId: "w", productId: "p", createdAt: 1 }] })
    expect(known()).toEqual(["u", "w"])
    void write({ links: [link("c", "v")] })
    expect(known()).toEqual(["v", "w"])
    expect(driver.customerOf("u")).toBeUndefined()
    expect(driver.customerOf("v")).toBe("c")
  })

  it("is what a release left waiting", async () => {
    const { driver, write } = driverWith()
    const states = async () => {
      const rows = await driver.deliveries(everyDelivery)
      return Object.fromEntries(rows.map(({ id, state, userId }) => [id, [state, userId]]))
    }
    void write({
      deliveries: [
        delivery({ id: "a", subscriptionId: null }),
        delivery({ id: "b" }),
        delivery({ id: "d", customerId: "another", subscriptionId: "another" }),
        delivery({ id: "e", state: "stale" })
      ]
    })
    void write({ releases: [{ by: "subscriptionId", id: "s", userId: "u", updatedAt: 2 }] })
    expect(await states()).toEqual({
      a: ["unlinked", null],
      b: ["applied", "u"],
      d: ["unlinked", null],
      e: ["stale", null]
    })
    void write({ releases: [{ by: "customerId", id: "c", userId: "v", updatedAt: 3 }] })
    void write({ releases: [{ by: "customerId", id: "c", userId: "w", updatedAt: 4 }] })
    expect(await states()).toEqual({
      a: ["applied", "v"],
      b: ["applied", "u"],
      d: ["unlinked", null],
      e: ["stale", null]
    })
  })
})
