/** Polar's objects as its API and its webhooks write them, with the fields that the server sends and documents nowhere. */
export { checkout, checkoutPublic } from "./wire/CheckoutWire.ts"
export { customer, customerSession, customerState, keptExternalId } from "./wire/CustomerWire.ts"
export { order } from "./wire/OrderWire.ts"
export { product } from "./wire/ProductWire.ts"
export { refund } from "./wire/RefundWire.ts"
export { subscription } from "./wire/SubscriptionWire.ts"
export { webhookDelivery, webhookEndpoint, webhookEvent } from "./wire/WebhookWire.ts"
