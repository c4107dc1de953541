/** What a command, which has no handlers, queues for those of the app. */
import { assert, describe, it } from "@effect/vitest"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as Handlers from "@kavach-polar/core/Handlers"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Context, Effect, Layer } from "effect"

const others = Layer.merge(PolarClient.layerMemory, WebhookVerifier.layerMemory)

const app = (handlers: Handlers.AppHandlers<Effect.Effect<void>>) =>
  Layer.provide(
    Billing.layer(),
    Layer.merge(
      others,
      Layer.provide(
        NotificationDispatcher.layer(),
        Layer.merge(SubscriptionListener.layerNoop, Handlers.layer(handlers))
      )
    )
  )

const started = Effect.flatMap(Billing.Billing, ({ start }) => start)

/** For whom a process would queue that has no handlers of its own. */
const heardElsewhere = Effect.map(Effect.scoped(Layer.build(NotificationDispatcher.layerElsewhere)), (context) => [
  ...Context.get(context, NotificationDispatcher.NotificationDispatcher).handlers
])

describe("a process that has no handlers", () => {
  it.effect("queues for those that the app had when it started last", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* heardElsewhere, ["onSubscriptionChange"])
      yield* Effect.provide(started, app({ onRefund: () => Effect.void, on: { "order.paid": () => Effect.void } }))
      assert.deepStrictEqual(yield* heardElsewhere, ["onRefund", "order.paid"])
      yield* Effect.provide(started, app({}))
      assert.deepStrictEqual(yield* heardElsewhere, [])
    }).pipe(Effect.provide(BillingStore.layerMemory))
  )
})
