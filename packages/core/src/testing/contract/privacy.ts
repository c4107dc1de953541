import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { orderKind } from "../../records/Order.ts"
import { subscriptionKind } from "../../records/subscriptionKind.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { applyEach, applyOne, type ContractSuite, strangerId, trusting } from "../ContractSuite.ts"
import {
  asReceived,
  customerDelivery,
  type GrantScene,
  newGrant,
  newPurchase,
  newScene,
  orderDelivery,
  subscriptionDelivery,
  subscriptionSnapshot
} from "../polarDeliveries.ts"
import { bodiesOf, everythingOf, failToTell, idsOf, newPerson, storedOf } from "./person.ts"

/** What stays of a person whom Polar deletes, and what becomes of data that is signed and odd. */
export const privacy = (suite: ContractSuite): void => {
  const { it } = suite
  const stored = (scene: GrantScene, ids: ReadonlyArray<string>) => storedOf(suite, scene, ids)

  for (const [how, type, patch] of [
    ["deleted", "deleted", { deleted_at: "2026-12-01T10:00:00Z" }],
    ["made anonymous", "updated", { email: "5f0e1d@anonymized.polar.sh", name: "5f0e1d" }]
  ] as const) {
    for (const isLinked of [true, false]) {
      it.effect(`of a customer who is ${how} nothing personal stays, ${isLinked ? "linked" : "unlinked"}`, () =>
        Effect.gen(function* () {
          const store = yield* BillingStore
          const [scene, other] = [newGrant(), newGrant()]
          const [person, neighbour] = [newPerson(), newPerson()]
          const externalId = isLinked ? strangerId() : null
          const had = everythingOf(scene, person, externalId, 10)
          const others = everythingOf(other, neighbour, strangerId(), 10)
          yield* applyEach([...had, ...others], trusting)
          if (isLinked) yield* failToTell(scene.subscriptionId, `nobody answers at ${person.name}`)
          const before = yield* stored(scene, idsOf(had))
          expect(before.split(person.name).length).toBeGreaterThan(10)
          expect(before.includes(`nobody answers at ${person.name}`)).toBe(isLinked)
          expect(yield* bodiesOf(had)).toHaveLength(had.length)

          const gone = asReceived(customerDelivery(scene, type, { externalId, at: 20, patch }))
          yield* applyOne(gone, trusting)
          const all = [...had, gone]
          expect(yield* stored(scene, idsOf(all))).not.toContain(person.name)
          expect(yield* bodiesOf(all)).toEqual([])
          // What was bought stays, and nobody else's is touched.
          const subscription = Option.getOrThrow(yield* store.record(subscriptionKind, scene.subscriptionId))
          expect(subscription.value).toMatchObject({ status: "active", metadata: {}, customFieldData: {} })
          expect(yield* stored(other, idsOf(others))).toContain(neighbour.name)
          expect(yield* bodiesOf(others)).toHaveLength(others.length)

          // Older than the deletion and newer than what is stored; older than all; the same once more; and a replay of it.
          const older = everythingOf(scene, person, externalId, 15)
          const oldest = everythingOf(newGrant({ ...newGrant(), customerId: scene.customerId }), person, externalId, 1)
          const newer = everythingOf(scene, person, externalId, 30)
          const late = [...older, ...oldest, ...newer]
          yield* applyEach([...late, ...had], trusting)
          for (const delivery of had)
            yield* store.applyDeliveries([delivery], defaultPolicy, { ...trusting, replay: true })
          expect(yield* stored(scene, idsOf([...all, ...late]))).not.toContain(person.name)
          expect(yield* bodiesOf([...all, ...late])).toEqual([])
          const read = subscriptionSnapshot(scene, "active", {
            changedAt: 40,
            externalId,
            patch: { metadata: person.says, customer: person.customer(scene.customerId, externalId) }
          })
          yield* store.applySnapshots([read], defaultPolicy, { dryRun: false, ...trusting })
          expect(yield* stored(scene, idsOf(all))).not.toContain(person.name)
        })
      )
    }
  }

  it.effect("a customer who is deleted before anything else is known of them leaves a mark, and links as ever", () =>
    Effect.gen(function* () {
      const scene = newGrant()
      const person = newPerson()
      const gone = customerDelivery(scene, "deleted", { at: 20, patch: { deleted_at: "2026-12-01T10:00:00Z" } })
      expect(yield* applyOne(asReceived(gone), trusting)).toMatchObject({ state: "ignored", userId: null })
      const externalId = strangerId()
      const had = everythingOf(scene, person, externalId, 10)
      const [outcome] = yield* applyEach(had, trusting)
      // What they bought is still delivered to whom it was sold.
      expect(outcome).toMatchObject({ state: "applied", userId: externalId })
      expect(yield* stored(scene, idsOf(had))).not.toContain(person.name)
      expect(yield* bodiesOf(had)).toEqual([])
    })
  )

  it.effect("what says whose a record is stays: the user's id is the app's own", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const scene = newScene()
      const metadata = { kavach_user_id: strangerId(), kavach_checkout: "recorded", note: "Person" }
      yield* applyEach([
        subscriptionDelivery(scene, "active", { at: 1, patch: { metadata } }),
        customerDelivery(scene, "deleted", { at: 2, patch: { deleted_at: "2026-12-01T10:00:00Z" } })
      ])
      const { value } = Option.getOrThrow(yield* store.record(subscriptionKind, scene.subscriptionId))
      expect(value.metadata).toEqual({ kavach_user_id: metadata.kavach_user_id, kavach_checkout: "recorded" })
    })
  )

  it.effect("all in one step: what the same step has written goes too, in any order", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      for (const isFirst of [true, false]) {
        const scene = newGrant()
        const person = newPerson()
        const externalId = strangerId()
        const had = everythingOf(scene, person, externalId, 1)
        const gone = asReceived(
          customerDelivery(scene, "deleted", { externalId, at: 2, patch: { deleted_at: "2026-12-01T10:00:00Z" } })
        )
        const [first = expect.fail(), ...rest] = isFirst ? [gone, ...had] : [...had, gone]
        yield* store.applyDeliveries([first, ...rest], defaultPolicy, trusting)
        expect(yield* stored(scene, idsOf([gone, ...had]))).not.toContain(person.name)
        expect(yield* bodiesOf([gone, ...had])).toEqual([])
        const subscription = Option.getOrThrow(yield* store.record(subscriptionKind, scene.subscriptionId))
        expect(subscription.value.status).toBe("active")
      }
    })
  )

  it.effect("what is signed and odd is kept as far as it can be, and read again", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const deep = (levels: number) => JSON.parse(`${"[".repeat(levels)}1${"]".repeat(levels)}`)
      const values: ReadonlyArray<unknown> = [
        1e21,
        Number.MAX_VALUE,
        JSON.parse("1e400"),
        JSON.parse("-1e400"),
        "a\0b",
        "\ud800 alone",
        deep(7),
        deep(40),
        deep(3000),
        JSON.parse('{"__proto__":{"a":1},"constructor":2}'),
        JSON.parse('{"a\\u0000":"\\udfff"}')
      ]
      for (const value of values) {
        const scene = newScene()
        const purchase = newPurchase()
        const externalId = strangerId()
        const patch = {
          amount: value,
          seats: value,
          currency: value,
          customer_cancellation_comment: value,
          metadata: { kept: "yes", value },
          custom_field_data: { kept: "yes", value }
        }
        yield* applyEach([
          subscriptionDelivery(scene, "active", { externalId, patch }),
          orderDelivery(purchase, "paid.purchase", { patch })
        ])
        const subscription = Option.getOrThrow(yield* store.record(subscriptionKind, scene.subscriptionId))
        const order = Option.getOrThrow(yield* store.record(orderKind, purchase.orderId))
        for (const read of [subscription, order]) {
          expect(read.value.metadata).toMatchObject({ kept: "yes" })
          expect(read.value.customFieldData).toMatchObject({ kept: "yes" })
        }
      }
    })
  )
}
