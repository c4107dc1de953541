/** Webhook endpoints, what was delivered to them, and redelivery. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { WebhookDelivery } from "../Records.ts"
import * as Webhooks from "../Webhooks.ts"
import * as Wire from "../Wire.ts"
import { refuseOrganization } from "./CustomerRoutes.ts"
import { maybe, pathId, read, WebUrl } from "./Input.ts"
import * as Page from "./Page.ts"
import { created, noContent, ok, type Route, routesOf } from "./Route.ts"

// Types of Polar's that nothing here causes can be subscribed to all the same.
const EventType = Schema.String.pipe(Schema.pattern(/^[a-z_]+\.[a-z_]+$/))

// Chat formats are Polar's rendering of the same events; here there is none.
const Format = Schema.Literal("raw")

const Create = Schema.Struct({
  url: WebUrl,
  name: maybe(Schema.String),
  format: Format,
  events: Schema.Array(EventType),
  secret: Schema.optional(Schema.String.pipe(Schema.minLength(32))),
  api_version: Schema.optional(Schema.String),
  uses_standard_webhook_signature: Schema.optional(Schema.Boolean),
  organization_id: maybe(Schema.String)
})

const Update = Schema.Struct({
  url: maybe(WebUrl),
  name: maybe(Schema.String),
  format: maybe(Format),
  events: maybe(Schema.Array(EventType)),
  enabled: maybe(Schema.Boolean),
  api_version: maybe(Schema.String)
})

const webhooks = routesOf("webhooks")

export const routes: ReadonlyArray<Route> = [
  webhooks.post("/v1/webhooks/endpoints", (step, { body }) =>
    Either.gen(function* () {
      const { format: _, organization_id, ...input } = yield* read(Create, body)
      yield* refuseOrganization(organization_id)
      return created(Wire.webhookEndpoint(step.world, yield* Webhooks.createEndpoint(input)(step)))
    })
  ),

  webhooks.get("/v1/webhooks/endpoints", (step, { query }) =>
    Page.page({
      query,
      rows: step.all("endpoints"),
      sorts: { created_at: ({ created_at }) => created_at },
      sorting: "-created_at",
      render: (endpoint) => Wire.webhookEndpoint(step.world, endpoint)
    })
  ),

  webhooks.get("/v1/webhooks/endpoints/{id}", (step, { params }) =>
    Either.gen(function* () {
      return ok(Wire.webhookEndpoint(step.world, yield* Webhooks.findEndpoint(step, yield* pathId(params))))
    })
  ),

  webhooks.patch("/v1/webhooks/endpoints/{id}", (step, { body, params }) =>
    Either.gen(function* () {
      const id = yield* pathId(params)
      const { api_version, enabled, events, name, url } = yield* read(Update, body)
      const endpoint = yield* Webhooks.updateEndpoint(id, {
        ...(url == null ? {} : { url }),
        ...(name === undefined ? {} : { name }),
        ...(events == null ? {} : { events }),
        ...(enabled == null ? {} : { enabled }),
        ...(api_version == null ? {} : { api_version })
      })(step)
      return ok(Wire.webhookEndpoint(step.world, endpoint))
    })
  ),

  webhooks.patch("/v1/webhooks/endpoints/{id}/secret", (step, { params }) =>
    Either.gen(function* () {
      const endpoint = yield* Webhooks.renewSecret(yield* pathId(params))(step)
      return ok(Wire.webhookEndpoint(step.world, endpoint))
    })
  ),

  webhooks.delete("/v1/webhooks/endpoints/{id}", (step, { params }) =>
    Either.gen(function* () {
      yield* Webhooks.removeEndpoint(yield* pathId(params))(step)
      return noContent
    })
  ),

  webhooks.get("/v1/webhooks/deliveries", (step, { query }) => {
    const endpoints = Page.filter(query, "endpoint_id")
    const types = Page.filter(query, "event_type")
    const succeeded = Page.flag(query, "succeeded")
    const after = Page.time(query, "start_timestamp")
    const before = Page.time(query, "end_timestamp")
    const codes = query.get("http_code_class")?.charAt(0)
    const text = query.get("query")?.toLowerCase()
    const matches = (delivery: WebhookDelivery) => {
      const event = step.get("events", delivery.event_id)
      return (
        (endpoints === undefined || endpoints.has(event.endpoint_id)) &&
        (types === undefined || types.has(event.type)) &&
        (succeeded === undefined || delivery.succeeded === succeeded) &&
        (after === undefined || delivery.created_at > after) &&
        (before === undefined || delivery.created_at < before) &&
        (codes === undefined || String(delivery.http_code ?? "").startsWith(codes)) &&
        (text === undefined || event.payload.toLowerCase().includes(text) || event.id === text)
      )
    }
    return Page.page({
      query,
      rows: step.all("deliveries").filter(matches),
      sorts: { created_at: ({ created_at }) => created_at },
      sorting: "-created_at",
      render: (delivery) => Wire.webhookDelivery(step.world, delivery)
    })
  }),

  webhooks.post("/v1/webhooks/events/{id}/redeliver", (step, { params }) =>
    Either.gen(function* () {
      yield* Webhooks.redeliver(yield* pathId(params))(step)
      return { status: 202, body: null }
    })
  )
]
