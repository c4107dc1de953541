/** The proof that arrival decides nothing: whatever the order, and however often, the same history ends the same. */
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import type { NotificationDispatcher } from "@kavach-polar/core/NotificationDispatcher"
import type { StoreError } from "@kavach-polar/core/StoreError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { makeLinkWaiting } from "../../packages/core/src/useCases/linkWaiting.ts"
import { type Arrival, inOrder, outOfOrder } from "./arrival.ts"
import { type Cluster, openCluster, versionOf, withServer } from "./Cluster.ts"
import { differences, type Told } from "./endState.ts"
import { type History, historyOf, userOf } from "./history.ts"
import { expectedOf } from "./model.ts"
import { type Proof, type ProofOptions, type StoreName, storeNames } from "./Proof.ts"
import { randomOf } from "./seeded.ts"

export const shuffle: Proof = {
  name: "shuffle",
  promise: "Deliveries of one history end in the same state in any order, with repetitions, and together or alone.",
  stores: storeNames,
  defaultCount: 1000,
  run: (options) => withServer(options.store, (server) => Effect.runPromise(Effect.scoped(prove(options, server))))
}

/** Histories that share two new databases, one for each way to arrive. A memory store looks at all it has. */
const together: Readonly<Record<StoreName, number>> = {
  memory: 4,
  sqlite: 250,
  libsql: 250,
  postgres: 500,
  mysql: 500,
  mariadb: 500
}

const prove = ({ count, onlyIndex, progress, seed, store }: ProofOptions, server: string | undefined) =>
  Effect.gen(function* () {
    const violations: Array<string> = []
    let [deliveries, repetitions, version] = [0, 0, ""]
    const first = onlyIndex ?? 0
    const end = onlyIndex === undefined ? count : onlyIndex + 1
    for (let from = first; from < end; from += together[store]) {
      const indexes = Array.from({ length: Math.min(together[store], end - from) }, (_, place) => from + place)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const users = indexes.flatMap((index) => {
            const { hasRow, user } = userOf(seed, index)
            return hasRow ? [user] : []
          })
          const nodes = store === "memory" || store === "sqlite" ? 1 : 3
          const straight = yield* openCluster({ store, server, users, nodes: 1 })
          const shaken = yield* openCluster({ store, server, users, nodes })
          version ||= yield* versionOf(store, straight)
          const toldStraight: Told = new Map()
          const toldShaken: Told = new Map()
          const histories = yield* Effect.forEach(
            indexes,
            (index) =>
              Effect.gen(function* () {
                const history = historyOf(seed, index)
                const random = randomOf(seed ^ 0x5bd1e995, index)
                const arrivals = outOfOrder(history, random)
                // Some arrive at the same time, at several nodes.
                const atOnce = random.chance(0.3) ? 3 : 1
                yield* play(straight, history, inOrder(history), 1, toldStraight)
                yield* play(shaken, history, arrivals, atOnce, toldShaken)
                deliveries += history.events.length
                repetitions += deliveriesIn(arrivals) - history.events.length
                progress(`${index + 1 - first} of ${end - first} histories, ${violations.length} violations`)
                return history
              }),
            { concurrency: store === "memory" ? 1 : 8 }
          )
          yield* notify(straight, toldStraight)
          yield* notify(shaken, toldShaken)
          yield* Effect.forEach(
            histories,
            (history) =>
              Effect.gen(function* () {
                const expected = expectedOf(history)
                const found = [
                  ...(yield* differences("in order", straight, history, expected, toldStraight)),
                  ...(yield* differences("shuffled", shaken, history, expected, toldShaken))
                ]
                if (found.length === 0) return
                violations.push(
                  `history ${history.index}: ${found.join("; ")}. ` +
                    `Again: npm run prove -- shuffle --store ${store} --seed ${seed} --only-index ${history.index}`
                )
              }),
            { concurrency: store === "memory" ? 1 : 8 }
          )
        })
      )
    }
    return {
      violations,
      figures: {
        histories: end - first,
        deliveries,
        repetitions,
        nodes: store === "memory" || store === "sqlite" ? 1 : 3,
        version
      }
    }
  })

const play = (cluster: Cluster, history: History, arrivals: ReadonlyArray<Arrival>, atOnce: number, told: Told) => {
  let turn = history.index
  return Effect.forEach(
    arrivals,
    (arrival): Effect.Effect<unknown, unknown> => {
      const store = cluster.stores[turn++ % cluster.stores.length] ?? cluster.stores[0]
      switch (arrival._tag) {
        case "Deliver":
          return comesAgain(store.applyDeliveries(arrival.deliveries, defaultPolicy))
        case "Link":
          return comesAgain(
            store.linkCustomer(
              { customerId: history.customerId, userId: history.user.id, linkedBy: "host" },
              defaultPolicy
            )
          )
        case "Checkouts":
          return Effect.forEach(history.checkouts, (checkout) =>
            comesAgain(store.recordCheckout({ ...checkout, userId: history.user.id }))
          )
        case "LinkWaiting":
          return comesAgain(makeLinkWaiting({ store, dispatcher: nobodyWakes, policy: defaultPolicy }))
        case "Notify":
          return notify(cluster, told)
      }
    },
    { concurrency: atOnce, discard: true }
  )
}

/** Notifications are taken where a history says so. */
const nobodyWakes: typeof NotificationDispatcher.Service = {
  listens: true,
  wake: Effect.void,
  receiving: () => Effect.dieMessage("deliveries are applied, and not received")
}

/** As Polar does with an answer of 503. */
const comesAgain = <A, E>(step: Effect.Effect<A, StoreError | E>) =>
  Effect.retry(step, {
    times: 10,
    while: (error) => typeof error === "object" && error !== null && "reason" in error && error.reason === "busy"
  })

/** Takes what is queued until nothing is left, and remembers what was told of each subscription. */
const notify = ({ stores: [store] }: Cluster, told: Told) =>
  Effect.gen(function* () {
    for (;;) {
      const { claimed } = yield* store.claimNotifications({ owner: "prove", limit: 100, lease: Duration.minutes(5) })
      if (claimed.length === 0) return
      for (const { id, subscription } of claimed) {
        const shown = { ...subscription, currentPeriodEnd: subscription.currentPeriodEnd?.getTime() ?? null }
        told.set(subscription.id, [...(told.get(subscription.id) ?? []), shown])
        yield* store.completeNotifications([id], "prove")
      }
    }
  })

const deliveriesIn = (arrivals: ReadonlyArray<Arrival>): number =>
  arrivals.reduce((sum, arrival) => sum + (arrival._tag === "Deliver" ? arrival.deliveries.length : 0), 0)
