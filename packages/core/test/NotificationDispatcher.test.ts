import { assert, describe, it } from "@effect/vitest"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import type { Delivery } from "@kavach-polar/core/Delivery"
import * as Handlers from "@kavach-polar/core/Handlers"
import type { Notification } from "@kavach-polar/core/Notification"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as StoreError from "@kavach-polar/core/StoreError"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import {
  type Clock,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Metric,
  Ref,
  Scope,
  TestClock
} from "effect"
import { restArrived } from "../src/runtime/restArrived.ts"
import * as Metrics from "../src/telemetry/Metrics.ts"
import { subscriptionChanges } from "../src/testing/subscriptionChanges.ts"
import { anonymousCustomer, at, deliveryOf, vary } from "./deliveries.ts"

/** One visible change of the given subscription of the given user. */
const change = (id: string, subscription: string, userId: string, micros: number, status: string) =>
  deliveryOf(
    id,
    vary("subscription.updated", {
      timestamp: at(micros),
      data: { ...anonymousCustomer(`cus_${userId}`, userId), id: subscription, status }
    })
  )

const queue = (...deliveries: ReadonlyArray<ReturnType<typeof change>>) =>
  Effect.flatMap(BillingStore.BillingStore, (store) =>
    Effect.forEach(deliveries, (delivery) => store.applyDeliveries([delivery], defaultPolicy))
  )

const stack = (
  onChange: (notification: Notification) => Effect.Effect<void, SubscriptionListener.ListenerFailed>,
  options?: NotificationDispatcher.DispatcherOptions
) =>
  Layer.provideMerge(
    NotificationDispatcher.layer(options),
    Layer.merge(BillingStore.layerMemory, SubscriptionListener.layer(onChange))
  )

/** Receives deliveries in one step, as a webhook endpoint does. */
const receive = (first: Delivery, ...rest: ReadonlyArray<Delivery>) =>
  Effect.gen(function* () {
    const store = yield* BillingStore.BillingStore
    const { receiving } = yield* NotificationDispatcher.NotificationDispatcher
    return yield* receiving(rest.length + 1, (claim) => store.receiveDeliveries([first, ...rest], defaultPolicy, claim))
  })

type Service = BillingStore.BillingStoreService

/** The store in memory with some of its functions replaced. */
const storeWith = (replaced: (inner: Service) => Partial<Service>) =>
  Layer.effect(
    BillingStore.BillingStore,
    Effect.map(BillingStore.BillingStore, (inner) => ({ ...inner, ...replaced(inner) }))
  ).pipe(Layer.provide(BillingStore.layerMemory))

const stackOn = (
  store: Layer.Layer<BillingStore.BillingStore>,
  onChange: (notification: Notification) => Effect.Effect<void>,
  options?: NotificationDispatcher.DispatcherOptions
) => Layer.provideMerge(NotificationDispatcher.layer(options), Layer.merge(store, SubscriptionListener.layer(onChange)))

const label = ({ subscription, userId }: Notification) => `${userId}/${subscription.id}:${subscription.status}`

/** A callback that notes what it was told, and then does something else. */
const noting =
  (seen: Array<string>, then: Effect.Effect<void> = Effect.void) =>
  (notification: Notification): Effect.Effect<void> =>
    Effect.zipRight(
      Effect.sync(() => void seen.push(label(notification))),
      then
    )

const wake = Effect.flatMap(NotificationDispatcher.NotificationDispatcher, ({ wake }) => wake)

/** Until everything that is due by now has run. */
const goOn = Effect.repeatN(restArrived, 50)

/** The same, with the moment in which outcomes are gathered. */
const settle = Effect.repeatN(Effect.zipRight(goOn, TestClock.adjust("50 millis")), 2).pipe(Effect.zipRight(goOn))

