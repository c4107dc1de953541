import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { tables } from "../../adapter/tables.ts"
import { benefitGrantKind } from "../../records/BenefitGrant.ts"
import type { Delivery } from "../../records/Delivery.ts"
import { orderKind } from "../../records/Order.ts"
import { refundKind } from "../../records/Refund.ts"
import { subscriptionKind } from "../../records/subscriptionKind.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { applyEach, applyOne, type ContractSuite, recorded, strangerId, trusting } from "../ContractSuite.ts"
import {
  asReceived,
  customerDelivery,
  fixtureDelivery,
  type GrantScene,
  grantDelivery,
  newGrant,
  newPurchase,
  newScene,
  orderDelivery,
  refundDelivery,
  subscriptionDelivery,
  subscriptionSnapshot,
  withoutType
} from "../polarDeliveries.ts"
import { StoreDatabase } from "../StoreDatabase.ts"

/** What stays of a person whom Polar deletes, and what becomes of data that is signed and odd. */
export const privacy = (suite: ContractSuite): void => {
  const { it } = suite

  /** Somebody whose every text is one that nobody else has. */
  const newPerson = () => {
    const name = `Person-${randomUUID()}`
    const says = { name, [name]: "as a key", nested: { deep: [name] } }
    const customer = (customerId: string, externalId: string | null) => ({
      id: customerId,
      external_id: externalId,
      email: `${name}@acme-mail.dev`,
      name,
      billing_name: name,
      metadata: says
    })
    return { name, says, customer }
  }
  type Person = ReturnType<typeof newPerson>

  /** All that Polar sends of what somebody has, and what cannot be read or is not known yet. */
  const everythingOf = (scene: GrantScene, person: Person, externalId: string | null, at: number) => {
    const customer = person.customer(scene.customerId, externalId)
    const said = { metadata: person.says, custom_field_data: person.says, customer }
    const patch = { ...said, customer_cancellation_comment: person.name }
    const member = { customer_id: scene.customerId, email: `${person.name}@acme-mail.dev`, name: person.name }
    const later = subscriptionDelivery(scene, "migrated", { fixture: "subscription.active", at, externalId, patch })
    const unread = subscriptionDelivery(scene, "updated", { at, externalId, patch: { ...patch, status: 7 } })
    const sent: ReadonlyArray<Delivery> = [
      asReceived(subscriptionDelivery(scene, "active", { at, externalId, patch })),
      asReceived(orderDelivery(scene, "paid.purchase", { at, externalId, patch: said })),
      asReceived(
        refundDelivery(scene, "created.partial", { at, patch: { metadata: person.says, comment: person.name } })
      ),
      asReceived(
        grantDelivery(scene, "created.discord.action_required", {
          at,
          externalId,
          patch: { properties: person.says, customer }
        })
      ),
      asReceived(customerDelivery(scene, "updated", { at, externalId, patch: customer })),
      asReceived(customerDelivery(scene, "state_changed", { at, externalId, patch: customer })),
      asReceived(fixtureDelivery("member.created", randomUUID(), scene, { at, patch: member })),
      asReceived(
        fixtureDelivery("customer_seat.claimed", randomUUID(), scene, {
          at,
          externalId,
          patch: { email: member.email, member: { ...member, id: randomUUID() }, seat_metadata: person.says }
        })
      ),
      asReceived(
        fixtureDelivery("checkout.updated.confirmed", randomUUID(), scene, {
          at,
          externalId,
          patch: {
            ...said,
            customer_id: scene.customerId,
            customer_email: member.email,
            customer_name: person.name,
            customer_metadata: person.says
          }
        })
      ),
      asReceived(later, withoutType("subscription.migrated")),
      asReceived(unread)
    ]
    return sent
  }

  /** Every text that the store holds of these, as it stands in the tables where there are some. */
  const stored = (scene: GrantScene, ids: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const database = yield* StoreDatabase
      if (suite.hasDatabase) {
        const names = [...tables.map(({ name }) => name), "kavach_users"]
        return JSON.stringify(yield* Effect.forEach(names, database.rows), (_, value) =>
          typeof value === "bigint" ? String(value) : value
        )
      }
      const store = yield* BillingStore
      return JSON.stringify([
        yield* store.record(subscriptionKind, scene.subscriptionId),
        yield* store.record(orderKind, scene.orderId),
        yield* store.record(refundKind, scene.refundId),
        yield* store.record(benefitGrantKind, scene.grantId),
        yield* recorded(ids),
        yield* store.deadNotifications()
      ])
    })

  const idsOf = (deliveries: ReadonlyArray<Delivery>) => deliveries.map(({ id }) => id)

  const bodiesOf = (deliveries: ReadonlyArray<Delivery>) =>
    Effect.map(recorded(idsOf(deliveries)), (rows) => rows.filter(({ body }) => body !== null).map(({ id }) => id))

  /** The app's code fails at what it is told of the subscription, and says whose it is. */
  const failToTell = (subscriptionId: string, error: string) =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const owner = randomUUID()
      for (;;) {
        const { claimed } = yield* store.claimNotifications({ owner, limit: 100, lease: Duration.minutes(1) })
        if (claimed.length === 0) return
        for (const notification of claimed) {
          if (JSON.stringify(notification).includes(subscriptionId))
            yield* store.buryNotification(notification.id, owner, error)
          else yield* store.completeNotifications([notification.id], owner)
        }
      }
    })

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
