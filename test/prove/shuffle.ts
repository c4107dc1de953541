/** The proof that arrival decides nothing: whatever the order, and however often, the same history ends the same. */
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import type { NotificationDispatcher } from "@kavach-polar/core/NotificationDispatcher"
import type { StoreError } from "@kavach-polar/core/StoreError"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { AppUsers } from "../../packages/core/src/rules/identity.ts"
import type { AskAppUsers } from "../../packages/core/src/useCases/appUsers.ts"
import { makeLinkWaiting } from "../../packages/core/src/useCases/linkWaiting.ts"
import { type Arrival, inOrder, outOfOrder } from "./arrival.ts"
import { type Cluster, openCluster, versionOf, withServer } from "./Cluster.ts"
import { differences } from "./endState.ts"
import { type History, historyOf, userOf } from "./history.ts"
import { expectedOf } from "./model.ts"
import { type Proof, type ProofOptions, type StoreName, storeNames } from "./Proof.ts"
import { randomOf } from "./seeded.ts"
import { everyHandler, nothingTold, type Told, tell } from "./told.ts"

export const shuffle: Proof = {
  name: "shuffle",
  promise: "Deliveries of one history end in the same state in any order, with repetitions, and together or alone.",
  stores: storeNames,
  defaultCount: 1000,
  run: (options) =>
    withServer(options.store, (server) =>
      Effect.runPromise(Effect.withClock(Effect.scoped(prove(options, server)), stoppedAt(dayOf(options.seed))))
    )
}

/**
 * The day on which everything is delivered: the clock takes away what was to end by then. It is another one for each seed, some
 * time in the histories, and it stands still, so that every case ends the same however long the run takes. It has passed, so
 * what is queued on it is due: that is taken when the run does.
 */
const dayOf = (seed: number): number => Date.parse("2026-10-05T00:00:00Z") + randomOf(seed, -1).int(50 * 86_400_000)

const stoppedAt = (millis: number): Clock.Clock => {
  const real = Clock.make()
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => millis,
    currentTimeMillis: Effect.succeed(millis),
    unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
    currentTimeNanos: real.currentTimeNanos,
    sleep: (duration) => real.sleep(duration)
  }
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
    let [deliveries, repetitions, calls, version] = [0, 0, 0, ""]
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
          const toldStraight = nothingTold()
          const toldShaken = nothingTold()
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
                const expected = expectedOf(history, dayOf(seed))
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
          for (const told of [toldStraight, toldShaken]) {
            for (const [id, times] of told.ids) {
              calls += times
              if (times > 1) violations.push(`notification ${id} was told ${times} times`)
            }
          }
        })
      )
    }
    return {
      violations,
      figures: {
        histories: end - first,
        deliveries,
        repetitions,
        calls,
        nodes: store === "memory" || store === "sqlite" ? 1 : 3,
        version
      }
    }
  })

/** Order is what is proved here: whom Polar names is a user, with a row or without. */
const everybody: AppUsers = { externalIds: "trust" }

const askAppUsers: AskAppUsers = {
  users: everybody,
  among: () => Effect.succeed(everybody),
  has: () => Effect.succeed(true)
}

const play = (cluster: Cluster, history: History, arrivals: ReadonlyArray<Arrival>, atOnce: number, told: Told) => {
  let turn = history.index
  return Effect.forEach(
    arrivals,
    (arrival): Effect.Effect<unknown, unknown> => {
      const store = cluster.stores[turn++ % cluster.stores.length] ?? cluster.stores[0]
      switch (arrival._tag) {
        case "Deliver":
          return comesAgain(
            store.applyDeliveries(arrival.deliveries, defaultPolicy, { users: everybody, handlers: everyHandler })
          )
        case "Link":
          return comesAgain(
            store.linkCustomer(
              { customerId: history.customerId, userId: history.user.id, linkedBy: "host" },
              defaultPolicy,
              { handlers: everyHandler }
            )
          )
        case "Checkouts":
          return Effect.forEach(history.checkouts, (checkout) =>
            comesAgain(
              store.recordCheckout({ ...checkout, userId: history.user.id }, defaultPolicy, { handlers: everyHandler })
            )
          )
        case "LinkWaiting":
          return comesAgain(
            makeLinkWaiting({
              store,
              dispatcher: nobodyWakes,
              policy: defaultPolicy,
              organizationId: undefined,
              askAppUsers
            })
          )
        case "Notify":
          return notify(cluster, told)
      }
    },
    { concurrency: atOnce, discard: true }
  )
}

/** Notifications are taken where a history says so. */
const nobodyWakes: typeof NotificationDispatcher.Service = {
  handlers: everyHandler,
  wake: Effect.void,
  receiving: () => Effect.dieMessage("deliveries are applied, and not received"),
  told: () => Effect.void
}

/** As Polar does with an answer of 503. */
const comesAgain = <A, E>(step: Effect.Effect<A, StoreError | E>) =>
  Effect.retry(step, {
    times: 10,
    while: (error) => typeof error === "object" && error !== null && "reason" in error && error.reason === "busy"
  })

/** Takes what is queued until nothing is left, and remembers what was told. */
const notify = ({ stores: [store] }: Cluster, told: Told) =>
  Effect.gen(function* () {
    for (;;) {
      const { claimed } = yield* store.claimNotifications({
        owner: "prove",
        limit: 100,
        lease: Duration.minutes(5),
        handlers: everyHandler
      })
      if (claimed.length === 0) return
      for (const one of claimed) tell(told, one)
      yield* store.completeNotifications(
        claimed.map(({ id }) => id),
        "prove"
      )
    }
  }).pipe(Effect.withClock(Clock.make()))

const deliveriesIn = (arrivals: ReadonlyArray<Arrival>): number =>
  arrivals.reduce((sum, arrival) => sum + (arrival._tag === "Deliver" ? arrival.deliveries.length : 0), 0)
