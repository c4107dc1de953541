/** What a step finds in memory when rows have changed what they are looked up by: as if all rows were gone through. */

import type { DeliveryRow, LinkRow, ProjectionRow, RecordRow } from "@kavach-polar/core/adapter/rows"
import { type Changes, type Facts, type Keys, noChanges, noKeys } from "@kavach-polar/core/adapter/Step"
import type { DeliveryRowQuery } from "@kavach-polar/core/adapter/StoreDriver"
import { describe, expect, it } from "vitest"
import { makeMemoryDriver } from "../src/store/memoryDriver.ts"

const time = { now: 0, shift: 0 }

const driverWith = (...userIds: ReadonlyArray<string>) => {
  const driver = makeMemoryDriver(userIds.map((id) => ({ id, email: null, name: null, emailVerified: false })))
  return {
    driver,
    write: (changes: Partial<Changes>) => driver.atomically(noKeys, () => ({ ...noChanges, ...changes }), time),
    facts: (keys: Partial<Keys>): Facts => {
      let found: Facts | undefined
      void driver.atomically(
        { ...noKeys, ...keys },
        (facts) => {
          found = facts
          return noChanges
        },
        time
      )
      if (found === undefined) throw new Error("the driver did not load at once")
      return found
    }
  }
}

const subscription = (row: Partial<RecordRow>): RecordRow => ({
  kind: "subscription",
  id: "s",
  userId: null,
  ownedBy: null,
  customerId: "c",
  organizationId: null,
  productId: "p",
  subscriptionId: null,
  orderId: null,
  benefitId: null,
  checkoutId: null,
  status: "active",
  live: true,
  clockAt: null,
  lapsedAt: null,
  endsAt: null,
  eventAt: 1,
  precedence: 1,
  deliveryId: "d",
  updatedAt: 1,
  summary: "{}",
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
  recordKind: "subscription",
  recordId: "s",
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
    void write({ records: [subscription({ customerId: "before" })] })
    void write({ records: [subscription({ customerId: "after" })] })
    expect(facts({ customerIds: ["before"] }).records).toEqual([])
    expect(idsOf(facts({ customerIds: ["after"] }).records)).toEqual(["s"])
  })

  it("is a subscription by the user that it has now, live or not", () => {
    const { driver, facts, write } = driverWith()
    const of = (userId: string, live?: boolean) =>
      driver.recordsOf({ kind: "subscription", userId, live, status: undefined, productId: undefined })
    void write({ records: [subscription({})] })
    expect(facts({ userIds: ["u"] }).records).toEqual([])
    void write({ adoptions: [{ kind: "subscription", id: "s", userId: "u", ownedBy: "link", updatedAt: 2 }] })
    expect(facts({ userIds: ["u"] }).records).toEqual([subscription({ userId: "u", ownedBy: "link", updatedAt: 2 })])
    void write({ records: [subscription({ userId: "u", live: false })] })
    expect(idsOf(facts({ userIds: ["u"] }).records)).toEqual(["s"])
    expect(of("u", true)).toEqual([])
    expect(of("u")).toHaveLength(1)
    void write({ records: [subscription({ userId: "another" })] })
    expect(of("u")).toEqual([])
    expect(idsOf(facts({ userIds: ["another"] }).records)).toEqual(["s"])
  })

  it("is each record once: named, unlinked of a customer, and the subscriptions of their owners", () => {
    const { facts, write } = driverWith("u", "v")
    void write({
      records: [
        subscription({ id: "named", userId: "u", customerId: "c1" }),
        subscription({ id: "unlinked of the customer", customerId: "c1" }),
        subscription({ id: "of another user, of the customer", userId: "w", customerId: "c1" }),
        subscription({ id: "live", userId: "u", customerId: "c2" }),
        subscription({ id: "ended", userId: "u", customerId: "c2", live: false }),
        subscription({ kind: "order", id: "order of the owner", userId: "u", customerId: "c2" }),
        subscription({ kind: "order", id: "named order", userId: "v", customerId: "c3" }),
        subscription({ kind: "order", id: "unlinked order", customerId: "c1" }),
        subscription({ id: "of the order's owner", userId: "v", customerId: "c3" }),
        subscription({ id: "nobody's", customerId: "c4" })
      ]
    })
    const subscriptionNamed = (id: string) => ({ kind: "subscription", id })
    const found = facts({
      records: [subscriptionNamed("named"), subscriptionNamed("unknown"), { kind: "order", id: "named order" }],
      customerIds: ["c1"],
      userIds: ["u"]
    })
    expect(idsOf(found.records)).toEqual([
      "ended",
      "live",
      "named",
      "named order",
      "of the order's owner",
      "unlinked of the customer",
      "unlinked order"
    ])
    expect(idsOf(found.users)).toEqual(["u", "v"])
  })

  it("is a checkout, with the user for whom it was made", () => {
    const { facts, write } = driverWith("w")
    const checkout = { id: "k", userId: "w", productId: "p", createdAt: 1 }
    void write({ checkouts: [checkout], records: [subscription({ userId: "w" })] })
    const found = facts({ checkoutIds: ["k", "unknown"] })
    expect(found.checkouts).toEqual([checkout])
    expect(idsOf(found.users)).toEqual(["w"])
    expect(idsOf(found.records)).toEqual(["s"])
  })

  it("is a user by the customer that the user's row shows now", () => {
    const { facts, write } = driverWith("u")
    void write({ projections: [projection("u", "before"), projection("has no row", "before")] })
    expect(facts({ customerIds: ["before"] }).users).toEqual([{ id: "u", email: null, polarCustomerId: "before" }])
    void write({ projections: [projection("u", "after")] })
    expect(facts({ customerIds: ["before"] }).users).toEqual([])
    void write({ projections: [projection("u", undefined)] })
    expect(facts({ customerIds: ["after"] }).users).toEqual([{ id: "u", email: null, polarCustomerId: "after" }])
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
        delivery({ id: "a", recordKind: null, recordId: null }),
        delivery({ id: "b" }),
        delivery({ id: "d", customerId: "another", recordId: "another" }),
        delivery({ id: "e", state: "stale" })
      ]
    })
    void write({ releases: [{ by: "recordId", id: "s", userId: "u", updatedAt: 2 }] })
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
