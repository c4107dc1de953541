import { readdirSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as PolarEvent from "@kavach-polar/core/PolarEvent"
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import { Either, FastCheck } from "effect"
import { subscriptionKind } from "../src/records/subscriptionKind.ts"
import { supersedes } from "../src/rules/order.ts"
import { fixture, type Variation, valueIn, vary } from "./deliveries.ts"

const parse = (body: Uint8Array | string) =>
  PolarEvent.parse(typeof body === "string" ? body : new TextDecoder().decode(body))

const parsed = (name: string, variation: Variation = {}) => Either.getOrThrow(parse(vary(name, variation)))

const subscription = (name: string, variation: Variation = {}) => {
  const event = parsed(name, variation)
  if (event._tag !== "RecordEvent") throw new Error(`not a subscription: ${event._tag}`)
  const { at, report } = event
  return { at, report, subscription: valueIn(subscriptionKind, report) }
}

const problemOf = (body: string) => {
  const result = parse(body)
  return Either.isLeft(result) ? result.left : undefined
}

const names = readdirSync(new URL("../../../test/fixtures/polar-webhooks/", import.meta.url)).map((file) =>
  file.replace(/\.json$/, "")
)

describe("PolarEvent", () => {
  it("reads every example body", () => {
    assert.strictEqual(names.length, 120)
    for (const name of names) {
      const event = Either.getOrThrow(parse(fixture(name)))
      assert.strictEqual(event._tag, name.startsWith("customer.") ? "CustomerEvent" : "RecordEvent", name)
    }
  })

  it("keeps every field that a gate, a page or support asks for", () => {
    const { at, subscription: read } = subscription("subscription.updated")
    assert.strictEqual(at, 1791796500020904)
    assert.strictEqual(read.status, "active")
    assert.strictEqual(read.amount, 1520)
    assert.strictEqual(read.productName, "Pro (monthly)")
    assert.strictEqual(read.customer.externalId, "usr_1042")
    assert.strictEqual(read.customer.email, "ada.martin@acme-mail.dev")
    assert.deepStrictEqual(read.currentPeriodEnd, new Date("2026-11-05T14:22:08.412Z"))
    assert.strictEqual(read.pendingUpdate?.productId, "b7e2c5d8-40f1-4a6b-8c93-9d0e1f2a3b61")
    assert.deepStrictEqual(read.metadata, { user_id: "usr_1042", plan: "pro_monthly", seat_limit: 3, beta: true })
    assert.strictEqual(read.isLive, true)
  })

  it("tolerates what is new or odd in fields that decide nothing", () => {
    const { subscription: read } = subscription("subscription.active", {
      data: {
        status: "hibernating",
        amount: "12.50",
        discount_id: 7,
        metadata: { a: null, b: [1], c: "kept" },
        brand_new: {}
      }
    })
    assert.strictEqual(read.status, "hibernating")
    assert.strictEqual(read.isLive, false)
    assert.strictEqual(read.amount, null)
    assert.deepStrictEqual(read.metadata, { c: "kept" })
  })

  it("does not guess at fields on which access depends", () => {
    for (const data of [
      { id: null },
      { status: 3 },
      { customer_id: "" },
      { current_period_end: "soon" },
      { ended_at: 5 }
    ]) {
      const result = parse(vary("subscription.active", { data }))
      assert.isTrue(Either.isLeft(result), JSON.stringify(data))
      if (Either.isLeft(result)) assert.isTrue(result.left.isEnvelope)
    }
  })

  it("takes a revoked subscription for ended even if it does not say when", () => {
    const { subscription: read } = subscription("subscription.revoked", { data: { status: "active", ended_at: null } })
    assert.isNotNull(read.endedAt)
    assert.strictEqual(read.isLive, false)
  })

  it("lets no text through that a database would refuse", () => {
    for (const data of [{ id: "a\0b" }, { customer_id: "\ud800" }, { product_id: "p".repeat(65) }]) {
      assert.isTrue(Either.isLeft(parse(vary("subscription.active", { data }))), JSON.stringify(data))
    }
    const { report, subscription: read } = subscription("subscription.active", {
      data: {
        product: { name: "Pro", organization_id: "a\0b" },
        customer: null,
        metadata: { kavach_user_id: " padded " }
      }
    })
    assert.isNull(read.organizationId)
    assert.isNull(report.metadataUserId)
    assert.deepInclude(problemOf(`{"type":"a\\u0000b","timestamp":"2026-10-05T14:22:08Z","data":{}}`), {
      isEnvelope: false
    })
  })

  it("says what is wrong without the values, and never throws", () => {
    assert.deepInclude(problemOf("not json"), { isEnvelope: false })
    assert.deepInclude(problemOf(`{"content":"hi","embeds":[]}`), { isEnvelope: false, problem: "type is missing" })
    assert.deepInclude(problemOf(`{"type":"a","timestamp":"secret@example.com","data":{}}`), {
      problem: "timestamp is not what Polar documents"
    })
    FastCheck.assert(
      FastCheck.property(FastCheck.oneof(FastCheck.string(), FastCheck.json()), (body) => {
        parse(body)
      })
    )
    FastCheck.assert(
      FastCheck.property(
        FastCheck.constantFrom("subscription.updated", "customer.created", "order.paid", "new.thing"),
        FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue()),
        (type, data) => {
          parse(JSON.stringify({ type, timestamp: "2026-10-05T14:22:08Z", data }))
        }
      )
    )
    parse(`${"[".repeat(200_000)}${"]".repeat(200_000)}`)
    parse(`{"type":"a","timestamp":"2026-10-05T14:22:08Z","data":{"__proto__":{"organization_id":"x"},"n":1e999}}`)
  })

  it("finds the organization", () => {
    const organization = "0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01"
    for (const name of [
      "subscription.active",
      "customer.created",
      "order.paid",
      "checkout.created",
      "benefit_grant.created"
    ]) {
      assert.deepStrictEqual(parsed(name).organizationIds, [organization], name)
    }
  })
})

