/** The proof that a delivery has one effect, however many copies of it come at the same time and to however many nodes. */

import type { Subscription, User } from "@kavach-polar/core/Subscription"
import { UserId } from "@kavach-polar/core/Subscription"
import {
  type Scene,
  type SentDelivery,
  subscriptionDelivery,
  subscriptionIn,
  timestamp,
  unreadableDelivery
} from "@kavach-polar/core/testing/polarDeliveries"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Cluster, openCluster, versionOf, withServer } from "./Cluster.ts"
import { signedRequest, startNode } from "./node.ts"
import { type Proof, type ProofOptions, storeNames } from "./Proof.ts"
import { randomOf } from "./seeded.ts"

export const storm: Proof = {
  name: "storm",
  promise: "Fifty copies of a delivery at the same time, at several nodes, have the effect of one.",
  stores: storeNames,
  defaultCount: 1000,
  run: (options) => withServer(options.store, (server) => Effect.runPromise(Effect.scoped(prove(options, server))))
}

const copies = 50

/** Deliveries that storm in at once, and what must be so afterwards. */
interface Gust {
  readonly index: number
  readonly deliveries: readonly [SentDelivery, ...ReadonlyArray<SentDelivery>]
  /** The delivery whose state wins; none where nothing is readable. */
  readonly newest: SentDelivery | undefined
  readonly userId: UserId | null
  /** How often each runs: once, or every time where running again may help. */
  readonly runs: number
}

const prove = ({ count, onlyIndex, progress, seed, store }: ProofOptions, server: string | undefined) =>
  Effect.gen(function* () {
    const all = gustsOf(count, seed)
    const gusts = onlyIndex === undefined ? all : all.filter(({ index }) => index === onlyIndex)
    const users = gusts.flatMap(({ userId }) => (userId === null ? [] : [userOf(userId)]))
    const nodes = store === "memory" ? 1 : store === "sqlite" ? 2 : 4
    const violations: Array<string> = []
    const called = new Map<string, number>()
    let [requests, refused] = [0, 0]

    // Memory grows slow with what it holds, so there it is a new one now and then.
    const together = store === "memory" ? 40 : gusts.length
    let version = ""
    for (let from = 0; from < gusts.length; from += together) {
      const part = gusts.slice(from, from + together)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const cluster = yield* openCluster({ store, server, nodes, users })
          version = yield* versionOf(store, cluster)
          const running = cluster.stores.map((one) =>
            startNode(one, (_userId, _subscription, { id }) => {
              called.set(id, (called.get(id) ?? 0) + 1)
            })
          )
          const send = (delivery: SentDelivery, copy: number) =>
            Effect.gen(function* () {
              const node = running[copy % running.length]
              if (node === undefined) return
              // A busy database answers 503, and Polar delivers again.
              for (let attempt = 1; ; attempt++) {
                requests++
                const response = yield* Effect.promise(() => node.webhook(signedRequest(delivery.id, delivery.body)))
                yield* Effect.promise(() => response.arrayBuffer())
                if (response.status === 200) return
                if (response.status !== 503 || attempt === 10) {
                  violations.push(`delivery ${delivery.id}: a copy was answered ${response.status}, attempt ${attempt}`)
                  return
                }
                refused++
                yield* Effect.sleep(Duration.millis(50 * 2 ** attempt))
              }
            })
          let done = from
          yield* Effect.forEach(
            part,
            ({ deliveries }) =>
              Effect.forEach(
                Array.from({ length: copies }, (_, copy) => copy),
                (copy) => Effect.forEach(deliveries, (delivery) => send(delivery, copy), { concurrency: "unbounded" }),
                { concurrency: copies, discard: true }
              ).pipe(
                Effect.tap(() => progress(`${++done} of ${gusts.length} storms, ${violations.length} violations`))
              ),
            { concurrency: 4, discard: true }
          )
          yield* Effect.forEach(running, (node) => Effect.promise(() => node.dispose()), { discard: true })
          const told = yield* Effect.map(leftOver(cluster), (left) => [...called.keys(), ...left])
          for (const gust of part) {
            const found = yield* wrongWith(gust, cluster, told)
            if (found.length === 0) continue
            violations.push(
              `storm ${gust.index}: ${found.join("; ")}. ` +
                `Again: npm run prove -- storm --store ${store} --count ${count} --seed ${seed} --only-index ${gust.index}`
            )
          }
        })
      )
    }
    const deliveries = gusts.reduce((sum, gust) => sum + gust.deliveries.length, 0)
    return {
      violations,
      figures: {
        deliveries,
        copies,
        nodes,
        requests,
        refusedAndSentAgain: refused,
        callbacks: [...called.values()].reduce((sum, calls) => sum + calls, 0),
        version
      }
    }
  })

const userOf = (id: UserId): User => ({
  id,
  email: Option.some(`${id}@example.test`),
  name: Option.none()
})

