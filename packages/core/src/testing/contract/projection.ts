import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import {
  apply,
  applyEach,
  applyOne,
  type ContractSuite,
  nothingShown,
  subscriptionsOf,
  trusting
} from "../ContractSuite.ts"
import { customerDelivery, newScene, type Scene, subscriptionDelivery } from "../polarDeliveries.ts"
import { StoreDatabase } from "../StoreDatabase.ts"

/** What plain SQL readers see in `kavach_users`. */
export const projection = ({ hasDatabase, it, nextUser }: ContractSuite): void => {
  const onDatabase = it.effect.runIf(hasDatabase)

  onDatabase("shows the current one of several subscriptions, and only that", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const database = yield* StoreDatabase
      const { customerId } = newScene()
      const [soon, late] = [newScene({ customerId }), newScene({ customerId })]
      const ends = (at: string) => ({ patch: { current_period_end: at }, fixture: "subscription.created", externalId })
      yield* applyEach([
        subscriptionDelivery(late, "updated", { ...ends("2027-12-01T00:00:00.999Z"), at: 1 }),
        subscriptionDelivery(soon, "updated", { ...ends("2027-01-01T00:00:00Z"), at: 2 })
      ])
      expect(yield* database.projection(externalId)).toEqual({
        customerId,
        subscriptionId: late.subscriptionId,
        productId: late.productId,
        status: "active",
        currentPeriodEnd: Date.parse("2027-12-01T00:00:00.000Z"),
        cancelAtPeriodEnd: false
      })

      yield* applyOne(subscriptionDelivery(late, "past_due", { externalId, at: 3 }))
      expect(yield* database.projection(externalId)).toMatchObject({
        subscriptionId: soon.subscriptionId,
        productId: soon.productId,
        status: "active"
      })
    })
  )

  onDatabase("shows only subscriptions to products that the policy counts, where it names some", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const database = yield* StoreDatabase
      const store = yield* BillingStore
      const { customerId } = newScene()
      const [sold, other] = [
        newScene({ customerId, productId: randomUUID() }),
        newScene({ customerId, productId: randomUUID() })
      ]
      const policy = { ...defaultPolicy, products: new Set([sold.productId]) }
      const receive = (...args: Parameters<typeof subscriptionDelivery>) =>
        store.applyDeliveries([subscriptionDelivery(...args)], policy, trusting)
      const live = { patch: { current_period_end: "2999-01-01T00:00:00Z" }, externalId }

      yield* receive(other, "created", { ...live, at: 1 })
      expect(yield* database.projection(externalId)).toEqual({ ...nothingShown, customerId, status: null })
      yield* receive(sold, "created", { ...live, at: 2 })
      const shown = yield* database.projection(externalId)
      expect(shown).toMatchObject({ subscriptionId: sold.subscriptionId, status: "active" })
      yield* receive(other, "revoked", { externalId, at: 3 })
      expect(yield* database.projection(externalId)).toEqual(shown)
      yield* receive(sold, "revoked", { externalId, at: 4 })
      expect(yield* database.projection(externalId)).toEqual({ ...nothingShown, customerId, status: "canceled" })
      // All of them are kept.
      expect(yield* subscriptionsOf(externalId)).toHaveLength(2)
    })
  )

  onDatabase("revoking an old subscription never touches the other", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const database = yield* StoreDatabase
      const { customerId } = newScene()
      const [old, current] = [newScene({ customerId }), newScene({ customerId })]
      yield* applyEach([
        subscriptionDelivery(old, "created", { externalId, at: 1 }),
        subscriptionDelivery(current, "cycled", { externalId, at: 2 })
      ])
      const before = yield* database.projection(externalId)
      expect(before).toMatchObject({ subscriptionId: current.subscriptionId, status: "active" })
      yield* applyEach([
        subscriptionDelivery(old, "revoked", { externalId, at: 3 }),
        subscriptionDelivery(old, "updated", { externalId, at: 2.5 })
      ])
      expect(yield* database.projection(externalId)).toEqual(before)
      expect(yield* subscriptionsOf(externalId, "live")).toHaveLength(1)
      expect(yield* subscriptionsOf(externalId)).toHaveLength(2)
    })
  )

  onDatabase("takes subscriptions of other customers into account, however the event leads to the user", () =>
    Effect.gen(function* () {
      const { id: userId } = nextUser()
      const database = yield* StoreDatabase
      const [current, linked, named] = [newScene(), newScene(), newScene()]
      const until = (year: number) => ({ current_period_end: `${year}-01-01T00:00:00Z` })
      yield* applyEach([
        subscriptionDelivery(current, "created", { externalId: userId, patch: until(2030), at: 1 }),
        subscriptionDelivery(linked, "created", { externalId: userId, patch: until(2028), at: 2 }),
        subscriptionDelivery(named, "created", { metadataUserId: userId, patch: until(2029), at: 3 })
      ])
      const shows = (scene: Scene) =>
        Effect.map(database.projection(userId), (row) =>
          expect(row).toMatchObject({ subscriptionId: scene.subscriptionId, productId: scene.productId })
        )
      yield* shows(current)
      // These events say nothing of the user: the first is theirs by the link, the second by what is stored.
      yield* applyOne(subscriptionDelivery(linked, "created", { patch: until(2027), at: 4 }))
      yield* shows(current)
      yield* applyOne(subscriptionDelivery(named, "created", { patch: until(2026), at: 5 }))
      yield* shows(current)
      expect(yield* database.projection(userId)).toMatchObject({ customerId: current.customerId })
      yield* applyOne(subscriptionDelivery(linked, "created", { patch: until(2031), at: 5.1 }))
      yield* shows(linked)
      yield* applyOne(subscriptionDelivery(linked, "created", { patch: until(2027), at: 5.2 }))
      yield* shows(current)
      yield* applyOne(subscriptionDelivery(named, "created", { patch: until(2031), at: 5.3 }))
      yield* shows(named)
      yield* applyOne(subscriptionDelivery(named, "created", { patch: until(2026), at: 5.4 }))
      yield* shows(current)
      // And one of a customer that is linked, and of whom nothing else is known.
      const fresh = newScene()
      yield* applyOne(customerDelivery(fresh, "created", { externalId: userId, at: 5.5 }))
      yield* applyOne(subscriptionDelivery(fresh, "created", { patch: until(2033), at: 5.6 }))
      yield* shows(fresh)
      yield* applyOne(subscriptionDelivery(fresh, "revoked", { at: 5.7 }))
      yield* shows(current)
      yield* applyOne(subscriptionDelivery(current, "revoked", { at: 6 }))
      yield* shows(linked)
      // A new subscription of a linked customer, too.
      const { customerId } = linked
      yield* applyOne(subscriptionDelivery(newScene({ customerId }), "created", { patch: until(2025), at: 7 }))
      yield* shows(linked)
    })
  )

  onDatabase("is cleared when the last subscription is revoked, and the subscription stays in the store", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const database = yield* StoreDatabase
      const scene = newScene()
      yield* applyEach([
        subscriptionDelivery(scene, "canceled", { externalId, at: 1 }),
        subscriptionDelivery(scene, "revoked", { externalId, at: 2 })
      ])
      expect(yield* database.projection(externalId)).toEqual({
        ...nothingShown,
        status: "canceled",
        customerId: scene.customerId
      })
      expect((yield* subscriptionsOf(externalId)).map(({ id, productId }) => [id, productId])).toEqual([
        [scene.subscriptionId, scene.productId]
      ])
    })
  )

  onDatabase("a period without an end is NULL and not 1970", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const database = yield* StoreDatabase
      const patch = { current_period_end: null }
      yield* applyOne(subscriptionDelivery(newScene(), "created", { externalId, patch }))
      expect(yield* database.projection(externalId)).toMatchObject({ status: "active", currentPeriodEnd: null })
    })
  )

  onDatabase("a customer that another row shows already is left out, and the step goes through", () =>
    Effect.gen(function* () {
      const [holder, user] = [nextUser(), nextUser()]
      const database = yield* StoreDatabase
      const scene = newScene()
      yield* database.showCustomer(holder.id, scene.customerId)
      const deliveries = [
        subscriptionDelivery(scene, "created", { externalId: user.id, at: 1 }),
        subscriptionDelivery(scene, "canceled", { externalId: user.id, at: 2 })
      ]
      const outcomes = yield* applyEach(deliveries)
      expect(outcomes.map(({ state, userId }) => [state, userId])).toEqual(deliveries.map(() => ["applied", user.id]))
      expect(yield* database.projection(user.id)).toMatchObject({
        customerId: null,
        subscriptionId: scene.subscriptionId,
        cancelAtPeriodEnd: true
      })
      expect(yield* database.projection(holder.id)).toMatchObject({
        customerId: scene.customerId,
        subscriptionId: null
      })
    })
  )

  onDatabase("a customer that the user's own row shows already is no obstacle", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const database = yield* StoreDatabase
      const scene = newScene()
      yield* database.showCustomer(user.id, scene.customerId)
      yield* applyOne(subscriptionDelivery(scene, "created", { externalId: user.id }))
      expect(yield* database.projection(user.id)).toMatchObject({
        customerId: scene.customerId,
        subscriptionId: scene.subscriptionId
      })
    })
  )

  const gone = { deleted_at: "2026-12-01T10:00:00Z" }

  onDatabase("a customer whom Polar has deleted is shown no longer, and not again by what comes later", () =>
    Effect.gen(function* () {
      const [user, neighbour] = [nextUser(), nextUser()]
      const database = yield* StoreDatabase
      const [scene, others] = [newScene(), newScene()]
      yield* applyEach([
        subscriptionDelivery(scene, "active", { externalId: user.id, at: 1 }),
        subscriptionDelivery(others, "active", { externalId: neighbour.id, at: 1 })
      ])
      expect(yield* database.projection(user.id)).toMatchObject({ customerId: scene.customerId, status: "active" })
      yield* applyOne(customerDelivery(scene, "deleted", { at: 2, patch: gone }))
      const after = { ...shown(scene), customerId: null, status: "active" }
      expect(yield* database.projection(user.id)).toMatchObject(after)
      expect(yield* database.projection(neighbour.id)).toMatchObject({ customerId: others.customerId })

      // It ended with the customer; the event of that is late, and so is one from before.
      const subscription = (type: string, at: number) =>
        applyOne(subscriptionDelivery(scene, type, { externalId: user.id, at }))
      yield* subscription("past_due", 1.5)
      expect(yield* database.projection(user.id)).toMatchObject({ customerId: null })
      yield* subscription("revoked", 3)
      expect(yield* database.projection(user.id)).toEqual({ ...nothingShown, customerId: null, status: "canceled" })

      // Whom they are at Polar now.
      const anew = newScene()
      yield* applyOne(subscriptionDelivery(anew, "active", { externalId: user.id, at: 4 }))
      expect(yield* database.projection(user.id)).toMatchObject({ ...shown(anew), status: "active" })
    })
  )

  onDatabase("a customer who is deleted in the same step, or before anything else is known of them, is not shown", () =>
    Effect.gen(function* () {
      const database = yield* StoreDatabase
      for (const isFirst of [true, false]) {
        const [together, late] = [nextUser(), nextUser()]
        const [scene, other] = [newScene(), newScene()]
        const active = subscriptionDelivery(scene, "active", { externalId: together.id, at: 1 })
        const deleted = customerDelivery(scene, "deleted", { externalId: together.id, at: 2, patch: gone })
        yield* isFirst ? apply(deleted, active) : apply(active, deleted)
        expect(yield* database.projection(together.id)).toMatchObject({ ...shown(scene), customerId: null })
        yield* applyEach([
          customerDelivery(other, "deleted", { at: 2, patch: gone }),
          subscriptionDelivery(other, "active", { externalId: late.id, at: 1 })
        ])
        expect(yield* database.projection(late.id)).toMatchObject({ ...shown(other), customerId: null })
      }
    })
  )

  onDatabase("a deleted customer that another's row shows is not this step's to take away", () =>
    Effect.gen(function* () {
      const [holder, user] = [nextUser(), nextUser()]
      const database = yield* StoreDatabase
      const scene = newScene()
      yield* applyOne(subscriptionDelivery(newScene(), "active", { externalId: holder.id, at: 1 }))
      yield* database.showCustomer(holder.id, scene.customerId)
      const before = yield* database.projection(holder.id)
      yield* applyEach([
        subscriptionDelivery(scene, "active", { externalId: user.id, at: 1 }),
        customerDelivery(scene, "deleted", { externalId: user.id, at: 2, patch: gone })
      ])
      expect(yield* database.projection(holder.id)).toEqual(before)
    })
  )

  onDatabase("two users, two customers, one step: each row shows its own", () =>
    Effect.gen(function* () {
      const database = yield* StoreDatabase
      const [ada, bo] = [nextUser(), nextUser()]
      const [ofAda, ofBo] = [newScene(), newScene()]
      yield* apply(
        subscriptionDelivery(ofAda, "created", { externalId: ada.id }),
        subscriptionDelivery(ofBo, "canceled", { externalId: bo.id })
      )
      expect(yield* database.projection(ada.id)).toMatchObject({ ...shown(ofAda), cancelAtPeriodEnd: false })
      expect(yield* database.projection(bo.id)).toMatchObject({ ...shown(ofBo), cancelAtPeriodEnd: true })
    })
  )
}

const shown = ({ customerId, productId, subscriptionId }: Scene) => ({
  customerId,
  productId,
  subscriptionId
})
