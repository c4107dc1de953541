import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { liveServices } from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"
import type { Delivery } from "../../records/Delivery.ts"
import type { DeadNotificationQuery } from "../../records/Notification.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { traceparentOf } from "../../runtime/traceparent.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { allNotifications, applyEach, applyOne, type ContractSuite, notificationsOf } from "../ContractSuite.ts"
import { newScene, subscriptionDelivery } from "../polarDeliveries.ts"
import { subscriptionChanges } from "../subscriptionChanges.ts"

/** The queue of callbacks. Cases leave it empty, so that each sees only what it queued itself. */
export const notifications = ({ hasOwnClock, it, nextUser }: ContractSuite): void => {
  const lease = Duration.minutes(1)
  const claim = (owner: string, limit = 100) =>
    Effect.flatMap(BillingStore, (store) =>
      Effect.map(store.claimNotifications({ owner, limit, lease }), ({ claimed, nextDueAt }) => ({
        claimed: subscriptionChanges(claimed),
        nextDueAt
      }))
    )

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

  const idsOf = (claimed: ReadonlyArray<{ readonly id: string }>) => claimed.map(({ id }) => id)

  const told = (claimed: ReadonlyArray<{ readonly subscription: { readonly status: string; readonly id: string } }>) =>
    claimed.map(({ subscription }) => `${subscription.id} ${subscription.status}`)

  /** The database's clock goes on meanwhile, and it goes by that. */
  const about = (expected: number, nextDueAt: number | null) =>
    expect(Math.abs((nextDueAt ?? Number.NaN) - expected)).toBeLessThan(4000)

  it.effect("an empty queue: nothing to take and nothing to wait for", () =>
    emptied(
      Effect.gen(function* () {
        expect(yield* claim("a")).toEqual({ claimed: [], nextDueAt: null })
      })
    )
  )

  it.effect("says when the oldest was queued of what is yet to be taken, of the handlers that are asked for", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const oldest = (...names: ReadonlyArray<string>) =>
          Effect.map(
            store.oldestPending(new Set(names)),
            Option.map((date) => date.getTime())
          )
        expect(yield* oldest("onSubscriptionChange")).toEqual(Option.none())
        const queuedAt = yield* Clock.currentTimeMillis
        yield* queue(["created", "past_due"])
        yield* TestClock.adjust("7 seconds")
        yield* queue(["created"])
        expect(yield* oldest("onSubscriptionChange", "onPurchase")).toEqual(Option.some(queuedAt))
        expect(yield* oldest("onPurchase")).toEqual(Option.none())
        expect(yield* oldest()).toEqual(Option.none())
        const { claimed } = yield* claim("a")
        yield* store.completeNotifications(idsOf(claimed), "a")
        // What stood behind it was queued at the same time.
        expect(yield* oldest("onSubscriptionChange")).toEqual(Option.some(queuedAt))
        const { claimed: next } = yield* claim("a")
        yield* store.completeNotifications(idsOf(next), "a")
        expect(yield* oldest("onSubscriptionChange")).toEqual(Option.none())
      })
    )
  )

  it.effect("what a traced delivery queues is of its trace, and what one queues that is not traced is of none", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { id } = nextUser()
        const [first, second, third] = ["ab", "cd", undefined].map((trace, at) => ({
          ...subscriptionDelivery(newScene(), "created", { externalId: id, at }),
          traceparent: trace === undefined ? undefined : `00-${trace.repeat(16)}-${trace.repeat(8)}-01`
        })) as [Delivery, Delivery, Delivery]
        const { claimed: atOnce } = yield* store.receiveDeliveries([first, second, third], defaultPolicy, {
          owner: "a",
          limit: 2,
          lease
        })
        const { claimed: later } = yield* claim("a")
        const traces = [...subscriptionChanges(atOnce), ...later].map(({ traceparent }) => traceparent)
        expect(traces).toEqual([first.traceparent, second.traceparent, null])
      })
    )
  )

  it.effect("what a step queues for no delivery is of the trace in which it runs", () =>
    emptied(
      Effect.gen(function* () {
        const { id } = nextUser()
        const delivery = subscriptionDelivery(newScene(), "created", { externalId: id })
        const live = Context.get(liveServices, Tracer.Tracer)
        const spans: Array<Tracer.Span> = []
        const tracer = Tracer.make({
          span: (...given) => {
            const span = live.span(...given)
            spans.push(span)
            return span
          },
          context: (run) => run()
        })
        yield* applyOne(delivery).pipe(Effect.withSpan("replay"), Effect.withTracer(tracer))
        const { claimed } = yield* claim("a")
        const step = spans.find(({ name }) => name === "BillingStore.applyDeliveries")
        expect(claimed.map(({ traceparent }) => traceparent)).toEqual([step === undefined ? "" : traceparentOf(step)])
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
        yield* TestClock.adjust("50 seconds")
        expect((yield* claim("second")).claimed).toEqual([])
        expect(yield* store.completeNotifications([notification.id], "second")).toEqual([])
        expect(yield* store.retryNotification(notification.id, "second", "no", Duration.zero)).toBe("lost")
        expect(yield* store.giveUpNotification(notification.id, "second", "no")).toBe("lost")

        yield* TestClock.adjust("10 seconds")
        const taken = yield* claim("second")
        expect(taken.claimed.map(({ attempt, id }) => [id, attempt])).toEqual([[notification.id, 2]])
        expect(yield* store.completeNotifications([notification.id], "first")).toEqual([])
        expect(yield* store.retryNotification(notification.id, "first", "late", Duration.zero)).toBe("lost")
        expect(yield* store.giveUpNotification(notification.id, "first", "late")).toBe("lost")
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

  it.effect("a retry waits its time", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        yield* queue(["created"])
        const now = yield* Clock.currentTimeMillis
        const { claimed } = yield* claim("a")
        const [notification] = claimed
        if (notification === undefined) return expect(claimed).toHaveLength(1)
        expect(yield* store.retryNotification(notification.id, "a", "callback threw", Duration.minutes(10))).toBe(
          "kept"
        )
        const waiting = yield* claim("a")
        expect(waiting.claimed).toEqual([])
        about(now + 600_000, waiting.nextDueAt)
        yield* TestClock.adjust("9 minutes")
        const later = yield* claim("b")
        expect(later.claimed).toEqual([])
        about(now + 600_000, later.nextDueAt)
        yield* TestClock.adjust("1 minute")
        const again = yield* claim("b")
        expect(again.claimed.map(({ attempt, id }) => [id, attempt])).toEqual([[notification.id, 2]])
      })
    )
  )

  it.effect("the newest takes the place of one that failed, and what stood between is never told", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { subscriptionId } = yield* queue(["created", "past_due", "revoked"])
        const other = yield* queue(["created", "past_due"])
        const { claimed } = yield* claim("a")
        const [failing] = claimed.filter(({ subscription }) => subscription.id === subscriptionId)
        if (failing === undefined) return expect(claimed).toHaveLength(2)
        expect(yield* store.retryNotification(failing.id, "a", "callback threw", Duration.hours(1))).toBe("superseded")
        const next = yield* claim("b")
        expect(told(next.claimed)).toEqual([`${subscriptionId} canceled`])
        expect(next.claimed.map(({ attempt }) => attempt)).toEqual([1])
        expect(yield* store.completeNotifications([failing.id], "a")).toEqual([])
        yield* store.completeNotifications(
          next.claimed.map(({ id }) => id),
          "b"
        )
        yield* TestClock.adjust("2 hours")
        expect(yield* notificationsOf(other.userId)).toHaveLength(2)
        expect(yield* claim("c")).toEqual({ claimed: [], nextDueAt: null })
        expect(yield* store.deadNotifications({ subscriptionId })).toEqual([])
      })
    )
  )

  it.effect("one that failed for the last time makes way as well", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { subscriptionId } = yield* queue(["created", "past_due"])
        const { claimed } = yield* claim("a")
        const [failing] = claimed
        if (failing === undefined) return expect(claimed).toHaveLength(1)
        expect(yield* store.giveUpNotification(failing.id, "a", "given up")).toBe("superseded")
        expect(yield* store.deadNotifications({ subscriptionId })).toEqual([])
        expect(told((yield* claim("a")).claimed)).toEqual([`${subscriptionId} past_due`])
      })
    )
  )

  it.effect("of several that one step queues behind one that failed, only the newest is told", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { userId, ...scene } = yield* queue(["created"])
        const [failing] = (yield* claim("a")).claimed
        if (failing === undefined) return expect.unreachable("the first change is queued")
        expect(yield* store.retryNotification(failing.id, "a", "callback threw", Duration.hours(1))).toBe("kept")
        yield* store.applyDeliveries(
          [
            subscriptionDelivery(scene, "past_due", { externalId: userId, at: 1 }),
            subscriptionDelivery(scene, "revoked", { externalId: userId, at: 2 })
          ],
          defaultPolicy
        )
        expect(told((yield* claim("a")).claimed)).toEqual([`${scene.subscriptionId} canceled`])
      })
    )
  )

  it.effect("what is queued takes the place of one that waits for its next call", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { userId, ...scene } = yield* queue(["created"])
        const { claimed } = yield* claim("a")
        const [failing] = claimed
        if (failing === undefined) return expect(claimed).toHaveLength(1)
        expect(yield* store.retryNotification(failing.id, "a", "no", Duration.hours(1))).toBe("kept")
        yield* applyEach([
          subscriptionDelivery(scene, "past_due", { externalId: userId, at: 1 }),
          subscriptionDelivery(scene, "revoked", { externalId: userId, at: 2 })
        ])
        expect(told((yield* claim("b")).claimed)).toEqual([`${scene.subscriptionId} past_due`])
        yield* TestClock.adjust("2 hours")
        expect(told(yield* notificationsOf(userId))).toEqual([
          `${scene.subscriptionId} past_due`,
          `${scene.subscriptionId} canceled`
        ])
      })
    )
  )

  it.effect("what is being told makes way for nothing, however often it has failed", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { userId, ...scene } = yield* queue(["created"])
        const first = (yield* claim("a")).claimed
        yield* Effect.forEach(first, ({ id }) => store.retryNotification(id, "a", "no", Duration.zero))
        const second = (yield* claim("a")).claimed
        expect(idsOf(second)).toEqual(idsOf(first))
        yield* applyOne(subscriptionDelivery(scene, "past_due", { externalId: userId, at: 1 }))
        expect((yield* claim("b")).claimed).toEqual([])
        expect(yield* store.completeNotifications(idsOf(second), "a")).toEqual(idsOf(second))
        expect(told((yield* claim("b")).claimed)).toEqual([`${scene.subscriptionId} past_due`])
      })
    )
  )

  it.effect("what fails while a newer one is queued holds up nothing", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const scenes = yield* Effect.forEach(Array.from({ length: 10 }), () => queue(["created"]))
        const { claimed } = yield* claim("a")
        expect(claimed).toHaveLength(10)
        const fail = (id: string) => store.retryNotification(id, "a", "no", Duration.days(1))
        const change = ({ userId, ...scene }: (typeof scenes)[number]) =>
          applyOne(subscriptionDelivery(scene, "revoked", { externalId: userId, at: 1 }))
        yield* Effect.all([...idsOf(claimed).map(fail), ...scenes.map(change)], {
          concurrency: "unbounded",
          discard: true
        })
        expect(told((yield* claim("b")).claimed).sort()).toEqual(
          scenes.map(({ subscriptionId }) => `${subscriptionId} canceled`).sort()
        )
      })
    )
  )

  it.effect("a lease that is renewed begins anew, and only its holder can", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        yield* queue(["created"])
        yield* queue(["created"])
        const ids = idsOf((yield* claim("a")).claimed)
        expect(ids).toHaveLength(2)
        expect(yield* store.renewNotifications([], { owner: "a", lease })).toEqual([])
        yield* TestClock.adjust("50 seconds")
        expect([...(yield* store.renewNotifications([...ids, randomUUID()], { owner: "a", lease }))].sort()).toEqual(
          [...ids].sort()
        )
        expect(yield* store.renewNotifications(ids, { owner: "b", lease })).toEqual([])
        yield* TestClock.adjust("50 seconds")
        expect((yield* claim("b")).claimed).toEqual([])
        yield* TestClock.adjust("10 seconds")
        expect((yield* claim("b")).claimed).toHaveLength(2)
        expect(yield* store.renewNotifications(ids, { owner: "a", lease })).toEqual([])
        expect(yield* store.completeNotifications(ids, "b")).toHaveLength(2)
        expect(yield* store.renewNotifications(ids, { owner: "b", lease })).toEqual([])
      })
    )
  )

  /** As in a process whose machine's clock is so far ahead. */
  const aheadBy =
    (millis: number) =>
    <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const own = Date.now
          Date.now = () => own() + millis
          return own
        }),
        () => Effect.withClock(effect, Clock.make()),
        (own) =>
          Effect.sync(() => {
            Date.now = own
          })
      )

  it.effect("goes by the database's clock: a process whose own is wrong takes nothing that another one tells", () =>
    emptied(
      Effect.gen(function* () {
        if (!hasOwnClock) return
        const store = yield* BillingStore
        const minutes = 60_000
        const right = aheadBy(0)
        const job = { name: randomUUID(), lease }
        yield* right(queue(["created"]))
        const held = (yield* right(claim("a"))).claimed
        expect(held).toHaveLength(1)
        expect(Option.isSome(yield* right(store.claimJob({ ...job, owner: "a" })))).toBe(true)
        for (const wrong of [aheadBy(10 * minutes), aheadBy(-10 * minutes)]) {
          const { claimed, nextDueAt } = yield* wrong(claim("b"))
          expect(claimed).toEqual([])
          // By its own clock.
          const now = yield* wrong(Clock.currentTimeMillis)
          expect(Math.abs((nextDueAt ?? Number.NaN) - now - minutes)).toBeLessThan(30_000)
          expect(Option.isNone(yield* wrong(store.claimJob({ ...job, owner: "b" })))).toBe(true)
          expect(yield* wrong(store.renewNotifications(idsOf(held), { owner: "a", lease }))).toEqual(idsOf(held))
          expect(yield* wrong(store.continueJob(job.name, "a", "here", lease))).toBe(true)
          expect((yield* right(claim("b"))).claimed).toEqual([])
          expect(Option.isNone(yield* right(store.claimJob({ ...job, owner: "b" })))).toBe(true)
        }
        // What it queues is due at once for everybody, and what it fails waits as long as it says.
        const { subscriptionId, userId, ...scene } = yield* aheadBy(10 * minutes)(queue(["created"]))
        const first = (yield* right(claim("b"))).claimed
        expect(told(first)).toEqual([`${subscriptionId} active`])
        const [failing] = first
        if (failing === undefined) return
        yield* aheadBy(-10 * minutes)(store.retryNotification(failing.id, "b", "no", Duration.minutes(5)))
        expect((yield* right(claim("c"))).claimed).toEqual([])
        expect((yield* aheadBy(-10 * minutes)(claim("c"))).claimed).toEqual([])
        yield* aheadBy(-10 * minutes)(
          applyOne(subscriptionDelivery({ ...scene, subscriptionId }, "revoked", { externalId: userId, at: 1 }))
        )
        const last = (yield* aheadBy(10 * minutes)(claim("c"))).claimed
        expect(told(last)).toEqual([`${subscriptionId} canceled`])
        yield* store.completeNotifications(idsOf(last), "c")
        yield* store.completeNotifications(idsOf(held), "a")
      })
    )
  )

  it.effect("a buried one is kept, and is not taken again before somebody says so", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { subscriptionId, userId } = yield* queue(["created"])
        const { claimed } = yield* claim("a")
        const [notification] = claimed
        if (notification === undefined) return expect(claimed).toHaveLength(1)
        expect(yield* store.giveUpNotification(notification.id, "a", "given up")).toBe("kept")
        yield* TestClock.adjust("1 day")
        expect(yield* claim("a")).toEqual({ claimed: [], nextDueAt: null })
        const dead = yield* store.deadNotifications({ subscriptionId })
        expect(dead).toMatchObject([
          { id: notification.id, userId, subscription: notification.subscription, attempts: 1, error: "given up" }
        ])
        expect(yield* store.countNotifications({ subjects: [subscriptionId] })).toEqual({
          unsettled: 0,
          waiting: 0,
          dead: 1
        })
        expect(yield* store.retryDeadNotifications({ subscriptionId })).toEqual({ retried: 1, superseded: 0 })
        expect(yield* store.retryDeadNotifications({ subscriptionId })).toEqual({ retried: 0, superseded: 0 })
        expect(yield* store.deadNotifications({ subscriptionId })).toEqual([])
        const again = yield* claim("a")
        expect(again.claimed).toEqual([{ ...notification, attempt: 1 }])
      })
    )
  )

  it.effect("the dead are found by what they are about, a page at a time, those first that died first", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const before = yield* store.countNotifications()
        const users: Array<string> = []
        for (let index = 0; index < 3; index++) {
          users.push((yield* queue(["created"])).userId)
          yield* Effect.forEach((yield* claim("a")).claimed, ({ id }) =>
            store.giveUpNotification(id, "a", `no ${index}`)
          )
          yield* TestClock.adjust("1 minute")
        }
        const dead = (yield* Effect.forEach(users, (userId) => store.deadNotifications({ userId }))).flat()
        expect(dead.map(({ error }) => error)).toEqual(["no 0", "no 1", "no 2"])
        const [first, second, third] = dead
        if (first === undefined || second === undefined || third === undefined) return expect(dead).toHaveLength(3)
        const ids = idsOf(dead)
        const found = (query: DeadNotificationQuery) =>
          Effect.map(store.deadNotifications({ ids, ...query }), (some) => some.map(({ userId }) => userId))
        expect(yield* found({ limit: 2 })).toEqual(users.slice(0, 2))
        expect(yield* found({ following: second })).toEqual(users.slice(2))
        expect(yield* found({ before: third.diedAt, after: second.diedAt })).toEqual(users.slice(1, 2))
        expect(yield* found({ ids: [] })).toEqual([])
        expect(yield* store.countNotifications()).toEqual({ ...before, dead: before.dead + 3 })
        expect(yield* store.retryDeadNotifications({ ids, limit: 2 })).toEqual({ retried: 2, superseded: 0 })
        expect(yield* found({})).toEqual(users.slice(2))
        expect(
          yield* store.countNotifications({
            subjects: [...new Set(dead.flatMap(({ subscription }) => subscription?.id ?? []))]
          })
        ).toEqual({
          unsettled: 2,
          waiting: 0,
          dead: 1
        })
        expect(yield* store.retryDeadNotifications({ userId: users[2] })).toEqual({ retried: 1, superseded: 0 })
      })
    )
  )

  it.effect("one that an operator puts aside is told to nobody, and a later change is", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { userId, ...scene } = yield* queue(["created"])
        const { subscriptionId } = scene
        const [claimed] = (yield* claim("a")).claimed
        if (claimed === undefined) return expect(claimed).toBeDefined()
        const { id } = claimed
        // Neither one that is being told, nor one that is not known.
        expect(yield* store.buryNotifications([id, "nobody's"])).toEqual([])
        expect(yield* store.giveUpNotification(id, "a", "no")).toBe("kept")
        expect(yield* store.buryNotifications([id, id, "nobody's"])).toEqual([id])
        expect(yield* store.buryNotifications([id])).toEqual([])
        expect(yield* store.deadNotifications({ subscriptionId })).toEqual([])
        expect(yield* store.retryDeadNotifications({ subscriptionId })).toEqual({ retried: 0, superseded: 0 })
        expect(yield* store.countNotifications({ subjects: [subscriptionId] })).toEqual({
          unsettled: 0,
          waiting: 0,
          dead: 0
        })
        expect(yield* store.notifications({ states: ["buried"], userId })).toMatchObject([
          { id, state: "buried", attempts: 1, lastError: "no", leaseOwner: null }
        ])
        yield* TestClock.adjust("1 day")
        expect(yield* claim("a")).toEqual({ claimed: [], nextDueAt: null })
        yield* applyOne(subscriptionDelivery(scene, "revoked", { externalId: userId, at: 1 }))
        expect(told((yield* claim("b")).claimed)).toEqual([`${subscriptionId} canceled`])
        // It is kept for as long as what was told.
        yield* TestClock.adjust("1 day")
        const before = new Date(yield* Clock.currentTimeMillis)
        while ((yield* store.deleteDoneNotifications(before, 100)) > 0);
        expect(yield* store.notifications({ states: ["buried"], userId })).toEqual([])
      })
    )
  )

  it.effect(
    "one that fails can be put aside while it waits, not while it is called, and makes way for what comes after it",
    () =>
      emptied(
        Effect.gen(function* () {
          const store = yield* BillingStore
          const { userId } = yield* queue(["created"])
          const [waiting] = yield* store.notifications({ states: ["pending"], userId })
          const id = waiting?.id ?? ""
          // It has not failed.
          expect(yield* store.buryNotifications([id])).toEqual([])
          yield* claim("a")
          yield* store.retryNotification(id, "a", "no", Duration.hours(1))
          yield* TestClock.adjust("1 hour")
          yield* claim("a")
          expect(yield* store.buryNotifications([id])).toEqual([])
          // Whoever called it has died.
          yield* TestClock.adjust("1 hour")
          expect(yield* store.buryNotifications([id])).toEqual([id])
          expect(yield* store.completeNotifications([id], "a")).toEqual([])
          expect(yield* store.notifications({ states: ["pending"], userId })).toEqual([])
          expect(yield* claim("a")).toEqual({ claimed: [], nextDueAt: null })
        })
      )
  )

  it.effect("of the dead, what is older than a state that was queued since is told no more", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { userId, ...scene } = yield* queue(["created"])
        const other = yield* queue(["created"])
        yield* Effect.forEach((yield* claim("a")).claimed, ({ id }) => store.giveUpNotification(id, "a", "no"))
        yield* applyOne(subscriptionDelivery(scene, "revoked", { externalId: userId, at: 1 }))
        expect(told(yield* notificationsOf(userId))).toEqual([`${scene.subscriptionId} canceled`])
        const subscriptionIds = [scene.subscriptionId, other.subscriptionId]
        expect(yield* store.deadNotifications({ subscriptionIds })).toHaveLength(2)
        expect(yield* store.retryDeadNotifications({ subscriptionIds })).toEqual({ retried: 1, superseded: 1 })
        expect(yield* store.deadNotifications({ subscriptionIds })).toEqual([])
        expect(told((yield* claim("b")).claimed)).toEqual([`${other.subscriptionId} active`])
        expect(yield* notificationsOf(userId)).toEqual([])
      })
    )
  )

  it.effect("says what is due or being told, what waits for its next call, and what was given up", () =>
    emptied(
      Effect.gen(function* () {
        const store = yield* BillingStore
        const { subscriptionId } = yield* queue(["created", "past_due"])
        const counted = store.countNotifications({ subjects: [subscriptionId] })
        expect(yield* counted).toEqual({ unsettled: 1, waiting: 0, dead: 0 })
        const [first] = (yield* claim("a")).claimed
        if (first === undefined) return expect(first).toBeDefined()
        expect(yield* counted).toEqual({ unsettled: 1, waiting: 0, dead: 0 })
        yield* store.completeNotifications([first.id], "a")
        const [second] = (yield* claim("a")).claimed
        if (second === undefined) return expect(second).toBeDefined()
        yield* store.retryNotification(second.id, "a", "no", Duration.minutes(5))
        expect(yield* counted).toEqual({ unsettled: 0, waiting: 1, dead: 0 })
        yield* TestClock.adjust("6 minutes")
        expect(yield* counted).toEqual({ unsettled: 1, waiting: 0, dead: 0 })
        expect(yield* store.countNotifications({ subjects: [randomUUID()] })).toEqual({
          unsettled: 0,
          waiting: 0,
          dead: 0
        })
        expect(yield* store.countNotifications({ subjects: [] })).toEqual({ unsettled: 0, waiting: 0, dead: 0 })
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
        about(now, first.nextDueAt)
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
        about(start + 60_000, first.nextDueAt)
        const none = yield* claim("b")
        expect(none.claimed).toEqual([])
        about(start + 60_000, none.nextDueAt)

        yield* queue(["created"])
        const second = yield* claim("b")
        const [notification] = second.claimed
        if (notification === undefined) return expect(second.claimed).toHaveLength(1)
        about(start + 60_000, second.nextDueAt)
        yield* store.retryNotification(notification.id, "b", "soon", Duration.seconds(20))
        const waits = yield* claim("c")
        expect(waits.claimed).toEqual([])
        about(start + 20_000, waits.nextDueAt)

        // What is taken now does not count: whoever took it knows when the own lease ends.
        yield* queue(["created"])
        const third = yield* claim("c")
        expect(third.claimed).toHaveLength(1)
        about(start + 20_000, third.nextDueAt)
        yield* TestClock.adjust("20 seconds")
        const fourth = yield* claim("d", 1)
        expect(fourth.claimed).toHaveLength(1)
        const [waiting] = fourth.claimed
        if (waiting === undefined) return
        yield* store.retryNotification(waiting.id, "d", "much later", Duration.minutes(10))
        yield* TestClock.adjust("1 minute")
        const fifth = yield* claim("e")
        expect(fifth.claimed).toHaveLength(2)
        about(start + 20_000 + 600_000, fifth.nextDueAt)
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
    Effect.flatMap(BillingStore, (store) =>
      Effect.map(store.receiveDeliveries(deliveries, defaultPolicy, { owner, limit, lease }), (received) => ({
        ...received,
        claimed: subscriptionChanges(received.claimed)
      }))
    )

  const completeAndClaimNext = (ids: ReadonlyArray<string>, owner: string) =>
    Effect.flatMap(BillingStore, (store) =>
      Effect.map(store.completeAndClaimNext(ids, { owner, lease }), ({ claimed, completed }) => ({
        completed,
        claimed: subscriptionChanges(claimed)
      }))
    )

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
        const none = yield* claim("second")
        expect(none.claimed).toEqual([])
        about(now + 60_000, none.nextDueAt)
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
        const waiting = yield* queue(["created", "past_due"])
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
        expect(yield* store.retryNotification(back.id, "b", "no", Duration.minutes(10))).toBe("kept")
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

  it.effect("seats, amount, trial and access go with a change, as they were, and make none", () =>
    emptied(
      Effect.gen(function* () {
        const [{ id: externalId }, heir] = [nextUser(), nextUser()]
        const scene = newScene()
        const trial = { status: "trialing", seats: 3, amount: 5700, trial_end: "2026-12-05T10:00:00Z" }
        const paid = { seats: 5, amount: 9500, trial_end: "2026-12-05T10:00:00Z" }
        yield* applyOne(subscriptionDelivery(scene, "created", { externalId, patch: trial, at: 0 }))
        // Another number of seats alone is told nobody.
        yield* applyOne(subscriptionDelivery(scene, "updated", { externalId, patch: { ...trial, seats: 4 }, at: 1 }))
        yield* applyOne(subscriptionDelivery(scene, "active", { externalId, patch: paid, at: 2 }))
        const before = yield* notificationsOf(externalId)
        const store = yield* BillingStore
        yield* store.changeLink(
          { changeId: randomUUID(), action: "move", id: scene.subscriptionId, to: heir.id, by: null },
          defaultPolicy
        )
        const after = yield* allNotifications
        const all = [externalId, heir.id].flatMap((user) => after.filter(({ userId }) => userId === user))
        const trialEndsAt = new Date("2026-12-05T10:00:00Z")
        const told = [...before, ...all].map(
          ({ subscription: { access, amount, currency, seats, status, trialEndsAt } }) => ({
            ...{ status, seats, amount, currency, trialEndsAt },
            access: access?.entitlement
          })
        )
        const lost = { status: "canceled", seats: null, amount: null, currency: null, trialEndsAt: null }
        const now = { status: "active", seats: 5, amount: 9500, currency: "usd", trialEndsAt, access: "granted" }
        expect(told).toEqual([
          { status: "trialing", seats: 3, amount: 5700, currency: "usd", trialEndsAt, access: "granted" },
          now,
          { ...lost, access: "denied" },
          now
        ])
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
        expect(all.map(({ subscription, userId }) => [userId, subscription])).toMatchObject([
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