describe("NotificationDispatcher", () => {
  it.effect("tells each change once, in order per subscription", () =>
    Effect.gen(function* () {
      const seen = yield* Ref.make<ReadonlyArray<string>>([])
      yield* Effect.gen(function* () {
        yield* queue(
          change("1", "sub_a", "ann", 1, "trialing"),
          change("2", "sub_a", "ann", 2, "active"),
          change("3", "sub_b", "bob", 3, "active"),
          change("4", "sub_a", "ann", 4, "past_due"),
          change("5", "sub_a", "ann", 5, "past_due")
        )
        yield* wake
        yield* settle
        const told = yield* Ref.get(seen)
        assert.deepStrictEqual(
          told.filter((line) => line.startsWith("ann")),
          ["ann/sub_a:trialing", "ann/sub_a:active", "ann/sub_a:past_due"]
        )
        assert.deepStrictEqual(
          told.filter((line) => line.startsWith("bob")),
          ["bob/sub_b:active"]
        )
        yield* TestClock.adjust("5 minutes")
        yield* settle
        assert.lengthOf(yield* Ref.get(seen), 4)
      }).pipe(Effect.provide(stack((notification) => Ref.update(seen, (before) => [...before, label(notification)]))))
    })
  )

  it.effect("finds what is queued without being woken, at the next poll", () =>
    Effect.gen(function* () {
      const seen = yield* Ref.make(0)
      yield* Effect.gen(function* () {
        yield* queue(change("1", "sub_a", "ann", 1, "active"))
        yield* TestClock.adjust("29 seconds")
        yield* settle
        assert.strictEqual(yield* Ref.get(seen), 0)
        yield* TestClock.adjust("1 second")
        yield* settle
        assert.strictEqual(yield* Ref.get(seen), 1)
      }).pipe(Effect.provide(stack(() => Ref.update(seen, (n) => n + 1))))
    })
  )

  it.effect("goes on after a fault, such as a logger that throws", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      let isAway = true
      const store = storeWith((inner) => ({
        claimNotifications: (claim) =>
          isAway
            ? new StoreError.StoreError({ operation: "claimNotifications", reason: "unavailable", detail: "away" })
            : inner.claimNotifications(claim)
      }))
      const throwing = Logger.replace(
        Logger.defaultLogger,
        Logger.make(() => {
          throw new Error("the log is full")
        })
      )
      yield* Effect.gen(function* () {
        yield* queue(change("1", "sub_a", "ann", 1, "active"))
        yield* wake
        yield* goOn
        isAway = false
        yield* TestClock.adjust("31 seconds")
        yield* settle
        assert.deepStrictEqual(seen, ["ann/sub_a:active"])
      }).pipe(Effect.provide(stackOn(store, noting(seen)).pipe(Layer.provide(throwing))))
    })
  )

  it.effect("tries a failing, a dying and a hanging callback again, later each time, and gives up in the end", () =>
    Effect.gen(function* () {
      const seen = yield* Ref.make<ReadonlyArray<string>>([])
      const failing = (notification: Notification) =>
        Ref.update(seen, (before) => [...before, label(notification)]).pipe(
          Effect.zipRight(
            notification.userId === "fail"
              ? new SubscriptionListener.ListenerFailed({ detail: "no" })
              : notification.userId === "die"
                ? Effect.die(new Error("bug"))
                : notification.userId === "hang"
                  ? Effect.never
                  : Effect.void
          )
        )
      yield* Effect.gen(function* () {
        yield* queue(
          change("1", "sub_f", "fail", 1, "active"),
          change("2", "sub_d", "die", 1, "active"),
          change("3", "sub_h", "hang", 1, "active"),
          change("4", "sub_ok", "ok", 1, "active")
        )
        yield* wake
        yield* settle
        const count = (line: string) =>
          Effect.map(Ref.get(seen), (lines) => lines.filter((other) => other === line).length)
        assert.strictEqual(yield* count("ok/sub_ok:active"), 1, "others are not kept waiting")
        assert.strictEqual(yield* count("fail/sub_f:active"), 1)
        yield* TestClock.adjust("2 seconds")
        yield* settle
        assert.strictEqual(yield* count("fail/sub_f:active"), 1, "not before its pause is over")
        yield* TestClock.adjust("3 seconds")
        yield* settle
        assert.strictEqual(yield* count("fail/sub_f:active"), 2)
        yield* TestClock.adjust("5 minutes")
        for (const line of ["fail/sub_f:active", "die/sub_d:active", "hang/sub_h:active"]) {
          assert.strictEqual(yield* count(line), 3, line)
        }
        assert.strictEqual(yield* count("ok/sub_ok:active"), 1)
      }).pipe(Effect.provide(stack(failing, { maxAttempts: 3 })))
    })
  )

  it.effect("a callback that hangs is called again, also when the delivery itself began the call", () =>
    Effect.gen(function* () {
      const calls = yield* Ref.make(0)
      const hanging = () =>
        Effect.zipRight(
          Ref.update(calls, (before) => before + 1),
          Effect.never
        )
      yield* Effect.gen(function* () {
        yield* receive(change("1", "sub_h", "hang", 1, "active"))
        yield* settle
        assert.strictEqual(yield* Ref.get(calls), 1)
        yield* TestClock.adjust("5 minutes")
        yield* settle
        assert.strictEqual(yield* Ref.get(calls), 3)
        const store = yield* BillingStore.BillingStore
        assert.deepInclude(yield* store.claimNotifications({ owner: "other", limit: 9, lease: Duration.seconds(10) }), {
          claimed: []
        })
      }).pipe(Effect.provide(stack(hanging, { maxAttempts: 3 })))
    })
  )

  it.effect("runs no more callbacks at once than it may", () =>
    Effect.gen(function* () {
      const running = yield* Ref.make(0)
      const most = yield* Ref.make(0)
      const done = yield* Ref.make(0)
      const busy = () =>
        Ref.updateAndGet(running, (n) => n + 1).pipe(
          Effect.tap((now) => Ref.update(most, (n) => Math.max(n, now))),
          Effect.zipRight(Effect.sleep("1 second")),
          Effect.zipRight(Ref.update(running, (n) => n - 1)),
          Effect.zipRight(Ref.update(done, (n) => n + 1))
        )
      yield* Effect.gen(function* () {
        yield* queue(...Array.from({ length: 20 }, (_, n) => change(`${n}`, `sub_${n}`, `user_${n}`, 1, "active")))
        yield* wake
        for (let second = 0; second < 10; second++) {
          yield* settle
          yield* TestClock.adjust("1 second")
        }
        assert.strictEqual(yield* Ref.get(done), 20)
        assert.strictEqual(yield* Ref.get(most), 4)
      }).pipe(Effect.provide(stack(busy, { concurrency: 4 })))
    })
  )

  it.effect("waits for calls under way when it is closed, and takes no new ones", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const finished = yield* Ref.make(0)
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        stack(() =>
          Deferred.succeed(started, undefined).pipe(
            Effect.zipRight(Deferred.await(release)),
            Effect.zipRight(Ref.update(finished, (n) => n + 1))
          )
        ),
        scope
      )
      yield* queue(change("1", "sub_a", "ann", 1, "active"), change("2", "sub_a", "ann", 2, "past_due")).pipe(
        Effect.zipRight(wake),
        Effect.provide(context)
      )
      yield* Deferred.await(started)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      assert.isTrue((yield* closing.poll)._tag === "None", "it waits")
      yield* Deferred.succeed(release, undefined)
      yield* settle
      yield* closing.await
      assert.strictEqual(yield* Ref.get(finished), 1)
      const store = yield* Effect.provide(BillingStore.BillingStore, context)
      const { claimed } = yield* store.claimNotifications({ owner: "next", limit: 9, lease: Duration.seconds(1) })
      assert.deepStrictEqual(subscriptionChanges(claimed).map(label), ["ann/sub_a:past_due"])
    })
  )

  it.effect("what it has just claimed when it is closed, it still calls", () =>
    Effect.gen(function* () {
      const claiming = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const told = yield* Ref.make<ReadonlyArray<string>>([])
      // A store that has claimed, and whose answer is on its way.
      const slow = Layer.effect(
        BillingStore.BillingStore,
        Effect.map(BillingStore.BillingStore, (inner) => ({
          ...inner,
          claimNotifications: (claim: Parameters<typeof inner.claimNotifications>[0]) =>
            Effect.tap(inner.claimNotifications(claim), ({ claimed }) =>
              claimed.length === 0
                ? Effect.void
                : Effect.zipRight(Deferred.succeed(claiming, undefined), Deferred.await(release))
            )
        }))
      ).pipe(Layer.provide(BillingStore.layerMemory))
      const listener = SubscriptionListener.layer((notification) =>
        Ref.update(told, (before) => [...before, label(notification)])
      )
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        Layer.provideMerge(NotificationDispatcher.layer(), Layer.merge(slow, listener)),
        scope
      )
      yield* queue(change("1", "sub_a", "ann", 1, "active")).pipe(Effect.zipRight(wake), Effect.provide(context))
      yield* Deferred.await(claiming)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      yield* Deferred.succeed(release, undefined)
      yield* settle
      yield* closing.await
      assert.deepStrictEqual(yield* Ref.get(told), ["ann/sub_a:active"])
      const store = yield* Effect.provide(BillingStore.BillingStore, context)
      const left = yield* store.claimNotifications({ owner: "next", limit: 9, lease: Duration.seconds(1) })
      assert.deepStrictEqual(left, { claimed: [], nextDueAt: null })
    })
  )

  it.effect("what is received is told without asking the store for it, and what follows it as well", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const asked = yield* Ref.make(0)
      const store = storeWith((inner) => ({
        claimNotifications: (claim) =>
          Effect.zipRight(
            Ref.update(asked, (n) => n + 1),
            inner.claimNotifications(claim)
          )
      }))
      yield* Effect.gen(function* () {
        const outcomes = yield* receive(
          change("1", "sub_a", "ann", 1, "active"),
          change("2", "sub_b", "bob", 1, "active"),
          change("3", "sub_a", "ann", 2, "past_due"),
          change("4", "sub_a", "ann", 3, "active")
        )
        assert.deepStrictEqual(
          outcomes.map(({ id, notified }) => [id, notified]),
          ["1", "2", "3", "4"].map((id) => [id, true])
        )
        yield* settle
        yield* receive(change("5", "sub_a", "ann", 4, "past_due"))
        yield* settle
        assert.deepStrictEqual(
          seen.filter((line) => line.startsWith("ann")),
          ["active", "past_due", "active", "past_due"].map((status) => `ann/sub_a:${status}`)
        )
        assert.deepStrictEqual(
          seen.filter((line) => line.startsWith("bob")),
          ["bob/sub_b:active"]
        )
        assert.strictEqual(yield* Ref.get(asked), 0)
      }).pipe(Effect.provide(stackOn(store, noting(seen))))
    })
  )

  it.effect("what there is no room for is told as soon as there is", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      yield* Effect.gen(function* () {
        const [first, ...rest] = Array.from({ length: 30 }, (_, n) =>
          change(`${n}`, `sub_${n}`, `user_${n}`, 1, "active")
        )
        if (first === undefined) return
        yield* receive(first, ...rest)
        yield* settle
        assert.lengthOf(seen, 2)
        for (let second = 0; second < 20; second++) {
          yield* TestClock.adjust("1 second")
          yield* settle
        }
        assert.lengthOf(new Set(seen), 30)
        assert.lengthOf(seen, 30)
      }).pipe(
        Effect.provide(stackOn(BillingStore.layerMemory, noting(seen, Effect.sleep("1 second")), { concurrency: 2 }))
      )
    })
  )

  it.effect("what is left for want of room comes before what is received later", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const busy = (one: Notification) =>
        Effect.zipRight(
          Effect.sync(() => void seen.push(one.userId)),
          Effect.sleep("1 second")
        )
      yield* Effect.gen(function* () {
        const [first, ...rest] = Array.from({ length: 8 }, (_, n) => change(`a${n}`, `sub_${n}`, `early`, 1, "active"))
        if (first === undefined) return
        yield* receive(first, ...rest)
        yield* settle
        // Each at the moment at which a call ends.
        for (let second = 1; second <= 6; second++) {
          const late = receive(change(`b${second}`, `sub_late_${second}`, "late", 1, "active"))
          yield* Effect.fork(Effect.zipRight(Effect.sleep(Duration.seconds(second)), late))
        }
        for (let second = 0; second < 18; second++) {
          yield* TestClock.adjust("1 second")
          yield* settle
        }
        assert.deepStrictEqual(seen, [...Array(8).fill("early"), ...Array(6).fill("late")])
      }).pipe(Effect.provide(stackOn(BillingStore.layerMemory, busy, { concurrency: 1 })))
    })
  )

  it.effect(
    "what was claimed while the answer about the one before it was on its way is called as soon as it is there",
    () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const completing = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        // The outcome is committed, and the store's answer takes its time: the next step finds nothing before its own, and claims it.
        const store = storeWith((inner) => ({
          completeAndClaimNext: (ids, claim) =>
            Effect.zipLeft(
              inner.completeAndClaimNext(ids, claim),
              Effect.zipRight(Deferred.succeed(completing, undefined), Deferred.await(release))
            )
        }))
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"))
          yield* TestClock.adjust("50 millis")
          yield* settle
          yield* Deferred.await(completing)
          yield* receive(change("2", "sub_a", "ann", 2, "past_due"))
          yield* settle
          assert.deepStrictEqual(seen, ["ann/sub_a:active"])
          yield* Deferred.succeed(release, undefined)
          yield* settle
          assert.deepStrictEqual(seen, ["ann/sub_a:active", "ann/sub_a:past_due"])
        }).pipe(Effect.provide(stackOn(store, noting(seen))))
      })
  )

  it.effect("what was queued just as the one before it was being completed is found at once", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const completing = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      // It looked for what follows before there was any, and its answer is on its way.
      const store = storeWith((inner) => ({
        completeAndClaimNext: (ids, claim) =>
          Effect.map(inner.completeNotifications(ids, claim.owner), (completed) => ({ completed, claimed: [] })).pipe(
            Effect.zipLeft(Effect.zipRight(Deferred.succeed(completing, undefined), Deferred.await(release)))
          ),
        // And the step saw the one before it as unfinished.
        receiveDeliveries: (deliveries, policy, claim) =>
          Effect.flatMap(Deferred.isDone(completing), (isLate) =>
            inner.receiveDeliveries(deliveries, policy, isLate ? { ...claim, limit: 0 } : claim)
          )
      }))
      yield* Effect.gen(function* () {
        yield* receive(change("1", "sub_a", "ann", 1, "active"))
        yield* settle
        yield* Deferred.await(completing)
        yield* receive(change("2", "sub_a", "ann", 2, "past_due"))
        yield* Deferred.succeed(release, undefined)
        yield* settle
        assert.deepStrictEqual(seen, ["ann/sub_a:active", "ann/sub_a:past_due"])
      }).pipe(Effect.provide(stackOn(store, noting(seen))))
    })
  )

  it.effect("what waits behind another process's is looked for again soon", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      yield* Effect.gen(function* () {
        const store = yield* BillingStore.BillingStore
        const { claimed } = yield* store.receiveDeliveries([change("1", "sub_a", "ann", 1, "active")], defaultPolicy, {
          owner: "another",
          limit: 1,
          lease: Duration.minutes(1)
        })
        yield* receive(change("2", "sub_a", "ann", 2, "past_due"))
        yield* settle
        // That one looked for nothing that follows.
        yield* store.completeNotifications(
          claimed.map(({ id }) => id),
          "another"
        )
        assert.deepStrictEqual(seen, [])
        yield* TestClock.adjust("1 second")
        yield* settle
        assert.deepStrictEqual(seen, ["ann/sub_a:past_due"])
      }).pipe(Effect.provide(stackOn(BillingStore.layerMemory, noting(seen))))
    })
  )

  it.effect("what there is no place for is left for another process", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const release = yield* Deferred.make<void>()
      yield* Effect.gen(function* () {
        yield* receive(
          change("1", "sub_a", "ann", 1, "active"),
          change("2", "sub_b", "bob", 1, "active"),
          change("3", "sub_c", "cyd", 1, "active")
        )
        yield* settle
        assert.lengthOf(seen, 1)
        const store = yield* BillingStore.BillingStore
        const { claimed } = yield* store.claimNotifications({ owner: "another", limit: 9, lease: Duration.minutes(1) })
        assert.lengthOf(claimed, 2)
        yield* Deferred.succeed(release, undefined)
      }).pipe(
        Effect.provide(stackOn(BillingStore.layerMemory, noting(seen, Deferred.await(release)), { concurrency: 1 }))
      )
    })
  )

  it.effect("once it is being closed, steps and completions claim nothing", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const release = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        stackOn(BillingStore.layerMemory, noting(seen, Deferred.await(release))),
        scope
      )
      yield* Effect.gen(function* () {
        yield* receive(change("1", "sub_a", "ann", 1, "active"), change("2", "sub_a", "ann", 2, "past_due"))
        yield* settle
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* settle
        yield* receive(change("3", "sub_b", "bob", 1, "active"))
        yield* Deferred.succeed(release, undefined)
        yield* settle
        yield* closing.await
        assert.deepStrictEqual(seen, ["ann/sub_a:active"])
        const store = yield* BillingStore.BillingStore
        const left = yield* store.claimNotifications({ owner: "next", limit: 9, lease: Duration.seconds(1) })
        assert.deepStrictEqual(subscriptionChanges(left.claimed).map(label).sort(), [
          "ann/sub_a:past_due",
          "bob/sub_b:active"
        ])
      }).pipe(Effect.provide(context))
    })
  )

  describe("outcomes", () => {
    /** The store in memory, and the ids of what was completed in each step. */
    const completing = () => {
      const steps: Array<ReadonlyArray<string>> = []
      const store = storeWith((inner) => ({
        completeAndClaimNext: (ids, claim) =>
          Effect.zipRight(
            Effect.sync(() => void steps.push(ids)),
            inner.completeAndClaimNext(ids, claim)
          )
      }))
      return { steps, store }
    }

    it.effect("are gathered", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const { steps, store } = completing()
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"))
          yield* goOn
          yield* receive(change("2", "sub_b", "bob", 1, "active"))
          yield* goOn
          assert.deepStrictEqual(seen, ["ann/sub_a:active", "bob/sub_b:active"])
          assert.lengthOf(steps, 0)
          yield* TestClock.adjust("50 millis")
          yield* goOn
          assert.deepStrictEqual(
            steps.map((ids) => ids.length),
            [2]
          )
        }).pipe(Effect.provide(stackOn(store, noting(seen))))
      })
    )

    it.effect("are not where something comes next of the subscription", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"))
          yield* goOn
          assert.deepStrictEqual(seen, ["ann/sub_a:active"])
          yield* receive(change("2", "sub_a", "ann", 2, "past_due"), change("3", "sub_a", "ann", 3, "active"))
          yield* goOn
          assert.deepStrictEqual(seen.slice(1), ["ann/sub_a:past_due", "ann/sub_a:active"])
        }).pipe(Effect.provide(stackOn(BillingStore.layerMemory, noting(seen))))
      })
    )

    it.effect("nor when they are as many as one step completes", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const { steps, store } = completing()
        yield* Effect.gen(function* () {
          const [first, ...rest] = Array.from({ length: 101 }, (_, n) =>
            change(String(n), `sub_${n}`, `user_${n}`, 1, "active")
          )
          if (first !== undefined) yield* receive(first, ...rest)
          yield* goOn
          assert.lengthOf(seen, 101)
          assert.strictEqual(steps[0]?.length, 100)
        }).pipe(Effect.provide(stackOn(store, noting(seen), { concurrency: 200 })))
      })
    )

    it.effect("nor at the end", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const release = yield* Deferred.make<void>()
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(
          stackOn(BillingStore.layerMemory, (notification) =>
            noting(seen, notification.userId === "bob" ? Deferred.await(release) : Effect.void)(notification)
          ),
          scope
        )
        yield* Effect.gen(function* () {
          // One whose call has ended by then, and one that is being told.
          yield* receive(change("1", "sub_a", "ann", 1, "active"), change("2", "sub_b", "bob", 1, "active"))
          yield* goOn
          assert.lengthOf(seen, 2)
          const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
          yield* goOn
          yield* Deferred.succeed(release, undefined)
          yield* closing.await
          const store = yield* BillingStore.BillingStore
          const left = yield* store.claimNotifications({ owner: "next", limit: 9, lease: Duration.seconds(1) })
          assert.deepStrictEqual([left.claimed, left.nextDueAt], [[], null])
        }).pipe(Effect.provide(context))
      })
    )
  })

  describe("what does not answer", () => {
    it.effect("a store that does not say what is due is asked again", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        let asked = 0
        const store = storeWith((inner) => ({
          claimNotifications: (claim) =>
            Effect.suspend(() =>
              asked++ === 0 ? Effect.uninterruptible(Effect.never) : inner.claimNotifications(claim)
            )
        }))
        yield* Effect.gen(function* () {
          yield* queue(change("1", "sub_a", "ann", 1, "active"))
          yield* wake
          yield* settle
          yield* wake
          yield* TestClock.adjust("5 seconds")
          yield* settle
          assert.deepStrictEqual(seen, ["ann/sub_a:active"])
        }).pipe(Effect.provide(stackOn(store, noting(seen))))
      })
    )

    it.effect("a store that does not take outcomes: others are told, and it is asked until it takes them", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        let asked = 0
        const store = storeWith((inner) => ({
          completeAndClaimNext: (ids, claim) =>
            Effect.suspend(() =>
              ++asked === 1
                ? Effect.uninterruptible(Effect.never)
                : asked < 10
                  ? new StoreError.StoreError({ operation: "complete", reason: "unavailable", detail: "gone" })
                  : inner.completeAndClaimNext(ids, claim)
            )
        }))
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"))
          yield* settle
          yield* receive(change("2", "sub_b", "bob", 1, "active"))
          yield* settle
          assert.deepStrictEqual(seen, ["ann/sub_a:active", "bob/sub_b:active"])
          for (let seconds = 0; seconds < 120; seconds++) {
            yield* TestClock.adjust("1 second")
            yield* goOn
          }
          assert.deepStrictEqual(seen, ["ann/sub_a:active", "bob/sub_b:active"])
          assert.strictEqual(asked, 10)
          const { countNotifications } = yield* BillingStore.BillingStore
          assert.deepStrictEqual(yield* countNotifications(), { unsettled: 0, waiting: 0, dead: 0 })
        }).pipe(Effect.provide(stackOn(store, noting(seen))))
      })
    )

    it.effect("what ends while an outcome is written again, which is taken then, is written as well", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const completed: Array<string> = []
        const writing = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        const endBob = yield* Deferred.make<void>()
        let asked = 0
        const store = storeWith((inner) => ({
          completeAndClaimNext: (ids, claim) =>
            Effect.suspend(() => {
              asked++
              if (asked === 1) {
                return new StoreError.StoreError({ operation: "complete", reason: "unavailable", detail: "gone" })
              }
              const write = Effect.tap(inner.completeAndClaimNext(ids, claim), ({ completed: ids }) =>
                Effect.sync(() => void completed.push(...ids))
              )
              return asked > 2
                ? write
                : Deferred.succeed(writing, undefined).pipe(
                    Effect.zipRight(Deferred.await(release)),
                    Effect.zipRight(write)
                  )
            })
        }))
        const calling = (notification: Notification) =>
          noting(seen, notification.userId === "bob" ? Deferred.await(endBob) : Effect.void)(notification)
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"), change("2", "sub_b", "bob", 1, "active"))
          yield* settle
          yield* TestClock.adjust("500 millis")
          yield* goOn
          yield* Deferred.await(writing)
          yield* Deferred.succeed(endBob, undefined)
          yield* goOn
          yield* Deferred.succeed(release, undefined)
          yield* settle
          assert.lengthOf(completed, 2)
          const { countNotifications } = yield* BillingStore.BillingStore
          assert.deepStrictEqual(yield* countNotifications(), { unsettled: 0, waiting: 0, dead: 0 })
        }).pipe(Effect.provide(stackOn(store, calling)))
      })
    )

    it.effect("a store that does not take a failure is asked until it does, and nobody calls meanwhile", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        let asked = 0
        const store = storeWith((inner) => ({
          retryNotification: (...given) =>
            Effect.suspend(() => {
              asked++
              if (asked === 1) return Effect.die(new Error("bug"))
              if (asked === 2) return Effect.uninterruptible(Effect.never)
              return inner.retryNotification(...given)
            })
        }))
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"))
          for (let seconds = 0; seconds < 7; seconds++) {
            yield* settle
            assert.strictEqual(seen.length, 1)
            yield* TestClock.adjust("1 second")
          }
          assert.strictEqual(asked, 3)
          yield* TestClock.adjust("4 seconds")
          yield* settle
          assert.strictEqual(seen.length, 2)
        }).pipe(Effect.provide(stackOn(store, noting(seen, Effect.die(new Error("no"))))))
      })
    )

    it.effect("a store that throws ends nothing", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        let asked = 0
        const store = storeWith((inner) => ({
          claimNotifications: (claim) => {
            if (asked++ === 0) throw new Error("bug")
            return inner.claimNotifications(claim)
          }
        }))
        yield* Effect.gen(function* () {
          yield* queue(change("1", "sub_a", "ann", 1, "active"))
          yield* wake
          yield* settle
          assert.deepStrictEqual(seen, [])
          yield* wake
          yield* settle
          assert.deepStrictEqual(seen, ["ann/sub_a:active"])
        }).pipe(Effect.provide(stackOn(store, noting(seen))))
      })
    )

    it.effect("a callback that does not heed its time: others are told, and it is not called again for the same", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const release = yield* Deferred.make<void>()
        const stubborn = (notification: Notification) =>
          noting(
            seen,
            notification.userId === "ann" ? Effect.uninterruptible(Deferred.await(release)) : Effect.void
          )(notification)
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"), change("2", "sub_b", "bob", 1, "active"))
          yield* settle
          assert.deepStrictEqual(seen, ["ann/sub_a:active"])
          yield* TestClock.adjust("10 seconds")
          yield* settle
          assert.deepStrictEqual(seen, ["ann/sub_a:active", "bob/sub_b:active"])
          yield* TestClock.adjust("2 minutes")
          yield* settle
          assert.lengthOf(seen, 2)
          yield* Deferred.succeed(release, undefined)
          yield* TestClock.adjust("1 minute")
          yield* settle
          assert.deepStrictEqual(seen.slice(2), ["ann/sub_a:active"])
        }).pipe(Effect.provide(stackOn(BillingStore.layerMemory, stubborn, { concurrency: 1 })))
      })
    )

    const closingTakes = (
      store: Layer.Layer<BillingStore.BillingStore>,
      then: Effect.Effect<void>,
      timeout: Duration.DurationInput
    ) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(stackOn(store, noting(seen, then), { timeout }), scope)
        yield* Effect.provide(receive(change("1", "sub_a", "ann", 1, "active")), context)
        yield* goOn
        assert.lengthOf(seen, 1)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        for (let seconds = 0; ; seconds++) {
          yield* goOn
          if ((yield* closing.poll)._tag === "Some") return seconds
          yield* TestClock.adjust("1 second")
        }
      })

    it.effect("at the end, a callback has its time and no more", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* closingTakes(BillingStore.layerMemory, Effect.never, "3 seconds"), 3)
        assert.strictEqual(yield* closingTakes(BillingStore.layerMemory, Effect.never, "20 seconds"), 8)
        const stubborn = Effect.uninterruptible(Effect.never)
        assert.strictEqual(yield* closingTakes(BillingStore.layerMemory, stubborn, "20 seconds"), 9)
      })
    )

    it.effect("at the end, a store has a few seconds to take the outcomes", () =>
      Effect.gen(function* () {
        const silent = storeWith(() => ({ completeNotifications: () => Effect.uninterruptible(Effect.never) }))
        assert.strictEqual(yield* closingTakes(silent, Effect.void, "20 seconds"), 9)
      })
    )

    it.effect(
      "a step that was not answered gives its places back, and what it claimed is told when its lease has ended",
      () =>
        Effect.gen(function* () {
          const seen: Array<string> = []
          const store = storeWith((inner) => ({
            receiveDeliveries: (deliveries, policy, claim) =>
              Effect.zipRight(inner.receiveDeliveries(deliveries, policy, claim), Effect.die("cut off"))
          }))
          yield* Effect.gen(function* () {
            yield* Effect.exit(receive(change("1", "sub_a", "ann", 1, "active")))
            yield* queue(change("2", "sub_b", "bob", 1, "active"))
            yield* wake
            yield* settle
            assert.deepStrictEqual(seen, ["bob/sub_b:active"])
            yield* TestClock.adjust("20 seconds")
            yield* settle
            assert.deepStrictEqual(seen, ["bob/sub_b:active", "ann/sub_a:active"])
          }).pipe(Effect.provide(stackOn(store, noting(seen), { concurrency: 1, pollInterval: "1 day" })))
        })
    )

    it.effect("a step that is given up gives its places back, also if it does not heed that", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const store = storeWith(() => ({ receiveDeliveries: () => Effect.uninterruptible(Effect.never) }))
        yield* Effect.gen(function* () {
          const stuck = yield* Effect.forkDaemon(receive(change("1", "sub_a", "ann", 1, "active")))
          yield* goOn
          yield* Fiber.interruptFork(stuck)
          yield* TestClock.adjust("5 seconds")
          yield* queue(change("2", "sub_b", "bob", 1, "active"))
          yield* wake
          yield* settle
          assert.deepStrictEqual(seen, ["bob/sub_b:active"])
        }).pipe(Effect.provide(stackOn(store, noting(seen), { concurrency: 1 })))
      })
    )
  })

  it.effect("a call in which its process dies each time is given up as well", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      yield* Effect.gen(function* () {
        const store = yield* BillingStore.BillingStore
        yield* queue(change("1", "sub_a", "ann", 1, "active"))
        for (const owner of ["first", "second"]) {
          const claim = { owner, limit: 9, lease: Duration.seconds(1) }
          assert.lengthOf((yield* store.claimNotifications(claim)).claimed, 1)
          yield* TestClock.adjust("1 second")
        }
        yield* wake
        yield* settle
        assert.deepStrictEqual(seen, [])
        assert.deepStrictEqual(
          (yield* store.deadNotifications()).map(({ error }) => error),
          ["The handler failed: the process ended during its last call"]
        )
      }).pipe(
        Effect.provide(stackOn(BillingStore.layerMemory, noting(seen), { maxAttempts: 2, pollInterval: "1 day" }))
      )
    })
  )

  describe("a newer state", () => {
    it.effect("takes the place of one that the callback does not take", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const refusing = (notification: Notification) =>
          noting(seen, notification.subscription.status === "canceled" ? Effect.void : Effect.die("no"))(notification)
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"))
          yield* settle
          assert.deepStrictEqual(seen, ["ann/sub_a:active"])
          yield* receive(change("2", "sub_a", "ann", 2, "past_due"))
          yield* TestClock.adjust("1 second")
          yield* receive(change("3", "sub_a", "ann", 3, "canceled"))
          yield* TestClock.adjust("1 second")
          yield* settle
          assert.deepStrictEqual(seen, ["ann/sub_a:active", "ann/sub_a:past_due", "ann/sub_a:canceled"])
          yield* TestClock.adjust("2 hours")
          yield* settle
          assert.lengthOf(seen, 3)
          const { countNotifications } = yield* BillingStore.BillingStore
          assert.deepStrictEqual(yield* countNotifications(), { unsettled: 0, waiting: 0, dead: 0 })
        }).pipe(Effect.provide(stackOn(BillingStore.layerMemory, refusing)))
      })
    )
  })

  it.effect("a newer state that came while the answer about a failed call was on its way is told at once", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const failing = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const store = storeWith((inner) => ({
        retryNotification: (...given) =>
          Effect.zipLeft(
            inner.retryNotification(...given),
            Effect.zipRight(Deferred.succeed(failing, undefined), Deferred.await(release))
          )
      }))
      const calling = (notification: Notification) =>
        noting(seen, notification.subscription.status === "active" ? Effect.die("no") : Effect.void)(notification)
      yield* Effect.gen(function* () {
        yield* receive(change("1", "sub_a", "ann", 1, "active"))
        yield* settle
        yield* Deferred.await(failing)
        yield* receive(change("2", "sub_a", "ann", 2, "past_due"))
        yield* Deferred.succeed(release, undefined)
        yield* settle
        assert.deepStrictEqual(seen, ["ann/sub_a:active", "ann/sub_a:past_due"])
      }).pipe(Effect.provide(stackOn(store, calling, { retryDelay: "1 minute" })))
    })
  )

  describe("when the clock of the process is set back", () => {
    /** The test's clock, whose timers go on as they do: only what the time is called changes. */
    const settable = Effect.map(Effect.clock, (real) => {
      let offset = 0
      const clock: Clock.Clock = Object.assign(Object.create(real), {
        unsafeCurrentTimeMillis: () => real.unsafeCurrentTimeMillis() + offset,
        currentTimeMillis: Effect.map(real.currentTimeMillis, (now) => now + offset)
      })
      const setBack = Effect.sync(() => {
        offset = -3_600_000
      })
      return { layer: Layer.setClock(clock), setBack }
    })

    const seconds = (count: number) =>
      Effect.repeatN(Effect.zipRight(TestClock.adjust("1 second"), goOn), Math.max(count - 1, 0))

    it.effect("leases of calls that run are renewed, and what others queue is found, as soon as otherwise", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const renewals: Array<ReadonlyArray<string>> = []
        const { layer, setBack } = yield* settable
        yield* TestClock.adjust("1 day")
        const store = storeWith((inner) => ({
          renewNotifications: (ids, given) => {
            renewals.push(ids)
            return inner.renewNotifications(ids, given)
          }
        }))
        const calling = (notification: Notification) =>
          noting(seen, notification.userId === "ann" ? Effect.sleep("55 seconds") : Effect.void)(notification)
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"))
          yield* seconds(4)
          yield* setBack
          yield* queue(change("2", "sub_b", "bob", 1, "active"))
          yield* seconds(11)
          const renewed = renewals.length
          yield* seconds(45)
          assert.isAbove(renewed, 0)
          assert.deepStrictEqual(seen, ["ann/sub_a:active", "bob/sub_b:active"])
        }).pipe(Effect.provide(Layer.provide(stackOn(store, calling, { timeout: "1 minute" }), layer)))
      })
    )
  })

  describe("a call in promises that takes longer than its limit", () => {
    interface Started {
      readonly signal: AbortSignal
      readonly end: () => void
      readonly fail: (error: unknown) => void
    }

    /** Calls that end when the test says so. */
    const slowly = (options?: NotificationDispatcher.DispatcherOptions) => {
      const started: Array<Started> = []
      const listener = SubscriptionListener.layerCallback(
        (_notification, signal) =>
          new Promise((resolve, reject) => started.push({ signal, end: resolve, fail: reject }))
      )
      const layer = Layer.provideMerge(
        NotificationDispatcher.layer(options),
        Layer.merge(BillingStore.layerMemory, listener)
      )
      return { started, layer }
    }

    const claimedByAnother = Effect.flatMap(BillingStore.BillingStore, (store) =>
      store.claimNotifications({ owner: "another", limit: 9, lease: Duration.seconds(1) })
    ).pipe(Effect.map(({ claimed }) => claimed.length))

    /** Steps no longer than a lease lasts. */
    const minutes = (count: number) =>
      Effect.repeatN(Effect.zipRight(TestClock.adjust("4 seconds"), goOn), count * 15 - 1)

    it.effect("is told so, is not begun again by anybody, and has succeeded when it ends well", () =>
      Effect.gen(function* () {
        const { layer, started } = slowly()
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"))
          yield* settle
          yield* TestClock.adjust("9 seconds")
          yield* goOn
          assert.deepStrictEqual(
            started.map(({ signal }) => signal.aborted),
            [false]
          )
          yield* TestClock.adjust("1 second")
          yield* goOn
          assert.deepStrictEqual(
            started.map(({ signal }) => signal.aborted),
            [true]
          )
          yield* minutes(5)
          assert.strictEqual(yield* claimedByAnother, 0)
          assert.lengthOf(started, 1)
          started[0]?.end()
          yield* settle
          yield* minutes(5)
          assert.lengthOf(started, 1)
          const { countNotifications } = yield* BillingStore.BillingStore
          assert.deepStrictEqual(yield* countNotifications(), { unsettled: 0, waiting: 0, dead: 0 })
        }).pipe(Effect.provide(layer))
      })
    )

    it.effect("has failed when it ends badly, and is called again then", () =>
      Effect.gen(function* () {
        const { layer, started } = slowly({ maxAttempts: 2 })
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"))
          yield* settle
          yield* minutes(1)
          started[0]?.fail(started[0].signal.reason)
          yield* settle
          yield* TestClock.adjust("5 seconds")
          yield* settle
          assert.lengthOf(started, 2)
          yield* minutes(1)
          started[1]?.fail(started[1].signal.reason)
          yield* settle
          const { deadNotifications } = yield* BillingStore.BillingStore
          assert.deepStrictEqual(
            (yield* deadNotifications()).map(({ attempts, error }) => [attempts, error]),
            [[2, "The handler failed: it took longer than 10s"]]
          )
        }).pipe(Effect.provide(layer))
      })
    )

    it.effect("gives its place to others, as long as there are not too many of them", () =>
      Effect.gen(function* () {
        const { layer, started } = slowly({ concurrency: 1 })
        yield* Effect.gen(function* () {
          const [first, ...rest] = Array.from({ length: 20 }, (_, n) =>
            change(`${n}`, `sub_${n}`, `user_${n}`, 1, "active")
          )
          if (first !== undefined) yield* receive(first, ...rest)
          yield* settle
          assert.lengthOf(started, 1)
          yield* TestClock.adjust("10 seconds")
          yield* settle
          assert.lengthOf(started, 2)
          yield* minutes(10)
          // Ten hang, and one that hangs too has the only place.
          assert.lengthOf(started, 11)
          started[3]?.end()
          yield* settle
          yield* minutes(1)
          assert.lengthOf(started, 12)
          for (const { end } of started) end()
        }).pipe(Effect.provide(layer))
      })
    )

    it.effect("whose lease could not be renewed is left to whoever took it, and its outcome counts no more", () =>
      Effect.gen(function* () {
        const started: Array<Started> = []
        const store = storeWith(() => ({ renewNotifications: () => Effect.die("gone") }))
        const listener = SubscriptionListener.layerCallback(
          (_notification, signal) =>
            new Promise((resolve, reject) => started.push({ signal, end: resolve, fail: reject }))
        )
        yield* Effect.gen(function* () {
          yield* receive(change("1", "sub_a", "ann", 1, "active"))
          yield* settle
          yield* TestClock.adjust("21 seconds")
          const { claimNotifications, completeNotifications } = yield* BillingStore.BillingStore
          const { claimed } = yield* claimNotifications({ owner: "another", limit: 9, lease: Duration.hours(1) })
          assert.lengthOf(claimed, 1)
          started[0]?.fail(new Error("no"))
          yield* settle
          assert.deepStrictEqual(
            yield* completeNotifications(
              claimed.map(({ id }) => id),
              "another"
            ),
            claimed.map(({ id }) => id)
          )
        }).pipe(
          Effect.provide(
            Layer.provideMerge(NotificationDispatcher.layer({ pollInterval: "1 day" }), Layer.merge(store, listener))
          )
        )
      })
    )
  })

  describe("who waits for an outcome", () => {
    const toldOf = (first: Delivery, ...rest: ReadonlyArray<Delivery>) =>
      Effect.gen(function* () {
        const { told } = yield* NotificationDispatcher.NotificationDispatcher
        const [outcome] = yield* receive(first, ...rest)
        return yield* Effect.fork(told(outcome))
      })
    const isDone = (fiber: Fiber.RuntimeFiber<void>) => Effect.map(fiber.poll, ({ _tag }) => _tag === "Some")

    it.effect("waits until it is written that the app was told, and no longer", () =>
      Effect.gen(function* () {
        const release = yield* Deferred.make<void>()
        yield* Effect.gen(function* () {
          const waiting = yield* toldOf(change("1", "sub_a", "ann", 1, "active"))
          yield* settle
          assert.isFalse(yield* isDone(waiting))
          yield* Deferred.succeed(release, undefined)
          yield* goOn
          assert.isTrue(yield* isDone(waiting))
          const { countNotifications } = yield* BillingStore.BillingStore
          assert.deepStrictEqual(yield* countNotifications(), { unsettled: 0, waiting: 0, dead: 0 })
          const again = yield* toldOf(change("1", "sub_a", "ann", 1, "active"))
          yield* goOn
          assert.isTrue(yield* isDone(again))
        }).pipe(Effect.provide(stackOn(BillingStore.layerMemory, noting([], Deferred.await(release)))))
      })
    )

    it.effect("does not wait for the next call of one that has failed, nor without end for one that hangs", () =>
      Effect.gen(function* () {
        const release = yield* Deferred.make<void>()
        yield* Effect.gen(function* () {
          const failing = yield* toldOf(change("1", "sub_a", "ann", 1, "active"))
          const hanging = yield* toldOf(change("2", "sub_b", "bob", 1, "active"))
          yield* settle
          assert.isTrue(yield* isDone(failing))
          assert.isFalse(yield* isDone(hanging))
          yield* TestClock.adjust("15 seconds")
          yield* settle
          assert.isTrue(yield* isDone(hanging))
          yield* Deferred.succeed(release, undefined)
        }).pipe(
          Effect.provide(
            stackOn(BillingStore.layerMemory, ({ userId }) =>
              userId === "ann" ? Effect.die("no") : Effect.uninterruptible(Deferred.await(release))
            )
          )
        )
      })
    )

    it.effect("waits for what another process tells", () =>
      Effect.gen(function* () {
        yield* Effect.gen(function* () {
          const store = yield* BillingStore.BillingStore
          const other = { owner: "another", limit: 1, lease: Duration.minutes(1) }
          const { claimed } = yield* store.receiveDeliveries(
            [change("1", "sub_a", "ann", 1, "active")],
            defaultPolicy,
            other
          )
          const waiting = yield* toldOf(change("2", "sub_a", "ann", 2, "past_due"))
          yield* settle
          assert.isFalse(yield* isDone(waiting))
          yield* store.completeNotifications(
            claimed.map(({ id }) => id),
            "another"
          )
          yield* TestClock.adjust("2 seconds")
          yield* settle
          yield* TestClock.adjust("1 second")
          yield* settle
          assert.isTrue(yield* isDone(waiting))
        }).pipe(Effect.provide(stackOn(BillingStore.layerMemory, noting([]))))
      })
    )
  })

  it.effect("what comes next of a subscription takes the place of what it follows", () =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      const calls: Array<string> = []
      const busy = (notification: Notification) =>
        Effect.suspend(() => {
          most = Math.max(most, ++running)
          calls.push(label(notification))
          return Effect.zipRight(
            Effect.sleep("1 second"),
            Effect.sync(() => void running--)
          )
        })
      yield* Effect.gen(function* () {
        const statuses = ["active", "past_due", "active"]
        const all = ["a", "b", "c", "d", "e"].flatMap((name) =>
          statuses.map((status, n) => change(`${name}${n}`, `sub_${name}`, name, n, status))
        )
        const [first, ...rest] = all
        if (first !== undefined) yield* receive(first, ...rest)
        for (let second = 0; second < 12; second++) {
          yield* settle
          yield* TestClock.adjust("1 second")
        }
        assert.lengthOf(calls, 15)
        assert.strictEqual(most, 2)
      }).pipe(Effect.provide(stackOn(BillingStore.layerMemory, busy, { concurrency: 2 })))
    })
  )

  it.effect("counts calls by handler, and how long each change waited until it was taken", () =>
    Effect.gen(function* () {
      const handler = "onSubscriptionChange"
      const calls = (outcome: string) => Metric.value(Metrics.notificationCalls.with({ handler, outcome }))
      const counted = Effect.all({
        failed: Effect.map(calls("failed"), ({ count }) => count),
        told: Effect.map(calls("told"), ({ count }) => count),
        retried: Effect.map(Metric.value(Metrics.notificationRetries.with({ handler })), ({ count }) => count),
        lags: Effect.map(Metric.value(Metrics.notificationLag.with({ handler })), ({ count }) => count)
      })
      const before = yield* counted
      const refused: Array<string> = []
      const once = (notification: Notification) =>
        noting(refused, refused.length === 0 ? Effect.die("no") : Effect.void)(notification)
      yield* Effect.gen(function* () {
        yield* receive(change("1", "sub_a", "ann", 1, "active"))
        yield* settle
        yield* TestClock.adjust("1 minute")
        yield* settle
      }).pipe(Effect.provide(stackOn(BillingStore.layerMemory, once)))
      assert.deepStrictEqual(yield* counted, {
        failed: before.failed + 1,
        told: before.told + 1,
        retried: before.retried + 1,
        lags: before.lags + 1
      })
    })
  )

  it.effect("says whether anybody is told", () =>
    Effect.gen(function* () {
      const listens = (listener: Layer.Layer<SubscriptionListener.SubscriptionListener>) =>
        Effect.provide(
          Effect.map(NotificationDispatcher.NotificationDispatcher, (dispatcher) => [...dispatcher.handlers]),
          Layer.provide(NotificationDispatcher.layer(), Layer.merge(BillingStore.layerMemory, listener))
        )
      assert.deepStrictEqual(yield* listens(SubscriptionListener.layer(() => Effect.void)), ["onSubscriptionChange"])
      assert.deepStrictEqual(yield* listens(SubscriptionListener.layerCallback(() => {})), ["onSubscriptionChange"])
      assert.deepStrictEqual(yield* listens(SubscriptionListener.layerNoop), [])
      const more = Layer.provideMerge(SubscriptionListener.layerNoop, Handlers.layer({ onRefund: () => Effect.void }))
      assert.deepStrictEqual(yield* listens(more), ["onRefund"])
      const elsewhere = yield* Effect.provide(
        NotificationDispatcher.NotificationDispatcher,
        Layer.provide(NotificationDispatcher.layerElsewhere, BillingStore.layerMemory)
      )
      assert.deepStrictEqual([...elsewhere.handlers], ["onSubscriptionChange"])
    })
  )
})
