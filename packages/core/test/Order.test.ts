/** How orders are read, stored and read back. */
import { readdirSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as PolarEvent from "@kavach-polar/core/PolarEvent"
import { Either, FastCheck, Option, Schema } from "effect"
import { isPaid, orderKind, PolarOrder } from "../src/records/Order.ts"
import { altered, anyJson } from "./alteredObjects.ts"
import { fixture, valueIn } from "./deliveries.ts"

const dataOf = (name: string): Readonly<Record<string, unknown>> =>
  JSON.parse(new TextDecoder().decode(fixture(name))).data

const names = readdirSync(new URL("../../../test/fixtures/polar-webhooks/", import.meta.url)).flatMap((file) =>
  file.startsWith("order.") ? [file.replace(/\.json$/, "")] : []
)
const purchase = dataOf("order.paid.purchase")
const minimal = { id: "ord", status: "paid", customer_id: "cus" }

const read = (data: unknown) => Either.getOrThrow(orderKind.read(data))
const orderIn = (data: unknown) => valueIn(orderKind, read(data))

describe("an order", () => {
  it("is read from the least that Polar can send", () => {
    assert.deepStrictEqual(read(minimal), {
      kind: "order",
      id: "ord",
      customer: { id: read(minimal).customer.id, externalId: null, email: null },
      metadataUserId: null,
      isRecorded: false,
      organizationId: null,
      productId: null,
      subscriptionId: null,
      orderId: null,
      benefitId: null,
      checkoutId: null,
      status: "paid",
      live: true,
      endsAt: null,
      precedence: 2,
      changedAt: null,
      summary: '{"billing_reason":null,"refunded_amount":null}',
      data: read(minimal).data
    })
    assert.deepInclude<Record<string, unknown>>(
      { ...orderIn(minimal) },
      { id: "ord", customerId: "cus", totalAmount: null, createdAt: null, metadata: {}, customFieldData: {} }
    )
  })

  it("says what it hangs on, whose it may be, and when it was changed", () => {
    const report = read({
      ...dataOf("order.paid.subscription_cycle"),
      metadata: { kavach_user_id: "usr_7" },
      modified_at: "2026-11-05T14:22:09.000007Z"
    })
    assert.deepInclude<Record<string, unknown>>(
      { ...report },
      {
        productId: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60",
        subscriptionId: "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67",
        orderId: null,
        organizationId: "0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01",
        metadataUserId: "usr_7",
        changedAt: Date.parse("2026-11-05T14:22:09Z") * 1000 + 7
      }
    )
    assert.strictEqual(report.customer.externalId, "usr_1042")
    assert.strictEqual(read(purchase).checkoutId, "dc10b5a8-9d7d-4cb3-904b-ff5112947f54")
    // Of one that was never changed, when it was made.
    assert.strictEqual(
      read({ ...purchase, modified_at: null }).changedAt,
      Date.parse("2026-10-08T09:30:15Z") * 1000 + 100_000
    )
  })

  it("is refused only for what decides about identity, product and status", () => {
    const deciding = ["id", "status", "customer_id", "product_id", "subscription_id"]
    for (const key of deciding) {
      for (const value of [7, "", "a\0b", "\ud800", "x".repeat(65), {}]) {
        const refused = orderKind.read({ ...purchase, [key]: value })
        assert.isTrue(Either.isLeft(refused), `${key} ${JSON.stringify(value)}`)
      }
    }
    for (const data of [null, 7, "order", [], {}]) assert.isTrue(Either.isLeft(orderKind.read(data)))
    const others = [...new Set([...Object.keys(purchase), "brand_new"])].filter((key) => !deciding.includes(key))
    FastCheck.assert(
      FastCheck.property(FastCheck.constantFrom(...others), anyJson, (key, value) => {
        assert.isTrue(Either.isRight(orderKind.read({ ...purchase, [key]: value })), `${key} ${JSON.stringify(value)}`)
      }),
      { numRuns: 3000 }
    )
  })

  it("names the field that cannot be read as Polar names it", () => {
    const event = (data: unknown) => JSON.stringify({ type: "order.paid", timestamp: "2026-10-05T14:22:08Z", data })
    const problem = (data: unknown) => Either.flip(PolarEvent.parse(event(data))).pipe(Either.getOrThrow).problem
    assert.strictEqual(problem({ ...purchase, product_id: 7 }), "product_id is not what Polar documents")
    assert.strictEqual(problem({ id: "ord", status: "paid" }), "customer_id is missing")
  })

  it("is read back as it was read, whatever was in it, and reading never throws", () => {
    FastCheck.assert(
      FastCheck.property(altered(names.map(dataOf)), (data) => {
        const report = orderKind.read(data)
        if (Either.isLeft(report)) return
        const order = Schema.decodeUnknownSync(PolarOrder)(data)
        const stored = Option.getOrThrow(orderKind.fromStored(report.right.data))
        assert.deepStrictEqual({ ...stored }, { ...order })
        assert.strictEqual(report.right.live, isPaid(order.status))
        assert.isTrue(Number.isSafeInteger(report.right.precedence) && report.right.precedence >= 0)
        assert.isBelow(report.right.precedence, 2 ** 48)
        assert.isObject(JSON.parse(report.right.summary))
        // It is stored under Polar's own names, so it can be read as Polar's object, too.
        assert.strictEqual(read(JSON.parse(report.right.data)).data, report.right.data)
      }),
      { numRuns: 3000 }
    )
  })

  it("of another depth than can be written is unreadable, and nothing worse", () => {
    const nested = `${"[".repeat(100_000)}${"]".repeat(100_000)}`
    for (const key of ["metadata", "custom_field_data"]) {
      for (const type of ["order.paid", "subscription.updated", "refund.created"]) {
        const ids = `"id":"a","status":"paid","customer_id":"c","product_id":"p","order_id":"o"`
        const parsed = PolarEvent.parse(
          `{"type":"${type}","timestamp":"2026-10-05T14:22:08Z","data":{${ids},"${key}":{"a":${nested}}}}`
        )
        if (Either.isLeft(parsed)) assert.deepInclude(parsed.left, { isEnvelope: true, type })
      }
    }
  })

  it("keeps amounts that are whole numbers, as columns of SQL need them", () => {
    assert.isNull(orderIn({ ...purchase, total_amount: 12.5 }).totalAmount)
    assert.isNull(orderIn({ ...purchase, total_amount: 1e21 }).totalAmount)
    assert.isNull(orderIn({ ...purchase, total_amount: "5880" }).totalAmount)
    assert.strictEqual(orderIn({ ...purchase, applied_balance_amount: -500 }).appliedBalanceAmount, -500)
  })

  it("is owned while it is paid and not wholly given back", () => {
    const live = Object.fromEntries(
      ["draft", "pending", "paid", "partially_refunded", "refunded", "void", "held_for_review"].map((status) => [
        status,
        read({ ...minimal, status }).live
      ])
    )
    assert.deepStrictEqual(live, {
      draft: false,
      pending: false,
      paid: true,
      partially_refunded: true,
      refunded: false,
      void: false,
      held_for_review: false
    })
  })

  it("at one time: the later change wins, then the status that comes later, an unknown one last", () => {
    const precedence = (status: string, modified_at: string | null = null) =>
      read({ ...minimal, status, modified_at }).precedence
    const ladder = [
      ...["draft", "pending", "paid", "partially_refunded", "refunded", "void", "held_for_review"].map((status) =>
        precedence(status)
      ),
      precedence("draft", "2026-10-05T15:00:00.001Z"),
      precedence("paid", "2026-10-05T15:00:00.002Z"),
      precedence("void", "2255-01-01T00:00:00Z")
    ]
    assert.deepStrictEqual(
      [...ladder].sort((a, b) => a - b),
      ladder
    )
    assert.strictEqual(new Set(ladder).size, ladder.length)
  })

  it("of which nothing is known is not made up", () => {
    for (const stored of ["", "{}", "null", "not json", '{"id":7,"status":"paid","customer_id":"c"}']) {
      assert.isTrue(Option.isNone(orderKind.fromStored(stored)), stored)
    }
  })
})
