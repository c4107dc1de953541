/** Bodies of deliveries that the app encrypts, or that are not kept. */
import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import type { Delivery } from "../../records/Delivery.ts"
import { orderKind } from "../../records/Order.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { encryptedBodies, noBodies } from "../../store/deliveryBodies.ts"
import { type ContractSuite, trusting } from "../ContractSuite.ts"
import { newPurchase, orderDelivery } from "../polarDeliveries.ts"

const lease = Duration.minutes(1)
const heard = new Set(["order.paid"])

/** Text turned round and named after its delivery, with signs that some databases write otherwise. */
const turned = (text: string): string => [...text].reverse().join("")

const cipher = (state: { isAway: boolean }) =>
  encryptedBodies({
    encrypt: (body, { deliveryId }) =>
      state.isAway ? Effect.fail("away") : Effect.succeed(`ü'"\\€\u{1F511}${deliveryId} ${turned(body)}`),
    decrypt: (encrypted, { deliveryId }) =>
      state.isAway
        ? Effect.fail("away")
        : Effect.try(() => {
            const [, rest] = encrypted.split(`ü'"\\€\u{1F511}${deliveryId} `)
            if (rest === undefined) throw new Error("another delivery's")
            return turned(rest)
          })
  })

export const bodies = ({ it, nextUser }: ContractSuite): void => {
  const apply = (store: typeof BillingStore.Service, delivery: Delivery, options: { replay?: boolean } = {}) =>
    store.applyDeliveries([delivery], defaultPolicy, { ...trusting, handlers: heard, ...options })

  const toldOf = (store: typeof BillingStore.Service, delivery: Delivery) =>
    Effect.gen(function* () {
      const owner = randomUUID()
      const { claimed } = yield* store.claimNotifications({ owner, limit: 100, lease, handlers: heard })
      const mine = claimed.flatMap(({ id, told }) =>
        told._tag === "Event" && told.deliveryId === delivery.id ? [{ id, data: told.event.data }] : []
      )
      for (const { id } of mine) yield* store.completeNotifications([id], owner)
      return mine.map(({ data }) => data)
    })

  it.effect("an encrypted body is read with its cipher, and by nobody else", () =>
    Effect.gen(function* () {
      const plain = yield* BillingStore
      const store = plain.withBodies(cipher({ isAway: false }))
      const purchase = newPurchase()
      const paid = orderDelivery(purchase, "paid.purchase", { externalId: nextUser().id })
      yield* apply(store, paid)
      const query = { ids: [paid.id] }
      expect(yield* store.deliveries(query)).toMatchObject([{ body: paid.body, isEncrypted: false }])
      expect(yield* store.deliveries({ ...query, decrypt: false })).toMatchObject([{ body: null, isEncrypted: true }])
      expect(yield* plain.deliveries(query)).toMatchObject([{ body: null, isEncrypted: true }])
      expect(yield* toldOf(store, paid)).toMatchObject([{ id: purchase.orderId, status: "paid" }])
    })
  )

  it.effect("what was stored before is read as it is, and a replay encrypts it", () =>
    Effect.gen(function* () {
      const plain = yield* BillingStore
      const store = plain.withBodies(cipher({ isAway: false }))
      const paid = orderDelivery(newPurchase(), "paid.purchase", { externalId: nextUser().id })
      yield* apply(plain, paid)
      expect(yield* store.deliveries({ ids: [paid.id] })).toMatchObject([{ body: paid.body, isEncrypted: false }])
      yield* apply(store, paid, { replay: true })
      expect(yield* plain.deliveries({ ids: [paid.id] })).toMatchObject([{ body: null, isEncrypted: true }])
    })
  )

  it.effect("while the cipher fails nothing is stored, and nobody is told half of it", () =>
    Effect.gen(function* () {
      const state = { isAway: true }
      const plain = yield* BillingStore
      const store = plain.withBodies(cipher(state))
      const purchase = newPurchase()
      const paid = orderDelivery(purchase, "paid.purchase", { externalId: nextUser().id })
      const refused = yield* Effect.flip(apply(store, paid))
      expect(refused).toMatchObject({ operation: "encryptBody", reason: "unavailable" })
      expect(yield* store.deliveries({ ids: [paid.id] })).toEqual([])
      state.isAway = false
      yield* apply(store, paid)
      state.isAway = true
      expect(yield* toldOf(store, paid)).toEqual([])
      expect(yield* store.deliveries({ ids: [paid.id] })).toMatchObject([{ body: null, isEncrypted: true }])
      state.isAway = false
      yield* TestClock.adjust(Duration.sum(lease, "1 second"))
      expect(yield* toldOf(store, paid)).toMatchObject([{ id: purchase.orderId, status: "paid" }])
    })
  )

  it.effect("a body that is not kept leaves what it says", () =>
    Effect.gen(function* () {
      const store = (yield* BillingStore).withBodies(noBodies)
      const user = nextUser().id
      const purchase = newPurchase()
      const paid = orderDelivery(purchase, "paid.purchase", { externalId: user })
      expect(yield* apply(store, paid)).toMatchObject([{ state: "applied" }])
      expect(yield* store.deliveries({ ids: [paid.id] })).toMatchObject([{ body: null, isEncrypted: false }])
      expect(yield* store.recordsOf(orderKind, user)).toMatchObject([{ id: purchase.orderId, status: "paid" }])
      expect(yield* toldOf(store, paid)).toEqual([{ id: purchase.orderId }])
    })
  )
}
