import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import type { Delivery } from "../../records/Delivery.ts"
import type { UserId } from "../../records/Subscription.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import type { HandlerNames } from "../../rules/handlers.ts"
import type { ClaimedNotification } from "../../rules/told.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import type { StepOptions } from "../../store/BillingStoreService.ts"
import { type ContractSuite, trusting } from "../ContractSuite.ts"
import {
  type GrantScene,
  grantDelivery,
  newGrant,
  newPurchase,
  newScene,
  orderDelivery,
  subscriptionDelivery
} from "../polarDeliveries.ts"

const lease = Duration.minutes(1)

const names = (...handlers: ReadonlyArray<string>): HandlerNames => new Set(handlers)

/** Each in a step of its own, heard by these handlers. */
const applyHeard = (handlers: HandlerNames, deliveries: ReadonlyArray<Delivery>, options: StepOptions = trusting) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    for (const delivery of deliveries) yield* store.applyDeliveries([delivery], defaultPolicy, { ...options, handlers })
  })

/** All in one step. */
const applyTogether = (handlers: HandlerNames, [first, ...rest]: readonly [Delivery, ...ReadonlyArray<Delivery>]) =>
  Effect.flatMap(BillingStore, (store) =>
    store.applyDeliveries([first, ...rest], defaultPolicy, { ...trusting, handlers })
  )

/** Takes and completes what is queued for these handlers, until nothing is left. */
const toldTo = (handlers: HandlerNames) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const owner = randomUUID()
    const taken: Array<ClaimedNotification> = []
    for (;;) {
      const { claimed } = yield* store.claimNotifications({ owner, limit: 100, lease, handlers })
      if (claimed.length === 0) return taken
      for (const one of claimed) {
        expect(yield* store.completeNotifications([one.id], owner)).toEqual([one.id])
        taken.push(one)
      }
    }
  })

const ofUser = (told: ReadonlyArray<ClaimedNotification>, userId: UserId) => told.filter((one) => one.userId === userId)

/** `denied -> granted by event`, in the order of telling. */
const flips = (told: ReadonlyArray<ClaimedNotification>, userId: UserId) =>
  ofUser(told, userId).flatMap(({ told: what }) =>
    what._tag === "AccessChange"
      ? [`${what.change.before.entitlement} -> ${what.change.after.entitlement} by ${what.change.cause.by}`]
      : []
  )

const benefitsTold = (told: ReadonlyArray<ClaimedNotification>, userId: UserId) =>
  ofUser(told, userId).flatMap(({ told: what }) =>
    what._tag === "BenefitChange" ? [`${what.isGranted ? "+" : "-"} ${what.benefit.benefitId}`] : []
  )

const grant = (scene: GrantScene, userId: UserId, at: number, isGranted: boolean) =>
  grantDelivery(scene, isGranted ? "updated.discord" : "revoked.member", {
    at,
    externalId: userId,
    patch: { is_granted: isGranted, is_revoked: !isGranted, error: null }
  })

