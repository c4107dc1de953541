/** A key service is asked for a body when somebody reads it, and not where it is only looked what there is. */
import { assert, it } from "@effect/vitest"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Effect, Layer } from "effect"
import { deliveryOf, fixture } from "./deliveries.ts"

it.effect("what looks and reads no body decrypts none", () => {
  let decrypted = 0
  const store = BillingStore.encryptBodies({
    encrypt: (body) => Effect.succeed(body.toUpperCase().replace("{", "")),
    decrypt: () => Effect.sync(() => `{"nr":${++decrypted}}`)
  })(BillingStore.layerMemory)
  const ports = Layer.mergeAll(
    store,
    PolarClient.layerMemory,
    WebhookVerifier.layerMemory,
    SubscriptionListener.layerMemory
  )
  const layer = Layer.provideMerge(Billing.layer(), Layer.provideMerge(NotificationDispatcher.layer(), ports))
  return Effect.gen(function* () {
    const { applyDeliveries, deliveries } = yield* BillingStore.BillingStore
    yield* applyDeliveries([deliveryOf("evt_1", fixture("subscription.active"))], defaultPolicy)
    const billing = yield* Billing.Billing
    yield* billing.observe
    yield* billing.health
    yield* billing.diagnose
    const [listed] = yield* billing.operations.deliveries({ decrypt: false })
    assert.deepInclude(listed, { id: "evt_1", body: null, isEncrypted: true })
    assert.strictEqual(decrypted, 0)
    yield* deliveries({})
    assert.strictEqual(decrypted, 1)
  }).pipe(Effect.provide(layer))
})
