/** A replay on SQLite, whose calls are synchronous, leaves the process its turns. */
import { expect, it } from "@effect/vitest"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import * as Billing from "@kavach-polar/core/Billing"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Array as Arr, Effect, Layer } from "effect"
import { anonymousCustomer, deliveryOf, vary } from "../../core/test/deliveries.ts"

const page = 100
const recorded = 2 * page + 50

const layer = Billing.layer().pipe(
  Layer.provideMerge(NotificationDispatcher.layer()),
  Layer.provideMerge(
    Layer.mergeAll(
      SqliteStore.layer({ filename: ":memory:" }),
      PolarClient.layerMemory,
      WebhookVerifier.layerMemory,
      SubscriptionListener.layerMemory
    )
  )
)

const waiting = Arr.makeBy(recorded, (index) =>
  deliveryOf(
    `evt_${index}`,
    vary("subscription.active", {
      data: { ...anonymousCustomer(`cus_${index}`), id: `sub_${index}`, checkout_id: null, metadata: {} }
    }),
    index
  )
)

/** Counts the turns of the event loop, as another task of the process has them. */
const countTurns = Effect.acquireRelease(
  Effect.sync(() => {
    const task = { turns: 0, next: undefined as NodeJS.Immediate | undefined }
    const turn = () => {
      task.turns += 1
      task.next = setImmediate(turn)
    }
    turn()
    return task
  }),
  (task) => Effect.sync(() => clearImmediate(task.next))
)

it.scopedLive("between two pages of deliveries of a state, another task has its turn", () =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    yield* store.migrate
    yield* store.applyDeliveries(waiting, defaultPolicy)
    const task = yield* countTurns
    const replayedIn = new Map<number, number>()
    let before = 0
    const billing = yield* Billing.Billing
    const report = yield* billing.replay(
      { states: ["unlinked"] },
      {
        onProgress: ({ replayed }) =>
          Effect.sync(() => {
            replayedIn.set(task.turns, (replayedIn.get(task.turns) ?? 0) + replayed - before)
            before = replayed
          })
      }
    )
    expect(report.replayed).toBe(recorded)
    expect(Math.max(...replayedIn.values())).toBeLessThanOrEqual(page)
  }).pipe(Effect.provide(layer))
)