/** Whom the app has told of what: each handler by itself. */
export const handlers = (suite: ContractSuite): void => {
  const { it, nextUser } = suite

  it.effect("nothing is queued for a handler that there is not, and nothing is taken from another's queue", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const user = nextUser().id
      const heard = names("onSubscriptionChange", "onAccessChange")
      const scene = newScene()
      yield* applyHeard(heard, [subscriptionDelivery(scene, "active", { externalId: user })])
      expect(ofUser(yield* toldTo(names("subscription.active", "*", "onPurchase")), user)).toEqual([])
      const access = yield* toldTo(names("onAccessChange"))
      expect(flips(access, user)).toEqual(["denied -> granted by event"])
      const { claimed } = yield* store.claimNotifications({ owner: "a", limit: 100, lease })
      expect(claimed.map(({ handler }) => handler)).toEqual(claimed.map(() => "onSubscriptionChange"))
      for (const { id } of claimed) yield* store.completeNotifications([id], "a")
    })
  )

  it.effect("an event is told once to each handler that hears it, as Polar sent it, however often it comes", () =>
    Effect.gen(function* () {
      const user = nextUser().id
      const heard = names("order.paid", "*")
      const purchase = newPurchase()
      const paid = orderDelivery(purchase, "paid.purchase", { externalId: user, at: 2 })
      const created = orderDelivery(purchase, "created.purchase", { externalId: user, at: 1 })
      // Late, and twice: what was told stays told, and what is old is news all the same.
      yield* applyHeard(heard, [paid, created, paid, created])
      const told = ofUser(yield* toldTo(heard), user)
      expect(
        told.map(({ handler, told: what }) => [handler, what._tag === "Event" ? what.event.type : ""]).sort()
      ).toEqual([
        ["*", "order.created"],
        ["*", "order.paid"],
        ["order.paid", "order.paid"]
      ])
      const [one] = told.filter(({ handler }) => handler === "order.paid")
      expect(one?.told).toMatchObject({
        deliveryId: paid.id,
        event: { data: { id: purchase.orderId, status: "paid" } }
      })
      // Those that wait are told in the order in which they happened.
      expect(
        told.flatMap(({ handler, told: what }) => (handler === "*" && what._tag === "Event" ? [what.event.type] : []))
      ).toEqual(["order.created", "order.paid"])
      yield* applyHeard(heard, [paid])
      expect(ofUser(yield* toldTo(heard), user)).toEqual([])
    })
  )

  it.effect("an event that is nobody's is told with no user, and a replay tells again only if it is asked to", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const heard = names("subscription.active")
      const event = subscriptionDelivery(newScene(), "active")
      const mine = (told: ReadonlyArray<ClaimedNotification>) =>
        told.filter(({ told: what }) => what._tag === "Event" && what.deliveryId === event.id)
      yield* applyHeard(heard, [event], {})
      expect(mine(yield* toldTo(heard)).map(({ userId }) => userId)).toEqual([null])
      yield* store.applyDeliveries([event], defaultPolicy, { handlers: heard, replay: true })
      expect(mine(yield* toldTo(heard))).toEqual([])
      yield* TestClock.adjust("1 second")
      yield* store.applyDeliveries([event], defaultPolicy, { handlers: heard, replay: true, tellAgain: true })
      expect(mine(yield* toldTo(heard))).toHaveLength(1)
    })
  )

  it.effect("of events each counts: one that fails holds up the next of its record, and is never left out", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const user = nextUser().id
      const heard = names("subscription.updated", "subscription.active")
      const scene = newScene()
      const updated = (at: number) => subscriptionDelivery(scene, "updated", { externalId: user, at })
      yield* applyHeard(heard, [
        updated(1),
        updated(2),
        updated(3),
        subscriptionDelivery(scene, "active", { externalId: user, at: 4 })
      ])
      const claim = Effect.map(
        store.claimNotifications({ owner: "a", limit: 100, lease, handlers: heard }),
        ({ claimed }) => ofUser(claimed, user)
      )
      const first = yield* claim
      expect(first.map(({ handler }) => handler).sort()).toEqual(["subscription.active", "subscription.updated"])
      const failing = first.find(({ handler }) => handler === "subscription.updated")
      expect(yield* store.retryNotification(failing?.id ?? "", "a", "no", Duration.hours(1))).toBe("kept")
      expect(yield* claim).toEqual([])
      expect(
        yield* store.completeNotifications(
          first.map(({ id }) => id),
          "a"
        )
      ).toHaveLength(1)
      yield* TestClock.adjust("1 hour")
      const rest = ofUser(yield* toldTo(heard), user)
      expect(rest.map(({ attempt, id }) => [id === failing?.id, attempt])).toEqual([
        [true, 2],
        [false, 1],
        [false, 1]
      ])
    })
  )

  it.effect("access: each flip is told once, in order, and nothing else is", () =>
    Effect.gen(function* () {
      const user = nextUser().id
      const heard = names("onAccessChange")
      const scene = newScene()
      const event = (type: string, at: number) => subscriptionDelivery(scene, type, { externalId: user, at })
      const active = event("active", 1)
      yield* applyHeard(heard, [active, active, event("updated", 2)])
      yield* applyTogether(heard, [event("revoked", 3), event("resumed", 4), event("revoked", 5)])
      expect(flips(yield* toldTo(heard), user)).toEqual([
        "denied -> granted by event",
        "granted -> denied by event",
        "denied -> granted by event",
        "granted -> denied by event"
      ])
    })
  )

  it.effect("access: an old subscription that ends while a new one gives access is no flip", () =>
    Effect.gen(function* () {
      const user = nextUser().id
      const heard = names("onAccessChange")
      const [old, next] = [newScene(), newScene()]
      yield* applyHeard(heard, [
        subscriptionDelivery(old, "active", { externalId: user, at: 1, patch: { checkout_id: null } }),
        subscriptionDelivery(next, "active", { externalId: user, at: 2, patch: { checkout_id: null } }),
        subscriptionDelivery(old, "revoked", { externalId: user, at: 3, patch: { checkout_id: null } })
      ])
      expect(flips(yield* toldTo(heard), user)).toEqual(["denied -> granted by event"])
    })
  )

  it.effect("access: the clock's flip is told once, whoever looks and whatever comes meanwhile", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const user = nextUser().id
      const heard = names("onAccessChange")
      const scene = newScene()
      const now = yield* Clock.currentTimeMillis
      const end = new Date(now + 3_600_000).toISOString()
      const canceling = (at: number) =>
        subscriptionDelivery(scene, "canceled", {
          externalId: user,
          at,
          patch: { status: "active", cancel_at_period_end: true, current_period_end: end, ends_at: end, ended_at: null }
        })
      yield* applyHeard(heard, [canceling(1)])
      yield* TestClock.adjust("3 hours")
      // Another of the same user's subscriptions is written before anybody has looked at the clock.
      yield* applyHeard(heard, [
        subscriptionDelivery(newScene(), "revoked", { externalId: user, at: 2, patch: { checkout_id: null } })
      ])
      const due = [{ kind: "subscription", id: scene.subscriptionId }]
      yield* Effect.forEach([1, 2, 3], () => store.lookAtClock(due, defaultPolicy, { handlers: heard }), {
        concurrency: 3
      })
      yield* applyHeard(heard, [canceling(3)])
      expect(flips(yield* toldTo(heard), user)).toEqual(["denied -> granted by event", "granted -> denied by clock"])
    })
  )

  it.effect("access: what an operator moves flips for both users", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const [from, to] = [nextUser().id, nextUser().id]
      const heard = names("onAccessChange")
      const scene = newScene()
      yield* applyHeard(heard, [subscriptionDelivery(scene, "active", { externalId: from })])
      yield* store.changeLink(
        { changeId: randomUUID(), action: "move", id: scene.customerId, to, by: "Lin" },
        defaultPolicy,
        { handlers: heard }
      )
      const told = yield* toldTo(heard)
      expect(flips(told, from)).toEqual(["denied -> granted by event", "granted -> denied by operator"])
      expect(flips(told, to)).toEqual(["denied -> granted by operator"])
    })
  )

  it.effect("an older flip makes way for a newer one when the handler does not take it", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const user = nextUser().id
      const heard = names("onAccessChange")
      const scene = newScene()
      yield* applyHeard(heard, [subscriptionDelivery(scene, "active", { externalId: user, at: 1 })])
      const { claimed } = yield* store.claimNotifications({ owner: "a", limit: 100, lease, handlers: heard })
      const [first] = ofUser(claimed, user)
      yield* store.retryNotification(first?.id ?? "", "a", "no", Duration.hours(5))
      yield* applyHeard(heard, [subscriptionDelivery(scene, "revoked", { externalId: user, at: 2 })])
      expect(flips(yield* toldTo(heard), user)).toEqual(["granted -> denied by event"])
      yield* TestClock.adjust("6 hours")
      expect(ofUser(yield* toldTo(heard), user)).toEqual([])
    })
  )

  it.effect("benefits: told with the first grant and with the last, never of one that needs an action", () =>
    Effect.gen(function* () {
      const user = nextUser().id
      const heard = names("onBenefitChange")
      const one = newGrant()
      const other = newGrant({ benefitId: one.benefitId, customerId: one.customerId })
      const needsAction = grantDelivery(one, "created.discord.action_required", { at: 1, externalId: user })
      yield* applyHeard(heard, [needsAction])
      expect(benefitsTold(yield* toldTo(heard), user)).toEqual([])
      yield* applyHeard(heard, [
        grant(one, user, 2, true),
        grant(other, user, 3, true),
        grant(one, user, 4, false),
        grant(other, user, 5, false),
        // The id comes back to life.
        grant(one, user, 6, true)
      ])
      expect(benefitsTold(yield* toldTo(heard), user)).toEqual([
        `+ ${one.benefitId}`,
        `- ${one.benefitId}`,
        `+ ${one.benefitId}`
      ])
    })
  )

  it.effect("orders: paid and given back, each once, with what is still owned", () =>
    Effect.gen(function* () {
      const user = nextUser().id
      const heard = names("onPurchase", "onRefund")
      const purchase = newPurchase()
      const order = (name: string, at: number, patch: Readonly<Record<string, unknown>>) =>
        orderDelivery(purchase, name, { externalId: user, at, patch })
      yield* applyHeard(heard, [
        order("created.purchase", 1, { status: "pending", refunded_amount: 0 }),
        order("paid.purchase", 2, { status: "paid", refunded_amount: 0 }),
        order("updated.purchase", 3, { status: "paid", refunded_amount: 0 }),
        order("updated.purchase", 4, { status: "partially_refunded", refunded_amount: 500 }),
        // A refund that was reverted, and made once more.
        order("updated.purchase", 5, { status: "paid", refunded_amount: 0 }),
        order("updated.purchase", 6, { status: "refunded", refunded_amount: 1900 })
      ])
      const told = ofUser(yield* toldTo(heard), user)
      expect(told.flatMap(({ told: what }) => (what._tag === "Purchase" ? [what.order.id] : []))).toEqual([
        purchase.orderId
      ])
      expect(
        told.flatMap(({ told: what }) =>
          what._tag === "Refund" ? [[what.refund.amount, what.refund.total, what.refund.stillOwned]] : []
        )
      ).toEqual([
        [500, 500, false],
        [1900, 1900, false]
      ])
    })
  )

  it.effect("the same sum given back again in one microsecond, after a refund that failed, is told again", () =>
    Effect.gen(function* () {
      const user = nextUser().id
      const heard = names("onPurchase", "onRefund")
      const purchase = newPurchase()
      const order = (at: number, changedAt: number, patch: Readonly<Record<string, unknown>>) =>
        orderDelivery(purchase, "updated.purchase", {
          externalId: user,
          at,
          patch: { ...patch, modified_at: `2026-10-01T00:00:00.00${changedAt}000Z` }
        })
      yield* applyHeard(heard, [
        order(1, 1, { status: "paid", refunded_amount: 0 }),
        order(2, 2, { status: "refunded", refunded_amount: 1900 }),
        order(2, 3, { status: "paid", refunded_amount: 0 }),
        order(2, 4, { status: "refunded", refunded_amount: 1900 })
      ])
      const told = ofUser(yield* toldTo(heard), user)
      expect(
        told.flatMap(({ told: what }) => (what._tag === "Refund" ? [[what.refund.amount, what.refund.total]] : []))
      ).toEqual([
        [1900, 1900],
        [1900, 1900]
      ])
    })
  )

  it.effect("a purchase that is heard of when it was given back is told once, whatever becomes of the refund", () =>
    Effect.gen(function* () {
      const user = nextUser().id
      const heard = names("onPurchase", "onRefund")
      const purchase = newPurchase()
      const order = (name: string, at: number, patch: Readonly<Record<string, unknown>>) =>
        orderDelivery(purchase, name, { externalId: user, at, patch })
      yield* applyHeard(heard, [
        order("updated.purchase", 3, { status: "refunded", refunded_amount: 1900 }),
        order("paid.purchase", 1, { status: "paid", refunded_amount: 0 }),
        order("updated.purchase", 2, { status: "paid", refunded_amount: 0 }),
        // The refund failed.
        order("updated.purchase", 4, { status: "paid", refunded_amount: 0 })
      ])
      const told = ofUser(yield* toldTo(heard), user)
      expect(told.map(({ handler }) => handler).sort()).toEqual(["onPurchase", "onRefund"])
    })
  )

  it.effect("a purchase is told its user when they are known", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const user = nextUser().id
      const heard = names("onPurchase")
      const purchase = newPurchase()
      yield* applyHeard(heard, [orderDelivery(purchase, "paid.purchase", { patch: { checkout_id: null } })], {})
      expect(ofUser(yield* toldTo(heard), user)).toEqual([])
      yield* store.changeLink(
        { changeId: randomUUID(), action: "link", id: purchase.customerId, to: user, by: null },
        defaultPolicy,
        { handlers: heard }
      )
      expect(ofUser(yield* toldTo(heard), user).map(({ told: what }) => what._tag)).toEqual(["Purchase"])
    })
  )
}
