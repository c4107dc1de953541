import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { CheckoutId, ProductId } from "../../records/Subscription.ts"
import { subscriptionKind } from "../../records/subscriptionKind.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import type { Snapshot } from "../../rules/reconciliation.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import {
  allNotifications,
  applyEach,
  applyOne,
  type ContractSuite,
  customerOf,
  expectProjection,
  nothingShown,
  notificationsOf,
  recorded,
  strangerId,
  subscriptionsOf
} from "../ContractSuite.ts"
import { newScene, reportIn, subscriptionDelivery, subscriptionSnapshot, valueIn } from "../polarDeliveries.ts"

const look = (snapshots: ReadonlyArray<Snapshot>, dryRun: boolean) =>
  Effect.flatMap(BillingStore, (store) => store.applySnapshots(snapshots, defaultPolicy, { dryRun }))

const repair = (...snapshots: ReadonlyArray<Snapshot>) => look(snapshots, false)

/** State that was read from Polar's API. */
export const snapshots = (suite: ContractSuite): void => {
  const { it, nextUser } = suite

  it.effect("what no delivery brought is stored, linked, shown and told", () =>
    Effect.gen(function* () {
      const { id: userId } = nextUser()
      const scene = newScene()
      const snapshot = subscriptionSnapshot(scene, "active", { changedAt: 5, externalId: userId })
      expect(yield* repair(snapshot)).toEqual([
        {
          kind: "subscription",
          id: scene.subscriptionId,
          userId,
          finding: "missing",
          fields: [],
          linked: false,
          notified: true
        }
      ])
      expect(yield* subscriptionsOf(userId)).toEqual([valueIn(subscriptionKind, snapshot.report)])
      expect(yield* customerOf(userId)).toBe(scene.customerId)
      yield* expectProjection(suite, userId, { subscriptionId: scene.subscriptionId, status: "active" })
      expect(yield* notificationsOf(userId)).toHaveLength(1)
      // And once more, which finds nothing and writes nothing.
      expect(yield* repair(snapshot)).toMatchObject([{ finding: null, fields: [], notified: false }])
      expect(yield* notificationsOf(userId)).toEqual([])
    })
  )

  it.effect("a dry run finds the same, and leaves no trace", () =>
    Effect.gen(function* () {
      const { id: userId } = nextUser()
      const scene = newScene()
      const snapshot = subscriptionSnapshot(scene, "active", { changedAt: 5, externalId: userId })
      expect(yield* look([snapshot], true)).toMatchObject([{ finding: "missing", userId, notified: true }])
      expect(yield* subscriptionsOf(userId)).toEqual([])
      expect(yield* customerOf(userId)).toBeNull()
      expect(yield* notificationsOf(userId)).toEqual([])
    })
  )

  it.effect("an end that was missed is made good, and what is read late never brings it back", () =>
    Effect.gen(function* () {
      const { id: userId } = nextUser()
      const scene = newScene()
      yield* applyOne(subscriptionDelivery(scene, "active", { externalId: userId, at: 1 }))
      yield* allNotifications
      const ended = subscriptionSnapshot(scene, "revoked", { changedAt: 10, externalId: userId })
      expect(yield* repair(ended)).toMatchObject([
        { finding: "outdated", fields: expect.arrayContaining(["status", "live"]), notified: true }
      ])
      expect(yield* subscriptionsOf(userId, "live")).toEqual([])
      yield* expectProjection(suite, userId, { ...nothingShown, status: "canceled" })
      expect((yield* notificationsOf(userId)).map(({ subscription }) => subscription.status)).toEqual(["canceled"])

      const late = subscriptionDelivery(scene, "updated", { externalId: userId, at: 9.999999 })
      expect((yield* applyOne(late)).state).toBe("stale")
      const own = subscriptionDelivery(scene, "revoked", { externalId: userId, at: 10.02 })
      expect(yield* applyOne(own)).toMatchObject({ state: "applied", notified: false })
      expect(yield* subscriptionsOf(userId, "live")).toEqual([])
    })
  )

  it.effect("an event that is newer than what was read wins, whichever comes first", () =>
    Effect.gen(function* () {
      for (const eventFirst of [true, false]) {
        const { id: userId } = nextUser()
        const scene = newScene()
        yield* applyOne(subscriptionDelivery(scene, "active", { externalId: userId, at: 1 }))
        // Read a moment before Polar committed the end: it cannot know of it.
        const read = subscriptionSnapshot(scene, "active", { changedAt: 0.9, fetchedAt: 20.01, externalId: userId })
        const end = subscriptionDelivery(scene, "revoked", { externalId: userId, at: 20 })
        if (eventFirst) yield* applyOne(end)
        expect(yield* repair(read)).toMatchObject([{ finding: null, notified: false }])
        if (!eventFirst) expect((yield* applyOne(end)).state).toBe("applied")
        expect(yield* subscriptionsOf(userId, "live")).toEqual([])
      }
    })
  )

  it.effect("what the store should long have known, and has otherwise, is set right and told in order", () =>
    Effect.gen(function* () {
      const { id: userId } = nextUser()
      const scene = newScene()
      yield* applyOne(subscriptionDelivery(scene, "revoked", { externalId: userId, at: 10 }))
      // Changed before the event, so that only the time between can tell.
      const just = subscriptionSnapshot(scene, "active", { changedAt: 5, fetchedAt: 10 + 600, externalId: userId })
      expect(yield* repair(just)).toMatchObject([{ finding: null }])
      const long = subscriptionSnapshot(scene, "active", { changedAt: 5, fetchedAt: 10 + 601, externalId: userId })
      expect(yield* repair(long)).toMatchObject([{ finding: "different", notified: true }])
      expect(yield* repair(long)).toMatchObject([{ finding: null, notified: false }])
      expect(yield* subscriptionsOf(userId, "live")).toHaveLength(1)
      expect((yield* notificationsOf(userId)).map(({ subscription }) => subscription.status)).toEqual([
        "canceled",
        "active"
      ])
      // Events after the moment that the snapshot is certain to know are newer than it.
      const after = subscriptionDelivery(scene, "past_due", { externalId: userId, at: 11.5 })
      expect((yield* applyOne(after)).state).toBe("applied")
    })
  )

  it.effect("details that nobody is told of are stored too", () =>
    Effect.gen(function* () {
      const { id: userId } = nextUser()
      const scene = newScene()
      yield* applyOne(subscriptionDelivery(scene, "active", { externalId: userId, at: 1 }))
      yield* allNotifications
      const cheaper = subscriptionSnapshot(scene, "active", { changedAt: 4, externalId: userId, patch: { amount: 1 } })
      expect(yield* repair(cheaper)).toMatchObject([{ finding: "outdated", fields: [], notified: false }])
      expect(yield* subscriptionsOf(userId)).toMatchObject([{ amount: 1 }])
      expect(yield* notificationsOf(userId)).toEqual([])
    })
  )

  it.effect("many at once, of which some are known: one outcome each, in order", () =>
    Effect.gen(function* () {
      const { id: userId } = nextUser()
      const known = newScene()
      yield* applyOne(subscriptionDelivery(known, "active", { externalId: userId, at: 1 }))
      const fresh = newScene({ customerId: known.customerId })
      const nobodys = newScene()
      const outcomes = yield* repair(
        subscriptionSnapshot(known, "active", { changedAt: 0.5, externalId: userId }),
        subscriptionSnapshot(fresh, "active", { changedAt: null, externalId: userId }),
        subscriptionSnapshot(nobodys, "active", { changedAt: 3 })
      )
      expect(outcomes.map(({ finding, userId: of }) => [finding, of])).toEqual([
        [null, userId],
        ["missing", userId],
        ["missing", null]
      ])
    })
  )

  it.effect("what belongs to nobody is listed, and found by its user when there is one", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const row = nextUser()
      const guest = strangerId()
      const scenes = [newScene(), newScene(), newScene()]
      const users = [row.id, guest, null]
      const waiting = scenes.map((scene, index) => {
        const userId = users[index]
        return subscriptionDelivery(scene, "active", userId == null ? {} : { metadataUserId: userId })
      })
      // The first has a row in the app's table, and so found them at once.
      expect((yield* applyEach(waiting)).map(({ state }) => state)).toEqual(["applied", "unlinked", "unlinked"])
      const ids = scenes.map(({ subscriptionId }) => subscriptionId)
      const found: Array<string> = []
      let after: string | undefined
      for (;;) {
        const page = yield* store.recordPage({ kind: "subscription", which: "unlinked", after, limit: 7 })
        found.push(...page.map(({ id }) => id))
        after = page.at(-1)?.id
        if (after === undefined) break
      }
      expect(found.filter((id) => ids.includes(id)).sort()).toEqual(ids.slice(1).sort())
      expect([...found].sort()).toEqual(found)

      const reports = waiting.map(reportIn)
      expect(yield* store.linkUnlinked(reports, defaultPolicy)).toBe(0)
      yield* allNotifications
      yield* store.recordCheckout(
        {
          id: CheckoutId.make(randomUUID()),
          userId: guest,
          productId: ProductId.make("product")
        },
        defaultPolicy
      )
      expect(yield* store.linkUnlinked(reports, defaultPolicy)).toBe(1)
      expect(yield* store.linkUnlinked(reports, defaultPolicy)).toBe(0)
      expect(yield* subscriptionsOf(guest)).toMatchObject([{ id: ids[1] }])
      expect((yield* recorded(waiting.map(({ id }) => id))).map(({ state }) => state).sort()).toEqual([
        "applied",
        "applied",
        "unlinked"
      ])
      expect(yield* notificationsOf(guest)).toHaveLength(1)
    })
  )

  it.effect("live ones are listed whosever they are, page by page", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const scenes = [newScene(), newScene(), newScene()]
      const [linked = expect.fail(), unlinked = expect.fail(), over = expect.fail()] = scenes
      yield* applyOne(subscriptionDelivery(linked, "active", { externalId: strangerId() }))
      yield* applyOne(subscriptionDelivery(unlinked, "past_due"))
      yield* applyOne(subscriptionDelivery(over, "revoked", { externalId: strangerId() }))
      for (const scene of scenes) {
        // The id before it, so that a page of one is about nothing else.
        const after = scene.subscriptionId.slice(0, -1)
        const [next] = yield* store.recordPage({ kind: "subscription", which: "live", after, limit: 1 })
        expect(next?.id === scene.subscriptionId).toBe(scene !== over)
      }
    })
  )
}
