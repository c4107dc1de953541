/** Calls about webhook endpoints, and what Polar says of deliveries to them. */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type WebhookDelivery, WebhookDeliveryPage, WebhookEndpoint } from "./PolarApi.ts"
import type { PolarError } from "./PolarError.ts"
import type { PolarHttp } from "./polarHttp.ts"

/** What of an endpoint is to be otherwise. */
export interface WebhookEndpointChange {
  readonly enabled?: boolean | undefined
  readonly format?: "raw" | undefined
  /** All types of events that it is to get. */
  readonly events?: ReadonlyArray<string> | undefined
}

export interface WebhookEndpointWithSecret {
  readonly endpoint: WebhookEndpoint
  readonly secret: Redacted.Redacted
}

export interface WebhookCalls {
  /** Makes an endpoint for raw events; Polar makes its secret. Each call makes another one. Needs the scope `webhooks:write`. */
  readonly createWebhookEndpoint: (input: {
    readonly url: string
    readonly events: ReadonlyArray<string>
  }) => Effect.Effect<WebhookEndpointWithSecret, PolarError>
  /** Changes an endpoint. Needs the scope `webhooks:write`. */
  readonly updateWebhookEndpoint: (
    id: string,
    change: WebhookEndpointChange
  ) => Effect.Effect<WebhookEndpoint, PolarError>
  /** The secret that Polar signs the endpoint's deliveries with now. Needs the scope `webhooks:read`. */
  readonly webhookSecret: (id: string) => Effect.Effect<Redacted.Redacted, PolarError>
  /**
   * Has Polar make a new secret, and sign with that from then on: the one before is used for nothing more, also not for
   * attempts at older events. Needs the scope `webhooks:write`.
   */
  readonly renewWebhookSecret: (id: string) => Effect.Effect<Redacted.Redacted, PolarError>
  /** The 100 newest attempts to deliver to the endpoint since, the newest first. Needs the scope `webhooks:read`. */
  readonly webhookDeliveries: (
    endpointId: string,
    since: Date
  ) => Effect.Effect<ReadonlyArray<WebhookDelivery>, PolarError>
}

const Secret = Schema.Struct({ secret: Schema.Redacted(Schema.NonEmptyString) })

const WithSecret = Schema.Struct({ ...WebhookEndpoint.fields, ...Secret.fields })

const path = "/v1/webhooks/endpoints"

export const makeWebhookCalls = (call: PolarHttp["call"]): WebhookCalls => {
  const ofEndpoint = (operation: string, method: "GET" | "PATCH", id: string, what = "") => ({
    operation,
    method,
    path: `${path}/${encodeURIComponent(id)}${what}`,
    template: `${path}/{id}${what}`
  })

  return {
    createWebhookEndpoint: Effect.fn("PolarClient.createWebhookEndpoint")(({ events, url }) =>
      Effect.map(
        call(
          { operation: "create webhook endpoint", method: "POST", path, body: { url, format: "raw", events } },
          WithSecret
        ),
        ({ secret, ...endpoint }) => ({ endpoint, secret })
      )
    ),

    updateWebhookEndpoint: Effect.fn("PolarClient.updateWebhookEndpoint")((id, change) =>
      call({ ...ofEndpoint("update webhook endpoint", "PATCH", id), body: change }, WebhookEndpoint)
    ),

    webhookSecret: Effect.fn("PolarClient.webhookSecret")((id) =>
      Effect.map(call(ofEndpoint("get webhook endpoint", "GET", id), Secret), ({ secret }) => secret)
    ),

    renewWebhookSecret: Effect.fn("PolarClient.renewWebhookSecret")((id) =>
      Effect.map(
        call({ ...ofEndpoint("reset webhook secret", "PATCH", id, "/secret"), body: {} }, Secret),
        ({ secret }) => secret
      )
    ),

    webhookDeliveries: Effect.fn("PolarClient.webhookDeliveries")((endpointId, since) =>
      Effect.map(
        call(
          {
            operation: "list webhook deliveries",
            method: "GET",
            path: "/v1/webhooks/deliveries",
            query: [
              ["endpoint_id", endpointId],
              ["start_timestamp", since.toISOString()],
              ["limit", "100"]
            ]
          },
          WebhookDeliveryPage
        ),
        ({ items }) => [...items].sort((one, other) => other.createdAt.getTime() - one.createdAt.getTime())
      )
    )
  }
}