describe("SubscriptionVersion", () => {
  const version = (at: number, data: Variation["data"] = {}) => ({
    at: at as EpochMicros,
    precedence: subscription("subscription.active", { data }).report.precedence
  })

  it("goes by the timestamp first, to the microsecond", () => {
    const ended = { status: "canceled", ended_at: "2026-10-05T15:00:00Z" }
    assert.isTrue(supersedes(version(2), version(1, ended)))
    assert.isFalse(supersedes(version(1, ended), version(2)))
  })

  it("decides ties by its written rule, in both directions", () => {
    const ladder: ReadonlyArray<Variation["data"]> = [
      { modified_at: null, status: "trialing" },
      { modified_at: null, status: "active" },
      { modified_at: null, status: "active", cancel_at_period_end: true },
      { modified_at: null, status: "past_due" },
      { modified_at: null, status: "hibernating" },
      { modified_at: "2026-10-05T15:00:00.001Z", status: "trialing" },
      { modified_at: "2026-10-05T15:00:00.002Z", status: "trialing" },
      { modified_at: null, status: "canceled", ended_at: "2026-10-05T15:00:00Z" }
    ]
    ladder.forEach((lower, index) => {
      assert.isFalse(supersedes(version(1, lower), version(1, lower)))
      for (const higher of ladder.slice(index + 1)) {
        assert.isTrue(supersedes(version(1, higher), version(1, lower)), JSON.stringify([lower, higher]))
        assert.isFalse(supersedes(version(1, lower), version(1, higher)), JSON.stringify([lower, higher]))
      }
    })
  })

  it("packs into an integer that every database holds", () => {
    const { precedence } = subscription("subscription.active", {
      data: {
        modified_at: "2255-01-01T00:00:00Z",
        status: "hibernating",
        cancel_at_period_end: true,
        ended_at: "2026-01-01T00:00:00Z"
      }
    }).report
    assert.isTrue(Number.isSafeInteger(precedence))
    assert.isBelow(precedence, 2 ** 48)
  })
})
