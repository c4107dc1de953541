import {
  Billing,
  BillingStore,
  NotificationDispatcher,
  SubscriptionListener,
  WebhookVerifier
} from "@kavach-polar/core"
import { ProductId, UserId } from "@kavach-polar/core/Subscription"
import { Seed, Simulator } from "@kavach-polar/simulator"
import { Effect, Layer } from "effect"

const Polar = Simulator.layer().pipe(Layer.provide(Simulator.layerNoNetwork))

const BillingTest = Billing.layer().pipe(
  Layer.provideMerge(NotificationDispatcher.layer()),
  Layer.provideMerge(
    Layer.mergeAll(
      BillingStore.layerMemory,
      Simulator.layerClient,
      WebhookVerifier.layerMemory,
      SubscriptionListener.layerMemory
    )
  ),
  Layer.provideMerge(Polar)
)

export const accessOfABuyer = Effect.gen(function* () {
  const billing = yield* Billing.Billing
  const simulator = yield* Simulator.Simulator
  yield* simulator.connect(
    ({ body, headers }) =>
      Effect.match(billing.receiveWebhook(headers, body), { onFailure: () => 503, onSuccess: () => 200 }),
    { secret: WebhookVerifier.memorySecret }
  )
  // A bad way from Polar to the app: what is lost comes again later, some of it twice, some of it in another order.
  yield* simulator.setChaos({ duplicates: 0.5, reorder: 0.5, drops: 0.2 })

  const userId = UserId.make("user_1")
  const checkout = yield* billing.createCheckout(userId, ProductId.make(Seed.products.pro.id))
  yield* simulator.pay(checkout.id, { customer_email: "ada@acme-mail.dev" })
  yield* simulator.advance("1 hour")
  return yield* billing.access(userId)
}).pipe(Effect.provide(BillingTest))
