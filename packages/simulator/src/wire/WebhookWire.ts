/** Webhook endpoints, their events, and what became of each. */
import type { WebhookDelivery, WebhookEndpoint, WebhookEvent, World } from "../Records.ts"
import { get, stamped } from "./Fields.ts"

export const webhookEndpoint = (world: World, endpoint: WebhookEndpoint) => ({
  ...stamped(endpoint),
  url: endpoint.url,
  name: endpoint.name,
  format: "raw",
  secret: endpoint.secret,
  organization_id: world.organization.id,
  events: endpoint.events,
  enabled: endpoint.enabled,
  api_version: endpoint.api_version,
  uses_standard_webhook_signature: endpoint.uses_standard_webhook_signature
})

export const webhookEvent = (world: World, event: WebhookEvent) => ({
  ...stamped(event),
  last_http_code: event.last_http_code,
  succeeded: event.succeeded,
  skipped: event.skipped,
  payload: event.payload,
  type: event.type,
  is_archived: false,
  api_version: get(world, "endpoints", event.endpoint_id).api_version
})

export const webhookDelivery = (world: World, delivery: WebhookDelivery) => ({
  ...stamped(delivery),
  succeeded: delivery.succeeded,
  http_code: delivery.http_code,
  response: delivery.response,
  webhook_event: webhookEvent(world, get(world, "events", delivery.event_id))
})
