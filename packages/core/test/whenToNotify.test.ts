/** When is the app told? */
import { assert, describe, it } from "@effect/vitest"
import { orderKind } from "../src/records/Order.ts"
import { refundKind } from "../src/records/Refund.ts"
import type { RecordFact } from "../src/records/rows.ts"
import { subscriptionKind } from "../src/records/subscriptionKind.ts"
import { notificationOf } from "../src/rules/whenToNotify.ts"
import { rowOf } from "../src/steps/recordRow.ts"
import { deliveryOf, reportIn, type Variation, vary } from "./deliveries.ts"

const factOf = (name: string, userId: string | null, data: Variation["data"] = {}): RecordFact => {
  const report = reportIn(deliveryOf("any", vary(name, { data })))
  const row = rowOf(report, {
    owner: { userId: null, ownedBy: null },
    version: { at: report.changedAt ?? expectedTime(), precedence: report.precedence },
    deliveryId: "any",
    now: 1
  })
  return { ...row, userId }
}

const expectedTime = (): never => {
  throw new Error("the fixtures say when they were changed")
}

const active = (userId: string | null, data: Variation["data"] = {}) => factOf("subscription.active", userId, data)

describe("notificationOf", () => {
  it("tells of a subscription that is new to its user, in the five documented fields", () => {
    const told = notificationOf(undefined, active("u"))
    assert.deepStrictEqual(JSON.parse(told ?? ""), {
      id: "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67",
      status: "active",
      productId: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60",
      currentPeriodEnd: "2026-11-05T14:22:08.412Z",
      cancelAtPeriodEnd: false
    })
  })

  it("tells when one of the five becomes another, and of nothing else", () => {
    const table: ReadonlyArray<readonly [Variation["data"], boolean]> = [
      [{}, false],
      [{ amount: 1, seats: 9, metadata: {}, modified_at: "2027-01-01T00:00:00Z" }, false],
      [{ ends_at: "2027-01-01T00:00:00Z", past_due_at: "2027-01-01T00:00:00Z" }, false],
      [{ status: "past_due" }, true],
      [{ product_id: "another" }, true],
      [{ current_period_end: "2027-01-05T00:00:00Z" }, true],
      [{ current_period_end: null }, true],
      [{ cancel_at_period_end: true }, true]
    ]
    for (const [data, isTold] of table) {
      assert.strictEqual(notificationOf(active("u"), active("u", data)) !== undefined, isTold, JSON.stringify(data))
    }
  })

  it("tells nobody of what is nobody's, and its user when it gets one", () => {
    assert.isUndefined(notificationOf(undefined, active(null)))
    assert.isUndefined(notificationOf(active(null), active(null, { status: "past_due" })))
    assert.isString(notificationOf(active(null), active("u")))
  })

  it("tells nothing of orders, refunds, and kinds of a later version yet", () => {
    assert.isUndefined(notificationOf(undefined, factOf("order.paid", "u")))
    assert.isUndefined(notificationOf(factOf("order.paid", "u"), factOf("order.refunded", "u")))
    assert.isUndefined(notificationOf(undefined, factOf("refund.created.partial", "u")))
    assert.isUndefined(notificationOf(undefined, { ...active("u"), kind: "sponsorship" }))
    assert.deepStrictEqual(
      [subscriptionKind, orderKind, refundKind].map(({ shown }) => shown !== undefined),
      [true, false, false]
    )
  })
})
