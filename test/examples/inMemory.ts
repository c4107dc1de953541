import {
  Billing,
  NotificationDispatcher,
  PolarClient,
  SubscriptionListener,
  SubscriptionStore,
  WebhookVerifier
} from "@kavach-polar/core"
import { Layer } from "effect"

// No database, no network: the same use cases over the in-memory layer of every port.
const Ports = Layer.mergeAll(
  SubscriptionStore.layerMemory,
  PolarClient.layerMemory,
  WebhookVerifier.layerMemory,
  SubscriptionListener.layerMemory
)

export const BillingTest = Billing.layer().pipe(
  Layer.provideMerge(NotificationDispatcher.layer()),
  Layer.provideMerge(Ports)
)
