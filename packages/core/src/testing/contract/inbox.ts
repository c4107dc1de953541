import { expect } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { BillingStore } from "../../store/BillingStore.ts"
import {
  allNotifications,
  applyEach,
  applyOne,
  type ContractSuite,
  recorded,
  strangerId,
  trusting
} from "../ContractSuite.ts"
import {
  customerDelivery,
  epoch,
  newScene,
  subscriptionDelivery,
  unknownDelivery,
  unknownType,
  unreadableDelivery
} from "../polarDeliveries.ts"

/** Reading and pruning the deliveries. */
export const inbox = ({ it, nextUser }: ContractSuite): void => {
  it.effect("a delivery is kept as it came", () =>
    Effect.gen(function* () {
      const externalId = strangerId()
      const scene = newScene()
      const created = subscriptionDelivery(scene, "created", { externalId, receivedAt: epoch + 123 })
      yield* applyOne(created, trusting)
      expect(yield* recorded([created.id])).toEqual([
        {
          id: created.id,
          type: "subscription.created",
          state: "applied",
          eventAt: created.content.at,
          receivedAt: new Date(epoch + 123),
          customerId: scene.customerId,
          recordKind: "subscription",
          recordId: scene.subscriptionId,
          userId: externalId,
          attempts: 1,
          lastError: null,
          body: created.body,
          isEncrypted: false
        }
      ])
    })
  )

  it.effect("filters by id, state, type and time, and combines them", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const externalId = strangerId()
      const scene = newScene()
      const at = (seconds: number) => ({ receivedAt: epoch + seconds * 1000 })
      const applied = subscriptionDelivery(scene, "created", { externalId, ...at(1), at: 5 })
      const stale = subscriptionDelivery(scene, "updated", { externalId, ...at(2), at: 1 })
      const ignored = unknownDelivery(at(3))
      const unlinked = customerDelivery(newScene(), "created", at(4))
      const failed = unreadableDelivery(at(5))
      const all = [applied, stale, ignored, unlinked, failed]
      yield* applyEach(all, trusting)
      const ids = all.map(({ id }) => id)
      const found = (query: Parameters<typeof store.deliveries>[0]) =>
        Effect.map(store.deliveries({ ids, ...query }), (rows) => rows.map(({ id }) => id))

      expect(yield* found({})).toEqual([...ids].reverse())
      expect(yield* found({ states: ["failed"] })).toEqual([failed.id])
      expect(yield* found({ states: ["stale", "unlinked"] })).toEqual([unlinked.id, stale.id])
      expect(yield* found({ states: [] })).toEqual([])
      expect(yield* found({ types: [unknownType, "customer.created"] })).toEqual([unlinked.id, ignored.id])
      expect(yield* found({ types: ["subscription.updated"], states: ["stale"] })).toEqual([stale.id])
      expect(yield* found({ receivedAfter: new Date(epoch + 4000) })).toEqual([failed.id, unlinked.id])
      expect(yield* found({ receivedBefore: new Date(epoch + 2000) })).toEqual([applied.id])
      expect(yield* found({ receivedAfter: new Date(epoch + 2000), receivedBefore: new Date(epoch + 4000) })).toEqual([
        ignored.id,
        stale.id
      ])
      expect(yield* found({ limit: 2 })).toEqual([failed.id, unlinked.id])
      expect(yield* store.countDeliveries({ ids, limit: 1 })).toBe((yield* store.deliveries({ ids })).length)
      expect(yield* store.deliveries({ ids: [] })).toEqual([])
      expect(yield* store.deliveries({ ids: ["nobody-sent-this"] })).toEqual([])
    })
  )

  it.effect("the newest received come first, and equals by id", () =>
    Effect.gen(function* () {
      const deliveries = [3, 1, 2, 2, 2].map((second) => unknownDelivery({ receivedAt: epoch + second * 1000 }))
      yield* applyEach(deliveries, trusting)
      const expected = [...deliveries].sort((a, b) => b.receivedAt - a.receivedAt || (a.id > b.id ? -1 : 1))
      const rows = yield* recorded(deliveries.map(({ id }) => id))
      expect(rows.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
    })
  )

  it.effect("prunes old bodies in steps, the oldest first, and still knows the deliveries", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      // Long before anything else that the suite receives.
      const longAgo = Date.parse("1990-01-01T00:00:00Z")
      const deliveries = [0, 1, 2, 3, 4].map((second) => unknownDelivery({ receivedAt: longAgo + second * 1000 }))
      yield* applyEach([...deliveries].reverse(), trusting)
      const ids = deliveries.map(({ id }) => id)
      const before = new Date(longAgo + 4000)
      const left = () =>
        Effect.map(recorded(ids), (rows) => ids.filter((id) => rows.some((row) => row.id === id && row.body !== null)))

      expect(yield* store.pruneDeliveryBodies(before, 3)).toBe(3)
      expect(yield* left()).toEqual(ids.slice(3))
      expect(yield* store.pruneDeliveryBodies(before, 3)).toBe(1)
      expect(yield* left()).toEqual(ids.slice(4))
      expect(yield* store.pruneDeliveryBodies(before, 3)).toBe(0)
      expect(yield* recorded(ids)).toHaveLength(5)
      const [again] = yield* applyEach(deliveries, trusting)
      expect(again).toMatchObject({ state: "ignored", duplicate: true })
      expect(yield* left()).toEqual(ids.slice(4))
    })
  )

  it.effect("is read page by page, the oldest received first, each once", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const externalId = strangerId()
      const scene = newScene()
      // Three at the same moment: these go by their ids, the other way round than the newest first.
      const all = [0, 1, 1, 1, 2, 3].map((second, index) =>
        subscriptionDelivery(scene, "updated", { externalId, receivedAt: epoch + second * 1000, at: index })
      )
      yield* applyEach(all, trusting)
      const ids = all.map(({ id }) => id)
      const expected = [...all]
        .sort((a, b) => a.receivedAt - b.receivedAt || (a.id < b.id ? -1 : 1))
        .map(({ id }) => id)
      const read: Array<string> = []
      let after: { readonly receivedAt: Date; readonly id: string } | undefined
      for (;;) {
        const page = yield* store.deliveries({ ids, order: "oldest", after, limit: 2 })
        if (page.length === 0) break
        read.push(...page.map(({ id }) => id))
        after = page.at(-1)
      }
      expect(read).toEqual(expected)
      expect((yield* store.deliveries({ ids, order: "newest" })).map(({ id }) => id)[0]).toBe(expected.at(-1))
    })
  )

  it.effect("the newest are read page by page too, and of one user", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const user = nextUser()
      const scene = newScene()
      const receivedAt = Date.UTC(2031, 5, 1) + Math.floor(Math.random() * 1e9)
      for (const [place, type] of ["created", "canceled", "uncanceled", "updated"].entries()) {
        // Two of them at one time.
        yield* applyOne(
          subscriptionDelivery(scene, type, {
            at: place,
            externalId: user.id,
            receivedAt: receivedAt + Math.min(place, 2)
          }),
          trusting
        )
      }
      const all = yield* store.deliveries({ userId: user.id })
      expect(all).toHaveLength(4)
      const first = yield* store.deliveries({ userId: user.id, limit: 3 })
      const second = yield* store.deliveries({ userId: user.id, limit: 3, after: first.at(-1) })
      expect([...first, ...second]).toEqual(all)
      expect(all.map((one) => one.receivedAt.getTime())).toEqual(
        all.map((one) => one.receivedAt.getTime()).sort((a, b) => b - a)
      )
      expect(yield* store.deliveries({ userId: nextUser().id })).toEqual([])
    })
  )

  it.effect("hour by hour: what was received, by what became of it", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const hour = 3_600_000
      const from = Date.UTC(2032, 0, 1) + Math.floor(Math.random() * 40_000) * hour
      const received = (receivedAt: number) => applyOne(subscriptionDelivery(newScene(), "created", { receivedAt }))
      yield* received(from)
      yield* received(from + hour - 1)
      yield* received(from + 2 * hour)
      yield* received(from - 1)
      yield* received(from + 3 * hour)
      const { deliveries } = yield* store.perHour({ from: new Date(from), count: 3 })
      expect(deliveries).toEqual([
        { hour: 0, state: "unlinked", count: 2 },
        { hour: 2, state: "unlinked", count: 1 }
      ])
    })
  )

  it.effect("and what was told, or given up", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      yield* allNotifications
      const now = yield* Clock.currentTimeMillis
      // Another machine's clock may be a little off.
      const hours = { from: new Date(now - 3_600_000), count: 2 }
      const counted = Effect.map(store.perHour(hours), ({ notifications }) => {
        const of = (state: string) =>
          notifications.filter((one) => one.state === state).reduce((sum, { count }) => sum + count, 0)
        return { done: of("done"), dead: of("dead") }
      })
      const before = yield* counted
      const told = () => applyOne(subscriptionDelivery(newScene(), "created", { externalId: nextUser().id }), trusting)
      yield* told()
      yield* told()
      yield* allNotifications
      yield* told()
      const { claimed } = yield* store.claimNotifications({ owner: "a", limit: 100, lease: Duration.minutes(1) })
      for (const { id } of claimed) yield* store.giveUpNotification(id, "a", "no")
      expect(yield* counted).toEqual({ done: before.done + 2, dead: before.dead + claimed.length })
      expect(claimed.length).toBeGreaterThan(0)
      yield* store.retryDeadNotifications({})
      yield* allNotifications
    })
  )
}
