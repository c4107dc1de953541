import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { orderKind } from "../../records/Order.ts"
import { refundKind } from "../../records/Refund.ts"
import { UserId } from "../../records/Subscription.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import {
  applyEach,
  applyOne,
  type ContractSuite,
  customerOf,
  notificationsOf,
  recorded,
  strangerId,
  subscriptionsOf,
  trusting
} from "../ContractSuite.ts"
import {
  newPurchase,
  newScene,
  orderDelivery,
  recordIn,
  refundDelivery,
  subscriptionDelivery,
  subscriptionIn
} from "../polarDeliveries.ts"

/** What goes in comes out, whatever it is. */
export const roundTrip = ({ it }: ContractSuite): void => {
  it.effect("every field", () =>
    Effect.gen(function* () {
      const externalId = strangerId()
      const productId = randomUUID()
      const patch = {
        amount: 123456789,
        currency: "jpy",
        recurring_interval: "year",
        recurring_interval_count: 3,
        seats: 12,
        units: 7,
        discount_id: randomUUID(),
        checkout_id: randomUUID(),
        trial_start: "2026-10-01T00:00:00.001Z",
        trial_end: "2026-10-15T00:00:00.002Z",
        canceled_at: "2026-10-20T00:00:00.003Z",
        ends_at: "2026-11-05T00:00:00.004Z",
        ended_at: "2026-11-05T00:00:00.005Z",
        past_due_at: "2026-10-06T00:00:00.006Z",
        pause_at_period_end: true,
        paused_at: "2026-10-07T00:00:00.007Z",
        resumes_at: "2026-10-08T00:00:00.008Z",
        cancel_at_period_end: true,
        customer_cancellation_reason: "too_expensive",
        customer_cancellation_comment: "Switching jobs.",
        pending_update: { applies_at: "2026-11-05T00:00:00.009Z", product_id: productId, seats: 3, units: 4 },
        metadata: { text: "a", whole: 1, fraction: 0.1, yes: true },
        custom_field_data: { size: "L", nested: { list: [1, null, "x"] } }
      }
      const delivery = subscriptionDelivery(newScene(), "updated", { externalId, patch })
      const subscription = subscriptionIn(delivery)
      const empty = Object.entries(subscription).filter(([, value]) => value === null)
      expect(empty).toEqual([])
      yield* applyOne(delivery, trusting)
      expect(yield* subscriptionsOf(externalId)).toEqual([subscription])
    })
  )

  it.effect("every field that may be null", () =>
    Effect.gen(function* () {
      const externalId = strangerId()
      const optional = [
        ["amount", "currency", "recurring_interval", "recurring_interval_count", "seats", "units", "discount_id"],
        ["checkout_id", "created_at", "modified_at", "started_at", "current_period_start", "current_period_end"],
        ["trial_start", "trial_end", "canceled_at", "ends_at", "ended_at", "past_due_at", "paused_at", "resumes_at"],
        ["customer_cancellation_reason", "customer_cancellation_comment", "pending_update", "product"]
      ].flat()
      const { customerId, ...scene } = newScene()
      const patch = {
        ...Object.fromEntries(optional.map((name) => [name, null])),
        customer: { id: customerId, external_id: externalId }
      }
      const delivery = subscriptionDelivery({ customerId, ...scene }, "updated", { patch })
      const subscription = subscriptionIn(delivery)
      expect(Object.values(subscription).filter((value) => value === null).length).toBeGreaterThan(20)
      yield* applyOne(delivery, trusting)
      expect(yield* subscriptionsOf(externalId)).toEqual([subscription])
    })
  )

  const awkward = [
    'O\'Brien "quoted" `ticks` \\ back\\slash',
    "'; DROP TABLE kavach_polar_subscriptions; --",
    "😀 👩‍👩‍👧‍👦 日本語 עברית \u202e e\u0301 \ufeff",
    "? :name $1 @x %s {} $x",
    "line\nbreak\ttab\r\n"
  ]

  it.effect("text that needs care, in ids, names and metadata", () =>
    Effect.gen(function* () {
      for (const text of awkward) {
        const externalId = UserId.make(`${text} ${randomUUID()}`)
        const scene = newScene()
        const created = subscriptionDelivery(scene, "created", {
          id: `${text} ${randomUUID()}`,
          externalId,
          patch: {
            status: text.slice(0, 64),
            metadata: { [text]: text, nul: "a\u0000b" },
            customer_cancellation_comment: `${text}\u0000`,
            custom_field_data: { [text]: [text] }
          }
        })
        expect(yield* applyOne(created, trusting)).toMatchObject({
          id: created.id,
          state: "applied",
          userId: externalId
        })
        expect(yield* subscriptionsOf(externalId)).toEqual([subscriptionIn(created)])
        expect(yield* customerOf(externalId)).toBe(scene.customerId)
        expect(yield* recorded([created.id])).toMatchObject([
          { id: created.id, userId: externalId, body: created.body }
        ])
        const [notification] = yield* notificationsOf(externalId)
        expect(notification).toMatchObject({ userId: externalId, subscription: { status: text.slice(0, 64) } })
      }
    })
  )

  it.effect("text that needs care, in orders and refunds", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      for (const text of awkward) {
        const externalId = UserId.make(`${text} ${randomUUID()}`)
        const purchase = newPurchase()
        const patch = { status: text.slice(0, 64), metadata: { [text]: text, nul: "a\u0000b" } }
        const order = orderDelivery(purchase, "paid.purchase", {
          externalId,
          patch: { ...patch, description: `${text}\u0000`, custom_field_data: { [text]: [text] } }
        })
        const refund = refundDelivery(purchase, "created.partial", { patch: { ...patch, reason: `${text}\u0000` } })
        expect((yield* applyEach([order, refund], trusting)).map(({ state, userId }) => [state, userId])).toEqual([
          ["applied", externalId],
          ["applied", externalId]
        ])
        expect(yield* store.recordsOf(orderKind, externalId, { status: text.slice(0, 64) })).toEqual([
          recordIn(orderKind, order)
        ])
        expect(yield* store.recordsOf(refundKind, externalId)).toEqual([recordIn(refundKind, refund)])
        expect(yield* recorded([order.id, refund.id])).toMatchObject([{ userId: externalId }, { userId: externalId }])
      }
    })
  )

  it.effect("all the metadata that Polar allows, and a body of a megabyte", () =>
    Effect.gen(function* () {
      const externalId = strangerId()
      const metadata = Object.fromEntries(
        Array.from({ length: 50 }, (_, index) => [`key-${index}`.padEnd(40, "x"), "😀".repeat(250)])
      )
      const patch = { metadata, custom_field_data: { essay: "lorem ipsum ".repeat(100_000) } }
      const created = subscriptionDelivery(newScene(), "created", { externalId, patch })
      expect(created.body.length).toBeGreaterThan(1_000_000)
      yield* applyOne(created, trusting)
      expect(yield* subscriptionsOf(externalId)).toEqual([subscriptionIn(created)])
      expect((yield* recorded([created.id])).map(({ body }) => body)).toEqual([created.body])
    })
  )

  const lookalikes: ReadonlyArray<readonly [name: string, a: string, b: string]> = [
    ["case", "Ab", "aB"],
    ["accents", "cafe", "café"],
    ["a trailing space", "x", "x "],
    ["width", "ａ", "a"],
    ["normalisation", "\u00e9", "e\u0301"]
  ]
  for (const [name, ...pair] of lookalikes) {
    it.effect(`ids that differ only by ${name} are different`, () =>
      Effect.gen(function* () {
        const prefix = randomUUID().slice(0, 8)
        const [a, b] = pair.map((suffix) => {
          const id = `${prefix}${suffix}`
          const externalId = UserId.make(`${id}.`)
          const scene = newScene({ customerId: id, subscriptionId: id })
          return { externalId, scene, delivery: subscriptionDelivery(scene, "created", { id, externalId }) }
        })
        if (a === undefined || b === undefined) return expect(pair).toHaveLength(2)
        const outcomes = yield* applyEach([a.delivery, b.delivery], trusting)
        expect(outcomes).toMatchObject([
          { state: "applied", duplicate: false, userId: a.externalId },
          { state: "applied", duplicate: false, userId: b.externalId }
        ])
        for (const { delivery, externalId, scene } of [a, b]) {
          expect(yield* subscriptionsOf(externalId)).toEqual([subscriptionIn(delivery)])
          expect(yield* customerOf(externalId)).toBe(scene.customerId)
          expect((yield* recorded([delivery.id])).map(({ id }) => id)).toEqual([delivery.id])
        }
        expect(yield* notificationsOf(a.externalId)).toHaveLength(1)
      })
    )
  }

  it.effect("times at the end of what is representable, exactly", () =>
    Effect.gen(function* () {
      const externalId = strangerId()
      const scene = newScene()
      const patch = { current_period_end: "2255-06-05T23:47:34.740Z" }
      // 2 ** 53 - 1 microseconds, and the one before.
      const last = subscriptionDelivery(scene, "canceled", {
        externalId,
        patch,
        timestamp: "2255-06-05T23:47:34.740991Z"
      })
      const before = subscriptionDelivery(scene, "created", { externalId, timestamp: "2255-06-05T23:47:34.740990Z" })
      const outcomes = yield* applyEach([last, before], trusting)
      expect(outcomes.map(({ state }) => state)).toEqual(["applied", "stale"])
      expect(yield* subscriptionsOf(externalId)).toEqual([subscriptionIn(last)])
      const rows = yield* recorded([last.id, before.id])
      expect(rows.map(({ eventAt }) => eventAt).sort()).toEqual([Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER])
    })
  )
}
