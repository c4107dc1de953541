/** What do the `polar_*` columns of `kavach_users` show? */
import { assert, describe, it } from "@effect/vitest"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import type { LinkRow } from "@kavach-polar/core/adapter/rows"
import type { SubscriptionFact } from "../src/records/subscriptionKind.ts"
import { project, type Shown } from "../src/rules/projection.ts"

const day = 86_400_000

const fact = (given: Partial<SubscriptionFact>): SubscriptionFact => ({
  id: "s",
  userId: "u",
  status: "active",
  live: true,
  productId: "p",
  customerId: "c",
  eventAt: 1,
  clockAt: null,
  currentPeriodEnd: new Date(day),
  cancelAtPeriodEnd: false,
  endsAt: null,
  endedAt: null,
  isLive: given.live ?? true,
  pauseAtPeriodEnd: false,
  pastDueAt: null,
  ...given
})

const link = (given: Partial<LinkRow> = {}): LinkRow => ({
  customerId: "c",
  userId: "u",
  linkedBy: "host",
  linkedAt: 1,
  deletedAt: null,
  ...given
})

const shown = (given: Partial<Shown>) =>
  project(defaultPolicy, { userId: "u", subscriptions: [], links: [], holderOf: () => undefined, now: 7, ...given })

const nothing = {
  userId: "u",
  polarCustomerId: undefined,
  polarSubscriptionId: null,
  polarSubscriptionStatus: null,
  polarProductId: null,
  polarCurrentPeriodEnd: null,
  polarCancelAtPeriodEnd: false,
  updatedAt: 7
}

describe("project", () => {
  it("shows nothing of a user of whom nothing is known", () => {
    assert.deepStrictEqual(shown({}), nothing)
  })

  it("shows the current subscription and its customer", () => {
    assert.deepStrictEqual(shown({ subscriptions: [fact({ cancelAtPeriodEnd: true })], links: [link()] }), {
      ...nothing,
      polarCustomerId: "c",
      polarSubscriptionId: "s",
      polarSubscriptionStatus: "active",
      polarProductId: "p",
      polarCurrentPeriodEnd: day,
      polarCancelAtPeriodEnd: true
    })
  })

  it("shows the one that gives most, and then the one that lasts longest", () => {
    const subscriptions = [
      fact({ id: "unpaid", status: "past_due", currentPeriodEnd: new Date(9 * day) }),
      fact({ id: "short", status: "trialing", currentPeriodEnd: new Date(day) }),
      fact({ id: "long", currentPeriodEnd: new Date(2 * day) }),
      fact({ id: "over", status: "canceled", live: false, currentPeriodEnd: new Date(3 * day) })
    ]
    for (const rotated of subscriptions.keys()) {
      const arrived = [...subscriptions.slice(rotated), ...subscriptions.slice(0, rotated)]
      assert.strictEqual(shown({ subscriptions: arrived }).polarSubscriptionId, "long")
    }
  })

  it("says of what is over the status of the one that ended last, and never one that sounds like access", () => {
    const over = (status: string, eventAt: number) => fact({ id: `${status} ${eventAt}`, status, live: false, eventAt })
    const table: ReadonlyArray<readonly [ReadonlyArray<SubscriptionFact>, string]> = [
      [[over("canceled", 1)], "canceled"],
      [[over("canceled", 1), over("unpaid", 2)], "unpaid"],
      [[over("unpaid", 2), over("canceled", 1)], "unpaid"],
      [[over("incomplete_expired", 2)], "incomplete_expired"],
      // Ended, whatever its status says.
      [[over("active", 3), over("unpaid", 2)], "canceled"],
      [[over("hibernating", 3)], "canceled"]
    ]
    for (const [subscriptions, status] of table) {
      assert.deepStrictEqual(shown({ subscriptions }), { ...nothing, polarSubscriptionStatus: status })
    }
  })

  it("leaves the customer out that is not linked to this user, or that another row shows", () => {
    const subscriptions = [fact({})]
    const customerIn = (given: Partial<Shown>) => shown({ subscriptions, ...given }).polarCustomerId
    assert.isUndefined(customerIn({}))
    assert.isUndefined(customerIn({ links: [link({ userId: "another" })] }))
    assert.isUndefined(customerIn({ links: [link()], holderOf: () => "another" }))
    assert.strictEqual(customerIn({ links: [link()], holderOf: () => "u" }), "c")
    // Linked to the user, and not the current subscription's.
    assert.isUndefined(customerIn({ links: [link({ customerId: "other" })] }))
    assert.isUndefined(customerIn({ links: [link({ deletedAt: 5 })] }))
  })

  it("shows the customer that was linked last where no subscription says which", () => {
    const links = [
      link({ customerId: "first", linkedAt: 1 }),
      link({ customerId: "last", linkedAt: 3 }),
      link({ customerId: "deleted", linkedAt: 4, deletedAt: 5 }),
      link({ customerId: "another's", linkedAt: 6, userId: "another" })
    ]
    assert.strictEqual(shown({ links }).polarCustomerId, "last")
    assert.isUndefined(shown({ links: links.slice(2) }).polarCustomerId)
  })
})
