import { expect } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type { Delivery } from "../../records/Delivery.ts"
import * as DeliveryContent from "../../records/deliveryContent.ts"
import { CustomerId } from "../../records/Subscription.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import {
  allNotifications,
  applyEach,
  applyOne,
  type ContractSuite,
  notificationsOf,
  recorded,
  strangerId,
  subscriptionsOf
} from "../ContractSuite.ts"
import {
  asReceived,
  newScene,
  subscriptionDelivery,
  unknownDelivery,
  unreadableDelivery,
  withoutType
} from "../polarDeliveries.ts"

const replayOf = (...deliveries: readonly [Delivery, ...ReadonlyArray<Delivery>]) =>
  Effect.flatMap(BillingStore, (store) => store.applyDeliveries(deliveries, defaultPolicy, { replay: true }))

/** Deliveries that were dealt with, and run again. */
export const replay = ({ it, nextUser }: ContractSuite): void => {
  it.effect("of a whole history, in any order, changes nothing and tells nothing", () =>
    Effect.gen(function* () {
      const { id: userId } = nextUser()
      const scene = newScene()
      const types = ["created", "active", "updated", "canceled", "uncanceled", "past_due", "active", "revoked"]
      const history = types.map((type, at) => subscriptionDelivery(scene, type, { externalId: userId, at }))
      yield* applyEach(history)
      yield* allNotifications
      const ids = history.map(({ id }) => id)
      const before = [yield* subscriptionsOf(userId), states(yield* recorded(ids))]
      for (const order of [history, [...history].reverse()]) {
        const [first = expect.fail(), ...rest] = order
        const outcomes = yield* replayOf(first, ...rest)
        expect(outcomes.map(({ duplicate, notified, state }) => ({ duplicate, notified, state }))).toEqual(
          order.map(() => ({ duplicate: false, notified: false, state: "applied" }))
        )
        expect([yield* subscriptionsOf(userId), states(yield* recorded(ids))]).toEqual(before)
      }
      expect(yield* notificationsOf(userId)).toEqual([])
      expect((yield* recorded(ids)).map(({ attempts }) => attempts)).toEqual(ids.map(() => 3))
    })
  )

  it.effect("of what was ignored or not readable applies it, if it can be read now", () =>
    Effect.gen(function* () {
      const { id: userId } = nextUser()
      const scene = newScene()
      const known = subscriptionDelivery(scene, "created", { externalId: userId })
      const ignored = unknownDelivery()
      const failed = unreadableDelivery()
      yield* applyEach([ignored, failed])
      // As a later version would read the same two.
      const outcomes = yield* replayOf({ ...ignored, content: known.content }, { ...failed, content: known.content })
      expect(outcomes.map(({ state, userId: of }) => [state, of])).toEqual([
        ["applied", userId],
        ["stale", userId]
      ])
      expect(yield* subscriptionsOf(userId)).toHaveLength(1)
      expect(yield* notificationsOf(userId)).toHaveLength(1)
      const rows = yield* recorded([ignored.id, failed.id])
      expect(Arr.map(rows, ({ lastError }) => lastError)).toEqual([null, null])
    })
  )

  it.effect("of a type that was not known when it came applies what was kept of it, once an upgrade knows it", () =>
    Effect.gen(function* () {
      const { id: userId } = nextUser()
      const scene = newScene()
      const ip = { customer_ip_address: "192.0.2.7", client_secret: "polar_c_Invented" }
      const sent = subscriptionDelivery(scene, "migrated", {
        fixture: "subscription.active",
        externalId: userId,
        patch: ip
      })
      const known = subscriptionDelivery(scene, "created", { externalId: userId, at: -1 })
      const before = withoutType("subscription.migrated")
      const outcomes = yield* applyEach([sent, known].map((delivery) => asReceived(delivery, before)))
      expect(outcomes.map(({ state }) => state)).toEqual(["ignored", "applied"])
      const [row = expect.fail()] = yield* recorded([sent.id])
      expect(row).toMatchObject({ type: "subscription.migrated", customerId: scene.customerId, recordId: null })
      expect(row.body).toContain(scene.subscriptionId)
      expect(row.body).not.toMatch(/192\.0\.2\.7|polar_c_|rue des Lilas/)

      const [outcome] = yield* replayOf({
        id: row.id,
        receivedAt: row.receivedAt.getTime(),
        body: row.body,
        content: DeliveryContent.read(row.body ?? "", undefined)
      })
      expect(outcome).toMatchObject({ state: "applied", userId })
      expect(yield* subscriptionsOf(userId, "live")).toMatchObject([{ id: scene.subscriptionId, status: "active" }])
    })
  )

  it.effect("of what is stale stays stale, and never brings an old state back", () =>
    Effect.gen(function* () {
      const { id: userId } = nextUser()
      const scene = newScene()
      const revoked = subscriptionDelivery(scene, "revoked", { externalId: userId, at: 10 })
      const late = subscriptionDelivery(scene, "active", { externalId: userId, at: 5 })
      yield* applyEach([revoked, late])
      const [outcome] = yield* replayOf(late)
      expect(outcome).toMatchObject({ state: "stale", notified: false })
      expect(yield* subscriptionsOf(userId, "live")).toEqual([])
    })
  )

  it.effect("of an unlinked one finds its user when there is one", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const userId = strangerId()
      const scene = newScene()
      const created = subscriptionDelivery(scene, "created", { metadataUserId: userId })
      expect((yield* applyOne(created)).state).toBe("unlinked")
      expect((yield* replayOf(created))[0]).toMatchObject({ state: "unlinked", notified: false })
      yield* store.linkCustomer(
        { customerId: CustomerId.make(scene.customerId), userId, linkedBy: "host" },
        defaultPolicy
      )
      expect((yield* replayOf(created))[0]).toMatchObject({ state: "applied", userId, notified: false })
      expect(yield* notificationsOf(userId)).toHaveLength(1)
    })
  )
}

const states = (rows: ReadonlyArray<{ readonly id: string; readonly state: string; readonly body: string | null }>) =>
  rows.map(({ body, id, state }) => ({ id, state, body })).sort((a, b) => (a.id < b.id ? -1 : 1))
