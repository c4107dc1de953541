import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import type { Delivery } from "../../records/Delivery.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { applyEach, applyOne, type ContractSuite, notificationsOf } from "../ContractSuite.ts"
import { newScene, subscriptionDelivery } from "../polarDeliveries.ts"

/** The queue of callbacks. Cases leave it empty, so that each sees only what it queued itself. */
export const notifications = ({ it, nextUser }: ContractSuite): void => {
  const lease = Duration.minutes(1)
  const claim = (owner: string, limit = 100) =>
    Effect.flatMap(BillingStore, (store) => store.claimNotifications({ owner, limit, lease }))

  /** A user with a new subscription, and the changes that are queued for them. */
  const queue = (types: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const { id } = nextUser()
      const scene = newScene()
      yield* applyEach(types.map((type, at) => subscriptionDelivery(scene, type, { externalId: id, at })))
      return { userId: id, ...scene }
    })

  /** Whatever other cases left is finished and out of the way. */
  const emptied = <A, E, R>(body: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.flatMap(Effect.sync(nextUser), ({ id }) => notificationsOf(id)),
      () => body,
      () =>
        Effect.gen(function* () {
          yield* TestClock.adjust("1 day")
          yield* notificationsOf(nextUser().id)
        }).pipe(Effect.orDie)
    )

  const told = (claimed: ReadonlyArray<{ readonly subscription: { readonly status: string; readonly id: string } }>) =>
    claimed.map(({ subscription }) => `${subscription.id} ${subscription.status}`)

  it.effect("an empty queue: nothing to take and nothing to wait for", () =>
    emptied(
      Effect.gen(function* () {
        expect(yield* claim("a")).toEqual({ claimed: [], nextDueAt: null })
      })
    )
  )

  it.effect("of one subscription the oldest is taken, and the next only when it is finished", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { subscriptionId } = yield* queue(["created", "past_due", "resumed"])
        const seen: Array<string> = []
        for (let round = 0; round < 3; round++) {
          const { claimed } = yield* claim("a")
          seen.push(...told(claimed))
          expect((yield* claim("a")).claimed).toEqual([])
          for (const { id } of claimed) expect(yield* store.completeNotifications([id], "a")).toEqual([id])
        }
        expect(seen).toEqual(["active", "past_due", "active"].map((status) => `${subscriptionId} ${status}`))
        expect(yield* claim("a")).toEqual({ claimed: [], nextDueAt: null })
      })
    )
  )

  it.effect("different subscriptions do not wait for each other", () =>
    emptied(
      Effect.gen(function* () {
        const a = yield* queue(["created", "past_due"])
        const b = yield* queue(["created", "past_due"])
        const { claimed } = yield* claim("a")
        expect(told(claimed).sort()).toEqual([`${a.subscriptionId} active`, `${b.subscriptionId} active`].sort())
        expect(new Set(claimed.map(({ userId }) => userId))).toEqual(new Set([a.userId, b.userId]))
      })
    )
  )

  it.effect("a lease keeps others away until it ends", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        yield* queue(["created", "past_due"])
        const { claimed } = yield* claim("first")
        const [notification] = claimed
        expect(claimed).toHaveLength(1)
        if (notification === undefined) return
        expect(notification.attempt).toBe(1)
        yield* TestClock.adjust("59 seconds")
        expect((yield* claim("second")).claimed).toEqual([])
        expect(yield* store.completeNotifications([notification.id], "second")).toEqual([])
        expect(yield* store.retryNotification(notification.id, "second", "no", Duration.zero)).toBe(false)
        expect(yield* store.buryNotification(notification.id, "second", "no")).toBe(false)

        yield* TestClock.adjust("1 second")
        const taken = yield* claim("second")
        expect(taken.claimed.map(({ attempt, id }) => [id, attempt])).toEqual([[notification.id, 2]])
        expect(yield* store.completeNotifications([notification.id], "first")).toEqual([])
        expect(yield* store.retryNotification(notification.id, "first", "late", Duration.zero)).toBe(false)
        expect(yield* store.buryNotification(notification.id, "first", "late")).toBe(false)
        expect(yield* store.completeNotifications([notification.id], "second")).toEqual([notification.id])
        expect(yield* store.completeNotifications([notification.id], "second")).toEqual([])
        expect(told((yield* claim("second")).claimed)).toEqual([`${notification.subscription.id} past_due`])
      })
    )
  )

  it.effect("many are completed at once, without those that another one has", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        expect(yield* store.completeNotifications([], "a")).toEqual([])
        for (let count = 0; count < 5; count++) yield* queue(["created"])
        const { claimed } = yield* claim("a")
        expect(claimed).toHaveLength(5)
        const [lost, back, ...held] = claimed.map(({ id }) => id)
        if (lost === undefined || back === undefined) return
        yield* store.retryNotification(lost, "a", "no", Duration.zero)
        expect((yield* claim("b")).claimed.map(({ id }) => id)).toEqual([lost])
        yield* store.retryNotification(back, "a", "no", Duration.hours(1))
        const completed = yield* store.completeNotifications([lost, ...held, back, randomUUID()], "a")
        expect([...completed].sort()).toEqual([...held].sort())
        expect(yield* store.completeNotifications([lost], "b")).toEqual([lost])
        yield* TestClock.adjust("1 hour")
        expect((yield* claim("c")).claimed.map(({ id }) => id)).toEqual([back])
      })
    )
  )

  it.effect("nobody can settle what nobody claimed, or what does not exist", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        yield* queue(["created"])
        expect(yield* store.completeNotifications([randomUUID()], "a")).toEqual([])
        const { claimed } = yield* claim("a")
        const [notification] = claimed
        if (notification === undefined) return expect(claimed).toHaveLength(1)
        yield* store.retryNotification(notification.id, "a", "again", Duration.zero)
        expect(yield* store.completeNotifications([notification.id], "a")).toEqual([])
      })
    )
  )

  it.effect("a retry waits its time, and so do the younger ones of its subscription", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        yield* queue(["created", "past_due"])
        const now = yield* Clock.currentTimeMillis
        const { claimed } = yield* claim("a")
        const [notification] = claimed
        if (notification === undefined) return expect(claimed).toHaveLength(1)
        expect(yield* store.retryNotification(notification.id, "a", "callback threw", Duration.minutes(10))).toBe(true)
        expect(yield* claim("a")).toEqual({ claimed: [], nextDueAt: now + 600_000 })
        yield* TestClock.adjust(Duration.millis(599_999))
        expect(yield* claim("b")).toEqual({ claimed: [], nextDueAt: now + 600_000 })
        yield* TestClock.adjust(Duration.millis(1))
        const again = yield* claim("b")
        expect(again.claimed.map(({ attempt, id }) => [id, attempt])).toEqual([[notification.id, 2]])
      })
    )
  )

  it.effect("a buried one is not taken again, and the next one goes", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { subscriptionId } = yield* queue(["created", "past_due"])
        const { claimed } = yield* claim("a")
        const [notification] = claimed
        if (notification === undefined) return expect(claimed).toHaveLength(1)
        expect(yield* store.buryNotification(notification.id, "a", "given up")).toBe(true)
        expect(told((yield* claim("a")).claimed)).toEqual([`${subscriptionId} past_due`])
      })
    )
  )

  it.effect("the limit takes those that have been due longest", () =>
    emptied(
      Effect.gen(function* () {
        const expected: Array<string> = []
        for (let index = 0; index < 3; index++) {
          expected.push(`${(yield* queue(["created"])).subscriptionId} active`)
          yield* TestClock.adjust("1 second")
        }
        const now = yield* Clock.currentTimeMillis
        const first = yield* claim("a", 2)
        expect(told(first.claimed)).toEqual(expected.slice(0, 2))
        expect(first.nextDueAt).toBe(now)
        const second = yield* claim("a", 2)
        expect(told(second.claimed)).toEqual(expected.slice(2))
      })
    )
  )

  it.effect("nextDueAt: when a lease or a wait ends, whichever is first among those not taken", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        yield* queue(["created"])
        const start = yield* Clock.currentTimeMillis
        const first = yield* claim("a")
        expect(first.claimed).toHaveLength(1)
        expect(first.nextDueAt).toBe(start + 60_000)
        expect(yield* claim("b")).toEqual({ claimed: [], nextDueAt: start + 60_000 })

        yield* queue(["created"])
        const second = yield* claim("b")
        const [notification] = second.claimed
        if (notification === undefined) return expect(second.claimed).toHaveLength(1)
        expect(second.nextDueAt).toBe(start + 60_000)
        yield* store.retryNotification(notification.id, "b", "soon", Duration.seconds(5))
        expect(yield* claim("c")).toEqual({ claimed: [], nextDueAt: start + 5_000 })

        // What is taken now does not count: whoever took it knows when the own lease ends.
        yield* queue(["created"])
        const third = yield* claim("c")
        expect(third.claimed).toHaveLength(1)
        expect(third.nextDueAt).toBe(start + 5_000)
        yield* TestClock.adjust("5 seconds")
        const fourth = yield* claim("d", 1)
        expect(fourth.claimed).toHaveLength(1)
        const [waiting] = fourth.claimed
        if (waiting === undefined) return
        yield* store.retryNotification(waiting.id, "d", "much later", Duration.minutes(10))
        yield* TestClock.adjust("1 minute")
        const fifth = yield* claim("e")
        expect(fifth.claimed).toHaveLength(2)
        expect(fifth.nextDueAt).toBe(start + 5_000 + 600_000)
      })
    )
  )

  it.effect("ten claimers at once never take the same one", () =>
    emptied(
      Effect.gen(function* () {
        for (let index = 0; index < 20; index++) yield* queue(["created"])
        const claims = Array.from({ length: 10 }, (_, index) => claim(`claimer-${index}`, 5))
        const results = yield* Effect.all(claims, { concurrency: "unbounded" })
        const ids = results.flatMap(({ claimed }) => claimed.map(({ id }) => id))
        expect(ids).toHaveLength(20)
        expect(new Set(ids).size).toBe(20)
      })
    )
  )

  /** A step that claims what it may of what it queues. */
  const receive = (deliveries: Arr.NonEmptyReadonlyArray<Delivery>, owner: string, limit = 100) =>
    Effect.flatMap(BillingStore, (store) => store.receiveDeliveries(deliveries, defaultPolicy, { owner, limit, lease }))

  const completeAndClaimNext = (ids: ReadonlyArray<string>, owner: string) =>
    Effect.flatMap(BillingStore, (store) => store.completeAndClaimNext(ids, { owner, lease }))

  const idsOf = (claimed: ReadonlyArray<{ readonly id: string }>) => claimed.map(({ id }) => id)

  it.effect("who receives deliveries gets what they queue, and keeps others away until the lease ends", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { id: externalId } = nextUser()
        const scene = newScene()
        const delivery = subscriptionDelivery(scene, "created", { externalId })
        const received = yield* receive([delivery], "first")
        expect(received.outcomes).toMatchObject([{ id: delivery.id, state: "applied", notified: true }])
        expect(received.unclaimed).toEqual([])
        expect(told(received.claimed)).toEqual([`${scene.subscriptionId} active`])
        expect(received.claimed).toMatchObject([{ userId: externalId, attempt: 1 }])

        const again = yield* receive([delivery], "first")
        expect(again).toMatchObject({ outcomes: [{ duplicate: true }], claimed: [], unclaimed: [] })

        const now = yield* Clock.currentTimeMillis
        expect(yield* claim("second")).toEqual({ claimed: [], nextDueAt: now + 60_000 })
        expect(yield* store.completeNotifications(idsOf(received.claimed), "second")).toEqual([])
        yield* TestClock.adjust("1 minute")
        const taken = (yield* claim("second")).claimed
        expect(taken).toEqual(received.claimed.map((notification) => ({ ...notification, attempt: 2 })))
        expect(yield* completeAndClaimNext(idsOf(taken), "first")).toEqual({ completed: [], claimed: [] })
        expect(yield* completeAndClaimNext(idsOf(taken), "second")).toEqual({ completed: idsOf(taken), claimed: [] })
        expect(yield* claim("second")).toEqual({ claimed: [], nextDueAt: null })
      })
    )
  )

  it.effect("of one subscription a step claims the oldest only, and nothing while something is untold", () =>
    emptied(
      Effect.gen(function* () {
        const { id: externalId } = nextUser()
        const scene = newScene()
        const event = (type: string, at: number) => subscriptionDelivery(scene, type, { externalId, at })
        const first = yield* receive([event("created", 0), event("past_due", 1)], "a")
        expect(told(first.claimed)).toEqual([`${scene.subscriptionId} active`])
        expect(first.unclaimed).toEqual([scene.subscriptionId])
        const second = yield* receive([event("resumed", 2)], "a")
        expect(second).toMatchObject({ claimed: [], unclaimed: [scene.subscriptionId] })
        expect((yield* claim("b")).claimed).toEqual([])

        let claimed = first.claimed
        const seen: Array<string> = []
        while (claimed.length > 0) {
          seen.push(...told(claimed))
          const next = yield* completeAndClaimNext(idsOf(claimed), "a")
          expect(next.completed).toEqual(idsOf(claimed))
          claimed = next.claimed
          expect((yield* claim("b")).claimed).toEqual([])
        }
        expect(seen).toEqual(["active", "past_due", "active"].map((status) => `${scene.subscriptionId} ${status}`))
        const third = yield* receive([event("past_due", 3)], "a")
        expect(told(third.claimed)).toEqual([`${scene.subscriptionId} past_due`])
      })
    )
  )

  it.effect("a step claims up to its limit", () =>
    emptied(
      Effect.gen(function* () {
        const deliveries = Array.from({ length: 3 }, () => {
          const scene = newScene()
          return { ...scene, delivery: subscriptionDelivery(scene, "created", { externalId: nextUser().id }) }
        })
        const [first, ...rest] = deliveries.map(({ delivery }) => delivery)
        if (first === undefined) return
        const ids = deliveries.map(({ subscriptionId }) => subscriptionId)
        const received = yield* receive([first, ...rest], "a", 2)
        expect(received.claimed.map(({ subscription }) => subscription.id)).toEqual(ids.slice(0, 2))
        expect(received.unclaimed).toEqual(ids.slice(2))
        expect((yield* claim("b")).claimed.map(({ subscription }) => subscription.id)).toEqual(ids.slice(2))

        const none = yield* receive(
          [subscriptionDelivery(newScene(), "created", { externalId: nextUser().id })],
          "a",
          0
        )
        expect(none.claimed).toEqual([])
        expect(none.unclaimed).toHaveLength(1)
      })
    )
  )

  it.effect("what is adopted is queued for whoever claims it", () =>
    emptied(
      Effect.gen(function* () {
        const scene = newScene()
        const { id: externalId } = nextUser()
        yield* receive([subscriptionDelivery(scene, "created", { externalId: null, at: 0 })], "a")
        const received = yield* receive([subscriptionDelivery(scene, "past_due", { externalId, at: 1 })], "a")
        expect(received).toMatchObject({ claimed: [], unclaimed: [scene.subscriptionId] })
        expect(told(yield* notificationsOf(externalId))).toEqual(
          ["active", "past_due"].map((status) => `${scene.subscriptionId} ${status}`)
        )
      })
    )
  )

  it.effect("what comes next is not claimed before its time, nor from another one", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const waiting = yield* queue(["created", "past_due", "resumed"])
        yield* queue(["created", "past_due"])
        const other = yield* queue(["created"])
        const first = (yield* claim("a")).claimed
        expect(first).toHaveLength(3)
        yield* completeAndClaimNext(idsOf(first), "a")
        // `a` holds the second ones now; the one of `waiting` is put back.
        const held = (yield* claim("b")).claimed
        expect(held).toEqual([])
        yield* TestClock.adjust("1 minute")
        const second = (yield* claim("b")).claimed
        const [back] = second.filter(({ subscription }) => subscription.id === waiting.subscriptionId)
        const [lost] = second.filter(({ subscription }) => subscription.id !== waiting.subscriptionId)
        if (back === undefined || lost === undefined) return expect(second).toHaveLength(2)
        expect(yield* store.retryNotification(back.id, "b", "no", Duration.minutes(10))).toBe(true)
        const late = yield* receive([subscriptionDelivery(other, "past_due", { externalId: other.userId, at: 1 })], "b")
        expect(late.claimed).toHaveLength(1)
        expect(yield* completeAndClaimNext([lost.id], "a")).toEqual({ completed: [], claimed: [] })
        const mixed = yield* completeAndClaimNext([lost.id, back.id, randomUUID(), ...idsOf(late.claimed)], "b")
        expect([...mixed.completed].sort()).toEqual([lost.id, ...idsOf(late.claimed)].sort())
        expect(mixed.claimed).toEqual([])
        yield* TestClock.adjust("10 minutes")
        expect(told((yield* claim("c")).claimed)).toEqual([`${waiting.subscriptionId} past_due`])
      })
    )
  )

  it.effect("several who complete and claim at once never take the same one, nor a younger before an older", () =>
    emptied(
      Effect.gen(function* () {
        const changes = ["created", "past_due", "resumed", "past_due", "resumed"]
        for (let index = 0; index < 6; index++) yield* queue(changes)
        const seen = new Map<string, Array<string>>()
        const deliver = (owner: string) =>
          Effect.gen(function* () {
            let { claimed } = yield* claim(owner, 2)
            let idle = 0
            while (idle < 3) {
              for (const { id, subscription } of claimed) {
                const ids = seen.get(subscription.id) ?? []
                seen.set(subscription.id, [...ids, id])
              }
              const next = yield* completeAndClaimNext(idsOf(claimed), owner)
              expect([...next.completed].sort()).toEqual([...idsOf(claimed)].sort())
              const more = yield* claim(owner, 2)
              claimed = [...next.claimed, ...more.claimed]
              idle = claimed.length === 0 ? idle + 1 : 0
            }
          })
        yield* Effect.all(["a", "b", "c", "d"].map(deliver), { concurrency: "unbounded" })
        expect(seen.size).toBe(6)
        for (const ids of seen.values()) {
          expect(ids).toHaveLength(changes.length)
          expect(ids).toEqual([...ids].sort(byEventTime))
        }
      })
    )
  )

  it.effect("what the app is told is what was true when it happened", () =>
    emptied(
      Effect.gen(function* () {
        const { id: externalId } = nextUser()
        const scene = newScene()
        const patch = { current_period_end: null, cancel_at_period_end: true }
        yield* applyOne(subscriptionDelivery(scene, "created", { externalId, patch, at: 0 }))
        yield* applyOne(subscriptionDelivery(scene, "revoked", { externalId, at: 1 }))
        const all = yield* notificationsOf(externalId)
        expect(all.map(({ subscription, userId }) => [userId, subscription])).toEqual([
          [
            externalId,
            {
              id: scene.subscriptionId,
              status: "active",
              productId: scene.productId,
              currentPeriodEnd: null,
              cancelAtPeriodEnd: true
            }
          ],
          [
            externalId,
            {
              id: scene.subscriptionId,
              status: "canceled",
              productId: scene.productId,
              currentPeriodEnd: new Date("2026-12-05T14:22:08.412Z"),
              cancelAtPeriodEnd: false
            }
          ]
        ])
        expect(new Set(all.map(({ id }) => id)).size).toBe(2)
      })
    )
  )
}

/** A notification's id holds its subscription, the time of its event, and the precedence, with colons between. */
const byEventTime = (a: string, b: string): number => Number(a.split(":")[1]) - Number(b.split(":")[1])
