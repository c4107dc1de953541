/** A change of a subscription whose answer was lost. */
import { assert, it } from "@effect/vitest"
import * as AccessPolicy from "@kavach-polar/core/AccessPolicy"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { PolarTimeout, PolarUnavailable } from "@kavach-polar/core/PolarError"
import { UserId } from "@kavach-polar/core/Subscription"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Effect, Layer } from "effect"
import { anonymousCustomer, deliveryOf, vary } from "./deliveries.ts"

const user = UserId.make("usr_1042")

it.effect("that cannot be asked about either may have been made, and the caller is told so", () =>
  Effect.gen(function* () {
    const client = yield* PolarClient.PolarClient
    const store = yield* BillingStore.BillingStore
    const data = { ...anonymousCustomer("cus_1", user), ended_at: null, status: "active" }
    yield* store.applyDeliveries(
      [deliveryOf("evt_1", vary("subscription.created", { data }))],
      AccessPolicy.defaultPolicy
    )
    const lost = new PolarTimeout({ operation: "cancel subscription", seconds: 15, mayHaveActed: true })
    const away = new PolarUnavailable({
      operation: "get subscription",
      status: 503,
      reason: "it answered 503",
      retryAfterSeconds: null,
      // Nothing acted of a question.
      mayHaveActed: false
    })
    const layer = Billing.layer({ externalIds: "trust" }).pipe(
      Layer.provide(NotificationDispatcher.layer()),
      Layer.provide(
        Layer.succeed(PolarClient.PolarClient, {
          ...client,
          updateSubscription: () => lost,
          getSubscription: () => away
        })
      )
    )
    const error = yield* Effect.flatMap(Billing.Billing, ({ subscriptions }) =>
      Effect.flip(subscriptions.cancel(user))
    ).pipe(Effect.provide(layer))
    assert.deepStrictEqual(
      { tag: error._tag, mayHaveActed: "mayHaveActed" in error && error.mayHaveActed },
      { tag: "PolarTimeout", mayHaveActed: true }
    )
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.mergeAll(
        BillingStore.layerMemoryWith([]),
        PolarClient.layerMemory,
        WebhookVerifier.layerMemory,
        SubscriptionListener.layerMemory
      )
    )
  )
)
