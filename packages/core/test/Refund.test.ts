/** How refunds are read, stored and read back. */
import { readdirSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck, Option, Schema } from "effect"
import { PolarRefund, refundKind } from "../src/records/Refund.ts"
import { altered, anyJson } from "./alteredObjects.ts"
import { fixture, valueIn } from "./deliveries.ts"

const dataOf = (name: string): Readonly<Record<string, unknown>> =>
  JSON.parse(new TextDecoder().decode(fixture(name))).data

const names = readdirSync(new URL("../../../test/fixtures/polar-webhooks/", import.meta.url)).flatMap((file) =>
  file.startsWith("refund.") ? [file.replace(/\.json$/, "")] : []
)
const partial = dataOf("refund.created.partial")
const minimal = { id: "ref", status: "succeeded", order_id: "ord", customer_id: "cus" }

const read = (data: unknown) => Either.getOrThrow(refundKind.read(data))

describe("a refund", () => {
  it("is read from the least that Polar can send", () => {
    const report = read(minimal)
    assert.deepInclude<Record<string, unknown>>(
      { ...report },
      {
        kind: "refund",
        id: "ref",
        orderId: "ord",
        subscriptionId: null,
        productId: null,
        checkoutId: null,
        metadataUserId: null,
        organizationId: null,
        live: true,
        precedence: 1,
        changedAt: null,
        summary: '{"amount":null}'
      }
    )
    assert.deepStrictEqual<unknown>(report.customer, { id: "cus", externalId: null, email: null })
    assert.deepInclude<Record<string, unknown>>(
      { ...valueIn(refundKind, report) },
      { id: "ref", orderId: "ord", amount: null, reason: null, createdAt: null, metadata: {} }
    )
  })

  it("says what it hangs on, of whose organization it is, and when it was changed", () => {
    assert.deepInclude<Record<string, unknown>>(
      { ...read({ ...partial, metadata: { kavach_user_id: "usr_7" } }) },
      {
        orderId: "5e6f7a8b-d02f-4e4d-bc6b-7f8a9b0c1d69",
        subscriptionId: "3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67",
        organizationId: "0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01",
        metadataUserId: "usr_7",
        changedAt: Date.parse("2026-10-13T11:02:17Z") * 1000 + 390_000
      }
    )
  })

  it("is refused only for what decides about identity and status", () => {
    const deciding = ["id", "status", "order_id", "customer_id", "subscription_id"]
    for (const key of deciding) {
      for (const value of [7, "", "a\0b", "\ud800", "x".repeat(65), {}]) {
        const refused = refundKind.read({ ...partial, [key]: value })
        assert.isTrue(Either.isLeft(refused), `${key} ${JSON.stringify(value)}`)
      }
    }
    for (const data of [null, 7, "refund", [], {}]) assert.isTrue(Either.isLeft(refundKind.read(data)))
    const others = [...new Set([...Object.keys(partial), "brand_new"])].filter((key) => !deciding.includes(key))
    FastCheck.assert(
      FastCheck.property(FastCheck.constantFrom(...others), anyJson, (key, value) => {
        assert.isTrue(Either.isRight(refundKind.read({ ...partial, [key]: value })), `${key} ${JSON.stringify(value)}`)
      }),
      { numRuns: 2000 }
    )
  })

  it("is read back as it was read, whatever was in it, and reading never throws", () => {
    FastCheck.assert(
      FastCheck.property(altered(names.map(dataOf)), (data) => {
        const report = refundKind.read(data)
        if (Either.isLeft(report)) return
        const refund = Schema.decodeUnknownSync(PolarRefund)(data)
        const stored = Option.getOrThrow(refundKind.fromStored(report.right.data))
        assert.deepStrictEqual({ ...stored }, { ...refund })
        assert.isTrue(Number.isSafeInteger(report.right.precedence) && report.right.precedence >= 0)
        assert.isObject(JSON.parse(report.right.summary))
      }),
      { numRuns: 3000 }
    )
  })

  it("counts while it is on its way or done, and at one time the later change wins, then the later status", () => {
    const statuses = ["pending", "succeeded", "failed", "canceled", "disputed"]
    assert.deepStrictEqual(
      statuses.map((status) => read({ ...minimal, status }).live),
      [true, true, false, false, false]
    )
    const ladder = [
      ...statuses.map((status) => read({ ...minimal, status }).precedence),
      read({ ...minimal, status: "pending", modified_at: "2026-10-05T15:00:00.001Z" }).precedence
    ]
    assert.deepStrictEqual(
      [...ladder].sort((a, b) => a - b),
      ladder
    )
    assert.strictEqual(new Set(ladder).size, ladder.length)
  })
})
