import {
  Billing,
  BillingStore,
  NotificationDispatcher,
  PolarClient,
  SubscriptionListener,
  WebhookVerifier
} from "@kavach-polar/core"
import { Layer } from "effect"

// No database, no network: the same use cases over the in-memory layer of every port.
const Ports = Layer.mergeAll(
  BillingStore.layerMemory,
  PolarClient.layerMemory,
  WebhookVerifier.layerMemory,
  SubscriptionListener.layerMemory
)

export const BillingTest = Billing.layer().pipe(
  Layer.provideMerge(NotificationDispatcher.layer()),
  Layer.provideMerge(Ports)
)