const gustsOf = (count: number, seed: number): ReadonlyArray<Gust> => {
  const gusts: Array<Gust> = []
  let deliveries = 0
  for (let index = 0; deliveries < count; index++) {
    const gust = gustOf(seed, index)
    gusts.push(gust)
    deliveries += gust.deliveries.length
  }
  return gusts
}

const gustOf = (seed: number, index: number): Gust => {
  const random = randomOf(seed, index)
  const userId = UserId.make(`usr_${seed.toString(36)}_${index}`)
  const scene: Scene = { customerId: random.uuid(), subscriptionId: random.uuid(), productId: random.uuid() }
  const id = (place: number) => `msg_${seed.toString(36)}_${index}_${place}`
  const kind = random.int(20)
  if (kind === 0) {
    const delivery = unreadableDelivery({ id: id(0), at: index })
    return { index, deliveries: [delivery], newest: undefined, userId: null, runs: copies }
  }
  if (kind === 1) {
    const delivery = subscriptionDelivery(scene, "created", { id: id(0), at: index, externalId: null })
    return { index, deliveries: [delivery], newest: delivery, userId: null, runs: copies }
  }
  if (kind < 8) {
    // Two states of one subscription, a microsecond apart, in each other's way.
    const older = subscriptionDelivery(scene, "created", { id: id(0), at: index, externalId: userId })
    const newer = subscriptionDelivery(scene, random.pick(["past_due", "revoked", "canceled"]), {
      id: id(1),
      timestamp: timestamp(index + 0.000001),
      externalId: userId
    })
    return { index, deliveries: [older, newer], newest: newer, userId, runs: 1 }
  }
  const type = random.pick(["created", "canceled", "past_due", "paused", "cycled", "revoked"])
  const delivery = subscriptionDelivery(scene, type, {
    id: id(0),
    at: index,
    externalId: userId,
    // The fixture's own end has passed.
    ...(type === "canceled" && random.chance(0.5) ? { patch: { ends_at: "2126-11-05T14:22:08.412Z" } } : {})
  })
  return { index, deliveries: [delivery], newest: delivery, userId, runs: 1 }
}

/** The ids of notifications that no node has delivered yet. */
const leftOver = ({ stores: [store] }: Cluster) =>
  Effect.gen(function* () {
    const left: Array<string> = []
    for (;;) {
      const { claimed } = yield* store.claimNotifications({ owner: "prove", limit: 100, lease: Duration.minutes(5) })
      if (claimed.length === 0) return left
      for (const { id } of claimed) {
        left.push(id)
        yield* store.completeNotifications([id], "prove")
      }
    }
  })

/** Whether it was canceled for a day that has passed. The days of these cases are months ago, or years away. */
const hasEnded = ({ cancelAtPeriodEnd, currentPeriodEnd, endsAt }: Subscription): boolean => {
  const at = endsAt ?? currentPeriodEnd
  return cancelAtPeriodEnd && at !== null && at.getTime() < Date.now()
}

const wrongWith = (gust: Gust, { projection, stores: [store] }: Cluster, told: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const found: Array<string> = []
    const { deliveries, newest, runs, userId } = gust
    const rows = yield* store.deliveries({ ids: deliveries.map(({ id }) => id), limit: 1000 })
    if (rows.length !== deliveries.length) {
      found.push(`the inbox has ${rows.length} rows for ${deliveries.length} deliveries`)
    }
    for (const row of rows) {
      if (row.attempts !== runs) found.push(`delivery ${row.id} ran ${row.attempts} times in place of ${runs}`)
    }
    if (newest === undefined || userId === null) {
      const state = newest === undefined ? "failed" : "unlinked"
      for (const row of rows) if (row.state !== state) found.push(`delivery ${row.id} is ${row.state}, not ${state}`)
      return found
    }
    const subscription = subscriptionIn(newest)
    const stored = yield* store.subscriptionsOf(userId, "all")
    if (stored.length !== 1) found.push(`the user has ${stored.length} subscriptions in place of one`)
    for (const { endedAt, id, status } of stored) {
      if (
        id !== subscription.id ||
        status !== subscription.status ||
        endedAt?.getTime() !== subscription.endedAt?.getTime()
      ) {
        found.push(`the subscription is ${status}, and must be ${subscription.status}`)
      }
    }
    const shown = yield* projection(userId)
    const shownId = subscription.isLive && !hasEnded(subscription) ? subscription.id : null
    if (shown?.subscriptionId !== shownId) found.push(`the projection shows ${shown?.subscriptionId}, not ${shownId}`)
    const queued = new Set(told.filter((id) => id.startsWith(`${subscription.id}:`)))
    const newestAt = newest.content.at
    if (queued.size < 1 || queued.size > deliveries.length) {
      found.push(`${queued.size} notifications are queued for ${deliveries.length} deliveries`)
    }
    if (![...queued].some((id) => id.startsWith(`${subscription.id}:${newestAt}:`))) {
      found.push("no notification tells of the newest state")
    }
    return found
  })
